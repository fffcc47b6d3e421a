//! What the fold knows of the keys that it has met, at hand: nearly every record of a busy topic says what is known already,
//! and must not cost more than finding that out.
//!
//! Whatever is here follows from the committed state and the records since; it is dropped when the producer goes back to what
//! is published, and comes back key by key. It shapes no state.

use crate::fold::{Channel, Origin};
use hashbrown::HashTable;
use hollow::Ordinal;
use rayon::prelude::*;
use std::ops::Range;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// What a key's row was made of: a hash of the schema's id and the row's Avro, as wide as the digests by which states are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowHash(u128);

impl RowHash {
    pub(super) fn of(schema_id: u32, row: &[u8]) -> Self {
        Self(xxh3_128_with_seed(row, u64::from(schema_id)))
    }
}

/// The keys that were met, and what is newer of them than what is published.
#[derive(Default)]
pub(super) struct Ledger {
    index: HashTable<Slot>,
    entries: Vec<Entry>,
    /// The canonical keys, one after the other.
    keys: Vec<u8>,
    /// The keys with news.
    news: Vec<At>,
}

/// Where keys are that were looked for at once, and what that takes meanwhile.
#[derive(Default)]
pub(super) struct Found {
    places: Vec<Option<At>>,
    likely: Vec<Likely>,
}

impl Found {
    pub(super) fn places(&self) -> &[Option<At>] {
        &self.places
    }
}

/// The place that a key's hash leads to, and where the key of that place lies.
#[derive(Clone, Copy)]
struct Likely {
    hash: u32,
    at: Option<At>,
    key: (usize, u32),
}

/// The place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(u32);

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    at: At,
}

/// What is known of a key, in one line of the memory's: what most records cost is waiting for it.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Entry {
    key_start: usize,
    key_length: u32,
    partition: u32,
    source_version: i64,
    offset: i64,
    /// The row's hash; of a key that a sweep's end deleted, which has no row, the version that it deleted.
    row_or_swept: [u64; 2],
    published: Ordinal,
    /// Which sweeps found the key, where it has news; see [`Sweeps`](super::sweeps::Sweeps).
    pub(super) stamp: u32,
    channel: Channel,
    is_deleted: bool,
    is_swept: bool,
    is_published: bool,
    has_version: bool,
    has_row: bool,
    pub(super) has_news: bool,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Entry {
    /// The record that made the key what it is.
    #[inline]
    pub(super) fn origin(&self) -> Origin {
        Origin {
            source_version: self.has_version.then_some(self.source_version),
            deleted: self.is_deleted,
            channel: self.channel,
            partition: self.partition,
            offset: self.offset,
            swept: self.is_swept.then_some(self.row_or_swept[0].cast_signed()),
        }
    }

    /// What its row in the write state was made of, where that is known.
    #[inline]
    pub(super) fn row(&self) -> Option<RowHash> {
        let [low, high] = self.row_or_swept;
        self.has_row
            .then_some(RowHash(u128::from(high) << 64 | u128::from(low)))
    }

    /// The fold's record that says so, or said what was before the news.
    #[inline]
    pub(super) fn published(&self) -> Option<Ordinal> {
        self.is_published.then_some(self.published)
    }

    fn set(&mut self, origin: Origin, row: Option<RowHash>) {
        self.has_version = origin.source_version.is_some();
        self.source_version = origin.source_version.unwrap_or_default();
        self.is_deleted = origin.deleted;
        self.channel = origin.channel;
        self.partition = origin.partition;
        self.offset = origin.offset;
        self.is_swept = origin.swept.is_some();
        self.has_row = row.is_some() && !self.is_swept;
        self.row_or_swept = match (origin.swept, row) {
            (Some(swept), _) => [swept.cast_unsigned(), 0],
            (None, Some(RowHash(hash))) => [hash as u64, (hash >> 64) as u64],
            (None, None) => [0; 2],
        };
    }
}

impl Ledger {
    #[inline]
    pub(super) fn find(&self, canonical_key: &[u8]) -> Option<At> {
        self.find_hashed(hash_of(canonical_key), canonical_key)
    }

    fn find_hashed(&self, hash: u32, canonical_key: &[u8]) -> Option<At> {
        let is_it = |slot: &Slot| slot.hash == hash && self.key(slot.at) == canonical_key;
        Some(self.index.find(spread(hash), is_it)?.at)
    }

