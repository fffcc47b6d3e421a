//! Rebuilding one page from its old rows and the rows that a delta adds.

use super::Ordinal;
use super::apply::Source;
use super::layout::{END, Layout, ObjectShape, SIZE, Shape, SlotKind};
use super::page::{PAGE_ROWS, Page, PageView, rows};
use super::snapshot::clear;
use super::source::{CollectionSource, ObjectSource};
use super::type_state::TypeState;
use crate::codec::bits;
use crate::error::{Error, Result};

/// A row of a delta and the ordinal that it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddedRow {
    pub(super) ordinal: Ordinal,
    pub(super) shard: u32,
    pub(super) row: u32,
}

impl AddedRow {
    fn page_row(&self) -> u32 {
        self.ordinal % PAGE_ROWS
    }
}

/// The changes of one page.
pub(super) struct Edit<'a> {
    pub(super) page: usize,
    pub(super) old: &'a Page,
    /// Populated rows to remove.
    pub(super) removed: u64,
    /// Ascending.
    pub(super) added: &'a [AddedRow],
}

impl Edit<'_> {
    pub(super) fn added_rows(&self) -> u64 {
        self.added
            .iter()
            .fold(0, |rows, row| rows | 1 << row.page_row())
    }
}

/// A page rebuilt; its layout is that of the old page or a new one.
pub(super) struct Edited {
    pub(super) page: Page,
    pub(super) layout: Option<Layout>,
}

/// Buffers that edits reuse.
#[derive(Default)]
pub(super) struct Scratch<'a> {
    words: Vec<u64>,
    bytes: Vec<u8>,
    /// Fixed-length values of the added rows, field by field; of variable-length ones the null mark.
    values: Vec<u64>,
    variable: Vec<&'a [u8]>,
    extents: Vec<(u64, u64)>,
    widths: Vec<u8>,
}

/// Above this number of layouts, a page that overflows takes the widest so far, so that their number stays bounded
/// however long a chain grows.
const LAYOUTS_MAX: usize = 256;

pub(super) struct Editor<'a> {
    state: &'a TypeState,
    source: &'a Source<'a>,
    /// Where the table of layouts is full, the widths that an overflowing page takes at least.
    ceiling: Option<Vec<u8>>,
    empty: Layout,
}

impl<'a> Editor<'a> {
    pub(super) fn new(state: &'a TypeState, source: &'a Source<'a>) -> Self {
        let ceiling = if state.layouts.len() > LAYOUTS_MAX {
            state.layouts.ceiling()
        } else {
            None
        };
        Self {
            state,
            source,
            ceiling,
            empty: Layout::new(&state.shape, &[], [0, 0]),
        }
    }

    pub(super) fn edit(&self, edit: &Edit<'a>, scratch: &mut Scratch<'a>) -> Result<Edited> {
        let added = edit.added_rows();
        let kept = edit.old.populated & !edit.removed & !added;
        if kept | added == 0 {
            return Ok(Edited {
                page: Page::default(),
                layout: None,
            });
        }
        let has_ends = self.state.shape.has_ends();
        let old = if edit.old.populated == 0 {
            edit.old.with(&self.empty)
        } else {
            edit.old.with(self.state.layouts.get(edit.old.layout))
        };
        if added == 0 && (!has_ends || old.present().count_ones() <= 2 * kept.count_ones()) {
            return Ok(Edited {
                page: Page {
                    populated: kept,
                    ..edit.old.clone()
                },
                layout: None,
            });
        }
        let layout = match (self.source, &*self.state.shape) {
            (Source::Object(source), Shape::Object(shape)) => {
                self.object(edit, old, kept, source, shape, scratch)?
            }
            (Source::Collection(source), _) => self.collection(edit, old, kept, source, scratch)?,
            (Source::Object(_), _) => None,
        };
        Ok(Edited {
            page: Page::new(&mut scratch.words, kept | added, 0, has_ends),
            layout,
        })
    }

