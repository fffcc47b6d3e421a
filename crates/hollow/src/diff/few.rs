//! Sets of a few things, such as countries, that have the same ordinals in both states.
//!
//! States that were made alike number their countries alike. Then two sets with the same buckets are equal, and nearly all
//! equal sets have the same buckets, so that comparing them costs what comparing bytes costs, and what two sets do not share
//! is told by their ordinals. Nothing here is taken for granted: each ordinal has a flag for what it means in the two states,
//! and where one is not what it should be, or buckets differ, the sets are left to their hashes.

use super::change::NONE;
use crate::Ordinal;
use crate::read::SetView;
use hashbrown::HashMap;

/// Buckets of more bits are left to the general way: what is kept by ordinal should stay in the first cache.
const BITS: u32 = 10;
/// Numbers that buckets have, a free one included.
const ROOM: usize = 1 << BITS;

/// A member that was met.
const MET: u8 = 1;
/// Not the same record in both states.
const OTHER: u8 = 2;
/// Not a record, or one that has an equal one at another ordinal of either state.
const NOT_ALONE: u8 = 4;

/// What the ordinals of a type mean in two states.
pub(super) struct Few {
    flags: [u8; ROOM],
    all_same: bool,
}

impl Few {
    /// From the hashes of both states' records by ordinal, 0 where there is none. `None` where there are many, or many of
    /// them not the same.
    pub(super) fn new([old, new]: [&[u128]; 2]) -> Option<Self> {
        let count = old.len().max(new.len());
        if count >= ROOM {
            return None;
        }
        let hash = |hashes: &[u128], ordinal: usize| hashes.get(ordinal).copied().unwrap_or(0);
        let mut first: HashMap<u128, usize> = HashMap::with_capacity(count);
        // Beyond the last record there is none in either.
        let mut flags = [NOT_ALONE; ROOM];
        flags[..count].fill(0);
        let mut other = 0;
        for ordinal in 0..count {
            let [old, new] = [old, new].map(|hashes| hash(hashes, ordinal));
            if old != new {
                flags[ordinal] |= OTHER;
                other += 1;
            }
            for hash in [old, new] {
                if hash == 0 {
                    flags[ordinal] |= NOT_ALONE;
                    continue;
                }
                let first = *first.entry(hash).or_insert(ordinal);
                if first != ordinal {
                    flags[first] |= NOT_ALONE;
                    flags[ordinal] |= NOT_ALONE;
                }
            }
        }
        (other <= count / 16).then_some(Self {
            flags,
            all_same: other == 0,
        })
    }

    /// Whether two sets have the same buckets, and in them what is equal. If not, they may be equal as well.
    #[inline]
    pub(super) fn same(&self, old: &SetView<'_>, new: &SetView<'_>) -> bool {
        old.has_buckets_of(new) && (self.all_same || self.flags_of(old) & OTHER == 0)
    }

    fn flags_of(&self, set: &SetView<'_>) -> u8 {
        let width = set.bucket_bits();
        if width > BITS {
            return OTHER;
        }
        let free = free(width);
        let mut found = 0;
        set.each_stored(|bits| {
            let flags = self.flags[bits as usize & (ROOM - 1)];
            found |= if bits == free { 0 } else { flags };
        });
        found
    }

    /// Adds what two sets do not share, removed members first, each in the order of its buckets; `false`, with nothing added,
    /// where their ordinals do not tell it.
    pub(super) fn unshared(
        &self,
        [old, new]: [&SetView<'_>; 2],
        found: &mut Vec<(Ordinal, Ordinal)>,
    ) -> bool {
        let (Some(in_old), Some(in_new)) = (self.members(old), self.members(new)) else {
            return false;
        };
        // Which members are shared nobody can guess, so each is written, and the next goes over a shared one.
        let mut length = found.len();
        let most = old.bucket_count() + new.bucket_count();
        found.resize(length + most as usize, (NONE, NONE));
        let mut add = |set: &SetView<'_>, other: &[u8; ROOM], is_new: bool| {
            let free = free(set.bucket_bits());
            set.each_stored(|bits| {
                let ordinal = bits as Ordinal;
                found[length] = if is_new {
                    (NONE, ordinal)
                } else {
                    (ordinal, NONE)
                };
                let is_shared = other[bits as usize & (ROOM - 1)] & MET != 0;
                length += usize::from(!is_shared & (bits != free));
            });
        };
        add(old, &in_new, false);
        add(new, &in_old, true);
        found.truncate(length);
        true
    }

    /// The flags, with those of the members; `None` where one is met twice, as in some of Java's sets, or is not known by its
    /// ordinal.
    #[inline]
    fn members(&self, set: &SetView<'_>) -> Option<[u8; ROOM]> {
        let width = set.bucket_bits();
        if width > BITS {
            return None;
        }
        let mut flags = self.flags;
        let free = free(width) as usize;
        let of_free = std::mem::replace(&mut flags[free], MET);
        let (mut found, mut count) = (0, 0);
        set.each_stored(|bits| {
            let flags = &mut flags[bits as usize & (ROOM - 1)];
            found |= *flags;
            count += usize::from(*flags & MET == 0);
            *flags |= MET;
        });
        flags[free] = of_free;
        (count == set.len() && found & (OTHER | NOT_ALONE) == 0).then_some(flags)
    }
}

/// What a free bucket has.
fn free(width: u32) -> u64 {
    (1 << width) - 1
}
