//! The log in a directory, on RocksDB: for one process, and for those that reach it over its socket.
//!
//! It behaves as Kafka does, down to offset gaps and tombstone retention, so that nothing above can come to rely on what
//! only a simple log would do. A call of `append` is one write batch, synced before it returns: all of it is there after
//! a crash, or nothing.

mod compaction;
mod consumer;
mod store;
mod topic;

pub(crate) use consumer::first_of_next_poll;

use crate::batch::{check_size, encode};
use crate::error::{Refusal, Result};
use crate::types::{NewRecord, Position, TopicId, TopicInfo, TopicSpec};
use crate::{ChangeLog, Consumer, partition_for_key};
use consumer::EmbeddedConsumer;
use rocksdb::WriteBatch;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{PartitionMeta, Store, TopicMeta};
use topic::{Topic, TopicState};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// How an embedded log runs.
#[derive(Clone)]
pub struct EmbeddedOptions {
    /// Gives the time in milliseconds since 1970 UTC; it decides when tombstones may go, and nothing else.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// A partition of a compacted topic is compacted when this many records arrived since the last time, and at least
    /// as many as were left then. `u64::MAX` leaves it to [`EmbeddedLog::compact`].
    pub dirty_records_min: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        let clock = || {
            let since_1970 = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
        };
        Self {
            clock: Arc::new(clock),
            dirty_records_min: 50_000,
        }
    }
}

/// A log in a directory; see the crate's documentation.
pub struct EmbeddedLog {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Store,
    options: EmbeddedOptions,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// Held while topics are created, deleted or widened.
    changes: Mutex<()>,
}