    fn object(
        &self,
        edit: &Edit<'a>,
        old: PageView<'_>,
        kept: u64,
        source: &ObjectSource<'a>,
        shape: &ObjectShape,
        scratch: &mut Scratch<'a>,
    ) -> Result<Option<Layout>> {
        read_added(edit, source, shape, scratch)?;
        let total = kept_bytes(shape, &old, kept)
            + scratch
                .variable
                .iter()
                .map(|bytes| bytes.len())
                .sum::<usize>();
        let variable_width = bits::bits(total as u64) as u8 + 1;
        let layout = if kept == 0 {
            Some(source.page_widths(variable_width))
        } else {
            self.widened(&old, source, shape, scratch, variable_width)
        };
        match layout {
            None => {
                patch_object(edit, &old, kept, shape, scratch);
                Ok(None)
            }
            Some(widths) => {
                let layout = Layout::new(&self.state.shape, &widths, [0, 0]);
                rebuild_object(edit, &old, kept, shape, &layout, total, scratch);
                Ok(Some(layout))
            }
        }
    }

    /// Widths of a wider layout if the added values do not fit the page's.
    fn widened(
        &self,
        old: &PageView<'_>,
        source: &ObjectSource<'_>,
        shape: &ObjectShape,
        scratch: &mut Scratch<'_>,
        variable_width: u8,
    ) -> Option<Vec<u8>> {
        let fields = shape.kinds.len();
        let needed = &mut scratch.widths;
        needed.clear();
        needed.resize(fields, 0);
        for row in scratch.values.chunks_exact(fields.max(1)) {
            for ((needed, &value), kind) in needed.iter_mut().zip(row).zip(&shape.kinds) {
                if matches!(kind, SlotKind::Number(_)) {
                    *needed = (*needed).max(bits::bits(value.wrapping_add(1)) as u8);
                }
            }
        }
        for &field in &shape.variable {
            needed[field as usize] = variable_width;
        }
        let fits = old
            .layout
            .widths()
            .zip(needed.iter())
            .all(|(width, &needed)| needed <= width);
        if fits {
            return None;
        }
        let offered = source.page_widths(variable_width);
        let mut widths: Vec<u8> = old.layout.widths().collect();
        for (field, width) in widths.iter_mut().enumerate() {
            match (shape.kinds[field], &self.ceiling) {
                (SlotKind::Variable(_), _) => *width = variable_width,
                (_, Some(ceiling)) => *width = (*width).max(needed[field]).max(ceiling[field]),
                _ if needed[field] > *width => *width = offered[field].max(needed[field]),
                _ => {}
            }
        }
        Some(widths)
    }

    fn collection(
        &self,
        edit: &Edit<'a>,
        old: PageView<'_>,
        kept: u64,
        source: &CollectionSource<'_>,
        scratch: &mut Scratch<'a>,
    ) -> Result<Option<Layout>> {
        let is_list = matches!(*self.state.shape, Shape::List);
        scratch.extents.clear();
        scratch.values.clear();
        let mut total = 0u64;
        let mut size_max = 0;
        let mut needed = [0u8; 2];
        for row in edit.added {
            let shard = row.shard as usize;
            let (start, end) = source.extent(shard, u64::from(row.row))?;
            let size = source.size(shard, u64::from(row.row), start, end)?;
            size_max = size_max.max(size);
            for index in start..end {
                if let Some(key) = source.key(shard, index) {
                    let key = bits::bits(key + u64::from(!is_list)) as u8;
                    let value = bits::bits(source.value(shard, index)) as u8;
                    needed = [needed[0].max(key), needed[1].max(value)];
                }
            }
            scratch.extents.push((start, end));
            scratch.values.push(size);
            total += end - start;
        }
        total += old.variable_total(Some(END), false) as u64;
        for row in rows(old.present() & !kept) {
            let (start, end) = old.elements(row);
            total -= u64::from(end - start);
        }
        if u32::try_from(total).is_err() {
            return Err(Error::Malformed {
                at: source.frame.shards[0].at,
                what: "more than 2^32 elements in 64 collections",
            });
        }
        let end_width = bits::bits(total) as u8;
        let mut widths = vec![end_width];
        let mut elements = source.elements;
        if kept == 0 {
            widths.extend_from_slice(&source.frame.slot_widths()[1..]);
        } else {
            let mut old_widths = old.layout.widths().skip(1);
            widths.extend(
                old_widths
                    .next()
                    .map(|width| match bits::bits(size_max) as u8 {
                        needed if needed > width => source.size_width as u8,
                        _ => width,
                    }),
            );
            for (element, (needed, old)) in elements
                .iter_mut()
                .zip(needed.into_iter().zip(old.layout.elements))
            {
                *element = if needed > old { *element } else { old };
            }
        }
        let is_same = kept != 0
            && elements == old.layout.elements
            && old.layout.widths().eq(widths.iter().copied());
        let layout = Layout::new(&self.state.shape, &widths, elements);
        rebuild_collection(edit, &old, kept, source, &layout, total as usize, scratch);
        Ok((!is_same).then_some(layout))
    }
}

