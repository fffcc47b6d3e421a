//! Pairs of records that one thread compares, one behind the other: what it met in one it knows in the next.

use super::ChangedRecord;
use super::ahead::{self, Ahead};
use super::change::Found;
use super::compare::{Comparison, Records};
use super::plan::{Plan, Sides};
use crate::Ordinal;
use crate::error::Result;
use crate::index::BoundKey;
use std::ops::Range;
use std::sync::Arc;

/// A run of pairs, and what differs in them.
pub(super) struct Piece<'p, 's> {
    of: usize,
    comparison: Comparison<'p, 's>,
    ahead: Ahead,
    changed: Vec<(Ordinal, Ordinal, Range<usize>)>,
}

impl<'p, 's> Piece<'p, 's> {
    /// For records of one type.
    pub(super) fn new(plan: &'p Plan<'s>, of: usize) -> Self {
        Self {
            of,
            comparison: Comparison::new(plan, of),
            ahead: Ahead::default(),
            changed: Vec::new(),
        }
    }

    /// Compares the next pairs.
    pub(super) fn compare(
        &mut self,
        pairs: &[(Ordinal, Ordinal)],
        looks_ahead: bool,
    ) -> Result<()> {
        for pairs in pairs.chunks(ahead::PAIRS) {
            // Ordinals that ascend on both sides are of states that were made alike.
            if looks_ahead && !pairs.is_sorted() {
                self.ahead.touch(self.comparison.plan, self.of, pairs);
            }
            for &(old, new) in pairs {
                let of = self.of;
                let places = self.comparison.records(Records { of, old, new })?;
                if !places.is_empty() {
                    self.changed.push((old, new, places));
                }
            }
        }
        Ok(())
    }

    /// The records that differ.
    pub(super) fn records(self, sides: &Arc<Sides>, new_key: &BoundKey) -> Vec<ChangedRecord> {
        let found = Arc::new(Found {
            sides: sides.clone(),
            nodes: self.comparison.nodes,
            places: self.comparison.places,
            members: self.comparison.members,
        });
        self.changed
            .into_iter()
            .map(|(before, after, places)| ChangedRecord {
                key: new_key.values(after),
                before,
                after,
                found: found.clone(),
                places,
            })
            .collect()
    }
}
