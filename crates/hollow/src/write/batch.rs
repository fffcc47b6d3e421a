//! Many records at once, hashed and looked up in parallel.

use rayon::prelude::*;

use super::table::hash_bytes;
use super::types::TypeWriter;
use crate::Ordinal;

/// Serialized records in one run of bytes, for [`WriteState::add_batch`](super::WriteState::add_batch). Several threads
/// can each fill one; appending them in a fixed order keeps the outcome deterministic.
///
/// ```
/// let mut batch = hollow::write::RecordBatch::new();
/// batch.push(&[2, 0x80]);
/// batch.push(&[4, 0x80]);
/// assert_eq!(batch.iter().collect::<Vec<_>>(), [[2, 0x80], [4, 0x80]]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Records that a thread looks up at a time.
const CHUNK: usize = 1024;

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Appends all records of another batch.
    pub fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Removes all records and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The hash of each record, and its ordinal if the type holds it already.
    pub(super) fn probe(&self, writer: &TypeWriter) -> Vec<(u32, Option<Ordinal>)> {
        let chunks = self.len().div_ceil(CHUNK);
        let mut found = Vec::with_capacity(self.len());
        found.par_extend((0..chunks).into_par_iter().flat_map_iter(|chunk| {
            let mut scratch = Vec::new();
            let records = chunk * CHUNK..self.len().min((chunk + 1) * CHUNK);
            records.map(move |index| {
                let record = self.get(index);
                let hash = hash_bytes(record);
                (hash, writer.lookup(hash, record, &mut scratch))
            })
        }));
        found
    }
}
