//! Pages: 64 consecutive ordinals of one type in one allocation.
//!
//! First come 64 rows side by side, so `row_bits` words, whatever the widths are. Behind them lies what is of variable
//! length: the bytes of STRING and BYTES fields row by row, list elements, or the buckets of sets and maps, addressed
//! by end offsets in the rows. Everything is local to the page, so that a change costs one page, and the largest
//! offset is small.
//!
//! The bitmap of populated ordinals and the number of the layout stand beside the pointer in the directory, so that a
//! look-up of one value touches one line of the page, and a record is removed without touching the page: what it leaves
//! stays in the words, as a row that is present but not populated, until the page is rebuilt for something else or half
//! of it is such remains. Where rows have end offsets and not all 64 are present, the last word says which are.

use super::layout::{END, Layout, NONE, ObjectShape, Slot};
use crate::codec::bits;
use crate::error::Result;
use std::sync::Arc;

/// Ordinals of a page.
pub(crate) const PAGE_ROWS: u32 = 64;

/// A page as the directory holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) words: Arc<[u64]>,
    /// Bit i: row i holds a record.
    pub(crate) populated: u64,
    pub(crate) layout: u32,
    /// Whether the last word is no bitmap of the rows that are present: because all are, or because rows of this type
    /// have no end offsets, so that nobody needs to know.
    pub(crate) is_full: bool,
}

impl Page {
    /// A page whose rows, and what stands behind them, take `room` words at most: `fill` writes them, zero before, and says
    /// how many it took. Mostly all of them, so that nothing is copied.
    pub(crate) fn filled(
        room: usize,
        populated: u64,
        layout: u32,
        has_ends: bool,
        fill: impl FnOnce(&mut [u64]) -> Result<usize>,
    ) -> Result<Self> {
        let is_full = !has_ends || populated == u64::MAX;
        let bitmap = usize::from(!is_full);
        let mut words: Arc<[u64]> = std::iter::repeat_n(0, room + bitmap).collect();
        // Nobody else has the words yet.
        let taken = fill(Arc::get_mut(&mut words).unwrap_or_default())?;
        if populated == 0 {
            return Ok(Self::default());
        }
        if taken < room {
            words = Arc::from(&words[..taken + bitmap]);
        }
        if let (false, Some(last)) = (
            is_full,
            Arc::get_mut(&mut words).and_then(<[u64]>::last_mut),
        ) {
            *last = populated;
        }
        Ok(Self {
            words,
            populated,
            layout,
            is_full,
        })
    }

    #[inline]
    pub(crate) fn with<'a>(&'a self, layout: &'a Layout) -> PageView<'a> {
        PageView {
            words: &self.words,
            is_full: self.is_full,
            layout,
        }
    }

    /// Whether both have the same words, shared, so that a row populated in both is equal.
    #[inline]
    pub(crate) fn shares_words(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.words, &other.words) && self.layout == other.layout
    }
}

/// A page with its layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageView<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) is_full: bool,
    pub(crate) layout: &'a Layout,
}

impl<'a> PageView<'a> {
    #[inline]
    pub(crate) fn is_present(&self, row: u32) -> bool {
        self.present() >> row & 1 != 0
    }

    /// A word of a row.
    #[inline]
    pub(crate) fn first_word(&self, row: u32) -> u64 {
        let at = row as usize * self.layout.row_bits as usize / 64;
        self.words.get(at).copied().unwrap_or(0)
    }

    /// The rows that hold a record or the remains of one; all where rows have no end offsets.
    #[inline]
    pub(crate) fn present(&self) -> u64 {
        if self.is_full {
            return u64::MAX;
        }
        self.words.last().copied().unwrap_or(0)
    }

    /// The stored value of a slot.
    #[inline]
    pub(crate) fn slot(&self, row: u32, slot: usize) -> u64 {
        let at = self.layout.slots[slot];
        bits::get(
            self.words,
            (row * self.layout.row_bits + at.offset) as usize,
            u32::from(at.width),
        )
    }

    /// The stored value of a slot of an INT, LONG or REFERENCE, whose null is all ones and so the mask.
    #[inline]
    pub(crate) fn number(&self, row: u32, slot: &Slot) -> u64 {
        let at = row * self.layout.row_bits + slot.offset;
        bits::get_masked(self.words, at as usize, slot.null)
    }

    /// The row before `row` that is present.
    #[inline]
    pub(crate) fn row_before(&self, row: u32) -> Option<u32> {
        let before = self.present() & ((1u64 << row) - 1);
        before.checked_ilog2()
    }

    /// End offset of a variable-length field, and whether it is null.
    #[inline]
    pub(crate) fn variable_end(&self, row: u32, slot: usize) -> (usize, bool) {
        let width = u32::from(self.layout.slots[slot].width);
        let value = self.slot(row, slot);
        let offset_bits = width.saturating_sub(1);
        let end = value & bits::mask(offset_bits);
        (end as usize, width > 0 && value >> offset_bits != 0)
    }

    /// Where the variable-length bytes of `row` begin.
    #[inline]
    pub(crate) fn variable_start(&self, shape: &ObjectShape, row: u32) -> usize {
        match (shape.last, self.row_before(row)) {
            (NONE, _) | (_, None) => 0,
            (last, Some(before)) => self.variable_end(before, last as usize).0,
        }
    }

    /// The bytes of a variable-length field, `None` for null.
    #[inline]
    pub(crate) fn variable(&self, shape: &ObjectShape, row: u32, slot: usize) -> Option<&'a [u8]> {
        let (end, null) = self.variable_end(row, slot);
        if null {
            return None;
        }
        let start = match shape.before[slot] {
            NONE => self.variable_start(shape, row),
            before => self.variable_end(row, before as usize).0,
        };
        self.variable_bytes().get(start..end)
    }

    /// All variable-length bytes of the page, with the padding of the last word.
    #[inline]
    pub(crate) fn variable_bytes(&self) -> &'a [u8] {
        bytemuck::cast_slice(
            self.words
                .get(self.layout.row_bits as usize..)
                .unwrap_or(&[]),
        )
    }

    /// The elements or buckets of a collection, from and to.
    #[inline]
    pub(crate) fn elements(&self, row: u32) -> (u32, u32) {
        let start = self
            .row_before(row)
            .map_or(0, |before| self.slot(before, END));
        (start as u32, self.slot(row, END) as u32)
    }

    /// Element or bucket `index` of the page.
    #[inline]
    pub(crate) fn element(&self, index: u32) -> u64 {
        let width = self.layout.element_bits();
        let at = self.layout.row_bits as usize * 64 + index as usize * width as usize;
        bits::get(self.words, at, width)
    }

    /// Bytes (OBJECT) or elements (collections) behind the rows; `last` is the slot that holds the end offsets.
    pub(crate) fn variable_total(&self, last: Option<usize>, is_object: bool) -> usize {
        let (Some(slot), Some(row)) = (last, self.present().checked_ilog2()) else {
            return 0;
        };
        if is_object {
            self.variable_end(row, slot).0
        } else {
            self.slot(row, slot) as usize
        }
    }
}

/// The rows of a bitmap, ascending.
#[inline]
pub(crate) fn rows(mut bitmap: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (bitmap != 0).then(|| {
            let row = bitmap.trailing_zeros();
            bitmap &= bitmap - 1;
            row
        })
    })
}
