//! Variable-length integers, most significant group first, and zig-zag (section 1).

use super::Cursor;
use crate::error::{Error, Result};

/// The byte that stands for a null where a number could be.
pub const NULL: u8 = 0x80;

/// Appends `value` in its shortest form, 1 to 5 bytes.
#[inline]
pub fn write_vint(out: &mut Vec<u8>, value: u32) {
    write_vlong(out, u64::from(value));
}

/// Appends `value` in its shortest form, 1 to 10 bytes.
#[inline]
pub fn write_vlong(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 0x4000 {
        out.extend_from_slice(&[0x80 | (value >> 7) as u8, (value & 0x7f) as u8]);
    } else {
        write_long_form(out, value);
    }
}

fn write_long_form(out: &mut Vec<u8>, value: u64) {
    let length = vlong_len(value);
    if length <= 8 {
        // A byte for each group of seven bits, all of which but the last say that more follow.
        let halves = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
        let pairs = halves & 0x3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
        let groups = pairs & 0x007f_007f_007f_007f | (pairs & 0x3f80_3f80_3f80_3f80) << 1;
        let marked = groups | 0x8080_8080_8080_8000;
        let end = out.len() + length;
        out.extend_from_slice(&(marked << (64 - 8 * length)).to_be_bytes());
        out.truncate(end);
        return;
    }
    let mut shift = (length - 1) * 7;
    while shift > 0 {
        out.push(0x80 | (value >> shift) as u8);
        shift -= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends the null mark.
#[inline]
pub fn write_null(out: &mut Vec<u8>) {
    out.push(NULL);
}

/// Bytes that [`write_vlong`] (and, for values below 2^32, [`write_vint`]) appends for `value`.
#[inline]
pub fn vlong_len(value: u64) -> usize {
    ((64 - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Reads a number of up to `max_bits` bits from `bytes` at `*at` and moves `*at` behind it.
#[inline]
pub(super) fn read(bytes: &[u8], at: &mut usize, max_bits: u32) -> Result<u64> {
    match bytes.get(*at) {
        Some(&byte) if byte < 0x80 => {
            *at += 1;
            Ok(u64::from(byte))
        }
        _ => read_long_form(bytes, at, max_bits),
    }
}

fn read_long_form(bytes: &[u8], at: &mut usize, max_bits: u32) -> Result<u64> {
    let start = *at;
    let mut value = 0u64;
    let mut position = start;
    loop {
        let Some(&byte) = bytes.get(position) else {
            return Err(Error::Truncated {
                at: start,
                what: "a variable-length number",
            });
        };
        if byte == NULL && position == start {
            return Err(Error::Malformed {
                at: start,
                what: "number: null where a number is expected",
            });
        }
        if value >> (max_bits - 7) != 0 {
            return Err(Error::Malformed {
                at: start,
                what: "number: more bits than its type has",
            });
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        position += 1;
        if byte < 0x80 {
            *at = position;
            return Ok(value);
        }
    }
}

/// Maps small negative and positive numbers to small unsigned ones, 32 bits.
#[inline]
pub fn zigzag_int(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// The inverse of [`zigzag_int`].
#[inline]
pub fn unzigzag_int(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Maps small negative and positive numbers to small unsigned ones, 64 bits.
#[inline]
pub fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag_long`].
#[inline]
pub fn unzigzag_long(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends ascending `ordinals` in gap encoding (section 4): a byte count, then the differences.
pub fn write_gaps(out: &mut Vec<u8>, ordinals: impl Iterator<Item = u32> + Clone) {
    let differences = || {
        ordinals.clone().scan(0u32, |previous, ordinal| {
            let difference = ordinal.wrapping_sub(*previous);
            *previous = ordinal;
            Some(difference)
        })
    };
    let bytes: usize = differences().map(|d| vlong_len(u64::from(d))).sum();
    write_vlong(out, bytes as u64);
    for difference in differences() {
        write_vint(out, difference);
    }
}

/// Reads gap-encoded ordinals. They must ascend strictly; none may exceed `i32::MAX`.
///
/// # Errors
/// [`Error::Truncated`] and [`Error::Malformed`], with the position.
pub fn read_gaps(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
    let bytes = cursor.vlong()?;
    let length = usize::try_from(bytes).map_err(|_| Error::Malformed {
        at: cursor.at(),
        what: "length of gap-encoded ordinals",
    })?;
    let mut gaps = cursor.sub(length, "gap-encoded ordinals")?;
    let mut ordinals = Vec::new();
    let mut previous = 0u32;
    while !gaps.is_empty() {
        let at = gaps.at();
        let gap = gaps.vint()?;
        if gap == 0 && !ordinals.is_empty() {
            return Err(Error::Malformed {
                at,
                what: "gap-encoded ordinals: an ordinal twice",
            });
        }
        previous = previous
            .checked_add(gap)
            .filter(|&ordinal| ordinal <= i32::MAX as u32)
            .ok_or(Error::Malformed {
                at,
                what: "gap-encoded ordinals: an ordinal beyond 2^31",
            })?;
        ordinals.push(previous);
    }
    Ok(ordinals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vint(value: u32) -> Vec<u8> {
        let mut out = Vec::new();
        write_vint(&mut out, value);
        out
    }

    fn vlong(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write_vlong(&mut out, value);
        out
    }

    #[test]
    fn the_documents_values() {
        assert_eq!(vint(0), [0]);
        assert_eq!(vint(127), [0x7f]);
        assert_eq!(vint(128), [0x81, 0]);
        assert_eq!(vint(300), [0x82, 0x2c]);
        assert_eq!(vint(0x0fff_ffff), [0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(vint(0x1000_0000), [0x81, 0x80, 0x80, 0x80, 0]);
        assert_eq!(vint(u32::MAX), [0x8f, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(
            vlong(u64::MAX),
            [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
        );
        assert_eq!(
            (zigzag_int(-3), zigzag_int(7), zigzag_long(i64::MIN)),
            (5, 14, u64::MAX)
        );
    }

    #[test]
    fn refuses_nulls_overflow_and_truncation() {
        assert!(matches!(
            Cursor::new(&[0x80]).vint(),
            Err(Error::Malformed { at: 0, .. })
        ));
        assert!(matches!(
            Cursor::new(&[0x9f, 0xff, 0xff, 0xff, 0x7f]).vint(),
            Err(Error::Malformed { .. })
        ));
        assert!(matches!(
            Cursor::new(&[0x81; 40]).vlong(),
            Err(Error::Malformed { .. })
        ));
        let too_long = [0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(
            Cursor::new(&too_long).vlong(),
            Err(Error::Malformed { .. })
        ));
        assert!(matches!(
            Cursor::new(&[0x81]).vint(),
            Err(Error::Truncated { at: 0, .. })
        ));
        assert!(matches!(
            Cursor::new(&[]).vint(),
            Err(Error::Truncated { at: 0, .. })
        ));
    }

    #[test]
    fn gaps_as_in_the_document() {
        let mut out = Vec::new();
        write_gaps(&mut out, [0].into_iter());
        assert_eq!(out, [1, 0]);
        out.clear();
        write_gaps(&mut out, std::iter::empty());
        assert_eq!(out, [0]);
        assert!(read_gaps(&mut Cursor::new(&[2, 1, 0])).is_err());
    }

    proptest! {
        #[test]
        fn round_trips(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let bytes = vlong(value);
            prop_assert_eq!(bytes.len(), vlong_len(value));
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.vlong().unwrap(), value);
            prop_assert!(cursor.is_empty());
            prop_assert_eq!(unzigzag_long(zigzag_long(value as i64)), value as i64);
            prop_assert_eq!(unzigzag_int(zigzag_int(value as i32)), value as i32);
            let bytes = vint(value as u32);
            prop_assert_eq!(Cursor::new(&bytes).vint().unwrap(), value as u32);
        }

        #[test]
        fn gaps_round_trip(ordinals in proptest::collection::btree_set(0u32..1 << 30, 0..50)) {
            let mut out = Vec::new();
            write_gaps(&mut out, ordinals.iter().copied());
            prop_assert_eq!(read_gaps(&mut Cursor::new(&out)).unwrap(), ordinals.into_iter().collect::<Vec<_>>());
        }
    }
}
