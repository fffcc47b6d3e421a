//! Hash table from the content of a record (or of its key) to its ordinal.
//!
//! An entry is 32 bits of hash and the ordinal; the content itself stays where it is, in the cycle's staged bytes or in
//! the pages of the committed state. So the table costs about ten bytes a record, and growing it rehashes nothing.

use hashbrown::HashTable;

use crate::Ordinal;
use crate::ahead::await_all;

/// Entries that are waited for together.
const TOGETHER: usize = 64;

/// Hash → ordinals. Several ordinals may be stored under one hash, also with equal content.
#[derive(Debug, Default)]
pub(crate) struct OrdinalTable(HashTable<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: u32,
    ordinal: Ordinal,
}

/// The table takes its seven tag bits from the top and the place from the bottom of 64 bits.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The hash of a record's or a key's bytes.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64(bytes);
    (hash >> 32) as u32 ^ hash as u32
}

impl OrdinalTable {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(HashTable::with_capacity(capacity))
    }

    /// The ordinal under `hash` whose content `is_equal`.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: u32,
        mut is_equal: impl FnMut(Ordinal) -> bool,
    ) -> Option<Ordinal> {
        self.0
            .find(spread(hash), |entry| {
                entry.hash == hash && is_equal(entry.ordinal)
            })
            .map(|entry| entry.ordinal)
    }

    /// An ordinal under `hash`: nearly always the one that is looked for, if there is any.
    #[inline]
    pub(crate) fn first_under(&self, hash: u32) -> Option<Ordinal> {
        self.find(hash, |_| true)
    }

    /// All ordinals under `hash`.
    pub(crate) fn under(&self, hash: u32) -> impl Iterator<Item = Ordinal> {
        self.0
            .iter_hash(spread(hash))
            .filter(move |entry| entry.hash == hash)
            .map(|entry| entry.ordinal)
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u32, ordinal: Ordinal) {
        self.0
            .insert_unique(spread(hash), Entry { hash, ordinal }, |entry| {
                spread(entry.hash)
            });
    }

    /// Makes room for `additional` entries at once.
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional, |entry| spread(entry.hash));
    }

    /// Removes an entry; one that is not there is no mistake.
    pub(crate) fn remove(&mut self, hash: u32, ordinal: Ordinal) {
        if let Ok(entry) = self
            .0
            .find_entry(spread(hash), |entry| *entry == Entry { hash, ordinal })
        {
            entry.remove();
        }
    }

    /// [Removes](Self::remove) many entries. Some are looked for before any is removed, so that they are waited for together.
    pub(crate) fn remove_all(&mut self, mut entries: impl Iterator<Item = (u32, Ordinal)>) {
        loop {
            let some: Vec<(u32, Ordinal)> = entries.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                return;
            }
            let found = some.iter().filter_map(|&(hash, _)| self.first_under(hash));
            await_all(found);
            some.into_iter()
                .for_each(|(hash, ordinal)| self.remove(hash, ordinal));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_under_one_hash_are_told_apart() {
        let mut table = OrdinalTable::default();
        for ordinal in 0..100 {
            table.insert(7, ordinal);
        }
        assert_eq!(table.find(7, |ordinal| ordinal == 42), Some(42));
        table.remove(7, 42);
        table.remove_all([(7, 42), (8, 1)].into_iter());
        assert_eq!(table.find(7, |ordinal| ordinal == 42), None);
        assert_eq!(table.under(7).count(), 99);
        assert_eq!((table.under(8).count(), table.len()), (0, 99));
        table.remove_all((0..90).map(|ordinal| (7, ordinal)));
        assert_eq!(table.len(), 10);
    }
}
