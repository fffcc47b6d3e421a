//! The fold itself: what a cycle reads, into the write state.

use super::incoming::Change;
use super::plans::{Planned, Plans};
use super::reader::ChannelReader;
use super::sweeps::Sweeps;
use crate::avro::{Fault, RecordSink, Transcoder};
use crate::dead::{Notices, dead_letter};
use crate::error::{Error, Result};
use crate::fold::{
    Channel, Decision, FOLD_TYPE, Origin, committed_origin, fold_schema, write_origin,
};
use crate::key::Key;
use crate::poison::Poison;
use crate::position::{SWEEP_HIGH_TAG, TopicPosition, tag_of};
use crate::progress::RecordCounts;
use crate::schemas::split_wire;
use crate::spec::{DatasetSpec, SourceVersions};
use crate::sweep::{CONTROL_HEADER, Marker, SWEEP_HEADER, SWEEPS_TAG, sweeps_tag};
use changelog::{Batch, ChangeLog, NewRecord, RecordRef};
use hashbrown::HashMap;
use hollow::Ordinal;
use hollow::record::ObjectRecord;
use hollow::write::{TypeId, WriteState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Dead letters are written out when this many wait, or this many bytes.
const DEAD_RECORDS: usize = 1000;
const DEAD_BYTES: usize = 8 << 20;
/// Records of a poll.
const POLL_RECORDS: usize = 10_000;

pub(super) struct Folder {
    pub(super) spec: Arc<DatasetSpec>,
    pub(super) log: Arc<dyn ChangeLog>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) readers: Vec<ChannelReader>,
    /// What is newer than the committed origins, by canonical key.
    pub(super) pending: HashMap<Box<[u8]>, Pending>,
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
    transcoder: Transcoder,
    pub(super) key: Key,
    /// Whether `key` is that of the record that is being folded.
    pub(super) has_key: bool,
    batch: Batch,
    origin_record: Option<ObjectRecord>,
}

/// News of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) origin: Origin,
    /// Which sweeps found the key; see [`Sweeps`].
    pub(super) stamp: u32,
}

