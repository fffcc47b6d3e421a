//! Numbers from one encoding into the other without building them: both have the same zig-zagged groups of seven bits, Avro the
//! least significant one first and records the most significant one.

use hollow::codec::varint;

/// A number of up to 56 bits in its shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// A byte for each, the least significant one lowest.
    groups: u64,
    /// Eight for each.
    bits: u32,
}

/// All bytes that are followed by another one.
const MORE: u64 = 0x8080_8080_8080_8080;

impl Groups {
    /// The number that a word begins with, the first byte lowest, if it is such a one.
    #[inline]
    pub(super) fn new(word: u64) -> Option<Self> {
        let last = !word & MORE;
        if last == 0 {
            return None;
        }
        let bits = last.trailing_zeros() + 1;
        let groups = word & !MORE & (last ^ (last - 1));
        if bits > 8 && groups >> (bits - 8) == 0 {
            return None;
        }
        Some(Self { groups, bits })
    }

    /// A number, if it is such a one.
    #[inline]
    pub(crate) fn of(value: i64) -> Option<Self> {
        let number = varint::zigzag_long(value);
        if number >> 56 != 0 {
            return None;
        }
        let halves = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
        let pairs = halves & 0x3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
        let groups = pairs & 0x007f_007f_007f_007f | (pairs & 0x3f80_3f80_3f80_3f80) << 1;
        let bits = 64 - (groups | 1).leading_zeros();
        let bits = bits.next_multiple_of(8);
        Some(Self { groups, bits })
    }

    /// The number as Avro has it, the first byte lowest.
    #[inline]
    pub(crate) fn avro(self) -> u64 {
        self.groups | MORE & (u64::MAX >> (64 - self.bits)) >> 8
    }

    #[inline]
    pub(super) fn value(self) -> i64 {
        let groups = self.groups;
        let pairs = groups & 0x007f_007f_007f_007f | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
        let halves = pairs & 0x3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        varint::unzigzag_long(halves & 0x0fff_ffff | (halves & 0x0fff_ffff_0000_0000) >> 4)
    }

    /// The number as a record has it, the first byte lowest, and its length.
    #[inline]
    pub(crate) fn stored(self) -> (u64, usize) {
        let marked = self.groups | MORE << 8;
        let line = (marked << (64 - self.bits)).swap_bytes();
        (line, (self.bits / 8) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::bytes::Input;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_those_that_are_read_one_byte_at_a_time(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x80)], 8..20)) {
            let mut slow = Input::new(&bytes);
            let word = slow.word();
            let number = slow.long();
            if let Some(groups) = Groups::new(word) {
                prop_assert_eq!(Ok(groups.value()), number);
                let mut expected = Vec::new();
                varint::write_vlong(&mut expected, varint::zigzag_long(groups.value()));
                let (line, len) = groups.stored();
                prop_assert_eq!(&line.to_le_bytes()[..len], &expected[..]);
                prop_assert_eq!(bytes.len() - slow.remaining(), len);
            }
        }

        #[test]
        fn numbers_of_up_to_56_bits_are_taken(value in -(1_i64 << 55)..1 << 55, shift in 0..55, behind: u64) {
            let value = value >> shift;
            let mut rest = varint::zigzag_long(value);
            let mut bytes = Vec::new();
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes.extend_from_slice(&behind.to_le_bytes());
            let mut ahead = [0; 8];
            ahead.copy_from_slice(&bytes[..8]);
            let found = Groups::new(u64::from_le_bytes(ahead));
            prop_assert_eq!(found.map(Groups::value), Some(value));
            prop_assert_eq!(found, Groups::of(value));
            prop_assert_eq!(found.map(|groups| Groups::new(groups.avro())), Some(found));
        }

        #[test]
        fn larger_numbers_are_not_taken(value: i64) {
            prop_assert_eq!(Groups::of(value).is_some(), (-(1 << 55)..1 << 55).contains(&value));
        }
    }
}
