//! The records of one type in one state.

use super::changed::{self, Changed};
use super::collections::{ListView, MapView, SetView};
use super::directory::Directory;
use super::layout::{END, Layout, LayoutTable, Shape};
use super::object::ObjectView;
use super::page::{PAGE_ROWS, Page, PageView, rows};
use super::{Ordinal, checksum, serialize};
use crate::schema::Schema;
use std::fmt;
use std::sync::Arc;

/// The records of one type in one state. Cheap to clone: everything is shared.
#[derive(Clone)]
pub struct TypeState {
    pub(crate) schema: Arc<Schema>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) part: Option<Arc<str>>,
    pub(crate) layouts: Arc<LayoutTable>,
    pub(crate) pages: Directory,
    pub(crate) count: usize,
    pub(crate) num_shards: u32,
    pub(crate) max_ordinal: i32,
    /// Whether elements of sets and keys of maps lie where the hash of their ordinal puts them.
    pub(crate) by_ordinal: bool,
}

impl TypeState {
    /// A type without records.
    pub(crate) fn empty(schema: Schema, part: Option<Arc<str>>) -> Self {
        Self {
            shape: Arc::new(Shape::of(&schema)),
            by_ordinal: schema.hash_key().is_none(),
            schema: Arc::new(schema),
            part,
            layouts: Arc::default(),
            pages: Directory::default(),
            count: 0,
            num_shards: 1,
            max_ordinal: -1,
        }
    }

    /// The type's schema; with a field filter, without the fields left out.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The type's name.
    pub fn name(&self) -> &str {
        self.schema.name()
    }

    /// The optional part that the type's records came in, `None` for the main blob.
    pub fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// Number of records.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of shards in the writer's last blob: a property of blobs and of the checksum, not of storage here.
    pub fn num_shards(&self) -> u32 {
        self.num_shards
    }

    /// The largest ordinal in the writer's table at the last blob, -1 for none. It depends on the path by which the
    /// state was reached, and no populated ordinal is larger.
    pub fn max_ordinal(&self) -> i32 {
        self.max_ordinal
    }

    #[inline]
    fn row(&self, ordinal: Ordinal) -> Option<(PageView<'_>, u32)> {
        let page = self.pages.get((ordinal / PAGE_ROWS) as usize)?;
        let row = ordinal % PAGE_ROWS;
        (page.populated >> row & 1 != 0).then(|| (page.with(self.layouts.get(page.layout)), row))
    }

