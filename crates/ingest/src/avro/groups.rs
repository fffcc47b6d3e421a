//! Numbers from one encoding into the other without building them: both have the same zig-zagged groups of seven bits, Avro the
//! least significant one first and records the most significant one.

use super::bytes::Input;
use hollow::codec::varint;

/// A number of up to 56 bits in its shortest form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    /// A byte for each, the least significant one lowest.
    groups: u64,
    /// Eight for each.
    bits: u32,
}

/// All bytes that are followed by another one.
const MORE: u64 = 0x8080_8080_8080_8080;

impl<'a> Input<'a> {
    /// The next number, if it is such a one; nothing is read otherwise.
    #[inline]
    pub(super) fn groups(&mut self) -> Option<Groups> {
        let word = self.word();
        let last = !word & MORE;
        if last == 0 {
            return None;
        }
        let bits = last.trailing_zeros() + 1;
        let groups = word & !MORE & (u64::MAX >> (64 - bits));
        if bits > 8 && groups >> (bits - 8) == 0 {
            return None;
        }
        self.advance((bits / 8) as usize)?;
        Some(Groups { groups, bits })
    }
}

impl Groups {
    #[inline]
    pub(super) fn value(self) -> i64 {
        let groups = self.groups;
        let pairs = groups & 0x007f_007f_007f_007f | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
        let halves = pairs & 0x3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        varint::unzigzag_long(halves & 0x0fff_ffff | (halves & 0x0fff_ffff_0000_0000) >> 4)
    }

    /// The number as a record has it, and its length.
    #[inline]
    pub(super) fn stored(self) -> ([u8; 8], usize) {
        let marked = self.groups | MORE << 8;
        let bytes = (marked << (64 - self.bits)).to_be_bytes();
        (bytes, (self.bits / 8) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_those_that_are_read_one_byte_at_a_time(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x80)], 0..20), from in 0_usize..12) {
            let mut input = Input::new(&bytes);
            if input.take(from).is_err() {
                return Ok(());
            }
            let (mut slow, mut fast) = (input, input);
            let number = slow.long();
            let Some(groups) = fast.groups() else {
                prop_assert_eq!(fast.remaining(), input.remaining());
                return Ok(());
            };
            prop_assert_eq!(Ok(groups.value()), number);
            prop_assert_eq!(fast.remaining(), slow.remaining());
            let mut expected = Vec::new();
            varint::write_vlong(&mut expected, varint::zigzag_long(groups.value()));
            let (stored, len) = groups.stored();
            prop_assert_eq!(&stored[..len], &expected[..]);
        }

        #[test]
        fn numbers_of_up_to_56_bits_are_taken(value in -(1_i64 << 55)..1 << 55, shift in 0..55, behind: Vec<u8>) {
            let value = value >> shift;
            let mut rest = varint::zigzag_long(value);
            let mut bytes = Vec::new();
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes.extend_from_slice(&behind);
            let mut input = Input::new(&bytes);
            prop_assert_eq!(input.groups().map(Groups::value), Some(value));
            prop_assert_eq!(input.remaining(), behind.len());
        }
    }
}