/// Bytes of the kept rows.
fn kept_bytes(shape: &ObjectShape, old: &PageView<'_>, kept: u64) -> usize {
    let Some(last) = shape.variable.last().map(|&field| field as usize) else {
        return 0;
    };
    let gone: usize = rows(old.present() & !kept)
        .map(|row| old.variable_end(row, last).0 - old.variable_start(shape, row))
        .sum();
    old.variable_total(Some(last), true) - gone
}

/// Reads the values of the added rows into the scratch buffers.
fn read_added<'a>(
    edit: &Edit<'_>,
    source: &ObjectSource<'a>,
    shape: &ObjectShape,
    scratch: &mut Scratch<'a>,
) -> Result<()> {
    scratch.values.clear();
    scratch.variable.clear();
    for row in edit.added {
        let shard = row.shard as usize;
        let sections = &source.frame.shards[shard];
        for (field, kind) in shape.kinds.iter().enumerate() {
            if let SlotKind::Variable(_) = kind {
                let bytes = source.variable(field, shard, u64::from(row.row))?;
                scratch.values.push(u64::from(bytes.is_none()));
                scratch.variable.push(bytes.unwrap_or_default());
            } else {
                scratch
                    .values
                    .push(source.fixed(field, sections, u64::from(row.row)));
            }
        }
    }
    Ok(())
}

/// Writes the values of added row number `index` into zeroed row `row`, its variable-length bytes behind `end`.
fn write_added(
    index: usize,
    row: u32,
    shape: &ObjectShape,
    layout: &Layout,
    row_words: &mut [u64],
    scratch: (&[u64], &[&[u8]]),
    bytes: &mut Vec<u8>,
) {
    let fields = shape.kinds.len();
    let values = &scratch.0[index * fields..][..fields];
    let mut variable = scratch.1[index * shape.variable.len()..].iter();
    for (&value, slot) in values.iter().zip(&layout.slots) {
        let stored = match slot.kind {
            SlotKind::Variable(_) => {
                bytes.extend_from_slice(variable.next().copied().unwrap_or_default());
                bytes.len() as u64 | value << (slot.width - 1)
            }
            _ => value,
        };
        let at = (row * layout.row_bits + slot.offset) as usize;
        bits::or(row_words, at, u32::from(slot.width), stored);
    }
}

