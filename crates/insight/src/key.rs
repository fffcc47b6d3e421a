//! Keys as people type them, and back.

use std::collections::BTreeSet;

use hollow::{FieldType, KeyValue, ObjectSchema, Ordinal, ReadState, Schema};
use serde_json::Value as Json;

use crate::{Error, Result};

/// The type that a dataset's records are found by: the OBJECT type with a primary key that no other type refers to
/// (internal types aside; the first by name where there are several).
///
/// # Errors
/// [`Error::NoRoot`].
pub fn root_type(state: &ReadState) -> Result<&ObjectSchema> {
    let mut referenced = BTreeSet::new();
    for schema in state.schemas() {
        match schema {
            Schema::Object(object) => referenced.extend(
                object
                    .fields
                    .iter()
                    .filter_map(|f| f.referenced_type.as_deref()),
            ),
            Schema::List(list) => {
                referenced.insert(&list.element_type);
            }
            Schema::Set(set) => {
                referenced.insert(&set.element_type);
            }
            Schema::Map(map) => referenced.extend([map.key_type.as_str(), &map.value_type]),
        }
    }
    let roots = state.schemas().filter_map(|schema| match schema {
        Schema::Object(object) if object.primary_key.is_some() && !schema.is_internal() => {
            Some(object)
        }
        _ => None,
    });
    roots
        .filter(|object| !referenced.contains(object.name.as_str()))
        .min_by_key(|object| &object.name)
        .ok_or(Error::NoRoot)
}

/// The fields of a root type's key: those whose paths are plain field names.
fn key_fields(schema: &ObjectSchema) -> Vec<(&str, FieldType)> {
    let paths = schema.primary_key.iter().flatten();
    paths
        .map(|path| {
            let field = schema.fields.iter().find(|field| &field.name == path);
            (
                path.as_str(),
                field.map_or(FieldType::String, |field| field.field_type),
            )
        })
        .collect()
}

/// Reads a key: a JSON array of the key fields, or one bare value for a key of one field (`80057281`, `DE`).
///
/// # Errors
/// [`Error::Key`], with what is expected.
pub fn parse_key(schema: &ObjectSchema, text: &str) -> Result<Vec<KeyValue>> {
    let fields = key_fields(schema);
    let refused = || Error::Key {
        text: text.to_owned(),
        type_name: schema.name.clone(),
        expected: match fields.as_slice() {
            [(name, field_type)] => format!("the key {name} ({})", kind(*field_type)),
            fields => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, t)| format!("{name} ({})", kind(*t)))
                    .collect();
                format!("the key as a JSON array [{}]", fields.join(", "))
            }
        },
    };
    let values = match serde_json::from_str(text) {
        Ok(Json::Array(values)) => values,
        Ok(value @ Json::Number(_)) if fields.len() == 1 && fields[0].1 != FieldType::String => {
            vec![value]
        }
        Ok(value @ Json::String(_)) => vec![value],
        _ if fields.len() == 1 && fields[0].1 == FieldType::String => {
            vec![Json::String(text.to_owned())]
        }
        _ => return Err(refused()),
    };
    if values.len() != fields.len() {
        return Err(refused());
    }
    values
        .iter()
        .zip(&fields)
        .map(|(value, (_, field_type))| key_value(value, *field_type).ok_or_else(refused))
        .collect()
}

fn kind(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::String | FieldType::Bytes => "text",
        FieldType::Boolean => "true or false",
        FieldType::Float | FieldType::Double => "a number",
        FieldType::Int | FieldType::Long | FieldType::Reference => "a whole number",
    }
}

fn key_value(value: &Json, field_type: FieldType) -> Option<KeyValue> {
    Some(match field_type {
        FieldType::Int | FieldType::Reference => {
            KeyValue::Int(i32::try_from(value.as_i64()?).ok()?)
        }
        FieldType::Long => KeyValue::Long(value.as_i64()?),
        FieldType::Boolean => KeyValue::Boolean(value.as_bool()?),
        FieldType::Float => KeyValue::Float(value.as_f64()? as f32),
        FieldType::Double => KeyValue::Double(value.as_f64()?),
        FieldType::String => KeyValue::String(value.as_str()?.to_owned()),
        FieldType::Bytes => KeyValue::Bytes(value.as_str()?.as_bytes().to_vec()),
    })
}

/// The key of a record as the JSON array of its key fields; `None` if there is no such record.
pub fn key_of(state: &ReadState, schema: &ObjectSchema, ordinal: Ordinal) -> Option<Json> {
    let view = state.type_state(&schema.name)?.object(ordinal)?;
    let paths = schema.primary_key.iter().flatten();
    let values = paths.map(|path| {
        let field = view.field_index(path)?;
        hollow::Value::of_field(state, &view, field)
            .ok()
            .map(|value| crate::to_json(&value))
    });
    values.collect::<Option<Vec<Json>>>().map(Json::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str) -> ObjectSchema {
        match text.parse().unwrap() {
            Schema::Object(schema) => schema,
            other => panic!("{other} is no OBJECT"),
        }
    }

    #[test]
    fn keys_of_one_field_are_typed_bare() {
        let titles = schema("Title @PrimaryKey(video) {\n\tlong video;\n}");
        assert_eq!(
            parse_key(&titles, "80057281").unwrap(),
            [KeyValue::Long(80_057_281)]
        );
        assert_eq!(
            parse_key(&titles, "[80057281]").unwrap(),
            [KeyValue::Long(80_057_281)]
        );
        let policies = schema("Policy @PrimaryKey(country) {\n\tstring country;\n}");
        for text in ["DE", "\"DE\"", "[\"DE\"]"] {
            assert_eq!(
                parse_key(&policies, text).unwrap(),
                [KeyValue::String("DE".to_owned())]
            );
        }
    }

    #[test]
    fn keys_of_several_fields_are_arrays() {
        let texts =
            schema("Text @PrimaryKey(video, language) {\n\tlong video;\n\tstring language;\n}");
        let key = parse_key(&texts, "[80057281, \"de\"]").unwrap();
        assert_eq!(
            key,
            [
                KeyValue::Long(80_057_281),
                KeyValue::String("de".to_owned())
            ]
        );
        for text in ["80057281", "[80057281]", "[\"de\", 1]", "de", "[1,"] {
            let error = parse_key(&texts, text).unwrap_err().to_string();
            assert!(
                error.contains("[video (a whole number), language (text)]"),
                "{error}"
            );
        }
    }
}
