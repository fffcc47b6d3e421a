//! The vectors that Java Hollow wrote: where they are, and a state in the form of their expected states.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that lacks its files fails")]

pub mod encoder;
pub mod numbers;

use hollow::{
    BlobSet, Error, FieldType, Filter, HollowStr, ObjectView, ReadState, Schema, TypeState,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The cases whose files are kept beside the tests.
pub const KEPT: [&str; 8] = [
    "all-types",
    "empty",
    "empty-no-types",
    "optional-parts",
    "producer",
    "restore",
    "schema-evolution",
    "tiny",
];

/// The cases that are read where the project's shared folder is at hand.
pub const SHARED: [&str; 7] = [
    "big-100k",
    "collections",
    "delta-chain-20",
    "focus-holes",
    "partitioned-ordinals",
    "resharding",
    "sharded",
];

/// A case: a chain of blobs and expected states.
pub struct Case {
    pub name: &'static str,
    folder: PathBuf,
}

/// Every case at hand; says which are not.
pub fn cases() -> Vec<Case> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("GREENLIGHT_SHARED")
        .map_or_else(|| crate_folder.join("../../../shared"), PathBuf::from);
    let mut cases: Vec<Case> = KEPT
        .iter()
        .map(|name| Case {
            name,
            folder: crate_folder.join("tests/vectors").join(name),
        })
        .collect();
    for name in SHARED {
        let folder = shared.join("vectors").join(name);
        if folder.is_dir() {
            cases.push(Case { name, folder });
        } else {
            println!("vector case {name} is not at hand: no {}", folder.display());
        }
    }
    cases
}

/// One case, if it is at hand.
pub fn case(name: &str) -> Option<Case> {
    cases().into_iter().find(|case| case.name == name)
}

/// A blob with its optional parts, owned.
#[derive(Clone, Debug)]
pub struct Blob {
    pub file: String,
    pub main: Vec<u8>,
    pub parts: Vec<(String, Vec<u8>)>,
}

impl Blob {
    /// Calls `read` with the borrowed form.
    pub fn with<T>(&self, read: impl FnOnce(BlobSet<'_>) -> T) -> T {
        let parts: Vec<(&str, &[u8])> = self
            .parts
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        read(BlobSet {
            main: &self.main,
            parts: &parts,
        })
    }

    pub fn load(&self, filter: &Filter) -> Result<ReadState, Error> {
        self.with(|blob| ReadState::from_snapshot(blob, filter))
    }

    pub fn apply(&self, state: &ReadState) -> Result<ReadState, Error> {
        self.with(|blob| state.apply(blob)).map(|(state, _)| state)
    }

    /// Without the optional parts.
    pub fn main_only(&self) -> Self {
        Self {
            parts: Vec::new(),
            ..self.clone()
        }
    }
}

impl Case {
    /// The versions that there are expected states of, ascending.
    pub fn versions(&self) -> Vec<u64> {
        let mut versions: Vec<u64> = self
            .files()
            .iter()
            .filter_map(|file| {
                file.strip_prefix("state-")?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            })
            .collect();
        versions.sort_unstable();
        versions
    }

    pub fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = std::fs::read_dir(&self.folder)
            .unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }

    fn bytes(&self, file: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(file)).ok()
    }

    /// The blob `kind-suffix` with its parts `kind_PART-suffix`.
    fn blob(&self, kind: &str, suffix: &str) -> Option<Blob> {
        let file = format!("{kind}-{suffix}");
        let main = self.bytes(&file)?;
        let parts = self
            .files()
            .iter()
            .filter_map(|name| {
                let part = name.strip_prefix(&format!("{kind}_"))?;
                let part = part.strip_suffix(&format!("-{suffix}"))?;
                Some((part.to_owned(), self.bytes(name)?))
            })
            .collect();
        Some(Blob {
            file: format!("{}/{file}", self.name),
            main,
            parts,
        })
    }

    pub fn snapshot(&self, version: u64) -> Option<Blob> {
        self.blob("snapshot", &version.to_string())
    }

    pub fn delta(&self, from: u64, to: u64) -> Option<Blob> {
        self.blob("delta", &format!("{from}-{to}"))
    }

    pub fn reverse_delta(&self, from: u64, to: u64) -> Option<Blob> {
        self.blob("reversedelta", &format!("{from}-{to}"))
    }

    pub fn header(&self, version: u64) -> Option<Vec<u8>> {
        self.bytes(&format!("header-{version}"))
    }

    pub fn expected(&self, name: &str) -> Option<Value> {
        let bytes = self.bytes(&format!("state-{name}.json"))?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }
}

