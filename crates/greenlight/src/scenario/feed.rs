//! Feeding a scenario to a change log, and going on where an earlier run stopped.
//!
//! Every record carries its place in its topic's sequence (base first, then changes) as a header.
//! The last such header in each partition tells what is in already, whatever else was appended,
//! compacted or only half done when a process was killed; a record that is fed twice folds into
//! the same state, since its source version is the same.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use changelog::{
    Batch, ChangeLog, NewRecord, PollLimit, Position, TopicInfo, TopicSpec, partition_for_key,
};
use ingest::avro::AvroSchema;
use rayon::prelude::*;

use super::read::{Change, Lines, Scenario};
use super::{Error, Result};

/// The header with the source's version of the row.
const SOURCE_VERSION: &str = "gl-source-version";
/// The header with the record's place in its topic's sequence, from 0.
const SEQUENCE: &str = "gl-scenario-sequence";

/// Records per append: large enough that making them durable costs little for each, small enough
/// that progress is seen.
const BATCH: usize = 8_192;

/// A topic to feed.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name, which is the dataset's.
    pub name: String,
    /// The partitions it is created with, if it does not exist.
    pub partitions: u32,
    /// The Avro schema of its values.
    pub schema: Arc<AvroSchema>,
    /// The id under which the schema is registered.
    pub schema_id: u32,
}

/// What a call fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Records appended now.
    pub appended: u64,
    /// Records that an earlier run had appended.
    pub already: u64,
    /// Whether nothing is left of what was asked for.
    pub done: bool,
    /// The instant of the last record, in milliseconds since 1970 (UTC).
    pub at_ms: Option<i64>,
}

/// A topic that is being fed.
struct Lane {
    schema: Arc<AvroSchema>,
    schema_id: u32,
    info: TopicInfo,
    /// Per partition, the greatest sequence number that is in.
    fed: Vec<Option<u64>>,
    /// The sequence number of the next change.
    next: u64,
}

/// Appends a scenario's records to a log.
pub struct Feeder<'a> {
    scenario: &'a Scenario,
    log: &'a dyn ChangeLog,
    lanes: BTreeMap<String, Lane>,
    changes: Peekable<Lines>,
    base_fed: bool,
}

impl<'a> Feeder<'a> {
    /// Prepares to feed `scenario` to `log`: creates the topics that are missing (compacted) and
    /// finds out what is in those that are not.
    ///
    /// # Errors
    /// When a topic can't be created or read, or a file is missing.
    pub fn new(scenario: &'a Scenario, log: &'a dyn ChangeLog, topics: &[Topic]) -> Result<Self> {
        let mut lanes = BTreeMap::new();
        for topic in topics {
            let info = match log.topic(&topic.name)? {
                Some(info) => info,
                None => log.create_topic(&TopicSpec::compacted(&topic.name, topic.partitions))?,
            };
            let fed = fed(log, &info)?;
            let next = count(&scenario.manifest().base_records, &topic.name);
            lanes.insert(
                topic.name.clone(),
                Lane {
                    schema: Arc::clone(&topic.schema),
                    schema_id: topic.schema_id,
                    info,
                    fed,
                    next,
                },
            );
        }
        let changes = scenario.changes()?.peekable();
        Ok(Self {
            scenario,
            log,
            lanes,
            changes,
            base_fed: false,
        })
    }

    /// How many records the base has.
    #[must_use]
    pub fn base_len(&self) -> u64 {
        self.scenario.manifest().base_records.values().sum()
    }

    /// Appends what is missing of the base, all topics at once. `progress` is called with the number
    /// of records dealt with since the last call, from several threads.
    ///
    /// # Errors
    /// When a file or record is not what it should be, or the log fails.
    pub fn feed_base(&mut self, progress: &(dyn Fn(u64) + Sync)) -> Result<Fed> {
        // The largest topics first, so that no thread is left with one of them at the end.
        let mut lanes: Vec<(&String, &Lane)> = self.lanes.iter().collect();
        lanes.sort_by_key(|(name, _)| {
            std::cmp::Reverse(count(&self.scenario.manifest().base_records, name))
        });
        let all = lanes
            .into_par_iter()
            .with_max_len(1)
            .map(|(name, lane)| self.feed_base_of(name, lane, progress))
            .collect::<Result<Vec<Fed>>>()?;
        self.base_fed = true;
        Ok(Fed {
            appended: all.iter().map(|fed| fed.appended).sum(),
            already: all.iter().map(|fed| fed.already).sum(),
            done: true,
            at_ms: all.iter().filter_map(|fed| fed.at_ms).max(),
        })
    }

