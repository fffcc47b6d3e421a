//! The transcoder against the Avro library: random values of every schema, also written with other versions of it.

mod blocks;
mod runs;

use super::*;
use crate::key::Key;
use crate::spec::{EMBEDDED_SCHEMAS, embedded_specs};
use apache_avro::types::Value as Avro;
use hollow::record::{Entries, Fields, Stored};
use hollow::{FieldType, Ordinal, Schema};
use proptest::prelude::*;
use schema::{Node, RecordNode};
use serde_json::{Map, Value, json};

/// Keeps records as a write state does, each once.
struct Records<'a> {
    schemas: &'a [Schema],
    records: Vec<Vec<Vec<u8>>>,
}

impl RecordSink for Records<'_> {
    type Error = std::convert::Infallible;

    fn add(
        &mut self,
        type_index: usize,
        record: &[u8],
    ) -> std::result::Result<Ordinal, Self::Error> {
        hollow::record::validate(&self.schemas[type_index], record).expect("a valid record");
        let records = &mut self.records[type_index];
        let at = records
            .iter()
            .position(|known| known == record)
            .unwrap_or_else(|| {
                records.push(record.to_vec());
                records.len() - 1
            });
        Ok(u32::try_from(at).expect("few records"))
    }
}

impl Records<'_> {
    fn render_type(&self, name: &str, ordinal: Ordinal) -> Value {
        let at = self
            .schemas
            .iter()
            .position(|schema| schema.name() == name)
            .expect("a type");
        self.render(&self.schemas[at], &self.records[at][ordinal as usize])
    }

    fn render(&self, schema: &Schema, record: &[u8]) -> Value {
        match schema {
            Schema::Object(object) => {
                let types: Vec<_> = object.fields.iter().map(|field| field.field_type).collect();
                let stored: Vec<_> = Fields::new(&types, record).collect();
                assert_eq!(stored.len(), types.len());
                let fields = object.fields.iter().zip(stored);
                let value =
                    |field: &hollow::Field, stored: Stored<'_>| match (stored, field.field_type) {
                        (Stored::Null, _) => Value::Null,
                        (Stored::Fixed(ordinal), FieldType::Reference) => self.render_type(
                            field.referenced_type.as_deref().expect("a type"),
                            ordinal as u32,
                        ),
                        (Stored::Fixed(n), FieldType::Boolean) => json!(n == 1),
                        (Stored::Fixed(n), FieldType::Float) => {
                            json!(format!("{:?}", f32::from_bits(n as u32)))
                        }
                        (Stored::Fixed(n), FieldType::Double) => {
                            json!(format!("{:?}", f64::from_bits(n)))
                        }
                        (Stored::Fixed(n), _) => json!((n >> 1) as i64 ^ -((n & 1) as i64)),
                        (Stored::Variable(text), FieldType::String) => {
                            json!(hollow::codec::string::to_string(text))
                        }
                        (Stored::Variable(bytes), _) => json!(bytes),
                    };
                if let ("String" | "Long" | "Integer" | "Bytes", [field]) =
                    (&*object.name, &object.fields[..])
                {
                    return value(field, Fields::new(&types, record).next().expect("a field"));
                }
                fields
                    .map(|(field, stored)| (field.name.clone(), value(field, stored)))
                    .collect()
            }
            Schema::List(list) => Entries::list(record)
                .map(|(item, _)| self.render_type(&list.element_type, item))
                .collect(),
            Schema::Set(set) => {
                let mut items: Vec<_> = Entries::set(record)
                    .map(|(item, _)| self.render_type(&set.element_type, item))
                    .collect();
                items.sort_by_key(Value::to_string);
                items.into()
            }
            Schema::Map(map) => Entries::map(record)
                .map(|(key, value)| {
                    let key = self.render_type(&map.key_type, key);
                    let value = self.render_type(&map.value_type, value);
                    (key.as_str().expect("a string").to_owned(), value)
                })
                .collect(),
        }
    }
}

