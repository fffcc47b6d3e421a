//! Marks of records: equal records have equal marks, and different ones mostly others.
//!
//! The elements of two lists are paired by comparing some with many, nearly always in vain. A mark is read from a record's own
//! row and from how many members its sets have, once for each element, so that what is compared in vain is numbers.

use super::equal::{raw, reference};
use super::hashed::Shortcut;
use super::plan::{Kind, Plan};
use crate::Ordinal;
use crate::read::Raw;

/// Of what is not there, or not looked at.
const NOTHING: u64 = 0;
/// Of a value that is null.
const NULL: u64 = 1;

/// The mark of a record of the first state or of the second.
pub(super) fn mark(plan: &Plan<'_>, of: usize, ordinal: Ordinal, is_new: bool) -> u64 {
    let types = &plan.types[of];
    let state = if is_new { types.new } else { types.old };
    match (&types.shortcut, &types.kind) {
        (Shortcut::Hashed(hashed), _) => hashed.mark(ordinal, is_new),
        (Shortcut::Few(_), _) => {
            let set = state.and_then(|state| state.set(ordinal));
            set.map_or(NOTHING, |set| set.len() as u64 + 1)
        }
        (Shortcut::Below, Kind::Object(fields)) => {
            let Some(view) = state.and_then(|state| state.object(ordinal)) else {
                return NOTHING;
            };
            fields.iter().fold(1, |so_far, field| {
                let position = if is_new { field.new } else { field.old };
                let value = match field.child {
                    Some(child) => reference(position, &view)
                        .map_or(NULL, |ordinal| mark(plan, child, ordinal, is_new)),
                    None => match raw(position, &view) {
                        Raw::Null => NULL,
                        Raw::Fixed(value) => value,
                        Raw::Variable(bytes) => bytes.len() as u64,
                    },
                };
                // Odd, so that no bit is lost, and without a pattern.
                (so_far.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
        }
        _ => NOTHING,
    }
}
