//! Trees written as records.

use super::Value;
use crate::Ordinal;
use crate::error::{Error, Result};
use crate::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};
use crate::schema::{FieldType, Schema};
use crate::write::{TypeId, Upserted, WriteState};

impl Value {
    /// Adds the tree, children first, as a record of a type to the writer's open cycle. Fields are matched by name;
    /// those that the tree lacks are null.
    ///
    /// # Errors
    /// [`Error::UnknownType`]; [`Error::ValueMismatch`] where the tree does not fit the schema; what
    /// [`WriteState::add`] refuses.
    pub fn add(&self, writer: &mut WriteState, type_name: &str) -> Result<Ordinal> {
        let (type_id, record) = self.record(writer, type_name)?;
        writer.add(type_id, &record)
    }

    /// Puts the tree in the place of the record that has its primary key, or adds it.
    ///
    /// # Errors
    /// As [`Value::add`]; what [`WriteState::upsert`] refuses.
    pub fn upsert(&self, writer: &mut WriteState, type_name: &str) -> Result<Upserted> {
        let (type_id, record) = self.record(writer, type_name)?;
        writer.upsert(type_id, &record)
    }

    /// The serialized record, whose children have been added.
    fn record(&self, writer: &mut WriteState, type_name: &str) -> Result<(TypeId, Vec<u8>)> {
        let type_id = writer
            .type_id(type_name)
            .ok_or_else(|| Error::UnknownType(type_name.to_owned()))?;
        let schema = writer.schema(type_id).clone();
        let bytes = match (&schema, self) {
            (Schema::Object(schema), Value::Object(fields)) => {
                let mut record = ObjectRecord::new(schema);
                for (name, value) in fields {
                    let mismatch = || mismatch(&format!("field {name} of {type_name}"), value);
                    let index = schema.field_index(name).ok_or_else(mismatch)?;
                    let field = &schema.fields[index];
                    match (field.field_type, value) {
                        (_, Value::Null) => record.set_null(index),
                        (FieldType::Int, Value::Int(value)) => record.set_int(index, *value),
                        (FieldType::Long, Value::Long(value)) => record.set_long(index, *value),
                        (FieldType::Boolean, Value::Boolean(value)) => {
                            record.set_boolean(index, *value)
                        }
                        (FieldType::Float, Value::Float(value)) => record.set_float(index, *value),
                        (FieldType::Double, Value::Double(value)) => {
                            record.set_double(index, *value)
                        }
                        (FieldType::String, Value::String(value)) => record.set_str(index, value),
                        (FieldType::String, Value::Utf16(units)) => {
                            record.set_utf16(index, units.iter().copied())
                        }
                        (FieldType::Bytes, Value::Bytes(value)) => record.set_bytes(index, value),
                        (FieldType::Reference, value) => {
                            let referenced =
                                field.referenced_type.as_deref().ok_or_else(mismatch)?;
                            record.set_reference(index, value.add(writer, referenced)?);
                        }
                        _ => return Err(mismatch()),
                    }
                }
                record.bytes().to_vec()
            }
            (Schema::List(schema), Value::List(elements)) => {
                let mut record = ListRecord::new();
                for element in elements {
                    record.push(element.add(writer, &schema.element_type)?);
                }
                record.bytes().to_vec()
            }
            (Schema::Set(schema), Value::Set(elements)) => {
                let mut record = SetRecord::new();
                for element in elements {
                    record.insert(element.add(writer, &schema.element_type)?);
                }
                record.bytes().to_vec()
            }
            (Schema::Map(schema), Value::Map(entries)) => {
                let mut record = MapRecord::new();
                for (key, value) in entries {
                    let key = key.add(writer, &schema.key_type)?;
                    record.insert(key, value.add(writer, &schema.value_type)?);
                }
                record.bytes().to_vec()
            }
            _ => return Err(mismatch(type_name, self)),
        };
        Ok((type_id, bytes))
    }
}

fn mismatch(place: &str, value: &Value) -> Error {
    Error::ValueMismatch {
        place: place.to_owned(),
        value: value.to_string(),
    }
}