/// The state in the form of the expected states, without `maxOrdinal`, which depends on the path.
pub fn rendered(state: &ReadState, with_records: bool) -> Value {
    let types: Map<String, Value> = state
        .types()
        .map(|state| (state.name().to_owned(), rendered_type(state, with_records)))
        .collect();
    json!({
        "checksum": format!("{:08x}", state.checksum()),
        "randomizedTag": format!("{:016x}", state.tag()),
        "headerTags": state.header_tags(),
        "types": types,
    })
}

fn rendered_type(state: &TypeState, with_records: bool) -> Value {
    let kind = state.schema().kind().to_string();
    let mut out = json!({
        "kind": kind,
        "schema": state.schema().to_string(),
        "numShards": state.num_shards(),
        "checksum": format!("{:08x}", state.checksum()),
        "count": state.count(),
    });
    if with_records {
        out["records"] = state
            .ordinals()
            .map(|ordinal| json!([ordinal, rendered_record(state, ordinal)]))
            .collect();
    }
    out
}

fn rendered_record(state: &TypeState, ordinal: u32) -> Value {
    if let Some(view) = state.object(ordinal) {
        return object(view);
    }
    if let Some(list) = state.list(ordinal) {
        assert_eq!(list.get(list.len()), None);
        return (0..list.len())
            .map(|index| json!(list.get(index)))
            .collect();
    }
    if let Some(set) = state.set(ordinal) {
        assert_eq!(set.len(), set.iter().count());
        assert!(set.iter().all(|element| set.contains(element)));
        assert!(!set.contains(u32::MAX >> 3));
        return set
            .buckets()
            .map(|(bucket, element)| json!([bucket, element]))
            .collect();
    }
    let map = state.map(ordinal).unwrap();
    assert_eq!(map.len(), map.iter().count());
    assert!(map.iter().all(|(key, value)| map.get(key) == Some(value)));
    map.buckets()
        .map(|(bucket, key, value)| json!([bucket, key, value]))
        .collect()
}

fn object(view: ObjectView<'_>) -> Value {
    let fields: Map<String, Value> = view
        .schema()
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let value = match field.field_type {
                FieldType::Int => json!(view.int(index)),
                FieldType::Long => json!(view.long(index)),
                FieldType::Reference => json!(view.reference(index)),
                FieldType::Boolean => json!(view.boolean(index)),
                FieldType::Float => {
                    json!(view.float(index).map(|f| format!("{:08x}", f.to_bits())))
                }
                FieldType::Double => {
                    json!(view.double(index).map(|d| format!("{:016x}", d.to_bits())))
                }
                FieldType::Bytes => json!(view.bytes(index).map(hex)),
                FieldType::String => view.string(index).map_or(Value::Null, text),
            };
            assert_eq!(view.is_null(index), value.is_null());
            (field.name.clone(), value)
        })
        .collect();
    Value::Object(fields)
}

fn text(text: HollowStr<'_>) -> Value {
    let units: Vec<u16> = text.units().collect();
    match String::from_utf16(&units) {
        Ok(string) => {
            assert!(text == *string && text.to_string() == string);
            json!(string)
        }
        Err(_) => json!({ "utf16": units }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares a state with an expected one.
pub fn assert_state(state: &ReadState, expected: &Value, what: &str) {
    let mut expected = expected.clone();
    let mut with_records = false;
    for (_, state) in expected["types"].as_object_mut().unwrap() {
        let state = state.as_object_mut().unwrap();
        state.remove("maxOrdinal");
        with_records |= state.contains_key("records");
    }
    let found = rendered(state, with_records);
    if found != expected {
        let types = expected["types"].as_object().unwrap();
        for (name, wanted) in types {
            assert_eq!(found["types"][name], *wanted, "{what}: type {name}");
        }
        panic!("{what}:\nfound    {found}\nexpected {expected}");
    }
}

/// Whether a type's schema is one of a collection.
pub fn is_collection(schema: &Schema) -> bool {
    !matches!(schema, Schema::Object(_))
}
