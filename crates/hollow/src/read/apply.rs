//! Applying a delta or reverse delta to one type, at a cost that follows the change.
//!
//! The touched pages are rebuilt, each from its old rows and the delta's, and the directory's paths to them are copied;
//! all else is shared with the old state. Nothing of the delta is trusted: whatever is wrong is found before the new
//! state exists.
//!
//! Memory: at most 64 bytes for each byte of the delta, one page of 64 records in the widths of the type for each record
//! that it names, with the path to it, and 64 KiB for each type that it lists.

use super::agree::agrees;
use super::edit::{AddedRow, Edit, Edited, Editor};
use super::layout::{LayoutTable, Shape};
use super::page::{PAGE_ROWS, Page, rows};
use super::source::{CollectionSource, ObjectSource};
use super::type_state::TypeState;
use super::{ORDINAL_LIMIT, Ordinal};
use crate::blob::TypeFrame;
use crate::error::{Error, Result};
use crate::schema::Schema;
use rayon::prelude::*;

/// What a delta did to one type. An ordinal whose record was replaced stands in both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeChanges {
    /// The type.
    pub type_name: String,
    /// Ordinals that held a record before which they do not hold now, ascending.
    pub removed: Vec<Ordinal>,
    /// Ordinals that hold a record of the delta now, ascending.
    pub added: Vec<Ordinal>,
}

/// What a page's rows can come from.
pub(super) enum Source<'a> {
    Object(ObjectSource<'a>),
    Collection(CollectionSource<'a>),
}

/// Pages whose neighbours are waited for together.
const AHEAD_EDITS: usize = 8;
/// Pages a thread takes at a time.
const BATCH_PAGES: usize = 64;
/// Up to so many pages one thread is as fast as waking others.
const PARALLEL_PAGES: usize = 1024;
/// Rows that a thread compares at a time; up to twice as many, one thread is as fast as waking others.
const BATCH_ROWS: usize = 1024;

/// The state of the type after the delta.
pub(super) fn apply(old: &TypeState, frame: &TypeFrame<'_>) -> Result<(TypeState, TypeChanges)> {
    let source = source(old, frame)?;
    let (removed, added) = ordinals(frame)?;
    let empty = Page::default();
    let edits = by_page(old, &empty, &removed, &added);
    let editor = Editor::new(old, &source);
    let edited: Vec<Result<Edited>> = if edits.len() > PARALLEL_PAGES {
        edits
            .par_chunks(BATCH_PAGES)
            .flat_map_iter(|edits| editor.edit_all(edits))
            .collect()
    } else {
        editor.edit_all(&edits)
    };

    let mut new = old.clone();
    let mut changes = TypeChanges {
        type_name: old.name().to_owned(),
        ..TypeChanges::default()
    };
    for (index, (edit, edited)) in edits.iter().zip(edited).enumerate() {
        let edited = edited?;
        if index % AHEAD_EDITS == 0 {
            let ahead = edits[index..].iter().take(AHEAD_EDITS);
            new.pages.await_chunks(ahead.map(|edit| edit.page));
        }
        let first = edit.page as u32 * PAGE_ROWS;
        let gone = edit.old.populated & (edit.removed | edit.added_rows());
        changes.removed.extend(rows(gone).map(|row| first + row));
        changes
            .added
            .extend(rows(edit.added_rows()).map(|row| first + row));
        let layout = match edited.layout {
            Some(layout) => LayoutTable::intern(&mut new.layouts, layout),
            None => edit.old.layout,
        };
        new.pages.set(
            edit.page,
            Page {
                layout,
                ..edited.page
            },
        );
    }
    new.count = new.count + changes.added.len() - changes.removed.len();
    new.num_shards = frame.num_shards;
    let last = new.last_ordinal().map_or(-1, |ordinal| ordinal as i32);
    new.max_ordinal = frame.max_ordinal.max(last);
    new.by_ordinal &= frame.schema.hash_key().is_none();
    Ok((new, changes))
}

/// What the delta does to the type, where every record that it adds is the one that `target` holds in its place; else `None`.
pub(super) fn compare(
    old: &TypeState,
    frame: &TypeFrame<'_>,
    target: &TypeState,
) -> Result<Option<TypeChanges>> {
    let source = source(target, frame)?;
    let (removed, added) = ordinals(frame)?;
    let agree = |rows: &[AddedRow]| -> Result<bool> {
        let agrees = |row| agrees(&source, row, target);
        rows.iter()
            .map(agrees)
            .try_fold(true, |all, row| Ok(all & row?))
    };
    let all_agree = match added.len() > 2 * BATCH_ROWS {
        true => added
            .par_chunks(BATCH_ROWS)
            .map(agree)
            .try_reduce(|| true, |one, other| Ok(one & other))?,
        false => agree(&added)?,
    };
    let added: Vec<Ordinal> = added.iter().map(|row| row.ordinal).collect();
    let mut gone = removed;
    gone.extend(&added);
    gone.sort_unstable();
    gone.dedup();
    gone.retain(|&ordinal| old.is_populated(ordinal));
    let type_name = old.name().to_owned();
    Ok(all_agree.then_some(TypeChanges {
        type_name,
        removed: gone,
        added,
    }))
}

/// Brings the schemas of reader and delta together.
fn source<'a>(old: &'a TypeState, frame: &'a TypeFrame<'a>) -> Result<Source<'a>> {
    let has_rows = frame.shards.iter().any(|shard| !shard.added.is_empty());
    let is_same_type = match (&frame.schema, &*old.schema) {
        (Schema::Object(theirs), Schema::Object(ours)) => {
            let Shape::Object(shape) = &*old.shape else {
                return Err(incompatible(old));
            };
            return ObjectSource::new(frame, theirs, ours, shape, has_rows).map(Source::Object);
        }
        (Schema::List(a), Schema::List(b)) => a.element_type == b.element_type,
        (Schema::Set(a), Schema::Set(b)) => a.element_type == b.element_type,
        (Schema::Map(a), Schema::Map(b)) => {
            (&a.key_type, &a.value_type) == (&b.key_type, &b.value_type)
        }
        _ => false,
    };
    if !is_same_type {
        return Err(incompatible(old));
    }
    Ok(Source::Collection(CollectionSource::new(frame)))
}

