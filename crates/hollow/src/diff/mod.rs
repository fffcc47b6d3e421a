//! What differs between two states, record by record and field by field.
//!
//! Records are paired by a key. Where the states are of one chain, shared structure and equal ordinals tell at once what
//! did not change, so the cost follows what differs; across chains it is linear in the records. Within a changed record
//! the elements of collections are paired by content, then by key, in linear time, where Hollow's `HollowDiff` compares
//! all with all.

mod compare;
mod pairing;

use crate::Ordinal;
use crate::content::ContentChanges;
use crate::error::Result;
use crate::index::BoundKey;
use crate::key::KeyValue;
use crate::read::{Changed, ReadState};
use crate::value::Value;
use compare::Comparison;
pub(crate) use pairing::by_key as pairs_by_key;
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;

/// Pairs that a thread compares at least.
const PAIRS_MIN: usize = 128;

/// The difference between two states of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// The type.
    pub type_name: String,
    /// The resolved paths of the key by which records were paired.
    pub key_paths: Vec<String>,
    /// Records that only the second state has, by ascending ordinal.
    pub added: Vec<KeyedRecord>,
    /// Records that only the first state has, by ascending ordinal.
    pub removed: Vec<KeyedRecord>,
    /// Records that both have, with other content, by ascending ordinal in the second state.
    pub changed: Vec<ChangedRecord>,
}

/// A record of one of the states.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyedRecord {
    /// Its key, in the order of the paths.
    pub key: Vec<KeyValue>,
    /// Its ordinal in the state that has it.
    pub ordinal: Ordinal,
}

/// A record that is another in the second state.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedRecord {
    /// Its key, in the order of the paths.
    pub key: Vec<KeyValue>,
    /// Its ordinal in the first state.
    pub before: Ordinal,
    /// Its ordinal in the second state.
    pub after: Ordinal,
    /// What differs; never empty.
    pub fields: Vec<FieldChange>,
}

/// A place in a record where the two states differ.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Field names from the record on, with `.` between: `title.value`. An element of a collection is `[index]` (of the
    /// second state's list; of the first's for one that is gone), `[field=value]` where its type has a key, `[key]` in a
    /// map, or `[]` in a set.
    ///
    /// Elements of one collection share it, and records that many differences name share their values: a diff of large
    /// collections is mostly the same few texts.
    pub path: Arc<str>,
    /// The value in the first state; null if there is none.
    pub before: Arc<Value>,
    /// The value in the second state; null if there is none.
    pub after: Arc<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.path, self.before, self.after)
    }
}

impl Diff {
    /// Whether the states hold the same records of the type.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares the records of a type by its primary key, with all that they refer to.
///
/// # Errors
/// [`Error::Path`](crate::Error::Path) if a state lacks the type or it has no primary key;
/// [`Error::TooDeep`](crate::Error::TooDeep) for references that go round in a circle.
pub fn diff(before: &ReadState, after: &ReadState, type_name: &str) -> Result<Diff> {
    diff_by(before, after, type_name, None)
}

/// Compares the records of a type by `paths`, or by its primary key. Of several records with one key, those that find no
/// partner count as added or removed.
///
/// # Errors
/// As [`diff`]; [`Error::Path`](crate::Error::Path) also if a path leads nowhere in one of the states.
pub fn diff_by(
    before: &ReadState,
    after: &ReadState,
    type_name: &str,
    paths: Option<&[&str]>,
) -> Result<Diff> {
    let old_key = BoundKey::bind(before, type_name, paths)?;
    let new_key = BoundKey::bind(after, type_name, paths)?;
    let changes = ContentChanges::between(before, after);
    let none = Changed::default();
    let own = changes.of_type(type_name).unwrap_or(&none);
    let pairs = pairing::by_key(&old_key, &new_key, &own.removed, &own.added);
    let mut comparison = Comparison::new(before, after);
    // Where most records are candidates, hashing everything below them at once is cheaper than remembering.
    if pairs.both.len() > new_key.root().count() / 4 {
        comparison.prepare();
    }
    let piece = pairs.both.len().div_ceil(4 * rayon::current_num_threads());
    let changed = pairs
        .both
        .par_chunks(piece.max(PAIRS_MIN))
        .map(|pairs| {
            let mut comparison = comparison.fork();
            let mut changed = Vec::new();
            for &(old, new) in pairs {
                let fields = comparison.records(type_name, old, new)?;
                if !fields.is_empty() {
                    changed.push(ChangedRecord {
                        key: new_key.values(new),
                        before: old,
                        after: new,
                        fields,
                    });
                }
            }
            Ok(changed)
        })
        .collect::<Result<Vec<_>>>()?;
    let changed = changed.into_iter().flatten().collect();
    let keyed = |key: &BoundKey, ordinals: &[Ordinal]| -> Vec<KeyedRecord> {
        ordinals
            .iter()
            .map(|&ordinal| KeyedRecord {
                key: key.values(ordinal),
                ordinal,
            })
            .collect()
    };
    Ok(Diff {
        type_name: type_name.to_owned(),
        key_paths: new_key.paths().map(|path| path.text.clone()).collect(),
        added: keyed(&new_key, &pairs.added),
        removed: keyed(&old_key, &pairs.removed),
        changed,
    })
}
