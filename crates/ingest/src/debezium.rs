//! Topics that Debezium writes: each value is a change event around the row, and keys are written as its converters do.
//!
//! What it writes beside change events is understood, too: the tombstone after a delete, which has no source version, and
//! keys as JSON objects (`{"video":1}`, also with a schema around) or Avro in the wire format. Records in the dataset's own
//! schema may lie in the same topic; sweeps and retries write those.

use crate::avro::key_values;
use crate::error::{Error, Result};
use crate::key::{Key, KeyShape};
use crate::poison::Poison;
use crate::schemas::{SchemaSource, split_wire};
use serde_json::Value;

/// How Debezium writes a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debezium {
    /// The field of the envelope that is the source's version of the row, dotted: `source.lsn` for PostgreSQL.
    pub source_version: String,
}

impl Debezium {
    /// PostgreSQL's log sequence number.
    pub const DEFAULT_SOURCE_VERSION: &'static str = "source.lsn";

    /// Parses a record's key in any of the spellings.
    ///
    /// The inner error is the record's fault, the outer one that of the source of schemas.
    pub(crate) fn parse_key(
        &self,
        bytes: &[u8],
        shape: &KeyShape,
        schemas: &dyn SchemaSource,
        key: &mut Key,
    ) -> Result<std::result::Result<(), Poison>> {
        if let Some((id, body)) = split_wire(bytes) {
            let schema = match schemas.schema(id) {
                Ok(Some(schema)) => schema,
                Ok(None) => return Ok(Err(Poison::UnknownSchema { id })),
                Err(Error::Schema { reason, .. }) => {
                    return Ok(Err(Poison::UnfitSchema { id, reason }));
                }
                Err(error) => return Err(error),
            };
            return Ok(match key_values(&schema, body) {
                Ok(fields) => from_fields(shape, fields, key),
                Err(detail) => Err(wrong(shape, detail.to_owned())),
            });
        }
        if bytes.first().is_none_or(|&first| first == b'[') {
            return Ok(shape.parse_into(bytes, key));
        }
        Ok(match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(mut object)) => {
                // With the converter's `schemas.enable`.
                if let (true, Some(Value::Object(payload))) =
                    (object.contains_key("schema"), object.get_mut("payload"))
                {
                    object = std::mem::take(payload);
                }
                from_fields(shape, object.into_iter().collect(), key)
            }
            Ok(Value::Array(_)) => shape.parse_into(bytes, key),
            Ok(_) => Err(wrong(
                shape,
                "it is neither an array nor an object".to_owned(),
            )),
            Err(error) => Err(wrong(shape, error.to_string())),
        })
    }
}

fn wrong(shape: &KeyShape, detail: String) -> Poison {
    Poison::Key {
        expected: shape.describe(),
        detail,
    }
}

/// The key of named fields, which must be the dataset's.
fn from_fields(
    shape: &KeyShape,
    mut fields: Vec<(String, Value)>,
    key: &mut Key,
) -> std::result::Result<(), Poison> {
    let mut values = Vec::with_capacity(shape.fields.len());
    for (name, _) in &shape.fields {
        let at = fields.iter().position(|(field, _)| field == name);
        let at = at.ok_or_else(|| wrong(shape, format!("it has no field {name:?}")))?;
        values.push(fields.swap_remove(at).1);
    }
    if let Some((name, _)) = fields.first() {
        return Err(wrong(shape, format!("it has a field {name:?} more")));
    }
    shape
        .set(&values, key)
        .map_err(|detail| wrong(shape, detail))
}
