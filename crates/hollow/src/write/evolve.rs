//! Going on with a chain under other schemas, the way Java Hollow does (format 9.5). Our own producers end a chain
//! where the schemas change; this is for chains that Java producers share, and for the vectors.
//!
//! The restored state is first read with the new schemas: fields that are gone are left out, new ones are null. In the
//! one cycle that follows, a record takes the ordinal of a restored one that agrees in all fields that both schemas
//! have. Such a record is in no delta, although readers of the snapshot see its new fields; so the state of that cycle
//! is read from its snapshot, where every other state is read from its delta.

use super::WriteError;
use super::options::WriteOptions;
use super::ordinals::OrdinalAllocator;
use super::seal::Blob;
use super::state::{Committed, TypeId, WriteState};
use super::stats::TypeStats;
use super::table::hash_bytes;
use crate::read::{ReadState, TypeState};
use crate::record::{Fields, ObjectRecord, Stored};
use crate::schema::{FieldType, ObjectSchema, Schema};
use crate::{Ordinal, Result};

impl WriteState {
    /// A writer whose committed state is `state`, read with `schemas`.
    pub(super) fn restore_evolved(
        state: &ReadState,
        schemas: Vec<Schema>,
        options: WriteOptions,
    ) -> Result<Self> {
        let mut writer = Self::new(schemas, options)?;
        let mut record = Vec::new();
        for at in 0..writer.types.len() {
            let ty = &mut writer.types[at];
            let Some(old) = state.type_state(ty.schema.name()) else {
                continue;
            };
            ty.shard_count = Some(old.num_shards());
            let mut convert = Converter::new(old, &ty.schema)?;
            for ordinal in old.ordinals() {
                record.clear();
                old.serialize(ordinal, &mut record);
                let converted = convert.record(&record);
                ty.table.insert(hash_bytes(converted), ordinal);
                ty.cycle
                    .staged
                    .push(ordinal, hash_bytes(converted), converted);
            }
        }
        writer.resolve_staged();
        let header_tags = state.header_tags().iter();
        let header_tags: Vec<_> = header_tags.map(|(k, v)| (k.clone(), v.clone())).collect();
        let blobs = writer.write_blobs(Blob::Snapshot, state.tag(), &header_tags)?;
        let chain_sum = writer.sealed_sums().state;
        let converted = writer.read_snapshot(&blobs)?;
        writer.commit_types(&converted);
        for ty in &mut writer.types {
            let populated = converted.type_state(ty.schema.name());
            let options = &writer.options;
            ty.ordinals = OrdinalAllocator::restored(options.ordinals, options.partitioned, || {
                populated.into_iter().flat_map(TypeState::ordinals)
            });
            if state.type_state(ty.schema.name()).is_none() {
                ty.shard_count = options.pinned_shards.get(ty.schema.name()).copied();
            }
        }
        writer.committed = Some(Committed {
            state: converted,
            chain_sum,
            header_tags,
        });
        writer.evolving = Some(state.clone());
        Ok(writer)
    }

    /// Plans the layout of staged records alone.
    fn resolve_staged(&mut self) {
        for ty in &mut self.types {
            let cycle = &mut ty.cycle;
            cycle.live = vec![true; cycle.staged.len()];
            cycle.added = (0..cycle.staged.len() as u32).collect();
            ty.plan(&self.options);
        }
    }

    /// Adds a record in the cycle after such a restore.
    pub(super) fn add_evolved(&mut self, ty: TypeId, record: &[u8]) -> Result<Ordinal> {
        let hash = hash_bytes(record);
        let writer = &self.types[ty.at()];
        let staged = &writer.cycle.staged;
        if let Some(ordinal) = writer.table.find(hash, |o| staged.get(o) == Some(record)) {
            return Ok(ordinal);
        }
        crate::record::validate(&writer.schema, record)?;
        let common = self.common_part(ty, record)?;
        let writer = &mut self.types[ty.at()];
        let common_hash = hash_bytes(&common);
        let mut scratch = std::mem::take(&mut self.scratch);
        let restored = writer.table.find(common_hash, |ordinal| {
            let is_taken = writer.cycle.staged.index_of(ordinal).is_some();
            !is_taken && writer.holds(ordinal, &common, &mut scratch)
        });
        self.scratch = scratch;
        let Some(ordinal) = restored else {
            return self.stage(ty, hash, record);
        };
        writer.see(ordinal);
        if hash != common_hash {
            writer.table.insert(hash, ordinal);
        }
        writer.cycle.staged.push(ordinal, hash, record);
        if writer.key.is_some() {
            let key_hash = self.hash_key_of(ty, record);
            self.types[ty.at()].cycle.staged_keys.push(key_hash);
        }
        Ok(ordinal)
    }

