//! Builders of LIST, SET and MAP records.

use crate::Ordinal;
use crate::codec::hash::hash_int;
use crate::codec::varint::write_vint;

use super::home_mask;

/// Builds the serialized form of LIST records; reusable.
///
/// ```
/// let mut list = hollow::record::ListRecord::new();
/// list.push(7);
/// list.push(7);
/// assert_eq!(list.bytes(), [2, 7, 7]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ListRecord {
    elements: Vec<Ordinal>,
    serialized: Vec<u8>,
}

impl ListRecord {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the list.
    pub fn reset(&mut self) {
        self.elements.clear();
    }

    /// Adds an element at the end; lists keep order and repeats.
    pub fn push(&mut self, element: Ordinal) {
        self.elements.push(element);
    }

    /// The serialized record (format 9.1).
    pub fn bytes(&mut self) -> &[u8] {
        self.serialized.clear();
        write_vint(&mut self.serialized, self.elements.len() as u32);
        for &element in &self.elements {
            write_vint(&mut self.serialized, element);
        }
        &self.serialized
    }
}

/// Builds the serialized form of SET records; reusable. An element that is inserted twice is in the set once (Hollow's
/// own builder would store it twice).
///
/// ```
/// let mut set = hollow::record::SetRecord::new();
/// for element in [9, 2, 5, 2] {
///     set.insert(element);
/// }
/// assert_eq!(set.bytes(), [3, 2, 1, 3, 3, 4, 2]); // the format's example
/// ```
#[derive(Debug, Clone, Default)]
pub struct SetRecord {
    elements: Vec<Ordinal>,
    /// Whether an element was inserted that is not above the one before it.
    is_unsorted: bool,
    serialized: Vec<u8>,
}

impl SetRecord {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the set.
    pub fn reset(&mut self) {
        self.elements.clear();
        self.is_unsorted = false;
    }

    /// Inserts an element, in any order.
    #[inline]
    pub fn insert(&mut self, element: Ordinal) {
        self.is_unsorted |= self.elements.last().is_some_and(|&last| last >= element);
        self.elements.push(element);
    }

    /// The serialized record (format 9.1).
    pub fn bytes(&mut self) -> &[u8] {
        if self.is_unsorted {
            sort_once(&mut self.elements);
            self.is_unsorted = false;
        }
        let mask = home_mask(self.elements.len() as u32);
        self.serialized.clear();
        write_set(&mut self.serialized, &self.elements, mask);
        &self.serialized
    }
}

/// Sorts ordinals and drops repeats. What a set refers to was mostly added early, so its ordinals are small: each is a bit then,
/// and nothing is compared.
fn sort_once(elements: &mut Vec<Ordinal>) {
    const BITS: usize = 64;
    let mut words = [0_u64; 16];
    let greatest = elements.iter().copied().max().unwrap_or(0) as usize;
    if elements.len() < 4 || greatest >= words.len() * BITS {
        elements.sort_unstable();
        elements.dedup();
        return;
    }
    // A bit for each word that has any.
    let mut used = 0_u32;
    for &element in &*elements {
        let word = element as usize / BITS;
        words[word] |= 1 << (element as usize % BITS);
        used |= 1 << word;
    }
    elements.clear();
    while used != 0 {
        let at = used.trailing_zeros();
        used &= used - 1;
        let mut word = words[at as usize];
        while word != 0 {
            elements.push(at * BITS as u32 + word.trailing_zeros());
            word &= word - 1;
        }
    }
}

/// Appends the serialized form of a SET of these elements, ascending, whose hashes are cut to buckets by `mask`.
pub(crate) fn write_set(out: &mut Vec<u8>, elements: &[Ordinal], mask: u32) {
    write_vint(out, elements.len() as u32);
    let Some((&first, rest)) = elements.split_first() else {
        return;
    };
    write_vint(out, first);
    write_vint(out, home(first, mask));
    if !write_pairs(out, first, rest, mask) {
        let mut previous = first;
        for &element in rest {
            write_vint(out, element - previous);
            write_vint(out, home(element, mask));
            previous = element;
        }
    }
}

#[inline]
fn home(element: Ordinal, mask: u32) -> u32 {
    hash_int(element as i32) as u32 & mask
}

