//! An open-addressed table of ordinals in pages that versions share.
//!
//! A slot is 32 bits: as many for an ordinal as the type needs, with room to double, and the rest (at least 3, some 13
//! at a million) of its hash, by which the records that stand in the way of a look-up are passed over without being
//! read. A hash maps to its home by multiplication, so the number of slots need not be a power of two and the table is as
//! full as we like. Slots lie in pages of 1 KiB under two levels of shared pointers: a changed copy costs the pages that it
//! changes.
//!
//! Homes are lines of the cache: a look-up compares the 16 slots of one at once, and only few records stand in a later
//! line. Looking at slot after slot would end at a place that is as good as random, and a processor that guesses it wrong
//! waits for memory before it starts on the next key; one that need not guess works on several keys at a time.

use super::line::{LINE_SLOTS, Line, alike};
use crate::Ordinal;
use crate::ahead::await_all;
use crate::read::await_counts;
use rayon::prelude::*;
use std::sync::Arc;

/// Slots of a page: 1 KiB.
const PAGE_SLOTS: usize = 256;
/// Pages under one pointer of the top level.
const CHUNK_PAGES: usize = 16;
const CHUNK_SLOTS: usize = CHUNK_PAGES * PAGE_SLOTS;

/// No ordinal of a table is all ones, so that no slot in use looks like an empty one.
const EMPTY: u32 = u32::MAX;

/// A table built for n ordinals has 4/3 n slots: 5.3 bytes for each, and one of 40 stands behind its home. With a
/// third of free slots, state and index of 250,000 videos would take more than Java's.
const BUILD_SLOTS: (usize, usize) = (4, 3);
/// It is built anew before more than 4/5 of the slots are taken, where the lines would run full one after the other.
const MAX_LOAD: (usize, usize) = (4, 5);

/// Aligned, so that a line of slots is one of the cache.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Page([Line; PAGE_SLOTS / LINE_SLOTS]);
/// The last one is filled up with pages that no hash leads to.
type Chunk = [Arc<Page>; CHUNK_PAGES];

/// The table. A clone shares all pages.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    chunks: Vec<Arc<Chunk>>,
    /// Number of slots, a multiple of [`PAGE_SLOTS`].
    slots: usize,
    count: usize,
    /// Low bits of a slot that hold the ordinal.
    ordinal_bits: u32,
}

type Hashed = (u64, Ordinal);

/// Takes ordinals with their hashes while a table is built, apart by where they belong.
pub(crate) struct Scatter<'s> {
    slots: &'s Slots,
    segments: Vec<Vec<Hashed>>,
}

impl Scatter<'_> {
    /// Takes one.
    #[inline]
    pub(crate) fn put(&mut self, hash: u64, ordinal: Ordinal) {
        self.segments[self.slots.home(hash) / CHUNK_SLOTS].push((hash, ordinal));
    }
}

/// A part of a table that is being built.
struct Segment {
    chunk: Chunk,
    count: usize,
    /// What finds its place in the segments behind only.
    behind: Vec<Hashed>,
    duplicates: Vec<(Ordinal, Ordinal)>,
}

/// Slot and ordinal by which a search ended.
enum Found {
    At(usize, Ordinal),
    EmptyAt(usize),
}

impl Slots {
    /// An empty table with room for `count` ordinals, of which `last` is the largest for now.
    pub(crate) fn with_room_for(count: usize, last: Ordinal) -> Self {
        let slots = (count * BUILD_SLOTS.0 / BUILD_SLOTS.1 + 1).next_multiple_of(PAGE_SLOTS);
        let empty = Arc::new(Page([Line::EMPTY; PAGE_SLOTS / LINE_SLOTS]));
        let chunk: Arc<Chunk> = Arc::new(std::array::from_fn(|_| empty.clone()));
        Self {
            chunks: vec![chunk; slots.div_ceil(CHUNK_SLOTS)],
            slots,
            count: 0,
            // Ordinals are below 2^29, so there are two bits of the hash at least.
            ordinal_bits: last.checked_ilog2().map_or(0, |log| log + 1) + 1,
        }
    }

    /// The bits of a slot that hold a part of the hash.
    #[inline]
    fn tag_mask(&self) -> u32 {
        u32::MAX << self.ordinal_bits
    }

    #[inline]
    fn tagged(&self, hash: u64, ordinal: Ordinal) -> u32 {
        hash as u32 & self.tag_mask() | ordinal
    }

