//! Where the records of a blob come from: the staged bytes of a cycle or the pages of a state.

use super::shard::{Bucket, HashedShard, ListShard, ObjectShard, place};
use crate::Ordinal;
use crate::codec::hash::{bucket_count, hash_int};
use crate::read::TypeState;
use crate::record::Entries;
use crate::schema::SchemaKind;
use crate::write::WriteError;
use crate::write::staged::Staged;

/// The hash that places an element of a SET or the key of a MAP, for types with a hash key (format 8.3).
pub(crate) type HashKey<'a> = &'a (dyn Fn(Ordinal) -> Result<i32, WriteError> + Sync);

/// A source of records by ordinal.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// New records of the sealed cycle, of which some may be dropped. Without a hash key elements are placed by
    /// ordinal.
    Staged {
        staged: &'a Staged,
        live: &'a [bool],
        hash_key: Option<HashKey<'a>>,
    },
    /// Records of a state, whose buckets are placed already.
    State(&'a TypeState),
}

impl<'a> Rows<'a> {
    /// Appends the record with this ordinal to an OBJECT shard, an empty place if there is none.
    pub(super) fn object(&self, ordinal: Ordinal, shard: &mut ObjectShard<'_>) {
        match self {
            Rows::State(state) => match state.object(ordinal) {
                Some(view) => shard.push_view(&view),
                None => shard.push_empty(),
            },
            Rows::Staged { .. } => match self.staged(ordinal) {
                Some(record) => shard.push(record),
                None => shard.push_empty(),
            },
        }
    }

    /// Appends the record with this ordinal to a LIST shard, an empty place if there is none.
    pub(super) fn list(&self, ordinal: Ordinal, shard: &mut ListShard) {
        match self {
            Rows::State(state) => match state.list(ordinal) {
                Some(view) => shard.push(view.iter()),
                None => shard.push_empty(),
            },
            Rows::Staged { .. } => match self.staged(ordinal) {
                Some(record) => shard.push(Entries::list(record).map(|(element, _)| element)),
                None => shard.push_empty(),
            },
        }
    }

    /// Appends the record with this ordinal to a SET or MAP shard, an empty place if there is none.
    pub(super) fn hashed(
        &self,
        kind: SchemaKind,
        ordinal: Ordinal,
        shard: &mut HashedShard,
        scratch: &mut Scratch,
    ) -> Result<(), WriteError> {
        match self {
            Rows::State(state) => {
                if let Some(set) = state.set(ordinal) {
                    if !shard.push_set(&set) {
                        let placed = set.buckets().map(|(at, element)| (at, (element, 0)));
                        shard.push_placed(set.len() as u32, placed);
                    }
                } else if let Some(map) = state.map(ordinal) {
                    shard.push_placed(
                        map.len() as u32,
                        map.buckets().map(|(at, key, value)| (at, (key, value))),
                    );
                } else {
                    shard.push_empty();
                }
            }
            Rows::Staged { hash_key, .. } => {
                let Some(record) = self.staged(ordinal) else {
                    shard.push_empty();
                    return Ok(());
                };
                let entries = if kind == SchemaKind::Map {
                    Entries::map(record)
                } else {
                    Entries::set(record)
                };
                let size = entries.size();
                let count = bucket_count(size).unwrap_or(1) as usize;
                scratch.hashes.clear();
                if let Some(hash_key) = hash_key {
                    for (key, _) in entries.clone() {
                        scratch.hashes.push(hash_key(key)? as u32);
                    }
                } else {
                    scratch
                        .hashes
                        .extend(entries.clone().map(|(key, _)| hash_int(key as i32) as u32));
                }
                let hashes = scratch.hashes.iter().copied();
                if kind == SchemaKind::Map {
                    scratch.buckets.resize(count, None);
                    place(&mut scratch.buckets, None, entries.map(Some).zip(hashes));
                    shard.push(size, scratch.buckets.iter().copied());
                } else {
                    scratch.keys.resize(count, FREE);
                    let keys = entries.map(|(key, _)| key);
                    place(&mut scratch.keys, FREE, keys.zip(hashes));
                    shard.push_keys(size, &scratch.keys);
                }
            }
        }
        Ok(())
    }

    /// The staged record of this ordinal that is part of the sealed state.
    fn staged(&self, ordinal: Ordinal) -> Option<&'a [u8]> {
        let Rows::Staged { staged, live, .. } = self else {
            return None;
        };
        let index = staged.index_of(ordinal).filter(|&index| live[index])?;
        Some(staged.record(index))
    }
}

/// A free bucket of a SET; beyond every ordinal.
const FREE: Ordinal = Ordinal::MAX;

/// Buffers that are reused from record to record.
#[derive(Default)]
pub(super) struct Scratch {
    /// Of a SET.
    keys: Vec<Ordinal>,
    /// Of a MAP.
    buckets: Vec<Bucket>,
    hashes: Vec<u32>,
}
