//! Whether a row of a delta is the record that a state holds: what applying the delta would make of it, without making it.

use super::apply::Source;
use super::changed::split;
use super::edit::AddedRow;
use super::layout::{ObjectShape, SIZE, SlotKind};
use super::object::{ObjectView, Raw};
use super::page::{PAGE_ROWS, PageView};
use super::source::{CollectionSource, ObjectSource};
use super::type_state::TypeState;
use crate::error::Result;

/// Whether `state` holds under the row's ordinal what the row says. The state has the source's schema.
pub(super) fn agrees(source: &Source<'_>, row: &AddedRow, state: &TypeState) -> Result<bool> {
    // The row is read in any case, since only rows that all are read are known to be sound.
    let page = state.page_of(row.ordinal);
    match source {
        Source::Object(source) => object(source, row, state.object(row.ordinal)),
        Source::Collection(source) => collection(source, row, page),
    }
}

fn object(source: &ObjectSource<'_>, row: &AddedRow, held: Option<ObjectView<'_>>) -> Result<bool> {
    let shape: &ObjectShape = source.shape;
    let (shard, index) = (row.shard as usize, u64::from(row.row));
    let sections = &source.frame.shards[shard];
    let mut agrees = held.is_some();
    for (field, kind) in shape.kinds.iter().enumerate() {
        let held = held.map(|view| (view.raw(field), view));
        agrees &= match kind {
            SlotKind::Variable(_) => match (source.variable(field, shard, index)?, held) {
                (Some(bytes), Some((Raw::Variable(held), _))) => bytes == held,
                (None, Some((Raw::Null, _))) => true,
                _ => false,
            },
            _ => match held {
                Some((Raw::Fixed(held), _)) => source.fixed(field, sections, index) == held,
                Some((Raw::Null, view)) => {
                    let null = match kind {
                        SlotKind::Number(_) => u64::MAX,
                        _ => view.page.layout.slots[field].null,
                    };
                    source.fixed(field, sections, index) == null
                }
                _ => false,
            },
        };
    }
    Ok(agrees)
}

fn collection(
    source: &CollectionSource<'_>,
    row: &AddedRow,
    held: Option<PageView<'_>>,
) -> Result<bool> {
    let (shard, index) = (row.shard as usize, u64::from(row.row));
    let (start, end) = source.extent(shard, index)?;
    let size = source.size(shard, index, start, end)?;
    let Some(page) = held else {
        return Ok(false);
    };
    let at = row.ordinal % PAGE_ROWS;
    let (from, to) = page.elements(at);
    let has_size = page.layout.slots.len() > SIZE;
    let is_like = end - start == u64::from(to - from) && (!has_size || page.slot(at, SIZE) == size);
    Ok(is_like
        && (start..end).zip(from..to).all(|(theirs, held)| {
            let theirs = (source.key(shard, theirs), source.value(shard, theirs));
            theirs.0 == split(&page, held).0
                && (theirs.0.is_none() || theirs.1 == split(&page, held).1)
        }))
}
