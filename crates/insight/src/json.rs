//! Records as JSON, and back: fields by name, references expanded, sets sorted.

use hollow::schema::Field;
use hollow::{FieldType, Ordinal, ReadState, Schema, Value};
use serde_json::{Map, Number, Value as Json};

use crate::{Error, Result};

/// A record with all that it refers to, as JSON; `None` if there is no such type or record.
///
/// # Errors
/// [`Error::Hollow`](crate::Error::Hollow) for references that go round in a circle.
pub fn record(state: &ReadState, type_name: &str, ordinal: Ordinal) -> Result<Option<Json>> {
    Ok(
        Value::read(state, type_name, ordinal)?.map(|value| match &value {
            Value::Object(fields) => object(fields),
            other => to_json(other),
        }),
    )
}

/// A value as JSON.
///
/// An OBJECT below another with one field only (Hollow's way to share a string or a number) is shown as the value of that field.
/// BYTES become hexadecimal text; a MAP becomes an object where its keys are scalars, else an array of pairs; numbers that
/// JSON doesn't have (infinities, NaN) become text.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(value) => (*value).into(),
        Value::Long(value) => (*value).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Float(value) => float(f64::from(*value)),
        Value::Double(value) => float(*value),
        Value::String(value) => value.as_str().into(),
        Value::Utf16(units) => String::from_utf16_lossy(units).into(),
        Value::Bytes(bytes) => hexadecimal(bytes).into(),
        Value::Object(fields) => match fields.as_slice() {
            [(_, value)] => to_json(value),
            fields => object(fields),
        },
        Value::List(values) => values.iter().map(to_json).collect(),
        Value::Set(values) => values.iter().map(to_json).collect(),
        Value::Map(entries) => {
            let named: Option<Map<String, Json>> = entries
                .iter()
                .map(|(key, value)| Some((name(to_json(key))?, to_json(value))))
                .collect();
            match named {
                Some(object) => Json::Object(object),
                None => entries
                    .iter()
                    .map(|(key, value)| Json::Array(vec![to_json(key), to_json(value)]))
                    .collect(),
            }
        }
    }
}

fn object(fields: &[(String, Value)]) -> Json {
    Json::Object(
        fields
            .iter()
            .map(|(name, value)| (name.clone(), to_json(value)))
            .collect(),
    )
}

fn float(value: f64) -> Json {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
}

/// The name of an entry whose key is a scalar.
fn name(key: Json) -> Option<String> {
    match key {
        Json::String(text) => Some(text),
        Json::Number(_) | Json::Bool(_) => Some(key.to_string()),
        _ => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record of a type, from JSON as [`record`] gives it. Fields that are not named are null.
///
/// # Errors
/// [`Error::Value`] says where the JSON does not fit the type.
pub fn from_json(state: &ReadState, type_name: &str, json: &Json) -> Result<Value> {
    value(state, type_name, json, type_name)
}

/// Changes a JSON document as RFC 7386 has it: objects are merged, null removes, all else replaces.
pub fn merge(target: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(target) = target else {
        return;
    };
    for (name, patch) in patch {
        if patch.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Json::Null), patch);
        }
    }
}

fn value(state: &ReadState, type_name: &str, json: &Json, path: &str) -> Result<Value> {
    let refused = |expected: &str| Error::Value {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found: json.to_string(),
    };
    let schema = state.type_state(type_name).map(hollow::TypeState::schema);
    let schema = schema.ok_or_else(|| refused("a known type"))?;
    if json.is_null() {
        return Ok(Value::Null);
    }
    let all = |element: &str, expected: &str| -> Result<Vec<Value>> {
        let elements = json.as_array().ok_or_else(|| refused(expected))?;
        let each = |(at, json)| value(state, element, json, &format!("{path}[{at}]"));
        elements.iter().enumerate().map(each).collect()
    };
    Ok(match schema {
        Schema::Object(schema) => match (json, schema.fields.as_slice()) {
            (Json::Object(named), fields) => {
                if let Some(name) = named.keys().find(|name| schema.field_index(name).is_none()) {
                    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                    return Err(refused(&format!("{} and no {name}", known.join(", "))));
                }
                let each = |of: &Field| {
                    let json = named.get(&of.name).unwrap_or(&Json::Null);
                    let path = format!("{path}.{}", of.name);
                    Ok((of.name.clone(), field(state, of, json, &path)?))
                };
                Value::Object(fields.iter().map(each).collect::<Result<_>>()?)
            }
            // One that only wraps a text or a number is shown as that.
            (_, [only]) => {
                Value::Object(vec![(only.name.clone(), field(state, only, json, path)?)])
            }
            _ => return Err(refused("an object")),
        },
        Schema::List(schema) => Value::List(all(&schema.element_type, "an array")?),
        Schema::Set(schema) => {
            Value::Set(all(&schema.element_type, "an array")?.into_iter().collect())
        }
        Schema::Map(schema) => {
            let entry = |key: &Json, json: &Json| {
                let path = format!("{path}[{key}]");
                Ok((
                    value(state, &schema.key_type, key, &path)?,
                    value(state, &schema.value_type, json, &path)?,
                ))
            };
            Value::Map(match json {
                Json::Object(named) => named
                    .iter()
                    .map(|(name, json)| entry(&Json::String(name.clone()), json))
                    .collect::<Result<_>>()?,
                Json::Array(pairs) => pairs
                    .iter()
                    .map(|pair| match pair.as_array().map(Vec::as_slice) {
                        Some([key, json]) => entry(key, json),
                        _ => Err(refused("pairs of key and value")),
                    })
                    .collect::<Result<_>>()?,
                _ => return Err(refused("an object")),
            })
        }
    })
}

