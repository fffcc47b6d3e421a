//! The rows of one page out of the shards of a snapshot.
//!
//! The records of a page lie in runs, one in each shard. A run's words are swapped into a buffer at once; then the rows
//! are taken from there in order and put together anew, with end offsets that count from the start of the page.

use super::layout::Layout;
use super::page::{PAGE_ROWS, Page, rows};
use super::snapshot::{Decoder, clear};
use super::source::{CollectionSource, Column, ObjectSource};
use crate::codec::bits;
use crate::error::{Error, Result};

/// Which rows make a page.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Ordinal of the first row.
    pub(super) first: u64,
    /// Rows up to the maximal ordinal, 1 to 64.
    pub(super) rows: u32,
}

/// Buffers that pages reuse.
#[derive(Default)]
pub(super) struct Scratch {
    records: Vec<u64>,
    /// For each run the shard, the bit position of its first row in `records`, and that row's shard ordinal.
    runs: Vec<Run>,
    /// For each run and field, where the values of the next row start in the shard.
    starts: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Run {
    shard: usize,
    at: usize,
    row: u64,
}

impl Scratch {
    /// Brings in the page's records; run and position of a row follow from [`Scratch::at`].
    fn load(&mut self, decoder: &Decoder<'_>, place: Place, row_bits: usize) {
        let shards = u64::from(decoder.frame.num_shards);
        let runs = shards.min(u64::from(PAGE_ROWS));
        let rows = u64::from(PAGE_ROWS) / runs;
        self.records.clear();
        self.runs.clear();
        let row = place.first >> decoder.shift;
        let from = row as usize * row_bits;
        let to = from + rows as usize * row_bits;
        for run in 0..runs {
            let shard = ((place.first + run) & (shards - 1)) as usize;
            self.runs.push(Run {
                shard,
                at: self.records.len() * 64 + from % 64,
                row,
            });
            let words = to.div_ceil(64) - from / 64;
            let start = self.records.len();
            let records = &decoder.frame.shards[shard].records;
            self.records.extend(records.range(from / 64, words));
            self.records.resize(start + words, 0);
        }
    }

    /// The run that a row of the page is in and the bit position of its record.
    #[inline]
    fn at(&self, row: u32, row_bits: usize) -> (usize, usize) {
        let runs = self.runs.len();
        let run = row as usize & (runs - 1);
        let index = row as usize >> runs.trailing_zeros();
        (run, self.runs[run].at + index * row_bits)
    }

    /// The last row of a run, if the page has one.
    fn last_of(&self, run: usize, rows: u32) -> Option<u32> {
        let runs = self.runs.len() as u32;
        let run = run as u32;
        let count = rows.checked_sub(run)?.div_ceil(runs);
        Some(run + count.checked_sub(1)? * runs)
    }
}

/// The source of an OBJECT type: fields, runs of fixed-length fields (offset, bits, first field), variable-length fields.
pub(super) type ObjectParts<'a, 's> = (
    &'a ObjectSource<'s>,
    &'a [(u64, usize, usize)],
    &'a [(usize, Column)],
);

pub(super) fn object_page(
    decoder: &Decoder<'_>,
    (source, fixed, variable): ObjectParts<'_, '_>,
    place: Place,
    populated: u64,
    scratch: &mut Scratch,
) -> Result<Page> {
    let from_bits = source.row_bits as usize;
    if variable.is_empty() && populated == 0 {
        return Ok(Page::default());
    }
    if decoder.shift == 0 && variable.is_empty() && fixed.len() <= 1 {
        let layout = decoder.layout(0);
        let row_bits = layout.row_bits as usize;
        if row_bits == from_bits {
            let from = (place.first / u64::from(PAGE_ROWS)) as usize * row_bits;
            let records = decoder.frame.shards[0].records.range(from, row_bits);
            return Page::filled(row_bits, populated, 0, false, |words| {
                words
                    .iter_mut()
                    .zip(records)
                    .for_each(|(to, word)| *to = word);
                for row in rows(!populated) {
                    clear(words, row as usize * row_bits, row_bits);
                }
                Ok(row_bits)
            });
        }
    }
    scratch.load(decoder, place, from_bits);
    let room = variable_starts(source, variable, place, scratch)?;
    let end_bits = bits::bits(room);
    let layout = decoder.layout(end_bits);
    let row_bits = layout.row_bits as usize;
    let words = row_bits + (room as usize).div_ceil(8);
    let has_ends = !variable.is_empty();
    Page::filled(words, populated, end_bits, has_ends, |words| {
        let (row_words, rest) = words.split_at_mut(row_bits);
        let byte_words = rest.len().min((room as usize).div_ceil(8));
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut rest[..byte_words]);
        let target = (layout, &mut *row_words, &mut *bytes);
        let whole = whole_bytes(source, variable, place, populated, scratch, target)?;
        let length = match whole {
            Some(length) => length,
            None => {
                let target = (layout, &mut *row_words, bytes);
                row_by_row(source, variable, place, populated, scratch, target)?
            }
        };
        for &(offset, length, field) in fixed {
            let to = layout.slots[field].offset as usize;
            for row in rows(populated & bits::mask(place.rows)) {
                let from = scratch.at(row, from_bits).1 + offset as usize;
                let to = row as usize * row_bits + to;
                if length <= 64 {
                    let value = bits::get(&scratch.records, from, length as u32);
                    bits::or(row_words, to, length as u32, value);
                } else {
                    copy(&scratch.records, from, row_words, to, length);
                }
            }
        }
        Ok(row_bits + length.div_ceil(8))
    })
}

