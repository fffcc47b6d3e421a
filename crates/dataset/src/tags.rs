//! Header tags, and the random tags that tie the blobs of a chain together.

use std::collections::BTreeMap;

use hollow::ReadState;
use hollow::schema::schema_hash;
use registry::{DatasetName, Version};
use sha2::{Digest, Sha256};

/// Names of the header tags that stock Hollow producers set (hollow-format 12.4).
pub mod tag {
    /// The cycle's `now`, milliseconds since 1970 UTC.
    pub const CYCLE_START: &str = "hollow.metric.cycle.start";
    /// The state's version.
    pub const TO_VERSION: &str = "hollow.blob.to.version";
    /// A hash of the state's schemas.
    pub const SCHEMA_HASH: &str = "hollow.schema.hash";
    /// `true` where the schemas differ from those of the version before; absent otherwise.
    pub const SCHEMA_CHANGED: &str = "hollow.schema.changedFromPriorVersion";
    /// 1 for the first state of a chain, then one more for each.
    pub const CHAIN_COUNTER: &str = "hollow.delta.chain.version.counter";
    /// Whether ordinals are assigned from four tables.
    pub const PARTITIONED: &str = "hollow.partitioned.ordinal.map";
}

/// The random tag of a version: it looks random and is a function of dataset and version, so that the same cycles write the
/// same bytes. Its upper half is neither all zeros nor all ones nor that of `before` (the tag of the state before), as the
/// format asks for.
pub fn random_tag(dataset: &DatasetName, version: Version, before: Option<i64>) -> i64 {
    let upper = |tag: i64| tag >> 32;
    for attempt in 0_u64.. {
        let hash = Sha256::new()
            .chain_update(dataset.as_str())
            .chain_update([0])
            .chain_update(version.0.to_be_bytes())
            .chain_update(attempt.to_be_bytes())
            .finalize();
        let tag = hash
            .iter()
            .take(8)
            .fold(0_i64, |tag, &byte| tag << 8 | i64::from(byte));
        if ![0, -1].contains(&upper(tag)) && before.is_none_or(|before| upper(before) != upper(tag))
        {
            return tag;
        }
    }
    unreachable!("one of 2^64 hashes fits")
}

/// The tags of the next state, the caller's first: what Hollow sets can't be overwritten.
pub(crate) fn header_tags<'a>(
    caller: BTreeMap<String, String>,
    now_ms: i64,
    version: Version,
    schemas: impl Iterator<Item = &'a hollow::Schema>,
    partitioned: bool,
    before: Before<'_>,
) -> BTreeMap<String, String> {
    let schemas: Vec<hollow::Schema> = schemas.cloned().collect();
    let mut tags = caller;
    let mut set = |name: &str, value: String| drop(tags.insert(name.to_owned(), value));
    set(tag::CYCLE_START, now_ms.to_string());
    set(tag::TO_VERSION, version.to_string());
    set(tag::SCHEMA_HASH, schema_hash(&schemas).to_string());
    set(tag::PARTITIONED, partitioned.to_string());
    let counter = match before {
        Before::SameChain(state) => chain_counter(state) + 1,
        Before::Nothing => 1,
        Before::OtherSchemas => {
            set(tag::SCHEMA_CHANGED, true.to_string());
            1
        }
    };
    set(tag::CHAIN_COUNTER, counter.to_string());
    tags
}

/// What the next state comes after.
#[derive(Clone, Copy)]
pub(crate) enum Before<'a> {
    /// A state that a delta leads from.
    SameChain(&'a ReadState),
    /// A version with other schemas: a new chain.
    OtherSchemas,
    /// No version at all.
    Nothing,
}

/// The position of a state in its chain, from 1; 0 where its producer did not say.
fn chain_counter(state: &ReadState) -> u64 {
    state
        .header_tags()
        .get(tag::CHAIN_COUNTER)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_tags_follow_from_dataset_and_version() {
        let (a, b): (DatasetName, DatasetName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let tags: std::collections::BTreeSet<i64> = (0..1000)
            .flat_map(|version| [&a, &b].map(|dataset| random_tag(dataset, Version(version), None)))
            .collect();
        assert_eq!(tags.len(), 2000);
        assert_eq!(
            random_tag(&a, Version(7), None),
            random_tag(&a, Version(7), Some(5))
        );
        let tag = random_tag(&a, Version(7), None);
        assert_ne!(random_tag(&a, Version(7), Some(tag ^ 1)) >> 32, tag >> 32);
    }
}
