//! What differs between two states of a type, found by the structure that they share.

use super::Ordinal;
use super::layout::{ObjectShape, SIZE, Shape};
use super::object::ObjectView;
use super::page::{PAGE_ROWS, PageView, rows};
use super::type_state::TypeState;

/// Ordinals whose records differ between two states. One whose record is another stands in both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Populated before, with a record that is gone or another now; ascending.
    pub removed: Vec<Ordinal>,
    /// Populated now, with a record that was not there or another before; ascending.
    pub added: Vec<Ordinal>,
}

impl Changed {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

pub(crate) fn between(before: &TypeState, after: &TypeState) -> Changed {
    let comparable = before.schema == after.schema;
    let mut changed = Changed::default();
    before.pages.differing(&after.pages, |index, old, new| {
        let old_rows = old.map_or(0, |page| page.populated);
        let new_rows = new.map_or(0, |page| page.populated);
        let mut equal = 0u64;
        if let (Some(old), Some(new), true) = (old, new, comparable) {
            equal = if old.shares_words(new) {
                old_rows & new_rows
            } else {
                let old = old.with(before.layouts.get(old.layout));
                let new = new.with(after.layouts.get(new.layout));
                equal_rows(after, &old, &new, old_rows & new_rows)
            };
        }
        let first = index as u32 * PAGE_ROWS;
        changed
            .removed
            .extend(rows(old_rows & !equal).map(|row| first + row));
        changed
            .added
            .extend(rows(new_rows & !equal).map(|row| first + row));
    });
    changed
}

/// Those of `which` rows that hold the same record in two pages of one schema.
fn equal_rows(state: &TypeState, a: &PageView<'_>, b: &PageView<'_>, which: u64) -> u64 {
    let is_equal: &dyn Fn(u32) -> bool = match &*state.shape {
        Shape::Object(shape) if a.layout == b.layout => &|row| same_layout_equal(shape, a, b, row),
        Shape::Object(shape) => &|row| {
            let (page, other) = (*a, *b);
            let a = ObjectView { shape, page, row };
            let b = ObjectView { page: other, ..a };
            (0..shape.kinds.len()).all(|field| a.raw(field) == b.raw(field))
        },
        _ => &|row| {
            let (a_start, a_end) = a.elements(row);
            let (b_start, b_end) = b.elements(row);
            a_end - a_start == b_end - b_start
                && (0..a_end - a_start)
                    .all(|index| split(a, a_start + index) == split(b, b_start + index))
        },
    };
    rows(which)
        .filter(|&row| is_equal(row))
        .fold(0, |equal, row| equal | 1 << row)
}

/// Whether an OBJECT row is equal in two pages of one layout: stored values as they are, end offsets relative to the
/// start of the row, and all its variable-length bytes at once.
fn same_layout_equal(shape: &ObjectShape, a: &PageView<'_>, b: &PageView<'_>, row: u32) -> bool {
    let (a_start, b_start) = (a.variable_start(shape, row), b.variable_start(shape, row));
    let (mut a_end, mut b_end) = (a_start, b_start);
    for (index, slot) in a.layout.slots.iter().enumerate() {
        if slot.is_variable() {
            let (a_null, b_null);
            (a_end, a_null) = a.variable_end(row, index);
            (b_end, b_null) = b.variable_end(row, index);
            if a_end - a_start != b_end - b_start || a_null != b_null {
                return false;
            }
        } else if a.slot(row, index) != b.slot(row, index) {
            return false;
        }
    }
    a.variable_bytes().get(a_start..a_end) == b.variable_bytes().get(b_start..b_end)
}

/// An element or bucket in a form that does not depend on widths; an empty bucket has no key. In a list all ones are an
/// element like any other.
pub(crate) fn split(page: &PageView<'_>, index: u32) -> (Option<u64>, u64) {
    use crate::codec::bits;
    let is_list = page.layout.slots.len() <= SIZE;
    let [key_width, value_width] = page.layout.elements.map(u32::from);
    let stored = page.element(index);
    let key = stored & bits::mask(key_width);
    let value = stored.checked_shr(key_width).unwrap_or(0) & bits::mask(value_width);
    (
        (is_list || key != bits::mask(key_width)).then_some(key),
        value,
    )
}
