//! Seeded numbers for tests.

/// A fixed sequence of numbers (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number of up to `bits` bits, small ones as likely as large ones.
    pub fn sized(&mut self, bits: u32) -> u64 {
        let width = self.below(bits as usize + 1) as u32;
        self.next() & hollow::codec::bits::mask(width)
    }
}
