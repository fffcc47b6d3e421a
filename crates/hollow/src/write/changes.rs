//! What an open cycle is told: records added, replaced and deleted, and those that are looked for meanwhile.

use super::batch::{RecordBatch, recent_slot};
use super::links::{key_bytes, key_value_bytes};
use super::marks::Mark;
use super::state::{Phase, TypeId, WriteState};
use super::table::hash_bytes;
use super::types::TypeWriter;
use super::{RecordKey, WriteError};
use crate::{KeyValue, Ordinal, Result};

/// What [`WriteState::upsert`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    /// The record's ordinal.
    pub ordinal: Ordinal,
    /// The ordinal of the record that had this key before, by the cycle's own view; equal to `ordinal` if the record
    /// is the same.
    pub previous: Option<Ordinal>,
    /// Whether the call changed anything: the key was new or its record another one.
    pub changed: bool,
}

impl WriteState {
    /// Adds a record, in its serialized form (see [`record`](crate::record)), and returns its ordinal. A record that is
    /// there already keeps its ordinal and is not added twice. Children are added before the records that refer to
    /// them.
    ///
    /// In an incremental cycle this is for children: a record that nothing live refers to when the cycle is sealed is
    /// dropped. Records with a primary key of their own are [upserted](Self::upsert) there.
    ///
    /// # Errors
    /// [`WriteError::WrongMoment`] without an open cycle; [`WriteError::MalformedRecord`];
    /// [`WriteError::OrdinalLimit`].
    pub fn add(&mut self, ty: TypeId, record: &[u8]) -> Result<Ordinal> {
        let is_total = self.expect_open()?;
        if self.evolving.is_some() {
            return self.add_evolved(ty, record);
        }
        let writer = &mut self.types[ty.at()];
        let place = writer.is_shared(record).then(|| recent_slot(record));
        let known = place.and_then(|place| writer.shared.find(place, record));
        if let Some(ordinal) = known {
            if is_total {
                writer.see(ordinal);
            }
            return Ok(ordinal);
        }
        let hash = hash_bytes(record);
        if let Some(ordinal) = writer.lookup(hash, record, &mut self.scratch) {
            if let Some(place) = place {
                writer.shared.insert(place, record, ordinal);
            }
            if is_total {
                writer.see(ordinal);
            }
            return Ok(ordinal);
        }
        self.stage(ty, hash, record)
    }

    /// Adds many records of one type, hashing them and probing for them in parallel, and appends their ordinals to
    /// `ordinals` in the order of the batch. The outcome is the same as that of [`add`](Self::add) one by one.
    ///
    /// # Errors
    /// As [`add`](Self::add). The cycle should be rolled back then: some of the records are added, and what was
    /// appended to `ordinals` means nothing.
    pub fn add_batch(
        &mut self,
        ty: TypeId,
        batch: &RecordBatch,
        ordinals: &mut Vec<Ordinal>,
    ) -> Result<()> {
        let is_total = self.expect_open()?;
        if self.evolving.is_some() {
            for record in batch.iter() {
                ordinals.push(self.add_evolved(ty, record)?);
            }
            return Ok(());
        }
        let start = ordinals.len();
        ordinals.resize(start + batch.len(), 0);
        let probed = batch.probe(&self.types[ty.at()], is_total, &mut ordinals[start..]);
        if let Some(malformed) = probed.malformed {
            return Err(malformed.into());
        }
        self.types[ty.at()].table.reserve(probed.new.len());
        let has_key = self.types[ty.at()].key.is_some();
        for (index, hash) in probed.new {
            let record = batch.record(index);
            let writer = &mut self.types[ty.at()];
            // What was not there may have been added by the batch itself.
            ordinals[start + index] = match writer.lookup(hash, record, &mut self.scratch) {
                Some(ordinal) => ordinal,
                None if has_key => self.stage(ty, hash, record)?,
                None => writer.stage_valid(hash, record)?,
            };
        }
        let shared = &mut self.types[ty.at()].shared;
        for index in probed.repeated {
            let record = batch.record(index);
            shared.insert(recent_slot(record), record, ordinals[start + index]);
        }
        Ok(())
    }

    /// Adds a record with a primary key, or replaces the record that has its key. Needs an incremental cycle. The last
    /// upsert or delete of a key in a cycle counts.
    ///
    /// # Errors
    /// As [`add`](Self::add); [`WriteError::NoPrimaryKey`].
    pub fn upsert(&mut self, ty: TypeId, record: &[u8]) -> Result<Upserted> {
        self.upsert_over(ty, record, None)
    }