/// Writes gaps and homes of elements that ascend from `previous` if no number takes more than two bytes; whether it did.
/// Where each takes one byte, no step depends on the one before it.
fn write_pairs(out: &mut Vec<u8>, before: Ordinal, elements: &[Ordinal], mask: u32) -> bool {
    let start = out.len();
    let last = elements.last().copied().unwrap_or(before);
    if mask < 0x80 {
        out.resize(start + 2 * elements.len(), 0);
        let (pairs, _) = out[start..].as_chunks_mut();
        let (mut previous, mut gaps) = (before, 0);
        for (pair, &element) in pairs.iter_mut().zip(elements) {
            let gap = element - previous;
            gaps |= gap;
            *pair = [gap as u8, home(element, mask) as u8];
            previous = element;
        }
        if gaps < 0x80 {
            return true;
        }
        out.truncate(start);
    }
    if mask | (last - before) >= 0x4000 {
        return false;
    }
    out.resize(start + 4 * elements.len(), 0);
    let bytes = &mut out[start..];
    let (mut previous, mut end) = (before, 0);
    for &element in elements {
        for value in [element - previous, home(element, mask)] {
            // Both bytes are written, and the second one again if it was not needed: no branch to guess.
            let is_long = value >= 0x80;
            bytes[end] = if is_long {
                0x80 | (value >> 7) as u8
            } else {
                value as u8
            };
            end += usize::from(is_long);
            bytes[end] = (value & 0x7f) as u8;
            end += 1;
        }
        previous = element;
    }
    out.truncate(start + end);
    true
}

/// Builds the serialized form of MAP records; reusable. Of several values for one key the last one stays.
///
/// ```
/// let mut map = hollow::record::MapRecord::new();
/// map.insert(9, 1);
/// map.insert(2, 300);
/// assert_eq!(map.bytes(), [2, 2, 0x82, 0x2c, 1, 7, 1, 2]); // the format's example
/// ```
#[derive(Debug, Clone, Default)]
pub struct MapRecord {
    entries: Vec<(Ordinal, Ordinal)>,
    serialized: Vec<u8>,
}

impl MapRecord {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the map.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// Sets the value of a key, in any order.
    pub fn insert(&mut self, key: Ordinal, value: Ordinal) {
        self.entries.push((key, value));
    }

    /// The serialized record (format 9.1).
    pub fn bytes(&mut self) -> &[u8] {
        // A stable sort keeps the entries of one key in the order of inserting.
        self.entries.sort_by_key(|&(key, _)| key);
        let mut kept = 0;
        for at in 0..self.entries.len() {
            if at > 0 && self.entries[kept - 1].0 == self.entries[at].0 {
                kept -= 1;
            }
            self.entries[kept] = self.entries[at];
            kept += 1;
        }
        self.entries.truncate(kept);
        let mask = home_mask(self.entries.len() as u32);
        let out = &mut self.serialized;
        out.clear();
        write_vint(out, self.entries.len() as u32);
        let mut previous = 0;
        for &(key, value) in &self.entries {
            write_vint(out, key - previous);
            write_vint(out, value);
            write_vint(out, hash_int(key as i32) as u32 & mask);
            previous = key;
        }
        &self.serialized
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn elements_are_sorted_and_there_once(
            elements in prop_oneof![
                proptest::collection::vec(0u32..5000, 0..100),
                proptest::collection::vec(0u32..300, 0..100),
                proptest::collection::vec(any::<u32>(), 0..10),
            ],
        ) {
            let mut sorted = elements.clone();
            sort_once(&mut sorted);
            let expected: std::collections::BTreeSet<_> = elements.into_iter().collect();
            prop_assert_eq!(sorted, expected.into_iter().collect::<Vec<_>>());
        }

        /// Sets whose numbers take one byte, two, and more.
        #[test]
        fn sets_are_written_number_by_number(
            gaps in prop_oneof![
                proptest::collection::vec(1u32..100, 0..80),
                proptest::collection::vec(1u32..100, 80..300),
                proptest::collection::vec(prop_oneof![1u32..200, 1u32..40_000], 0..300),
            ],
        ) {
            let mut set = SetRecord::new();
            let mut expected = Vec::new();
            write_vint(&mut expected, gaps.len() as u32);
            let mask = home_mask(gaps.len() as u32);
            let mut element = 0;
            for gap in gaps {
                element += gap;
                set.insert(element);
                write_vint(&mut expected, gap);
                write_vint(&mut expected, home(element, mask));
            }
            prop_assert_eq!(set.bytes(), expected);
        }
    }
}
