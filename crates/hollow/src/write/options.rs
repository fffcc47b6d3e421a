//! Settings of a writer.

use std::collections::BTreeMap;

use super::ordinals::OrdinalOrder;

/// Settings of a [`WriteState`](super::WriteState). The default is what our producers use; [`WriteOptions::java`] is
/// how Hollow's own low-level writer behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// The order in which free ordinals are reused.
    pub ordinals: OrdinalOrder,
    /// Bytes that a shard should hold at most: decides the shard count of a type (format 9.6). `None` for one shard.
    pub target_shard_bytes: Option<u64>,
    /// Whether shard counts follow the size of a type from cycle to cycle; if not, they are fixed by its first state.
    pub resharding: bool,
    /// Shard counts, powers of two, by type; they are not computed then, unless `resharding` is on.
    pub pinned_shards: BTreeMap<String, u32>,
    /// Types that are written to an optional part: type → part.
    pub parts: BTreeMap<String, String>,
    /// Hand out free ordinals of the shards with the most of them first (format 9.3). Needs [`OrdinalOrder::Java`].
    pub focus_holes: bool,
    /// Four ordinal tables for each type, by the hash of the record (format 9.4). Ordinals become sparse; here for
    /// chains that Java began so.
    pub partitioned: bool,
    /// Refuse two records of one primary key.
    pub unique_keys: bool,
    /// Refuse references to records that are not in the state.
    pub check_references: bool,
    /// Go on with a chain when the schemas differ, as Java does: fields are matched by name, a record keeps its ordinal
    /// if the fields that both schemas have are equal, and the delta knows nothing of new fields. If not, such a
    /// restore is refused with [`WriteError::EndsChain`](super::WriteError::EndsChain).
    pub java_schema_change: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            ordinals: OrdinalOrder::SmallestFirst,
            target_shard_bytes: None,
            resharding: false,
            pinned_shards: BTreeMap::new(),
            parts: BTreeMap::new(),
            focus_holes: false,
            partitioned: false,
            unique_keys: true,
            check_references: true,
            java_schema_change: false,
        }
    }
}

impl WriteOptions {
    /// Hollow's own behaviour: its order of ordinals, no key is unique, references are not looked at.
    #[must_use]
    pub fn java() -> Self {
        Self {
            ordinals: OrdinalOrder::Java,
            unique_keys: false,
            check_references: false,
            java_schema_change: true,
            ..Self::default()
        }
    }
}
