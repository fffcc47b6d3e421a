//! From the sections of a snapshot to pages, in parallel over types and chunks of pages.
//!
//! Memory: pages hold what the blob holds, with smaller offsets. Beside them stand an entry of 32 bytes for each page,
//! and while loading some 100 bytes for each shard, which has at least two. In all, loading takes at most 64 bytes for
//! each byte of input, 4 KiB for each type, and a few hundred kilobytes for threads.

use super::directory::{CHUNK_PAGES, ChunkPages, Directory};
use super::layout::{Layout, LayoutTable, Shape, SlotKind};
use super::page::PAGE_ROWS;
use super::source::{CollectionSource, Column, ObjectSource};
use super::type_state::TypeState;
use super::unpack::{Place, Scratch, collection_page, object_page};
use crate::blob::TypeFrame;
use crate::codec::bits;
use crate::error::{Error, Result};
use crate::schema::Schema;
use rayon::prelude::*;
use std::sync::OnceLock;

/// A type state of a snapshot on its way into memory.
pub(super) struct Loading<'a> {
    pub(super) frame: &'a TypeFrame<'a>,
    pub(super) state: TypeState,
    /// The part that the type came in, for errors.
    pub(super) part: Option<&'a str>,
}

/// Decodes all types. The first error in the order of types and ordinals is returned.
pub(super) fn load(types: Vec<Loading<'_>>) -> Result<Vec<TypeState>> {
    let decoders = types
        .iter()
        .map(|loading| {
            Decoder::new(loading.frame, &loading.state)
                .map_err(|error| error.in_blob(loading.part, Some(loading.state.name())))
        })
        .collect::<Result<Vec<_>>>()?;
    let tasks: Vec<(usize, usize)> = decoders
        .iter()
        .enumerate()
        .flat_map(|(index, decoder)| (0..decoder.chunks).map(move |chunk| (index, chunk)))
        .collect();
    let chunks: Vec<Result<ChunkPages>> = tasks
        .par_iter()
        .map_init(Scratch::default, |scratch, &(index, chunk)| {
            decoders[index].chunk(chunk, scratch)
        })
        .collect();
    let mut chunks = chunks.into_iter();
    let mut states = Vec::with_capacity(types.len());
    for (loading, decoder) in types.iter().zip(&decoders) {
        let chunks = chunks
            .by_ref()
            .take(decoder.chunks)
            .collect::<Result<Vec<_>>>()
            .map_err(|error| error.in_blob(loading.part, Some(loading.state.name())))?;
        states.push(decoder.finish(loading.state.clone(), chunks));
    }
    Ok(states)
}

/// What a type's rows are read from.
pub(super) enum Source<'a> {
    Object {
        source: ObjectSource<'a>,
        /// Fixed-length fields side by side in blob and page: offset in the blob, bits, first field.
        runs: Vec<(u64, usize, usize)>,
        /// Variable-length fields.
        variable: Vec<(usize, Column)>,
    },
    Collection(CollectionSource<'a>),
}

/// Decodes the pages of one type.
pub(super) struct Decoder<'a> {
    pub(super) frame: &'a TypeFrame<'a>,
    shape: &'a Shape,
    source: Source<'a>,
    chunks: usize,
    pub(super) shift: u32,
    /// By the bits of the largest end offset of a page, which is all that layouts of one snapshot differ in.
    layouts: Box<[OnceLock<Layout>]>,
}

impl<'a> Decoder<'a> {
    fn new(frame: &'a TypeFrame<'a>, state: &'a TypeState) -> Result<Self> {
        check_shards(frame)?;
        let has_rows = frame
            .populated
            .range(0, frame.populated.len())
            .any(|word| word != 0);
        let source = match (&frame.schema, &*state.schema, &*state.shape) {
            (Schema::Object(theirs), Schema::Object(ours), Shape::Object(shape)) => {
                let source = ObjectSource::new(frame, theirs, ours, shape, has_rows)?;
                let mut runs: Vec<(u64, usize, usize)> = Vec::new();
                let mut variable = Vec::new();
                let mut run_end = None;
                for (field, column) in source.columns.iter().enumerate() {
                    let Some(column) = column else { continue };
                    if let SlotKind::Variable(_) = shape.kinds[field] {
                        variable.push((field, *column));
                        run_end = None;
                        continue;
                    }
                    match (run_end, runs.last_mut()) {
                        (Some(end), Some(run)) if end == column.offset => {
                            run.1 += column.width as usize;
                        }
                        _ => runs.push((column.offset, column.width as usize, field)),
                    }
                    run_end = Some(column.offset + u64::from(column.width));
                }
                Source::Object {
                    source,
                    runs,
                    variable,
                }
            }
            _ => Source::Collection(CollectionSource::new(frame)),
        };
        let rows = (i64::from(frame.max_ordinal) + 1) as usize;
        let mut pages = rows.div_ceil(PAGE_ROWS as usize);
        if frame.row_bits() == 0 {
            pages = pages.min(frame.populated.len());
        }
        Ok(Self {
            frame,
            shape: &state.shape,
            chunks: pages.div_ceil(CHUNK_PAGES),
            shift: frame.num_shards.trailing_zeros(),
            layouts: (0..=end_bits_max(frame, &source))
                .map(|_| OnceLock::new())
                .collect(),
            source,
        })
    }

