//! The fold's memory: for each key, which record made it what it is.
//!
//! It is part of the state, as the internal type `_Fold` in the optional part `fold`, so that data, delete marks and position
//! never disagree: whatever is killed when, reading again changes nothing that is folded already.

use crate::spec::SourceVersions;
use hollow::write::{TypeId, WriteState};
use hollow::{
    Field, FieldType, KeyValue, ObjectSchema, ObjectView, Ordinal, ReadState, Schema, TypeState,
};
use std::collections::{BTreeMap, BTreeSet};

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
const SWEPT: usize = 6;

/// Which of a dataset's two topics a record came from. Of equal source versions a change beats a re-emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// `D.sweep`.
    Sweep,
    /// `D`.
    Changes,
}

/// The record that made a key what it is. For a key that was deleted at a sweep's end it is the sweep's begin marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Its source version; `None` in datasets without. Of a begin marker, its `as-of`.
    pub source_version: Option<i64>,
    /// Whether it deleted the key.
    pub deleted: bool,
    /// Its topic.
    pub channel: Channel,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: i64,
    /// Where a sweep's end deleted the key: the greatest source version of a record that the sweep says is gone.
    pub swept: Option<i64>,
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
    /// It is a change that a sweep found gone already: only the delete mark is to know of it.
    Gone,
    /// Its place in the order can't be known; the key's partition is another.
    OtherPartition(u32),
}

impl Origin {
    /// What to do with the record that `self` would make the key's origin, where `stored` is.
    ///
    /// With source versions the order is total over (source version, channel, offset, partition), so that folding does not
    /// depend on the order of reading; without, it is the log's own within the key's partition. `revives` says whether the
    /// record is a row of a sweep that began later than the one which deleted the key.
    pub(crate) fn decide(
        &self,
        stored: Option<&Self>,
        versions: SourceVersions,
        revives: bool,
    ) -> Decision {
        let Some(stored) = stored else {
            return Decision::Apply;
        };
        if stored.swept.is_some() {
            return self.decide_swept(stored, revives);
        }
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

    /// As [`decide`](Self::decide), where a sweep's end deleted the key: `as-of` stands against changes, the deleted record's
    /// version against rows of later sweeps.
    fn decide_swept(&self, mark: &Self, revives: bool) -> Decision {
        if self.source_version > mark.source_version
            || (revives && self.source_version >= mark.swept)
        {
            Decision::Apply
        } else if self.channel == Channel::Changes && self.source_version > mark.swept {
            Decision::Gone
        } else {
            Decision::Older
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
            swept: view.long(SWEPT),
        })
    }
}

/// The schema of the fold's memory. `topic` is 0 for `D` and 1 for `D.sweep`; `sourceVersion` is null in datasets without,
/// `sweptVersion` but for keys that a sweep's end deleted.
#[must_use]
pub fn fold_schema() -> Schema {
    let fields = vec![
        Field::new("key", FieldType::Bytes),
        Field::new("sourceVersion", FieldType::Long),
        Field::new("deleted", FieldType::Boolean),
        Field::new("topic", FieldType::Int),
        Field::new("partition", FieldType::Int),
        Field::new("offset", FieldType::Long),
        Field::new("sweptVersion", FieldType::Long),
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

/// As [`origin`], for many keys at once.
#[must_use]
pub fn origins(state: &ReadState, canonical_keys: &BTreeSet<Vec<u8>>) -> BTreeMap<Vec<u8>, Origin> {
    let fold = state.type_state(FOLD_TYPE).into_iter();
    let views = fold.flat_map(|fold| fold.ordinals().filter_map(|ordinal| fold.object(ordinal)));
    views
        .filter_map(|view| {
            let key = canonical_keys.get(view.bytes(KEY)?)?;
            Some((key.clone(), Origin::of(&view)?))
        })
        .collect()
}

/// The origin of a key in the committed state of a writer, and the ordinal that holds it.
pub(crate) fn committed_origin(
    write: &WriteState,
    ty: TypeId,
    canonical_key: &[u8],
) -> Option<(Ordinal, Origin)> {
    let fold: &TypeState = write.state()?.type_state(FOLD_TYPE)?;
    let ordinal = write.find(ty, &[KeyValue::Bytes(canonical_key.to_vec())])?;
    Some((ordinal, Origin::of(&fold.object(ordinal)?)?))
}

/// All committed origins, with their ordinals and canonical keys.
pub(crate) fn committed_origins(
    write: &WriteState,
) -> impl Iterator<Item = (Ordinal, &[u8], Origin)> {
    let fold = write.state().and_then(|state| state.type_state(FOLD_TYPE));
    fold.into_iter().flat_map(|fold| {
        fold.ordinals().filter_map(move |ordinal| {
            let view = fold.object(ordinal)?;
            Some((ordinal, view.bytes(KEY)?, Origin::of(&view)?))
        })
    })
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
    if let Some(swept) = origin.swept {
        record.set_long(SWEPT, swept);
    }
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
            swept: None,
        }
    }

    #[test]
    fn source_versions_decide_then_the_channel_then_the_offset() {
        use Channel::{Changes, Sweep};
        let versions = SourceVersions::Required;
        let decide = |new: Origin, stored: Origin| new.decide(Some(&stored), versions, false);
        assert_eq!(
            at(1, Sweep, 0).decide(None, versions, false),
            Decision::Apply
        );
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
    fn a_key_that_a_sweep_deleted_comes_back_as_new_or_by_a_later_sweep() {
        use Channel::{Changes, Sweep};
        // Deleted at version 5 by a sweep as of 10.
        let mark = Origin {
            deleted: true,
            swept: Some(5),
            ..at(10, Sweep, 3)
        };
        for (new, revives, decision) in [
            (at(11, Changes, 0), false, Decision::Apply),
            (at(11, Sweep, 0), false, Decision::Apply),
            (at(10, Changes, 9), false, Decision::Gone),
            (at(6, Changes, 9), false, Decision::Gone),
            (at(5, Changes, 9), false, Decision::Older),
            (at(10, Sweep, 9), false, Decision::Older),
            (at(5, Sweep, 9), true, Decision::Apply),
            (at(4, Sweep, 9), true, Decision::Older),
        ] {
            let found = new.decide(Some(&mark), SourceVersions::Required, revives);
            assert_eq!(found, decision, "{new:?} revives: {revives}");
        }
    }

    #[test]
    fn without_source_versions_the_partition_of_the_key_decides() {
        let at = |partition, offset| Origin {
            source_version: None,
            partition,
            ..at(0, Channel::Changes, offset)
        };
        let decide =
            |new: Origin, stored: Origin| new.decide(Some(&stored), SourceVersions::None, false);
        assert_eq!(decide(at(1, 5), at(1, 4)), Decision::Apply);
        assert_eq!(decide(at(1, 4), at(1, 4)), Decision::Again);
        assert_eq!(decide(at(1, 3), at(1, 4)), Decision::Older);
        assert_eq!(decide(at(2, 9), at(1, 4)), Decision::OtherPartition(1));
    }
}
