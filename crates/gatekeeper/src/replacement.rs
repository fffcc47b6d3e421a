//! One input record in the place of another: what if this contract had been right?
//!
//! The record becomes a state of its own under the input's schemas, so that it turns into facts by the
//! same code that reads the input.

use std::collections::BTreeMap;

use hollow::index::PrimaryKeyIndex;
use hollow::schema::Schema;
use hollow::write::{WriteOptions, WriteState};
use hollow::{KeyValue, ReadState, Value};

use crate::input::Input;

/// A record that is to stand in the place of the one with its key.
#[derive(Clone, PartialEq, Debug)]
pub struct Replacement {
    /// The dataset.
    pub input: Input,
    /// The key of the record.
    pub key: Vec<KeyValue>,
    /// The record, with that key; `None`: there is none.
    pub record: Option<Value>,
}

impl Replacement {
    /// A state with nothing but the present record of the key, and one with nothing but the new one;
    /// `None` where the new one has another key.
    pub(crate) fn states(
        &self,
        state: &ReadState,
    ) -> hollow::Result<Option<(ReadState, ReadState)>> {
        let type_name = self.input.type_name();
        let find = |state: &ReadState| -> hollow::Result<_> {
            Ok(PrimaryKeyIndex::build(state, type_name, None)?.get(&self.key))
        };
        let present = match find(state)? {
            Some(ordinal) => Value::read(state, type_name, ordinal)?,
            None => None,
        };
        let schemas: Vec<Schema> = state
            .schemas()
            .filter(|schema| !schema.is_internal())
            .cloned()
            .collect();
        let before = alone(&schemas, type_name, present.as_ref())?;
        let after = alone(&schemas, type_name, self.record.as_ref())?;
        let fits = self.record.is_none() || find(&after)?.is_some();
        Ok(fits.then_some((before, after)))
    }
}

/// A state with at most one record.
fn alone(schemas: &[Schema], type_name: &str, record: Option<&Value>) -> hollow::Result<ReadState> {
    let mut write = WriteState::new(schemas.to_vec(), WriteOptions::default())?;
    write.begin_incremental();
    if let Some(record) = record {
        record.upsert(&mut write, type_name)?;
    }
    write.seal(ALONE_TAG, BTreeMap::new())?;
    write.commit().cloned()
}

/// The random tag of a state that nobody follows.
const ALONE_TAG: i64 = 0x5eed_0002_0000_0001;
