//! From a scenario's JSON to Avro binary, along a plan compiled once per schema. Maps are written
//! in the order of their keys, so that the same record always has the same bytes; through
//! `apache_avro`'s own values they would come out in the order of a hash map.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::Name;
use serde_json::Value;

use super::{Error, Result};

/// What to write for a value.
#[derive(Clone, Debug)]
enum Plan {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Enum(Vec<String>),
    Array(Box<Plan>),
    Map(Box<Plan>),
    /// Branches; the first is null where there is one.
    Union(Vec<Plan>),
    Record(Vec<(String, Plan)>),
}

/// Writes values of one topic in the schema registry's wire format.
#[derive(Clone, Debug)]
pub struct Encoder {
    topic: String,
    schema_id: u32,
    plan: Plan,
}

impl Encoder {
    /// Compiles the schema of a topic (`avsc`, JSON text), which is registered as `schema_id`.
    ///
    /// # Errors
    /// When the text is no Avro schema, or uses bytes, decimals or recursion.
    pub fn new(topic: &str, avsc: &str, schema_id: u32) -> Result<Self> {
        let schema = Schema::parse_str(avsc).map_err(|source| Error::Schema {
            topic: topic.to_owned(),
            source: Box::new(source),
        })?;
        let mut compiler = Compiler {
            topic,
            named: BTreeMap::new(),
        };
        let plan = compiler.compile(&schema)?;
        Ok(Self {
            topic: topic.to_owned(),
            schema_id,
            plan,
        })
    }

    /// The value's bytes: magic byte 0, schema id, body.
    ///
    /// # Errors
    /// When the value does not follow the schema: a field is missing, unknown or of another type.
    pub fn encode(&self, value: &Value) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(128);
        out.push(0);
        out.extend_from_slice(&self.schema_id.to_be_bytes());
        write(&self.plan, value, &mut out).map_err(|wrong| {
            let mut path: Vec<String> = wrong.path;
            path.reverse();
            Error::Value {
                topic: self.topic.clone(),
                at: if path.is_empty() {
                    "the root".to_owned()
                } else {
                    path.join(".")
                },
                expected: wrong.expected,
            }
        })?;
        Ok(out)
    }
}

struct Compiler<'a> {
    topic: &'a str,
    named: BTreeMap<String, Plan>,
}

impl Compiler<'_> {
    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported {
            topic: self.topic.to_owned(),
            what,
        }
    }

    fn remember(&mut self, name: &Name, plan: &Plan) {
        self.named.insert(name.to_string(), plan.clone());
    }

    fn compile(&mut self, schema: &Schema) -> Result<Plan> {
        Ok(match schema {
            Schema::Null => Plan::Null,
            Schema::Boolean => Plan::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Plan::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Plan::Long,
            Schema::Float => Plan::Float,
            Schema::Double => Plan::Double,
            Schema::String => Plan::String,
            Schema::Enum(schema) => {
                let plan = Plan::Enum(schema.symbols.clone());
                self.remember(&schema.name, &plan);
                plan
            }
            Schema::Array(schema) => Plan::Array(Box::new(self.compile(&schema.items)?)),
            Schema::Map(schema) => Plan::Map(Box::new(self.compile(&schema.types)?)),
            Schema::Union(schema) => Plan::Union(
                schema
                    .variants()
                    .iter()
                    .map(|branch| self.compile(branch))
                    .collect::<Result<_>>()?,
            ),
            Schema::Record(schema) => {
                let fields = schema
                    .fields
                    .iter()
                    .map(|field| Ok((field.name.clone(), self.compile(&field.schema)?)))
                    .collect::<Result<_>>()?;
                let plan = Plan::Record(fields);
                self.remember(&schema.name, &plan);
                plan
            }
            Schema::Ref { name } => self
                .named
                .get(&name.to_string())
                .cloned()
                .ok_or_else(|| self.unsupported("recursion"))?,
            _ => return Err(self.unsupported("bytes, decimals or other logical types")),
        })
    }
}

/// Where a value departs from its schema; the path grows from the inside out.
struct Wrong {
    path: Vec<String>,
    expected: &'static str,
}

fn wrong(expected: &'static str) -> Wrong {
    Wrong {
        path: Vec::new(),
        expected,
    }
}

fn inside<T>(result: std::result::Result<T, Wrong>, name: &str) -> std::result::Result<T, Wrong> {
    result.map_err(|mut wrong| {
        wrong.path.push(name.to_owned());
        wrong
    })
}

fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// Lengths of what is in memory are below 2^63.
fn write_len(len: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(len).unwrap_or(i64::MAX), out);
}

fn write_str(text: &str, out: &mut Vec<u8>) {
    write_len(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write(plan: &Plan, value: &Value, out: &mut Vec<u8>) -> std::result::Result<(), Wrong> {
    match plan {
        Plan::Null => value.as_null().ok_or_else(|| wrong("null"))?,
        Plan::Boolean => out.push(u8::from(value.as_bool().ok_or_else(|| wrong("a boolean"))?)),
        Plan::Int => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            write_long(i64::from(number.ok_or_else(|| wrong("an int"))?), out);
        }
        Plan::Long => write_long(value.as_i64().ok_or_else(|| wrong("a long"))?, out),
        Plan::Float => {
            let number = value.as_f64().ok_or_else(|| wrong("a float"))?;
            out.extend_from_slice(&(number as f32).to_le_bytes());
        }
        Plan::Double => {
            let number = value.as_f64().ok_or_else(|| wrong("a double"))?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Plan::String => write_str(value.as_str().ok_or_else(|| wrong("a string"))?, out),
        Plan::Enum(symbols) => {
            let symbol = value
                .as_str()
                .and_then(|text| symbols.iter().position(|symbol| symbol == text))
                .ok_or_else(|| wrong("a symbol of the enum"))?;
            write_len(symbol, out);
        }
        Plan::Array(items) => {
            let values = value.as_array().ok_or_else(|| wrong("an array"))?;
            if !values.is_empty() {
                write_len(values.len(), out);
                for item in values {
                    inside(write(items, item, out), "[]")?;
                }
            }
            out.push(0);
        }
        Plan::Map(entries) => {
            let map = value.as_object().ok_or_else(|| wrong("an object"))?;
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            if !sorted.is_empty() {
                write_len(sorted.len(), out);
                for (key, entry) in sorted {
                    write_str(key, out);
                    inside(write(entries, entry, out), key)?;
                }
            }
            out.push(0);
        }
        Plan::Union(branches) => {
            let null = value.is_null();
            let branch = branches
                .iter()
                .position(|branch| matches!(branch, Plan::Null) == null)
                .ok_or_else(|| wrong(if null { "a value" } else { "null" }))?;
            write_len(branch, out);
            write(&branches[branch], value, out)?;
        }
        Plan::Record(fields) => {
            let object = value.as_object().ok_or_else(|| wrong("an object"))?;
            for (name, plan) in fields {
                let field = object
                    .get(name)
                    .ok_or_else(|| wrong("all fields of the schema"));
                inside(field.and_then(|field| write(plan, field, out)), name)?;
            }
            if object.len() != fields.len() {
                return Err(wrong("no field that the schema lacks"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use apache_avro::reader::datum::GenericDatumReader;
    use serde_json::json;

    const AVSC: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "id", "type": "long"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["a", "b"]}},
        {"name": "end", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "again", "type": "K"},
        {"name": "codes", "type": {"type": "array", "items": "string", "hollow": "set"}},
        {"name": "by", "type": {"type": "map", "values": "int"}}]}"#;

    fn check(value: &Value) -> Result<Vec<u8>> {
        Encoder::new("t", AVSC, 7)?.encode(value)
    }

    #[test]
    fn the_bytes_are_those_that_avro_reads_back() {
        let value = json!({"id": -123_456_789_012_i64, "kind": "b", "end": 1_615_161_600_000_i64,
            "again": "a", "codes": ["DE", "FR"], "by": {"x": -1, "a": 300}});
        let bytes = check(&value).unwrap();
        assert_eq!(bytes[..5], [0, 0, 0, 0, 7]);
        let schema = Schema::parse_str(AVSC).unwrap();
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        let read = reader.read_value(&mut &bytes[5..]).unwrap();
        let back: Value = read.try_into().unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn a_value_that_departs_from_its_schema_is_refused_with_the_place() {
        let full = json!({"id": 1, "kind": "b", "end": null, "again": "a", "codes": [], "by": {}});
        assert!(check(&full).is_ok());
        for (field, value, place) in [
            ("kind", json!("c"), "kind"),
            ("codes", json!(["DE", 1]), "codes.[]"),
            ("by", json!({"x": 3_000_000_000_i64}), "by.x"),
            ("surplus", json!(1), "the root"),
        ] {
            let mut wrong = full.clone();
            wrong[field] = value;
            let error = check(&wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("at {place}:")), "{error}");
        }
    }
}