    /// As [`upsert`](Self::upsert), by a caller who remembers where the committed record with the key is.
    pub(super) fn upsert_over(
        &mut self,
        ty: TypeId,
        record: &[u8],
        committed: Option<Ordinal>,
    ) -> Result<Upserted> {
        self.expect_incremental()?;
        self.expect_key(ty)?;
        let key_hash = self.hash_key_of(ty, record);
        if let Some(previous) = committed.filter(|&ordinal| self.is_only(ty, ordinal, &self.key)) {
            let writer = &self.types[ty.at()];
            if !writer.holds(previous, record, &mut self.scratch) {
                crate::record::validate(&writer.schema, record)?;
                let ordinal = self.stage_keyed(ty, hash_bytes(record), key_hash, record)?;
                let cycle = &mut self.types[ty.at()].cycle;
                cycle.marks.insert(ordinal, Mark::Pinned);
                self.mark_deleted(ty, previous);
                return Ok(Upserted {
                    ordinal,
                    previous: Some(previous),
                    changed: true,
                });
            }
        }
        let previous = self.find_hashed(ty, key_hash);
        // Equal records have equal keys, so the table of keys finds them too, and mostly the first look is enough.
        let writer = &self.types[ty.at()];
        let mut holds = |&ordinal: &Ordinal| writer.holds(ordinal, record, &mut self.scratch);
        let found = previous.filter(&mut holds).or_else(|| {
            let others = writer.keys.under(key_hash);
            let mut others = others.filter(|&other| Some(other) != previous);
            others.find(&mut holds)
        });
        let ordinal = match found {
            Some(ordinal) => ordinal,
            None => {
                crate::record::validate(&writer.schema, record)?;
                self.stage_keyed(ty, hash_bytes(record), key_hash, record)?
            }
        };
        let cycle = &mut self.types[ty.at()].cycle;
        cycle.marks.insert(ordinal, Mark::Pinned);
        match previous {
            Some(previous) if previous != ordinal => self.mark_deleted(ty, previous),
            _ => {}
        }
        Ok(Upserted {
            ordinal,
            previous,
            changed: previous != Some(ordinal),
        })
    }

    /// Deletes the record with this primary key and returns its ordinal, `None` if there is none. Needs an incremental
    /// cycle. A record that live records of other types refer to stays; children that only the deleted record held on
    /// to go with it.
    ///
    /// # Errors
    /// [`WriteError::WrongMoment`], [`WriteError::NoPrimaryKey`], [`WriteError::KeyMismatch`].
    pub fn delete(&mut self, ty: TypeId, key: &[KeyValue]) -> Result<Option<Ordinal>> {
        self.expect_incremental()?;
        let found = self.try_find(ty, key)?;
        if let Some(ordinal) = found {
            self.mark_deleted(ty, ordinal);
        }
        Ok(found)
    }

    /// The ordinal of the record with this primary key: in an open cycle as the cycle's own calls left it. `None` also
    /// if the type has no key or the values do not fit it.
    #[must_use]
    pub fn find(&self, ty: TypeId, key: &[KeyValue]) -> Option<Ordinal> {
        let writer = &self.types[ty.at()];
        let mut bytes = Vec::new();
        key_value_bytes(writer.key.as_ref()?, key, &mut bytes)?;
        self.find_key(ty, hash_bytes(&bytes), &bytes)
    }

    /// Appends the serialized form of a record that was added in the open cycle or is in the committed state, and
    /// returns whether there is one of that ordinal.
    pub fn record(&self, ty: TypeId, ordinal: Ordinal, out: &mut Vec<u8>) -> bool {
        let mut scratch = Vec::new();
        let found = self.types[ty.at()].record(ordinal, &mut scratch);
        found.map(|record| out.extend_from_slice(record)).is_some()
    }

    /// Whether the committed record of this ordinal has this key, and no other record can have it: keys are unique in a state,
    /// an upsert of the key would have marked the record, and nothing was added otherwise.
    pub(super) fn is_only(&self, ty: TypeId, ordinal: Ordinal, key: &[u8]) -> bool {
        let writer = &self.types[ty.at()];
        self.options.unique_keys
            && !writer.cycle.has_strangers
            && writer.cycle.marks.get(ordinal).is_none()
            && writer.cycle.staged.index_of(ordinal).is_none()
            && writer.is_committed(ordinal)
            && self.has_key(ty, ordinal, key)
    }

