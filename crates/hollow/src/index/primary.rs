//! The index of a type's records by their primary key, or by any other key that is unique.

use super::key::{BoundKey, Stored, hash_number};
use super::slots::Slots;
use crate::Ordinal;
use crate::codec::varint::{zigzag_int, zigzag_long};
use crate::content::{ContentChanges, intersection};
use crate::error::Result;
use crate::key::KeyValue;
use crate::read::{Changed, Changes, ObjectView, ReadState, TypeState};
use crate::schema::{FieldType, KeyPath};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Finds the record of a key in one state.
///
/// An index belongs to the state that it was built for, whose records it holds on to, and never changes:
/// [`updated`](Self::updated) makes the one of the next state at a cost that follows the change, sharing the rest. So a
/// reader of an old state keeps an index that fits it.
///
/// Of several records with one key the one with the smallest ordinal is found; the others are
/// [`duplicates`](Self::duplicates).
#[derive(Debug, Clone)]
pub struct PrimaryKeyIndex {
    key: BoundKey,
    /// With a limit of 0 if the key is none of one number.
    number: NumberKey,
    slots: Slots,
    /// Records whose key another record with a smaller ordinal has.
    duplicates: Arc<BTreeSet<(u64, Ordinal)>>,
}

/// A key of one INT or LONG of the record itself.
#[derive(Debug, Clone, Copy)]
struct NumberKey {
    field: usize,
    /// What is stored is below this. An INT and a LONG of the same value are stored alike.
    limit: u64,
}

impl NumberKey {
    fn of(key: &BoundKey) -> Self {
        let (field, field_type) = key.number_field().unwrap_or((0, FieldType::Reference));
        Self {
            field,
            limit: stored_limit(field_type),
        }
    }
}

/// The stored form of numbers of this type lies below: it is that of the smallest number, which stands for null. Of other
/// types none does.
fn stored_limit(field_type: FieldType) -> u64 {
    match field_type {
        FieldType::Int => zigzag_int(i32::MIN).into(),
        FieldType::Long => zigzag_long(i64::MIN),
        _ => 0,
    }
}

/// Look-ups that wait for memory together.
const BATCH: usize = 16;

impl PrimaryKeyIndex {
    /// Indexes all records of a type by `paths`, which may lead through references, or by the schema's primary key.
    ///
    /// # Errors
    /// [`Error::Path`](crate::Error::Path) if the type is unknown or has no primary key, or a path leads nowhere.
    pub fn build(state: &ReadState, type_name: &str, paths: Option<&[&str]>) -> Result<Self> {
        Ok(Self::of(BoundKey::bind(state, type_name, paths)?))
    }

    fn of(key: BoundKey) -> Self {
        let words: Vec<(Ordinal, u64)> = key.root().populated_words().collect();
        let run = words
            .len()
            .div_ceil(2 * rayon::current_num_threads())
            .max(64);
        let runs: Vec<&[(Ordinal, u64)]> = words.chunks(run).collect();
        let last = key.root().last_ordinal().unwrap_or(0);
        let mut duplicates = BTreeSet::new();
        // Ordinals ascend, so the one that stays is the smallest.
        let slots = Slots::build(
            (key.root().count(), last),
            &runs,
            |words, scatter| {
                for &(first, populated) in *words {
                    key.hash_rows(first, populated, |hash, ordinal| scatter.put(hash, ordinal));
                }
            },
            |a, b| key.same(a, &key, b),
            |_, ordinal| {
                duplicates.insert((key.hash_of(ordinal), ordinal));
            },
        );
        Self {
            number: NumberKey::of(&key),
            key,
            slots,
            duplicates: Arc::new(duplicates),
        }
    }

    /// The index of `after`, which a delta (or a reverse delta) with these changes made of this index's state.
    ///
    /// # Errors
    /// [`Error::Path`](crate::Error::Path) if the paths lead nowhere in `after`.
    pub fn updated(
        &self,
        before: &ReadState,
        after: &ReadState,
        changes: &Changes,
    ) -> Result<Self> {
        let own = changes
            .types
            .iter()
            .find(|change| change.type_name == self.type_name());
        if self.key.is_local() {
            let key = self.key.rebind(after)?;
            return Ok(match own {
                Some(own) => self.with(key, &own.removed, &own.added),
                None => self.with(key, &[], &[]),
            });
        }
        self.by_content(after, &ContentChanges::of_delta(before, after, changes))
    }

