//! The hashes of a set's members, added up.
//!
//! Sets of countries or languages hold hundreds of members out of a few hundred records. What costs is not their hashes but
//! the branch on every bucket that is free or not. So where buckets have few bits, the hashes lie in a table by these bits,
//! in which a free bucket stands for nothing.

use crate::read::SetView;

/// Buckets of more bits are left to the general way: the table should stay in the first cache.
const BITS: usize = 11;

/// Hashes of members by the bits of a bucket, for each width that buckets have.
pub(crate) struct MemberHashes([Box<[u128]>; BITS + 1]);

impl MemberHashes {
    /// From hashes by ordinal, 0 where there is no record, which counts as `missing`.
    pub(crate) fn new(hashes: &[u128], missing: u128, widths: impl Iterator<Item = u32>) -> Self {
        let mut by_width: [Box<[u128]>; BITS + 1] = Default::default();
        for width in widths {
            if let Some(table) = by_width.get_mut(width as usize)
                && table.is_empty()
            {
                let free = (1 << width) - 1;
                let hash = |ordinal: usize| match hashes.get(ordinal) {
                    _ if ordinal == free => 0,
                    None | Some(0) => missing,
                    Some(&hash) => hash,
                };
                *table = (0..=free).map(hash).collect();
            }
        }
        Self(by_width)
    }

    /// The sum of the hashes of a set's members; `None` where buckets are too wide.
    #[inline]
    pub(crate) fn sum(&self, set: &SetView<'_>) -> Option<u128> {
        let table = self.0.get(set.bucket_bits() as usize)?;
        let mut sum = 0u128;
        // For the compiler, which knows then that no byte lies beyond.
        if let Ok(table) = <&[u128; 256]>::try_from(&**table) {
            set.each_stored(|bits| sum = sum.wrapping_add(table[bits as usize & 255]));
        } else if table.is_empty() {
            return None;
        } else {
            set.each_stored(|bits| sum = sum.wrapping_add(table[bits as usize]));
        }
        Some(sum)
    }
}
