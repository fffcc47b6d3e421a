//! Blob writing.

mod shard;
mod words;
