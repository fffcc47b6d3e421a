//! Sums, indexes and trees over the vectors: what is kept up over deltas and reverse deltas equals what is made anew, and
//! both equal the plain definition.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hollow::index::{HashIndex, PrimaryKeyIndex};
use hollow::sums::{ChainSum, Digest};
use hollow::{Changes, FieldType, Filter, KeyValue, Ordinal, ReadState, Schema, TypeState, Value};
use std::collections::BTreeMap;
use support::cases;

/// All states of a walk over deltas and back, each with the changes that led there.
fn walks() -> Vec<(&'static str, Vec<(ReadState, Changes)>)> {
    let mut walks = Vec::new();
    for case in cases() {
        let versions = case.versions();
        let first = case
            .snapshot(versions[0])
            .unwrap()
            .load(&Filter::all())
            .unwrap();
        let mut walk = vec![(first, Changes::default())];
        for pair in versions.windows(2) {
            let delta = case.delta(pair[0], pair[1]).unwrap();
            let step = delta
                .with(|blob| walk.last().unwrap().0.apply(blob))
                .unwrap();
            walk.push(step);
        }
        if case.name != "schema-evolution" {
            for pair in versions.windows(2).rev() {
                let delta = case.reverse_delta(pair[1], pair[0]).unwrap();
                let step = delta
                    .with(|blob| walk.last().unwrap().0.apply(blob))
                    .unwrap();
                walk.push(step);
            }
        }
        walks.push((case.name, walk));
    }
    walks
}

fn tree(state: &ReadState, type_name: &str, ordinal: Ordinal) -> Value {
    Value::read(state, type_name, ordinal).unwrap().unwrap()
}

/// The definition of the digest: schemas, and the keyed records as trees.
type Content = (Vec<String>, Vec<(String, Value)>);

fn content(state: &ReadState) -> Content {
    let mut schemas: Vec<String> = state.schemas().map(ToString::to_string).collect();
    schemas.sort();
    let mut records: Vec<(String, Value)> = state
        .types()
        .filter(|records| records.schema().primary_key().is_some())
        .flat_map(|records| {
            records.ordinals().map(|ordinal| {
                (
                    records.name().to_owned(),
                    tree(state, records.name(), ordinal),
                )
            })
        })
        .collect();
    records.sort();
    (schemas, records)
}

#[test]
fn sums_are_the_same_on_every_path() {
    for (name, walk) in walks() {
        let mut chain = ChainSum::of(&walk[0].0);
        let mut digest = Digest::of(&walk[0].0).unwrap();
        let mut seen: Vec<(Digest, Content)> = Vec::new();
        for (step, pair) in walk.windows(2).enumerate() {
            let (before, after, changes) = (&pair[0].0, &pair[1].0, &pair[1].1);
            chain = chain.updated(before, after, changes);
            assert_eq!(chain, ChainSum::of(after), "{name}, step {step}");
            digest = digest.updated(before, after, changes).unwrap();
            assert_eq!(digest, Digest::of(after).unwrap(), "{name}, step {step}");
            let first = &walk[0].0;
            assert_eq!(
                digest,
                Digest::of(first).unwrap().moved(first, after).unwrap(),
                "{name}, step {step}"
            );
            if name != "big-100k" {
                seen.push((digest, content(after)));
            }
        }
        for (a, a_content) in &seen {
            for (b, b_content) in &seen {
                assert_eq!(a == b, a_content == b_content, "{name}");
            }
        }
        let (first, last) = (&walk[0].0, &walk.last().unwrap().0);
        if walk.len() > 1 && name != "schema-evolution" {
            assert_eq!(ChainSum::of(first), ChainSum::of(last), "{name}");
        }
    }
}

