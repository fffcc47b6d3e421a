//! What differs between two states, record by record and field by field.
//!
//! Records are paired by a key. Where the states are of one chain, shared structure and equal ordinals tell at once what
//! did not change, so the cost follows what differs; across chains it is linear in the records. Within a changed record
//! the elements of collections are paired by content, then by key, in linear time, where Hollow's `HollowDiff` compares
//! all with all.

mod ahead;
mod change;
mod classes;
mod compare;
mod equal;
mod few;
mod hashed;
mod marks;
mod pairing;
mod paths;
mod piece;
mod plan;

use crate::Ordinal;
use crate::content::ContentChanges;
use crate::error::Result;
use crate::index::BoundKey;
use crate::key::KeyValue;
use crate::read::{Changed, ReadState};
pub use change::FieldChange;
use change::Found;
pub(crate) use pairing::by_key as pairs_by_key;
use piece::Piece;
use plan::{Plan, Sides};
use rayon::prelude::*;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The difference between two states of a type, which it holds on to: what differs is read from them.
#[derive(Debug, Clone)]
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
#[derive(Clone)]
pub struct ChangedRecord {
    /// Its key, in the order of the paths.
    pub key: Vec<KeyValue>,
    /// Its ordinal in the first state.
    pub before: Ordinal,
    /// Its ordinal in the second state.
    pub after: Ordinal,
    found: Arc<Found>,
    places: Range<usize>,
}

impl ChangedRecord {
    /// What differs; never empty.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldChange<'_>> {
        self.found.fields(self.places.clone())
    }
}

impl fmt::Debug for ChangedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangedRecord")
            .field("key", &self.key)
            .field("before", &self.before)
            .field("after", &self.after)
            .field("fields", &self.fields().collect::<Vec<_>>())
            .finish()
    }
}

impl Diff {
    /// Whether the states hold the same records of the type.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Pairs of records that threads take run by run: what one of them met in a run it knows in its next ones, and all end at the
/// same time.
struct Runs<'p> {
    pairs: &'p [(Ordinal, Ordinal)],
    length: usize,
    taken: AtomicUsize,
}

impl<'p> Runs<'p> {
    /// Pairs of a run: at least so many, and more of many, since records near each other refer to the same ones.
    const MIN: usize = 128;
    const MAX: usize = 2048;
    /// Runs of a thread.
    const COUNT: usize = 16;

    fn new(pairs: &'p [(Ordinal, Ordinal)]) -> Self {
        let length = pairs.len() / (rayon::current_num_threads() * Self::COUNT);
        Self {
            pairs,
            length: length.clamp(Self::MIN, Self::MAX),
            taken: AtomicUsize::new(0),
        }
    }

    /// Takes one run after the other, until none is left.
    fn take(&self) -> impl Iterator<Item = &'p [(Ordinal, Ordinal)]> {
        std::iter::from_fn(|| {
            let run = self.taken.fetch_add(1, Ordering::Relaxed);
            self.pairs.chunks(self.length).nth(run)
        })
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
    // Without shared records of the type there is nothing to gain from what other types share.
    let changes = new_key
        .root()
        .shares_structure(old_key.root())
        .then(|| ContentChanges::between(before, after));
    let pairs = match &changes {
        Some(changes) => {
            let none = Changed::default();
            let own = changes.of_type(type_name).unwrap_or(&none);
            pairing::by_key(&old_key, &new_key, &own.removed, &own.added)
        }
        None => {
            let all = |key: &BoundKey| key.root().all_ordinals();
            pairing::by_key(&old_key, &new_key, &all(&old_key), &all(&new_key))
        }
    };
    let sides = Arc::new(Sides::new(before, after));
    let plan = &Plan::new(&sides, changes.as_ref(), pairs.both.len());
    let looks_ahead = changes.is_none();
    let runs = Runs::new(&pairs.both);
    let threads = (0..rayon::current_num_threads()).into_par_iter();
    let changed = threads.with_max_len(1).map(|_| {
        let mut runs = runs.take().peekable();
        let (Some(of), Some(_)) = (plan.number(type_name), runs.peek()) else {
            return Ok(Vec::new());
        };
        let mut piece = Piece::new(plan, of);
        runs.try_for_each(|pairs| piece.compare(pairs, looks_ahead))?;
        Ok(piece.records(&sides, &new_key))
    });
    let changed = changed.collect::<Result<Vec<Vec<_>>>>()?;
    let mut changed: Vec<ChangedRecord> = changed.into_iter().flatten().collect();
    // A few ascending lists, one behind the other.
    changed.sort_by_key(|record| record.after);
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
