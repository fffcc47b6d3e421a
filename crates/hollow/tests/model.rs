//! Random chains of blobs against a plain model: every state, however reached, holds the model's records, and older
//! states stay as they were.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hollow::{FieldType, Filter, ReadState, Schema, TypeState, schema::parse_schemas};
use std::collections::{BTreeMap, BTreeSet};
use support::encoder::{Record, Records, Stored, TypeBlob, hash_table, header};
use support::numbers::Numbers;

const SCHEMAS: &str = "
    All { int i; string s; long l; boolean b; bytes y; float f; double d; string t; Other r; }
    Fixed { int i; long l; boolean b; Other r; }
    Text { string s; }
    Nothing { }
    Few List<Other>;
    Some Set<Other>;
    Many Map<Other, Other>;
";

fn random_record(schema: &Schema, numbers: &mut Numbers) -> Record {
    let ordinal = |numbers: &mut Numbers| numbers.sized(20) as u32;
    match schema {
        Schema::Object(object) => Record::Object(
            object
                .fields
                .iter()
                .map(|field| {
                    if numbers.below(5) == 0 {
                        return Stored::Null;
                    }
                    match field.field_type {
                        FieldType::Int => Stored::Fixed(numbers.sized(32).min(0xffff_fffe)),
                        FieldType::Long => Stored::Fixed(numbers.sized(64).min(u64::MAX - 1)),
                        FieldType::Boolean => Stored::Fixed(numbers.below(2) as u64),
                        FieldType::Float => {
                            Stored::Fixed(u64::from((numbers.below(99) as f32).to_bits()))
                        }
                        FieldType::Double => {
                            Stored::Fixed((numbers.below(99) as f64 / 7.0).to_bits())
                        }
                        FieldType::Reference => Stored::Fixed(numbers.sized(28)),
                        FieldType::String | FieldType::Bytes => {
                            let limit = [1, 8, 20, 300][numbers.below(4)];
                            let length = numbers.below(limit);
                            Stored::Bytes((0..length).map(|_| numbers.below(128) as u8).collect())
                        }
                    }
                })
                .collect(),
        ),
        Schema::List(_) => {
            let length = numbers.below(9) * numbers.below(4);
            Record::List((0..length).map(|_| ordinal(numbers)).collect())
        }
        _ => {
            let length = numbers.below(9) * numbers.below(4);
            let is_map = matches!(schema, Schema::Map(_));
            let entries: BTreeMap<u32, u32> = (0..length)
                .map(|_| (ordinal(numbers), if is_map { ordinal(numbers) } else { 0 }))
                .collect();
            hash_table(&entries)
        }
    }
}

fn found(state: &TypeState, ordinal: u32) -> Option<Record> {
    if let Some(view) = state.object(ordinal) {
        let fields = &view.schema().fields;
        let stored = |index: usize| match fields[index].field_type {
            FieldType::Int => view
                .int(index)
                .map(|v| Stored::Fixed(((v << 1) ^ (v >> 31)) as u32 as u64)),
            FieldType::Long => view
                .long(index)
                .map(|v| Stored::Fixed(((v << 1) ^ (v >> 63)) as u64)),
            FieldType::Boolean => view.boolean(index).map(|v| Stored::Fixed(u64::from(v))),
            FieldType::Float => view
                .float(index)
                .map(|v| Stored::Fixed(u64::from(v.to_bits()))),
            FieldType::Double => view.double(index).map(|v| Stored::Fixed(v.to_bits())),
            FieldType::Reference => view.reference(index).map(|v| Stored::Fixed(u64::from(v))),
            FieldType::String => view
                .string(index)
                .map(|v| Stored::Bytes(v.stored().to_vec())),
            FieldType::Bytes => view.bytes(index).map(|v| Stored::Bytes(v.to_vec())),
        };
        return Some(Record::Object(
            (0..fields.len())
                .map(|index| stored(index).unwrap_or(Stored::Null))
                .collect(),
        ));
    }
    if let Some(list) = state.list(ordinal) {
        return Some(Record::List(list.iter().collect()));
    }
    let (count, buckets): (u32, Vec<(u32, u32, u32)>) =
        match (state.set(ordinal), state.map(ordinal)) {
            (Some(set), _) => (
                set.bucket_count(),
                set.buckets().map(|(b, k)| (b, k, 0)).collect(),
            ),
            (_, Some(map)) => (map.bucket_count(), map.buckets().collect()),
            _ => return None,
        };
    let mut record = vec![None; count as usize];
    for (bucket, key, value) in buckets {
        record[bucket as usize] = Some((key, value));
        if let Some(map) = state.map(ordinal) {
            assert_eq!(map.get(key), Some(value));
        }
    }
    Some(Record::Buckets(record))
}

