//! Pairing in linear time: records by key, elements of collections by content and then by key. Nothing is allocated for
//! single records or elements.

use crate::Ordinal;
use crate::index::BoundKey;
use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::prelude::*;
use std::hash::{BuildHasher, Hash};

/// What of two lists belongs together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Ascending by the second ordinal.
    pub(crate) both: Vec<(Ordinal, Ordinal)>,
    /// Ascending.
    pub(crate) removed: Vec<Ordinal>,
    /// Ascending.
    pub(crate) added: Vec<Ordinal>,
}

/// Pairs ascending ordinals of two states by key.
pub(crate) fn by_key(
    old_key: &BoundKey,
    new_key: &BoundKey,
    removed: &[Ordinal],
    added: &[Ordinal],
) -> Pairs {
    let mut pairs = Pairs::default();
    // States that were made alike have most of their records at equal ordinals.
    let (mut old_rest, mut new_rest) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (
        removed.iter().copied().peekable(),
        added.iter().copied().peekable(),
    );
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (Some(a), Some(b)) if a == b => {
                if old_key.same(a, new_key, b) {
                    pairs.both.push((a, b));
                } else {
                    old_rest.push(a);
                    new_rest.push(b);
                }
                old.next();
                new.next();
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                old_rest.push(a);
                old.next();
            }
            (_, Some(b)) => {
                new_rest.push(b);
                new.next();
            }
            _ => break,
        }
    }
    let mut waiting: HashTable<(u64, Ordinal)> = HashTable::with_capacity(old_rest.len());
    let hashes = |key: &BoundKey, ordinals: &[Ordinal]| -> Vec<u64> {
        ordinals
            .par_iter()
            .with_min_len(1024)
            .map(|&ordinal| key.hash_of(ordinal))
            .collect()
    };
    let old_hashes = hashes(old_key, &old_rest);
    let new_hashes = hashes(new_key, &new_rest);
    for (ordinal, hash) in old_rest.into_iter().zip(old_hashes) {
        waiting.insert_unique(hash, (hash, ordinal), |&(hash, _)| hash);
    }
    for (ordinal, hash) in new_rest.into_iter().zip(new_hashes) {
        let partner = waiting.find_entry(hash, |&(candidate, old)| {
            candidate == hash && old_key.same(old, new_key, ordinal)
        });
        match partner {
            Ok(entry) => pairs.both.push((entry.remove().0.1, ordinal)),
            Err(_) => pairs.added.push(ordinal),
        }
    }
    pairs.removed = waiting.into_iter().map(|(_, ordinal)| ordinal).collect();
    pairs.removed.sort_unstable();
    pairs.both.sort_unstable_by_key(|&(_, new)| new);
    pairs
}

/// Pairs positions of two lists by equal marks, the first of equal ones with the first; gives the pairs, by the second
/// position, and the rest of both, ascending. Elements without a mark find no partner.
pub(super) fn by_mark<M: Hash + Eq>(
    old: impl ExactSizeIterator<Item = (usize, Option<M>)>,
    new: impl ExactSizeIterator<Item = (usize, Option<M>)>,
) -> (Vec<(usize, usize)>, Vec<usize>, Vec<usize>) {
    let hasher = DefaultHashBuilder::default();
    let hash = |mark: &M| hasher.hash_one(mark);
    let mut removed = Vec::new();
    let mut waiting: HashTable<(M, usize)> = HashTable::with_capacity(old.len());
    for (position, mark) in old {
        match mark {
            Some(mark) => {
                waiting.insert_unique(hash(&mark), (mark, position), |(mark, _)| hash(mark));
            }
            None => removed.push(position),
        }
    }
    let (mut pairs, mut added) = (Vec::with_capacity(new.len()), Vec::new());
    for (position, mark) in new {
        let partner = mark.and_then(|mark| {
            let found = waiting.find_entry(hash(&mark), |(candidate, _)| *candidate == mark);
            found.ok().map(|entry| entry.remove().0.1)
        });
        match partner {
            Some(old) => pairs.push((old, position)),
            None => added.push(position),
        }
    }
    removed.extend(waiting.into_iter().map(|(_, position)| position));
    removed.sort_unstable();
    (pairs, removed, added)
}
