//! The log on a Kafka cluster, by librdkafka.
//!
//! Traits and words of this crate are Kafka's own, so there is little to translate; what this back end adds is what a
//! fold needs to be exactly once. A consumer fails when its topic is deleted or recreated, instead of reading on in
//! another one; its position passes over offsets without a record, so that "read to the end" can be told; an append
//! returns where its records are. Outages are waited out, up to a budget, and then named. `docs/kafka.md` is the page for
//! operators.

mod admin;
mod cluster;
mod consumer;
mod fetched;
mod options;
mod owned;
mod producer;
mod topic_id;

pub use options::{KafkaOptions, KafkaSasl, KafkaTls};

use crate::error::{Error, Refusal, Result};
use crate::types::{NewRecord, Position, TopicEnd, TopicInfo, TopicSpec};
use crate::{ChangeLog, Consumer, batch, partition_for_key};
use admin::{Admin, TopicConfig};
use cluster::{Cluster, is_unknown};
use consumer::{KafkaConsumer, check_range};
use producer::{Appender, check_limit};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use topic_id::Described;

/// How long what is known of a topic's configuration, and for appends of its partitions, is taken to be true.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// How often is looked whether a topic that was made, widened or deleted is so everywhere.
const SETTLE_CHECK: Duration = Duration::from_millis(20);

/// A log on a Kafka cluster; see the [module](self).
pub struct KafkaLog {
    cluster: Arc<Cluster>,
    admin: Mutex<Option<Arc<Admin>>>,
    appender: Mutex<Option<Arc<Appender>>>,
    known: Mutex<HashMap<String, Known>>,
    /// Where the next record without key and partition goes.
    next_keyless: AtomicU32,
}

/// A topic as it was when we last looked.
#[derive(Clone)]
struct Known {
    info: TopicInfo,
    max_message_bytes: usize,
    at: Instant,
}

impl KafkaLog {
    /// Connects to a cluster.
    ///
    /// # Errors
    /// [`Error::KafkaOptions`] for options that can't work, [`Error::KafkaRefused`] where the brokers don't take us, and
    /// [`Error::KafkaUnreachable`] where none answers within the budget.
    pub fn connect(options: KafkaOptions) -> Result<Self> {
        let cluster = Arc::new(Cluster::new(options)?);
        cluster.check_reachable()?;
        Ok(Self {
            cluster,
            admin: Mutex::default(),
            appender: Mutex::default(),
            known: Mutex::default(),
            next_keyless: AtomicU32::new(0),
        })
    }

    /// Whether a broker answers within `patience`, which is waited for.
    #[must_use]
    pub fn answers(&self, patience: Duration) -> bool {
        self.cluster.answers(patience)
    }

    /// Makes calls that wait for the cluster, now or later, return [`Error::Closed`]: for a process that is asked to stop
    /// in the middle of an outage.
    pub fn close(&self) {
        self.cluster.close();
    }

    fn admin(&self) -> Result<Arc<Admin>> {
        let mut slot = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(admin) = &*slot {
            return Ok(Arc::clone(admin));
        }
        let admin = Arc::new(Admin::new(&self.cluster.options)?);
        *slot = Some(Arc::clone(&admin));
        Ok(admin)
    }