fn assert_model(state: &ReadState, model: &[Records], what: &str) {
    for (state, records) in state.types().zip(model) {
        assert_eq!(state.count(), records.len(), "{what}: {}", state.name());
        assert!(
            state.ordinals().eq(records.keys().copied()),
            "{what}: {}",
            state.name()
        );
        for (&ordinal, record) in records {
            assert_eq!(
                found(state, ordinal).as_ref(),
                Some(record),
                "{what}: {} {ordinal}",
                state.name()
            );
            if ordinal > 0 && !records.contains_key(&(ordinal - 1)) {
                assert_eq!(found(state, ordinal - 1), None);
            }
        }
    }
}

fn snapshot_blob(
    schemas: &[Schema],
    model: &[Records],
    shards: &[u32],
    tag: i64,
    room: &mut Numbers,
) -> Vec<u8> {
    let mut blob = header(-1, tag, &schemas.iter().collect::<Vec<_>>());
    for ((schema, records), &shards) in schemas.iter().zip(model).zip(shards) {
        let last = records
            .last_key_value()
            .map_or(-1, |(&last, _)| last as i32);
        TypeBlob {
            schema,
            shards,
            max_ordinal: last + room.below(70) as i32,
            records,
            removed: None,
        }
        .write(&mut blob, room);
    }
    blob
}

/// What is left out by [`filter`].
const WITHOUT_TYPES: [&str; 2] = ["Text", "Few"];
const WITHOUT_FIELDS: [(&str, &str); 4] =
    [("All", "s"), ("All", "l"), ("All", "d"), ("Fixed", "i")];

fn filter() -> Filter {
    let types = WITHOUT_TYPES
        .into_iter()
        .fold(Filter::all(), Filter::exclude_type);
    WITHOUT_FIELDS
        .into_iter()
        .fold(types, |filter, (name, field)| {
            filter.exclude_field(name, field)
        })
}

/// The model as a reader with the filter sees it.
fn filtered(schemas: &[Schema], model: &[Records]) -> Vec<Records> {
    let cut = |schema: &Schema, record: &Record| match (schema, record) {
        (Schema::Object(object), Record::Object(values)) => Record::Object(
            object
                .fields
                .iter()
                .zip(values)
                .filter(|(field, _)| !WITHOUT_FIELDS.contains(&(&object.name, &field.name)))
                .map(|(_, value)| value.clone())
                .collect(),
        ),
        _ => record.clone(),
    };
    schemas
        .iter()
        .zip(model)
        .filter(|(schema, _)| !WITHOUT_TYPES.contains(&schema.name()))
        .map(|(schema, records)| {
            records
                .iter()
                .map(|(&ordinal, record)| (ordinal, cut(schema, record)))
                .collect()
        })
        .collect()
}

/// `Fixed` as another writer has it: in another order, with a field more and without `b`.
const EVOLVED: &str = "Fixed { Other r; string extra; long l; int i; }";

/// The records in the other writer's form; their `b` is null for the reader.
fn evolve(added: &mut Records) -> Records {
    added
        .iter_mut()
        .map(|(&ordinal, record)| {
            let Record::Object(values) = record else {
                unreachable!()
            };
            values[2] = Stored::Null;
            let extra = Stored::Bytes(vec![b'x'; ordinal as usize % 9]);
            let evolved = vec![
                values[3].clone(),
                extra,
                values[1].clone(),
                values[0].clone(),
            ];
            (ordinal, Record::Object(evolved))
        })
        .collect()
}

