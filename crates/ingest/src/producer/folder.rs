//! The fold itself: what a cycle reads, into the write state.

use super::plans::{Planned, Plans};
use super::reader::ChannelReader;
use crate::avro::{Fault, RecordSink, Transcoder};
use crate::dead::{SOURCE_VERSION_HEADER, dead_letter};
use crate::error::{Error, Result};
use crate::fold::{
    Channel, Decision, FOLD_TYPE, Origin, committed_origin, fold_schema, write_origin,
};
use crate::key::Key;
use crate::poison::Poison;
use crate::position::tag_of;
use crate::progress::RecordCounts;
use crate::schemas::split_wire;
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::{Batch, ChangeLog, NewRecord, RecordRef};
use hashbrown::HashMap;
use hollow::Ordinal;
use hollow::record::ObjectRecord;
use hollow::write::{TypeId, WriteState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The header of markers in the log, which are no records of a key.
const CONTROL_HEADER: &str = "gl-control";
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
    /// Origins that are newer than the committed ones, by canonical key.
    pub(super) pending: HashMap<Box<[u8]>, Origin>,
    /// Of the cycle that is being folded.
    pub(super) counts: RecordCounts,
    plans: Plans,
    last_plan: Option<(u32, Arc<Planned>)>,
    dead: Vec<NewRecord>,
    dead_bytes: usize,
    transcoder: Transcoder,
    key: Key,
    batch: Batch,
    origin_record: Option<ObjectRecord>,
}

/// The ids of the dataset's types in a write state.
pub(super) struct Types {
    /// By index in the model's schemas.
    model: Vec<TypeId>,
    root: TypeId,
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
enum Folded {
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
            counts: RecordCounts::default(),
            last_plan: None,
            dead: Vec::new(),
            dead_bytes: 0,
            transcoder: Transcoder::new(),
            key: Key::default(),
            batch: Batch::new(),
        }
    }

    /// Reads on to the marks of all readers, or until `records_max` records are read, and folds what it reads. Dead letters
    /// are durable when it returns. `progress` is told how many records were read and how many are left.
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
        while let Some(at) = self.readers.iter().position(|reader| reader.behind() > 0) {
            if self.stop.load(Ordering::Acquire) {
                return Err(Error::Stopped);
            }
            if self.counts.read >= records_max {
                break;
            }
            let left = usize::try_from(records_max - self.counts.read).unwrap_or(usize::MAX);
            self.readers[at].poll(batch, left.min(POLL_RECORDS))?;
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
                tracing::warn!(
                    dataset = %self.spec.name, topic, partition = record.partition, offset = record.offset, reason = %poison,
                    "a record becomes a dead letter"
                );
                let letter = dead_letter(&topic, record, &poison);
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

    fn try_record(
        &mut self,
        record: &RecordRef<'_>,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<Folded, Fault<Error>> {
        if record.header(CONTROL_HEADER).is_some() {
            return Ok(Folded::Control);
        }
        self.spec
            .model
            .key()
            .parse_into(record.key.ok_or(Poison::NoKey)?, &mut self.key)?;
        let new = Origin {
            source_version: self.source_version(record)?,
            deleted: record.value.is_none(),
            channel,
            partition: record.partition,
            offset: record.offset,
        };
        let stored = match self.pending.get(self.key.canonical()) {
            Some(origin) => Some(*origin),
            None => committed_origin(write, types.fold, self.key.canonical()),
        };
        match new.decide(stored.as_ref(), self.spec.source_versions) {
            Decision::Apply => {}
            Decision::OtherPartition(partition) => {
                return Err(Poison::OtherPartition { partition }.into());
            }
            dropped => return Ok(Folded::Dropped(dropped)),
        }
        let failed = |source| {
            Fault::Sink(Error::Write {
                dataset: self.spec.name.clone(),
                source,
            })
        };
        let changed = match record.value {
            None => {
                let key = self.key.values(self.spec.model.key());
                write.delete(types.root, &key).map_err(failed)?.is_some()
            }
            Some(value) => {
                let (id, body) = split_wire(value).ok_or(Poison::NotWireFormat)?;
                let planned = match &self.last_plan {
                    Some((known, planned)) if *known == id => Arc::clone(planned),
                    _ => {
                        let planned = self.plans.get(id).map_err(Fault::Sink)?;
                        if !matches!(*planned, Err(Poison::UnknownSchema { .. })) {
                            self.last_plan = Some((id, Arc::clone(&planned)));
                        }
                        planned
                    }
                };
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
        match self.pending.get_mut(self.key.canonical()) {
            Some(pending) => *pending = new,
            None => drop(self.pending.insert(self.key.canonical().into(), new)),
        }
        Ok(Folded::Applied {
            changed,
            deleted: new.deleted,
        })
    }

    fn source_version(&self, record: &RecordRef<'_>) -> std::result::Result<Option<i64>, Poison> {
        if self.spec.source_versions == SourceVersions::None {
            return Ok(None);
        }
        let bytes = record
            .header(SOURCE_VERSION_HEADER)
            .ok_or(Poison::NoSourceVersion)?;
        let text = std::str::from_utf8(bytes).ok();
        let number = text
            .filter(|text| !text.starts_with('+'))
            .and_then(|text| text.parse().ok());
        match number.filter(|&number: &i64| number >= 0) {
            Some(number) => Ok(Some(number)),
            None => Err(Poison::SourceVersion {
                value: String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned(),
            }),
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
        for (key, origin) in pending {
            write_origin(record, key, origin);
            write
                .upsert(types.fold, record.bytes())
                .map_err(|source| Error::Write {
                    dataset: self.spec.name.clone(),
                    source,
                })?;
        }
        Ok(())
    }

    /// The position as header tags.
    pub(super) fn position_tags(&self) -> BTreeMap<String, String> {
        let tag = |reader: &ChannelReader| {
            (
                tag_of(reader.channel).to_owned(),
                reader.position().to_text(),
            )
        };
        self.readers.iter().map(tag).collect()
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
