//! Records that many others refer to, as they were met last.
//!
//! A set of a hundred countries stands in a hundred thousand windows, and each of them adds it anew. Comparing its bytes
//! with those of the last time costs a tenth of hashing it and comparing it with its row, element by element.

use crate::Ordinal;
use hashbrown::HashSet;

/// Places for records; two of one place take turns.
const SLOTS: usize = 4096;
/// Bytes that are remembered before all is forgotten.
const BYTES_MAX: usize = 1 << 20;
/// A record of more bytes is not worth its room.
const RECORD_MAX: usize = 1 << 12;

/// Some records of a type with their ordinals: of the committed state, or staged.
#[derive(Debug, Default)]
pub(super) struct Shared {
    slots: Vec<Slot>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    start: u32,
    length: u32,
    ordinal: Ordinal,
}

impl Shared {
    /// The ordinal of a record, if it is one of these.
    #[inline]
    pub(super) fn find(&self, place: usize, record: &[u8]) -> Option<Ordinal> {
        let slot = self.slots.get(place % SLOTS)?;
        let start = slot.start as usize;
        let known = self.bytes.get(start..start + slot.length as usize)?;
        (known == record && !record.is_empty()).then_some(slot.ordinal)
    }

    /// Remembers a record.
    pub(super) fn insert(&mut self, place: usize, record: &[u8], ordinal: Ordinal) {
        if record.len() > RECORD_MAX || self.find(place, record).is_some() {
            return;
        }
        if self.bytes.len() + record.len() > BYTES_MAX {
            self.clear();
        }
        self.slots.resize(SLOTS, Slot::default());
        self.slots[place % SLOTS] = Slot {
            start: self.bytes.len() as u32,
            length: record.len() as u32,
            ordinal,
        };
        self.bytes.extend_from_slice(record);
    }

    /// Forgets the records of some ordinals.
    pub(super) fn forget(&mut self, ordinals: &[Ordinal]) {
        if self.slots.is_empty() || ordinals.is_empty() {
            return;
        }
        let gone: HashSet<Ordinal> = ordinals.iter().copied().collect();
        for slot in &mut self.slots {
            if gone.contains(&slot.ordinal) {
                *slot = Slot::default();
            }
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_was_remembered_or_nothing(records in proptest::collection::vec((0_usize..6, proptest::collection::vec(0_u8..4, 0..5)), 0..40)) {
            let mut shared = Shared::default();
            for (ordinal, (place, record)) in records.iter().enumerate() {
                shared.insert(*place, record, ordinal as Ordinal);
                let found = shared.find(*place, record).map(|found| &records[found as usize].1);
                prop_assert!(found.is_none_or(|found| found == record));
                prop_assert_eq!(found.is_some(), !record.is_empty());
            }
        }
    }

    #[test]
    fn forgets_what_is_gone() {
        let mut shared = Shared::default();
        shared.insert(1, b"one", 1);
        shared.insert(2, b"two", 2);
        shared.forget(&[1, 7]);
        assert_eq!(
            (shared.find(1, b"one"), shared.find(2, b"two")),
            (None, Some(2))
        );
    }

    #[test]
    fn room_is_bounded() {
        let mut shared = Shared::default();
        for number in 0..2_000_u32 {
            let record = [&number.to_le_bytes()[..], &[7; 1_000]].concat();
            shared.insert(number as usize, &record, number);
            assert_eq!(shared.find(number as usize, &record), Some(number));
        }
        assert!(shared.bytes.len() <= BYTES_MAX);
        shared.insert(1, &[1; RECORD_MAX + 1], 1);
        assert_eq!(shared.find(1, &[1; RECORD_MAX + 1]), None);
    }
}
