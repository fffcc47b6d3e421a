//! What a type's records point to: references to children and paths of keys, resolved to positions once.

use super::types::TypeWriter;
use crate::Ordinal;
use crate::codec::hash::{hash_int, murmur3};
use crate::codec::varint::{unzigzag_int, unzigzag_long, zigzag_int, zigzag_long};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, double_bits, float_bits, string};
use crate::key::KeyValue;
use crate::read::{Raw, TypeState};
use crate::record::{Entries, Fields, Reader, Stored, put_field};
use crate::schema::{FieldType, KeyPath, Schema, resolve_key_path};

/// Where the references of a type's records lead: positions of types, `None` where the data set lacks the type.
#[derive(Debug)]
pub(super) enum Links {
    Object {
        types: Vec<FieldType>,
        targets: Vec<Option<usize>>,
        any: bool,
    },
    List(Option<usize>),
    Set(Option<usize>),
    Map(Option<usize>, Option<usize>),
}

impl Links {
    pub(super) fn new(schema: &Schema, position: impl Fn(&str) -> Option<usize>) -> Self {
        match schema {
            Schema::Object(object) => {
                let targets: Vec<Option<usize>> = object
                    .fields
                    .iter()
                    .map(|field| field.referenced_type.as_deref().and_then(&position))
                    .collect();
                Self::Object {
                    types: object.fields.iter().map(|field| field.field_type).collect(),
                    any: targets.iter().any(Option::is_some),
                    targets,
                }
            }
            Schema::List(list) => Self::List(position(&list.element_type)),
            Schema::Set(set) => Self::Set(position(&set.element_type)),
            Schema::Map(map) => Self::Map(position(&map.key_type), position(&map.value_type)),
        }
    }

    /// The types of an OBJECT's fields; empty for collections.
    pub(super) fn field_types(&self) -> &[FieldType] {
        match self {
            Self::Object { types, .. } => types,
            _ => &[],
        }
    }

    /// Whether records can refer to others at all.
    pub(super) fn any(&self) -> bool {
        match self {
            Self::Object { any, .. } => *any,
            Self::List(target) | Self::Set(target) => target.is_some(),
            Self::Map(key, value) => key.is_some() || value.is_some(),
        }
    }

    /// Calls `each` with the type position and ordinal of every reference of a record.
    pub(super) fn for_each(&self, record: &[u8], mut each: impl FnMut(usize, Ordinal)) {
        match self {
            Self::Object { any: false, .. } => {}
            Self::Object { types, targets, .. } => {
                for (value, target) in Fields::new(types, record).zip(targets) {
                    if let (Stored::Fixed(ordinal), Some(target)) = (value, target) {
                        each(*target, ordinal as Ordinal);
                    }
                }
            }
            Self::List(target) => {
                if let Some(target) = target {
                    Entries::list(record).for_each(|(element, _)| each(*target, element));
                }
            }
            Self::Set(target) => {
                if let Some(target) = target {
                    Entries::set(record).for_each(|(element, _)| each(*target, element));
                }
            }
            Self::Map(keys, values) => {
                for (key, value) in Entries::map(record) {
                    if let Some(target) = keys {
                        each(*target, key);
                    }
                    if let Some(target) = values {
                        each(*target, value);
                    }
                }
            }
        }
    }

    /// [`for_each`](Self::for_each) of a committed record, read where it is; those of a SET come in the order of its buckets.
    /// `elements` is room for these.
    pub(super) fn for_each_of(
        &self,
        state: &TypeState,
        ordinal: Ordinal,
        elements: &mut Vec<Ordinal>,
        mut each: impl FnMut(usize, Ordinal),
    ) {
        match self {
            Self::Object { any: false, .. } => {}
            Self::Object { targets, .. } => {
                let Some(view) = state.object(ordinal) else {
                    return;
                };
                for (field, target) in targets.iter().enumerate() {
                    if let (Some(target), Raw::Fixed(child)) = (target, view.raw(field)) {
                        each(*target, child as Ordinal);
                    }
                }
            }
            Self::List(target) => {
                if let (Some(target), Some(view)) = (target, state.list(ordinal)) {
                    view.iter().for_each(|element| each(*target, element));
                }
            }
            Self::Set(target) => {
                if let (Some(target), Some(view)) = (target, state.set(ordinal)) {
                    elements.clear();
                    view.append_to(elements);
                    elements.iter().for_each(|&element| each(*target, element));
                }
            }
            Self::Map(keys, values) => {
                let Some(view) = state.map(ordinal) else {
                    return;
                };
                for (key, value) in view.iter() {
                    if let Some(target) = keys {
                        each(*target, key);
                    }
                    if let Some(target) = values {
                        each(*target, value);
                    }
                }
            }
        }
    }