/// The ids of the dataset's types in a write state.
pub(super) struct Types {
    /// By index in the model's schemas.
    model: Vec<TypeId>,
    pub(super) root: TypeId,
    fold: TypeId,
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

/// What a record came to.
pub(super) enum Folded {
    Control,
    Dropped(Decision),
    Applied { changed: bool, deleted: bool },
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
            pending: HashMap::new(),
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
            batch: Batch::new(),
        }
    }

    /// Reads on to the marks of all readers, or until `records_max` records are read, and folds what it reads. Sweeps that
    /// have ended by then delete what they did not find. Dead letters are durable when it returns. `progress` is told how many
    /// records were read and how many are left.
    pub(super) fn fold(
        &mut self,
        write: &mut WriteState,
        records_max: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        let types = Types::of(&self.spec, write)?;
        self.counts = RecordCounts::default();
        self.dead.clear();
        self.dead_bytes = 0;
        let mut batch = std::mem::take(&mut self.batch);
        let folded = self.fold_batches(&mut batch, write, &types, records_max, progress);
        self.batch = batch;
        self.tell_of_the_dead();
        folded?;
        self.flush_dead()
    }

    fn fold_batches(
        &mut self,
        batch: &mut Batch,
        write: &mut WriteState,
        types: &Types,
        records_max: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        loop {
            let Some(at) = self.readers.iter().position(|reader| reader.behind() > 0) else {
                if self.end_sweeps(write, types)? {
                    continue;
                }
                break;
            };
            if self.stop.load(Ordering::Acquire) {
                return Err(Error::Stopped);
            }
            if self.counts.read >= records_max && !self.is_below_high() {
                break;
            }
            let left = usize::try_from(records_max.saturating_sub(self.counts.read));
            let left = left.unwrap_or(usize::MAX).clamp(1, POLL_RECORDS);
            self.readers[at].poll(batch, left)?;
            let channel = self.readers[at].channel;
            for record in batch.records() {
                self.fold_record(&record, channel, write, types)?;
            }
            progress(self.counts.read, self.behind());
        }
        Ok(())
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
    fn is_below_high(&self) -> bool {
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
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> Result<()> {
        self.counts.read += 1;
        match self.try_record(record, channel, write, types) {
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

    /// Folds a record of `D.sweep` that nobody has read from there.
    pub(super) fn try_sweep_record(
        &mut self,
        record: &RecordRef<'_>,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<Folded, Fault<Error>> {
        self.try_record(record, Channel::Sweep, write, types)
    }

    /// The origin of a key.
    pub(super) fn origin_of(
        &self,
        canonical_key: &[u8],
        write: &WriteState,
        types: &Types,
    ) -> Option<Origin> {
        let pending = self.pending.get(canonical_key).map(|news| news.origin);
        pending.or_else(|| Some(committed_origin(write, types.fold, canonical_key)?.1))
    }

    fn try_record(
        &mut self,
        record: &RecordRef<'_>,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<Folded, Fault<Error>> {
        let stamp = match channel {
            Channel::Sweep => self.sweeps.on_record(record.partition),
            Channel::Changes => 0,
        };
        self.has_key = false;
        if self.is_marker(record, channel)? {
            return Ok(Folded::Control);
        }
        if let Err(fault) = self.parse_key(record) {
            if channel == Channel::Sweep && matches!(fault, Fault::Poison(_)) {
                self.sweeps.on_undecodable(record.partition);
            }
            return Err(fault);
        }
        let (stored, stamp) = self.stored(stamp, write, types);
        let (change, source_version) = self.change(record)?;
        let mut new = Origin {
            source_version,
            deleted: matches!(change, Change::Delete),
            channel,
            partition: record.partition,
            offset: record.offset,
            swept: None,
        };
        if source_version.is_none() && self.spec.source_versions == SourceVersions::Required {
            // A tombstone after Debezium's delete: it says nothing new, unless compaction has removed that. Its place in
            // the log tells its order only in the partition of what it would delete.
            match stored {
                None => return Ok(Folded::Dropped(Decision::Older)),
                Some(stored) if stored.deleted => return Ok(Folded::Dropped(Decision::Again)),
                Some(stored)
                    if (stored.channel, stored.partition) == (channel, record.partition) =>
                {
                    new.source_version = stored.source_version;
                }
                Some(_) => return Err(Poison::NoSourceVersion.into()),
            }
        }
        let mark = stored.filter(|stored| stored.swept.is_some() && channel == Channel::Sweep);
        let revives =
            mark.is_some_and(|mark| self.sweeps.began_after(record.header(SWEEP_HEADER), &mark));
        match (
            new.decide(stored.as_ref(), self.spec.source_versions, revives),
            stored,
        ) {
            (Decision::Apply, _) => {}
            (Decision::OtherPartition(partition), _) => {
                return Err(Poison::OtherPartition { partition }.into());
            }
            (Decision::Gone, Some(mark)) => {
                let mark = Origin {
                    swept: new.source_version,
                    ..mark
                };
                self.set_pending(mark, stamp);
                return Ok(Folded::Dropped(Decision::Gone));
            }
            (dropped, _) => return Ok(Folded::Dropped(dropped)),
        }
        let row = match change {
            Change::Delete => None,
            Change::Row(planned, row) => Some((planned, row)),
            Change::Wire(value) => {
                let (id, body) = split_wire(value).ok_or(Poison::NotWireFormat)?;
                Some((self.planned(id)?, body))
            }
        };
        let failed = |source| {
            Fault::Sink(Error::Write {
                dataset: self.spec.name.clone(),
                source,
            })
        };
        let changed = match row {
            None => {
                let key = self.key.values(self.spec.model.key());
                write.delete(types.root, &key).map_err(failed)?.is_some()
            }
            Some((planned, body)) => {
                let plan = planned.as_ref().as_ref().map_err(Clone::clone)?;
                let mut sink = WriteSink {
                    write,
                    types,
                    spec: &self.spec,
                };
                let root = self
                    .transcoder
                    .transcode(plan, &self.key, body, &mut sink)?;
                write.upsert(types.root, root).map_err(failed)?.changed
            }
        };
        self.set_pending(new, stamp);
        Ok(Folded::Applied {
            changed,
            deleted: new.deleted,
        })
    }

    /// Whether the record is a marker of a sweep, which is noted then.
    fn is_marker(
        &mut self,
        record: &RecordRef<'_>,
        channel: Channel,
    ) -> std::result::Result<bool, Poison> {
        let marker = Marker::parse(record);
        match (marker, channel) {
            (Ok(None), _) => Ok(false),
            (Ok(Some(marker)), Channel::Sweep) => {
                self.sweeps.on_marker(marker, record);
                Ok(true)
            }
            (Err(poison), Channel::Sweep) => {
                self.sweeps.on_undecodable(record.partition);
                Err(poison)
            }
            (_, Channel::Changes) => Err(Poison::Control {
                control: String::from_utf8_lossy(record.header(CONTROL_HEADER).unwrap_or_default())
                    .into_owned(),
                reason: format!(
                    "the markers of sweeps belong in topic {}",
                    self.spec.sweep_topic()
                ),
            }),
        }
    }

    /// The origin of the present key, and its stamp, which a record with `stamp` may raise.
    fn stored(&mut self, stamp: u32, write: &WriteState, types: &Types) -> (Option<Origin>, u32) {
        let key = self.key.canonical();
        if let Some(pending) = self.pending.get_mut(key) {
            pending.stamp = pending.stamp.max(stamp);
            return (Some(pending.origin), pending.stamp);
        }
        match committed_origin(write, types.fold, key) {
            Some((ordinal, origin)) => {
                if stamp > 0 {
                    self.sweeps.stamp_published(ordinal, stamp);
                }
                (Some(origin), self.sweeps.stamp_of(ordinal))
            }
            None => {
                if stamp > 0 {
                    self.sweeps.stamp_stranger(key, stamp);
                }
                (None, stamp)
            }
        }
    }

    /// The present key has news.
    fn set_pending(&mut self, origin: Origin, stamp: u32) {
        let key = self.key.canonical();
        let stamp = stamp.max(self.sweeps.take_stranger(key));
        let news = Pending { origin, stamp };
        match self.pending.get_mut(key) {
            Some(pending) => *pending = news,
            None => drop(self.pending.insert(key.into(), news)),
        }
    }

    /// Forgets the news, which are published now.
    pub(super) fn settle_pending(&mut self, write: &WriteState) -> Result<()> {
        if self.sweeps.is_any_open() {
            let types = Types::of(&self.spec, write)?;
            let ordinal = |key: &[u8]| Some(committed_origin(write, types.fold, key)?.0);
            let stamps = self.pending.iter();
            let stamps = stamps.filter_map(|(key, news)| Some((ordinal(key)?, news.stamp)));
            self.sweeps.publish(stamps);
        }
        self.pending.clear();
        Ok(())
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

    /// Writes the pending origins into the write state, in the order of their keys.
    pub(super) fn write_pending(&mut self, write: &mut WriteState) -> Result<()> {
        let types = Types::of(&self.spec, write)?;
        let Some(record) = &mut self.origin_record else {
            return Ok(());
        };
        let mut pending: Vec<_> = self.pending.iter().collect();
        pending.sort_unstable_by_key(|(key, _)| *key);
        for (key, news) in pending {
            write_origin(record, key, &news.origin);
            write
                .upsert(types.fold, record.bytes())
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

struct WriteSink<'a> {
    write: &'a mut WriteState,
    types: &'a Types,
    spec: &'a DatasetSpec,
}

impl RecordSink for WriteSink<'_> {
    type Error = Error;

    fn add(&mut self, type_index: usize, record: &[u8]) -> Result<Ordinal> {
        let ty = self.types.model[type_index];
        self.write.add(ty, record).map_err(|source| Error::Write {
            dataset: self.spec.name.clone(),
            source,
        })
    }
}
