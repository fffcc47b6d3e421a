//! One type of a write state: its table, its ordinals, what is staged, and the counters over its live records.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::compare::{self, Scratch};
use super::layout::{self, MAX_SHARDS, TypeLayout};
use super::links::{Links, Path};
use super::marks::{Mark, Marks, OrdinalSet};
use super::options::WriteOptions;
use super::ordinals::OrdinalAllocator;
use super::parallel::is_worthwhile;
use super::shared::Shared;
use super::staged::{OrdinalRecords, Staged};
use super::stats::TypeStats;
use super::table::{OrdinalTable, hash_bytes};
use super::{WriteError, blob};
use crate::codec::hash::murmur3;
use crate::read::{PAGE_ROWS, TypeState};
use crate::record::{Reader, validate};
use crate::schema::Schema;
use crate::{Ordinal, Result};

/// One type of a write state.
#[derive(Debug)]
pub(super) struct TypeWriter {
    pub(super) schema: Arc<Schema>,
    pub(super) part: Option<String>,
    pub(super) links: Links,
    /// Paths of the primary key.
    pub(super) key: Option<Vec<Path>>,
    /// Paths of a SET's or MAP's hash key with the type position that they start from; `None` too where the data set
    /// lacks a type on the way, so that elements are placed by ordinal.
    pub(super) hash_key: Option<(usize, Vec<Path>)>,
    /// Content → ordinal, of the committed state's records and the staged ones.
    pub(super) table: OrdinalTable,
    /// Some of the records in `table` that others share.
    pub(super) shared: Shared,
    /// Primary key → ordinal, likewise.
    pub(super) keys: OrdinalTable,
    pub(super) ordinals: OrdinalAllocator,
    /// Over the committed state's records; between seal and commit over live ones.
    pub(super) stats: TypeStats,
    /// Shard count of the committed state, or the pinned one before there is any.
    pub(super) shard_count: Option<u32>,
    /// The committed records.
    pub(super) state: Option<TypeState>,
    /// Their ordinals once more: a line of memory says of hundreds whether there is a record, where the state has a page for
    /// each 64.
    pub(super) committed: OrdinalSet,
    pub(super) cycle: TypeCycle,
}

/// What the open cycle did to a type.
#[derive(Debug, Default)]
pub(super) struct TypeCycle {
    pub(super) staged: Staged,
    /// Hash of the primary key of each staged record, in order of adding.
    pub(super) staged_keys: Vec<u32>,
    /// Whether records with a primary key were added and not upserted.
    pub(super) has_strangers: bool,
    /// In a total cycle: a bit for each committed record that was added again.
    pub(super) seen: Vec<AtomicU64>,
    /// In an incremental cycle: what was upserted or deleted.
    pub(super) marks: Marks,
    /// Committed ordinals in the order in which they were marked as deleted, repeats possible.
    pub(super) deleted: Vec<Ordinal>,
    /// For each staged record whether it is part of the sealed state.
    pub(super) live: Vec<bool>,
    /// Indexes into `staged` of the records that are part of the sealed state, ascending by ordinal.
    pub(super) added: Vec<u32>,
    pub(super) removed: OrdinalRecords,
    /// Hash of the primary key of each removed record.
    pub(super) removed_keys: Vec<u32>,
    pub(super) layout: Option<TypeLayout>,
    /// Whether `stats` has the added records in.
    pub(super) counted: bool,
}

