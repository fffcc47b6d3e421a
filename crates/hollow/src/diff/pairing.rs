//! Pairing in linear time: records by key, elements of collections by content and then by key.

use crate::Ordinal;
use crate::index::BoundKey;
use hashbrown::HashMap;
use std::hash::Hash;

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
    let mut waiting: HashMap<u64, Vec<Ordinal>> = HashMap::with_capacity(old_rest.len());
    for ordinal in old_rest {
        waiting
            .entry(old_key.hash_of(ordinal))
            .or_default()
            .push(ordinal);
    }
    for ordinal in new_rest {
        let partner = waiting
            .get_mut(&new_key.hash_of(ordinal))
            .and_then(|candidates| {
                let at = candidates
                    .iter()
                    .position(|&old| old_key.same(old, new_key, ordinal))?;
                Some(candidates.remove(at))
            });
        match partner {
            Some(old) => pairs.both.push((old, ordinal)),
            None => pairs.added.push(ordinal),
        }
    }
    pairs.removed = waiting.into_values().flatten().collect();
    pairs.removed.sort_unstable();
    pairs.both.sort_unstable_by_key(|&(_, new)| new);
    pairs
}

/// Pairs positions of two lists by equal marks, the first of equal ones with the first; gives the pairs, and the rest of
/// both. Elements without a mark find no partner.
pub(super) fn by_mark<M: Hash + Eq>(
    old: impl IntoIterator<Item = (usize, Option<M>)>,
    new: impl IntoIterator<Item = (usize, Option<M>)>,
) -> (Vec<(usize, usize)>, Vec<usize>, Vec<usize>) {
    let mut rest = Vec::new();
    let mut waiting: HashMap<M, std::collections::VecDeque<usize>> = HashMap::new();
    for (position, mark) in old {
        match mark {
            Some(mark) => waiting.entry(mark).or_default().push_back(position),
            None => rest.push(position),
        }
    }
    let (mut pairs, mut added) = (Vec::new(), Vec::new());
    for (position, mark) in new {
        let partner = mark.and_then(|mark| waiting.get_mut(&mark)?.pop_front());
        match partner {
            Some(old) => pairs.push((old, position)),
            None => added.push(position),
        }
    }
    rest.extend(waiting.into_values().flatten());
    rest.sort_unstable();
    (pairs, rest, added)
}
