//! Many records at once, looked up in parallel.
//!
//! Three guesses come before the hash table, whose entries and rows lie scattered over memory. Children repeat, so a thread
//! remembers what it looked up last, and a type what repeated in its last batches ([`Shared`](super::shared::Shared)); and a producer adds its
//! records in the same order cycle after cycle, so the record after ordinal n is most often that with ordinal n + 1. A
//! guess is right only if the content is equal, so the outcome does not depend on it.

use std::ops::Range;

use rayon::prelude::*;

use super::WriteError;
use super::compare::Scratch;
use super::table::hash_bytes;
use super::types::TypeWriter;
use crate::Ordinal;
use crate::ahead::await_all;
use crate::codec::short;

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

/// Records that a thread looks up at a time, at least and at most.
const CHUNK: std::ops::RangeInclusive<usize> = 4096..=16_384;
/// How many recent records a thread remembers: children that many records share are looked up once a chunk.
const RECENT: usize = 4096;
/// And how many of those that have so few bytes that a number stands for all of them.
const RECENT_SHORT: usize = 1024;

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record.
    pub fn push(&mut self, record: &[u8]) {
        short::append(&mut self.bytes, record);
        self.ends.push(self.bytes.len());
    }

    /// Appends all records of another batch.
    pub fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// All records of some batches, in their order.
    #[must_use]
    pub fn concat(batches: &[Self]) -> Self {
        let sum = |length: fn(&Self) -> usize| batches.iter().map(length).sum();
        let mut all = Self {
            bytes: Vec::with_capacity(sum(|batch| batch.bytes.len())),
            ends: Vec::with_capacity(sum(Self::len)),
        };
        batches.iter().for_each(|batch| all.append(batch));
        all
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

    fn start_of(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.start_of(index)..self.ends[index]]
    }

    pub(super) fn record(&self, index: usize) -> &[u8] {
        self.get(index)
    }

    /// Looks all records up, and puts the ordinals of those that the type holds already into `ordinals`. In a total cycle
    /// what is found counts as added again.
    pub(super) fn probe(
        &self,
        writer: &TypeWriter,
        is_total: bool,
        ordinals: &mut [Ordinal],
    ) -> Probed {
        let chunk_size =
            (self.len() / (4 * rayon::current_num_threads())).clamp(*CHUNK.start(), *CHUNK.end());
        let chunks: Vec<Probed> = ordinals
            .par_chunks_mut(chunk_size)
            .enumerate()
            .map(|(chunk, ordinals)| {
                self.probe_chunk(writer, is_total, chunk * chunk_size, ordinals)
            })
            .collect();
        let mut all = Probed::default();
        for chunk in chunks {
            all.new.extend(chunk.new);
            all.malformed = all.malformed.or(chunk.malformed);
            all.repeated.extend(chunk.repeated);
        }
        all
    }

    fn probe_chunk(
        &self,
        writer: &TypeWriter,
        is_total: bool,
        start: usize,
        ordinals: &mut [Ordinal],
    ) -> Probed {
        let mut probed = Probed::default();
        let mut scratch = Scratch::default();
        let mut recent = [u32::MAX; RECENT];
        let mut recent_short = [(0, 0, NEW); RECENT_SHORT];
        let mut ahead = Ahead::default();
        let all = start..start + ordinals.len();
        let mut expected = NEW;
        let mut before = NEW;
        let mut end_before = self.start_of(start);
        for (at, &end) in self.ends[start..start + ordinals.len()].iter().enumerate() {
            let record = &self.bytes[end_before..end];
            end_before = end;
            let mut short = None;
            if let Some(word) = short::word(record) {
                let length = record.len() as u32;
                let slot = &mut recent_short[spread(word, length) % RECENT_SHORT];
                if (slot.0, slot.1) == (word, length) && slot.2 != NEW {
                    ordinals[at] = slot.2;
                    before = slot.2;
                    continue;
                }
                (slot.0, slot.1) = (word, length);
                short = Some(&mut slot.2);
            } else {
                let place = recent_slot(record);
                if let Some(ordinal) = writer.shared.find(place, record) {
                    if is_total {
                        writer.see(ordinal);
                    }
                    ordinals[at] = ordinal;
                    before = ordinal;
                    continue;
                }
                let earlier = std::mem::replace(&mut recent[place % RECENT], at as u32) as usize;
                if earlier < at && ordinals[earlier] != NEW && self.get(start + earlier) == record {
                    ordinals[at] = ordinals[earlier];
                    before = ordinals[at];
                    probed.repeated.push(start + at);
                    continue;
                }
            }
            let found = if expected != NEW && writer.holds(expected, record, &mut scratch) {
                Some(expected)
            } else {
                let (hash, place) = ahead.of(self, writer, start + at..all.end);
                let found = match place != NEW && writer.holds(place, record, &mut scratch) {
                    true => Some(place),
                    false => writer.lookup(hash, record, &mut scratch),
                };
                if found.is_none() {
                    let checked = crate::record::validate(&writer.schema, record);
                    probed.malformed = probed.malformed.take().or(checked.err());
                    probed.new.push((start + at, hash));
                }
                found
            };
            if is_total && let Some(ordinal) = found {
                writer.see(ordinal);
            }
            let ordinal = found.unwrap_or(NEW);
            if let Some(short) = short {
                *short = ordinal;
            }
            // A record at its guess, or one found beside the record before, is a reason to go on guessing.
            let is_beside = at == 0 || ordinal == before.wrapping_add(1);
            expected = if found.is_some() && is_beside {
                ordinal + 1
            } else {
                NEW
            };
            ordinals[at] = ordinal;
            before = ordinal;
        }
        probed
    }
}