/// Rebuilds a page whose layout stays: rows are copied as they are, then the changed ones overwritten and the end
/// offsets behind them moved.
fn patch_object(
    edit: &Edit<'_>,
    old: &PageView<'_>,
    kept: u64,
    shape: &ObjectShape,
    scratch: &mut Scratch<'_>,
) {
    let layout = old.layout;
    let row_bits = layout.row_bits as usize;
    let words = &mut scratch.words;
    words.clear();
    words.extend_from_slice(&old.words[..row_bits]);
    let bytes = &mut scratch.bytes;
    bytes.clear();
    let last = shape.variable.last().map(|&field| field as usize);
    let old_bytes = old.variable_bytes();
    let old_total = old.variable_total(last, true);
    let added = edit.added_rows();
    let mut from = 0;
    let mut next_kept = kept;
    let mut index = 0;
    let gone = if last.is_some() {
        old.present() & !kept
    } else {
        0
    };
    for row in rows(gone | added) {
        let before = (1u64 << row) - 1;
        let (start, end) = match last {
            None => (0, 0),
            Some(_) if old.present() & before == 0 && !old.is_present(row) => (0, 0),
            Some(last) => {
                let start = old.variable_start(shape, row);
                let end = match old.is_present(row) {
                    true => old.variable_end(row, last).0,
                    false => start,
                };
                (start, end)
            }
        };
        shift_ends(
            words,
            layout,
            shape,
            next_kept & before,
            bytes.len().wrapping_sub(from),
        );
        next_kept &= !before;
        bytes.extend_from_slice(&old_bytes[from..start]);
        from = end;
        clear(words, row as usize * row_bits, row_bits);
        if added >> row & 1 != 0 {
            let values = (scratch.values.as_slice(), scratch.variable.as_slice());
            write_added(index, row, shape, layout, words, values, bytes);
            index += 1;
        }
    }
    shift_ends(
        words,
        layout,
        shape,
        next_kept,
        bytes.len().wrapping_sub(from),
    );
    bytes.extend_from_slice(&old_bytes[from..old_total]);
    append_bytes(words, bytes);
}

/// Adds `difference` to the end offsets of `which` rows.
fn shift_ends(
    words: &mut [u64],
    layout: &Layout,
    shape: &ObjectShape,
    which: u64,
    difference: usize,
) {
    if difference == 0 || shape.variable.is_empty() {
        return;
    }
    for row in rows(which) {
        for &field in &shape.variable {
            let slot = layout.slots[field as usize];
            let at = (row * layout.row_bits + slot.offset) as usize;
            let width = u32::from(slot.width) - 1;
            let end = bits::get(words, at, width).wrapping_add(difference as u64);
            bits::set(words, at, width, end);
        }
    }
}

fn append_bytes(words: &mut Vec<u64>, bytes: &[u8]) {
    let rows = words.len();
    words.resize(rows + bytes.len().div_ceil(8), 0);
    let target: &mut [u8] = bytemuck::cast_slice_mut(&mut words[rows..]);
    target[..bytes.len()].copy_from_slice(bytes);
}

/// Rebuilds a page in another layout, value by value.
fn rebuild_object(
    edit: &Edit<'_>,
    old: &PageView<'_>,
    kept: u64,
    shape: &ObjectShape,
    layout: &Layout,
    total: usize,
    scratch: &mut Scratch<'_>,
) {
    let words = &mut scratch.words;
    words.clear();
    words.resize(layout.row_bits as usize, 0);
    let bytes = &mut scratch.bytes;
    bytes.clear();
    bytes.reserve(total);
    let mut index = 0;
    for row in rows(kept | edit.added_rows()) {
        if kept >> row & 1 == 0 {
            let values = (scratch.values.as_slice(), scratch.variable.as_slice());
            write_added(index, row, shape, layout, words, values, bytes);
            index += 1;
            continue;
        }
        for (field, slot) in layout.slots.iter().enumerate() {
            let stored = match slot.kind {
                SlotKind::Variable(_) => {
                    let value = old.variable(shape, row, field);
                    bytes.extend_from_slice(value.unwrap_or_default());
                    bytes.len() as u64 | u64::from(value.is_none()) << (slot.width - 1)
                }
                SlotKind::Number(_) => {
                    let stored = old.slot(row, field);
                    let width = u32::from(old.layout.slots[field].width);
                    if stored == bits::mask(width) {
                        u64::MAX
                    } else {
                        stored
                    }
                }
                _ => old.slot(row, field),
            };
            let at = (row * layout.row_bits + slot.offset) as usize;
            bits::or(words, at, u32::from(slot.width), stored);
        }
    }
    append_bytes(words, bytes);
}

