//! What can be swept: rows in an order that can be taken up again, and the source version up to which they are known.

use crate::avro::{AvroSchema, RecordModel};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::schemas::write_wire_header;
use crate::spec::DatasetSpec;
use apache_avro::types::Value as AvroValue;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A source of rows. Calls block; one thread uses it.
pub trait Source: Send {
    /// What it is, for people and to tell whether a sweep that was broken off can go on: no passwords.
    fn describe(&self) -> String;

    /// The source version up to which the rows that are read from now on are known. Asked of the very replica that serves them,
    /// and before any of them is read.
    ///
    /// # Errors
    /// Where it can't be found out; a source without rows has none.
    fn as_of(&mut self) -> Result<i64>;

    /// Begins with the first row, or after the one that the token stands for. `as_of` is that of the sweep.
    ///
    /// # Errors
    /// Where the source is not what it was when the token was given.
    fn open(&mut self, after: Option<&str>, as_of: i64) -> Result<()>;

    /// Appends the next rows, about `max` of them, and returns a token for the last one; `None` where there are no more.
    ///
    /// # Errors
    /// Where the source can't be read, ends in the middle of a row, or has a row without a key.
    fn read(&mut self, max: usize, rows: &mut Vec<Row>) -> Result<Option<String>>;

    /// How many rows there are, about, where that is known.
    fn total(&self) -> Option<u64>;

    /// What was asked of the source since it was made.
    fn reads(&self) -> Reads;
}

/// What a sweep costs its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reads {
    /// Rows that were read; those of a file that is read twice count twice.
    pub rows: u64,
    /// Queries, or files opened.
    pub requests: u64,
}

/// A row as it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The canonical key.
    pub key: Vec<u8>,
    /// Its version; a row without becomes a dead letter.
    pub source_version: Option<i64>,
    /// The value in the wire format, or the row as it was.
    pub value: Vec<u8>,
    /// Why the value is not in the wire format. It becomes a dead letter, and so its key is seen.
    pub unfit: Option<String>,
}

/// A row as its source has it.
pub(super) enum Raw {
    Json(Map<String, Value>),
    Avro(Vec<(String, AvroValue)>),
}

/// Makes rows of what sources have.
pub struct RowEncoder {
    schema: Arc<AvroSchema>,
    model: Arc<RecordModel>,
    schema_id: u32,
    /// The same schema, for values of the Avro library.
    avro: apache_avro::Schema,
    version_field: String,
    key: Key,
}

impl RowEncoder {
    /// An encoder for rows of a dataset whose source version is in the field `version_field`. Where the dataset has no such field
    /// it is left out of the value. `schema_id` is what the schema is registered as.
    ///
    /// # Errors
    /// [`Error::Schema`].
    pub fn new(spec: &DatasetSpec, schema_id: u32, version_field: &str) -> Result<Self> {
        let parsed = apache_avro::Schema::parse_str(spec.schema.text());
        Ok(Self {
            schema: Arc::clone(&spec.schema),
            model: Arc::clone(&spec.model),
            schema_id,
            avro: parsed.map_err(|error| Error::Schema {
                source_name: spec.name.to_string(),
                reason: error.to_string(),
            })?,
            version_field: version_field.to_owned(),
            key: Key::default(),
        })
    }

    pub(super) fn schema(&self) -> &AvroSchema {
        &self.schema
    }

    pub(super) fn version_field(&self) -> &str {
        &self.version_field
    }

    /// The row's source version, where it has one that is not negative.
    pub(super) fn version(&self, raw: &Raw) -> Option<i64> {
        let number = match raw.field(&self.version_field)? {
            Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        };
        number.filter(|&number| number >= 0)
    }

    /// The row, or in words why it has no key.
    pub(super) fn row(&mut self, raw: Raw) -> std::result::Result<Row, String> {
        let field = |name: &String| raw.field(name).ok_or_else(|| format!("it has no {name:?}"));
        let key: std::result::Result<Vec<_>, _> = self.schema.key().iter().map(field).collect();
        self.model.key().set(&key?, &mut self.key)?;
        let source_version = self.version(&raw);
        let mut value = Vec::new();
        write_wire_header(self.schema_id, &mut value);
        let (value, unfit) = match self.encode(&raw, &mut value) {
            Ok(()) => (value, None),
            Err(reason) => (raw.into_json().to_string().into_bytes(), Some(reason)),
        };
        Ok(Row {
            key: self.key.canonical().to_vec(),
            source_version,
            value,
            unfit,
        })
    }

    fn encode(&self, raw: &Raw, out: &mut Vec<u8>) -> std::result::Result<(), String> {
        match raw {
            Raw::Json(row) => {
                let mut row = row.clone();
                if !self.schema.has_field(&self.version_field) {
                    row.remove(&self.version_field);
                }
                let row = Value::Object(row);
                self.schema
                    .encode_json(&row, out)
                    .map_err(|error| error.to_string())
            }
            Raw::Avro(fields) => {
                let encode = || {
                    let value = AvroValue::Record(fields.clone()).resolve(&self.avro)?;
                    let writer = GenericDatumWriter::builder(&self.avro).build()?;
                    writer.write_value_to_vec(value)
                };
                let body = encode().map_err(|error: apache_avro::Error| error.to_string())?;
                out.extend_from_slice(&body);
                Ok(())
            }
        }
    }
}

impl Raw {
    fn field(&self, name: &str) -> Option<Value> {
        match self {
            Self::Json(row) => row.get(name).cloned(),
            Self::Avro(fields) => {
                let (_, value) = fields.iter().find(|(field, _)| field == name)?;
                value.clone().try_into().ok()
            }
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Json(row) => Value::Object(row),
            Self::Avro(fields) => AvroValue::Record(fields).try_into().unwrap_or_default(),
        }
    }
}
