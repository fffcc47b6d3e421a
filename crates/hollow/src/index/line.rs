//! Sixteen slots of a table that a look-up compares at once.
//!
//! A line is what memory hands over, so looking at all of its slots costs no more than looking at one, and it takes no branch
//! that a processor would have to guess.

/// Slots of a line, 64 bytes.
pub(super) const LINE_SLOTS: usize = 16;

/// The halves of its slots apart, so that a look-up compares those with the hash in half as many steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) high: [u16; LINE_SLOTS],
    low: [u16; LINE_SLOTS],
}

impl Line {
    /// Without a slot in use.
    pub(super) const EMPTY: Self = Self {
        high: [u16::MAX; LINE_SLOTS],
        low: [u16::MAX; LINE_SLOTS],
    };

    #[inline]
    pub(super) fn get(&self, at: usize) -> u32 {
        u32::from(self.high[at]) << 16 | u32::from(self.low[at])
    }

    #[inline]
    pub(super) fn set(&mut self, at: usize, slot: u32) {
        self.high[at] = (slot >> 16) as u16;
        self.low[at] = slot as u16;
    }

    #[inline]
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.high
            .iter()
            .zip(&self.low)
            .map(|(&high, &low)| u32::from(high) << 16 | u32::from(low))
    }
}

/// Which slots of a line equal `high` in the bits of `mask`: the compiler makes three times as many instructions of the
/// portable loop.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the only way to the instructions")]
#[inline]
pub(super) fn alike(line: &[u16; LINE_SLOTS], high: u16, mask: u16) -> u32 {
    // SAFETY: every x86_64 processor has SSE2, and the function only works on values.
    unsafe { alike_sse2(line, high, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn alike_sse2(line: &[u16; LINE_SLOTS], high: u16, mask: u16) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi16, _mm_movemask_epi8, _mm_packs_epi16, _mm_set1_epi16,
    };
    let (high, mask) = (_mm_set1_epi16(high as i16), _mm_set1_epi16(mask as i16));
    let halves: &[[u16; LINE_SLOTS / 2]; 2] = bytemuck::cast_ref(line);
    let [a, b] = halves.map(|half| {
        let half: __m128i = bytemuck::cast(half);
        _mm_cmpeq_epi16(_mm_and_si128(half, mask), high)
    });
    _mm_movemask_epi8(_mm_packs_epi16(a, b)) as u32
}

/// Which slots of a line equal `high` in the bits of `mask`.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn alike(line: &[u16; LINE_SLOTS], high: u16, mask: u16) -> u32 {
    let mut alike = 0;
    for (index, slot) in line.iter().enumerate() {
        alike |= u32::from(slot & mask == high) << index;
    }
    alike
}