    /// The page that an ordinal with a record lies in.
    #[inline]
    pub(crate) fn page_of(&self, ordinal: Ordinal) -> Option<PageView<'_>> {
        self.row(ordinal).map(|(page, _)| page)
    }

    /// Whether there is a record of that ordinal.
    #[inline]
    pub fn is_populated(&self, ordinal: Ordinal) -> bool {
        self.pages
            .get((ordinal / PAGE_ROWS) as usize)
            .is_some_and(|page| page.populated >> (ordinal % PAGE_ROWS) & 1 != 0)
    }

    /// The ordinals of all records, ascending.
    pub fn ordinals(&self) -> impl Iterator<Item = Ordinal> + '_ {
        self.pages.pages().flat_map(|(index, page)| {
            rows(page.populated).map(move |row| index as u32 * PAGE_ROWS + row)
        })
    }

    /// The ordinals of all records, ascending, in a list: faster than collecting [`ordinals`](Self::ordinals).
    pub(crate) fn all_ordinals(&self) -> Vec<Ordinal> {
        let mut all = Vec::with_capacity(self.count);
        for (first, populated) in self.populated_words() {
            match populated {
                u64::MAX => all.extend(first..first + PAGE_ROWS),
                _ => all.extend(rows(populated).map(|row| first + row)),
            }
        }
        all
    }

    /// The populated ordinals 64 by 64: the number of the first, and a bit for each, ascending and without empty words.
    pub fn populated_words(&self) -> impl Iterator<Item = (Ordinal, u64)> + '_ {
        self.pages
            .pages()
            .map(|(index, page)| (index as u32 * PAGE_ROWS, page.populated))
    }

    /// The largest populated ordinal.
    pub fn last_ordinal(&self) -> Option<Ordinal> {
        let (index, page) = self.pages.last()?;
        Some(index as u32 * PAGE_ROWS + page.populated.checked_ilog2()?)
    }

    /// The OBJECT record of that ordinal; `None` if there is none or the type is of another kind.
    #[inline]
    pub fn object(&self, ordinal: Ordinal) -> Option<ObjectView<'_>> {
        let Shape::Object(shape) = &*self.shape else {
            return None;
        };
        let (page, row) = self.row(ordinal)?;
        Some(ObjectView { shape, page, row })
    }

    /// The OBJECT record of an ordinal that an index of this state has, so that there is a record.
    #[inline]
    pub(crate) fn indexed_object(&self, ordinal: Ordinal) -> Option<ObjectView<'_>> {
        let Shape::Object(shape) = &*self.shape else {
            return None;
        };
        let page = self.pages.get((ordinal / PAGE_ROWS) as usize)?;
        let page = page.with(self.layouts.get(page.layout));
        let row = ordinal % PAGE_ROWS;
        Some(ObjectView { shape, page, row })
    }

    /// The LIST record of that ordinal; `None` if there is none or the type is of another kind.
    #[inline]
    pub fn list(&self, ordinal: Ordinal) -> Option<ListView<'_>> {
        let (page, row) = self.row(ordinal)?;
        matches!(*self.shape, Shape::List).then(|| ListView::new(page, row))
    }

    /// The SET record of that ordinal; `None` if there is none or the type is of another kind.
    #[inline]
    pub fn set(&self, ordinal: Ordinal) -> Option<SetView<'_>> {
        let (page, row) = self.row(ordinal)?;
        matches!(*self.shape, Shape::Set).then(|| SetView::new(page, row, self.by_ordinal))
    }

    /// The MAP record of that ordinal; `None` if there is none or the type is of another kind.
    #[inline]
    pub fn map(&self, ordinal: Ordinal) -> Option<MapView<'_>> {
        let (page, row) = self.row(ordinal)?;
        matches!(*self.shape, Shape::Map).then(|| MapView::new(page, row, self.by_ordinal))
    }

    /// Appends the serialized record of that ordinal (format section 9.1), by which a writer knows it. Appends nothing if
    /// there is no such record.
    pub fn serialize(&self, ordinal: Ordinal, out: &mut Vec<u8>) {
        serialize::record(self, ordinal, out);
    }

    /// The ordinals whose records differ from those of `before`, an earlier or later state of the same type. Between
    /// states of one chain this costs by the change: shared structure is passed over. Where the schemas differ, every
    /// populated ordinal of both counts as changed.
    pub fn changed_ordinals(&self, before: &TypeState) -> Changed {
        changed::between(before, self)
    }

    /// The widths that buckets of a SET type have, in one page or another; some more than once.
    pub(crate) fn bucket_widths(&self) -> impl Iterator<Item = u32> + '_ {
        let layouts = (0..self.layouts.len() as u32).map(|id| self.layouts.get(id));
        layouts.map(Layout::element_bits)
    }

    /// How many elements the pages of a LIST type have, those of lists that were removed since a page was made included.
    pub(crate) fn list_elements(&self) -> usize {
        let elements = |page: &Page| {
            let page = page.with(self.layouts.get(page.layout));
            page.variable_total(Some(END), false)
        };
        self.pages.pages().map(|(_, page)| elements(page)).sum()
    }

    /// Whether any storage belongs to `other` too, as in states of one chain.
    pub(crate) fn shares_structure(&self, other: &TypeState) -> bool {
        self.pages.shares_any(&other.pages)
    }

    /// The type's share of [`ReadState::checksum`](super::ReadState::checksum).
    pub fn checksum(&self) -> u32 {
        checksum::of_type(self, None)
    }

    /// Bytes on the heap that this type takes, what other states share included.
    pub fn heap_bytes(&self) -> usize {
        self.pages.heap_bytes() + self.layouts.heap_bytes() + size_of::<Self>()
    }
}

impl fmt::Debug for TypeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeState")
            .field("name", &self.name())
            .field("count", &self.count)
            .field("num_shards", &self.num_shards)
            .field("max_ordinal", &self.max_ordinal)
            .finish_non_exhaustive()
    }
}