/// What the library read, as the dataset's rules say it.
fn render_oracle(node: &Node, value: &Avro) -> Value {
    match (node, value) {
        (Node::Union(branches), Avro::Union(index, value)) => {
            render_oracle(&branches[*index as usize], value)
        }
        (Node::Union(branches), value) => {
            let other = branches
                .iter()
                .find(|branch| !matches!(***branch, Node::Null))
                .expect("a type");
            if *value == Avro::Null {
                Value::Null
            } else {
                render_oracle(other, value)
            }
        }
        (_, Avro::Null) => Value::Null,
        (_, Avro::Boolean(b)) => json!(b),
        (_, Avro::Int(n)) => json!(n),
        (_, Avro::Long(n) | Avro::TimestampMillis(n)) => json!(n),
        (_, Avro::Float(n)) => json!(format!("{n:?}")),
        (_, Avro::Double(n)) => json!(format!("{n:?}")),
        (_, Avro::String(s) | Avro::Enum(_, s)) => json!(s),
        (_, Avro::Bytes(b) | Avro::Fixed(_, b)) => json!(b),
        (Node::Array { items, set }, Avro::Array(values)) => {
            let mut values: Vec<_> = values
                .iter()
                .map(|value| render_oracle(items, value))
                .collect();
            if *set {
                values.sort_by_key(Value::to_string);
                values.dedup();
            }
            values.into()
        }
        (Node::Map { values: node }, Avro::Map(values)) => values
            .iter()
            .map(|(key, value)| (key.clone(), render_oracle(node, value)))
            .collect(),
        (Node::Record(record), Avro::Record(fields)) => record
            .fields
            .iter()
            .map(|field| {
                let (_, value) = fields
                    .iter()
                    .find(|(name, _)| *name == field.name)
                    .expect("a field");
                (field.name.clone(), render_oracle(&field.node, value))
            })
            .collect(),
        (node, value) => panic!("{} and {value:?}", node.kind()),
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[(self.roll(items.len() as u64)) as usize]
    }

    fn number(&mut self) -> i64 {
        let wide = (self.roll(u64::MAX) as i64) << 31 ^ self.roll(u64::MAX) as i64;
        (wide >> (self.roll(64))).max(i64::MIN + 1)
    }

    fn text(&mut self) -> String {
        let words = [
            "",
            "a",
            "Ōkami",
            "𝄞 clef",
            "x\u{7f}y",
            "long text that is longer than sixty-three bytes, so that its length takes two",
        ];
        (*self.pick(&words)).to_owned()
    }

    fn value(&mut self, node: &Node, code: Option<crate::Code>) -> Value {
        match node {
            Node::Null => Value::Null,
            Node::Boolean => json!(self.roll(2) == 0),
            Node::Int => json!((self.number() as i32).max(i32::MIN + 1)),
            Node::Long => json!(self.number()),
            Node::Float => json!(self.number() as f32),
            Node::Double => json!(self.number() as f64),
            Node::Bytes => json!("\u{0}ÿa"),
            Node::String => json!(match code {
                Some(crate::Code::Country) => (*self.pick(&["US", "DE", "IN"])).to_owned(),
                Some(crate::Code::Language) => (*self.pick(&["en", "pt-BR", "zxx"])).to_owned(),
                None => self.text(),
            }),
            Node::Fixed { size, .. } => json!("ÿ".repeat(*size)),
            Node::Enum { symbols, .. } => json!(self.pick(symbols)),
            Node::Array { items, .. } => {
                let count = self.roll(4);
                (0..count).map(|_| self.value(items, code)).collect()
            }
            Node::Map { values } => {
                let count = self.roll(4);
                let entry = |dice: &mut Self| {
                    let key = dice
                        .value(&Node::String, code)
                        .as_str()
                        .expect("text")
                        .to_owned();
                    (key, dice.value(values, None))
                };
                Value::Object((0..count).map(|_| entry(self)).collect())
            }
            Node::Record(record) => self.record(record),
            Node::Union(branches) => {
                let branch = std::sync::Arc::clone(self.pick(branches));
                self.value(&branch, code)
            }
        }
    }

    fn record(&mut self, record: &RecordNode) -> Value {
        let field =
            |field: &schema::FieldNode| (field.name.clone(), self.value(&field.node, field.code));
        Value::Object(record.fields.iter().map(field).collect())
    }

    /// Another version of a schema that can still be read as the first.
    fn older(&mut self, schema: &Value) -> Value {
        match schema {
            Value::Object(object) if object.get("type") == Some(&json!("record")) => {
                let mut object = object.clone();
                let mut fields: Vec<Value> = Vec::new();
                for field in object["fields"].as_array().expect("fields") {
                    if field.get("default").is_some()
                        && !names_a_type(&field["type"])
                        && self.roll(4) == 0
                    {
                        continue;
                    }
                    let mut field = field.clone();
                    field["type"] = self.older(&field["type"]);
                    field.as_object_mut().expect("a field").remove("default");
                    fields.push(field);
                }
                // Types are defined where they are used first, so fields change places only where that does not matter.
                if !fields
                    .iter()
                    .any(|field| names_a_type(&field["type"]) || field["type"].is_string())
                    || self.roll(2) == 0
                {
                    fields.reverse();
                    if apache_avro::Schema::parse(&json!({"type": "record", "name": "T", "namespace": "greenlight", "fields": fields})).is_err() {
                        fields.reverse();
                    }
                }
                if self.roll(3) == 0 {
                    let unknown = [
                        json!("string"),
                        json!(["null", "double"]),
                        json!({"type": "map", "values": {"type": "array", "items": "long"}}),
                    ];
                    let field = json!({"name": "unheardOf", "type": self.pick(&unknown)});
                    let at = self.roll(fields.len() as u64 + 1) as usize;
                    fields.insert(at, field);
                }
                object.insert("fields".to_owned(), fields.into());
                Value::Object(object)
            }
            Value::Object(object)
                if object
                    .get("type")
                    .is_some_and(|kind| *kind == "array" || *kind == "map") =>
            {
                let part = if object["type"] == "array" {
                    "items"
                } else {
                    "values"
                };
                let mut object = object.clone();
                let inner = self.older(&object[part]);
                object.insert(part.to_owned(), inner);
                Value::Object(object)
            }
            Value::Array(branches) => {
                let mut branches: Vec<_> =
                    branches.iter().map(|branch| self.older(branch)).collect();
                branches.rotate_left((self.roll(2)) as usize);
                if self.roll(4) == 0 {
                    return branches
                        .into_iter()
                        .find(|branch| *branch != "null")
                        .expect("a type");
                }
                branches.into()
            }
            Value::String(name) if name == "long" && self.roll(3) == 0 => json!("int"),
            other => other.clone(),
        }
    }
}

