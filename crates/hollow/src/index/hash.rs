//! The index from values to any number of records.

use super::key::{Stored, combine, hash_raw};
use super::traversal::{Combination, Traversal};
use super::tree::{Pair, Tree};
use crate::Ordinal;
use crate::content::ContentChanges;
use crate::error::{Error, Result};
use crate::key::KeyValue;
use crate::read::{Changes, ReadState};
use rayon::prelude::*;

/// Finds the records that have, or lead to, given values, in one state.
///
/// Starting from the records of one type, *match paths* lead through references and collections (`element`, `key`,
/// `value`) to the values asked for, and a *select path* to the records that are the answer; paths that begin alike speak
/// of the same element, as in Hollow's `HollowHashIndex`. A path that ends at a record matches its ordinal.
///
/// As a [`PrimaryKeyIndex`](super::PrimaryKeyIndex) it belongs to one state; the next state's index is made from it at a
/// cost that follows the change, however many records share a value.
#[derive(Debug, Clone)]
pub struct HashIndex {
    traversal: Traversal,
    match_paths: Vec<String>,
    select_path: String,
    tree: Tree,
}

impl HashIndex {
    /// Indexes all records of `type_name`. An empty `select_path` selects these records themselves.
    ///
    /// # Errors
    /// [`Error::Path`] if the type is unknown, no match path is given, a path leads nowhere, or the select path does not
    /// end at a record.
    pub fn build(
        state: &ReadState,
        type_name: &str,
        match_paths: &[&str],
        select_path: &str,
    ) -> Result<Self> {
        let match_paths: Vec<String> = match_paths.iter().map(|&path| path.to_owned()).collect();
        let error = |path: &str, reason: &str| Error::Path {
            type_name: type_name.to_owned(),
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if match_paths.is_empty() {
            return Err(error("", "an index needs a match path"));
        }
        let traversal = bind(state, type_name, &match_paths, select_path)?;
        if !traversal.ends_at_record(match_paths.len()) {
            return Err(error(select_path, "a select path ends at a record"));
        }
        Ok(Self::of(traversal, match_paths, select_path.to_owned()))
    }

    fn of(traversal: Traversal, match_paths: Vec<String>, select_path: String) -> Self {
        let words: Vec<(Ordinal, u64)> = traversal.root().populated_words().collect();
        let mut pairs: Vec<Pair> = words
            .par_chunks(64)
            .flat_map_iter(|words| {
                let mut pairs = Vec::new();
                for &(first, mut word) in words {
                    while word != 0 {
                        let ordinal = first + word.trailing_zeros();
                        word &= word - 1;
                        pairs_of(&traversal, match_paths.len(), ordinal, &mut pairs);
                    }
                }
                pairs
            })
            .collect();
        pairs.par_sort_unstable();
        pairs.dedup();
        Self {
            tree: Tree::from_sorted(&pairs),
            traversal,
            match_paths,
            select_path,
        }
    }

    /// The index of `after`, which a delta (or a reverse delta) with these changes made of `before`, this index's state.
    ///
    /// # Errors
    /// [`Error::Path`] if the paths lead nowhere in `after`.
    pub fn updated(
        &self,
        before: &ReadState,
        after: &ReadState,
        changes: &Changes,
    ) -> Result<Self> {
        self.by_content(after, &ContentChanges::of_delta(before, after, changes))
    }

    /// The index of any other state. Where that state shares structure with this index's, the cost follows what differs.
    ///
    /// # Errors
    /// [`Error::Path`] if the paths lead nowhere in `after`.
    pub fn moved(&self, before: &ReadState, after: &ReadState) -> Result<Self> {
        self.by_content(after, &ContentChanges::between(before, after))
    }

    fn by_content(&self, after: &ReadState, changes: &ContentChanges) -> Result<Self> {
        let traversal = bind(
            after,
            self.type_name(),
            &self.match_paths,
            &self.select_path,
        )?;
        let mut next = Self {
            traversal,
            ..self.clone()
        };
        let Some(own) = changes.of_type(self.type_name()) else {
            return Ok(next);
        };
        if own.removed.len() + own.added.len() > self.tree.len() / 2 {
            return Ok(Self::of(next.traversal, next.match_paths, next.select_path));
        }
        let mut pairs = Vec::new();
        for &ordinal in &own.removed {
            pairs_of(&self.traversal, self.match_paths.len(), ordinal, &mut pairs);
        }
        for pair in pairs.drain(..) {
            next.tree.remove(pair);
        }
        for &ordinal in &own.added {
            pairs_of(&next.traversal, self.match_paths.len(), ordinal, &mut pairs);
        }
        for pair in pairs {
            next.tree.insert(pair);
        }
        Ok(next)
    }

    /// The type that the paths start from.
    pub fn type_name(&self) -> &str {
        self.traversal.root().name()
    }

    /// The selected records that match the values, given in the order of the match paths: ascending, each once.
    pub fn get(&self, key: &[KeyValue]) -> Vec<Ordinal> {
        let mut selected = Vec::new();
        let Some((stored, hash)) = self.stored(key) else {
            return selected;
        };
        let select = self.match_paths.len();
        for ordinal in self.tree.of_hash(hash) {
            self.traversal.walk(ordinal, |combination| {
                if Traversal::is(combination, &stored) {
                    selected.extend(combination.ordinal(select));
                    return !self.select_path.is_empty();
                }
                true
            });
        }
        selected.sort_unstable();
        selected.dedup();
        selected
    }

    /// Whether any record matches.
    pub fn contains(&self, key: &[KeyValue]) -> bool {
        let Some((stored, hash)) = self.stored(key) else {
            return false;
        };
        self.tree.of_hash(hash).any(|ordinal| {
            let mut found = false;
            self.traversal.walk(ordinal, |combination| {
                found = Traversal::is(combination, &stored);
                !found
            });
            found
        })
    }

    fn stored<'k>(&self, key: &'k [KeyValue]) -> Option<(Vec<Stored<'k>>, u64)> {
        if key.len() != self.match_paths.len() {
            return None;
        }
        let stored: Vec<Stored<'k>> = key
            .iter()
            .enumerate()
            .map(|(path, value)| Stored::of(value, self.traversal.field_type(path)))
            .collect::<Option<_>>()?;
        let hash = stored.iter().map(Stored::hash).reduce(combine)?;
        Some((stored, hash))
    }

    /// Bytes on the heap, what the indexes of other states share included, the records not.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }
}

fn bind(
    state: &ReadState,
    type_name: &str,
    match_paths: &[String],
    select_path: &str,
) -> Result<Traversal> {
    let mut paths = match_paths.to_vec();
    paths.push(select_path.to_owned());
    Traversal::bind(state, type_name, &paths)
}

fn hash_of(combination: &Combination<'_>, paths: usize) -> u64 {
    (0..paths)
        .map(|path| combination.with(path, hash_raw))
        .reduce(combine)
        .unwrap_or(0)
}

/// Appends the pairs of one record, each once.
fn pairs_of(traversal: &Traversal, paths: usize, ordinal: Ordinal, pairs: &mut Vec<Pair>) {
    let start = pairs.len();
    traversal.walk(ordinal, |combination| {
        pairs.push((hash_of(combination, paths), ordinal));
        true
    });
    pairs[start..].sort_unstable();
    let mut kept = start;
    for at in start..pairs.len() {
        if at == start || pairs[at] != pairs[kept - 1] {
            pairs[kept] = pairs[at];
            kept += 1;
        }
    }
    pairs.truncate(kept);
}
