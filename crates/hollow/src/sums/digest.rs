//! The content digest: equal exactly when two states hold the same records.

use super::content_hash::ContentHashes;
use crate::content::ContentChanges;
use crate::error::Result;
use crate::read::{Changes, ReadState};
use crate::schema::{Schema, java_cmp};
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
        let mut sum = self.0;
        let (mut old, mut new) = (ContentHashes::new(before), ContentHashes::new(after));
        for name in keyed_types(after) {
            let (Some(old_index), Some(new_index)) = (old.type_index(name), new.type_index(name))
            else {
                continue;
            };
            let Some(changed) = changes.of_type(name) else {
                continue;
            };
            for &ordinal in &changed.removed {
                sum = sum.wrapping_sub(old.hash(old_index, ordinal)?.unwrap_or(0));
            }
            for &ordinal in &changed.added {
                sum = sum.wrapping_add(new.hash(new_index, ordinal)?.unwrap_or(0));
            }
        }
        Ok(Self(sum))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
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