/// Where a page's variable-length values go: its layout, its rows, its bytes.
type Target<'t> = (&'t Layout, &'t mut [u64], &'t mut [u8]);

/// Copies the values of the only variable-length field of a page at once, if all bytes between the first and the last belong
/// to records, as they do in what writers make. Gives the number of bytes.
fn whole_bytes(
    source: &ObjectSource<'_>,
    variable: &[(usize, Column)],
    place: Place,
    populated: u64,
    scratch: &Scratch,
    (layout, row_words, bytes): Target<'_>,
) -> Result<Option<usize>> {
    let ([(field, column)], [run]) = (variable, scratch.runs.as_slice()) else {
        return Ok(None);
    };
    let from_bits = source.row_bits as usize;
    let first = scratch.starts[0];
    let slot = layout.slots[*field];
    let mut at = run.at + column.offset as usize;
    let mut before = first;
    let mut ends = [0u64; PAGE_ROWS as usize];
    for (row, stored_end) in ends.iter_mut().enumerate().take(place.rows as usize) {
        let stored = bits::get(&scratch.records, at, column.width);
        let (end, null) = split_end(stored, column.width);
        if end < before {
            return Err(source.offsets(run.shard));
        }
        if (null || populated >> row & 1 == 0) && end != before {
            return Ok(None);
        }
        *stored_end = (end - first) | u64::from(null) << (slot.width - 1);
        before = end;
        at += from_bits;
    }
    let length = (before - first) as usize;
    let all = source.bytes(column, run.shard);
    let values = all.get(first as usize..before as usize);
    let (Some(values), Some(target)) = (values, bytes.get_mut(..length)) else {
        return Err(source.offsets(run.shard));
    };
    target.copy_from_slice(values);
    for row in rows(populated & bits::mask(place.rows)) {
        let to = row as usize * layout.row_bits as usize + slot.offset as usize;
        bits::or(row_words, to, u32::from(slot.width), ends[row as usize]);
    }
    Ok(Some(length))
}

/// Copies the variable-length values of a page. Gives the number of bytes.
fn row_by_row(
    source: &ObjectSource<'_>,
    variable: &[(usize, Column)],
    place: Place,
    populated: u64,
    scratch: &mut Scratch,
    (layout, row_words, bytes): Target<'_>,
) -> Result<usize> {
    if variable.is_empty() {
        return Ok(0);
    }
    let from_bits = source.row_bits as usize;
    let mut length = 0;
    for row in 0..place.rows {
        let (run, at) = scratch.at(row, from_bits);
        let is_populated = populated >> row & 1 != 0;
        let to = row as usize * layout.row_bits as usize;
        for (index, (field, column)) in variable.iter().enumerate() {
            let stored = bits::get(&scratch.records, at + column.offset as usize, column.width);
            let (end, null) = split_end(stored, column.width);
            let start = &mut scratch.starts[run * variable.len() + index];
            if end < *start {
                return Err(source.offsets(scratch.runs[run].shard));
            }
            if is_populated {
                if !null {
                    // The run's last end is within the shard's bytes and no end is beyond it, or the last is found
                    // below one before it.
                    let all = source.bytes(column, scratch.runs[run].shard);
                    let value = all.get(*start as usize..end as usize);
                    let target = bytes.get_mut(length..length + (end - *start) as usize);
                    let (Some(value), Some(target)) = (value, target) else {
                        return Err(source.offsets(scratch.runs[run].shard));
                    };
                    target.copy_from_slice(value);
                    length += value.len();
                }
                let slot = layout.slots[*field];
                let stored = length as u64 | u64::from(null) << (slot.width - 1);
                bits::or(
                    row_words,
                    to + slot.offset as usize,
                    u32::from(slot.width),
                    stored,
                );
            }
            *start = end;
        }
    }
    Ok(length)
}