    pub(super) fn expect_key(&self, ty: TypeId) -> Result<(), WriteError> {
        let writer = &self.types[ty.at()];
        if writer.key.is_none() {
            return Err(WriteError::NoPrimaryKey {
                type_name: writer.schema.name().to_owned(),
            });
        }
        Ok(())
    }

    fn try_find(&mut self, ty: TypeId, key: &[KeyValue]) -> Result<Option<Ordinal>, WriteError> {
        self.expect_key(ty)?;
        let writer = &self.types[ty.at()];
        let paths = writer.key.as_deref().unwrap_or_default();
        if key_value_bytes(paths, key, &mut self.key).is_none() {
            return Err(WriteError::KeyMismatch {
                type_name: writer.schema.name().to_owned(),
                key: key.to_vec(),
            });
        }
        Ok(self.find_hashed(ty, hash_bytes(&self.key)))
    }

    /// Puts the key of a record into `self.key` and returns its hash.
    pub(super) fn hash_key_of(&mut self, ty: TypeId, record: &[u8]) -> u32 {
        let paths = self.types[ty.at()].key.as_deref().unwrap_or_default();
        key_bytes(&self.types, paths, record, &mut self.key);
        hash_bytes(&self.key)
    }

    /// The record that has the key in `self.key`.
    fn find_hashed(&self, ty: TypeId, key_hash: u32) -> Option<Ordinal> {
        self.find_key(ty, key_hash, &self.key)
    }

    fn find_key(&self, ty: TypeId, key_hash: u32, key: &[u8]) -> Option<Ordinal> {
        let writer = &self.types[ty.at()];
        // Of several candidates an upserted one is the cycle's answer; a record that was merely added counts least,
        // since it may be dropped.
        let standing = |ordinal: Ordinal| match (writer.cycle.marks.get(ordinal), &self.phase) {
            (Some(Mark::Deleted | Mark::Removed), _) => None,
            (Some(Mark::Pinned), _) => Some(2),
            (None, Phase::Total) if writer.cycle.staged.index_of(ordinal).is_none() => {
                writer.is_seen(ordinal).then_some(1)
            }
            (None, _) => Some(u8::from(writer.cycle.staged.index_of(ordinal).is_none())),
        };
        writer
            .keys
            .under(key_hash)
            .filter(|&ordinal| self.has_key(ty, ordinal, key))
            .filter_map(|ordinal| Some((standing(ordinal)?, ordinal)))
            .max()
            .map(|(_, ordinal)| ordinal)
    }

    /// Whether the record of this ordinal has this key.
    pub(super) fn has_key(&self, ty: TypeId, ordinal: Ordinal, key: &[u8]) -> bool {
        let writer = &self.types[ty.at()];
        let Some(paths) = writer.key.as_deref() else {
            return false;
        };
        if let Some(has_key) = writer.has_local_key(paths, ordinal, key) {
            return has_key;
        }
        let (mut scratch, mut found) = (Vec::new(), Vec::new());
        let Some(record) = writer.record(ordinal, &mut scratch) else {
            return false;
        };
        key_bytes(&self.types, paths, record, &mut found);
        found == key
    }

    fn mark_deleted(&mut self, ty: TypeId, ordinal: Ordinal) {
        let writer = &mut self.types[ty.at()];
        writer.cycle.marks.insert(ordinal, Mark::Deleted);
        if writer.cycle.staged.index_of(ordinal).is_none() {
            writer.cycle.deleted.push(ordinal);
        }
    }

    pub(super) fn stage(&mut self, ty: TypeId, hash: u32, record: &[u8]) -> Result<Ordinal> {
        if self.types[ty.at()].key.is_none() {
            return Ok(self.types[ty.at()].stage(hash, record)?);
        }
        crate::record::validate(&self.types[ty.at()].schema, record)?;
        self.types[ty.at()].cycle.has_strangers = true;
        let key_hash = self.hash_key_of(ty, record);
        self.stage_keyed(ty, hash, key_hash, record)
    }

    fn stage_keyed(
        &mut self,
        ty: TypeId,
        hash: u32,
        key_hash: u32,
        record: &[u8],
    ) -> Result<Ordinal> {
        let writer = &mut self.types[ty.at()];
        let ordinal = writer.stage(hash, record)?;
        writer.keys.insert(key_hash, ordinal);
        writer.cycle.staged_keys.push(key_hash);
        Ok(ordinal)
    }
}

/// The key of a record, for messages.
pub(super) fn record_key(writer: &TypeWriter, key: &[u8]) -> RecordKey {
    writer
        .key
        .as_deref()
        .map_or_else(Vec::new, |paths| super::links::key_values(paths, key))
}