    /// The producer, or a new one where a fatal error has ended the last.
    fn appender(&self) -> Result<Arc<Appender>> {
        let mut slot = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(appender) = slot.as_ref().filter(|appender| !appender.is_broken()) {
            return Ok(Arc::clone(appender));
        }
        let appender = Arc::new(Appender::new(&self.cluster)?);
        *slot = Some(Arc::clone(&appender));
        Ok(appender)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic as it is now. Its configuration may be as old as [`KNOWN_FOR`].
    fn look(&self, name: &str) -> Result<Option<Known>> {
        let Some(described) = self.cluster.find(name)? else {
            self.known().remove(name);
            return Ok(None);
        };
        if let Some(known) = self.known().get_mut(name)
            && known.info.id == described.id
            && known.at.elapsed() < KNOWN_FOR
        {
            known.info.partitions = described.partitions;
            return Ok(Some(known.clone()));
        }
        let config = self.admin()?.configs(&self.cluster, &[name])?;
        let Some(config) = config.first().copied().flatten() else {
            return Ok(None);
        };
        let known = Known::new(described, config);
        self.known().insert(name.to_owned(), known.clone());
        Ok(Some(known))
    }

    fn expect(&self, name: &str) -> Result<Known> {
        Ok(self.look(name)?.ok_or_else(|| Refusal::UnknownTopic {
            topic: name.to_owned(),
        })?)
    }

    /// The topic as it was not long ago: good enough to send records to it.
    fn recent(&self, name: &str) -> Result<Known> {
        if let Some(known) = self.known().get(name)
            && known.at.elapsed() < KNOWN_FOR
        {
            return Ok(known.clone());
        }
        self.expect(name)
    }

    /// Waits until the brokers tell of a topic what they have promised.
    fn settle(
        &self,
        action: &'static str,
        name: &str,
        done: impl Fn(Option<&Described>) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            let found = self.cluster.find(name)?;
            if done(found.as_ref()) {
                return Ok(());
            }
            let slow = "the brokers have agreed, but do not show it";
            self.cluster.give_up(started, action, name, &slow)?;
            std::thread::sleep(SETTLE_CHECK);
        }
    }

    /// Where each record goes; refuses what the topic can't take.
    fn route(&self, known: &Known, records: &[NewRecord]) -> Result<Vec<u32>> {
        let TopicInfo {
            name,
            partitions,
            compacted,
            ..
        } = &known.info;
        let route = |(index, record): (usize, &NewRecord)| {
            if *compacted && record.key.is_none() {
                return Err(Refusal::KeyRequired {
                    topic: name.clone(),
                    index,
                }
                .into());
            }
            batch::check_size(name, index, record)?;
            check_limit(name, index, record, known.max_message_bytes)?;
            Ok(match (record.partition, &record.key) {
                (Some(partition), _) => {
                    check_partition(&known.info, partition)?;
                    partition
                }
                (None, Some(key)) => partition_for_key(key, *partitions),
                (None, None) => self.next_keyless.fetch_add(1, Ordering::Relaxed) % partitions,
            })
        };
        records.iter().enumerate().map(route).collect()
    }
}

impl Known {
    fn new(described: Described, config: TopicConfig) -> Self {
        let Described {
            name,
            id,
            partitions,
        } = described;
        Self {
            info: TopicInfo {
                id,
                name,
                partitions,
                compacted: config.compacted,
                delete_retention_ms: config.delete_retention_ms,
            },
            max_message_bytes: config.max_message_bytes,
            at: Instant::now(),
        }
    }
}

fn check_partition(info: &TopicInfo, partition: u32) -> Result<()> {
    if partition < info.partitions {
        return Ok(());
    }
    Err(Refusal::UnknownPartition {
        topic: info.name.clone(),
        partition,
        partitions: info.partitions,
    }
    .into())
}

fn all_partitions(info: &TopicInfo) -> Vec<u32> {
    (0..info.partitions).collect()
}

