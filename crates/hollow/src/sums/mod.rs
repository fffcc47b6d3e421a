//! Sums over whole states: what producers verify by and what "equal" means.
//!
//! Both sums are additive, so that a step of a chain updates them at the cost of what it changed, and 128 bits wide, so
//! that equal sums can be taken as proof.
//!
//! * [`ChainSum`] is over (type, ordinal, record bytes): two states of one chain that agree in it hold the same records at
//!   the same places. It is what a producer compares after reading its own delta back.
//! * [`Digest`] is over the schemas and the content of keyed records: two states of any chains that agree in it hold the
//!   same data. It is what replay and follow promise.

mod chain;
mod content_hash;
mod digest;
mod members;

pub use chain::{ChainSum, TypeSum};
pub(crate) use content_hash::{ContentHashes, MAX_DEPTH};
pub use digest::{Digest, DigestMemory};
