//! Pages of OBJECT types: patched where the layout stays, else rebuilt value by value.

use super::{Edit, Edited, Editor, Scratch};
use crate::codec::bits;
use crate::error::Result;
use crate::read::layout::{Layout, ObjectShape, SlotKind};
use crate::read::page::{Page, PageView, rows};
use crate::read::snapshot::clear;
use crate::read::source::ObjectSource;

impl<'a> Editor<'a> {
    pub(super) fn object(
        &self,
        edit: &Edit<'a>,
        old: PageView<'_>,
        kept: u64,
        source: &ObjectSource<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Result<Edited> {
        let shape = source.shape;
        read_added(edit, source, shape, scratch)?;
        let total = kept_bytes(shape, &old, kept)
            + scratch
                .variable
                .iter()
                .map(|bytes| bytes.len())
                .sum::<usize>();
        let variable_width = bits::bits(total as u64) as u8 + 1;
        let layout = if kept == 0 {
            let mut widths = source.page_widths(variable_width);
            for (field, ceiling) in self.ceiling.iter().flatten().enumerate() {
                if let SlotKind::Number(_) = shape.kinds[field] {
                    widths[field] = widths[field].max(*ceiling);
                }
            }
            Some(widths)
        } else {
            self.widened(&old, source, shape, scratch, variable_width)
        };
        let layout = layout.map(|widths| Layout::new(&self.state.shape, &widths, [0, 0]));
        let row_bits = layout.as_ref().unwrap_or(old.layout).row_bits as usize;
        let words = row_bits + total.div_ceil(8);
        let populated = kept | edit.added_rows();
        let page = Page::filled(words, populated, 0, self.state.shape.has_ends(), |words| {
            let (row_words, rest) = words.split_at_mut(row_bits);
            let mut bytes = Bytes {
                target: bytemuck::cast_slice_mut(rest),
                length: 0,
            };
            match &layout {
                None => patch_object(edit, &old, kept, shape, scratch, row_words, &mut bytes),
                Some(layout) => {
                    rebuild_object(
                        edit,
                        &old,
                        kept,
                        (shape, layout),
                        scratch,
                        row_words,
                        &mut bytes,
                    );
                }
            }
            Ok(row_bits + bytes.length.div_ceil(8))
        })?;
        Ok(Edited { page, layout })
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
}

/// The variable-length bytes of a page that is being made.
struct Bytes<'t> {
    target: &'t mut [u8],
    length: usize,
}

impl Bytes<'_> {
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.target[self.length..end].copy_from_slice(bytes);
        self.length = end;
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
    scratch: &Scratch<'_>,
    bytes: &mut Bytes<'_>,
) {
    let fields = shape.kinds.len();
    let values = &scratch.values[index * fields..][..fields];
    let mut variable = scratch.variable[index * shape.variable.len()..].iter();
    for (&value, slot) in values.iter().zip(&layout.slots) {
        let stored = if slot.is_variable() {
            bytes.extend(variable.next().copied().unwrap_or_default());
            bytes.length as u64 | value << (slot.width - 1)
        } else {
            value
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
    scratch: &Scratch<'_>,
    words: &mut [u64],
    bytes: &mut Bytes<'_>,
) {
    let layout = old.layout;
    let row_bits = layout.row_bits as usize;
    words.copy_from_slice(&old.words[..row_bits]);
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
            bytes.length.wrapping_sub(from),
        );
        next_kept &= !before;
        bytes.extend(&old_bytes[from..start]);
        from = end;
        clear(words, row as usize * row_bits, row_bits);
        if added >> row & 1 != 0 {
            write_added(index, row, shape, layout, words, scratch, bytes);
            index += 1;
        }
    }
    shift_ends(
        words,
        layout,
        shape,
        next_kept,
        bytes.length.wrapping_sub(from),
    );
    bytes.extend(&old_bytes[from..old_total]);
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

/// Rebuilds a page in another layout, value by value.
fn rebuild_object(
    edit: &Edit<'_>,
    old: &PageView<'_>,
    kept: u64,
    (shape, layout): (&ObjectShape, &Layout),
    scratch: &Scratch<'_>,
    words: &mut [u64],
    bytes: &mut Bytes<'_>,
) {
    let mut index = 0;
    for row in rows(kept | edit.added_rows()) {
        if kept >> row & 1 == 0 {
            write_added(index, row, shape, layout, words, scratch, bytes);
            index += 1;
            continue;
        }
        for (field, slot) in layout.slots.iter().enumerate() {
            let stored = match shape.kinds[field] {
                SlotKind::Variable(_) => {
                    let value = old.variable(shape, row, field);
                    bytes.extend(value.unwrap_or_default());
                    bytes.length as u64 | u64::from(value.is_none()) << (slot.width - 1)
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
}
