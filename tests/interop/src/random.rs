//! Seeded randomness of the chain tests.

/// splitmix64: a failing seed makes the same chain again, on every machine and with every version of every crate.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "the field's word, and an endless stream"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; 0 for an empty range.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            0
        } else {
            ((self.next() >> 11) % n as u64) as usize
        }
    }

    /// True once in `n` draws.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A randomized tag as the format wants it: the high half neither all 0 nor all 1 nor that of the previous tag.
    pub fn tag(&mut self, previous: i64) -> i64 {
        loop {
            let tag = self.next() as i64;
            let high = tag >> 32;
            if high != 0 && high != -1 && high != previous >> 32 {
                return tag;
            }
        }
    }
}

/// The seeds of a test: those in the environment variable (comma-separated), or the given ones. Printed, so that a
/// failure can be repeated alone.
///
/// # Panics
/// When the variable holds something else than numbers.
#[must_use]
pub fn seeds(variable: &str, otherwise: &[u64]) -> Vec<u64> {
    let seeds = match std::env::var(variable) {
        Ok(text) => text
            .split(',')
            .map(|seed| {
                seed.trim()
                    .parse()
                    .unwrap_or_else(|_| panic!("{variable}: {seed} is no seed"))
            })
            .collect(),
        Err(_) => otherwise.to_vec(),
    };
    println!("seeds {seeds:?} (set {variable} to run others)");
    seeds
}

/// The length of the chains: `GREENLIGHT_CHAIN_VERSIONS`, or 200.
#[must_use]
pub fn chain_versions() -> usize {
    std::env::var("GREENLIGHT_CHAIN_VERSIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}