fn incompatible(old: &TypeState) -> Error {
    Error::IncompatibleSchemas {
        type_name: old.name().to_owned(),
        reason: "the delta's is of another kind or has other element types".to_owned(),
    }
}

/// Removed ordinals and added rows of the type, ascending.
fn ordinals(frame: &TypeFrame<'_>) -> Result<(Vec<Ordinal>, Vec<AddedRow>)> {
    let mut removed = Vec::with_capacity(frame.shards.iter().map(|s| s.removed.len()).sum());
    let mut added = Vec::with_capacity(frame.shards.iter().map(|s| s.added.len()).sum());
    for (index, shard) in frame.shards.iter().enumerate() {
        let place = |shard_ordinal: Ordinal| {
            let ordinal = u64::from(shard_ordinal) * u64::from(frame.num_shards) + index as u64;
            if ordinal >= u64::from(ORDINAL_LIMIT) {
                return Err(Error::Malformed {
                    at: shard.at,
                    what: "an ordinal of 2^29 or more",
                });
            }
            Ok(ordinal as Ordinal)
        };
        for &shard_ordinal in &shard.removed {
            removed.push(place(shard_ordinal)?);
        }
        for (row, &shard_ordinal) in shard.added.iter().enumerate() {
            added.push(AddedRow {
                ordinal: place(shard_ordinal)?,
                shard: index as u32,
                row: row as u32,
            });
        }
    }
    if frame.num_shards > 1 {
        removed.sort_unstable();
        added.sort_unstable_by_key(|row| row.ordinal);
    }
    Ok((removed, added))
}

/// The changes page by page, ascending. A removed ordinal without a record is none.
fn by_page<'a>(
    old: &'a TypeState,
    empty: &'a Page,
    removed: &[Ordinal],
    added: &'a [AddedRow],
) -> Vec<Edit<'a>> {
    let mut edits: Vec<Edit<'a>> = Vec::new();
    let (mut removed, mut at) = (removed.iter().copied().peekable(), 0);
    loop {
        let next_added = added.get(at).map(|row| row.ordinal);
        let Some(next) = removed.peek().copied().into_iter().chain(next_added).min() else {
            return edits;
        };
        let page = next / PAGE_ROWS;
        let is_here = |ordinal: Ordinal| ordinal / PAGE_ROWS == page;
        let mut removed_rows = 0;
        while let Some(ordinal) = removed.next_if(|&ordinal| is_here(ordinal)) {
            removed_rows |= 1 << (ordinal % PAGE_ROWS);
        }
        let start = at;
        while added.get(at).is_some_and(|row| is_here(row.ordinal)) {
            at += 1;
        }
        let old = old.pages.get(page as usize).unwrap_or(empty);
        edits.push(Edit {
            page: page as usize,
            old,
            removed: removed_rows & old.populated,
            added: &added[start..at],
        });
    }
}
