//! The bytes on disk. One RocksDB with three column families:
//!
//! * `default` (small, read whole at start): `f` → format number; `n` → next topic number u32; `i/NAME` → how often a
//!   topic of that name was created, u64; `t/NAME` → [`TopicMeta`]; `p/` number partition → [`PartitionMeta`].
//! * `records`: number u32, partition u32, offset u64 → the record, in the encoding of `batch.rs`.
//! * `horizons`: the same key → when a tombstone may go, i64 ms.
//!
//! Integers in keys are big-endian, so that RocksDB's order is the log's. Topics go by a number of their own, so that
//! deleting one is a range delete and a new one of the same name never meets its remains.

use crate::error::{Error, Result};
use crate::types::{TopicId, TopicInfo, TopicSpec};
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRawIterator, IteratorMode,
    Options, ReadOptions, WriteBatch, WriteOptions,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

const RECORDS: &str = "records";
const HORIZONS: &str = "horizons";
const FORMAT: u32 = 1;

/// What is stored of a topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TopicMeta {
    pub(super) number: u32,
    pub(super) id: TopicId,
    pub(super) spec: TopicSpec,
}

impl TopicMeta {
    pub(super) fn info(&self) -> TopicInfo {
        TopicInfo {
            id: self.id,
            name: self.spec.name.clone(),
            partitions: self.spec.partitions,
            compacted: self.spec.compacted,
            delete_retention_ms: self.spec.delete_retention_ms,
        }
    }
}

/// What is stored of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartitionMeta {
    /// The first offset that can be asked for.
    pub(super) begin: i64,
    /// The offset that the next record gets.
    pub(super) end: i64,
    /// Compaction has seen all below this offset.
    pub(super) clean: i64,
    /// How many records are left below `clean`.
    pub(super) live: u64,
}

pub(super) struct Store {
    db: DB,
    dir: PathBuf,
}

/// Where a record lies.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) number: u32,
    pub(super) partition: u32,
}

impl Slot {
    pub(super) fn key(self, offset: i64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&self.number.to_be_bytes());
        key[4..8].copy_from_slice(&self.partition.to_be_bytes());
        key[8..].copy_from_slice(&offset.to_be_bytes());
        key
    }

    fn meta_key(self) -> Vec<u8> {
        [
            b"p/",
            &self.number.to_be_bytes()[..],
            &self.partition.to_be_bytes(),
        ]
        .concat()
    }
}

/// The offset in a record's key.
pub(super) fn offset_of(key: &[u8]) -> i64 {
    let mut offset = [0; 8];
    offset.copy_from_slice(&key[8..16]);
    i64::from_be_bytes(offset)
}