/// The values at a path, read step by step.
fn values(
    state: &ReadState,
    records: &TypeState,
    ordinal: Option<Ordinal>,
    path: &[&str],
) -> Vec<KeyValue> {
    let next = |name: &str, ordinal: Option<Ordinal>, rest: &[&str]| {
        let records = state.type_state(name).unwrap();
        if rest.is_empty() {
            return vec![ordinal.map_or(KeyValue::Null, |ordinal| KeyValue::Int(ordinal as i32))];
        }
        values(state, records, ordinal, rest)
    };
    match records.schema() {
        Schema::Object(schema) => {
            let index = schema.field_index(path[0]).unwrap();
            let view = ordinal.and_then(|ordinal| records.object(ordinal));
            if let Some(name) = &schema.fields[index].referenced_type {
                return next(
                    name,
                    view.and_then(|view| view.reference(index)),
                    &path[1..],
                );
            }
            let Some(view) = view else {
                return vec![KeyValue::Null];
            };
            vec![match schema.fields[index].field_type {
                FieldType::Int => view.int(index).into(),
                FieldType::Long => view.long(index).into(),
                FieldType::Boolean => view.boolean(index).into(),
                FieldType::Float => view.float(index).into(),
                FieldType::Double => view.double(index).into(),
                FieldType::Bytes => view.bytes(index).into(),
                _ => view.string(index).map(|text| text.to_string()).into(),
            }]
        }
        Schema::List(schema) => match ordinal.and_then(|ordinal| records.list(ordinal)) {
            Some(list) => list
                .iter()
                .flat_map(|o| next(&schema.element_type, Some(o), &path[1..]))
                .collect(),
            None => next(&schema.element_type, None, &path[1..]),
        },
        Schema::Set(schema) => match ordinal.and_then(|ordinal| records.set(ordinal)) {
            Some(set) => set
                .iter()
                .flat_map(|o| next(&schema.element_type, Some(o), &path[1..]))
                .collect(),
            None => next(&schema.element_type, None, &path[1..]),
        },
        Schema::Map(schema) => {
            let (name, key) = match path[0] {
                "key" => (&schema.key_type, true),
                _ => (&schema.value_type, false),
            };
            match ordinal.and_then(|ordinal| records.map(ordinal)) {
                Some(map) => map
                    .iter()
                    .flat_map(|(k, v)| next(name, Some(if key { k } else { v }), &path[1..]))
                    .collect(),
                None => next(name, None, &path[1..]),
            }
        }
    }
}

/// All paths from a type of up to so many steps, over types that the state has.
fn paths(state: &ReadState, type_name: &str, steps: usize) -> Vec<String> {
    let Some(records) = state.type_state(type_name) else {
        return Vec::new();
    };
    let heads: Vec<(String, Option<String>)> = match records.schema() {
        Schema::Object(schema) => schema
            .fields
            .iter()
            .map(|field| (field.name.clone(), field.referenced_type.clone()))
            .collect(),
        Schema::List(schema) => vec![("element".to_owned(), Some(schema.element_type.clone()))],
        Schema::Set(schema) => vec![("element".to_owned(), Some(schema.element_type.clone()))],
        Schema::Map(schema) => vec![
            ("key".to_owned(), Some(schema.key_type.clone())),
            ("value".to_owned(), Some(schema.value_type.clone())),
        ],
    };
    let mut found = Vec::new();
    for (head, next) in heads {
        if next
            .as_ref()
            .is_some_and(|next| state.type_state(next).is_none())
        {
            continue;
        }
        found.push(head.clone());
        if let (Some(next), true) = (next, steps > 1) {
            found.extend(
                paths(state, &next, steps - 1)
                    .into_iter()
                    .map(|rest| format!("{head}.{rest}")),
            );
        }
    }
    found
}

/// A key in a form that can be a map's key; texts that are not well-formed all look alike there, so they are left out.
fn plain(key: &[KeyValue]) -> Option<String> {
    let text = format!("{key:?}");
    (!text.contains('\u{fffd}')).then_some(text)
}