    fn finish(&self, mut state: TypeState, chunks: Vec<ChunkPages>) -> TypeState {
        let mut ids = vec![0; self.layouts.len()];
        for (id, layout) in ids.iter_mut().zip(&self.layouts) {
            if let Some(layout) = layout.get() {
                *id = LayoutTable::intern(&mut state.layouts, layout.clone());
            }
        }
        let mut chunks = chunks;
        for page in chunks.iter_mut().flatten() {
            page.layout = ids[page.layout as usize];
            state.count += page.populated.count_ones() as usize;
        }
        state.pages = Directory::from_chunks(chunks);
        state.num_shards = self.frame.num_shards;
        state.max_ordinal = self.frame.max_ordinal;
        state
    }

    /// The layout of a page whose end offsets take that many bits.
    pub(super) fn layout(&self, end_bits: u32) -> &Layout {
        self.layouts[end_bits as usize].get_or_init(|| match &self.source {
            Source::Object { source, .. } => {
                let widths = source.page_widths(end_bits as u8 + 1);
                Layout::new(self.shape, &widths, [0, 0])
            }
            Source::Collection(source) => {
                let mut widths = self.frame.slot_widths().to_vec();
                widths[0] = end_bits as u8;
                Layout::new(self.shape, &widths, source.elements)
            }
        })
    }

    fn chunk(&self, chunk: usize, scratch: &mut Scratch) -> Result<ChunkPages> {
        let mut pages = ChunkPages::default();
        for (at, page) in pages.iter_mut().enumerate() {
            let index = chunk * CHUNK_PAGES + at;
            let first = index as u64 * u64::from(PAGE_ROWS);
            let rows = (i64::from(self.frame.max_ordinal) + 1 - first as i64).clamp(0, 64) as u32;
            let populated = self.frame.populated.word(index);
            if populated & !bits::mask(rows) != 0 {
                return Err(self.beyond_maximum());
            }
            if rows == 0 {
                break;
            }
            let place = Place { first, rows };
            *page = match &self.source {
                Source::Object {
                    source,
                    runs,
                    variable,
                } => object_page(self, (source, runs, variable), place, populated, scratch)?,
                Source::Collection(source) => {
                    collection_page(self, source, place, populated, scratch)?
                }
            };
        }
        Ok(pages)
    }

    fn beyond_maximum(&self) -> Error {
        Error::Malformed {
            at: self.frame.populated_at,
            what: "a populated ordinal above the maximum",
        }
    }
}

/// Bits of the largest end offset that a page can have: all that the shards hold lies in it.
fn end_bits_max(frame: &TypeFrame<'_>, source: &Source<'_>) -> u32 {
    let all = match source {
        Source::Object { .. } => frame.variable.iter().map(|bytes| bytes.len() as u64).sum(),
        Source::Collection(source) => {
            let bits: u64 = frame.shards.iter().map(|shard| shard.elements.bits()).sum();
            bits / u64::from(source.element_bits.max(1))
        }
    };
    bits::bits(all)
}

/// Zeroes `length` bits.
pub(super) fn clear(words: &mut [u64], at: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let width = (length - done).min(64);
        bits::set(words, at + done, width as u32, 0);
        done += width;
    }
}

/// The maxima of the shards follow from that of the type. This also bounds the number of rows by the input.
fn check_shards(frame: &TypeFrame<'_>) -> Result<()> {
    let rows = i64::from(frame.max_ordinal) + 1;
    let shards = i64::from(frame.num_shards);
    for (index, shard) in frame.shards.iter().enumerate() {
        let expected = rows / shards + i64::from((index as i64) < rows % shards) - 1;
        if i64::from(shard.max_ordinal) != expected {
            return Err(Error::Malformed {
                at: shard.at,
                what: "a shard whose maximal ordinal does not follow from the type's",
            });
        }
    }
    let last = frame
        .populated
        .range(rows.unsigned_abs().div_ceil(64) as usize, usize::MAX)
        .any(|word| word != 0);
    if last {
        return Err(Error::Malformed {
            at: frame.populated_at,
            what: "a populated ordinal above the maximum",
        });
    }
    Ok(())
}
