//! Bit-packed arrays over 64-bit words: the element at bit offset `b` begins at bit `b & 63` of word `b >> 6`, counted
//! from the least significant, and goes on into the low bits of the next word (section 1).

/// The bit length of `value`: 0 for 0, 1 for 1, 2 for 2 and 3.
#[inline]
pub fn bits(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// `width` ones. Widths above 64 count as 64.
#[inline]
pub fn mask(width: u32) -> u64 {
    1u64.unbounded_shl(width).wrapping_sub(1)
}

/// Words that hold `bits` bits.
#[inline]
pub fn words_for(bits: u64) -> u64 {
    bits.div_ceil(64)
}

/// The element of `width` bits (0 to 64) at bit `offset`. Bits behind the last word read as 0.
#[inline]
pub fn get(words: &[u64], offset: usize, width: u32) -> u64 {
    get_masked(words, offset, mask(width))
}

/// As [`get`], for a caller that has the mask of the width.
#[inline]
pub fn get_masked(words: &[u64], offset: usize, mask: u64) -> u64 {
    let word = offset >> 6;
    let shift = (offset & 63) as u32;
    // Both words are read even if one would do: which elements lie across two is as good as random.
    if word + 1 < words.len() {
        let (low, high) = (words[word], words[word + 1]);
        return (low >> shift | high << 1 << (63 - shift)) & mask;
    }
    words.get(word).map_or(0, |low| low >> shift) & mask
}

/// Overwrites the element of `width` bits (0 to 64) at bit `offset` with the low bits of `value`.
///
/// # Panics
/// If the element does not lie within `words`: the array's size is the caller's, never a blob's.
#[inline]
pub fn set(words: &mut [u64], offset: usize, width: u32, value: u64) {
    if width == 0 {
        return;
    }
    let mask = mask(width);
    let value = value & mask;
    let word = offset >> 6;
    let shift = (offset & 63) as u32;
    words[word] = words[word] & !(mask << shift) | value << shift;
    if shift + width > 64 {
        words[word + 1] = words[word + 1] & !(mask >> (64 - shift)) | value >> (64 - shift);
    }
}

/// Adds the low `width` bits of `value` to an element that is still zero: one pass less over memory than [`set`].
///
/// # Panics
/// As [`set`].
#[inline]
pub fn or(words: &mut [u64], offset: usize, width: u32, value: u64) {
    if width == 0 {
        return;
    }
    let value = value & mask(width);
    let word = offset >> 6;
    let shift = (offset & 63) as u32;
    words[word] |= value << shift;
    if shift + width > 64 {
        words[word + 1] |= value >> (64 - shift);
    }
}

/// Overwrites `length` bits of `to` at `to_offset` by those of `from` at `from_offset`, a word at a time.
///
/// # Panics
/// If the target does not lie within `to`.
pub fn copy(from: &[u64], from_offset: usize, to: &mut [u64], to_offset: usize, length: usize) {
    let mut done = 0;
    if (from_offset | to_offset) & 63 == 0 {
        let words = length >> 6;
        let (from_word, to_word) = (from_offset >> 6, to_offset >> 6);
        if let Some(from) = from.get(from_word..from_word + words) {
            to[to_word..to_word + words].copy_from_slice(from);
            done = words << 6;
        }
    }
    while done < length {
        let width = (length - done).min(64) as u32;
        set(
            to,
            to_offset + done,
            width,
            get(from, from_offset + done, width),
        );
        done += width as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bit_lengths() {
        assert_eq!([0, 1, 2, 3, 4, u64::MAX].map(bits), [0, 1, 2, 2, 3, 64]);
        assert_eq!([0, 1, 64, 65].map(words_for), [0, 1, 1, 2]);
        assert_eq!(get(&[], 7, 0), 0);
        assert_eq!(get(&[u64::MAX], 60, 64), 0xf);
    }

    proptest! {
        #[test]
        fn elements_keep_apart(elements in proptest::collection::vec((0u32..=64, any::<u64>()), 0..40), seed in any::<u64>()) {
            let total: usize = elements.iter().map(|e| e.0 as usize).sum();
            let mut filled = vec![seed; total.div_ceil(64)];
            let mut zeroed = vec![0; total.div_ceil(64)];
            let mut offset = 0;
            for &(width, value) in &elements {
                set(&mut filled, offset, width, value);
                or(&mut zeroed, offset, width, value);
                offset += width as usize;
            }
            let mut aligned = vec![seed; filled.len() + 1];
            copy(&filled, 0, &mut aligned, 64, total);
            let mut moved = vec![seed; filled.len() + 2];
            copy(&filled, 0, &mut moved, 37, total);
            offset = 0;
            for &(width, value) in &elements {
                let expected = value & mask(width);
                prop_assert_eq!(get(&filled, offset, width), expected);
                prop_assert_eq!(get(&zeroed, offset, width), expected);
                prop_assert_eq!(get(&moved, offset + 37, width), expected);
                prop_assert_eq!(get(&aligned, offset + 64, width), expected);
                offset += width as usize;
            }
            prop_assert_eq!(get(&moved, 0, 37), seed & mask(37));
            prop_assert_eq!(aligned[0], seed);
        }
    }
}