/// Rebuilds a page of collections; neighbouring kept rows are copied together where element widths stay.
fn rebuild_collection(
    edit: &Edit<'_>,
    old: &PageView<'_>,
    kept: u64,
    source: &CollectionSource<'_>,
    layout: &Layout,
    total: usize,
    scratch: &mut Scratch<'_>,
) {
    let row_bits = layout.row_bits as usize;
    let element_bits = layout.element_bits() as usize;
    let words = &mut scratch.words;
    words.clear();
    words.resize(row_bits + (total * element_bits).div_ceil(64), 0);
    let copy_kept = |words: &mut [u64], from: usize, to: usize, end: usize| {
        let target = row_bits * 64 + (end + from - to) * element_bits;
        if old.layout.elements == layout.elements {
            let at = old.layout.row_bits as usize * 64 + from * element_bits;
            bits::copy(old.words, at, words, target, (to - from) * element_bits);
        } else {
            for (index, element) in (from..to).enumerate() {
                let (key, value) = super::changed::split(old, element as u32);
                let key = key.unwrap_or(u64::MAX);
                put_element(words, layout, target + index * element_bits, key, value);
            }
        }
    };
    let has_size = layout.slots.len() > SIZE;
    let added = edit.added_rows();
    // Elements of the page so far; kept elements not copied yet, from and to; where the old row starts.
    let mut end = 0;
    let mut pending = (0, 0);
    let mut start = 0;
    let mut index = 0;
    for row in rows(old.present() | added) {
        let mut size = 0;
        if old.is_present(row) {
            let old_end = old.slot(row, END) as usize;
            if kept >> row & 1 != 0 {
                if pending.1 != start {
                    copy_kept(words, pending.0, pending.1, end);
                    pending = (start, start);
                }
                pending.1 = old_end;
                end += old_end - start;
                size = if has_size { old.slot(row, SIZE) } else { 0 };
            }
            start = old_end;
        }
        if added >> row & 1 != 0 {
            copy_kept(words, pending.0, pending.1, end);
            pending = (start, start);
            let (from, to) = scratch.extents[index];
            let shard = edit.added[index].shard as usize;
            let target = row_bits * 64 + end * element_bits;
            copy_added(source, shard, (from, to), words, layout, target);
            end += (to - from) as usize;
            size = scratch.values[index];
            index += 1;
        } else if kept >> row & 1 == 0 {
            continue;
        }
        let at = row as usize * row_bits;
        bits::or(words, at, u32::from(layout.slots[END].width), end as u64);
        if let Some(slot) = layout.slots.get(SIZE) {
            bits::or(
                words,
                at + slot.offset as usize,
                u32::from(slot.width),
                size,
            );
        }
    }
    copy_kept(words, pending.0, pending.1, end);
}

/// Copies the elements of a row of the delta.
fn copy_added(
    source: &CollectionSource<'_>,
    shard: usize,
    (from, to): (u64, u64),
    words: &mut [u64],
    layout: &Layout,
    target: usize,
) {
    let element_bits = layout.element_bits() as usize;
    if source.elements == layout.elements {
        source.frame.shards[shard].elements.copy_to(
            from * element_bits as u64,
            words,
            target,
            (to - from) as usize * element_bits,
        );
        return;
    }
    for (index, element) in (from..to).enumerate() {
        let key = source.key(shard, element).unwrap_or(u64::MAX);
        let value = source.value(shard, element);
        put_element(words, layout, target + index * element_bits, key, value);
    }
}

fn put_element(words: &mut [u64], layout: &Layout, at: usize, key: u64, value: u64) {
    let [key_width, value_width] = layout.elements.map(u32::from);
    bits::or(words, at, key_width, key);
    bits::or(words, at + key_width as usize, value_width, value);
}