impl ChangeLog for KafkaLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        spec.check()?;
        self.admin()?.create(&self.cluster, spec)?;
        self.known().remove(&spec.name);
        let made = |found: Option<&Described>| {
            found.is_some_and(|topic| topic.partitions == spec.partitions)
        };
        self.settle("create topic", &spec.name, made)?;
        // Asked of the leaders, so that they are there when we return.
        let info = self.expect(&spec.name)?.info;
        self.cluster.ends(&spec.name, &all_partitions(&info))?;
        Ok(info)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        Ok(self.look(name)?.map(|known| known.info))
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        let names = self.cluster.names()?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let described = self.cluster.describe(&names)?;
        let configs = self.admin()?.configs(&self.cluster, &names)?;
        let both = described.into_iter().zip(configs);
        // One that was deleted meanwhile is left out.
        Ok(both
            .filter_map(|(described, config)| Some(Known::new(described?, config?).info))
            .collect())
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        let id = self.cluster.expect(name)?.id;
        self.admin()?.delete(&self.cluster, name)?;
        self.known().remove(name);
        self.settle("delete topic", name, |found| {
            found.is_none_or(|topic| topic.id != id)
        })
    }

    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo> {
        let mut info = self.expect(name)?.info;
        if partitions <= info.partitions {
            let reason = format!(
                "it has {} partitions already, and their number can only grow",
                info.partitions
            );
            return Err(Refusal::InvalidTopic {
                topic: name.to_owned(),
                reason,
            }
            .into());
        }
        self.admin()?.widen(&self.cluster, name, partitions)?;
        self.settle("add partitions to topic", name, |found| {
            found.is_some_and(|topic| topic.partitions >= partitions)
        })?;
        info = self.expect(name)?.info;
        self.cluster.ends(name, &all_partitions(&info))?;
        Ok(info)
    }

    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let partitions = self.cluster.expect(topic)?.partitions;
        self.cluster
            .begins(topic, &(0..partitions).collect::<Vec<_>>())
    }

    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let partitions = self.cluster.expect(topic)?.partitions;
        self.cluster
            .ends(topic, &(0..partitions).collect::<Vec<_>>())
    }

    /// One question, where the partition is there.
    fn end_offset(&self, topic: &str, partition: u32) -> Result<i64> {
        match self.cluster.ends(topic, &[partition]) {
            Err(Error::Kafka { source, .. }) if is_unknown(&source) => {
                check_partition(&self.expect(topic)?.info, partition)?;
                Err(Error::kafka("ask for offsets of", topic, source))
            }
            ends => Ok(ends?.first().copied().unwrap_or(0)),
        }
    }

    /// Two questions for all of them: where they end, and what they are.
    fn ends(&self, known: &[&TopicInfo]) -> Result<Vec<TopicEnd>> {
        let asked: Vec<_> = known
            .iter()
            .map(|topic| (topic.name.as_str(), topic.partitions))
            .collect();
        let offsets = match self.cluster.ends_of_all(&asked) {
            // One that was recreated may lack a partition.
            Err(Error::Kafka { source, .. }) if is_unknown(&source) => known
                .iter()
                .map(|topic| self.end_offsets(&topic.name))
                .collect::<Result<_>>()?,
            offsets => offsets?,
        };
        let names: Vec<&str> = asked.iter().map(|&(name, _)| name).collect();
        let described = self.cluster.describe(&names)?;
        let mut ends = Vec::with_capacity(known.len());
        for (known, described) in known.iter().zip(described) {
            let now = described.ok_or_else(|| Refusal::UnknownTopic {
                topic: known.name.clone(),
            })?;
            ends.push(TopicEnd {
                id: now.id,
                partitions: now.partitions,
                offsets: Vec::new(),
            });
        }
        for (end, offsets) in ends.iter_mut().zip(offsets) {
            end.offsets = offsets;
        }
        Ok(ends)
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        let mut known = self.recent(topic)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let partitions = match self.route(&known, records) {
            // Partitions may have been added since we looked.
            Err(Error::Refused(Refusal::UnknownPartition { .. })) => {
                known = self.expect(topic)?;
                self.route(&known, records)?
            }
            routed => routed?,
        };
        let appended = self
            .appender()?
            .append(&self.cluster, topic, records, &partitions);
        if appended.is_err() {
            self.known().remove(topic);
        }
        appended
    }

    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>> {
        let info = self.expect(topic)?.info;
        for position in start {
            check_partition(&info, position.partition)?;
        }
        let ends = check_range(&self.cluster, topic, start)?;
        Ok(Box::new(KafkaConsumer::new(
            Arc::clone(&self.cluster),
            info,
            start.to_vec(),
            &ends,
        )))
    }

    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()> {
        let info = self.expect(topic)?.info;
        for position in before {
            check_partition(&info, position.partition)?;
        }
        let partitions: Vec<u32> = before.iter().map(|position| position.partition).collect();
        let begins = self.cluster.begins(topic, &partitions)?;
        let ends = self.cluster.ends(topic, &partitions)?;
        let mut wanted = Vec::with_capacity(before.len());
        for (position, (&begin, &end)) in before.iter().zip(begins.iter().zip(&ends)) {
            let Position { partition, offset } = *position;
            if offset > end {
                return Err(Refusal::OffsetOutOfRange {
                    topic: topic.to_owned(),
                    partition,
                    offset,
                    begin,
                    end,
                }
                .into());
            }
            if offset > begin {
                wanted.push(*position);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.admin()?.truncate(&self.cluster, topic, &wanted)
    }
}
