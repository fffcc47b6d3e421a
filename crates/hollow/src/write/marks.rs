//! What is said about records by ordinal.

use crate::Ordinal;

/// What an incremental cycle says about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Upserted: part of the next state whatever refers to it.
    Pinned,
    /// Deleted or replaced: gone unless something live refers to it.
    Deleted,
    /// Not part of the sealed state.
    Removed,
}

/// A byte for each ordinal: marks are set and asked for at random, many times in a cycle. Clearing costs by the number of
/// marks.
#[derive(Debug, Default)]
pub(super) struct Marks {
    by_ordinal: Vec<Option<Mark>>,
    set: Vec<Ordinal>,
}

impl Marks {
    #[inline]
    pub(super) fn get(&self, ordinal: Ordinal) -> Option<Mark> {
        self.by_ordinal.get(ordinal as usize).copied().flatten()
    }

    #[inline]
    pub(super) fn insert(&mut self, ordinal: Ordinal, mark: Mark) {
        let at = ordinal as usize;
        if at >= self.by_ordinal.len() {
            self.by_ordinal.resize(at + 1, None);
        }
        if self.by_ordinal[at].replace(mark).is_none() {
            self.set.push(ordinal);
        }
    }

    pub(super) fn clear(&mut self) {
        for ordinal in self.set.drain(..) {
            self.by_ordinal[ordinal as usize] = None;
        }
    }
}

/// A bit for each ordinal.
#[derive(Debug, Default)]
pub(super) struct OrdinalSet(Vec<u64>);

impl OrdinalSet {
    #[inline]
    pub(super) fn contains(&self, ordinal: Ordinal) -> bool {
        let word = self.0.get(ordinal as usize / 64);
        word.is_some_and(|word| word >> (ordinal % 64) & 1 != 0)
    }

    #[inline]
    pub(super) fn insert(&mut self, ordinal: Ordinal) {
        let at = ordinal as usize / 64;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (ordinal % 64);
    }

    #[inline]
    pub(super) fn remove(&mut self, ordinal: Ordinal) {
        if let Some(word) = self.0.get_mut(ordinal as usize / 64) {
            *word &= !(1 << (ordinal % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_counts_until_all_are_cleared() {
        let mut marks = Marks::default();
        for ordinal in [3, 900, 3] {
            marks.insert(ordinal, Mark::Deleted);
        }
        marks.insert(3, Mark::Pinned);
        assert_eq!(
            [2, 3, 900, 901].map(|ordinal| marks.get(ordinal)),
            [None, Some(Mark::Pinned), Some(Mark::Deleted), None]
        );
        marks.clear();
        assert!((0..1000).all(|ordinal| marks.get(ordinal).is_none()));
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_not_taken_out() {
        let mut set = OrdinalSet::default();
        [3, 64, 200].into_iter().for_each(|it| set.insert(it));
        set.remove(64);
        set.remove(900);
        assert!((0..1000).filter(|&it| set.contains(it)).eq([3, 200]));
    }
}