/// Copies bits to bits that are zero.
#[inline]
fn copy(from: &[u64], from_at: usize, to: &mut [u64], to_at: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let width = (length - done).min(64) as u32;
        bits::or(
            to,
            to_at + done,
            width,
            bits::get(from, from_at + done, width),
        );
        done += width as usize;
    }
}

#[inline]
fn split_end(stored: u64, width: u32) -> (u64, bool) {
    match width.checked_sub(1) {
        None => (0, false),
        Some(end_bits) => (stored & bits::mask(end_bits), stored >> end_bits != 0),
    }
}

/// Finds where the variable-length values of each run start, and gives the bytes that they take at most.
fn variable_starts(
    source: &ObjectSource<'_>,
    variable: &[(usize, Column)],
    place: Place,
    scratch: &mut Scratch,
) -> Result<u64> {
    let mut room = 0;
    scratch.starts.clear();
    for (index, run) in scratch.runs.iter().enumerate() {
        let last = scratch.last_of(index, place.rows);
        for (_, column) in variable {
            let start = match run.row {
                0 => 0,
                row => source.end(column, run.shard, row - 1).0 as u64,
            };
            scratch.starts.push(start);
            let Some(last) = last else { continue };
            let (_, at) = scratch.at(last, source.row_bits as usize);
            let stored = bits::get(&scratch.records, at + column.offset as usize, column.width);
            let end = split_end(stored, column.width).0;
            if end < start || end > source.bytes(column, run.shard).len() as u64 {
                return Err(source.offsets(run.shard));
            }
            room += end - start;
        }
    }
    Ok(room)
}

pub(super) fn collection_page(
    decoder: &Decoder<'_>,
    source: &CollectionSource<'_>,
    place: Place,
    populated: u64,
    scratch: &mut Scratch,
) -> Result<Page> {
    let from_bits = (source.end_width + source.size_width) as usize;
    scratch.load(decoder, place, from_bits);
    let room = element_starts(source, place, scratch)?;
    let end_bits = bits::bits(room);
    let layout = decoder.layout(end_bits);
    let row_bits = layout.row_bits as usize;
    let element_bits = source.element_bits as usize;
    let words = row_bits + (room as usize * element_bits).div_ceil(64);
    Page::filled(words, populated, end_bits, true, |words| {
        let mut length = 0;
        // Elements that follow each other in a shard are copied together.
        let (mut pending, mut pending_from) = (0, 0);
        let mut pending_shard = 0;
        let flush = |words: &mut [u64], shard: usize, from: u64, count: u64, length: u64| {
            let elements = &decoder.frame.shards[shard].elements;
            let to = row_bits * 64 + (length - count) as usize * element_bits;
            elements.copy_to(
                from * element_bits as u64,
                words,
                to,
                count as usize * element_bits,
            );
        };
        for row in 0..place.rows {
            let (run, at) = scratch.at(row, from_bits);
            let shard = scratch.runs[run].shard;
            let start = scratch.starts[run];
            let end = bits::get(&scratch.records, at, source.end_width);
            if end < start || length + (end - start) > room {
                return Err(source.pointers(shard));
            }
            scratch.starts[run] = end;
            if populated >> row & 1 == 0 {
                continue;
            }
            let size_at = at + source.end_width as usize;
            let size = bits::get(&scratch.records, size_at, source.size_width);
            source.check_size(shard, size, start, end)?;
            if shard != pending_shard || pending_from + pending != start {
                flush(words, pending_shard, pending_from, pending, length);
                (pending_shard, pending_from, pending) = (shard, start, 0);
            }
            pending += end - start;
            length += end - start;
            let to = row as usize * row_bits;
            bits::or(words, to, end_bits, length);
            bits::or(words, to + end_bits as usize, source.size_width, size);
        }
        flush(words, pending_shard, pending_from, pending, length);
        Ok(row_bits + (length as usize * element_bits).div_ceil(64))
    })
}

/// Finds where the elements of each run start, and gives the number that they are at most.
fn element_starts(
    source: &CollectionSource<'_>,
    place: Place,
    scratch: &mut Scratch,
) -> Result<u64> {
    let from_bits = (source.end_width + source.size_width) as usize;
    let mut room = 0;
    scratch.starts.clear();
    for (index, run) in scratch.runs.iter().enumerate() {
        let start = match run.row {
            0 => 0,
            row => source.end(run.shard, row - 1),
        };
        scratch.starts.push(start);
        if let Some(last) = scratch.last_of(index, place.rows) {
            let (_, at) = scratch.at(last, from_bits);
            let end = bits::get(&scratch.records, at, source.end_width);
            source.check_extent(run.shard, start, end)?;
            room += end - start;
        }
    }
    if room > u64::from(u32::MAX) {
        return Err(Error::Malformed {
            at: source.frame.shards[0].at,
            what: "more than 2^32 elements in 64 collections",
        });
    }
    Ok(room)
}
