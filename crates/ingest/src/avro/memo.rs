//! Which ordinal a sink gave to bytes that were met before. The same few sets of countries make up most of all windows: what
//! is read again can be passed over, and neither checked nor looked up item by item.
//!
//! What is short lies in a table by itself, each in the one place that it can have, and what is of two letters, as most codes are,
//! in a table that has a place for each two.

use hashbrown::HashTable;
use hollow::Ordinal;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

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
    pairs: Vec<(MemoId, Pairs)>,
}

/// How bytes are looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    /// Up to seven bytes and their number as one number, which is not 0.
    Short(u64),
    /// The hash of more.
    Long(u64),
}

/// Bytes that fit into a number; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    id: u64,
    bytes: u64,
    ordinal: Ordinal,
}

/// Bytes in a place. Of equal bytes only those of one place have this hash.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: u32,
    len: u32,
    ordinal: Ordinal,
}

/// From two bytes to ordinal: each two letters of one case have a place of their own.
#[derive(Debug)]
pub(super) struct Pairs(Box<[u64; PAIRS]>);

const SHORTS: usize = 1024;
const PAIRS: usize = 1024;
/// When the memory is full it begins anew: what repeats is soon there again.
const BYTES_MAX: usize = 1 << 20;
const ENTRIES_MAX: usize = 1 << 14;
const PAIR_TABLES_MAX: usize = 32;
/// Longer ones hardly repeat.
const LENGTH_MAX: usize = 1 << 12;

impl MemoId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A number of its own that is not 0.
    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0 + 1
    }

    /// One of so many, which follow each other.
    #[inline]
    pub(super) fn place(self, count: usize) -> usize {
        self.0 as usize % count
    }

    /// What `bytes` are looked up by in this place.
    #[inline]
    pub(super) fn name(self, bytes: &[u8]) -> Name {
        match short_of(bytes) {
            Some(short) => Name::Short(short),
            None => Name::Long(xxh3_64(bytes) ^ self.0.wrapping_mul(SPREAD)),
        }
    }
}

impl Memo {
    #[inline]
    pub(super) fn get(&self, id: MemoId, name: Name, bytes: &[u8]) -> Option<Ordinal> {
        match name {
            Name::Short(short) => {
                let known = self.shorts.get(place_of(id, short))?;
                (known.id == id.0 && known.bytes == short).then_some(known.ordinal)
            }
            Name::Long(hash) => {
                let is_it = |entry: &Entry| entry.hash == hash && self.bytes(entry) == Some(bytes);
                Some(self.index.find(hash, is_it)?.ordinal)
            }
        }
    }

    /// Takes in what [`get`](Self::get) did not find.
    pub(super) fn insert(&mut self, id: MemoId, name: Name, bytes: &[u8], ordinal: Ordinal) {
        let hash = match name {
            Name::Short(short) => {
                self.shorts.resize(SHORTS, Short::default());
                self.shorts[place_of(id, short)] = Short {
                    id: id.0,
                    bytes: short,
                    ordinal,
                };
                return;
            }
            Name::Long(hash) => hash,
        };
        if bytes.len() > LENGTH_MAX {
            return;
        }
        if self.bytes.len() >= BYTES_MAX || self.index.len() >= ENTRIES_MAX {
            self.index.clear();
            self.bytes.clear();
        }
        let (Ok(start), Ok(len)) = (self.bytes.len().try_into(), bytes.len().try_into()) else {
            return;
        };
        self.bytes.extend_from_slice(bytes);
        let entry = Entry {
            hash,
            start,
            len,
            ordinal,
        };
        self.index.insert_unique(hash, entry, |entry| entry.hash);
    }

    #[inline]
    fn bytes(&self, entry: &Entry) -> Option<&[u8]> {
        let bytes = self.bytes.get(entry.start as usize..)?;
        bytes.get(..entry.len as usize)
    }

    /// What is known of two bytes in a place.
    #[inline]
    pub(super) fn pairs(&mut self, id: MemoId) -> &mut Pairs {
        let at = self.pairs.iter().position(|(known, _)| *known == id);
        let at = at.unwrap_or_else(|| {
            if self.pairs.len() >= PAIR_TABLES_MAX {
                self.pairs.clear();
            }
            self.pairs.push((id, Pairs(Box::new([0; PAIRS]))));
            self.pairs.len() - 1
        });
        &mut self.pairs[at].1
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.bytes.clear();
        self.shorts.clear();
        self.pairs.clear();
    }
}