impl EmbeddedLog {
    /// Opens the log in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) where the directory is in use by another process or can't be read,
    /// [`Error::Corrupt`](crate::Error::Corrupt) where its content is not a log.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with(dir, EmbeddedOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_with(dir: &Path, options: EmbeddedOptions) -> Result<Self> {
        let store = Store::open(dir)?;
        let mut topics = BTreeMap::new();
        for meta in store.topics()? {
            let slot = |partition| store::Slot {
                number: meta.number,
                partition,
            };
            let partitions: Result<_> = (0..meta.spec.partitions)
                .map(|p| store.partition(slot(p)))
                .collect();
            topics.insert(
                meta.spec.name.clone(),
                Arc::new(Topic::new(meta, partitions?)),
            );
        }
        let inner = Inner {
            store,
            options,
            topics: RwLock::new(topics),
            changes: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Compacts a topic now, whatever has arrived; topics that are not compacted stay as they are.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`], and those of storage.
    pub fn compact(&self, topic: &str) -> Result<()> {
        let topic = self.inner.find(topic)?;
        let _exclusive = topic.exclusive();
        let (compacted, partitions) = {
            let state = topic.state();
            (
                state.meta.spec.compacted && !state.deleted,
                state.meta.spec.partitions,
            )
        };
        for partition in (0..partitions).take_while(|_| compacted) {
            compaction::compact(
                &self.inner.store,
                &topic,
                partition,
                (self.inner.options.clock)(),
            )?;
        }
        Ok(())
    }
}

impl Inner {
    fn lookup(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn find(&self, name: &str) -> Result<Arc<Topic>> {
        Ok(self.lookup(name).ok_or_else(|| Refusal::UnknownTopic {
            topic: name.to_owned(),
        })?)
    }

    /// What became of a topic that is not the one it was.
    fn gone(&self, info: &TopicInfo) -> Refusal {
        let topic = info.name.clone();
        match self.lookup(&topic).map(|found| found.state().meta.id) {
            Some(found) => Refusal::TopicRecreated {
                topic,
                expected: info.id,
                found,
            },
            None => Refusal::UnknownTopic { topic },
        }
    }

    fn alive(&self, topic: &Topic) -> Result<TopicState> {
        let state = topic.state().clone();
        if state.deleted {
            return Err(self.gone(&state.info()).into());
        }
        Ok(state)
    }

    fn insert(&self, name: &str, topic: Option<Arc<Topic>>) {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        match topic {
            Some(topic) => topics.insert(name.to_owned(), topic),
            None => topics.remove(name),
        };
    }

    fn append(&self, name: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        let topic = self.find(name)?;
        let _exclusive = topic.exclusive();
        let mut state = self.alive(&topic)?;
        let mut written = Vec::with_capacity(records.len());
        let mut batch = WriteBatch::default();
        let mut encoded = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let partition = choose_partition(&mut state, index, record)?;
            let slot = state.slot(partition);
            let offset = state.partition(partition)?.end;
            encoded.clear();
            encode(record, &mut encoded)?;
            self.store.put_record(&mut batch, slot, offset, &encoded)?;
            state.partitions[partition as usize].end += 1;
            written.push(Position { partition, offset });
        }
        if written.is_empty() {
            return Ok(written);
        }
        let mut touched: Vec<u32> = written.iter().map(|position| position.partition).collect();
        touched.sort_unstable();
        touched.dedup();
        for &partition in &touched {
            self.store.put_partition(
                &mut batch,
                state.slot(partition),
                &state.partition(partition)?,
            )?;
        }
        self.store.write(batch, true)?;
        topic.publish(|published| {
            published.partitions.clone_from(&state.partitions);
            published.next_keyless = state.next_keyless;
        });
        let due = |p: u32| {
            compaction::is_due(
                &state.partitions[p as usize],
                self.options.dirty_records_min,
            )
        };
        if state.meta.spec.compacted {
            for partition in touched.into_iter().filter(|&p| due(p)) {
                if let Err(error) =
                    compaction::compact(&self.store, &topic, partition, (self.options.clock)())
                {
                    // The records are durable; that old ones could not be removed is no failure of the append.
                    tracing::warn!(%error, topic = name, partition, "compact");
                }
            }
        }
        Ok(written)
    }
}

fn choose_partition(state: &mut TopicState, index: usize, record: &NewRecord) -> Result<u32> {
    let TopicSpec {
        name,
        partitions,
        compacted,
        ..
    } = &state.meta.spec;
    if *compacted && record.key.is_none() {
        return Err(Refusal::KeyRequired {
            topic: name.clone(),
            index,
        }
        .into());
    }
    check_size(name, index, record)?;
    match (record.partition, &record.key) {
        (Some(partition), _) => state.partition(partition).map(|_| partition),
        (None, Some(key)) => Ok(partition_for_key(key, *partitions)),
        (None, None) => {
            let partition = state.next_keyless % partitions;
            state.next_keyless = (partition + 1) % partitions;
            Ok(partition)
        }
    }
}

impl ChangeLog for EmbeddedLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        spec.check()?;
        let inner = &self.inner;
        let _changes = inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.lookup(&spec.name).is_some() {
            return Err(Refusal::TopicExists {
                topic: spec.name.clone(),
            }
            .into());
        }
        let mut batch = WriteBatch::default();
        let (number, incarnation) = inner.store.next_topic(&mut batch, &spec.name)?;
        // From name and incarnation, so that equal runs have equal ids.
        let id = TopicId(xxh3_128_with_seed(spec.name.as_bytes(), incarnation).to_be_bytes());
        let meta = TopicMeta {
            number,
            id,
            spec: spec.clone(),
        };
        inner.store.put_topic(&mut batch, &meta)?;
        inner.store.write(batch, true)?;
        let info = meta.info();
        let partitions = vec![PartitionMeta::default(); spec.partitions as usize];
        inner.insert(&spec.name, Some(Arc::new(Topic::new(meta, partitions))));
        Ok(info)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        Ok(self.inner.lookup(name).map(|topic| topic.state().info()))
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        let topics = self
            .inner
            .topics
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(topics.values().map(|topic| topic.state().info()).collect())
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        let inner = &self.inner;
        let _changes = inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = inner.find(name)?;
        let _exclusive = topic.exclusive();
        let mut batch = WriteBatch::default();
        inner.store.delete_topic(&mut batch, &topic.state().meta)?;
        inner.insert(name, None);
        topic.publish(|state| state.deleted = true);
        inner.store.write(batch, true)
    }

    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo> {
        let inner = &self.inner;
        let _changes = inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = inner.find(name)?;
        let _exclusive = topic.exclusive();
        let mut meta = topic.state().meta.clone();
        if partitions <= meta.spec.partitions {
            let reason = format!(
                "it has {} partitions already, and their number can only grow",
                meta.spec.partitions
            );
            return Err(Refusal::InvalidTopic {
                topic: name.to_owned(),
                reason,
            }
            .into());
        }
        meta.spec.partitions = partitions;
        meta.spec.check()?;
        let mut batch = WriteBatch::default();
        inner.store.put_topic(&mut batch, &meta)?;
        inner.store.write(batch, true)?;
        let info = meta.info();
        topic.publish(|state| {
            state.meta = meta;
            state
                .partitions
                .resize(partitions as usize, PartitionMeta::default());
        });
        Ok(info)
    }

    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        Ok(self
            .inner
            .find(topic)?
            .state()
            .partitions
            .iter()
            .map(|p| p.begin)
            .collect())
    }

    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        Ok(self
            .inner
            .find(topic)?
            .state()
            .partitions
            .iter()
            .map(|p| p.end)
            .collect())
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        self.inner.append(topic, records)
    }

    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>> {
        let topic = self.inner.find(topic)?;
        let state = self.inner.alive(&topic)?;
        start
            .iter()
            .try_for_each(|&position| state.check(position))?;
        let log = Arc::clone(&self.inner);
        Ok(Box::new(EmbeddedConsumer {
            log,
            topic,
            info: state.info(),
            positions: start.to_vec(),
            first: 0,
        }))
    }

    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()> {
        let topic = self.inner.find(topic)?;
        let _exclusive = topic.exclusive();
        let mut state = self.inner.alive(&topic)?;
        let mut batch = WriteBatch::default();
        for position in before {
            let PartitionMeta {
                begin, end, clean, ..
            } = state.partition(position.partition)?;
            if position.offset > end {
                state.check(*position)?;
            }
            if position.offset > begin {
                let slot = state.slot(position.partition);
                let meta = &mut state.partitions[position.partition as usize];
                meta.begin = position.offset;
                meta.clean = clean.max(position.offset);
                self.inner.store.put_partition(&mut batch, slot, meta)?;
                self.inner
                    .store
                    .delete_records_below(&mut batch, slot, position.offset)?;
            }
        }
        // Published first: a reader that finds the gap then finds the reason as well.
        topic.publish(|published| published.partitions.clone_from(&state.partitions));
        self.inner.store.write(batch, true)
    }
}
