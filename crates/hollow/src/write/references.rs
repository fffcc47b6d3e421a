//! How many references of committed records lead to each record.
//!
//! An incremental cycle is told what its records are replaced by, but not what becomes of their children: a child goes when
//! nothing refers to it any more. What a cycle counts is told by its added and removed records, so it is taken back from these,
//! without a note of every reference.

use super::types::TypeWriter;
use crate::Ordinal;

/// For each type the number of references to each ordinal.
#[derive(Debug)]
pub(super) struct References {
    counts: Vec<Vec<u32>>,
    /// Whether the open cycle is counted.
    has_cycle: bool,
}

impl References {
    /// Those of all committed records. A foreign state can refer to what is not there: beyond the last ordinal that is not
    /// counted.
    pub(super) fn of(types: &[TypeWriter]) -> Self {
        let room = |writer: &TypeWriter| {
            let last = writer.state.as_ref().and_then(|state| state.last_ordinal());
            vec![0; last.map_or(0, |last| last as usize + 1)]
        };
        let mut counts: Vec<Vec<u32>> = types.iter().map(room).collect();
        let mut elements = Vec::new();
        for writer in types.iter().filter(|writer| writer.links.any()) {
            let Some(state) = &writer.state else { continue };
            for ordinal in state.ordinals() {
                writer
                    .links
                    .for_each_of(state, ordinal, &mut elements, |target, child| {
                        if let Some(count) = counts[target].get_mut(child as usize) {
                            *count += 1;
                        }
                    });
            }
        }
        Self {
            counts,
            has_cycle: false,
        }
    }

    /// The number of references to a record of the type at `target`.
    #[inline]
    pub(super) fn count(&self, target: usize, ordinal: Ordinal) -> u32 {
        let count = self.counts[target].get(ordinal as usize);
        count.copied().unwrap_or(0)
    }

    /// One reference less; returns how many are left.
    #[inline]
    pub(super) fn drop_one(&mut self, target: usize, ordinal: Ordinal) -> u32 {
        let count = self.counts[target].get_mut(ordinal as usize);
        count.map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        })
    }

    /// One reference more.
    #[inline]
    pub(super) fn add_one(&mut self, target: usize, ordinal: Ordinal) {
        let (counts, at) = (&mut self.counts[target], ordinal as usize);
        if at >= counts.len() {
            counts.resize(at + 1, 0);
        }
        counts[at] += 1;
    }

    /// Counts what the live new records of the cycle refer to.
    pub(super) fn add_new(&mut self, types: &[TypeWriter]) {
        for writer in types.iter().filter(|writer| writer.links.any()) {
            let links = &writer.links;
            let new = writer.live_staged();
            new.for_each(|record| {
                links.for_each(record, |target, child| self.add_one(target, child))
            });
        }
        self.hold_cycle();
    }

    /// What the open cycle refers to is counted, and can be taken back.
    pub(super) fn hold_cycle(&mut self) {
        self.has_cycle = true;
    }

    /// Counts no more what the removed records of the cycle refer to.
    pub(super) fn drop_removed(&mut self, types: &[TypeWriter]) {
        for writer in types.iter().filter(|writer| writer.links.any()) {
            for (_, record) in writer.cycle.removed.iter() {
                writer.links.for_each(record, |target, child| {
                    self.drop_one(target, child);
                });
            }
        }
    }

    /// Takes back what the cycle counted.
    pub(super) fn rollback(&mut self, types: &[TypeWriter]) {
        if !std::mem::take(&mut self.has_cycle) {
            return;
        }
        for writer in types.iter().filter(|writer| writer.links.any()) {
            for (_, record) in writer.cycle.removed.iter() {
                writer
                    .links
                    .for_each(record, |target, child| self.add_one(target, child));
            }
        }
        for writer in types.iter().filter(|writer| writer.links.any()) {
            for record in writer.live_staged() {
                writer.links.for_each(record, |target, child| {
                    self.drop_one(target, child);
                });
            }
        }
    }

    /// What the cycle counted counts for good.
    pub(super) fn commit(&mut self) {
        self.has_cycle = false;
    }
}