impl Pairs {
    #[inline]
    pub(super) fn get(&self, pair: [u8; 2]) -> Option<Ordinal> {
        let known = self.0[Self::place_of(pair)];
        (known >> 32 == Self::tag(pair)).then_some(known as Ordinal)
    }

    pub(super) fn insert(&mut self, pair: [u8; 2], ordinal: Ordinal) {
        self.0[Self::place_of(pair)] = Self::tag(pair) << 32 | u64::from(ordinal);
    }

    /// The two bytes as a number that is not 0.
    fn tag(pair: [u8; 2]) -> u64 {
        1 << 16 | u64::from(u16::from_le_bytes(pair))
    }

    #[inline]
    fn place_of([a, b]: [u8; 2]) -> usize {
        usize::from(a & 31) << 5 | usize::from(b & 31)
    }
}

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn short_of(bytes: &[u8]) -> Option<u64> {
    let number = match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [_, _, _, _, ..] if bytes.len() < 8 => {
            let low = u32::from_le_bytes(*bytes.first_chunk()?);
            let high = u32::from_le_bytes(*bytes.last_chunk()?);
            u64::from(low) | u64::from(high) << (8 * (bytes.len() - 4))
        }
        _ => return None,
    };
    Some(number | (bytes.len() as u64 + 1) << 56)
}

#[inline]
fn place_of(id: MemoId, short: u64) -> usize {
    let mixed = (short ^ id.0.rotate_left(40)).wrapping_mul(SPREAD);
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
        let insert = |memo: &mut Memo, id: MemoId, bytes: &[u8], ordinal| {
            memo.insert(id, id.name(bytes), bytes, ordinal);
        };
        let get = |memo: &Memo, id: MemoId, bytes: &[u8]| memo.get(id, id.name(bytes), bytes);
        insert(&mut memo, a, b"DE", 7);
        assert_eq!(
            (get(&memo, a, b"DE"), get(&memo, b, b"DE")),
            (Some(7), None)
        );
        assert_eq!((get(&memo, a, b"D"), get(&memo, a, b"DEF")), (None, None));
        insert(&mut memo, a, &[0; LENGTH_MAX + 1], 8);
        assert_eq!(get(&memo, a, &[0; LENGTH_MAX + 1]), None);
        for i in 0..100_000_u32 {
            for bytes in [&i.to_be_bytes()[..], &u128::from(i).to_be_bytes()] {
                insert(&mut memo, a, bytes, i);
                assert_eq!(get(&memo, a, bytes), Some(i));
                assert_eq!(get(&memo, b, bytes), None);
            }
            let pair = [i.to_le_bytes()[0], i.to_le_bytes()[1]];
            memo.pairs(a).insert(pair, i);
            assert_eq!(memo.pairs(a).get(pair), Some(i));
            assert_eq!(memo.pairs(b).get(pair), None);
            assert_eq!(memo.pairs(a).get([pair[0] ^ 32, pair[1]]), None);
        }
        for _ in 0..100 {
            memo.pairs(MemoId::new()).insert(*b"DE", 1);
        }
        assert!(memo.index.len() <= ENTRIES_MAX && memo.bytes.len() <= BYTES_MAX + LENGTH_MAX);
        assert!(memo.pairs.len() <= PAIR_TABLES_MAX);
        memo.pairs(a).insert(*b"DE", 1);
        memo.clear();
        assert_eq!(get(&memo, a, &99_999_u32.to_be_bytes()), None);
        assert_eq!(get(&memo, a, &99_999_u128.to_be_bytes()), None);
        assert_eq!(memo.pairs(a).get(*b"DE"), None);
    }

    #[test]
    fn short_bytes_are_numbers_of_their_own() {
        let mut numbers = std::collections::BTreeSet::new();
        let mut count = 0;
        for len in 0..8 {
            for at in 0..len.max(1) {
                for byte in [1, 0x80, 0xff] {
                    let mut bytes = vec![0; len];
                    bytes.get_mut(at).into_iter().for_each(|b| *b = byte);
                    count += usize::from(len > 0);
                    numbers.insert(short_of(&bytes));
                }
            }
            numbers.insert(short_of(&vec![0; len]));
            count += 1;
        }
        assert_eq!(numbers.len(), count);
        assert!(!numbers.contains(&None) && !numbers.contains(&Some(0)));
        assert_eq!(short_of(&[0; 8]), None);
    }
}
