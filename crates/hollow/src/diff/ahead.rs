//! Waiting for memory once for several pairs.
//!
//! Across chains the records of one state are met in an order that is as good as random, and comparing two records ends in
//! branches that a processor cannot see beyond before it knows what it reads. So the records of the next pairs are
//! touched before: a few reads that wait for nothing but memory, for all of them at once, then for what they refer to.

use super::hashed::Shortcut;
use super::plan::{Kind, Plan};
use crate::Ordinal;
use crate::read::{Raw, TypeState};

/// Pairs that are touched together.
pub(super) const PAIRS: usize = 16;
/// How deep references are followed.
const LEVELS: usize = 3;
/// Records of types with fewer are in the cache before long.
const FEW: usize = 1 << 14;

/// Buffers of records to touch: type and ordinal.
#[derive(Default)]
pub(super) struct Ahead {
    level: Vec<(usize, Ordinal)>,
    below: Vec<(usize, Ordinal)>,
}

impl Ahead {
    /// Touches the first state's records of some pairs.
    pub(super) fn touch(&mut self, plan: &Plan<'_>, of: usize, pairs: &[(Ordinal, Ordinal)]) {
        self.level.clear();
        self.level.extend(pairs.iter().map(|&(old, _)| (of, old)));
        let mut read = 0;
        for _ in 0..LEVELS {
            self.below.clear();
            for &(of, ordinal) in &self.level {
                read ^= touch(plan, of, ordinal, &mut self.below);
            }
            std::mem::swap(&mut self.level, &mut self.below);
        }
        std::hint::black_box(read);
    }
}

/// Reads from a record, and adds what it refers to.
#[inline]
fn touch(plan: &Plan<'_>, of: usize, ordinal: Ordinal, below: &mut Vec<(usize, Ordinal)>) -> u64 {
    let types = &plan.types[of];
    let is_read =
        |state: &&TypeState| state.count() > FEW && !matches!(types.shortcut, Shortcut::Hashed(_));
    let Some(state) = types.old.filter(is_read) else {
        return 0;
    };
    match &types.kind {
        Kind::Object(fields) => {
            let Some(view) = state.object(ordinal) else {
                return 0;
            };
            for field in fields {
                if let (Some(child), Some(position)) = (field.child, field.old)
                    && let Raw::Fixed(child_ordinal) = view.raw(position)
                {
                    below.push((child, child_ordinal as Ordinal));
                }
            }
            view.page.first_word(view.row)
        }
        Kind::List(element) => {
            if let Some(first) = state.list(ordinal).and_then(|list| list.get(0)) {
                below.push((*element, first));
            }
            0
        }
        _ => 0,
    }
}