impl Dice {
    /// Perhaps breaks a schema in one of its fields.
    fn broken(&mut self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        let fields = schema["fields"].as_array_mut().expect("fields");
        let at = self.roll(fields.len() as u64) as usize;
        match self.roll(5) {
            0 if !names_a_type(&fields[at]["type"]) => drop(fields.remove(at)),
            1 if !names_a_type(&fields[at]["type"]) => fields[at]["type"] = json!("double"),
            2 if !names_a_type(&fields[at]["type"]) => {
                fields[at]["type"] = json!(["null", {"type": "map", "values": "int"}]);
            }
            3 => {
                for field in fields {
                    if let Some(symbols) = field["type"].get_mut("symbols") {
                        symbols
                            .as_array_mut()
                            .expect("symbols")
                            .push(json!("brandNew"));
                    }
                }
            }
            _ => {}
        }
        schema
    }
}

fn names_a_type(schema: &Value) -> bool {
    match schema {
        Value::Array(branches) => branches.iter().any(names_a_type),
        Value::Object(object) => {
            object.contains_key("name")
                || object.get("items").is_some_and(names_a_type)
                || object.get("values").is_some_and(names_a_type)
        }
        Value::String(name) => name.contains('.'),
        _ => false,
    }
}

fn key_of(model: &RecordModel, value: &Value) -> Key {
    let parts: Vec<_> = model
        .key()
        .fields
        .iter()
        .map(|(name, _)| value[name].clone())
        .collect();
    let mut key = Key::default();
    model.key().set(&parts, &mut key).expect("a key");
    key
}

