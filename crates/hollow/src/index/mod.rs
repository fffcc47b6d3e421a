//! Indexes: from the values in records to the records.
//!
//! An index belongs to one state. The index of the next state is made from it and from what the delta changed, sharing
//! what did not change, so its upkeep costs by the change, and readers of the old state keep the old index. Forward and
//! reverse deltas are the same to it.

mod hash;
mod key;
mod line;
mod primary;
mod slots;
mod traversal;
mod tree;

pub use hash::HashIndex;
pub(crate) use key::BoundKey;
pub use primary::PrimaryKeyIndex;