    /// A field of a serialized OBJECT.
    pub(super) fn field<'r>(&self, record: &'r [u8], field: usize) -> Stored<'r> {
        match self {
            Self::Object { types, .. } => Fields::new(types, record)
                .nth(field)
                .unwrap_or(Stored::Null),
            _ => Stored::Null,
        }
    }
}

/// A key path with type positions: from a record over references to one field.
#[derive(Debug)]
pub(super) struct Path {
    /// Type position and field of each record on the way. Never empty.
    steps: Vec<(usize, usize)>,
    field_type: FieldType,
}

impl Path {
    /// Resolves all paths of a key that starts at `type_name`.
    pub(super) fn resolve(
        schemas: &[Schema],
        type_name: &str,
        paths: &[String],
    ) -> crate::Result<Vec<Self>> {
        paths
            .iter()
            .map(|path| {
                let KeyPath {
                    fields,
                    types,
                    field_type,
                    ..
                } = resolve_key_path(schemas, type_name, path)?;
                let position =
                    |name: &String| schemas.iter().position(|schema| schema.name() == name);
                let steps = types.iter().filter_map(position).zip(fields).collect();
                Ok(Self { steps, field_type })
            })
            .collect()
    }

    /// The field at the end of a path that leads to no other record.
    pub(super) fn local_field(&self) -> Option<usize> {
        match self.steps[..] {
            [(_, field)] => Some(field),
            _ => None,
        }
    }

    pub(super) fn field_type(&self) -> FieldType {
        self.field_type
    }

