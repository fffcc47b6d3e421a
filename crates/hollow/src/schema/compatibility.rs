//! What two schemas of one type have in common, and what a change of schemas means for readers.

use super::{Field, ObjectSchema, Schema, SchemaKind};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The schema that both can be read by: for OBJECT the fields that both have, in the order of `a`, and the primary key if
/// it is the same; other kinds must be equal.
///
/// # Errors
/// [`Error::IncompatibleSchemas`] for different names or kinds, for fields of one name with different types, and for
/// LIST, SET and MAP schemas that differ.
pub fn common_schema(a: &Schema, b: &Schema) -> Result<Schema> {
    let error = |reason: String| Error::IncompatibleSchemas {
        type_name: a.name().to_owned(),
        reason,
    };
    if a == b {
        return Ok(a.clone());
    }
    let (Schema::Object(a_object), Schema::Object(b_object)) = (a, b) else {
        return Err(error(format!("`{a}` against `{b}`")));
    };
    if a_object.name != b_object.name {
        return Err(error(format!("the other is of type {}", b_object.name)));
    }
    let mut fields = Vec::new();
    for field in &a_object.fields {
        let Some(other) = b_object.field(&field.name) else {
            continue;
        };
        if field != other {
            return Err(error(format!(
                "field `{}` is {} against {}",
                field.name,
                word(field),
                word(other)
            )));
        }
        fields.push(field.clone());
    }
    let primary_key = a_object
        .primary_key
        .clone()
        .filter(|key| Some(key) == b_object.primary_key.as_ref());
    Ok(Schema::Object(ObjectSchema {
        name: a_object.name.clone(),
        primary_key,
        fields,
    }))
}

fn word(field: &Field) -> &str {
    field
        .referenced_type
        .as_deref()
        .unwrap_or(field.field_type.word())
}

/// One difference between the schemas of two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaDifference {
    /// A type is new.
    TypeAdded(String),
    /// A type is gone.
    TypeRemoved(String),
    /// A type is of another kind.
    KindChanged(String, SchemaKind, SchemaKind),
    /// An OBJECT type has a new field: type, field.
    FieldAdded(String, String),
    /// A field is gone: type, field.
    FieldRemoved(String, String),
    /// A field has another type or refers to another one: type, field.
    FieldTypeChanged(String, String),
    /// The fields that both have are in another order.
    FieldOrderChanged(String),
    /// A collection has other elements, keys or values.
    ElementTypeChanged(String),
    /// The primary or hash key is another one.
    KeyChanged(String),
}

impl SchemaDifference {
    /// Whether code made for the old schemas fails, or misses data, on states with the new ones. New types and fields are
    /// simply not asked for, and fields are found by name, whatever their order.
    pub fn is_breaking(&self) -> bool {
        !matches!(
            self,
            SchemaDifference::TypeAdded(_)
                | SchemaDifference::FieldAdded(..)
                | SchemaDifference::FieldOrderChanged(_)
        )
    }
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaDifference::TypeAdded(name) => write!(f, "type {name} is new"),
            SchemaDifference::TypeRemoved(name) => write!(f, "type {name} is gone"),
            SchemaDifference::KindChanged(name, from, to) => {
                write!(f, "type {name} was a {from} and is a {to}")
            }
            SchemaDifference::FieldAdded(name, field) => write!(f, "field {name}.{field} is new"),
            SchemaDifference::FieldRemoved(name, field) => {
                write!(f, "field {name}.{field} is gone")
            }
            SchemaDifference::FieldTypeChanged(name, field) => {
                write!(f, "field {name}.{field} has another type")
            }
            SchemaDifference::FieldOrderChanged(name) => {
                write!(f, "the fields of {name} are in another order")
            }
            SchemaDifference::ElementTypeChanged(name) => {
                write!(f, "collection {name} is of other types")
            }
            SchemaDifference::KeyChanged(name) => write!(f, "the key of {name} is another one"),
        }
    }
}

/// All differences between two sets of schemas, by type name. None exactly when the two are equal as sets.
pub fn differences(old: &[Schema], new: &[Schema]) -> Vec<SchemaDifference> {
    let by_name = |schemas: &[Schema]| -> BTreeMap<String, Schema> {
        schemas
            .iter()
            .map(|schema| (schema.name().to_owned(), schema.clone()))
            .collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let mut found = Vec::new();
    for (name, before) in &old {
        match new.get(name) {
            None => found.push(SchemaDifference::TypeRemoved(name.clone())),
            Some(after) => compare(before, after, &mut found),
        }
    }
    found.extend(
        new.keys()
            .filter(|name| !old.contains_key(*name))
            .cloned()
            .map(SchemaDifference::TypeAdded),
    );
    found
}

fn compare(before: &Schema, after: &Schema, found: &mut Vec<SchemaDifference>) {
    if before == after {
        return;
    }
    let name = before.name().to_owned();
    if before.kind() != after.kind() {
        found.push(SchemaDifference::KindChanged(
            name,
            before.kind(),
            after.kind(),
        ));
        return;
    }
    if before.primary_key() != after.primary_key() || before.hash_key() != after.hash_key() {
        found.push(SchemaDifference::KeyChanged(name.clone()));
    }
    let (Schema::Object(before), Schema::Object(after)) = (before, after) else {
        if before.dependencies() != after.dependencies() {
            found.push(SchemaDifference::ElementTypeChanged(name));
        }
        return;
    };
    let shared = |from: &ObjectSchema, to: &ObjectSchema| -> Vec<String> {
        from.fields
            .iter()
            .map(|f| f.name.clone())
            .filter(|f| to.field(f).is_some())
            .collect()
    };
    if shared(before, after) != shared(after, before) {
        found.push(SchemaDifference::FieldOrderChanged(name.clone()));
    }
    for field in &before.fields {
        match after.field(&field.name) {
            None => found.push(SchemaDifference::FieldRemoved(
                name.clone(),
                field.name.clone(),
            )),
            Some(other) if other != field => {
                found.push(SchemaDifference::FieldTypeChanged(
                    name.clone(),
                    field.name.clone(),
                ));
            }
            Some(_) => {}
        }
    }
    for field in after
        .fields
        .iter()
        .filter(|field| before.field(&field.name).is_none())
    {
        found.push(SchemaDifference::FieldAdded(
            name.clone(),
            field.name.clone(),
        ));
    }
}