    /// The index of any other state. Where that state shares structure with this index's, the cost follows what differs;
    /// a state of another chain or with another schema costs as much as [`build`](Self::build).
    ///
    /// # Errors
    /// [`Error::Path`](crate::Error::Path) if the paths lead nowhere in `after`.
    pub fn moved(&self, before: &ReadState, after: &ReadState) -> Result<Self> {
        self.by_content(after, &ContentChanges::between(before, after))
    }

    fn by_content(&self, after: &ReadState, changes: &ContentChanges) -> Result<Self> {
        let key = self.key.rebind(after)?;
        let none = Changed::default();
        let own = changes.of_type(self.type_name()).unwrap_or(&none);
        Ok(self.with(key, &own.removed, &own.added))
    }

    fn with(&self, key: BoundKey, removed: &[Ordinal], added: &[Ordinal]) -> Self {
        if removed.is_empty() && added.is_empty() {
            return Self {
                number: NumberKey::of(&key),
                key,
                slots: self.slots.clone(),
                duplicates: self.duplicates.clone(),
            };
        }
        let many = removed.len() + added.len() > self.slots.len() / 2;
        let last = added.last().copied().unwrap_or(0);
        let full = self
            .slots
            .is_full_with(added.len().saturating_sub(removed.len()), last);
        if many || full || !self.duplicates.is_empty() {
            return Self::of(key);
        }
        let mut slots = self.slots.clone();
        // A changed record mostly keeps its key: its slot is overwritten, wherever the new row lies. Where one ordinal
        // stands for an old and for a new record there is no telling them apart in the slots, so all old ones go first.
        let pair = intersection(removed, added).next().is_none();
        let old_hash = |ordinal: Ordinal| self.key.hash_of(ordinal);
        let mut gone = hashbrown::HashMap::with_capacity(removed.len());
        for &ordinal in removed {
            let hash = self.key.hash_of(ordinal);
            if !pair {
                slots.remove(hash, ordinal, old_hash);
            } else if let Some(other) = gone.insert(hash, ordinal) {
                slots.remove(hash, other, old_hash);
            }
        }
        let mut moved = Vec::with_capacity(added.len());
        let mut fresh = Vec::new();
        for &ordinal in added {
            let hash = key.hash_of(ordinal);
            match gone.remove(&hash) {
                Some(old) => moved.push((hash, old, ordinal)),
                None => fresh.push((hash, ordinal)),
            }
        }
        for (hash, ordinal) in gone {
            slots.remove(hash, ordinal, old_hash);
        }
        for moved in moved.chunks(BATCH) {
            slots.await_homes(moved.iter().map(|&(hash, _, _)| hash));
            for &(hash, old, new) in moved {
                slots.replace(hash, old, new);
            }
        }
        let mut duplicates = BTreeSet::new();
        for (hash, ordinal) in fresh {
            match slots.find(hash, |other| key.same(other, &key, ordinal)) {
                None => slots.insert(hash, ordinal),
                Some(other) if other < ordinal => {
                    duplicates.insert((hash, ordinal));
                }
                Some(other) => {
                    slots.replace(hash, other, ordinal);
                    duplicates.insert((hash, other));
                }
            }
        }
        Self {
            number: NumberKey::of(&key),
            key,
            slots,
            duplicates: Arc::new(duplicates),
        }
    }

    /// The type of the records.
    pub fn type_name(&self) -> &str {
        self.key.root().name()
    }

    /// The records of the state that the index belongs to.
    pub fn records(&self) -> &TypeState {
        self.key.root()
    }

