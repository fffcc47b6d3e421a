//! Pages of LIST, SET and MAP types.

use super::{Edit, Edited, Editor, Scratch};
use crate::codec::bits;
use crate::error::{Error, Result};
use crate::read::changed::split;
use crate::read::layout::{END, Layout, SIZE, Shape};
use crate::read::page::{Page, PageView, rows};
use crate::read::source::CollectionSource;

impl<'a> Editor<'a> {
    pub(super) fn collection(
        &self,
        edit: &Edit<'a>,
        old: PageView<'_>,
        kept: u64,
        source: &CollectionSource<'_>,
        scratch: &mut Scratch<'a>,
    ) -> Result<Edited> {
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
        let mut widths = [end_width, source.size_width as u8];
        let widths = &mut widths[..source.frame.slot_widths().len()];
        let mut elements = source.elements;
        if kept != 0 {
            if let (Some(width), Some(old)) = (widths.get_mut(SIZE), old.layout.slots.get(SIZE))
                && bits::bits(size_max) as u8 <= old.width
            {
                *width = old.width;
            }
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
        let layout = (!is_same).then(|| Layout::new(&self.state.shape, widths, elements));
        let new = layout.as_ref().unwrap_or(old.layout);
        let bits = total as usize * new.element_bits() as usize;
        let words = new.row_bits as usize + bits.div_ceil(64);
        let page = Page::filled(words, kept | edit.added_rows(), 0, true, |words| {
            rebuild_collection(edit, &old, kept, source, new, scratch, words);
            Ok(words.len())
        })?;
        Ok(Edited { page, layout })
    }
}

/// Rebuilds a page of collections; neighbouring kept rows are copied together where element widths stay.
fn rebuild_collection(
    edit: &Edit<'_>,
    old: &PageView<'_>,
    kept: u64,
    source: &CollectionSource<'_>,
    layout: &Layout,
    scratch: &Scratch<'_>,
    words: &mut [u64],
) {
    let row_bits = layout.row_bits as usize;
    let element_bits = layout.element_bits() as usize;
    let copy_kept = |words: &mut [u64], from: usize, to: usize, end: usize| {
        let target = row_bits * 64 + (end + from - to) * element_bits;
        if old.layout.elements == layout.elements {
            let at = old.layout.row_bits as usize * 64 + from * element_bits;
            bits::copy(old.words, at, words, target, (to - from) * element_bits);
        } else {
            for (index, element) in (from..to).enumerate() {
                let (key, value) = split(old, element as u32);
                let key = key.unwrap_or(u64::MAX);
                put_element(words, layout, target + index * element_bits, key, value);
            }
        }
    };
    let has_size = layout.slots.len() > SIZE;
    let added = edit.added_rows();
    // Rows before the first one that changes stay as they are.
    let changed = added | old.present() & !kept;
    let first = match changed.trailing_zeros() {
        first @ 0..64 if *layout == *old.layout => first,
        _ => 0,
    };
    bits::copy(old.words, 0, words, 0, first as usize * row_bits);
    // Where the old row starts; elements of the page so far; kept elements not copied yet, from and to.
    let mut start = old
        .row_before(first)
        .map_or(0, |before| old.slot(before, END) as usize);
    let mut end = start;
    let mut pending = (0, start);
    let mut index = 0;
    for row in rows((old.present() | added) & u64::MAX << first) {
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
