//! Byte strings of a few bytes, which are most of those that a record consists of: a call to copy or compare them takes
//! longer than the work.

/// Up to eight bytes as a number. Of two strings of one length, the numbers are equal exactly when the strings are.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> Option<u64> {
    let length = bytes.len();
    if length > 8 {
        return None;
    }
    // The first and the last bytes, which may be the same ones.
    if let (Some(&first), Some(&last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(first), u32::from_le_bytes(last));
        return Some(u64::from(first) | u64::from(last) << ((length - 4) * 8));
    }
    if let (Some(&first), Some(&last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u16::from_le_bytes(first), u16::from_le_bytes(last));
        return Some(u64::from(first) | u64::from(last) << ((length - 2) * 8));
    }
    Some(bytes.first().map_or(0, |&byte| u64::from(byte)))
}

/// Appends bytes of which there are mostly few.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match word(bytes) {
        Some(word) => {
            let end = out.len() + bytes.len();
            out.extend_from_slice(&word.to_le_bytes());
            out.truncate(end);
        }
        None => out.extend_from_slice(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_appended_and_told_apart(a in proptest::collection::vec(0_u8..3, 0..10), b in proptest::collection::vec(0_u8..3, 0..10)) {
            let mut out = vec![7];
            append(&mut out, &a);
            append(&mut out, &b);
            prop_assert_eq!(&out[1..], [&a[..], &b[..]].concat());
            prop_assert_eq!(word(&a).is_some(), a.len() <= 8);
            if a.len() == b.len() && a.len() <= 8 {
                prop_assert_eq!(word(&a) == word(&b), a == b);
            }
        }
    }
}
