//! From a row to its change record.

use crate::avro::{Fault, Plan, RecordSink, Transcoder};
use crate::dead::SOURCE_VERSION_HEADER;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::schemas::{SchemaSource, write_wire_header};
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::NewRecord;
use hollow::Ordinal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;

/// A change of a row, as JSON: `{"key": [80057281], "sourceVersion": 17, "timestampMs": 5, "value": {…}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Emission {
    /// The key fields in order; may be left out where there is a value, which has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<Value>>,
    /// The row by the dataset's schema; `null`, or nothing, where it was deleted.
    #[serde(default)]
    pub value: Option<Value>,
    /// The source's own version of the row, which grows with each change of it: a log sequence number, or the time of the
    /// update in microseconds. Datasets that go by source versions need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<i64>,
    /// When it happened, in milliseconds since 1970 UTC; now, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
}

impl Emission {
    /// A row as it is now.
    #[must_use]
    pub fn upsert(value: Value, source_version: Option<i64>) -> Self {
        Self {
            value: Some(value),
            source_version,
            ..Self::default()
        }
    }

    /// A row of any type that serializes as the dataset's schema says.
    ///
    /// # Errors
    /// [`Error::Encode`] where it can't be serialized.
    pub fn of<T: Serialize>(row: &T, source_version: Option<i64>) -> Result<Self> {
        let value = serde_json::to_value(row).map_err(|error| Error::Encode {
            schema: std::any::type_name::<T>().to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self::upsert(value, source_version))
    }

    /// The end of the row with that key.
    #[must_use]
    pub fn delete(key: Vec<Value>, source_version: Option<i64>) -> Self {
        Self {
            key: Some(key),
            source_version,
            ..Self::default()
        }
    }
}

/// Makes change records of a dataset, and refuses what its producer would refuse.
pub struct RecordBuilder {
    spec: Arc<DatasetSpec>,
    schema_id: u32,
    plan: Plan,
    transcoder: Transcoder,
    key: Key,
}

impl RecordBuilder {
    /// A builder of records with the dataset's schema.
    ///
    /// # Errors
    /// Where the schema has no id to write with; see [`SchemaSource::id_of`].
    pub fn new(spec: Arc<DatasetSpec>, schemas: &dyn SchemaSource) -> Result<Self> {
        let schema_id = schemas.id_of(&spec.subject(), &spec.schema)?;
        let plan = spec.plan(&spec.schema).map_err(|reason| Error::Schema {
            source_name: spec.name.to_string(),
            reason,
        })?;
        Ok(Self {
            spec,
            schema_id,
            plan,
            transcoder: Transcoder::new(),
            key: Key::default(),
        })
    }

    /// The record of a change, for the partition that its key decides. `now_ms` is the time, in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::Encode`] where the value does not fit the schema, [`Error::Emission`] where it could not be folded.
    pub fn build(&mut self, emission: &Emission, now_ms: i64) -> Result<NewRecord> {
        let timestamp_ms = emission.timestamp_ms.unwrap_or(now_ms);
        let wrong = |spec: &DatasetSpec, reason: String| Error::Emission {
            dataset: spec.name.clone(),
            reason,
        };
        let shape = self.spec.model.key();
        let from_value;
        let parts = match (&emission.key, &emission.value) {
            (Some(parts), _) => parts,
            (None, Some(value)) => {
                let part = |name: &String| value.get(name).cloned().unwrap_or(Value::Null);
                from_value = self.spec.schema.key().iter().map(part).collect();
                &from_value
            }
            (None, None) => {
                return Err(wrong(&self.spec, "it has neither key nor value".to_owned()));
            }
        };
        shape
            .set(parts, &mut self.key)
            .map_err(|reason| wrong(&self.spec, format!("the key: {reason}")))?;
        let key = self.key.canonical();
        let mut record = match &emission.value {
            None => NewRecord::tombstone(timestamp_ms, key),
            Some(value) => {
                let mut bytes = Vec::with_capacity(128);
                write_wire_header(self.schema_id, &mut bytes);
                let header = bytes.len();
                self.spec.schema.encode_json(value, &mut bytes)?;
                let body = &bytes[header..];
                match self
                    .transcoder
                    .transcode(&self.plan, &self.key, body, &mut Nowhere)
                {
                    Ok(_) => {}
                    Err(Fault::Poison(poison)) => {
                        return Err(wrong(&self.spec, poison.to_string()));
                    }
                    Err(Fault::Sink(never)) => match never {},
                }
                NewRecord::new(timestamp_ms, key, bytes)
            }
        };
        match (emission.source_version, self.spec.source_versions) {
            (Some(version), _) if version < 0 => {
                return Err(wrong(
                    &self.spec,
                    format!("the source version {version} is negative"),
                ));
            }
            (Some(version), _) => {
                record = record.with_header(SOURCE_VERSION_HEADER, version.to_string());
            }
            (None, SourceVersions::Required) => {
                let reason = "it has no source version, by which the dataset orders its records";
                return Err(wrong(&self.spec, reason.to_owned()));
            }
            (None, SourceVersions::None) => {}
        }
        Ok(record)
    }
}

/// Where a checked record goes.
struct Nowhere;

impl RecordSink for Nowhere {
    type Error = Infallible;

    fn add(
        &mut self,
        _type_index: usize,
        _record: &[u8],
    ) -> std::result::Result<Ordinal, Infallible> {
        Ok(0)
    }
}
