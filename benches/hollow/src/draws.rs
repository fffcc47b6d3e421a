//! Stateless random draws, equal in Rust and in Java (`Draws.java`), so that both sides make the same records without
//! exchanging them.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0x6772_6565_6e6c_6974;

/// A splitmix64 hash of a stream and two numbers.
#[must_use]
pub fn draw(stream: u64, a: u64, b: u64) -> u64 {
    let stream = mix(SEED.wrapping_add(stream.wrapping_mul(GAMMA)));
    mix(mix(stream.wrapping_add(a.wrapping_mul(GAMMA))).wrapping_add(b.wrapping_mul(GAMMA)))
}

/// A draw in `0..n`, `n` up to 2^31.
#[must_use]
pub fn below(draw: u64, n: usize) -> usize {
    ((draw >> 33) % n as u64) as usize
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
