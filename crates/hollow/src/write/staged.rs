//! The new records of the open cycle: one run of bytes, in the order of adding.

use crate::Ordinal;

/// New records of a type and where each of them is. Clearing costs by the number of records, so that a small cycle in a
/// large type stays small.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// For each ordinal one more than the index of its entry, or 0.
    slots: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    ordinal: Ordinal,
    hash: u32,
}

/// Buffers larger than this are given back when a cycle ends: a first load must not hold on to its staging area.
const KEPT_BYTES: usize = 1 << 20;

impl Staged {
    /// Adds a record under an ordinal that has none yet.
    pub(crate) fn push(&mut self, ordinal: Ordinal, hash: u32, record: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.entries.push(Entry {
            start,
            ordinal,
            hash,
        });
        let at = ordinal as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, 0);
        }
        self.slots[at] = self.entries.len() as u32;
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The index of the record with this ordinal, in order of adding.
    #[inline]
    pub(crate) fn index_of(&self, ordinal: Ordinal) -> Option<usize> {
        (*self.slots.get(ordinal as usize)? as usize).checked_sub(1)
    }

    /// The record with this ordinal.
    #[inline]
    pub(crate) fn get(&self, ordinal: Ordinal) -> Option<&[u8]> {
        self.index_of(ordinal).map(|index| self.record(index))
    }

    /// The record at an index in order of adding.
    #[inline]
    pub(crate) fn record(&self, index: usize) -> &[u8] {
        let end = self
            .entries
            .get(index + 1)
            .map_or(self.bytes.len(), |next| next.start);
        &self.bytes[self.entries[index].start..end]
    }

    pub(crate) fn ordinal(&self, index: usize) -> Ordinal {
        self.entries[index].ordinal
    }

    pub(crate) fn hash(&self, index: usize) -> u32 {
        self.entries[index].hash
    }

    pub(crate) fn clear(&mut self) {
        for entry in &self.entries {
            self.slots[entry.ordinal as usize] = 0;
        }
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
            self.entries = Vec::new();
        }
        self.bytes.clear();
        self.entries.clear();
    }
}

/// Records with their ordinals, ascending once [sorted](Self::sort), in one run of bytes: what a cycle removes.
#[derive(Debug, Default)]
pub(crate) struct OrdinalRecords {
    pub(crate) ordinals: Vec<Ordinal>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl OrdinalRecords {
    /// Adds a record that `write` appends to the buffer.
    pub(crate) fn push_with(&mut self, ordinal: Ordinal, write: impl FnOnce(&mut Vec<u8>)) {
        self.ordinals.push(ordinal);
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn record(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The record that was added last.
    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|index| self.record(index))
    }

    /// Brings records that were added in any order into that of their ordinals.
    pub(crate) fn sort(&mut self) {
        if self.ordinals.is_sorted() {
            return;
        }
        let mut order: Vec<(Ordinal, u32)> = self.ordinals.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut sorted = Self {
            ordinals: Vec::with_capacity(self.len()),
            bytes: Vec::with_capacity(self.bytes.len()),
            ends: Vec::with_capacity(self.len()),
        };
        for (ordinal, index) in order {
            let record = self.record(index as usize);
            sorted.push_with(ordinal, |out| out.extend_from_slice(record));
        }
        *self = sorted;
    }

    pub(crate) fn len(&self) -> usize {
        self.ordinals.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ordinal, &[u8])> + Clone {
        self.ordinals
            .iter()
            .enumerate()
            .map(|(index, &ordinal)| (ordinal, self.record(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_until_cleared() {
        let mut staged = Staged::default();
        staged.push(5, 1, b"five");
        staged.push(2, 2, b"");
        staged.push(9, 3, b"nine");
        assert_eq!(staged.get(5), Some(&b"five"[..]));
        assert_eq!(staged.get(2), Some(&b""[..]));
        assert_eq!((staged.get(3), staged.get(100)), (None, None));
        assert_eq!(
            (staged.ordinal(2), staged.hash(2), staged.record(2)),
            (9, 3, &b"nine"[..])
        );
        staged.clear();
        assert_eq!((staged.get(5), staged.len()), (None, 0));
    }

    #[test]
    fn removed_records_are_brought_into_order() {
        let mut removed = OrdinalRecords::default();
        for (ordinal, record) in [(7, &b"seven"[..]), (1, b""), (4, b"four")] {
            removed.push_with(ordinal, |out| out.extend_from_slice(record));
            assert_eq!(removed.last(), Some(record));
        }
        removed.sort();
        let sorted: Vec<(Ordinal, &[u8])> = removed.iter().collect();
        assert_eq!(sorted, [(1, &b""[..]), (4, b"four"), (7, b"seven")]);
    }
}
