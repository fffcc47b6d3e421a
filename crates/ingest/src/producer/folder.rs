//! The fold of a cycle: what it reads, record by record into the write state, and what is left to write at its end.

use super::ledger::{At, Found, Ledger};
use super::plans::{Planned, Plans};
use super::polls::Marks;
use super::reader::ChannelReader;
use super::record::Folded;
use super::sweeps::Sweeps;
use crate::avro::{Fault, Transcoder};
use crate::dead::{Notices, dead_letter};
use crate::error::{Error, Result};
use crate::fold::{Channel, Decision, FOLD_TYPE, fold_schema, write_origin};
use crate::key::Key;
use crate::position::{SWEEP_HIGH_TAG, TopicPosition, tag_of};
use crate::progress::RecordCounts;
use crate::spec::{DatasetSpec, SourceVersions};
use crate::sweep::{SWEEPS_TAG, sweeps_tag};
use changelog::{Batch, ChangeLog, NewRecord, RecordRef};
use hollow::Ordinal;
use hollow::record::ObjectRecord;
use hollow::write::{RecordBatch, TypeId, WriteState};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Dead letters are written out when this many wait, or this many bytes.
const DEAD_RECORDS: usize = 1000;
const DEAD_BYTES: usize = 8 << 20;
/// Keys of records that are looked for at once: what is found stays in the cores' own caches until it is needed.
const FOUND_AT_ONCE: usize = 256;

/// Origins that are written at once, which bounds the memory that they take meanwhile, and those that a thread encodes in one go.
const NEWS_AT_ONCE: usize = 1 << 16;
const NEWS_OF_A_THREAD: usize = 2048;

pub(super) struct Folder {
    pub(super) spec: Arc<DatasetSpec>,
    pub(super) log: Arc<dyn ChangeLog>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) readers: Vec<ChannelReader>,
    pub(super) ledger: Ledger,
    /// The fold's records of the ledger's news, once they are written.
    written: Vec<Ordinal>,
    pub(super) sweeps: Sweeps,
    /// How far `D.sweep` was read before a restart, by partition. Nothing is published before that is passed.
    pub(super) high: Vec<i64>,
    /// Of the cycle that is being folded.
    pub(super) counts: RecordCounts,
    pub(super) plans: Plans,
    pub(super) last_plan: Option<(u32, Arc<Planned>)>,
    dead: Vec<NewRecord>,
    dead_bytes: usize,
    notices: Notices,
    pub(super) transcoder: Transcoder,
    pub(super) key: Key,
    /// Whether `key` is that of the record that is being folded.
    pub(super) has_key: bool,
    /// Which keys of a batch the ledger has.
    found: Found,
    /// What is being folded, and what is fetched meanwhile.
    batches: (Batch, Batch),
    origin_record: Option<ObjectRecord>,
}

/// The ids of the dataset's types in a write state.
pub(super) struct Types {
    /// By index in the model's schemas.
    pub(super) model: Vec<TypeId>,
    pub(super) root: TypeId,
    pub(super) fold: TypeId,
}

impl Types {
    pub(super) fn of(spec: &DatasetSpec, write: &WriteState) -> Result<Self> {
        let missing = |name: &str| Error::Schema {
            source_name: spec.name.to_string(),
            reason: format!("the write state has no type {name}"),
        };
        let id = |name: &str| write.type_id(name).ok_or_else(|| missing(name));
        let model: Result<Vec<_>> = spec
            .model
            .schemas()
            .iter()
            .map(|schema| id(schema.name()))
            .collect();
        Ok(Self {
            model: model?,
            root: id(spec.model.root_type())?,
            fold: id(FOLD_TYPE)?,
        })
    }
}

impl Folder {
    pub(super) fn new(
        spec: Arc<DatasetSpec>,
        log: Arc<dyn ChangeLog>,
        plans: Plans,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let schema = fold_schema();
        Self {
            origin_record: schema.as_object().map(ObjectRecord::new),
            spec,
            log,
            stop,
            plans,
            readers: Vec::new(),
            ledger: Ledger::default(),
            written: Vec::new(),
            sweeps: Sweeps::default(),
            high: Vec::new(),
            counts: RecordCounts::default(),
            last_plan: None,
            dead: Vec::new(),
            dead_bytes: 0,
            notices: Notices::default(),
            transcoder: Transcoder::new(),
            key: Key::default(),
            has_key: false,
            found: Found::default(),
            batches: (Batch::new(), Batch::new()),
        }
    }

