//! The fold's memory: for each key, which record made it what it is.
//!
//! It is part of the state, as the internal type `_Fold` in the optional part `fold`, so that data, delete marks and position
//! never disagree: whatever is killed when, reading again changes nothing that is folded already.

use crate::spec::SourceVersions;
use hollow::write::{TypeId, WriteState};
use hollow::{Field, FieldType, KeyValue, ObjectSchema, ObjectView, ReadState, Schema, TypeState};

/// The internal type's name.
pub const FOLD_TYPE: &str = "_Fold";
/// The optional part that holds it.
pub const FOLD_PART: &str = "fold";

const KEY: usize = 0;
const SOURCE_VERSION: usize = 1;
const DELETED: usize = 2;
const TOPIC: usize = 3;
const PARTITION: usize = 4;
const OFFSET: usize = 5;

/// Which of a dataset's two topics a record came from. Of equal source versions a change beats a re-emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// `D.sweep`.
    Sweep,
    /// `D`.
    Changes,
}

/// The record that made a key what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Its source version; `None` in datasets without.
    pub source_version: Option<i64>,
    /// Whether it deleted the key.
    pub deleted: bool,
    /// Its topic.
    pub channel: Channel,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: i64,
}

/// What to do with a record, by the origin of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is newer than what made the key.
    Apply,
    /// Something newer made the key already.
    Older,
    /// It is the very record that made the key.
    Again,
    /// Its place in the order can't be known; the key's partition is another.
    OtherPartition(u32),
}

impl Origin {
    /// What to do with the record that `self` would make the key's origin, where `stored` is.
    ///
    /// With source versions the order is total over (source version, channel, offset, partition), so that folding does not
    /// depend on the order of reading; without, it is the log's own within the key's partition.
    pub(crate) fn decide(&self, stored: Option<&Self>, versions: SourceVersions) -> Decision {
        let Some(stored) = stored else {
            return Decision::Apply;
        };
        let order = match versions {
            SourceVersions::Required => {
                let rank = |o: &Self| (o.source_version, o.channel, o.offset, o.partition);
                rank(self).cmp(&rank(stored))
            }
            SourceVersions::None if self.partition != stored.partition => {
                return Decision::OtherPartition(stored.partition);
            }
            SourceVersions::None => self.offset.cmp(&stored.offset),
        };
        match order {
            std::cmp::Ordering::Greater => Decision::Apply,
            std::cmp::Ordering::Equal => Decision::Again,
            std::cmp::Ordering::Less => Decision::Older,
        }
    }

    fn of(view: &ObjectView<'_>) -> Option<Self> {
        Some(Self {
            source_version: view.long(SOURCE_VERSION),
            deleted: view.boolean(DELETED)?,
            channel: if view.int(TOPIC)? == 0 {
                Channel::Changes
            } else {
                Channel::Sweep
            },
            partition: u32::try_from(view.int(PARTITION)?).ok()?,
            offset: view.long(OFFSET)?,
        })
    }
}

/// The schema of the fold's memory. `topic` is 0 for `D` and 1 for `D.sweep`; `sourceVersion` is null in datasets without.
#[must_use]
pub fn fold_schema() -> Schema {
    let fields = vec![
        Field::new("key", FieldType::Bytes),
        Field::new("sourceVersion", FieldType::Long),
        Field::new("deleted", FieldType::Boolean),
        Field::new("topic", FieldType::Int),
        Field::new("partition", FieldType::Int),
        Field::new("offset", FieldType::Long),
    ];
    Schema::Object(ObjectSchema::new(FOLD_TYPE, fields).with_primary_key(["key"]))
}

/// The origin of a key in a state that was loaded with the part `fold`. Looks through the whole type.
#[must_use]
pub fn origin(state: &ReadState, canonical_key: &[u8]) -> Option<Origin> {
    let fold = state.type_state(FOLD_TYPE)?;
    let mut views = fold.ordinals().filter_map(|ordinal| fold.object(ordinal));
    Origin::of(&views.find(|view| view.bytes(KEY) == Some(canonical_key))?)
}

/// The origin of a key in the committed state of a writer.
pub(crate) fn committed_origin(
    write: &WriteState,
    ty: TypeId,
    canonical_key: &[u8],
) -> Option<Origin> {
    let fold: &TypeState = write.state()?.type_state(FOLD_TYPE)?;
    let ordinal = write.find(ty, &[KeyValue::Bytes(canonical_key.to_vec())])?;
    Origin::of(&fold.object(ordinal)?)
}

/// Writes an origin into a record of the fold's memory.
pub(crate) fn write_origin(
    record: &mut hollow::record::ObjectRecord,
    canonical_key: &[u8],
    origin: &Origin,
) {
    record.reset();
    record.set_bytes(KEY, canonical_key);
    if let Some(source_version) = origin.source_version {
        record.set_long(SOURCE_VERSION, source_version);
    }
    record.set_boolean(DELETED, origin.deleted);
    record.set_int(TOPIC, i32::from(origin.channel == Channel::Sweep));
    // Kafka's partitions are 31 bits.
    record.set_int(
        PARTITION,
        i32::try_from(origin.partition).unwrap_or(i32::MAX),
    );
    record.set_long(OFFSET, origin.offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source_version: i64, channel: Channel, offset: i64) -> Origin {
        Origin {
            source_version: Some(source_version),
            deleted: false,
            channel,
            partition: 0,
            offset,
        }
    }

    #[test]
    fn source_versions_decide_then_the_channel_then_the_offset() {
        use Channel::{Changes, Sweep};
        let versions = SourceVersions::Required;
        let decide = |new: Origin, stored: Origin| new.decide(Some(&stored), versions);
        assert_eq!(at(1, Sweep, 0).decide(None, versions), Decision::Apply);
        assert_eq!(decide(at(2, Sweep, 0), at(1, Changes, 9)), Decision::Apply);
        assert_eq!(decide(at(1, Changes, 0), at(1, Sweep, 9)), Decision::Apply);
        assert_eq!(decide(at(1, Sweep, 9), at(1, Changes, 0)), Decision::Older);
        assert_eq!(
            decide(at(1, Changes, 9), at(1, Changes, 8)),
            Decision::Apply
        );
        assert_eq!(
            decide(at(1, Changes, 8), at(1, Changes, 8)),
            Decision::Again
        );
        assert_eq!(
            decide(at(1, Changes, 7), at(1, Changes, 8)),
            Decision::Older
        );
        // A key may move partitions.
        let moved = Origin {
            partition: 3,
            ..at(2, Changes, 0)
        };
        assert_eq!(decide(moved, at(1, Changes, 8)), Decision::Apply);
    }

    #[test]
    fn without_source_versions_the_partition_of_the_key_decides() {
        let at = |partition, offset| Origin {
            source_version: None,
            partition,
            ..at(0, Channel::Changes, offset)
        };
        let decide = |new: Origin, stored: Origin| new.decide(Some(&stored), SourceVersions::None);
        assert_eq!(decide(at(1, 5), at(1, 4)), Decision::Apply);
        assert_eq!(decide(at(1, 4), at(1, 4)), Decision::Again);
        assert_eq!(decide(at(1, 3), at(1, 4)), Decision::Older);
        assert_eq!(decide(at(2, 9), at(1, 4)), Decision::OtherPartition(1));
    }
}