fn field(state: &ReadState, field: &Field, json: &Json, path: &str) -> Result<Value> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    // The name of a map's entry is text, whatever its key is.
    let number = json.as_str().and_then(|text| text.parse::<Number>().ok());
    let number = number.map_or_else(|| json.clone(), Json::Number);
    let (scalar, expected) = match field.field_type {
        FieldType::Int => {
            let int = number.as_i64().and_then(|value| i32::try_from(value).ok());
            (int.map(Value::Int), "a whole number of 32 bits")
        }
        FieldType::Long => (number.as_i64().map(Value::Long), "a whole number"),
        FieldType::Boolean => (json.as_bool().map(Value::Boolean), "true or false"),
        FieldType::Float => (
            number.as_f64().map(|value| Value::Float(value as f32)),
            "a number",
        ),
        FieldType::Double => (number.as_f64().map(Value::Double), "a number"),
        FieldType::String => (
            json.as_str().map(|text| Value::String(text.to_owned())),
            "text",
        ),
        FieldType::Bytes => (
            json.as_str().and_then(bytes).map(Value::Bytes),
            "hexadecimal text",
        ),
        FieldType::Reference => {
            let target = field.referenced_type.as_deref().unwrap_or_default();
            return value(state, target, json, path);
        }
    };
    scalar.ok_or_else(|| Error::Value {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found: json.to_string(),
    })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .map(|digit| digit.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;

    fn wrapped(code: &str) -> Value {
        Value::Object(vec![("code".to_owned(), Value::String(code.to_owned()))])
    }

    #[test]
    fn shared_scalars_are_shown_as_themselves() {
        let countries = Value::Set(BTreeSet::from([wrapped("FR"), wrapped("DE")]));
        let group = Value::Object(vec![
            ("live".to_owned(), Value::Boolean(true)),
            ("countries".to_owned(), countries),
            ("nextAt".to_owned(), Value::Null),
        ]);
        assert_eq!(
            to_json(&group),
            json!({ "live": true, "countries": ["DE", "FR"], "nextAt": null })
        );
    }

    #[test]
    fn maps_are_objects_where_their_keys_are_scalars() {
        let map = Value::Map(BTreeMap::from([
            (wrapped("DE"), Value::Int(12)),
            (wrapped("FR"), Value::Null),
        ]));
        assert_eq!(to_json(&map), json!({ "DE": 12, "FR": null }));
        let pairs = Value::Map(BTreeMap::from([(
            Value::List(vec![Value::Int(1)]),
            Value::Int(2),
        )]));
        assert_eq!(to_json(&pairs), json!([[[1], 2]]));
    }

    #[test]
    fn patches_merge_as_their_rfc_says() {
        let mut target = json!({ "a": { "b": 1, "c": [1, 2] }, "d": "x" });
        merge(
            &mut target,
            &json!({ "a": { "b": null, "c": [3], "e": { "f": null, "g": 2 } }, "d": { "h": true } }),
        );
        assert_eq!(
            target,
            json!({ "a": { "c": [3], "e": { "g": 2 } }, "d": { "h": true } })
        );
        merge(&mut target, &json!(null));
        assert_eq!(target, json!(null));
    }

    #[test]
    fn what_json_lacks_becomes_text() {
        assert_eq!(to_json(&Value::Double(f64::INFINITY)), json!("inf"));
        assert_eq!(to_json(&Value::Bytes(vec![0, 255])), json!("00ff"));
        assert_eq!(
            to_json(&Value::Long(i64::MAX)).to_string(),
            i64::MAX.to_string()
        );
    }
}
