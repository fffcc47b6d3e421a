//! The additive sum over the records of a state and their places.

use crate::Ordinal;
use crate::read::{Changes, ReadState, TypeState};
use rayon::prelude::*;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// A sum over all records of a state, each hashed with its type and ordinal. Wrapping addition makes it independent of
/// the order of the records and lets records be taken out again.
///
/// `Display` is 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ChainSum(pub u128);

impl ChainSum {
    /// The sum of a state without records.
    pub const EMPTY: ChainSum = ChainSum(0);

    /// The sum of a state; linear in its records, on all cores.
    pub fn of(state: &ReadState) -> Self {
        Self(state.types().map(sum_of_type).fold(0, u128::wrapping_add))
    }

    /// The sum of `after`, from that of `before` and what a delta changed: costs by the change.
    #[must_use]
    pub fn updated(self, before: &ReadState, after: &ReadState, changes: &Changes) -> Self {
        let mut sum = self.0;
        for change in &changes.types {
            if let Some(state) = before.type_state(&change.type_name) {
                sum = sum.wrapping_sub(sum_of_ordinals(state, &change.removed));
            }
            if let Some(state) = after.type_state(&change.type_name) {
                sum = sum.wrapping_add(sum_of_ordinals(state, &change.added));
            }
        }
        Self(sum)
    }

    /// The sum of the records that a delta put in, as a reader of it has them.
    #[must_use]
    pub fn of_added(after: &ReadState, changes: &Changes) -> Self {
        let sums = changes.types.iter().filter_map(|change| {
            let state = after.type_state(&change.type_name)?;
            Some(sum_of_ordinals(state, &change.added))
        });
        Self(sums.fold(0, u128::wrapping_add))
    }

    /// Puts a record in, by its [`TypeSum::record`].
    #[inline]
    pub fn add(&mut self, record: u128) {
        self.0 = self.0.wrapping_add(record);
    }

    /// Takes a record out.
    #[inline]
    pub fn remove(&mut self, record: u128) {
        self.0 = self.0.wrapping_sub(record);
    }
}

/// Ordinals that one task hashes; up to so many, one thread is as fast as waking others.
const BLOCK: usize = 1024;

/// The sum of some records of a type.
fn sum_of_ordinals(state: &TypeState, ordinals: &[Ordinal]) -> u128 {
    let sums = TypeSum::new(state.name());
    let sum_of_block = |ordinals: &[Ordinal]| {
        let mut buffer = Vec::new();
        ordinals.iter().fold(0u128, |sum, &ordinal| {
            sum.wrapping_add(sums.stored(state, ordinal, &mut buffer))
        })
    };
    match ordinals.len() > 2 * BLOCK {
        true => ordinals
            .par_chunks(BLOCK)
            .map(sum_of_block)
            .reduce(|| 0, u128::wrapping_add),
        false => sum_of_block(ordinals),
    }
}

fn sum_of_type(state: &TypeState) -> u128 {
    let sums = TypeSum::new(state.name());
    let words: Vec<(Ordinal, u64)> = state.populated_words().collect();
    let sum_of_words = |words: &[(Ordinal, u64)]| {
        let mut buffer = Vec::new();
        let mut sum = 0u128;
        for &(first, mut word) in words {
            while word != 0 {
                let ordinal = first + word.trailing_zeros();
                word &= word - 1;
                sum = sum.wrapping_add(sums.stored(state, ordinal, &mut buffer));
            }
        }
        sum
    };
    words
        .par_chunks(64)
        .map(sum_of_words)
        .reduce(|| 0, u128::wrapping_add)
}

impl fmt::Display for ChainSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Hashes the records of one type for a [`ChainSum`].
#[derive(Debug, Clone, Copy)]
pub struct TypeSum {
    type_name: u128,
}

impl TypeSum {
    /// For the records of this type.
    pub fn new(type_name: &str) -> Self {
        Self {
            type_name: xxh3_128(type_name.as_bytes()),
        }
    }

    fn stored(&self, state: &TypeState, ordinal: Ordinal, buffer: &mut Vec<u8>) -> u128 {
        buffer.clear();
        state.serialize(ordinal, buffer);
        if buffer.is_empty() && !state.is_populated(ordinal) {
            return 0;
        }
        self.record(ordinal, buffer)
    }

    /// The summand of one record; `serialized` is its form of section 9.1.
    #[inline]
    pub fn record(&self, ordinal: Ordinal, serialized: &[u8]) -> u128 {
        let mut place = [0; 36];
        place[..16].copy_from_slice(&self.type_name.to_le_bytes());
        place[16..32].copy_from_slice(&xxh3_128(serialized).to_le_bytes());
        place[32..].copy_from_slice(&ordinal.to_le_bytes());
        xxh3_128(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_type_ordinal_and_bytes_and_not_on_order() {
        let (a, b) = (TypeSum::new("A"), TypeSum::new("B"));
        let records = [
            a.record(0, b"x"),
            a.record(1, b"x"),
            a.record(0, b"y"),
            b.record(0, b"x"),
        ];
        let mut forward = ChainSum::EMPTY;
        records.iter().for_each(|&record| forward.add(record));
        let mut backward = ChainSum::EMPTY;
        records
            .iter()
            .rev()
            .for_each(|&record| backward.add(record));
        assert_eq!(forward, backward);
        for (i, record) in records.iter().enumerate() {
            assert!(!records[..i].contains(record));
            forward.remove(*record);
        }
        assert_eq!(forward, ChainSum::EMPTY);
        assert_eq!(backward.to_string().len(), 32);
    }
}