/// A step of the chain: removes, adds, replaces; with and without naming the replaced ordinal among the removed.
fn chain(seed: u64) {
    let mut numbers = Numbers(seed);
    let schemas = parse_schemas(SCHEMAS).unwrap();
    let space = [50, 200, 3000, 20_000][numbers.below(4)];
    let mut model: Vec<Records> = schemas
        .iter()
        .map(|schema| {
            let count = numbers.below(space.min(400));
            (0..count)
                .map(|_| {
                    (
                        numbers.below(space) as u32,
                        random_record(schema, &mut numbers),
                    )
                })
                .collect()
        })
        .collect();
    let mut shards: Vec<u32> = schemas.iter().map(|_| 1 << numbers.below(4)).collect();
    let blob = snapshot_blob(&schemas, &model, &shards, 0, &mut numbers);
    let mut state = ReadState::from_snapshot(&blob, &Filter::all()).unwrap();
    let mut partial = ReadState::from_snapshot(&blob, &filter()).unwrap();
    let evolved = parse_schemas(EVOLVED).unwrap().remove(0);
    let mut history = vec![(state.clone(), model.clone())];
    assert_model(&state, &model, &format!("seed {seed}, snapshot"));
    for step in 1..6 {
        let what = format!("seed {seed}, step {step}");
        let listed: Vec<usize> = (0..schemas.len())
            .filter(|_| numbers.below(4) > 0)
            .collect();
        let names: Vec<&Schema> = listed.iter().map(|&index| &schemas[index]).collect();
        let mut blob = header(step - 1, step, &names);
        for &index in &listed {
            let schema = &schemas[index];
            let records = &mut model[index];
            let some: Vec<u32> = records
                .keys()
                .copied()
                .filter(|_| numbers.below(6) == 0)
                .collect();
            let mut removed: BTreeSet<u32> = some
                .iter()
                .copied()
                .filter(|_| numbers.below(3) > 0)
                .collect();
            let mut added: Records = (0..numbers.below(30))
                .map(|_| {
                    (
                        numbers.below(space) as u32,
                        random_record(schema, &mut numbers),
                    )
                })
                .collect();
            added.extend(
                some.iter()
                    .filter(|o| *o % 2 == 0)
                    .map(|&o| (o, random_record(schema, &mut numbers))),
            );
            removed.extend((0..numbers.below(4)).map(|_| numbers.below(space) as u32));
            let is_evolved = schema.name() == "Fixed" && numbers.below(3) == 0;
            let written = if is_evolved {
                evolve(&mut added)
            } else {
                added.clone()
            };
            records.retain(|ordinal, _| !removed.contains(ordinal));
            records.extend(added);
            if numbers.below(3) == 0 {
                shards[index] = 1 << numbers.below(5);
            }
            TypeBlob {
                schema: if is_evolved { &evolved } else { schema },
                shards: shards[index],
                max_ordinal: space as i32,
                records: &written,
                removed: Some(&removed.into_iter().collect::<Vec<_>>()),
            }
            .write(&mut blob, &mut numbers);
        }
        let (next, changes) = state.apply(&blob).unwrap();
        assert_model(&next, &model, &what);
        partial = partial.apply(&blob).unwrap().0;
        assert_model(
            &partial,
            &filtered(&schemas, &model),
            &format!("{what}, filtered"),
        );
        let (_, before) = history.last().unwrap();
        for ((old, new), (before, after)) in state
            .types()
            .zip(next.types())
            .zip(before.iter().zip(&model))
        {
            // By content; a record that was replaced by an equal one is no change.
            let changed = new.changed_ordinals(old);
            let gone = |a: &Records, b: &Records| -> Vec<u32> {
                a.iter()
                    .filter(|(ordinal, record)| b.get(ordinal) != Some(record))
                    .map(|(o, _)| *o)
                    .collect()
            };
            assert_eq!(
                changed.removed,
                gone(before, after),
                "{what}: {}",
                new.name()
            );
            assert_eq!(changed.added, gone(after, before), "{what}: {}", new.name());
            let told = changes.of(new.name()).cloned().unwrap_or_default();
            assert!(
                changed
                    .removed
                    .iter()
                    .all(|ordinal| told.removed.contains(ordinal)),
                "{what}"
            );
            assert!(
                changed
                    .added
                    .iter()
                    .all(|ordinal| told.added.contains(ordinal)),
                "{what}"
            );
            assert!(
                told.removed
                    .iter()
                    .all(|ordinal| before.contains_key(ordinal)),
                "{what}"
            );
            assert!(
                told.added.iter().all(|ordinal| after.contains_key(ordinal)),
                "{what}"
            );
        }
        let blob = snapshot_blob(&schemas, &model, &shards, step, &mut numbers);
        let loaded = ReadState::from_snapshot(&blob, &Filter::all()).unwrap();
        assert_model(&loaded, &model, &what);
        assert_eq!(loaded.checksum(), next.checksum(), "{what}");
        for (a, b) in loaded.types().zip(next.types()) {
            assert!(a.changed_ordinals(b).is_empty(), "{what}: {}", a.name());
            let (mut x, mut y) = (Vec::new(), Vec::new());
            a.ordinals()
                .for_each(|ordinal| a.serialize(ordinal, &mut x));
            b.ordinals()
                .for_each(|ordinal| b.serialize(ordinal, &mut y));
            assert_eq!(x, y, "{what}: {}", a.name());
        }
        state = next;
        history.push((state.clone(), model.clone()));
    }
    for (step, (state, model)) in history.iter().enumerate() {
        assert_model(
            state,
            model,
            &format!("seed {seed}, state {step} at the end"),
        );
    }
}

#[test]
fn chains() {
    for seed in 0..80 {
        chain(seed);
    }
}

/// So many widths that the pages of a type can't each keep a layout of their own.
#[test]
fn long_chain_of_many_widths() {
    let mut numbers = Numbers(77);
    let schemas = parse_schemas("A { long a; long b; long c; string s; int d; }").unwrap();
    let mut model = vec![Records::new()];
    let mut state = ReadState::empty(0, schemas.clone()).unwrap();
    for step in 1..600 {
        let added: Records = (0..1 + numbers.below(3))
            .map(|_| {
                (
                    numbers.below(1500) as u32,
                    random_record(&schemas[0], &mut numbers),
                )
            })
            .collect();
        let removed = [numbers.below(1500) as u32];
        model[0].remove(&removed[0]);
        model[0].extend(added.clone());
        let mut blob = header(step - 1, step, &[&schemas[0]]);
        TypeBlob {
            schema: &schemas[0],
            shards: 1,
            max_ordinal: 1500,
            records: &added,
            removed: Some(&removed),
        }
        .write(&mut blob, &mut numbers);
        state = state.apply(&blob).unwrap().0;
        if step % 50 == 0 {
            assert_model(&state, &model, &format!("step {step}"));
        }
    }
}
