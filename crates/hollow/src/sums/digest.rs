//! The content digest: equal exactly when two states hold the same records.

use super::content_hash::ContentHashes;
use crate::Ordinal;
use crate::content::{ContentChanges, intersection};
use crate::error::Result;
use crate::read::{Changes, ReadState, TypeChanges};
use crate::schema::{Schema, java_cmp};
use hashbrown::HashMap;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// 128 bits over the schemas and the content of all keyed records: those of OBJECT types that have a primary key.
/// References are expanded by content, sets and maps are unordered. Ordinals, shards, header tags, random tags, the order
/// of types and internal types (whose names begin with `_`) do not count.
///
/// Records that only others refer to count through them. `Display` is 32 hexadecimal digits.
///
/// A filtered state is another state and has another digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of a state; linear in its records, on all cores.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for data whose references go round in a circle.
    pub fn of(state: &ReadState) -> Result<Self> {
        let mut hashes = ContentHashes::new(state);
        hashes.prepare();
        let mut sum = of_schemas(state);
        for name in keyed_types(state) {
            if let Some(index) = hashes.type_index(name) {
                sum = sum.wrapping_add(hashes.sum_of(index)?);
            }
        }
        Ok(Self(sum))
    }

    /// The digest of `after`, from that of `before` and what a delta changed: costs by the change.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for data whose references go round in a circle.
    pub fn updated(self, before: &ReadState, after: &ReadState, changes: &Changes) -> Result<Self> {
        self.by_content(before, after, || {
            ContentChanges::of_delta(before, after, changes)
        })
    }

    /// As [`updated`](Self::updated), for one step of a chain after the other: what many records share is hashed once for all
    /// of them, and not in every step.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for data whose references go round in a circle.
    pub fn updated_with(
        self,
        before: &ReadState,
        after: &ReadState,
        changes: &Changes,
        memory: &mut DigestMemory,
    ) -> Result<Self> {
        let known = std::mem::take(memory);
        let is_reused = |change: &TypeChanges| {
            let both = intersection(&change.removed, &change.added).next();
            both.is_some()
        };
        if schemas(before) != schemas(after) || changes.types.iter().any(is_reused) {
            return self.updated(before, after, changes);
        }
        let known = match known.tag == Some(before.tag()) {
            true => known,
            false => DigestMemory::default(),
        };
        let hashes = |state| ContentHashes::new(state).remembering(&known.hashes);
        let (gone, come) = rayon::join(
            || {
                sum_with(hashes(before), before, after, |name| {
                    Some(&changes.of(name)?.removed)
                })
            },
            || {
                sum_with(hashes(after), after, before, |name| {
                    Some(&changes.of(name)?.added)
                })
            },
        );
        let ((gone, old), (come, new)) = (gone?, come?);
        *memory = known.after(after.tag(), changes, old, new);
        Ok(Self(self.0.wrapping_sub(gone).wrapping_add(come)))
    }

    /// The digest of `after`, from that of `before`, any other state of the same chain. Structure that the two share is
    /// passed over.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for data whose references go round in a circle.
    pub fn moved(self, before: &ReadState, after: &ReadState) -> Result<Self> {
        self.by_content(before, after, || ContentChanges::between(before, after))
    }

    fn by_content(
        self,
        before: &ReadState,
        after: &ReadState,
        changes: impl FnOnce() -> ContentChanges,
    ) -> Result<Self> {
        if schemas(before) != schemas(after) {
            return Self::of(after);
        }
        let changes = changes();
        let (gone, come) = rayon::join(
            || sum_of(before, after, |name| Some(&changes.of_type(name)?.removed)),
            || sum_of(after, before, |name| Some(&changes.of_type(name)?.added)),
        );
        let sum = self.0.wrapping_sub(gone?).wrapping_add(come?);
        Ok(Self(sum))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Hashes of records that many others refer to, of one state of a chain; see [`Digest::updated_with`]. It takes 16 bytes for
/// each of these records.
#[derive(Debug, Default)]
pub struct DigestMemory {
    /// The state's.
    tag: Option<i64>,
    /// By type and ordinal; 0 where none is known.
    hashes: HashMap<String, Vec<u128>>,
}

/// Hashes that were computed, by type.
type Met = Vec<(String, Vec<(Ordinal, u128)>)>;

impl DigestMemory {
    /// What is known of the state after, given what was met in both.
    fn after(mut self, tag: i64, changes: &Changes, before: Met, after: Met) -> Self {
        self.tag = Some(tag);
        self.learn(before);
        for change in &changes.types {
            let Some(hashes) = self.hashes.get_mut(&change.type_name) else {
                continue;
            };
            for &ordinal in &change.removed {
                if let Some(hash) = hashes.get_mut(ordinal as usize) {
                    *hash = 0;
                }
            }
        }
        self.learn(after);
        self
    }

    fn learn(&mut self, met: Met) {
        for (name, met) in met.into_iter().filter(|(_, met)| !met.is_empty()) {
            let hashes = self.hashes.entry(name).or_default();
            for (ordinal, hash) in met {
                if hashes.len() <= ordinal as usize {
                    hashes.resize(ordinal as usize + 1, 0);
                }
                hashes[ordinal as usize] = hash;
            }
        }
    }
}

/// The sum over some records of each keyed type that another state has as well.
fn sum_of<'c>(
    state: &ReadState,
    other: &ReadState,
    ordinals: impl Fn(&str) -> Option<&'c Vec<Ordinal>>,
) -> Result<u128> {
    let (sum, _) = sum_with(ContentHashes::new(state), state, other, ordinals)?;
    Ok(sum)
}

/// The same, and what was hashed on the way.
fn sum_with<'c>(
    mut hashes: ContentHashes<'_>,
    state: &ReadState,
    other: &ReadState,
    ordinals: impl Fn(&str) -> Option<&'c Vec<Ordinal>>,
) -> Result<(u128, Met)> {
    hashes.prepare_for(|name| ordinals(name).map_or(0, Vec::len));
    let mut sum = 0u128;
    for name in keyed_types(state).filter(|name| other.type_state(name).is_some()) {
        let (Some(index), Some(ordinals)) = (hashes.type_index(name), ordinals(name)) else {
            continue;
        };
        for &ordinal in ordinals {
            sum = sum.wrapping_add(hashes.hash(index, ordinal)?.unwrap_or(0));
        }
    }
    let met = hashes.into_met();
    Ok((sum, met.map(|(name, met)| (name.to_owned(), met)).collect()))
}

/// The types whose records count by themselves.
fn keyed_types(state: &ReadState) -> impl Iterator<Item = &str> {
    state
        .schemas()
        .filter(|schema| schema.primary_key().is_some() && !schema.is_internal())
        .map(|schema| schema.name())
}

fn schemas(state: &ReadState) -> Vec<&Schema> {
    let mut schemas: Vec<&Schema> = state
        .schemas()
        .filter(|schema| !schema.is_internal())
        .collect();
    schemas.sort_by(|a, b| java_cmp(a.name(), b.name()));
    schemas
}

fn of_schemas(state: &ReadState) -> u128 {
    let text: String = schemas(state)
        .into_iter()
        .map(ToString::to_string)
        .collect();
    xxh3_128(text.as_bytes())
}