impl Store {
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_total_wal_size(256 << 20);
        options.set_keep_log_file_num(2);
        options.set_log_level(rocksdb::LogLevel::Warn);
        let mut records = Options::default();
        records.set_compression_type(DBCompressionType::Lz4);
        records.set_bottommost_compression_type(DBCompressionType::Zstd);
        records.set_write_buffer_size(32 << 20);
        let families = [
            ColumnFamilyDescriptor::new("default", Options::default()),
            ColumnFamilyDescriptor::new(RECORDS, records),
            ColumnFamilyDescriptor::new(HORIZONS, Options::default()),
        ];
        std::fs::create_dir_all(dir).map_err(|source| Error::Io {
            action: "create the log's directory",
            path: dir.to_owned(),
            source,
        })?;
        let db =
            DB::open_cf_descriptors(&options, dir, families).map_err(|source| Error::Storage {
                action: "open",
                dir: dir.to_owned(),
                source,
            })?;
        let store = Self {
            db,
            dir: dir.to_owned(),
        };
        match store.get::<u32>(b"f")? {
            Some(FORMAT) => {}
            None => {
                let mut batch = WriteBatch::default();
                store.put(&mut batch, b"f", &FORMAT)?;
                store.write(batch, true)?;
            }
            Some(other) => {
                return Err(store.corrupt(format!(
                    "its format is {other}; this program reads {FORMAT}"
                )));
            }
        }
        Ok(store)
    }

    pub(super) fn corrupt(&self, detail: impl Into<String>) -> Error {
        Error::Corrupt {
            what: format!("the log in {}", self.dir.display()),
            detail: detail.into(),
        }
    }

    fn storage(&self, action: &'static str) -> impl FnOnce(rocksdb::Error) -> Error {
        let dir = self.dir.clone();
        move |source| Error::Storage {
            action,
            dir,
            source,
        }
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| self.corrupt(format!("column family {name} is missing")))
    }

    fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        let bytes = self.db.get_pinned(key).map_err(self.storage("read"))?;
        bytes.map(|bytes| self.parse(&bytes)).transpose()
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        rmp_serde::from_slice(bytes).map_err(|error| self.corrupt(error.to_string()))
    }

    fn put<T: Serialize>(&self, batch: &mut WriteBatch, key: &[u8], value: &T) -> Result<()> {
        batch.put(
            key,
            rmp_serde::to_vec(value).map_err(|error| self.corrupt(error.to_string()))?,
        );
        Ok(())
    }

    /// Writes a batch as one; with `sync` it is on the disk when this returns.
    pub(super) fn write(&self, batch: WriteBatch, sync: bool) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db
            .write_opt(batch, &options)
            .map_err(self.storage("append to"))
    }

    pub(super) fn topics(&self) -> Result<Vec<TopicMeta>> {
        let mut topics = Vec::new();
        for entry in self
            .db
            .iterator(IteratorMode::From(b"t/", rocksdb::Direction::Forward))
        {
            let (key, value) = entry.map_err(self.storage("read"))?;
            if !key.starts_with(b"t/") {
                break;
            }
            topics.push(self.parse(&value)?);
        }
        Ok(topics)
    }

    pub(super) fn partition(&self, slot: Slot) -> Result<PartitionMeta> {
        Ok(self.get(&slot.meta_key())?.unwrap_or_default())
    }

    pub(super) fn put_partition(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        meta: &PartitionMeta,
    ) -> Result<()> {
        self.put(batch, &slot.meta_key(), meta)
    }

    /// The number and incarnation for a topic to be created, and the batch entries that use them up.
    pub(super) fn next_topic(&self, batch: &mut WriteBatch, name: &str) -> Result<(u32, u64)> {
        let number: u32 = self.get(b"n")?.unwrap_or(0);
        let incarnation_key = [b"i/", name.as_bytes()].concat();
        let incarnation: u64 = self.get(&incarnation_key)?.unwrap_or(0);
        self.put(batch, b"n", &(number + 1))?;
        self.put(batch, &incarnation_key, &(incarnation + 1))?;
        Ok((number, incarnation))
    }

    pub(super) fn put_topic(&self, batch: &mut WriteBatch, meta: &TopicMeta) -> Result<()> {
        self.put(batch, &[b"t/", meta.spec.name.as_bytes()].concat(), meta)
    }

    /// Removes all that is stored of a topic, except how often it was created.
    pub(super) fn delete_topic(&self, batch: &mut WriteBatch, meta: &TopicMeta) -> Result<()> {
        batch.delete([b"t/", meta.spec.name.as_bytes()].concat());
        let first = Slot {
            number: meta.number,
            partition: 0,
        };
        for partition in 0..meta.spec.partitions {
            batch.delete(Slot { partition, ..first }.meta_key());
        }
        let end = Slot {
            number: meta.number + 1,
            partition: 0,
        };
        batch.delete_range_cf(self.family(RECORDS)?, first.key(0), end.key(0));
        batch.delete_range_cf(self.family(HORIZONS)?, first.key(0), end.key(0));
        Ok(())
    }

    pub(super) fn put_record(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        offset: i64,
        encoded: &[u8],
    ) -> Result<()> {
        batch.put_cf(self.family(RECORDS)?, slot.key(offset), encoded);
        Ok(())
    }

    pub(super) fn delete_record(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        offset: i64,
    ) -> Result<()> {
        batch.delete_cf(self.family(RECORDS)?, slot.key(offset));
        Ok(())
    }

    pub(super) fn delete_records_below(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        offset: i64,
    ) -> Result<()> {
        batch.delete_range_cf(self.family(RECORDS)?, slot.key(0), slot.key(offset));
        batch.delete_range_cf(self.family(HORIZONS)?, slot.key(0), slot.key(offset));
        Ok(())
    }

    pub(super) fn horizon(&self, slot: Slot, offset: i64) -> Result<Option<i64>> {
        let bytes = self
            .db
            .get_cf(self.family(HORIZONS)?, slot.key(offset))
            .map_err(self.storage("read"))?;
        bytes.map(|bytes| self.parse(&bytes)).transpose()
    }

    pub(super) fn put_horizon(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        offset: i64,
        at_ms: i64,
    ) -> Result<()> {
        let value = rmp_serde::to_vec(&at_ms).map_err(|error| self.corrupt(error.to_string()))?;
        batch.put_cf(self.family(HORIZONS)?, slot.key(offset), value);
        Ok(())
    }

    pub(super) fn delete_horizon(
        &self,
        batch: &mut WriteBatch,
        slot: Slot,
        offset: i64,
    ) -> Result<()> {
        batch.delete_cf(self.family(HORIZONS)?, slot.key(offset));
        Ok(())
    }

    /// Hands the records of `from..to`, in order, to `each` until it says stop (`false`).
    pub(super) fn scan(
        &self,
        slot: Slot,
        from: i64,
        to: i64,
        mut each: impl FnMut(i64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(slot.key(to).to_vec());
        let mut iterator: DBRawIterator<'_> =
            self.db.raw_iterator_cf_opt(self.family(RECORDS)?, options);
        iterator.seek(slot.key(from));
        while let Some((key, value)) = iterator.item() {
            if key.len() != 16 {
                return Err(self.corrupt("a record's key has a wrong length"));
            }
            if !each(offset_of(key), value)? {
                return Ok(());
            }
            iterator.next();
        }
        iterator.status().map_err(self.storage("read"))
    }
}