#[test]
fn primary_key_indexes_follow() {
    for (name, walk) in walks() {
        let first = &walk[0].0;
        let keyed: Vec<&Schema> = first
            .schemas()
            .filter(|schema| schema.primary_key().is_some())
            .collect();
        for schema in keyed {
            let mut index = PrimaryKeyIndex::build(first, schema.name(), None).unwrap();
            let mut previous: BTreeMap<String, (Vec<KeyValue>, Ordinal)> = BTreeMap::new();
            for (step, (state, changes)) in walk.iter().enumerate() {
                if step > 0 {
                    let before = &walk[step - 1].0;
                    let moved = index.moved(before, state).unwrap();
                    index = index.updated(before, state, changes).unwrap();
                    assert_eq!(moved.len(), index.len());
                }
                let records = state.type_state(schema.name()).unwrap();
                let mut model: BTreeMap<String, (Vec<KeyValue>, Ordinal)> = BTreeMap::new();
                for ordinal in records.ordinals() {
                    let key: Vec<KeyValue> = index
                        .paths()
                        .map(|path| {
                            let steps: Vec<&str> = path.text.split('.').collect();
                            values(state, records, Some(ordinal), &steps).remove(0)
                        })
                        .collect();
                    if let Some(plain) = plain(&key) {
                        model.entry(plain).or_insert((key, ordinal));
                    }
                }
                for (key, ordinal) in model.values() {
                    assert_eq!(
                        index.get(key),
                        Some(*ordinal),
                        "{name}, {}, step {step}",
                        schema.name()
                    );
                    if let [KeyValue::Int(number)] = key.as_slice() {
                        assert_eq!(index.get_long(i64::from(*number)), Some(*ordinal));
                    }
                }
                let numbers: Vec<i64> = model
                    .values()
                    .filter_map(|(key, _)| match key.as_slice() {
                        [KeyValue::Int(number)] => Some(i64::from(*number)),
                        [KeyValue::Long(number)] => Some(*number),
                        _ => None,
                    })
                    .chain([i64::MIN, i64::MAX, -77])
                    .collect();
                let mut batch = Vec::new();
                index.get_longs(&numbers, &mut batch);
                assert_eq!(
                    batch,
                    numbers
                        .iter()
                        .map(|&key| index.get_long(key))
                        .collect::<Vec<_>>()
                );
                for (plain, (key, _)) in &previous {
                    if !model.contains_key(plain) {
                        assert_eq!(
                            index.get(key),
                            None,
                            "{name}, {}, step {step}",
                            schema.name()
                        );
                    }
                }
                previous = model;
            }
        }
    }
}

#[test]
fn hash_indexes_follow() {
    for (name, walk) in walks() {
        if name == "big-100k" {
            continue;
        }
        let first = &walk[0].0;
        for schema in first.schemas() {
            for path in paths(first, schema.name(), 4) {
                let steps: Vec<&str> = path.split('.').collect();
                let mut index = HashIndex::build(first, schema.name(), &[&path], "").unwrap();
                let mut previous: BTreeMap<String, KeyValue> = BTreeMap::new();
                for (step, (state, changes)) in walk.iter().enumerate() {
                    if step > 0 {
                        index = index.updated(&walk[step - 1].0, state, changes).unwrap();
                    }
                    let records = state.type_state(schema.name()).unwrap();
                    let mut model: BTreeMap<String, (KeyValue, Vec<Ordinal>)> = BTreeMap::new();
                    for ordinal in records.ordinals() {
                        for value in values(state, records, Some(ordinal), &steps) {
                            if let Some(plain) = plain(std::slice::from_ref(&value)) {
                                let found =
                                    &mut model.entry(plain).or_insert((value, Vec::new())).1;
                                if found.last() != Some(&ordinal) {
                                    found.push(ordinal);
                                }
                            }
                        }
                    }
                    for (value, expected) in model.values() {
                        let key = std::slice::from_ref(value);
                        assert_eq!(
                            &index.get(key),
                            expected,
                            "{name}, {} by {path} = {value:?}, step {step}",
                            schema.name()
                        );
                        assert!(index.contains(key));
                    }
                    for (plain, value) in &previous {
                        if !model.contains_key(plain) {
                            assert!(!index.contains(std::slice::from_ref(value)));
                        }
                    }
                    previous = model
                        .into_iter()
                        .map(|(plain, (value, _))| (plain, value))
                        .collect();
                }
            }
        }
    }
}
