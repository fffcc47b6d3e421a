//! Sets and maps across chains, and records that lists share, compared by the hashes of their content.
//!
//! Two sets share no order, so comparing them costs a look at every member of both; and a set that many records share, or
//! that is compared with several until one is equal, is looked at again and again. Hashing each once, on all cores, costs as
//! much as comparing it once, and then any two are compared by their hashes. The same goes for records that are elements of
//! several lists and refer to nothing but such sets.

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
}

/// Prepares the hashes of both states where they pay; those of each type by number.
pub(super) fn prepare<'s>(
    sides: &'s Sides,
    hashes: &mut [ContentHashes<'s>; 2],
) -> Vec<Option<Hashed>> {
    let names = || sides.names.iter();
    let mut worth: Vec<Option<Vec<&str>>> = names().map(|name| worth_it(sides, name)).collect();
    let ready: Vec<&str> = worth.iter().flatten().flatten().copied().collect();
    for (worth, name) in worth.iter_mut().zip(names()) {
        if are_met_again(sides, name, &ready) {
            *worth = Some(vec![name]);
        }
    }
    for hashes in hashes.iter_mut() {
        let types = worth.iter().flatten().flatten();
        let types: Vec<usize> = types.filter_map(|name| hashes.type_index(name)).collect();
        hashes.prepare_types(types);
    }
    let hashed = |(name, worth): (&String, &Option<Vec<&str>>)| {
        worth.as_ref()?;
        let [old, new] = &*hashes;
        let of = |hashes: &ContentHashes<'_>| hashes.prepared(hashes.type_index(name)?);
        Some(Hashed([of(old)?, of(new)?]))
    };
    names().zip(&worth).map(hashed).collect()
}

/// Whether the same is so of a type whose records are elements of lists, each of two or more on average, and refer to nothing
/// that is not hashed anyway.
fn are_met_again(sides: &Sides, name: &str, ready: &[&str]) -> bool {
    let [old, new] = [&sides.before, &sides.after].map(|state| {
        let records = state.type_state(name)?;
        let elements = |of: &TypeState| match of.schema() {
            Schema::List(schema) if schema.element_type == name => of.list_elements(),
            _ => 0,
        };
        let elements: usize = state.types().map(elements).sum();
        (elements >= 2 * records.count()).then(|| records.schema())
    });
    let Some(schema) = new.filter(|_| old == new) else {
        return false;
    };
    let children = schema.dependencies();
    matches!(schema, Schema::Object(_)) && children.iter().all(|child| ready.contains(child))
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
