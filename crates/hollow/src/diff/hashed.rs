//! Sets and maps across chains, and records that lists share, compared by the hashes of their content.
//!
//! Two sets share no order, so comparing them costs a look at every member of both; and a set that many records share, or
//! that is compared with several until one is equal, is looked at again and again. Hashing each once, on all cores, costs as
//! much as comparing it once, and then any two are compared by their hashes. The same goes for records that are elements of
//! several lists and refer to nothing but such sets. But sets of [`Few`] things are not hashed before two of them differ.

use super::few::Few;
use super::plan::Sides;
use crate::Ordinal;
use crate::read::{ReadState, TypeState};
use crate::schema::Schema;
use crate::sums::ContentHashes;
use std::sync::Arc;

/// The hashes of both states, by ordinal.
pub(super) struct Hashed([Arc<Vec<u128>>; 2]);

impl Hashed {
    /// Whether two records are equal, or both missing.
    #[inline]
    pub(super) fn equal(&self, old: Ordinal, new: Ordinal) -> bool {
        let hash = |side: usize, ordinal: Ordinal| self.0[side].get(ordinal as usize);
        hash(0, old).unwrap_or(&0) == hash(1, new).unwrap_or(&0)
    }

    /// A part of the hash of a record of the first state or of the second.
    #[inline]
    pub(super) fn mark(&self, ordinal: Ordinal, is_new: bool) -> u64 {
        let hashes = &self.0[usize::from(is_new)];
        hashes.get(ordinal as usize).map_or(0, |&hash| hash as u64)
    }
}

/// What is known beforehand of the records of a type.
#[derive(Default)]
pub(super) enum Shortcut {
    #[default]
    None,
    /// Their hashes.
    Hashed(Hashed),
    /// They are sets, and what they are sets of has the same ordinals in both states.
    Few(Box<Few>),
    /// They refer to nothing but what is known so.
    Below,
}

/// Prepares what pays in both states, for each type by number.
pub(super) fn prepare<'s>(sides: &'s Sides, hashes: &mut [ContentHashes<'s>; 2]) -> Vec<Shortcut> {
    let names = || sides.names.iter();
    let worth: Vec<Option<Vec<&str>>> = names().map(|name| worth_it(sides, name)).collect();
    let elements = worth.iter().flatten().flat_map(|found| &found[1..]);
    prepare_types(hashes, elements.copied());
    let few: Vec<Option<Few>> = names()
        .zip(&worth)
        .map(|(name, worth)| few(sides, name, worth.as_ref()?, hashes))
        .collect();
    let are_few = names().zip(&few).filter(|(_, few)| few.is_some());
    let are_few: Vec<&str> = are_few.map(|(name, _)| name.as_str()).collect();
    let ready: Vec<&str> = worth.iter().flatten().flatten().copied().collect();
    let above: Vec<Option<&Schema>> = names().map(|name| met_again(sides, name, &ready)).collect();
    let is_below = |schema: &Schema| schema.dependencies().iter().any(|to| are_few.contains(to));
    let hashed = names().zip(worth.iter().zip(&above));
    let hashed = hashed.filter(|(name, (worth, above))| {
        let above = above.is_some_and(|schema| !is_below(schema));
        above || worth.is_some() && !are_few.contains(&name.as_str())
    });
    let hashed: Vec<&str> = hashed.map(|(name, _)| name.as_str()).collect();
    prepare_types(hashes, hashed.iter().copied());
    for hashes in hashes.iter_mut() {
        for name in &are_few {
            if let Some(index) = hashes.type_index(name) {
                hashes.prepare_members(index);
            }
        }
    }
    names()
        .zip(few.into_iter().zip(&above))
        .map(|(name, (few, above))| match (few, above) {
            (Some(few), _) => Shortcut::Few(Box::new(few)),
            (None, Some(schema)) if is_below(schema) => Shortcut::Below,
            _ if hashed.contains(&name.as_str()) => {
                prepared(hashes, name).map_or(Shortcut::None, |both| Shortcut::Hashed(Hashed(both)))
            }
            _ => Shortcut::None,
        })
        .collect()
}

fn prepare_types<'n>(
    hashes: &mut [ContentHashes<'_>; 2],
    names: impl Iterator<Item = &'n str> + Clone,
) {
    for hashes in hashes.iter_mut() {
        let types = names.clone().filter_map(|name| hashes.type_index(name));
        let types: Vec<usize> = types.collect();
        hashes.prepare_types(types);
    }
}

/// The hashes of both states, if they are prepared.
fn prepared(hashes: &[ContentHashes<'_>; 2], name: &str) -> Option<[Arc<Vec<u128>>; 2]> {
    let [old, new] = hashes;
    let of = |hashes: &ContentHashes<'_>| hashes.prepared(hashes.type_index(name)?);
    Some([of(old)?, of(new)?])
}

/// What the elements of sets mean, where `found` are the sets and what they refer to.
fn few(sides: &Sides, name: &str, found: &[&str], hashes: &[ContentHashes<'_>; 2]) -> Option<Few> {
    let is_set = matches!(sides.after.type_state(name)?.schema(), Schema::Set(_));
    // What others refer to as well is hashed by now.
    if !is_set || prepared(hashes, name).is_some() {
        return None;
    }
    let both = prepared(hashes, found.get(1)?)?;
    Few::new(both.each_ref().map(|hashes| hashes.as_slice()))
}

/// The schema of a type whose records are elements of lists, each of two or more on average, and refer to nothing that is not
/// ready.
fn met_again<'s>(sides: &'s Sides, name: &str, ready: &[&str]) -> Option<&'s Schema> {
    let [old, new] = [&sides.before, &sides.after].map(|state| {
        let records = state.type_state(name)?;
        let elements = |of: &TypeState| match of.schema() {
            Schema::List(schema) if schema.element_type == name => of.list_elements(),
            _ => 0,
        };
        let elements: usize = state.types().map(elements).sum();
        (elements >= 2 * records.count()).then(|| records.schema())
    });
    let schema = new.filter(|_| old == new)?;
    let children = schema.dependencies();
    let is_met = matches!(schema, Schema::Object(_));
    (is_met && children.iter().all(|child| ready.contains(child))).then_some(schema)
}

/// Whether hashing every record of a type costs no more than comparing each once: for sets and maps that refer to fewer
/// records than they are themselves. The type, with all that it refers to.
fn worth_it<'s>(sides: &'s Sides, name: &'s str) -> Option<Vec<&'s str>> {
    let count = |state: &ReadState, name: &str| state.type_state(name).map_or(0, |ty| ty.count());
    let both = |name: &str| count(&sides.before, name) + count(&sides.after, name);
    // Hashes mean the same only where schemas do.
    let schema = |name: &str| -> Option<&'s Schema> {
        let old = sides.before.type_state(name)?.schema();
        let new = sides.after.type_state(name)?.schema();
        (old == new).then_some(new)
    };
    if !matches!(schema(name)?, Schema::Set(_) | Schema::Map(_)) {
        return None;
    }
    let mut found = vec![name];
    let mut below = 0;
    let mut at = 0;
    while at < found.len() {
        for child in schema(found[at])?.dependencies() {
            if !found.contains(&child) {
                found.push(child);
                below += both(child);
            }
        }
        at += 1;
    }
    (below <= both(name)).then_some(found)
}
