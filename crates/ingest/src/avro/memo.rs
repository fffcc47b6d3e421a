//! Which ordinal a sink gave to bytes that were met before. The same few sets of countries make up most of all windows: what
//! is read again can be passed over, and neither checked nor looked up item by item.
//!
//! Codes are short, so those that were met lately lie in a table by themselves, each in the one place that it can have.

use hashbrown::HashTable;
use hollow::Ordinal;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A place in a plan: equal bytes there become the same record. No two places of a process share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoId(u64);

/// From place and bytes to ordinal, as long as the sink's ordinals hold.
#[derive(Debug, Default)]
pub(super) struct Memo {
    index: HashTable<Entry>,
    bytes: Vec<u8>,
    /// Empty, or as long as [`SHORTS`].
    shorts: Vec<Short>,
}

/// Bytes that fit into a number; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    id: u64,
    bytes: u64,
    ordinal: Ordinal,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    id: MemoId,
    start: usize,
    end: usize,
    ordinal: Ordinal,
}

const SHORTS: usize = 1024;
/// When the memory is full it begins anew: what repeats is soon there again.
const BYTES_MAX: usize = 1 << 20;
const ENTRIES_MAX: usize = 1 << 14;
/// Longer ones hardly repeat.
const LENGTH_MAX: usize = 1 << 12;

impl MemoId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Memo {
    #[inline]
    pub(super) fn get(&self, id: MemoId, bytes: &[u8]) -> Option<Ordinal> {
        if let Some(short) = short_of(bytes) {
            let known = self.shorts.get(place_of(id, short))?;
            return (known.id == id.0 && known.bytes == short).then_some(known.ordinal);
        }
        let hash = xxh3_64_with_seed(bytes, id.0);
        let is_it = |entry: &Entry| {
            entry.hash == hash && entry.id == id && self.bytes[entry.start..entry.end] == *bytes
        };
        Some(self.index.find(hash, is_it)?.ordinal)
    }

    /// Takes in what [`get`](Self::get) did not find.
    pub(super) fn insert(&mut self, id: MemoId, bytes: &[u8], ordinal: Ordinal) {
        if let Some(short) = short_of(bytes) {
            self.shorts.resize(SHORTS, Short::default());
            self.shorts[place_of(id, short)] = Short {
                id: id.0,
                bytes: short,
                ordinal,
            };
            return;
        }
        if bytes.len() > LENGTH_MAX {
            return;
        }
        if self.bytes.len() >= BYTES_MAX || self.index.len() >= ENTRIES_MAX {
            self.index.clear();
            self.bytes.clear();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let hash = xxh3_64_with_seed(bytes, id.0);
        let entry = Entry {
            hash,
            id,
            start,
            end: self.bytes.len(),
            ordinal,
        };
        self.index.insert_unique(hash, entry, |entry| entry.hash);
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.bytes.clear();
        self.shorts.clear();
    }
}

/// Up to seven bytes and their number as one number, which is not 0.
#[inline]
fn short_of(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 7 {
        return None;
    }
    let number = bytes
        .iter()
        .fold(1, |number, &byte| number << 8 | u64::from(byte));
    Some(number)
}

#[inline]
fn place_of(id: MemoId, short: u64) -> usize {
    let mixed = (short ^ id.0.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The top ten bits.
    usize::try_from(mixed >> 54).unwrap_or(0) % SHORTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_memories_of_their_own_and_all_are_bounded() {
        let (a, b) = (MemoId::new(), MemoId::new());
        let mut memo = Memo::default();
        memo.insert(a, b"DE", 7);
        assert_eq!((memo.get(a, b"DE"), memo.get(b, b"DE")), (Some(7), None));
        assert_eq!((memo.get(a, b"D"), memo.get(a, b"DEF")), (None, None));
        memo.insert(a, &[0; LENGTH_MAX + 1], 8);
        assert_eq!(memo.get(a, &[0; LENGTH_MAX + 1]), None);
        for i in 0..100_000_u32 {
            for bytes in [&i.to_be_bytes()[..], &u128::from(i).to_be_bytes()] {
                memo.insert(a, bytes, i);
                assert_eq!(memo.get(a, bytes), Some(i));
                assert_eq!(memo.get(b, bytes), None);
            }
        }
        assert!(memo.index.len() <= ENTRIES_MAX && memo.bytes.len() <= BYTES_MAX + LENGTH_MAX);
        memo.clear();
        assert_eq!(memo.get(a, &99_999_u32.to_be_bytes()), None);
        assert_eq!(memo.get(a, &99_999_u128.to_be_bytes()), None);
        assert_ne!(short_of(b"\0\0"), short_of(b"\0"));
    }
}
