//! The new records of the open cycle: one run of bytes, in the order of adding.

use rayon::prelude::*;

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
const KEPT_BYTES: usize = 4 << 20;

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

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
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

/// Records with their ordinals in one run of bytes: what a cycle removes. First some ordinals are listed, in any order; then
/// their records are [filled in](Self::fill); then others may follow.
#[derive(Debug, Default)]
pub(crate) struct OrdinalRecords {
    /// Ascending once all records are [in order](Self::order).
    pub(crate) ordinals: Vec<Ordinal>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Records that a thread reads in one go.
const CHUNK: usize = 512;

impl OrdinalRecords {
    /// Brings the ordinals that have no records yet into order and appends the record of each by `write`; by several threads,
    /// if the cycle is large enough for them.
    pub(crate) fn fill(&mut self, parallel: bool, write: impl Fn(Ordinal, &mut Vec<u8>) + Sync) {
        let new = &mut self.ordinals[self.ends.len()..];
        new.sort_unstable();
        if !parallel || new.len() <= CHUNK {
            for &ordinal in &*new {
                write(ordinal, &mut self.bytes);
                self.ends.push(self.bytes.len());
            }
            return;
        }
        let chunks = new.par_chunks(CHUNK).map(|ordinals| {
            let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(ordinals.len()));
            for &ordinal in ordinals {
                write(ordinal, &mut bytes);
                ends.push(bytes.len());
            }
            (bytes, ends)
        });
        let chunks: Vec<(Vec<u8>, Vec<usize>)> = chunks.collect();
        for (bytes, ends) in chunks {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&bytes);
            self.ends.extend(ends.into_iter().map(|end| start + end));
        }
    }

    /// Brings all into order, where they came in more than one go.
    pub(crate) fn order(&mut self, write: impl Fn(Ordinal, &mut Vec<u8>) + Sync) {
        if !self.ordinals.is_sorted() {
            self.bytes.clear();
            self.ends.clear();
            self.fill(false, write);
        }
    }

    pub(crate) fn record(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
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

    pub(crate) fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            *self = Self::default();
        }
        self.ordinals.clear();
        self.bytes.clear();
        self.ends.clear();
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
    fn removed_records_are_read_in_order_by_one_thread_and_by_many() {
        let record = |ordinal: Ordinal| ordinal.to_string().repeat(ordinal as usize % 3);
        let write = |ordinal: Ordinal, out: &mut Vec<u8>| out.extend(record(ordinal).into_bytes());
        for (most, first) in [(10, 10), (20_000, 20_000), (20_000, 30)] {
            let mut removed = OrdinalRecords::default();
            let mut listed = (0..most).rev().step_by(2);
            removed.ordinals.extend(listed.by_ref().take(first));
            removed.fill(true, write);
            removed.ordinals.extend(listed);
            removed.fill(true, write);
            removed.order(write);
            let expected = (0..most).filter(|ordinal| ordinal % 2 == 1);
            assert!(removed.iter().map(|(ordinal, _)| ordinal).eq(expected));
            let is_right = |(ordinal, found): (Ordinal, &[u8])| found == record(ordinal).as_bytes();
            assert!(removed.iter().all(is_right));
            removed.clear();
            assert_eq!(removed.iter().count(), 0);
        }
    }
}
