//! Going on with a chain from a state that was read.

use rayon::prelude::*;

use super::WriteError;
use super::changes::record_key;
use super::links::key_bytes;
use super::options::WriteOptions;
use super::ordinals::OrdinalAllocator;
use super::state::{Committed, WriteState};
use super::table::{OrdinalTable, hash_bytes};
use super::types::TypeWriter;
use crate::read::{ReadState, TypeState};
use crate::schema::Schema;
use crate::sums::{ChainSum, TypeSum};
use crate::{Ordinal, Result};

impl WriteState {
    /// A writer that goes on with the chain of `state`: its first cycle writes a delta from there. Costs by the dataset.
    ///
    /// # Errors
    /// [`WriteError::EndsChain`] where `schemas` are not those of the state (a state that was loaded through a filter,
    /// or without its optional parts, has fewer); [`WriteError::DuplicateKey`] if keys must be unique and the state's
    /// are not; errors of [`WriteState::new`].
    pub fn restore(state: &ReadState, schemas: Vec<Schema>, options: WriteOptions) -> Result<Self> {
        match expect_same_schemas(state, &schemas) {
            Err(WriteError::EndsChain { .. }) if options.java_schema_change => {
                return Self::restore_evolved(state, schemas, options);
            }
            checked => checked?,
        }
        let mut writer = Self::new(schemas, options)?;
        let (allocation, partitioned) = (writer.options.ordinals, writer.options.partitioned);
        let sums = writer.types.par_iter_mut().map(|ty| {
            let Some(type_state) = state.type_state(ty.schema.name()) else {
                return ChainSum::EMPTY;
            };
            ty.ordinals =
                OrdinalAllocator::restored(allocation, partitioned, || type_state.ordinals());
            ty.restore(type_state)
        });
        let chain_sum = sums.reduce(|| ChainSum::EMPTY, |a, b| ChainSum(a.0.wrapping_add(b.0)));
        let keys = (0..writer.types.len())
            .into_par_iter()
            .map(|at| writer.restored_keys(at))
            .collect::<Result<Vec<_>, _>>()?;
        for (ty, keys) in writer.types.iter_mut().zip(keys) {
            ty.keys = keys;
        }
        writer.committed = Some(Committed {
            state: state.clone(),
            chain_sum,
            header_tags: state
                .header_tags()
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        });
        Ok(writer)
    }

    /// Another order for the header tags of the committed state.
    #[cfg(test)]
    pub(super) fn set_committed_tags(&mut self, tags: Vec<(String, String)>) {
        if let Some(committed) = &mut self.committed {
            committed.header_tags = tags;
        }
    }

    /// The key table of a restored type.
    fn restored_keys(&self, at: usize) -> Result<OrdinalTable, WriteError> {
        let ty = &self.types[at];
        let (Some(paths), Some(state)) = (&ty.key, &ty.state) else {
            return Ok(OrdinalTable::default());
        };
        let mut keys = OrdinalTable::with_capacity(state.count());
        let (mut record, mut key, mut other_key) = (Vec::new(), Vec::new(), Vec::new());
        for ordinal in state.ordinals() {
            record.clear();
            state.serialize(ordinal, &mut record);
            key_bytes(&self.types, paths, &record, &mut key);
            let hash = hash_bytes(&key);
            if self.options.unique_keys {
                let is_duplicate = |other: Ordinal| {
                    record.clear();
                    state.serialize(other, &mut record);
                    key_bytes(&self.types, paths, &record, &mut other_key);
                    other_key == key
                };
                if keys.find(hash, is_duplicate).is_some() {
                    let type_name = ty.schema.name().to_owned();
                    return Err(WriteError::DuplicateKey {
                        type_name,
                        key: record_key(ty, &key),
                    });
                }
            }
            keys.insert(hash, ordinal);
        }
        Ok(keys)
    }
}

impl TypeWriter {
    /// Takes over the records of a state and returns their chain sum.
    fn restore(&mut self, state: &TypeState) -> ChainSum {
        let sums = TypeSum::new(self.schema.name());
        let mut sum = ChainSum::EMPTY;
        self.table = OrdinalTable::with_capacity(state.count());
        let mut record = Vec::new();
        for ordinal in state.ordinals() {
            record.clear();
            state.serialize(ordinal, &mut record);
            self.table.insert(hash_bytes(&record), ordinal);
            self.stats.add(ordinal, &record);
            sum.add(sums.record(ordinal, &record));
        }
        self.shard_count = Some(state.num_shards());
        state.ordinals().for_each(|it| self.committed.insert(it));
        self.state = Some(state.clone());
        sum
    }
}

fn expect_same_schemas(state: &ReadState, schemas: &[Schema]) -> Result<(), WriteError> {
    let ends_chain = |type_name: &str| WriteError::EndsChain {
        type_name: type_name.to_owned(),
    };
    for schema in schemas {
        let is_same = state
            .type_state(schema.name())
            .is_some_and(|state| state.schema() == schema);
        if !is_same {
            return Err(ends_chain(schema.name()));
        }
    }
    for schema in state.schemas() {
        if !schemas.iter().any(|own| own.name() == schema.name()) {
            return Err(ends_chain(schema.name()));
        }
    }
    Ok(())
}