    /// Finds many keys at once, which is much cheaper than each by itself. A key is three places of the memory away, each known
    /// by the one before; gone to side by side, nobody waits for another's.
    pub(super) fn find_all<'k>(
        &self,
        keys: impl Iterator<Item = Option<&'k [u8]>> + Clone,
        found: &mut Found,
    ) {
        let Found { places, likely } = found;
        likely.clear();
        likely.extend(keys.clone().map(|key| {
            let hash = key.map_or(0, hash_of);
            let slot = key.and_then(|_| self.index.find(spread(hash), |slot| slot.hash == hash));
            Likely {
                hash,
                at: slot.map(|slot| slot.at),
                key: (0, 0),
            }
        }));
        for likely in likely.iter_mut() {
            if let Some(at) = likely.at {
                let entry = self.entry(at);
                likely.key = (entry.key_start, entry.key_length);
            }
        }
        places.clear();
        places.extend(keys.zip(likely.iter()).map(|(key, likely)| {
            let (key, at) = (key?, likely.at?);
            let (start, length) = likely.key;
            if self.keys[start..start + length as usize] == *key {
                return Some(at);
            }
            // Another key of the same hash.
            self.find_hashed(likely.hash, key)
        }));
    }

    #[inline]
    pub(super) fn entry(&self, at: At) -> &Entry {
        &self.entries[at.0 as usize]
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, at: At) -> &mut Entry {
        &mut self.entries[at.0 as usize]
    }

    /// Takes in a key that is not there; `published` as in [`Entry`].
    pub(super) fn insert(
        &mut self,
        canonical_key: &[u8],
        origin: Origin,
        published: Option<Ordinal>,
    ) -> At {
        // The format of states has room for 2^29 keys.
        let at = At(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let mut entry = Entry {
            key_start: self.keys.len(),
            key_length: u32::try_from(canonical_key.len()).unwrap_or(u32::MAX),
            partition: 0,
            source_version: 0,
            offset: 0,
            row_or_swept: [0; 2],
            published: published.unwrap_or_default(),
            stamp: 0,
            channel: origin.channel,
            is_deleted: false,
            is_swept: false,
            is_published: published.is_some(),
            has_version: false,
            has_row: false,
            has_news: false,
        };
        entry.set(origin, None);
        self.keys.extend_from_slice(canonical_key);
        self.entries.push(entry);
        let hash = hash_of(canonical_key);
        self.index
            .insert_unique(spread(hash), Slot { hash, at }, |slot| spread(slot.hash));
        at
    }

    /// The key has another origin than is published, found by the sweeps up to `stamp`, and a row made of what `row` says.
    #[inline]
    pub(super) fn tell(&mut self, at: At, origin: Origin, stamp: u32, row: Option<RowHash>) {
        let entry = &mut self.entries[at.0 as usize];
        entry.set(origin, row);
        entry.stamp = stamp;
        if !std::mem::replace(&mut entry.has_news, true) {
            self.news.push(at);
        }
    }

    #[inline]
    pub(super) fn key(&self, at: At) -> &[u8] {
        let entry = &self.entries[at.0 as usize];
        &self.keys[entry.key_start..entry.key_start + entry.key_length as usize]
    }

    /// Brings the news into the order of what is published of their keys, the new keys last, so that those who look it up walk
    /// through it. The order follows from the published state and the records since.
    pub(super) fn order_news(&mut self) {
        let mut news = std::mem::take(&mut self.news);
        news.par_sort_by_cached_key(|&at| self.entry(at).published().map_or(u64::MAX, u64::from));
        self.news = news;
    }

    /// The keys with news.
    pub(super) fn news(&self) -> impl ExactSizeIterator<Item = (&[u8], &Entry)> {
        self.news_of(0..self.news.len())
    }

    /// Some of the keys with news, by their place in the order.
    pub(super) fn news_of(
        &self,
        places: Range<usize>,
    ) -> impl ExactSizeIterator<Item = (&[u8], &Entry)> {
        let news = self.news[places].iter();
        news.map(|&at| (self.key(at), self.entry(at)))
    }

    pub(super) fn has_news_of(&self, canonical_key: &[u8]) -> bool {
        !self.news.is_empty()
            && self
                .find(canonical_key)
                .is_some_and(|at| self.entry(at).has_news)
    }

    /// The news are published, under these ordinals in their order. Returns the ordinals with the keys' stamps.
    pub(super) fn settle(&mut self, published: &[Ordinal]) -> Vec<(Ordinal, u32)> {
        let news = std::mem::take(&mut self.news);
        debug_assert_eq!(news.len(), published.len());
        let settle = |(&at, &ordinal): (&At, &Ordinal)| {
            let entry = self.entry_mut(at);
            entry.has_news = false;
            (entry.published, entry.is_published) = (ordinal, true);
            (ordinal, entry.stamp)
        };
        news.iter().zip(published).map(settle).collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[inline]
fn hash_of(canonical_key: &[u8]) -> u32 {
    let hash = xxh3_64(canonical_key);
    (hash >> 32) as u32 ^ hash as u32
}

/// The table takes its tag bits from the top and the place from the bottom of 64 bits.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn origin(offset: i64) -> Origin {
        Origin {
            source_version: Some(offset),
            deleted: false,
            channel: Channel::Changes,
            partition: 0,
            offset,
            swept: None,
        }
    }

    proptest! {
        #[test]
        fn it_remembers_what_it_was_told(told in proptest::collection::vec((0_u8..40, any::<bool>()), 0..300)) {
            let (mut ledger, mut model) = (Ledger::default(), BTreeMap::new());
            let mut news = Vec::new();
            let mut settled = 0;
            for (offset, (number, settles)) in (0..).zip(told) {
                let key = format!("[{number}]").into_bytes();
                let at = ledger.find(&key);
                prop_assert_eq!(at.is_some(), model.contains_key(&key));
                let at = at.unwrap_or_else(|| ledger.insert(&key, origin(offset), None));
                ledger.tell(at, origin(offset), 0, Some(RowHash::of(1, &key)));
                model.insert(key.clone(), offset);
                if !news.contains(&key) {
                    news.push(key);
                }
                let told: Vec<_> = ledger.news().map(|(key, _)| key.to_vec()).collect();
                prop_assert_eq!(&told, &news);
                if settles {
                    let ordinals: Vec<Ordinal> = (settled..).take(news.len()).collect();
                    settled += news.len() as Ordinal;
                    ledger.settle(&ordinals);
                    for (key, ordinal) in news.drain(..).zip(ordinals) {
                        let at = ledger.find(&key).unwrap();
                        prop_assert_eq!(ledger.entry(at).published(), Some(ordinal));
                        prop_assert!(!ledger.has_news_of(&key));
                    }
                }
            }
            for (key, offset) in model {
                let at = ledger.find(&key).unwrap();
                prop_assert_eq!((ledger.key(at), ledger.entry(at).origin()), (&key[..], origin(offset)));
            }
        }
    }

    #[test]
    fn keys_looked_for_at_once_are_found_as_each_by_itself() {
        let mut ledger = Ledger::default();
        // So many that some share their hash.
        let keys: Vec<Vec<u8>> = (0..300_000)
            .map(|n| format!("[{n}]").into_bytes())
            .collect();
        let (known, unknown) = keys.split_at(200_000);
        for (offset, key) in (0..).zip(known) {
            ledger.insert(key, origin(offset), None);
        }
        let hashes: std::collections::BTreeSet<u32> =
            known.iter().map(|key| hash_of(key)).collect();
        assert!(hashes.len() < known.len());
        let mut found = Found::default();
        for some in [known, unknown, &[]] {
            let keys = some.iter().map(|key| (key.len() != 5).then_some(&key[..]));
            ledger.find_all(keys.clone(), &mut found);
            let each: Vec<_> = keys.map(|key| ledger.find(key?)).collect();
            assert_eq!(found.places(), each);
        }
    }

    #[test]
    fn an_entry_says_what_it_was_told() {
        let mut ledger = Ledger::default();
        let at = ledger.insert(b"[1]", origin(3), Some(7));
        assert_eq!(ledger.entry(at).origin(), origin(3));
        assert_eq!(ledger.entry(at).row(), None);
        let row = RowHash(u128::MAX - 5);
        let deleted = |swept| Origin {
            source_version: None,
            deleted: true,
            channel: Channel::Sweep,
            partition: 3,
            offset: -1,
            swept,
        };
        for (origin, row) in [
            (origin(5), Some(row)),
            (deleted(None), None),
            (deleted(Some(-9)), None),
            (deleted(Some(0)), None),
            (origin(6), None),
        ] {
            ledger.tell(at, origin, 0, row);
            assert_eq!(ledger.entry(at).origin(), origin);
            assert_eq!(ledger.entry(at).row(), row);
            assert_eq!(ledger.entry(at).published(), Some(7));
        }
    }

    #[test]
    fn rows_of_other_schemas_are_other_rows() {
        assert_eq!(RowHash::of(1, b"row"), RowHash::of(1, b"row"));
        assert_ne!(RowHash::of(1, b"row"), RowHash::of(2, b"row"));
        assert_ne!(RowHash::of(1, b"row"), RowHash::of(1, b"rows"));
    }
}