    /// The record with null in every field that the restored schema lacks.
    fn common_part(&self, ty: TypeId, record: &[u8]) -> Result<Vec<u8>> {
        let writer = &self.types[ty.at()];
        let old = self
            .evolving
            .as_ref()
            .and_then(|state| state.type_state(writer.schema.name()));
        match (&*writer.schema, old.map(TypeState::schema)) {
            (Schema::Object(new), Some(Schema::Object(old))) => {
                let sources = new.fields.iter().enumerate();
                let kept = sources
                    .map(|(at, field)| old.field(&field.name).map(|_| at))
                    .collect();
                Ok(Converter {
                    target: Some(target(new, new, kept)),
                    same: Vec::new(),
                }
                .record(record)
                .to_vec())
            }
            _ => Ok(record.to_vec()),
        }
    }

    /// Corrects what a total cycle says about records that took restored ordinals: they are added to nothing, but they
    /// are what is live.
    pub(super) fn resolve_evolved(&mut self) {
        for ty in &mut self.types {
            let (kept, added): (Vec<u32>, Vec<u32>) = std::mem::take(&mut ty.cycle.added)
                .into_iter()
                .partition(|&index| ty.is_committed(ty.cycle.staged.ordinal(index as usize)));
            ty.cycle.added = added;
            ty.stats = TypeStats::new(&ty.schema);
            for (ordinal, record) in ty.cycle.removed.iter() {
                ty.stats.add(ordinal, record);
            }
            for index in kept {
                let index = index as usize;
                ty.stats.add(
                    ty.cycle.staged.ordinal(index),
                    ty.cycle.staged.record(index),
                );
            }
        }
    }

    /// Ends the cycle after such a restore: everything is taken anew from the state that it led to.
    pub(super) fn commit_evolved(&mut self, state: &ReadState, committed: Committed) -> Result<()> {
        let schemas = self.types.iter().map(|ty| (*ty.schema).clone()).collect();
        let mut next = Self::restore(state, schemas, self.options.clone())?;
        for (next, mut ty) in next.types.iter_mut().zip(self.types.drain(..)) {
            let focus = if self.options.focus_holes {
                next.shard_count.unwrap_or(1)
            } else {
                1
            };
            ty.ordinals
                .commit(ty.cycle.removed.ordinals.iter().copied(), focus);
            next.ordinals = ty.ordinals;
        }
        next.committed = Some(committed);
        *self = next;
        Ok(())
    }

    /// Drops the cycle after such a restore by restoring again.
    pub(super) fn rollback_evolved(&mut self, restored: &ReadState) -> Result<()> {
        let schemas = self.types.iter().map(|ty| (*ty.schema).clone()).collect();
        let tags = self.committed.take().map(|committed| committed.header_tags);
        *self = Self::restore_evolved(restored, schemas, self.options.clone())?;
        if let (Some(committed), Some(tags)) = (&mut self.committed, tags) {
            committed.header_tags = tags;
        }
        Ok(())
    }

    pub(super) fn expect_not_evolving(&self) -> Result<(), WriteError> {
        match self.evolving {
            Some(_) => Err(WriteError::WrongMoment(
                "the first cycle under other schemas must be a total one",
            )),
            None => Ok(()),
        }
    }
}

/// From records of one OBJECT schema to records of another.
struct Converter {
    /// `None` for collections, which stay as they are.
    target: Option<Target>,
    same: Vec<u8>,
}

struct Target {
    record: ObjectRecord,
    from: Vec<FieldType>,
    /// For each target field the source field.
    sources: Vec<Option<usize>>,
}

fn target(from: &ObjectSchema, to: &ObjectSchema, sources: Vec<Option<usize>>) -> Target {
    Target {
        record: ObjectRecord::new(to),
        from: from.fields.iter().map(|field| field.field_type).collect(),
        sources,
    }
}

impl Converter {
    fn new(old: &TypeState, new: &Schema) -> Result<Self> {
        crate::schema::common_schema(old.schema(), new)?;
        let target = match (old.schema(), new) {
            (Schema::Object(old), Schema::Object(new)) => {
                let sources = new
                    .fields
                    .iter()
                    .map(|field| old.field_index(&field.name))
                    .collect();
                Some(target(old, new, sources))
            }
            _ => None,
        };
        Ok(Self {
            target,
            same: Vec::new(),
        })
    }

    fn record(&mut self, record: &[u8]) -> &[u8] {
        let Some(Target {
            record: target,
            from,
            sources,
        }) = &mut self.target
        else {
            self.same.clear();
            self.same.extend_from_slice(record);
            return &self.same;
        };
        let values: Vec<Stored<'_>> = Fields::new(from, record).collect();
        target.reset();
        for (field, source) in sources.iter().enumerate() {
            if let Some(value) = source.and_then(|source| values.get(source)) {
                target.set_stored(field, *value);
            }
        }
        target.bytes()
    }
}