    /// The ordinal in a slot in use.
    #[inline]
    fn ordinal(&self, slot: u32) -> Ordinal {
        slot & !self.tag_mask()
    }

    /// Of `count` ordinals, of which `last` is the largest. `hash` gives those of a run with their hashes; runs ascend.
    /// `same_key` says for two ordinals of equal hash whether their keys are equal too; the later one is then left out, and
    /// both are given to `duplicate`.
    ///
    /// The table is built in segments that fit a cache, on all cores.
    pub(crate) fn build<R: Sync>(
        (count, last): (usize, Ordinal),
        runs: &[R],
        hash: impl Fn(&R, &mut Scatter<'_>) + Sync,
        same_key: impl Fn(Ordinal, Ordinal) -> bool + Sync,
        mut duplicate: impl FnMut(Ordinal, Ordinal),
    ) -> Self {
        let mut built = Self::with_room_for(count, last);
        let segments = built.chunks.len();
        let room = count / segments / runs.len().max(1) * 9 / 8 + 1;
        let scattered: Vec<Vec<Vec<Hashed>>> = runs
            .par_iter()
            .map(|run| {
                let mut scatter = Scatter {
                    slots: &built,
                    segments: (0..segments).map(|_| Vec::with_capacity(room)).collect(),
                };
                hash(run, &mut scatter);
                scatter.segments
            })
            .collect();
        let made: Vec<Segment> = (0..segments)
            .into_par_iter()
            .map(|segment| {
                let hashed = scattered.iter().flat_map(|run| run[segment].iter());
                built.segment(segment, hashed, &same_key)
            })
            .collect();
        let mut behind = Vec::new();
        for (chunk, segment) in built.chunks.iter_mut().zip(made) {
            *chunk = Arc::new(segment.chunk);
            built.count += segment.count;
            behind.extend(segment.behind);
            for (other, ordinal) in segment.duplicates {
                duplicate(other, ordinal);
            }
        }
        for (hash, ordinal) in behind {
            match built.search(hash, |other| same_key(other, ordinal)) {
                Found::At(_, other) => duplicate(other, ordinal),
                Found::EmptyAt(at) => {
                    built.set(at, built.tagged(hash, ordinal));
                    built.count += 1;
                }
            }
        }
        built
    }

    /// The slots under one pointer of the top level, built by themselves.
    fn segment<'h>(
        &self,
        segment: usize,
        hashed: impl Iterator<Item = &'h Hashed>,
        same_key: impl Fn(Ordinal, Ordinal) -> bool,
    ) -> Segment {
        let first = segment * CHUNK_SLOTS;
        let length = CHUNK_SLOTS.min(self.slots - first);
        let mut lines = [Line::EMPTY; CHUNK_SLOTS / LINE_SLOTS];
        // The other half of each hash, so that few keys need be compared, and how many slots of a line are taken. Walking
        // to the first free one would end at a place that no processor guesses.
        let mut checks = [[0u32; LINE_SLOTS]; CHUNK_SLOTS / LINE_SLOTS];
        let mut taken = [0u8; CHUNK_SLOTS / LINE_SLOTS];
        let (mut count, mut behind, mut duplicates) = (0, Vec::new(), Vec::new());
        'next: for &(hash, ordinal) in hashed {
            let check = hash as u32;
            for line in (self.home(hash) - first) / LINE_SLOTS..length / LINE_SLOTS {
                let free = usize::from(taken[line]);
                let alike = checks[line]
                    .iter()
                    .fold(false, |alike, &other| alike | (other == check));
                if alike {
                    let same = |&at: &usize| {
                        checks[line][at] == check
                            && same_key(self.ordinal(lines[line].get(at)), ordinal)
                    };
                    if let Some(at) = (0..free).find(same) {
                        duplicates.push((self.ordinal(lines[line].get(at)), ordinal));
                        continue 'next;
                    }
                }
                if free < LINE_SLOTS {
                    lines[line].set(free, self.tagged(hash, ordinal));
                    checks[line][free] = check;
                    taken[line] += 1;
                    count += 1;
                    continue 'next;
                }
            }
            behind.push((hash, ordinal));
        }
        let (pages, _) = lines.as_chunks();
        let unused = self.chunks[segment][0].clone();
        let page = |index: usize| match pages.get(index) {
            Some(page) if index * PAGE_SLOTS < length => Arc::new(Page(*page)),
            _ => unused.clone(),
        };
        Segment {
            chunk: std::array::from_fn(page),
            count,
            behind,
            duplicates,
        }
    }

    /// Number of ordinals in the table.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether so many more ordinals would make searches slow, or `last` among them is too large for a slot: the caller
    /// builds the table anew then.
    pub(crate) fn is_full_with(&self, more: usize, last: Ordinal) -> bool {
        (self.count + more) * MAX_LOAD.1 > self.slots * MAX_LOAD.0 || last >= !self.tag_mask()
    }

    /// The first slot of a line.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        let lines = self.slots / LINE_SLOTS;
        ((((hash >> 32) * lines as u64) >> 32) as usize) * LINE_SLOTS
    }

    #[inline]
    fn page(&self, slot: usize) -> &Page {
        let page = slot / PAGE_SLOTS;
        &self.chunks[page / CHUNK_PAGES][page % CHUNK_PAGES]
    }

    #[inline]
    fn line(&self, slot: usize) -> &Line {
        &self.page(slot).0[slot % PAGE_SLOTS / LINE_SLOTS]
    }

    #[inline]
    fn next(&self, slot: usize) -> usize {
        if slot + 1 == self.slots { 0 } else { slot + 1 }
    }

    fn set(&mut self, slot: usize, value: u32) {
        let page = slot / PAGE_SLOTS;
        let chunk = &mut self.chunks[page / CHUNK_PAGES];
        if Arc::strong_count(chunk) > 1 {
            await_counts(chunk.iter());
        }
        let chunk = Arc::make_mut(chunk);
        let page = Arc::make_mut(&mut chunk[page % CHUNK_PAGES]);
        page.0[slot % PAGE_SLOTS / LINE_SLOTS].set(slot % LINE_SLOTS, value);
    }

    /// The first ordinal at the home of `hash` that it can belong to. Mostly it is the right one; seldom none of the table.
    #[inline]
    pub(crate) fn candidate(&self, hash: u64) -> Option<Ordinal> {
        let line = self.line(self.home(hash));
        let high = |slot: u32| (slot >> 16) as u16;
        let alike = alike(
            &line.high,
            high(self.tagged(hash, 0)),
            high(self.tag_mask()),
        );
        // The mask changes nothing: it spares a check of bounds.
        let first = alike.trailing_zeros() as usize % LINE_SLOTS;
        (alike != 0).then(|| self.ordinal(line.get(first)))
    }

    fn search(&self, hash: u64, mut is_it: impl FnMut(Ordinal) -> bool) -> Found {
        let mut at = self.home(hash);
        let tagged = self.tagged(hash, 0);
        loop {
            for (offset, slot) in self.line(at).slots().enumerate() {
                if slot == EMPTY {
                    return Found::EmptyAt(at + offset);
                }
                if slot & self.tag_mask() == tagged && is_it(self.ordinal(slot)) {
                    return Found::At(at + offset, self.ordinal(slot));
                }
            }
            at += LINE_SLOTS;
            if at == self.slots {
                at = 0;
            }
        }
    }

    /// The first ordinal under `hash` that `is_it` accepts.
    pub(crate) fn find(&self, hash: u64, is_it: impl FnMut(Ordinal) -> bool) -> Option<Ordinal> {
        match self.search(hash, is_it) {
            Found::At(_, ordinal) => Some(ordinal),
            Found::EmptyAt(_) => None,
        }
    }

    /// Adds an ordinal. The table must not be full.
    pub(crate) fn insert(&mut self, hash: u64, ordinal: Ordinal) {
        if let Found::EmptyAt(at) = self.search(hash, |_| false) {
            self.set(at, self.tagged(hash, ordinal));
            self.count += 1;
        }
    }

    /// Waits for the homes of all these at once, before they are changed one after the other.
    pub(crate) fn await_homes(&self, hashes: impl Iterator<Item = u64>) {
        await_all(hashes.map(|hash| self.line(self.home(hash)).high[0]));
    }

    /// Puts `new` in the place of `old`, which has the same hash. Whether `old` was there.
    pub(crate) fn replace(&mut self, hash: u64, old: Ordinal, new: Ordinal) -> bool {
        match self.search(hash, |ordinal| ordinal == old) {
            Found::At(at, _) => {
                self.set(at, self.tagged(hash, new));
                true
            }
            Found::EmptyAt(_) => false,
        }
    }

    /// Takes an ordinal out and closes the gap behind it, for which `hash_of` gives the hash of other ordinals in the
    /// table. Whether it was there.
    pub(crate) fn remove(
        &mut self,
        hash: u64,
        ordinal: Ordinal,
        mut hash_of: impl FnMut(Ordinal) -> u64,
    ) -> bool {
        let Found::At(mut gap, _) = self.search(hash, |found| found == ordinal) else {
            return false;
        };
        self.count -= 1;
        let mut at = gap;
        loop {
            at = self.next(at);
            let slot = self.line(at).get(at % LINE_SLOTS);
            if slot == EMPTY {
                break;
            }
            let home = self.home(hash_of(self.ordinal(slot)));
            // The slot moves into the gap unless its home lies cyclically in (gap, at].
            let stays = if gap < at {
                gap < home && home <= at
            } else {
                gap < home || home <= at
            };
            if !stays {
                self.set(gap, slot);
                gap = at;
            }
        }
        self.set(gap, EMPTY);
        true
    }

    /// Bytes on the heap, what other versions share included.
    pub(crate) fn heap_bytes(&self) -> usize {
        const COUNTS: usize = 16;
        self.slots / PAGE_SLOTS * (size_of::<Page>() + COUNTS)
            + self.chunks.len() * (size_of::<Arc<Chunk>>() + size_of::<Chunk>() + COUNTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn build(
        pairs: &[(u64, Ordinal)],
        same_key: impl Fn(Ordinal, Ordinal) -> bool + Sync,
        duplicate: impl FnMut(Ordinal, Ordinal),
    ) -> Slots {
        let last = pairs.iter().map(|&(_, ordinal)| ordinal).max().unwrap_or(0);
        let runs: Vec<&[(u64, Ordinal)]> = pairs.chunks(1000).collect();
        let put = |run: &&[(u64, Ordinal)], scatter: &mut Scatter<'_>| {
            for &(hash, ordinal) in *run {
                scatter.put(hash, ordinal);
            }
        };
        Slots::build((pairs.len(), last), &runs, put, same_key, duplicate)
    }

    /// Few distinct homes, so that probes run into each other and around the end.
    fn hash(key: u32) -> u64 {
        u64::from(key % 7) * 0x2492_4924_0000_0000 + u64::from(key)
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(operations in proptest::collection::vec((any::<bool>(), 0u32..150), 0..400)) {
            let mut slots = Slots::with_room_for(100, 149);
            let mut model = BTreeMap::new();
            let before = slots.clone();
            for (insert, key) in operations {
                if insert && !slots.is_full_with(1, key) && !model.contains_key(&key) {
                    slots.insert(hash(key), key);
                    model.insert(key, ());
                } else if !insert {
                    prop_assert_eq!(slots.remove(hash(key), key, hash), model.remove(&key).is_some());
                }
                prop_assert_eq!(slots.len(), model.len());
            }
            for key in 0..150 {
                prop_assert_eq!(slots.find(hash(key), |o| o == key).is_some(), model.contains_key(&key));
                prop_assert_eq!(before.find(hash(key), |o| o == key), None);
            }
        }
    }

    #[test]
    fn build_finds_all_and_reports_duplicates() {
        let pairs: Vec<(u64, Ordinal)> = (0..3000).map(|key| (hash(key / 2), key)).collect();
        let mut duplicates = Vec::new();
        let slots = build(
            &pairs,
            |a, b| a / 2 == b / 2,
            |a, b| duplicates.push((a, b)),
        );
        assert_eq!(slots.len(), 1500);
        assert_eq!(duplicates.len(), 1500);
        assert!(duplicates.iter().all(|(a, b)| a + 1 == *b));
        assert!((0..1500).all(|key| slots.find(hash(key), |o| o / 2 == key) == Some(key * 2)));
    }

    #[test]
    fn a_copy_shares_what_it_does_not_change() {
        let pairs: Vec<(u64, Ordinal)> = (0..10_000u32)
            .map(|k| (u64::from(k).wrapping_mul(0x9e37_79b9_7f4a_7c15), k))
            .collect();
        let slots = build(&pairs, |_, _| false, |_, _| {});
        let mut changed = slots.clone();
        assert!(changed.remove(pairs[77].0, 77, |o| pairs[o as usize].0));
        let shared = slots
            .chunks
            .iter()
            .zip(&changed.chunks)
            .filter(|(a, b)| Arc::ptr_eq(a, b))
            .count();
        assert!(
            shared + 2 >= slots.chunks.len(),
            "{shared} of {}",
            slots.chunks.len()
        );
        assert_eq!(slots.find(pairs[77].0, |o| o == 77), Some(77));
        assert_eq!(changed.find(pairs[77].0, |o| o == 77), None);
    }
}
