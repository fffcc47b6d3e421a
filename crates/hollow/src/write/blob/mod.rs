//! Writing of blobs: headers, type state frames, shards.
//!
//! Everything here is a function from a layout and rows to bytes; what the rows are and how wide their fields must be
//! was decided before. So a snapshot can be written by another thread while the writer goes on.

mod frame;
mod header;
mod rows;
mod shard;
mod words;

pub(crate) use frame::{Listed, write_delta_frame, write_snapshot_frame};
pub(crate) use header::{Head, write_main_header, write_part_header};
pub(crate) use rows::{HashKey, Rows};