fn walk(
    plan: &Plan,
    model: &RecordModel,
    key: &Key,
    body: &[u8],
) -> std::result::Result<Value, crate::Poison> {
    let mut sink = Records {
        schemas: model.schemas(),
        records: vec![Vec::new(); model.schemas().len()],
    };
    let mut transcoder = Transcoder::new();
    let root = match transcoder.transcode(plan, key, body, &mut sink) {
        Ok(root) => root.to_vec(),
        Err(Fault::Poison(poison)) => return Err(poison),
        Err(Fault::Sink(never)) => match never {},
    };
    // What it remembers makes no difference.
    match transcoder.transcode(plan, key, body, &mut sink) {
        Ok(again) => assert_eq!(again, root),
        Err(fault) => panic!("{fault:?}"),
    }
    hollow::record::validate(&model.schemas()[model.root_type], &root).expect("a valid record");
    Ok(sink.render(&model.schemas()[model.root_type], &root))
}

fn transcode(
    writer: &AvroSchema,
    model: &RecordModel,
    key: &Key,
    body: &[u8],
) -> std::result::Result<Value, crate::Poison> {
    let plan = Plan::compile(writer, model, &[]).expect("a plan");
    walk(&plan, model, key, body)
}

fn dice_older(seed: u64, text: &str) -> Value {
    Dice(seed ^ 1).older(&serde_json::from_str(text).expect("JSON"))
}

