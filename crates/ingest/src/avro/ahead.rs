//! The bytes ahead in a body, with zeros for what is behind its end: what is read so must be counted.

/// The eight bytes from there on, the first one lowest. `None` at the end and behind it, and where the whole body is shorter.
#[inline(always)]
pub(super) fn word(body: &[u8], at: usize) -> Option<u64> {
    let rest = body.get(at..)?;
    if let Some(bytes) = rest.first_chunk() {
        return Some(u64::from_le_bytes(*bytes));
    }
    let behind = 64 - 8 * rest.len() as u32;
    u64::from_le_bytes(*body.last_chunk()?).checked_shr(behind)
}

/// As [`word`], sixteen.
#[inline(always)]
pub(super) fn line(body: &[u8], at: usize) -> Option<u128> {
    let rest = body.get(at..)?;
    if let Some(bytes) = rest.first_chunk() {
        return Some(u128::from_le_bytes(*bytes));
    }
    let behind = 128 - 8 * rest.len() as u32;
    u128::from_le_bytes(*body.last_chunk()?).checked_shr(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_behind_the_end_is_zero(body in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..50) {
            let mut ahead = [0; 16];
            let rest = body.get(at..).unwrap_or_default();
            let len = rest.len().min(16);
            ahead[..len].copy_from_slice(&rest[..len]);
            let expected = u128::from_le_bytes(ahead);
            let is_there = |least| at < body.len() && body.len() >= least;
            prop_assert_eq!(line(&body, at), is_there(16).then_some(expected));
            prop_assert_eq!(word(&body, at), is_there(8).then_some(expected as u64));
        }
    }
}
