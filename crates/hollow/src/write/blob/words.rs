//! Bit-packed arrays on their way to a blob: elements are appended, and whole words leave big-endian.

use crate::codec::bits::{mask, words_for};
use crate::codec::varint::write_vlong;

/// Appends elements of up to 64 bits; the result is a `longs` (format section 1).
#[derive(Debug, Default)]
pub(super) struct Words {
    bytes: Vec<u8>,
    word: u64,
    /// Bits of `word` in use, below 64.
    filled: u32,
}

impl Words {
    pub(super) fn with_capacity(bits: u64) -> Self {
        Self {
            bytes: Vec::with_capacity(words_for(bits) as usize * 8),
            ..Self::default()
        }
    }

    /// Appends the low `width` bits of `value`; the bits above them must be 0.
    #[inline]
    pub(super) fn push(&mut self, value: u64, width: u32) {
        debug_assert!(value <= mask(width), "{value} in {width} bits");
        self.word |= value << self.filled;
        let end = self.filled + width;
        if end < u64::BITS {
            self.filled = end;
            return;
        }
        self.bytes.extend_from_slice(&self.word.to_be_bytes());
        let rest = end - u64::BITS;
        // `filled` is below 64, so `width - rest` is above 0; with `rest` 0 everything has left.
        self.word = if rest == 0 {
            0
        } else {
            value >> (width - rest)
        };
        self.filled = rest;
    }

    /// Appends elements of one width, as many as fit into a word at a time.
    #[inline]
    pub(super) fn push_all(&mut self, values: impl Iterator<Item = u64>, width: u32) {
        let (mut word, mut filled) = (0, 0);
        for value in values {
            word |= value << filled;
            filled += width;
            if filled + width > u64::BITS {
                self.push(word, filled);
                (word, filled) = (0, 0);
            }
        }
        self.push(word, filled);
    }

    /// Appends the array with room for `min_bits` bits at least, and its count of words in front.
    pub(super) fn finish(mut self, min_bits: u64, out: &mut Vec<u8>) {
        if self.filled > 0 {
            self.bytes.extend_from_slice(&self.word.to_be_bytes());
        }
        let words = words_for(min_bits).max(self.bytes.len() as u64 / 8);
        write_vlong(out, words);
        out.extend_from_slice(&self.bytes);
        out.resize(out.len() + words as usize * 8 - self.bytes.len(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn elements_come_in_together_as_one_by_one(width in 0_u32..=64, before in 0_u32..64, elements in proptest::collection::vec(any::<u64>(), 0..50)) {
            let (mut one_by_one, mut together) = (Words::default(), Words::default());
            one_by_one.push(0, before);
            together.push(0, before);
            let elements = || elements.iter().map(|element| element & mask(width));
            elements().for_each(|element| one_by_one.push(element, width));
            together.push_all(elements(), width);
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            one_by_one.finish(0, &mut expected);
            together.finish(0, &mut found);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn elements_come_back(elements in proptest::collection::vec((0_u32..=64, any::<u64>()), 0..50), extra in 0_u64..200) {
            let mut words = Words::with_capacity(64);
            let mut bits = 0;
            for &(width, value) in &elements {
                words.push(value & mask(width), width);
                bits += u64::from(width);
            }
            let mut out = Vec::new();
            words.finish(bits + extra, &mut out);
            prop_assert_eq!(u64::from(out[0]), words_for(bits + extra));
            let read: Vec<u64> = out[1..].as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word)).collect();
            prop_assert_eq!(read.len() as u64, words_for(bits + extra));
            let mut at = 0;
            for &(width, value) in &elements {
                prop_assert_eq!(crate::codec::bits::get(&read, at, width), value & mask(width));
                at += width as usize;
            }
        }
    }
}