/// A schema of change events as Debezium registers them, around the schema of a row.
fn envelope_of(row: &Value) -> Value {
    let namespace = row["namespace"].as_str().expect("a namespace");
    json!({"type": "record", "name": "Envelope", "namespace": namespace, "fields": [
        {"name": "before", "type": ["null", row], "default": null},
        {"name": "after", "type": ["null", format!("{namespace}.Value")], "default": null},
        {"name": "source", "type": {"type": "record", "name": "Source", "namespace": "io.debezium.connector.postgresql", "fields": [
            {"name": "version", "type": "string"},
            {"name": "ts_us", "type": ["null", "long"], "default": null},
            {"name": "sequence", "type": ["null", "string"], "default": null},
            {"name": "txId", "type": ["null", "long"], "default": null},
            {"name": "lsn", "type": ["null", "long"], "default": null}]}},
        {"name": "transaction", "type": ["null", {"type": "record", "name": "Block", "namespace": "event", "fields": [
            {"name": "id", "type": "string"}]}], "default": null},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": null}],
        "connect.version": 2, "connect.name": "shop.Envelope"})
}

fn oracle(writer: &AvroSchema, reader: &AvroSchema, body: &[u8]) -> Value {
    let (writer, parsed) = (
        apache_avro::Schema::parse_str(writer.text()).expect("a schema"),
        apache_avro::Schema::parse_str(reader.text()).expect("a schema"),
    );
    let read = apache_avro::reader::datum::GenericDatumReader::builder(&writer)
        .reader_schema(&parsed)
        .build()
        .expect("a reader");
    let value = read.read_value(&mut &body[..]).expect("a value");
    render_oracle(&Node::Record(std::sync::Arc::clone(&reader.root)), &value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_schema_reads_as_the_library_reads_it(seed: u64) {
        for (name, text) in EMBEDDED_SCHEMAS {
            let schema = AvroSchema::parse(text, name).unwrap();
            let model = RecordModel::new(&schema, name).unwrap();
            let value = Dice(seed).record(&schema.root);
            let mut body = Vec::new();
            schema.encode_json(&value, &mut body).unwrap();
            let got = transcode(&schema, &model, &key_of(&model, &value), &body);
            prop_assert_eq!(got.unwrap(), oracle(&schema, &schema, &body), "{}", name);
        }
    }

    #[test]
    fn other_versions_of_a_schema_are_resolved_as_the_library_does(seed: u64) {
        for (name, text) in EMBEDDED_SCHEMAS {
            let schema = AvroSchema::parse(text, name).unwrap();
            let model = RecordModel::new(&schema, name).unwrap();
            let mut dice = Dice(seed);
            let older = dice.older(&serde_json::from_str(text).unwrap()).to_string();
            let writer = AvroSchema::parse(&older, "older").unwrap();
            let value = dice.record(&writer.root);
            let mut body = Vec::new();
            writer.encode_json(&value, &mut body).unwrap();
            let got = transcode(&writer, &model, &key_of(&model, &value), &body);
            prop_assert_eq!(got.unwrap(), oracle(&writer, &schema, &body), "{}: {}", name, older);
        }
    }

    #[test]
    fn rows_in_envelopes_read_as_the_library_reads_them(seed: u64, at: usize, byte: u8) {
        for (name, text) in EMBEDDED_SCHEMAS {
            let schema = AvroSchema::parse(text, name).unwrap();
            let model = RecordModel::new(&schema, name).unwrap();
            let mut dice = Dice(seed);
            let mut row: Value = dice.older(&serde_json::from_str(text).unwrap());
            row["name"] = json!("Value");
            let writer = AvroSchema::parse(&envelope_of(&row).to_string(), "envelope").unwrap();
            let row_writer = AvroSchema::parse(&row.to_string(), "row").unwrap();
            let plan = Plan::compile_enveloped(&writer, "source.lsn", &model, &[]).unwrap();
            let row = |dice: &mut Dice| dice.record(&row_writer.root);
            let (before, after, lsn) = (row(&mut dice), row(&mut dice), dice.number());
            let op = *dice.pick(&["c", "r", "u"]);
            let mut event = json!({"before": before, "after": after, "op": op, "ts_ms": 5, "transaction": null,
                "source": {"version": "3.7", "ts_us": null, "lsn": lsn, "txId": 7, "sequence": "[null,\"1\"]"}});
            let mut body = Vec::new();
            writer.encode_json(&event, &mut body).unwrap();
            let opened = plan.open(&body).unwrap();
            prop_assert_eq!(opened.source_version, Some(lsn));
            let got = walk(&plan, &model, &key_of(&model, &after), opened.row.unwrap()).unwrap();
            // The library reads the envelope with the row's place as the dataset's record.
            let mut expected: Value = serde_json::from_str(text).unwrap();
            expected["name"] = json!("Value");
            let reader = AvroSchema::parse(&envelope_of(&expected).to_string(), "reader").unwrap();
            prop_assert_eq!(&got, &oracle(&writer, &reader, &body)["after"], "{}", name);
            // Deleted rows, cut and damaged envelopes.
            event["op"] = json!("d");
            event["after"] = Value::Null;
            let mut deleted = Vec::new();
            writer.encode_json(&event, &mut deleted).unwrap();
            prop_assert_eq!(plan.open(&deleted).unwrap(), Event { row: None, source_version: Some(lsn) });
            let at = at % body.len();
            prop_assert!(plan.open(&body[..at]).is_err());
            body[at] = byte;
            if let Ok(Event { row: Some(row), .. }) = plan.open(&body) {
                let _ = walk(&plan, &model, &key_of(&model, &after), row);
            }
        }
    }

    #[test]
    fn the_rules_of_evolution_foretell_what_can_be_read(seed: u64) {
        for (name, text) in EMBEDDED_SCHEMAS {
            let schema = AvroSchema::parse(text, name).unwrap();
            let model = RecordModel::new(&schema, name).unwrap();
            let mut dice = Dice(seed);
            let other = dice.broken(&dice_older(seed, text)).to_string();
            let Ok(writer) = AvroSchema::parse(&other, "other") else { continue };
            let found = violations(&writer, &schema);
            let compiled = Plan::compile(&writer, &model, &[]);
            let key_is_there = !found.iter().any(|violation| violation.rule == Rule::NoKeyField);
            if key_is_there {
                prop_assert_eq!(compiled.is_err(), found.iter().any(Violation::concerns_all), "{}: {:?} {:?}: {}", name, compiled.err(), found, other);
            }
            if found.is_empty() {
                let value = dice.record(&writer.root);
                let mut body = Vec::new();
                writer.encode_json(&value, &mut body).unwrap();
                prop_assert!(transcode(&writer, &model, &key_of(&model, &value), &body).is_ok());
            }
        }
    }

    #[test]
    fn cut_and_damaged_values_are_refused_or_read(seed: u64, at: usize, byte: u8) {
        for (name, text) in EMBEDDED_SCHEMAS {
            let schema = AvroSchema::parse(text, name).unwrap();
            let model = RecordModel::new(&schema, name).unwrap();
            let value = Dice(seed).record(&schema.root);
            let mut body = Vec::new();
            schema.encode_json(&value, &mut body).unwrap();
            let key = key_of(&model, &value);
            let at = at % body.len();
            prop_assert!(transcode(&schema, &model, &key, &body[..at]).is_err());
            body[at] = byte;
            let _ = transcode(&schema, &model, &key, &body);
            body.push(0);
            let _ = transcode(&schema, &model, &key, &body);
        }
    }
}

#[test]
fn every_kind_of_type_has_its_place() {
    let text = json!({"type": "record", "name": "All", "key": ["id", "on", "kind"], "fields": [
        {"name": "id", "type": "int"}, {"name": "on", "type": "boolean"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}},
        {"name": "f", "type": "float"}, {"name": "d", "type": ["double", "null"]}, {"name": "b", "type": "bytes"},
        {"name": "x", "type": {"type": "fixed", "name": "X", "size": 3}},
        {"name": "n", "type": {"type": "array", "items": {"type": "array", "items": "long"}}},
        {"name": "m", "type": {"type": "map", "values": {"type": "map", "values": "bytes"}}},
        {"name": "e", "type": {"type": "array", "items": "Kind", "hollow": "set"}},
        {"name": "o", "type": ["null", {"type": "record", "name": "Inner", "fields": [{"name": "f", "type": ["null", "float"]}]}]},
    ]}).to_string();
    let schema = AvroSchema::parse(&text, "all").unwrap();
    let model = RecordModel::new(&schema, "all").unwrap();
    let names: Vec<_> = model.schemas().iter().map(Schema::name).collect();
    let expected = [
        "Long",
        "ListOfLong",
        "ListOfListOfLong",
        "String",
        "Bytes",
        "MapOfStringToBytes",
        "MapOfStringToMapOfStringToBytes",
        "SetOfString",
        "Inner",
        "All",
    ];
    assert_eq!(names, expected);
    for seed in 0..200 {
        let value = Dice(seed).record(&schema.root);
        let mut body = Vec::new();
        schema.encode_json(&value, &mut body).unwrap();
        let got = transcode(&schema, &model, &key_of(&model, &value), &body).unwrap();
        assert_eq!(got, oracle(&schema, &schema, &body));
    }
}

fn poison(spec: &str, key: &Value, value: &Value) -> crate::Poison {
    let specs = embedded_specs().unwrap();
    let spec = specs
        .iter()
        .find(|known| known.name.name() == spec)
        .unwrap();
    let plan = Plan::compile(&spec.schema, &spec.model, &spec.intervals).unwrap();
    let key = spec.model.key().parse(key.to_string().as_bytes()).unwrap();
    let mut body = Vec::new();
    spec.schema.encode_json(value, &mut body).unwrap();
    let mut sink = Records {
        schemas: spec.model.schemas(),
        records: vec![Vec::new(); spec.model.schemas().len()],
    };
    match Transcoder::new().transcode(&plan, &key, &body, &mut sink) {
        Err(Fault::Poison(poison)) => poison,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_domain_refuses_says_where_and_why() {
    let window = |start: i64, end: Option<i64>, country: &str, languages: Value| {
        json!({"video": 7, "windows": [
            {"contract": "c", "start": 1, "end": null, "countries": ["US"], "languages": null},
            {"contract": "c", "start": start, "end": end, "countries": ["US", country], "languages": languages},
        ]})
    };
    let says = |poison: crate::Poison| poison.to_string();
    let key = json!([7]);
    assert_eq!(
        says(poison(
            "rights",
            &key,
            &window(5, Some(5), "DE", json!(null))
        )),
        "windows: end (5) is not after start (5)"
    );
    assert_eq!(
        says(poison(
            "rights",
            &key,
            &window(5, Some(6), "UK", json!(null))
        )),
        "windows.countries: \"UK\" is no country code that is known"
    );
    assert_eq!(
        says(poison(
            "rights",
            &key,
            &window(5, None, "DE", json!(["english"]))
        )),
        "windows.languages: \"english\" is no language code that is known"
    );
    let rating = json!({"video": 7, "ratings": {"XX": {"system": "s", "label": "l"}}});
    assert_eq!(
        says(poison("ratings", &key, &rating)),
        "ratings: \"XX\" is no country code that is known"
    );
    let popularity = json!({"video": 8, "hoursViewed": 1, "period": "p"});
    assert_eq!(
        says(poison("popularity", &key, &popularity)),
        "the key and the value's field video do not agree"
    );
    let smallest = json!({"video": 7, "hoursViewed": i64::MIN, "period": "p"});
    assert!(says(poison("popularity", &key, &smallest)).starts_with("hoursViewed can't be stored"));
    let text = json!({"video": 7, "language": "en", "status": "ready"});
    assert_eq!(
        says(poison("texts", &json!([7, "de"]), &text)),
        "the key and the value's field language do not agree"
    );
}

#[test]
fn schemas_that_a_dataset_cannot_hold_are_refused() {
    let refused = |fields: Value, key: Value| {
        let text = json!({"type": "record", "name": "R", "key": key, "fields": fields}).to_string();
        AvroSchema::parse(&text, "r.avsc")
            .and_then(|schema| RecordModel::new(&schema, "r.avsc"))
            .unwrap_err()
            .to_string()
    };
    let id = json!({"name": "id", "type": "long"});
    for (fields, key, words) in [
        (json!([id]), json!([]), "has no \"key\""),
        (json!([id]), json!(["other"]), "no field"),
        (
            json!([{"name": "id", "type": "double"}]),
            json!(["id"]),
            "keys are int",
        ),
        (
            json!([id, {"name": "u", "type": ["int", "string"]}]),
            json!(["id"]),
            "R.u: a union",
        ),
        (
            json!([id, {"name": "a", "type": {"type": "array", "items": ["null", "int"]}}]),
            json!(["id"]),
            "R.a: a union",
        ),
        (
            json!([id, {"name": "r", "type": ["null", "R"]}]),
            json!(["id"]),
            "contains itself",
        ),
        (
            json!([id, {"name": "c", "type": "string", "greenlight": "town"}]),
            json!(["id"]),
            "\"country\"",
        ),
        (
            json!([id, {"name": "a", "type": {"type": "array", "items": "int", "hollow": "bag"}}]),
            json!(["id"]),
            "\"set\"",
        ),
        (
            json!([id, {"name": "w", "type": "nowhere"}]),
            json!(["id"]),
            "nowhere",
        ),
    ] {
        let error = refused(fields, key);
        assert!(
            error.contains("r.avsc") && error.contains(words),
            "{error}, not {words}"
        );
    }
    let plan = |writer: Value| {
        let model = RecordModel::new(&AvroSchema::parse(&json!({"type": "record", "name": "R", "key": ["id"], "fields": [id, {"name": "s", "type": "string"}]}).to_string(), "r").unwrap(), "r").unwrap();
        Plan::compile(
            &AvroSchema::parse(&writer.to_string(), "w").unwrap(),
            &model,
            &[],
        )
        .unwrap_err()
    };
    assert!(
        plan(json!({"type": "record", "name": "Q", "fields": [id]})).contains("Q records, not R")
    );
    assert!(
        plan(json!({"type": "record", "name": "R", "fields": [id]})).contains("no field \"s\"")
    );
    assert!(
        plan(json!({"type": "record", "name": "R", "fields": [id, {"name": "s", "type": "int"}]}))
            .contains("int can't be read as string")
    );
}

#[test]
fn each_broken_rule_is_told_with_its_field() {
    let schema = |fields: Value| {
        let text = json!({"type": "record", "name": "R", "key": ["id"], "fields": fields});
        AvroSchema::parse(&text.to_string(), "r").unwrap()
    };
    let reader = schema(json!([
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}},
        {"name": "windows", "type": {"type": "array", "items": {"type": "record", "name": "Window", "fields": [
            {"name": "from", "type": "long"}, {"name": "to", "type": "long"}]}}},
    ]));
    let writer = schema(json!([
        {"name": "id", "type": "string"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "c"]}},
        {"name": "windows", "type": {"type": "array", "items": {"type": "record", "name": "Window", "fields": [
            {"name": "from", "type": "double"}, {"name": "to", "type": ["null", "int"]}]}}},
    ]));
    let found: Vec<_> = violations(&writer, &reader)
        .iter()
        .map(|violation| (violation.to_string(), violation.concerns_all()))
        .collect();
    let expected = [
        ("id: string can't be read as long", true),
        (
            "name: the writer does not have the field, which has no default",
            true,
        ),
        (
            "kind: the dataset does not know the symbols c, and its enum has no default",
            false,
        ),
        ("windows.from: double can't be read as long", true),
        (
            "windows.to: the writer's union has a branch null, which the dataset has no place for",
            false,
        ),
    ];
    let expected: Vec<_> = expected.map(|(text, all)| (text.to_owned(), all)).into();
    assert_eq!(found, expected);
    assert!(violations(&reader, &reader).is_empty());
}

