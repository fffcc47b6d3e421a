//! Pairing in linear time: records by key, elements of collections by content and then by key. Nothing is allocated for
//! single records or elements.

use crate::Ordinal;
use crate::index::BoundKey;
use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::prelude::*;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU32, Ordering};

/// Records that are paired in one table: as many as stay in a core's cache.
const PART: usize = 1 << 13;
/// Ordinals that one task pairs with equal ones.
const BLOCK: Ordinal = 1 << 14;
/// An ordinal without a partner.
const ALONE: u32 = u32::MAX;

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
    let last = removed.last().max(added.last()).copied().unwrap_or(0);
    let blocks: Vec<Pairs> = (0..=last / BLOCK)
        .into_par_iter()
        .map(|block| {
            let of = |ordinals: &'_ [Ordinal]| {
                let first = |block| ordinals.partition_point(|&ordinal| ordinal / BLOCK < block);
                first(block)..first(block + 1)
            };
            let (removed, added) = (&removed[of(removed)], &added[of(added)]);
            at_equal_ordinals(old_key, new_key, removed, added)
        })
        .collect();
    let mut pairs = Pairs::default();
    let (mut old_rest, mut new_rest) = (Vec::new(), Vec::new());
    for block in blocks {
        pairs.both.extend(block.both);
        old_rest.extend(block.removed);
        new_rest.extend(block.added);
    }
    let partners = partners(old_key, new_key, &old_rest, &new_rest);
    let mut taken = vec![false; old_rest.len()];
    let mut paired = Vec::new();
    for (&new, partner) in new_rest.iter().zip(partners) {
        match partner.into_inner() {
            ALONE => pairs.added.push(new),
            position => {
                taken[position as usize] = true;
                paired.push((old_rest[position as usize], new));
            }
        }
    }
    let alone = old_rest.iter().zip(taken).filter(|(_, taken)| !taken);
    pairs.removed = alone.map(|(&ordinal, _)| ordinal).collect();
    if pairs.both.is_empty() {
        pairs.both = paired;
    } else if !paired.is_empty() {
        pairs.both.extend(paired);
        pairs.both.sort_unstable_by_key(|&(_, new)| new);
    }
    pairs
}

/// Pairs what has the same key at the same ordinal. States that were made alike have most of their records so; where hardly
/// any is, we stop looking.
fn at_equal_ordinals(
    old_key: &BoundKey,
    new_key: &BoundKey,
    removed: &[Ordinal],
    added: &[Ordinal],
) -> Pairs {
    let mut pairs = Pairs::default();
    let (mut misses, misses_max) = (0, 64);
    let (mut old, mut new) = (
        removed.iter().copied().peekable(),
        added.iter().copied().peekable(),
    );
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (Some(a), Some(b)) if a == b => {
                if misses <= misses_max + pairs.both.len() && old_key.same(a, new_key, b) {
                    pairs.both.push((a, b));
                } else {
                    misses += 1;
                    pairs.removed.push(a);
                    pairs.added.push(b);
                }
                old.next();
                new.next();
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                pairs.removed.push(a);
                old.next();
            }
            (_, Some(b)) => {
                pairs.added.push(b);
                new.next();
            }
            _ => return pairs,
        }
    }
}

/// A record by its hash, with its position in the list that it comes from.
#[derive(Clone, Copy)]
struct Hashed {
    hash: u64,
    position: u32,
}

/// For each of the new ordinals the position of its partner among the old ones, or [`ALONE`]. Both lists are cut into parts
/// by the hashes of their keys, which all cores pair.
fn partners(
    old_key: &BoundKey,
    new_key: &BoundKey,
    old: &[Ordinal],
    new: &[Ordinal],
) -> Vec<AtomicU32> {
    let found: Vec<AtomicU32> = new.iter().map(|_| AtomicU32::new(ALONE)).collect();
    let part_bits = (old.len() / PART).checked_ilog2().map_or(0, |log| log + 1);
    let part = |hash: u64| (hash >> 32 << part_bits >> 32) as usize;
    let has_marks = old_key.has_marks(new_key);
    let parts = |key: &BoundKey, ordinals: &[Ordinal]| -> Vec<Vec<Hashed>> {
        let hashes: Vec<u64> = ordinals
            .par_iter()
            .with_min_len(1024)
            .map(|&ordinal| match has_marks {
                true => key.mark(ordinal),
                false => key.hash_of(ordinal),
            })
            .collect();
        let room = (hashes.len() >> part_bits) * 9 / 8;
        let mut parts: Vec<Vec<Hashed>> = (0..1 << part_bits)
            .map(|_| Vec::with_capacity(room))
            .collect();
        for (position, hash) in hashes.into_iter().enumerate() {
            parts[part(hash)].push(Hashed {
                hash,
                position: position as u32,
            });
        }
        parts
    };
    let (old_parts, new_parts) = rayon::join(|| parts(old_key, old), || parts(new_key, new));
    old_parts
        .par_iter()
        .zip(new_parts)
        .for_each(|(old_part, new_part)| {
            let mut waiting: HashTable<Hashed> = HashTable::with_capacity(old_part.len());
            for &hashed in old_part {
                waiting.insert_unique(hashed.hash, hashed, |hashed| hashed.hash);
            }
            for Hashed { hash, position } in new_part {
                let partner = waiting.find_entry(hash, |candidate| {
                    let same = || {
                        let old = old[candidate.position as usize];
                        old_key.same(old, new_key, new[position as usize])
                    };
                    candidate.hash == hash && (has_marks || same())
                });
                if let Ok(partner) = partner {
                    let partner = partner.remove().0.position;
                    found[position as usize].store(partner, Ordering::Relaxed);
                }
            }
        });
    found
}

/// Pairs positions of two lists by equal marks; gives the pairs, by the second position, and the rest of both, ascending.
pub(super) fn by_mark<M: Hash + Eq>(
    old: impl ExactSizeIterator<Item = (usize, M)>,
    new: impl ExactSizeIterator<Item = (usize, M)>,
) -> (Vec<(usize, usize)>, Vec<usize>, Vec<usize>) {
    let hasher = DefaultHashBuilder::default();
    let hash = |mark: &M| hasher.hash_one(mark);
    let mut waiting: HashTable<(M, usize)> = HashTable::with_capacity(old.len());
    for (position, mark) in old {
        waiting.insert_unique(hash(&mark), (mark, position), |(mark, _)| hash(mark));
    }
    let (mut pairs, mut added) = (Vec::with_capacity(new.len()), Vec::new());
    for (position, mark) in new {
        match waiting.find_entry(hash(&mark), |(candidate, _)| *candidate == mark) {
            Ok(entry) => pairs.push((entry.remove().0.1, position)),
            Err(_) => added.push(position),
        }
    }
    let mut removed: Vec<usize> = waiting.into_iter().map(|(_, position)| position).collect();
    removed.sort_unstable();
    (pairs, removed, added)
}
