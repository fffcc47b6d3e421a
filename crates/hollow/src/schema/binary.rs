//! The binary form of a schema (section 3 of the format).

use super::{Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SetSchema};
use crate::codec::{Cursor, utf, varint};
use crate::error::{Error, Result};

const OBJECT: u8 = 0;
const SET: u8 = 1;
const LIST: u8 = 2;
const MAP: u8 = 3;
const SET_WITH_KEY: u8 = 4;
const MAP_WITH_KEY: u8 = 5;
const OBJECT_WITH_KEY: u8 = 6;

impl Schema {
    /// Reads one schema and moves the cursor behind it.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Malformed`], with the position.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Schema> {
        let at = cursor.at();
        let id = cursor.u8("a schema")?;
        let name = cursor.utf("a schema's name")?;
        if name.is_empty() {
            return Err(Error::Malformed {
                at,
                what: "schema: an empty type name",
            });
        }
        Ok(match id {
            OBJECT | OBJECT_WITH_KEY => {
                let primary_key = read_paths(cursor, id == OBJECT_WITH_KEY)?;
                let fields = read_fields(cursor)?;
                Schema::Object(ObjectSchema {
                    name,
                    primary_key,
                    fields,
                })
            }
            LIST => Schema::List(ListSchema {
                name,
                element_type: cursor.utf("an element type")?,
            }),
            SET | SET_WITH_KEY => Schema::Set(SetSchema {
                name,
                element_type: cursor.utf("an element type")?,
                hash_key: read_paths(cursor, id == SET_WITH_KEY)?,
            }),
            MAP | MAP_WITH_KEY => Schema::Map(MapSchema {
                name,
                key_type: cursor.utf("a key type")?,
                value_type: cursor.utf("a value type")?,
                hash_key: read_paths(cursor, id == MAP_WITH_KEY)?,
            }),
            _ => {
                return Err(Error::Malformed {
                    at,
                    what: "schema: an unknown kind",
                });
            }
        })
    }

    /// Appends the binary form.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] and [`Error::TooManyFields`]; what was appended by then stays.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Schema::Object(schema) => {
                out.push(if schema.primary_key.is_some() {
                    OBJECT_WITH_KEY
                } else {
                    OBJECT
                });
                utf::write(out, &schema.name)?;
                write_paths(out, schema.primary_key.as_deref())?;
                let count =
                    i16::try_from(schema.fields.len()).map_err(|_| Error::TooManyFields {
                        type_name: schema.name.clone(),
                        fields: schema.fields.len(),
                    })?;
                out.extend_from_slice(&count.to_be_bytes());
                for field in &schema.fields {
                    utf::write(out, &field.name)?;
                    utf::write(out, field.field_type.name())?;
                    if let Some(referenced) = &field.referenced_type {
                        utf::write(out, referenced)?;
                    }
                }
            }
            Schema::List(schema) => {
                out.push(LIST);
                utf::write(out, &schema.name)?;
                utf::write(out, &schema.element_type)?;
            }
            Schema::Set(schema) => {
                out.push(if schema.hash_key.is_some() {
                    SET_WITH_KEY
                } else {
                    SET
                });
                utf::write(out, &schema.name)?;
                utf::write(out, &schema.element_type)?;
                write_paths(out, schema.hash_key.as_deref())?;
            }
            Schema::Map(schema) => {
                out.push(if schema.hash_key.is_some() {
                    MAP_WITH_KEY
                } else {
                    MAP
                });
                utf::write(out, &schema.name)?;
                utf::write(out, &schema.key_type)?;
                utf::write(out, &schema.value_type)?;
                write_paths(out, schema.hash_key.as_deref())?;
            }
        }
        Ok(())
    }
}

fn read_paths(cursor: &mut Cursor<'_>, present: bool) -> Result<Option<Vec<String>>> {
    if !present {
        return Ok(None);
    }
    let count = cursor.count(2, "key paths")?;
    (0..count)
        .map(|_| cursor.utf("a key path"))
        .collect::<Result<_>>()
        .map(Some)
}

fn write_paths(out: &mut Vec<u8>, paths: Option<&[String]>) -> Result<()> {
    let Some(paths) = paths else { return Ok(()) };
    varint::write_vlong(out, paths.len() as u64);
    paths.iter().try_for_each(|path| utf::write(out, path))
}

fn read_fields(cursor: &mut Cursor<'_>) -> Result<Vec<Field>> {
    let at = cursor.at();
    let count = cursor.i16("a number of fields")?;
    if count < 0 {
        return Err(Error::Malformed {
            at,
            what: "schema: a negative number of fields",
        });
    }
    let mut fields: Vec<Field> = Vec::new();
    for _ in 0..count {
        let at = cursor.at();
        let name = cursor.utf("a field's name")?;
        let type_name = cursor.utf("a field's type")?;
        let field_type = FieldType::from_name(&type_name).ok_or(Error::Malformed {
            at,
            what: "schema: an unknown field type",
        })?;
        let referenced_type = match field_type {
            FieldType::Reference => Some(cursor.utf("a referenced type")?),
            _ => None,
        };
        fields.push(Field {
            name,
            field_type,
            referenced_type,
        });
    }
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::Malformed {
            at,
            what: "schema: two fields of one name",
        });
    }
    Ok(fields)
}
