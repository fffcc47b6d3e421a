//! What an incremental cycle says about records, by ordinal.

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
}
