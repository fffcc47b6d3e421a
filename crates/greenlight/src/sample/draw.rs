//! Deterministic draws: what the sources do not have is drawn from what they have, and must come
//! out the same on every machine. A draw is a pure function of what it is for (a purpose and the
//! ids of the thing), so adding a draw somewhere moves no other.

/// A stream of pseudo-random numbers (splitmix64), seeded by a purpose and ids.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Draw {
    /// The stream for `purpose` and `id`.
    pub(crate) fn new(purpose: &str, id: i64) -> Self {
        let named = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(mix(named ^ mix(id.cast_unsigned())))
    }

    /// The stream for `purpose`, `id` and a code such as a country or a language.
    pub(crate) fn coded(purpose: &str, id: i64, code: &str) -> Self {
        let code = code.bytes().fold(0, |sum: i64, byte| {
            sum.wrapping_mul(131).wrapping_add(i64::from(byte))
        });
        let mut draw = Self::new(purpose, id);
        draw.0 = mix(draw.0 ^ code.cast_unsigned());
        draw
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `from..to`; `from` when the range is empty.
    pub(crate) fn range(&mut self, from: i64, to: i64) -> i64 {
        let span = to.saturating_sub(from).max(1).cast_unsigned();
        from + (self.next() % span).cast_signed()
    }

    /// True in `per_mille` of 1,000 cases. Integers keep the outcome free of rounding.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.next() % 1_000 < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_nothing_but_what_it_is_for() {
        let first = Draw::coded("texts", 80_057_281, "de").next();
        let _ = Draw::new("texts", 80_057_281).next();
        assert_eq!(first, Draw::coded("texts", 80_057_281, "de").next());
        assert_ne!(first, Draw::coded("texts", 80_057_281, "fr").next());
        assert_ne!(first, Draw::coded("assets", 80_057_281, "de").next());
    }

    #[test]
    fn chances_come_true_about_as_often_as_they_say() {
        let hits = (0..100_000)
            .filter(|id| Draw::new("test", *id).chance(125))
            .count();
        assert!((12_000..13_000).contains(&hits), "{hits}");
    }
}