    /// Reads on to the marks of all readers, or until `records_max` records are read, and folds what it reads. Sweeps that
    /// have ended by then delete what they did not find. Dead letters are durable when it returns. `progress` is told how many
    /// records were read and how many are left. Returns whether the marks were known; without them what was folded must not
    /// be published.
    pub(super) fn fold(
        &mut self,
        write: &mut WriteState,
        records_max: u64,
        marks: &mut Marks,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<bool> {
        let types = Types::of(&self.spec, write)?;
        self.counts = RecordCounts::default();
        self.dead.clear();
        self.dead_bytes = 0;
        self.transcoder.forget();
        let mut batches = std::mem::take(&mut self.batches);
        let mut fold = || {
            let fetched = match marks {
                Marks::Known => None,
                _ => self.mark_and_fold(&mut batches, write, &types, records_max, marks)?,
            };
            if !matches!(marks, Marks::Known) {
                return Ok(false);
            }
            self.fold_batches(&mut batches, fetched, write, &types, records_max, progress)?;
            Ok(true)
        };
        let folded: Result<bool> = fold();
        self.batches = batches;
        self.tell_of_the_dead();
        let is_marked = folded?;
        self.flush_dead()?;
        if is_marked {
            self.fetch_ahead(records_max);
        }
        Ok(is_marked)
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    pub(super) fn fold_batch(
        &mut self,
        batch: &Batch,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> Result<()> {
        let mut found = std::mem::take(&mut self.found);
        let mut folded = Ok(());
        for start in (0..batch.len()).step_by(FOUND_AT_ONCE) {
            folded = self.fold_some(batch, start, channel, write, types, &mut found);
            if folded.is_err() {
                break;
            }
        }
        self.found = found;
        folded
    }

    /// Folds the records of a batch from `start` on, as many as are found at once.
    fn fold_some(
        &mut self,
        batch: &Batch,
        start: usize,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
        found: &mut Found,
    ) -> Result<()> {
        let end = (start + FOUND_AT_ONCE).min(batch.len());
        let records = (start..end).filter_map(|index| batch.get(index));
        // What is a key's canonical form is a key as it is.
        let is_key = self.spec.envelope.is_none();
        let keys = records.clone().map(|record| record.key.filter(|_| is_key));
        self.ledger.find_all(keys, found);
        records
            .zip(found.places())
            .try_for_each(|(record, &at)| self.fold_record(&record, at, channel, write, types))
    }

    /// Records that are left up to the marks, about.
    pub(super) fn behind(&self) -> u64 {
        self.readers.iter().map(ChannelReader::behind).sum()
    }

    /// Whether a first state has to wait for a sweep; see [`Sweeps::is_awaited`].
    pub(super) fn awaits_sweep(&self, (read_ms, took_ms): (i64, i64)) -> bool {
        let retention_ms = self.readers.iter().map(ChannelReader::retention_ms).min();
        let retention_ms = retention_ms.unwrap_or(i64::MAX);
        self.sweeps.is_awaited(read_ms, took_ms, retention_ms)
    }

    /// Whether `D.sweep` is read again, from the begin of a sweep, and not yet as far as before.
    pub(super) fn is_below_high(&self) -> bool {
        let sweep = self
            .readers
            .iter()
            .find(|reader| reader.channel == Channel::Sweep);
        sweep.is_some_and(|reader| {
            let next = reader.position().next;
            next.iter().zip(&self.high).any(|(next, high)| next < high)
        })
    }

    fn fold_record(
        &mut self,
        record: &RecordRef<'_>,
        at: Option<At>,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> Result<()> {
        self.counts.read += 1;
        match self.try_record(record, at, channel, write, types) {
            Ok(Folded::Control) => self.counts.control += 1,
            Ok(Folded::Dropped(Decision::Again)) => self.counts.again += 1,
            Ok(Folded::Dropped(_)) => self.counts.older += 1,
            Ok(Folded::Applied { changed, deleted }) => {
                self.counts.changed += u64::from(changed);
                self.counts.confirmed += u64::from(!changed);
                self.counts.deletes += u64::from(deleted);
            }
            Err(Fault::Poison(poison)) => {
                self.counts.dead += 1;
                if !self.has_key {
                    let _ = self.parse_key(record);
                }
                let topic = self.spec.topic_of(channel);
                self.notices
                    .add(&topic, record.partition, record.offset, &poison);
                self.tell_of_the_dead();
                let key = self.has_key.then(|| self.key.canonical());
                let letter = dead_letter(&topic, record, key, &poison);
                self.dead_bytes += letter.value.as_ref().map_or(0, Vec::len);
                self.dead.push(letter);
                if self.dead.len() >= DEAD_RECORDS || self.dead_bytes >= DEAD_BYTES {
                    self.flush_dead()?;
                }
            }
            Err(Fault::Sink(error)) => return Err(error),
        }
        Ok(())
    }

    /// The ledger's news are published now.
    pub(super) fn settle_news(&mut self) {
        let stamps = self.ledger.settle(&std::mem::take(&mut self.written));
        if self.sweeps.is_any_open() {
            self.sweeps.publish(stamps.into_iter());
        }
    }

    /// Says in the log what became dead letters, unless it was said just now.
    fn tell_of_the_dead(&mut self) {
        if let Some(notice) = self.notices.due(Instant::now()) {
            tracing::warn!(
                dataset = %self.spec.name, letters = notice.letters, reasons = notice.reasons, latest = notice.latest,
                "records became dead letters"
            );
        }
    }

    fn flush_dead(&mut self) -> Result<()> {
        if !self.dead.is_empty() {
            self.log.append(&self.spec.dead_topic(), &self.dead)?;
            self.dead.clear();
            self.dead_bytes = 0;
        }
        Ok(())
    }

    /// Writes the ledger's news into the write state: read and encoded by all threads, piece by piece in one order.
    pub(super) fn write_news(&mut self, write: &mut WriteState) -> Result<()> {
        let types = Types::of(&self.spec, write)?;
        self.written.clear();
        let Some(blank) = &self.origin_record else {
            return Ok(());
        };
        self.ledger.order_news();
        let ledger = &self.ledger;
        let count = ledger.news().len();
        let (mut batch, mut committed) = (RecordBatch::new(), Vec::new());
        for start in (0..count).step_by(NEWS_AT_ONCE) {
            let end = (start + NEWS_AT_ONCE).min(count);
            batch.clear();
            committed.clear();
            committed.extend(
                ledger
                    .news_of(start..end)
                    .map(|(_, entry)| entry.published()),
            );
            let pieces: Vec<usize> = (start..end).step_by(NEWS_OF_A_THREAD).collect();
            let encode = |from: usize| {
                let to = (from + NEWS_OF_A_THREAD).min(end);
                let (mut record, mut piece) = (blank.clone(), RecordBatch::new());
                for (key, entry) in ledger.news_of(from..to) {
                    write_origin(&mut record, key, &entry.origin());
                    piece.push(record.bytes());
                }
                piece
            };
            let pieces: Vec<RecordBatch> = pieces.into_par_iter().map(encode).collect();
            pieces.iter().for_each(|piece| batch.append(piece));
            write
                .upsert_batch(types.fold, &batch, &committed, &mut self.written)
                .map_err(|source| Error::Write {
                    dataset: self.spec.name.clone(),
                    source,
                })?;
        }
        Ok(())
    }

    /// The position as header tags. `D.sweep` is read again from the begin of the oldest open sweep, and nothing is published
    /// before that has come as far as now.
    pub(super) fn position_tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for reader in &self.readers {
            let mut position = reader.position();
            if reader.channel == Channel::Sweep {
                tags.insert(SWEEP_HIGH_TAG.to_owned(), position.to_text());
                position = TopicPosition {
                    next: self.sweeps.restart_from(position.next),
                    ..position
                };
            }
            tags.insert(tag_of(reader.channel).to_owned(), position.to_text());
        }
        tags
    }

    /// What the tags of states and confirmations tell of sweeps.
    pub(super) fn sweeps_tag(&self) -> Option<(String, String)> {
        let is_swept = self.spec.source_versions == SourceVersions::Required;
        is_swept.then(|| (SWEEPS_TAG.to_owned(), sweeps_tag(&self.sweeps.infos())))
    }
}
