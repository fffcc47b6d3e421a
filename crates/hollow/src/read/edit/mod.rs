//! Rebuilding one page from its old rows and the rows that a delta adds.

mod collection;
mod object;

use super::Ordinal;
use super::apply::Source;
use super::layout::Layout;
use super::page::{PAGE_ROWS, Page};
use super::type_state::TypeState;
use crate::ahead::await_all;
use crate::error::Result;

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
struct Scratch<'a> {
    /// Fixed-length values of the added rows, field by field; of variable-length ones the null mark.
    values: Vec<u64>,
    variable: Vec<&'a [u8]>,
    extents: Vec<(u64, u64)>,
    widths: Vec<u8>,
}

/// Above this number of layouts, a page that overflows takes the widest so far, so that their number stays bounded
/// however long a chain grows.
const LAYOUTS_MAX: usize = 256;

/// Pages that are waited for together.
const AHEAD_PAGES: usize = 16;
/// Words of a line of memory.
const LINE_WORDS: usize = 8;

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

    pub(super) fn edit_all(&self, edits: &[Edit<'a>]) -> Vec<Result<Edited>> {
        let mut scratch = Scratch::default();
        let mut edited = Vec::with_capacity(edits.len());
        for edits in edits.chunks(AHEAD_PAGES) {
            // All lines of all pages, so that they are waited for together: nearly all will be copied.
            let words = edits.iter().map(|edit| &edit.old.words);
            let lines = words.flat_map(|words| words.iter().step_by(LINE_WORDS));
            await_all(lines.copied());
            edited.extend(edits.iter().map(|edit| self.edit(edit, &mut scratch)));
        }
        edited
    }

    fn edit(&self, edit: &Edit<'a>, scratch: &mut Scratch<'a>) -> Result<Edited> {
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
        match self.source {
            Source::Object(source) => self.object(edit, old, kept, source, scratch),
            Source::Collection(source) => self.collection(edit, old, kept, source, scratch),
        }
    }
}
