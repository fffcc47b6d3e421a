//! Hollow's own blobs, written again from their inputs: ordinals and bytes must come out equal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::codec::Cursor;
use crate::read::{Filter, ReadState};
use crate::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};
use crate::schema::{FieldType, ObjectSchema, Schema};
use crate::write::{Sealed, WriteError, WriteOptions, WriteState};
use crate::{Ordinal, blob::BlobSet};

/// The files of a case: beside the tests, or in the project's shared folder, which not every checkout has at hand.
fn folder(case: &str) -> Option<PathBuf> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("GREENLIGHT_SHARED")
        .map(PathBuf::from)
        .into_iter();
    let above = crate_folder.ancestors().map(|folder| folder.join("shared"));
    let folders = shared.chain(above).map(|folder| folder.join("vectors"));
    std::iter::once(crate_folder.join("tests/vectors"))
        .chain(folders)
        .map(|f| f.join(case))
        .find(|f| f.is_dir())
}

fn is_at_hand(case: &str) -> bool {
    let found = folder(case).is_some();
    if !found {
        println!("vector case {case} is not at hand");
    }
    found
}

fn blob(case: &str, name: &str) -> Vec<u8> {
    let path = folder(case).unwrap_or_default().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a writer cannot know: tags, and their order.
struct Head {
    tag: i64,
    schemas: Vec<Schema>,
    tags: Vec<(String, String)>,
}

fn head(blob: &[u8]) -> Head {
    let mut cursor = Cursor::new(blob);
    cursor.skip(12, "version and origin").unwrap();
    let tag = cursor.i64("tag").unwrap();
    cursor.vint().unwrap();
    let count = cursor.vint().unwrap();
    let schemas = (0..count)
        .map(|_| Schema::read(&mut cursor).unwrap())
        .collect();
    assert_eq!(cursor.vint().unwrap(), 0);
    let count = cursor.i16("tags").unwrap();
    let tags = (0..count)
        .map(|_| (cursor.utf("key").unwrap(), cursor.utf("value").unwrap()))
        .collect();
    Head { tag, schemas, tags }
}

fn ordinal(value: &Value) -> Ordinal {
    value.as_u64().unwrap() as Ordinal
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn object(schema: &ObjectSchema, value: &Value) -> Vec<u8> {
    let mut record = ObjectRecord::new(schema);
    for (at, field) in schema.fields.iter().enumerate() {
        let value = &value[&field.name];
        if value.is_null() {
            continue;
        }
        match field.field_type {
            FieldType::Reference => record.set_reference(at, ordinal(value)),
            FieldType::Int => record.set_int(at, value.as_i64().unwrap() as i32),
            FieldType::Long => record.set_long(at, value.as_i64().unwrap()),
            FieldType::Boolean => record.set_boolean(at, value.as_bool().unwrap()),
            FieldType::Float => {
                let bits = u32::from_be_bytes(hex(value).try_into().unwrap());
                if bits != crate::codec::NULL_FLOAT_BITS {
                    record.set_float(at, f32::from_bits(bits));
                }
            }
            FieldType::Double => {
                let bits = u64::from_be_bytes(hex(value).try_into().unwrap());
                if bits != crate::codec::NULL_DOUBLE_BITS {
                    record.set_double(at, f64::from_bits(bits));
                }
            }
            FieldType::String => match value.as_str() {
                Some(text) => record.set_str(at, text),
                None => {
                    let units = value["utf16"].as_array().unwrap();
                    record.set_utf16(at, units.iter().map(|unit| unit.as_u64().unwrap() as u16));
                }
            },
            FieldType::Bytes => record.set_bytes(at, &hex(value)),
        }
    }
    record.bytes().to_vec()
}

fn serialized(schema: &Schema, value: &Value) -> Vec<u8> {
    let entries = || value.as_array().unwrap().iter();
    match schema {
        Schema::Object(schema) => object(schema, value),
        Schema::List(_) => {
            let mut list = ListRecord::new();
            entries().for_each(|element| list.push(ordinal(element)));
            list.bytes().to_vec()
        }
        Schema::Set(_) => {
            let mut set = SetRecord::new();
            entries().for_each(|element| set.insert(ordinal(element)));
            set.bytes().to_vec()
        }
        Schema::Map(_) => {
            let mut map = MapRecord::new();
            entries().for_each(|entry| map.insert(ordinal(&entry[0]), ordinal(&entry[1])));
            map.bytes().to_vec()
        }
    }
}

fn populate(writer: &mut WriteState, case: &str, version: u32) {
    let input: Value =
        serde_json::from_slice(&blob(case, &format!("input-{version}.json"))).unwrap();
    for (at, row) in input.as_array().unwrap().iter().enumerate() {
        let name = row[0].as_str().unwrap();
        let ty = writer.type_id(name).unwrap();
        let record = serialized(writer.schema(ty), &row[1]);
        let given = writer.add(ty, &record).unwrap();
        assert_eq!(
            given,
            ordinal(&row[2]),
            "{case}, version {version}, row {at}: {name} {}",
            row[1]
        );
    }
}

type Write<'a> = &'a dyn Fn(&Sealed, Option<&str>, &mut Vec<u8>) -> std::io::Result<()>;

fn check_blob(case: &str, sealed: &Sealed, kind: &str, rest: &str, write: Write<'_>) {
    for part in std::iter::once(None).chain(sealed.parts().map(Some)) {
        let name = part.map_or_else(
            || format!("{kind}-{rest}"),
            |part| format!("{kind}_{part}-{rest}"),
        );
        let expected = blob(case, &name);
        let mut written = Vec::new();
        write(sealed, part, &mut written).unwrap();
        let differs = written.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(
            differs,
            None,
            "{case}/{name} differs at {differs:x?} of {:x} and {:x}",
            written.len(),
            expected.len()
        );
        assert_eq!(written.len(), expected.len(), "{case}/{name}");
    }
}

/// Writes versions `from` to `to` and compares all their blobs.
fn follow(writer: &mut WriteState, case: &str, versions: std::ops::RangeInclusive<u32>) {
    for version in versions {
        let head = head(&blob(case, &format!("snapshot-{version}")));
        writer.begin_total();
        populate(writer, case, version);
        if writer.state().is_some() {
            take_tag_order(
                writer,
                &blob(case, &format!("reversedelta-{version}-{}", version - 1)),
            );
        }
        let sealed = writer.seal_ordered(head.tag, head.tags).unwrap();
        check_blob(
            case,
            &sealed,
            "snapshot",
            &version.to_string(),
            &|sealed, part, out| sealed.write_snapshot(part, out),
        );
        if !sealed.is_first() {
            let before = version - 1;
            check_blob(
                case,
                &sealed,
                "delta",
                &format!("{before}-{version}"),
                &|sealed, part, out| sealed.write_delta(part, out),
            );
            check_blob(
                case,
                &sealed,
                "reversedelta",
                &format!("{version}-{before}"),
                &|sealed, part, out| sealed.write_reverse_delta(part, out),
            );
        }
        writer.commit().unwrap();
    }
}

/// Java's hash maps may give the same tags another order in the reverse delta.
fn take_tag_order(writer: &mut WriteState, reverse_delta: &[u8]) {
    let tags = head(reverse_delta).tags;
    let as_map: BTreeMap<_, _> = tags.iter().cloned().collect();
    assert_eq!(Some(&as_map), writer.state().map(ReadState::header_tags));
    writer.set_committed_tags(tags);
}

fn check(case: &str, versions: u32, options: WriteOptions) {
    if is_at_hand(case) {
        let mut writer = WriteState::new(head(&blob(case, "snapshot-1")).schemas, options).unwrap();
        follow(&mut writer, case, 1..=versions);
    }
}

#[test]
fn tiny() {
    check("tiny", 2, WriteOptions::java());
}

#[test]
fn all_types() {
    check("all-types", 3, WriteOptions::java());
}

#[test]
fn collections() {
    check("collections", 3, WriteOptions::java());
}

#[test]
fn sharded() {
    check(
        "sharded",
        4,
        WriteOptions {
            target_shard_bytes: Some(512),
            ..WriteOptions::java()
        },
    );
}

#[test]
fn resharding() {
    let options = WriteOptions {
        target_shard_bytes: Some(512),
        resharding: true,
        ..WriteOptions::java()
    };
    check("resharding", 8, options);
}

#[test]
fn delta_chain_20() {
    check("delta-chain-20", 20, WriteOptions::java());
}

#[test]
fn empty() {
    check("empty", 4, WriteOptions::java());
    check("empty-no-types", 1, WriteOptions::java());
}

#[test]
fn restore() {
    let schemas = head(&blob("restore", "snapshot-1")).schemas;
    let mut writer = WriteState::new(schemas.clone(), WriteOptions::java()).unwrap();
    follow(&mut writer, "restore", 1..=3);
    let snapshot = blob("restore", "snapshot-3");
    let state = ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap();
    let mut writer = WriteState::restore(&state, schemas, WriteOptions::java()).unwrap();
    follow(&mut writer, "restore", 4..=6);
}

#[test]
fn schema_evolution() {
    let case = "schema-evolution";
    let first = blob(case, "snapshot-1");
    let mut writer = WriteState::new(head(&first).schemas, WriteOptions::java()).unwrap();
    follow(&mut writer, case, 1..=1);
    let state = ReadState::from_snapshot(&first, &Filter::all()).unwrap();
    let schemas = head(&blob(case, "snapshot-2")).schemas;
    let refused = WriteState::restore(&state, schemas.clone(), WriteOptions::default());
    assert!(matches!(
        refused,
        Err(crate::Error::Write(WriteError::EndsChain { .. }))
    ));
    let mut writer = WriteState::restore(&state, schemas, WriteOptions::java()).unwrap();
    // A cycle that is dropped leaves no trace.
    writer.begin_total();
    let ty = writer.type_id("Tag").unwrap();
    writer.add(ty, &[1, b'x']).unwrap();
    writer.seal(7 << 40, BTreeMap::new()).unwrap();
    writer.begin_incremental();
    assert!(writer.add(ty, &[1, b'x']).is_err());
    writer.rollback();
    follow(&mut writer, case, 2..=3);
}

#[test]
fn optional_parts() {
    let parts = [
        ("SetOfItem", "extra"),
        ("MapOfStrToItem", "extra"),
        ("ListOfStr", "lists"),
    ];
    let parts = parts
        .map(|(ty, part)| (ty.to_owned(), part.to_owned()))
        .into_iter()
        .collect();
    // The schemas of a part are in the part's header; `restore` has the same types without parts.
    let schemas = head(&blob("restore", "snapshot-1")).schemas;
    let mut writer = WriteState::new(
        schemas,
        WriteOptions {
            parts,
            ..WriteOptions::java()
        },
    )
    .unwrap();
    follow(&mut writer, "optional-parts", 1..=3);
}

#[test]
fn partitioned_ordinals() {
    check(
        "partitioned-ordinals",
        3,
        WriteOptions {
            partitioned: true,
            ..WriteOptions::java()
        },
    );
}

#[test]
fn focus_holes() {
    let options = WriteOptions {
        focus_holes: true,
        target_shard_bytes: Some(128),
        ..WriteOptions::java()
    };
    check("focus-holes", 4, options);
}

/// What is written is what a reader of the vectors sees, also through the own reader.
#[test]
fn the_committed_state_is_the_one_of_the_blobs() {
    let case = "restore";
    let schemas = head(&blob(case, "snapshot-1")).schemas;
    let mut writer = WriteState::new(schemas, WriteOptions::java()).unwrap();
    for version in 1..=3 {
        let snapshot = blob(case, &format!("snapshot-{version}"));
        let head = head(&snapshot);
        writer.begin_total();
        populate(&mut writer, case, version);
        writer.seal_ordered(head.tag, head.tags).unwrap();
        let state = writer.commit().unwrap();
        let read = ReadState::from_snapshot(BlobSet::from(&snapshot), &Filter::all()).unwrap();
        assert_eq!(state.checksum(), read.checksum(), "version {version}");
        assert_eq!(state.header_tags(), read.header_tags());
    }
}