    /// The resolved paths of the key.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &KeyPath> {
        self.key.paths()
    }

    /// Number of different keys.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// Records that have the key of another record with a smaller ordinal. Empty for all data that a careful producer
    /// wrote.
    pub fn duplicates(&self) -> impl Iterator<Item = Ordinal> + '_ {
        self.duplicates.iter().map(|&(_, ordinal)| ordinal)
    }

    /// The key of a record, in the order of the paths; empty if there is no such record.
    pub fn key_of(&self, ordinal: Ordinal) -> Vec<KeyValue> {
        self.key.values(ordinal)
    }

    /// The record of a key. Numbers fit INT and LONG alike; `None` also for values that fit no record.
    pub fn get(&self, key: &[KeyValue]) -> Option<Ordinal> {
        if let [KeyValue::Long(key)] = key
            && self.number.limit > 0
        {
            return self.get_long(*key);
        }
        let (stored, hash) = self.key.stored(key)?;
        self.slots
            .find(hash, |ordinal| self.key.is(ordinal, &stored))
    }

    /// The record of a key of one text, without allocation for ASCII.
    pub fn get_str(&self, key: &str) -> Option<Ordinal> {
        let stored = Stored::text(key);
        self.slots.find(stored.hash(), |ordinal| {
            self.key.is(ordinal, std::slice::from_ref(&stored))
        })
    }

    /// The record of a key of one INT or LONG.
    #[inline]
    pub fn get_long(&self, key: i64) -> Option<Ordinal> {
        self.entry_of(key).map(|(ordinal, _)| ordinal)
    }

    /// The record of a key of one INT or LONG, to read it at once.
    #[inline]
    pub fn find_long(&self, key: i64) -> Option<ObjectView<'_>> {
        self.entry_of(key).map(|(_, view)| view)
    }

    /// What is inlined at every call is short and hands nothing over in memory, so that a processor sees several look-ups
    /// ahead.
    #[inline(always)]
    fn entry_of(&self, key: i64) -> Option<(Ordinal, ObjectView<'_>)> {
        let stored = zigzag_long(key);
        let hash = hash_number(stored);
        if stored < self.number.limit
            && let Some(ordinal) = self.slots.candidate(hash)
            && let Some(view) = self.key.root().indexed_object(ordinal)
            && view.is_number(self.number.field, stored)
        {
            return Some((ordinal, view));
        }
        self.entry_behind(hash, stored)
    }

    /// The same where it is not the first candidate or the key lies behind references.
    #[cold]
    #[inline(never)]
    fn entry_behind(&self, hash: u64, stored: u64) -> Option<(Ordinal, ObjectView<'_>)> {
        let mut paths = self.key.paths();
        let limit = stored_limit(paths.next()?.field_type);
        if stored >= limit || paths.len() > 0 {
            return None;
        }
        let stored = [Stored::Fixed(stored)];
        let ordinal = self
            .slots
            .find(hash, |ordinal| self.key.is(ordinal, &stored))?;
        Some((ordinal, self.key.root().object(ordinal)?))
    }

    /// Calls `each` with the position, the ordinal and the record of every key of one INT or LONG, in order. Several
    /// look-ups wait for memory together, so that a large batch takes a fraction of the time of as many single ones.
    pub fn find_longs<'a>(
        &'a self,
        keys: &[i64],
        mut each: impl FnMut(usize, Option<(Ordinal, ObjectView<'a>)>),
    ) {
        let NumberKey { field, limit } = self.number;
        if limit == 0 {
            for (position, &key) in keys.iter().enumerate() {
                each(position, self.entry_of(key));
            }
            return;
        }
        let root = self.key.root();
        let mut hashed = [(0, 0); BATCH];
        let mut found = [None::<Ordinal>; BATCH];
        let mut views = [None::<(Ordinal, ObjectView<'_>)>; BATCH];
        for (batch, keys) in keys.chunks(BATCH).enumerate() {
            for (hashed, &key) in hashed.iter_mut().zip(keys) {
                let stored = zigzag_long(key);
                *hashed = (hash_number(stored), stored);
            }
            let hashed = &hashed[..keys.len()];
            // The first that may be it: mostly it is.
            for (found, &(hash, _)) in found.iter_mut().zip(hashed) {
                *found = self.slots.candidate(hash);
            }
            // A word of each row, so that the rows are waited for together, too.
            let mut touched = 0;
            for (view, found) in views.iter_mut().zip(&found) {
                *view = found.and_then(|ordinal| Some((ordinal, root.indexed_object(ordinal)?)));
                if let Some((_, view)) = view {
                    touched ^= view.page.first_word(view.row);
                }
            }
            std::hint::black_box(touched);
            for (offset, (view, &(hash, stored))) in views.iter().zip(hashed).enumerate() {
                let entry = view
                    .filter(|(_, view)| stored < limit && view.is_number(field, stored))
                    .or_else(|| self.entry_behind(hash, stored));
                each(batch * BATCH + offset, entry);
            }
        }
    }

    /// Appends the ordinals of the records of these keys, in their order, as [`find_longs`](Self::find_longs) finds them.
    pub fn get_longs(&self, keys: &[i64], out: &mut Vec<Option<Ordinal>>) {
        self.find_longs(keys, |_, found| out.push(found.map(|(ordinal, _)| ordinal)));
    }

    /// Bytes on the heap, what the indexes of other states share included, the records not.
    pub fn heap_bytes(&self) -> usize {
        self.slots.heap_bytes() + self.duplicates.len() * size_of::<(u64, Ordinal)>()
    }
}