/// Records whose entries and rows are waited for together.
const AHEAD: usize = 32;

/// Where some of the next records probably are. How many they are grows while most of them are asked for.
#[derive(Default)]
struct Ahead {
    /// Index of the first.
    first: usize,
    /// Hash and probable ordinal of each.
    found: [(u32, Ordinal); AHEAD],
    count: usize,
    asked: usize,
}

impl Ahead {
    /// Hash and probable ordinal, or [`NEW`], of the first of these records.
    #[inline]
    fn of(
        &mut self,
        batch: &RecordBatch,
        writer: &TypeWriter,
        records: Range<usize>,
    ) -> (u32, Ordinal) {
        if records.start >= self.first + self.count {
            self.look(batch, writer, records.clone());
        }
        self.asked += 1;
        self.found[records.start - self.first]
    }

    fn look(&mut self, batch: &RecordBatch, writer: &TypeWriter, records: Range<usize>) {
        let most = if 2 * self.asked < self.count {
            1
        } else {
            AHEAD
        };
        self.first = records.start;
        self.count = records.len().min(2 * self.count.max(1)).min(most);
        self.asked = 0;
        let found = &mut self.found[..self.count];
        for (found, at) in found.iter_mut().zip(records) {
            found.0 = hash_bytes(batch.record(at));
        }
        for (hash, place) in &mut *found {
            *place = writer.table.first_under(*hash).unwrap_or(NEW);
        }
        let touched = found.iter().map(|&(_, place)| writer.touch(place));
        await_all(touched);
    }
}

/// What came of looking records up.
#[derive(Default)]
pub(super) struct Probed {
    /// Those that the type does not hold, in order: index and hash.
    pub(super) new: Vec<(usize, u32)>,
    /// What is wrong with the first that is no record of the type.
    pub(super) malformed: Option<WriteError>,
    /// Indexes of some that were met again, other than the shortest.
    pub(super) repeated: Vec<usize>,
}

/// Stands for the ordinal of a record that the type does not hold; beyond every ordinal.
const NEW: Ordinal = u32::MAX;

/// A place for a record among the recent ones, by its length and its ends: much cheaper than a hash of all of it.
#[inline]
pub(super) fn recent_slot(record: &[u8]) -> usize {
    let ends = match (record.first_chunk::<8>(), record.last_chunk::<8>()) {
        (Some(&first), Some(&last)) => {
            u64::from_le_bytes(first) ^ u64::from_le_bytes(last).rotate_left(23)
        }
        _ => 0,
    };
    spread(ends, record.len() as u32)
}

#[inline]
fn spread(word: u64, length: u32) -> usize {
    let mixed = (word ^ u64::from(length)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}
