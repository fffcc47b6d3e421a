//! Blobs as bytes: headers, type states and their sections (format sections 2 to 7).
//!
//! A blob has no index, so it is walked once from front to back. The walk finds the sections and checks what can be
//! checked without looking into packed words; decoding these is left to the reader, which does it page by page and in
//! parallel.

mod frame;
mod header;
mod words;

pub(crate) use frame::{Sections, TypeFrame};
pub use header::{BlobHeader, PartHeader};
pub(crate) use header::{read_header, read_part_header};

/// A blob in memory: the main stream and those of its optional parts that the reader wants, by part name.
#[derive(Clone, Copy, Debug)]
pub struct BlobSet<'a> {
    /// The main stream.
    pub main: &'a [u8],
    /// Name and stream of optional parts.
    pub parts: &'a [(&'a str, &'a [u8])],
}

impl<'a> From<&'a [u8]> for BlobSet<'a> {
    fn from(main: &'a [u8]) -> Self {
        Self { main, parts: &[] }
    }
}

impl<'a> From<&'a Vec<u8>> for BlobSet<'a> {
    fn from(main: &'a Vec<u8>) -> Self {
        Self { main, parts: &[] }
    }
}