    fn feed_base_of(
        &self,
        name: &str,
        lane: &Lane,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Fed> {
        let mut total = Fed {
            appended: 0,
            already: 0,
            done: true,
            at_ms: None,
        };
        let len = count(&self.scenario.manifest().base_records, name);
        // No change is fed before the base is in, so a change in the log vouches for it.
        if lane.fed.iter().flatten().any(|fed| *fed >= len) || len == 0 {
            total.already = len;
            progress(len);
            return Ok(total);
        }
        let mut batch = Vec::with_capacity(BATCH);
        let mut dealt_with = 0;
        let mut changes = (0_u64..).zip(self.scenario.base(name)?).peekable();
        while let Some((sequence, change)) = changes.next() {
            let change = change?;
            total.at_ms = total.at_ms.max(Some(change.at_ms()));
            match lane.record(&change, sequence)? {
                Some(record) => batch.push(record),
                None => total.already += 1,
            }
            dealt_with += 1;
            if batch.len() == BATCH || dealt_with == 4 * BATCH as u64 || changes.peek().is_none() {
                if !batch.is_empty() {
                    self.log.append(name, &batch)?;
                    total.appended += batch.len() as u64;
                    batch.clear();
                }
                progress(dealt_with);
                dealt_with = 0;
            }
        }
        Ok(total)
    }

    /// Appends the next changes, in order (after the base, where that was not fed): those delivered before `until_ms`, at most `limit` of
    /// them. Changes that are in already are passed over and do not count against the limit.
    ///
    /// # Errors
    /// As [`feed_base`](Self::feed_base); and [`Error::UnknownTopic`] for a record that no configured
    /// topic takes.
    pub fn feed_changes(&mut self, until_ms: i64, limit: u64) -> Result<Fed> {
        let mut total = Fed {
            appended: 0,
            already: 0,
            done: false,
            at_ms: None,
        };
        if !self.base_fed {
            self.feed_base(&|_| {})?;
        }
        let mut batches: BTreeMap<String, Vec<NewRecord>> = BTreeMap::new();
        let mut waiting = 0;
        while total.appended + (waiting as u64) < limit {
            let within =
                |next: &Result<Change>| next.as_ref().map_or(true, |c| c.at_ms() < until_ms);
            let Some(change) = self.changes.next_if(within) else {
                total.done = true;
                break;
            };
            let change = change?;
            let topic = change.topic.clone();
            let lane = self
                .lanes
                .get_mut(&topic)
                .ok_or_else(|| Error::UnknownTopic {
                    topic: topic.clone(),
                })?;
            let sequence = lane.next;
            lane.next += 1;
            total.at_ms = Some(change.at_ms());
            match lane.record(&change, sequence)? {
                Some(record) => {
                    batches.entry(topic).or_default().push(record);
                    waiting += 1;
                }
                None => total.already += 1,
            }
            if waiting == BATCH {
                total.appended += self.append(&mut batches)?;
                waiting = 0;
            }
        }
        total.appended += self.append(&mut batches)?;
        total.done = total.done || self.changes.peek().is_none();
        Ok(total)
    }

    /// Appends one batch per topic.
    fn append(&self, batches: &mut BTreeMap<String, Vec<NewRecord>>) -> Result<u64> {
        let mut appended = 0;
        for (topic, records) in std::mem::take(batches) {
            self.log.append(&topic, &records)?;
            appended += records.len() as u64;
        }
        Ok(appended)
    }
}

impl Lane {
    /// The record to append, or `None` when it is in already.
    fn record(&self, change: &Change, sequence: u64) -> Result<Option<NewRecord>> {
        let key = change.key_bytes();
        let partition = partition_for_key(&key, self.info.partitions);
        let fed = usize::try_from(partition)
            .ok()
            .and_then(|at| self.fed.get(at))
            .copied()
            .flatten();
        if fed.is_some_and(|fed| sequence <= fed) {
            return Ok(None);
        }
        let record = match &change.value {
            Some(value) => {
                let value = self.schema.encode_wire(self.schema_id, value);
                let value = value.map_err(|source| Error::Value {
                    topic: change.topic.clone(),
                    source: Box::new(source),
                })?;
                NewRecord::new(change.at_ms(), key, value)
            }
            None => NewRecord::tombstone(change.at_ms(), key),
        };
        Ok(Some(
            record
                .to_partition(partition)
                .with_header(SOURCE_VERSION, change.source_version.to_string())
                .with_header(SEQUENCE, sequence.to_string()),
        ))
    }
}

fn count(records: &BTreeMap<String, u64>, topic: &str) -> u64 {
    records.get(topic).copied().unwrap_or(0)
}

/// Per partition, the greatest sequence number in it: looked for from the end, in steps that grow,
/// because others may have appended since and compaction leaves gaps.
fn fed(log: &dyn ChangeLog, topic: &TopicInfo) -> Result<Vec<Option<u64>>> {
    let begin = log.begin_offsets(&topic.name)?;
    let end = log.end_offsets(&topic.name)?;
    (0..)
        .zip(begin.into_iter().zip(end))
        .map(|(p, (begin, end))| last(log, topic, p, begin, end))
        .collect()
}

fn last(
    log: &dyn ChangeLog,
    topic: &TopicInfo,
    partition: u32,
    begin: i64,
    end: i64,
) -> Result<Option<u64>> {
    let mut batch = Batch::new();
    let mut step = 64;
    let mut stop = end;
    while stop > begin {
        let start = (stop - step).max(begin);
        let mut consumer = log.consumer(&topic.name, &[Position::new(partition, start)])?;
        let mut found = None;
        while consumer
            .positions()
            .first()
            .is_some_and(|position| position.offset < stop)
        {
            consumer.poll(&mut batch, PollLimit::default(), Duration::ZERO)?;
            for record in batch.records().filter(|record| record.offset < stop) {
                let header = record
                    .header(SEQUENCE)
                    .and_then(|value| std::str::from_utf8(value).ok());
                found = found.max(header.and_then(|number| number.parse().ok()));
            }
        }
        if found.is_some() {
            return Ok(found);
        }
        stop = start;
        step *= 8;
    }
    Ok(None)
}