    /// Calls `found` with the value at the end of the path, null if a reference on the way is.
    fn value(&self, types: &[TypeWriter], record: &[u8], found: &mut dyn FnMut(Stored<'_>)) {
        follow(types, &self.steps, record, found);
    }
}

fn follow(
    types: &[TypeWriter],
    steps: &[(usize, usize)],
    record: &[u8],
    found: &mut dyn FnMut(Stored<'_>),
) {
    let Some((&(type_at, field), rest)) = steps.split_first() else {
        return;
    };
    match (types[type_at].links.field(record, field), rest) {
        (value, []) => found(value),
        (Stored::Fixed(ordinal), [(next, _), ..]) => {
            let mut scratch = Vec::new();
            match types[*next].record(ordinal as Ordinal, &mut scratch) {
                Some(record) => follow(types, rest, record, found),
                None => found(Stored::Null),
            }
        }
        _ => found(Stored::Null),
    }
}

/// Appends the values of a key in a form that is equal exactly for equal keys: each as in a serialized record.
pub(super) fn key_bytes(types: &[TypeWriter], paths: &[Path], record: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for path in paths {
        path.value(types, record, &mut |value| {
            put_field(out, path.field_type, value)
        });
    }
}

/// The bytes of [`key_bytes`] for values given by a caller; `None` if they do not fit the paths.
pub(super) fn key_value_bytes(paths: &[Path], key: &[KeyValue], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    if paths.len() != key.len() {
        return None;
    }
    let mut text = Vec::new();
    for (path, value) in paths.iter().zip(key) {
        let number = match value {
            KeyValue::Int(value) if *value != i32::MIN => Some(i64::from(*value)),
            KeyValue::Long(value) if *value != i64::MIN => Some(*value),
            _ => None,
        };
        let stored = match (path.field_type, value) {
            (_, KeyValue::Null | KeyValue::Int(i32::MIN) | KeyValue::Long(i64::MIN)) => {
                Stored::Null
            }
            (FieldType::Int, _) => {
                Stored::Fixed(u64::from(zigzag_int(i32::try_from(number?).ok()?)))
            }
            (FieldType::Long, _) => Stored::Fixed(zigzag_long(number?)),
            (FieldType::Reference, _) => Stored::Fixed(u64::from(u32::try_from(number?).ok()?)),
            (FieldType::Boolean, KeyValue::Boolean(value)) => Stored::Fixed(u64::from(*value)),
            (FieldType::Float, KeyValue::Float(value)) => {
                Stored::Fixed(u64::from(float_bits(*value)))
            }
            (FieldType::Double, KeyValue::Double(value)) => Stored::Fixed(double_bits(*value)),
            (FieldType::String, KeyValue::String(value)) => {
                text.clear();
                string::write_str(&mut text, value);
                Stored::Variable(&text)
            }
            (FieldType::Bytes, KeyValue::Bytes(value)) => Stored::Variable(value),
            _ => return None,
        };
        put_field(out, path.field_type, stored);
    }
    Some(())
}

/// The values behind [`key_bytes`], for messages.
pub(super) fn key_values(paths: &[Path], bytes: &[u8]) -> Vec<KeyValue> {
    let mut reader = Reader::new(bytes);
    let value = |path: &Path| {
        Some(match (reader.field(path.field_type)?, path.field_type) {
            (Stored::Null, _) => KeyValue::Null,
            (Stored::Fixed(stored), FieldType::Int) => KeyValue::Int(unzigzag_int(stored as u32)),
            (Stored::Fixed(stored), FieldType::Long) => KeyValue::Long(unzigzag_long(stored)),
            (Stored::Fixed(stored), FieldType::Boolean) => KeyValue::Boolean(stored != 0),
            (Stored::Fixed(stored), FieldType::Float) => {
                KeyValue::Float(f32::from_bits(stored as u32))
            }
            (Stored::Fixed(stored), FieldType::Double) => KeyValue::Double(f64::from_bits(stored)),
            (Stored::Fixed(stored), _) => KeyValue::Long(stored as i64),
            (Stored::Variable(bytes), FieldType::String) => {
                KeyValue::String(string::to_string(bytes))
            }
            (Stored::Variable(bytes), _) => KeyValue::Bytes(bytes.to_vec()),
        })
    };
    paths.iter().map_while(value).collect()
}

/// The hash that places an element in a SET, or a key in a MAP, with a hash key (format 8.3); `None` where a STRING,
/// BYTES or REFERENCE at the end of a path is null.
pub(super) fn hash_key(types: &[TypeWriter], paths: &[Path], record: &[u8]) -> Option<i32> {
    let mut hash = 0_i32;
    for path in paths {
        let mut field = None;
        path.value(types, record, &mut |value| {
            field = field_hash(path.field_type, value)
        });
        hash = hash.wrapping_mul(31) ^ hash_int(field?);
    }
    Some(hash)
}

fn field_hash(field_type: FieldType, value: Stored<'_>) -> Option<i32> {
    let fold = |bits: u64| (bits ^ bits >> 32) as i32;
    Some(match (field_type, value) {
        (FieldType::Int, Stored::Fixed(stored)) => unzigzag_int(stored as u32),
        (FieldType::Long, Stored::Fixed(stored)) => fold(unzigzag_long(stored) as u64),
        (FieldType::Boolean, Stored::Fixed(stored)) => {
            if stored == 1 {
                1231
            } else {
                1237
            }
        }
        (FieldType::Int | FieldType::Long | FieldType::Boolean, _) => 0,
        (FieldType::Float, Stored::Fixed(stored)) => stored as i32,
        (FieldType::Float, _) => NULL_FLOAT_BITS as i32,
        (FieldType::Double, Stored::Fixed(stored)) => fold(stored),
        (FieldType::Double, _) => fold(NULL_DOUBLE_BITS),
        (FieldType::String, Stored::Variable(bytes)) => varint_units_hash(bytes),
        (FieldType::Bytes, Stored::Variable(bytes)) => murmur3(bytes),
        (FieldType::Reference, Stored::Fixed(ordinal)) => ordinal as i32,
        _ => return None,
    })
}

fn varint_units_hash(bytes: &[u8]) -> i32 {
    crate::codec::hash::java_string_hash(string::units(bytes))
}