#[test]
fn what_does_not_fit_a_schema_is_refused_with_the_place() {
    let text = json!({"type": "record", "name": "R", "key": ["id"], "fields": [
        {"name": "id", "type": "long"},
        {"name": "codes", "type": {"type": "array", "items": "string"}},
        {"name": "by", "type": {"type": "map", "values": "int"}, "default": {}},
        {"name": "end", "type": ["null", "long"], "default": null}]});
    let schema = AvroSchema::parse(&text.to_string(), "r").unwrap();
    let full = json!({"id": 1, "codes": ["DE"], "by": {"x": 3}, "end": 9});
    assert!(schema.encode_wire(1, &full).is_ok());
    for (field, value, words) in [
        ("id", json!("c"), "id: \"c\" is no long"),
        ("codes", json!(["DE", 1]), "codes: [1]: 1 is no string"),
        (
            "by",
            json!({"x": 3_000_000_000_i64}),
            "by: x: 3000000000 is no int",
        ),
        ("end", json!("never"), "end: \"never\" is no long"),
        ("surplus", json!(1), "R has no field \"surplus\""),
    ] {
        let mut wrong = full.clone();
        wrong[field] = value;
        let error = schema.encode_wire(1, &wrong).unwrap_err().to_string();
        assert!(error.ends_with(words), "{error}, not {words}");
    }
}

#[test]
fn a_schema_has_one_id_whatever_its_comments() {
    let schema: Map<String, Value> = serde_json::from_str(EMBEDDED_SCHEMAS[0].1).unwrap();
    let id = |schema: &Map<String, Value>| {
        AvroSchema::parse(&Value::Object(schema.clone()).to_string(), "s")
            .unwrap()
            .id()
    };
    let mut other = schema.clone();
    other.insert("doc".to_owned(), json!("Something else."));
    assert_eq!(id(&schema), id(&other));
    other["fields"].as_array_mut().unwrap().pop();
    assert_ne!(id(&schema), id(&other));
    let ids: std::collections::BTreeSet<_> = EMBEDDED_SCHEMAS
        .iter()
        .map(|(name, text)| AvroSchema::parse(text, name).unwrap().id())
        .collect();
    assert_eq!(ids.len(), 10);
}