impl TypeWriter {
    /// The record of this ordinal, staged or committed; `scratch` holds it where it must be unpacked.
    #[inline]
    pub(super) fn record<'a>(
        &'a self,
        ordinal: Ordinal,
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        if let Some(record) = self.cycle.staged.get(ordinal) {
            return Some(record);
        }
        let state = self.state.as_ref()?;
        if !state.is_populated(ordinal) {
            return None;
        }
        scratch.clear();
        state.serialize(ordinal, scratch);
        Some(scratch)
    }

    /// The ordinal of a record with this content.
    #[inline]
    pub(super) fn lookup(
        &self,
        hash: u32,
        record: &[u8],
        scratch: &mut Scratch,
    ) -> Option<Ordinal> {
        self.table
            .find(hash, |ordinal| self.holds(ordinal, record, scratch))
    }

    /// Something of what [`holds`](Self::holds) will look at: who asks for several rows before looking at any waits for all of
    /// them at once.
    #[inline]
    pub(super) fn touch(&self, ordinal: Ordinal) -> u64 {
        let staged = self.cycle.staged.index_of(ordinal).is_some();
        let page = self.state.as_ref().and_then(|it| it.page_of(ordinal));
        page.map_or(0, |page| page.first_word(ordinal % PAGE_ROWS)) ^ u64::from(staged)
    }

    /// Whether the record of this ordinal, staged or committed, has this content.
    #[inline]
    pub(super) fn holds(&self, ordinal: Ordinal, record: &[u8], scratch: &mut Scratch) -> bool {
        match (self.cycle.staged.get(ordinal), &self.state) {
            (Some(staged), _) => staged == record,
            (None, Some(state)) => {
                compare::holds(state, self.links.field_types(), ordinal, record, scratch)
            }
            (None, None) => false,
        }
    }

    /// Whether the record of this ordinal has this key, looked up field by field where it is; `None` where paths of the key
    /// lead to other records.
    #[inline]
    pub(super) fn has_local_key(
        &self,
        paths: &[Path],
        ordinal: Ordinal,
        key: &[u8],
    ) -> Option<bool> {
        if !paths.iter().all(|path| path.local_field().is_some()) {
            return None;
        }
        let staged = self.cycle.staged.get(ordinal);
        let view = match (staged, &self.state) {
            (None, Some(state)) => Some(state.object(ordinal)?),
            _ => None,
        };
        let mut key = Reader::new(key);
        Some(paths.iter().all(|path| {
            let (Some(field), Some(value)) = (path.local_field(), key.field(path.field_type()))
            else {
                return false;
            };
            match (staged, &view) {
                (Some(record), _) => self.links.field(record, field) == value,
                (None, Some(view)) => compare::is_stored(value, view.raw(field)),
                (None, None) => false,
            }
        }))
    }

    /// Whether a record is one to remember: comparing it with its row is slow.
    #[inline]
    pub(super) fn is_shared(&self, record: &[u8]) -> bool {
        record.len() > 8 && matches!(*self.schema, Schema::Set(_) | Schema::Map(_))
    }

    /// Takes a record in that is in neither the committed state nor the cycle.
    pub(super) fn stage(&mut self, hash: u32, record: &[u8]) -> Result<Ordinal, WriteError> {
        validate(&self.schema, record)?;
        self.stage_valid(hash, record)
    }

    /// The same of a record that is known to be one of the type.
    pub(super) fn stage_valid(&mut self, hash: u32, record: &[u8]) -> Result<Ordinal, WriteError> {
        let ordinal = self.take_ordinal(|| murmur3(record) as u32)?;
        self.table.insert(hash, ordinal);
        self.cycle.staged.push(ordinal, hash, record);
        Ok(ordinal)
    }

    /// An ordinal for a new record; `murmur` as for [`OrdinalAllocator::take`].
    pub(super) fn take_ordinal(
        &mut self,
        murmur: impl FnOnce() -> u32,
    ) -> Result<Ordinal, WriteError> {
        let taken = self.ordinals.take(murmur);
        taken.ok_or_else(|| WriteError::OrdinalLimit {
            type_name: self.schema.name().to_owned(),
        })
    }

    pub(super) fn is_committed(&self, ordinal: Ordinal) -> bool {
        self.committed.contains(ordinal)
    }

    /// Marks a committed record as part of a total cycle; several threads may do so.
    #[inline]
    pub(super) fn see(&self, ordinal: Ordinal) {
        if self.cycle.staged.index_of(ordinal).is_some() {
            return;
        }
        let (word, bit) = (&self.cycle.seen[ordinal as usize / 64], 1 << (ordinal % 64));
        // Most bits of shared children are set already: reading keeps the line shared, too.
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
    }

    pub(super) fn is_seen(&self, ordinal: Ordinal) -> bool {
        let word = self.cycle.seen.get(ordinal as usize / 64);
        word.is_some_and(|word| word.load(Relaxed) >> (ordinal % 64) & 1 != 0)
    }

    /// Whether the record is part of the sealed state.
    pub(super) fn is_live(&self, ordinal: Ordinal, total: bool) -> bool {
        match self.cycle.staged.index_of(ordinal) {
            Some(index) => self.cycle.live.get(index).copied().unwrap_or(false),
            None if total => self.is_seen(ordinal),
            None => {
                self.is_committed(ordinal) && self.cycle.marks.get(ordinal) != Some(Mark::Removed)
            }
        }
    }

    /// Reads the removed records whose ordinals are listed and that were not read yet.
    pub(super) fn read_removed(&mut self, parallel: bool) {
        if let Some(state) = &self.state {
            let removed = &mut self.cycle.removed;
            removed.fill(parallel, |ordinal, out| state.serialize(ordinal, out));
        }
    }

    /// Brings the removed records into order.
    pub(super) fn order_removed(&mut self) {
        if let Some(state) = &self.state {
            let removed = &mut self.cycle.removed;
            removed.order(|ordinal, out| state.serialize(ordinal, out));
        }
    }

    /// The staged records of the sealed state, in order of adding.
    pub(super) fn live_staged(&self) -> impl Iterator<Item = &[u8]> {
        let TypeCycle { staged, live, .. } = &self.cycle;
        let live = live.iter().enumerate().filter(|(_, live)| **live);
        live.map(|(index, _)| staged.record(index))
    }

    /// The staged records of the sealed state with their ordinals, ascending.
    pub(super) fn added(&self) -> impl Iterator<Item = (Ordinal, &[u8])> {
        let staged = &self.cycle.staged;
        self.cycle.added.iter().map(move |&index| {
            (
                staged.ordinal(index as usize),
                staged.record(index as usize),
            )
        })
    }

    /// Takes the added records into the counters and decides widths and shards.
    pub(super) fn plan(&mut self, options: &WriteOptions) {
        let staged = &self.cycle.staged;
        for &index in &self.cycle.added {
            self.stats.add(
                staged.ordinal(index as usize),
                staged.record(index as usize),
            );
        }
        self.cycle.counted = true;
        let committed_max = self.state.as_ref().and_then(TypeState::last_ordinal);
        let added_max = self
            .cycle
            .added
            .last()
            .map(|&index| staged.ordinal(index as usize));
        let max_ordinal = committed_max.max(added_max).map_or(-1, |max| max as i32);
        let widths = layout::widths(&self.stats);
        let target = options.target_shard_bytes.unwrap_or(u64::MAX);
        let wanted = layout::shard_count(
            layout::size_for_sharding(&self.stats, &widths, max_ordinal),
            target,
        );
        let first = self.state.is_none();
        let before = self.shard_count.unwrap_or(wanted);
        let count = if options.resharding && !first {
            wanted.clamp(before.div_ceil(2), before.saturating_mul(2).min(MAX_SHARDS))
        } else {
            before
        };
        self.refine_totals(count.max(before));
        self.cycle.layout = Some(TypeLayout {
            max_ordinal,
            widths,
            shards: layout::shards(&self.stats, count),
            reverse_shards: layout::shards(&self.stats, before),
        });
    }

    /// Makes the sums by shard fine enough for this many shards.
    fn refine_totals(&mut self, count: u32) {
        if self
            .stats
            .totals()
            .is_none_or(|totals| totals.resolution() >= count as usize)
        {
            return;
        }
        let (state, staged, added) = (&self.state, &self.cycle.staged, &self.cycle.added);
        self.stats.refine_totals(count as usize * 4, |each| {
            let mut scratch = Vec::new();
            if let Some(state) = state {
                for ordinal in state.ordinals() {
                    scratch.clear();
                    state.serialize(ordinal, &mut scratch);
                    each(ordinal, &scratch);
                }
            }
            for &index in added {
                each(
                    staged.ordinal(index as usize),
                    staged.record(index as usize),
                );
            }
        });
    }

    /// Whether the sealed cycle changed the type: its records or its shard count.
    pub(super) fn is_changed(&self) -> bool {
        let resharded = self
            .cycle
            .layout
            .as_ref()
            .is_some_and(|layout| layout.shards.count != layout.reverse_shards.count);
        !self.cycle.added.is_empty() || !self.cycle.removed.ordinals.is_empty() || resharded
    }

    /// Ends the cycle for good: `state` is what it led to.
    pub(super) fn commit(&mut self, state: TypeState, options: &WriteOptions) {
        let mut cycle = std::mem::take(&mut self.cycle);
        let (removed, removed_keys) = (&cycle.removed, &cycle.removed_keys);
        let (stats, table, keys) = (&mut self.stats, &mut self.table, &mut self.keys);
        let mut uncount = || {
            let records = removed.iter();
            records.for_each(|(ordinal, record)| stats.remove(ordinal, record));
            keys.remove_all(
                removed_keys
                    .iter()
                    .copied()
                    .zip(removed.ordinals.iter().copied()),
            );
        };
        let mut forget =
            || table.remove_all(removed.iter().map(|(it, record)| (hash_bytes(record), it)));
        if is_worthwhile(removed.len()) {
            rayon::join(uncount, forget);
        } else {
            uncount();
            forget();
        }
        let mut freed = cycle.removed.ordinals.clone();
        freed.iter().for_each(|&gone| self.committed.remove(gone));
        for index in 0..cycle.staged.len() {
            let ordinal = cycle.staged.ordinal(index);
            if cycle.live[index] {
                self.committed.insert(ordinal);
            } else {
                self.forget(&cycle, index);
                freed.push(ordinal);
            }
        }
        self.shared.forget(&freed);
        if let Some(layout) = &cycle.layout {
            self.shard_count = Some(layout.shards.count);
        }
        let focus = if options.focus_holes {
            self.shard_count.unwrap_or(1)
        } else {
            1
        };
        self.ordinals.commit(freed.iter().copied(), focus);
        self.state = Some(state);
        cycle.clear();
        self.cycle = cycle;
    }

    /// Ends the cycle as if it had not been.
    pub(super) fn rollback(&mut self) {
        let mut cycle = std::mem::take(&mut self.cycle);
        if cycle.counted {
            for &index in &cycle.added {
                let index = index as usize;
                self.stats
                    .remove(cycle.staged.ordinal(index), cycle.staged.record(index));
            }
        }
        for index in 0..cycle.staged.len() {
            self.forget(&cycle, index);
        }
        if !cycle.staged.is_empty() {
            self.shared.clear();
        }
        self.ordinals.rollback();
        cycle.clear();
        self.cycle = cycle;
    }

    /// Takes a staged record out of the tables.
    fn forget(&mut self, cycle: &TypeCycle, index: usize) {
        let ordinal = cycle.staged.ordinal(index);
        self.table.remove(cycle.staged.hash(index), ordinal);
        if let Some(&key_hash) = cycle.staged_keys.get(index) {
            self.keys.remove(key_hash, ordinal);
        }
    }

    /// Where the blobs of the cycle take new records from. `hash_key` places elements where the type has a hash key.
    pub(super) fn staged_rows<'a>(&'a self, hash_key: Option<blob::HashKey<'a>>) -> blob::Rows<'a> {
        blob::Rows::Staged {
            staged: &self.cycle.staged,
            live: &self.cycle.live,
            hash_key,
        }
    }
}

impl TypeCycle {
    /// Empties everything but keeps buffers of moderate size, so that small cycles do not allocate.
    fn clear(&mut self) {
        self.staged.clear();
        self.staged_keys.clear();
        self.has_strangers = false;
        self.seen = Vec::new();
        self.marks.clear();
        self.deleted.clear();
        self.live.clear();
        self.added.clear();
        self.removed.clear();
        self.removed_keys.clear();
        self.layout = None;
        self.counted = false;
    }
}
