//! Records as JSON: fields by name, references expanded, sets sorted.

use hollow::{Ordinal, ReadState, Value};
use serde_json::{Map, Number, Value as Json};

use crate::Result;

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
    fn what_json_lacks_becomes_text() {
        assert_eq!(to_json(&Value::Double(f64::INFINITY)), json!("inf"));
        assert_eq!(to_json(&Value::Bytes(vec![0, 255])), json!("00ff"));
        assert_eq!(
            to_json(&Value::Long(i64::MAX)).to_string(),
            i64::MAX.to_string()
        );
    }
}
