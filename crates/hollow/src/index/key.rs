//! Keys read from records: hashed, compared and given out as values.

use crate::Ordinal;
use crate::codec::varint::{zigzag_int, zigzag_long};
use crate::codec::{double_bits, float_bits, string};
use crate::error::{Error, Result};
use crate::key::KeyValue;
use crate::read::{ObjectView, Raw, ReadState, TypeState, rows};
use crate::schema::{FieldType, KeyPath, resolve_key_path};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// The paths of a key, bound to the types of one state.
#[derive(Debug, Clone)]
pub(crate) struct BoundKey {
    paths: Vec<BoundPath>,
    root: TypeState,
}

#[derive(Debug, Clone)]
struct BoundPath {
    path: KeyPath,
    /// The types behind the first one.
    types: Vec<TypeState>,
}

/// A key's value in the form in which a row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored<'k> {
    Null,
    Fixed(u64),
    Variable(Cow<'k, [u8]>),
}

impl<'k> Stored<'k> {
    /// `None` if the value is none of that type. Numbers are taken for INT and LONG alike where they fit.
    pub(crate) fn of(value: &'k KeyValue, field_type: FieldType) -> Option<Self> {
        let number = |value: i64| match field_type {
            FieldType::Int => i32::try_from(value)
                .ok()
                .filter(|&v| v != i32::MIN)
                .map(|v| u64::from(zigzag_int(v))),
            FieldType::Long => Some(value).filter(|&v| v != i64::MIN).map(zigzag_long),
            FieldType::Reference => u32::try_from(value).ok().map(u64::from),
            _ => None,
        };
        Some(match (value, field_type) {
            (KeyValue::Null, _) => Stored::Null,
            (KeyValue::Int(value), _) => Stored::Fixed(number(i64::from(*value))?),
            (KeyValue::Long(value), _) => Stored::Fixed(number(*value)?),
            (KeyValue::Boolean(value), FieldType::Boolean) => Stored::Fixed(u64::from(*value)),
            (KeyValue::Float(value), FieldType::Float) => {
                Stored::Fixed(u64::from(float_bits(*value)))
            }
            (KeyValue::Double(value), FieldType::Double) => Stored::Fixed(double_bits(*value)),
            (KeyValue::Bytes(value), FieldType::Bytes) => Stored::Variable(Cow::Borrowed(value)),
            (KeyValue::String(value), FieldType::String) => Stored::text(value),
            _ => return None,
        })
    }

    pub(crate) fn text(text: &'k str) -> Self {
        if text.is_ascii() {
            return Stored::Variable(Cow::Borrowed(text.as_bytes()));
        }
        let mut bytes = Vec::new();
        string::write_str(&mut bytes, text);
        Stored::Variable(Cow::Owned(bytes))
    }

    #[inline]
    pub(crate) fn is(&self, raw: Raw<'_>) -> bool {
        match (self, raw) {
            (Stored::Null, Raw::Null) => true,
            (Stored::Fixed(a), Raw::Fixed(b)) => *a == b,
            (Stored::Variable(a), Raw::Variable(b)) => **a == *b,
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        match self {
            Stored::Null => hash_raw(Raw::Null),
            Stored::Fixed(value) => hash_raw(Raw::Fixed(*value)),
            Stored::Variable(bytes) => hash_raw(Raw::Variable(bytes)),
        }
    }
}

/// The hash of a key of one number, as stored.
#[inline]
pub(crate) fn hash_number(stored: u64) -> u64 {
    fold(stored, 0xd6e8_feb8_6659_fd93)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

#[inline]
pub(crate) fn hash_raw(raw: Raw<'_>) -> u64 {
    match raw {
        Raw::Null => 0x5bd1_e995_97f4_a7c5,
        Raw::Fixed(value) => hash_number(value),
        Raw::Variable(bytes) => xxh3_64(bytes),
    }
}

/// The hash of a key of several values, from that of the values so far.
#[inline]
pub(crate) fn combine(so_far: u64, value: u64) -> u64 {
    fold(
        so_far ^ 0xa076_1d64_78bd_642f,
        value ^ 0xe703_7ed1_a0b4_28db,
    )
}

impl BoundKey {
    /// The paths, or the primary key of the type if none are given, bound to `state`.
    pub(crate) fn bind(state: &ReadState, type_name: &str, paths: Option<&[&str]>) -> Result<Self> {
        let root = state
            .type_state(type_name)
            .ok_or_else(|| unknown(type_name, ""))?;
        let paths: Vec<String> = match paths {
            Some(paths) => paths.iter().map(|&path| path.to_owned()).collect(),
            None => root.schema().primary_key().unwrap_or_default().to_vec(),
        };
        if paths.is_empty() {
            return Err(Error::Path {
                type_name: type_name.to_owned(),
                path: String::new(),
                reason: "the type has no primary key, and no paths are given".to_owned(),
            });
        }
        let paths = paths
            .iter()
            .map(|path| BoundPath::bind(state, type_name, path))
            .collect::<Result<_>>()?;
        Ok(Self {
            paths,
            root: root.clone(),
        })
    }

    /// The same paths in another state.
    pub(crate) fn rebind(&self, state: &ReadState) -> Result<Self> {
        let paths: Vec<String> = self.paths.iter().map(|bound| bound.source()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        Self::bind(state, self.root.name(), Some(&paths))
    }

    pub(crate) fn root(&self) -> &TypeState {
        &self.root
    }

    pub(crate) fn paths(&self) -> impl ExactSizeIterator<Item = &KeyPath> {
        self.paths.iter().map(|bound| &bound.path)
    }

    /// The field, if the key is one INT or LONG of the record itself.
    pub(crate) fn number_field(&self) -> Option<(usize, FieldType)> {
        match self.paths.as_slice() {
            [BoundPath { path, types }]
                if types.is_empty()
                    && matches!(path.field_type, FieldType::Int | FieldType::Long) =>
            {
                Some((path.fields[0], path.field_type))
            }
            _ => None,
        }
    }

    /// Whether records of two states have keys of one and the same number type, so that [`mark`](Self::mark) tells them
    /// apart.
    pub(crate) fn has_marks(&self, other: &Self) -> bool {
        let field_type = |key: &Self| key.number_field().map(|(_, field_type)| field_type);
        field_type(self).is_some() && field_type(self) == field_type(other)
    }

    /// A number that is equal for two records exactly when their keys, of one number, are: it spares reading the other
    /// record to be sure.
    #[inline]
    pub(crate) fn mark(&self, ordinal: Ordinal) -> u64 {
        let field = self.number_field().map_or(0, |(field, _)| field);
        // No INT or LONG is stored as this.
        const NULL: u64 = u64::MAX;
        let stored = match self.root.object(ordinal).map(|view| view.raw(field)) {
            Some(Raw::Fixed(stored)) => stored,
            _ => NULL,
        };
        // Each step can be undone, so no two numbers come to the same.
        let mixed = (stored ^ stored >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }

    /// Whether the key lies in the record itself, so that the records it refers to don't matter.
    pub(crate) fn is_local(&self) -> bool {
        self.paths.iter().all(|bound| bound.types.is_empty())
    }

    /// The hash of a record's key.
    #[inline]
    pub(crate) fn hash_of(&self, ordinal: Ordinal) -> u64 {
        match self.root.object(ordinal) {
            Some(view) => self.hash_view(&view),
            None => 0,
        }
    }

    #[inline]
    pub(crate) fn hash_view(&self, view: &ObjectView<'_>) -> u64 {
        let mut hash = None;
        for path in &self.paths {
            let value = path.with(view, hash_raw);
            hash = Some(hash.map_or(value, |so_far| combine(so_far, value)));
        }
        hash.unwrap_or(0)
    }

    /// Calls `each` with hash and ordinal of the records among 64 consecutive ordinals.
    pub(crate) fn hash_rows(
        &self,
        first: Ordinal,
        populated: u64,
        mut each: impl FnMut(u64, Ordinal),
    ) {
        let ordinals = rows(populated).map(|row| first + row);
        let page = populated.checked_ilog2().map(|row| first + row);
        let page = page.and_then(|ordinal| self.root.page_of(ordinal));
        if let (Some((field, _)), Some(page)) = (self.number_field(), page) {
            let null = page.layout.slots[field].null;
            for ordinal in ordinals {
                match page.slot(ordinal - first, field) {
                    stored if stored == null => each(hash_raw(Raw::Null), ordinal),
                    stored => each(hash_number(stored), ordinal),
                }
            }
            return;
        }
        for ordinal in ordinals {
            each(self.hash_of(ordinal), ordinal);
        }
    }

    /// The values in stored form with their hash; `None` if they don't fit the paths.
    pub(crate) fn stored<'k>(&self, key: &'k [KeyValue]) -> Option<(Vec<Stored<'k>>, u64)> {
        if key.len() != self.paths.len() {
            return None;
        }
        let stored: Vec<Stored<'k>> = key
            .iter()
            .zip(&self.paths)
            .map(|(value, bound)| Stored::of(value, bound.path.field_type))
            .collect::<Option<_>>()?;
        let hash = stored.iter().map(Stored::hash).reduce(combine)?;
        Some((stored, hash))
    }

    /// Whether a record has these values.
    pub(crate) fn is(&self, ordinal: Ordinal, key: &[Stored<'_>]) -> bool {
        self.root.object(ordinal).is_some_and(|view| {
            self.paths
                .iter()
                .zip(key)
                .all(|(path, value)| path.with(&view, |raw| value.is(raw)))
        })
    }

    /// Whether two records, each of the state that its key is bound to, have the same key.
    pub(crate) fn same(&self, ordinal: Ordinal, other: &BoundKey, of_other: Ordinal) -> bool {
        let (Some(a), Some(b)) = (self.root.object(ordinal), other.root.object(of_other)) else {
            return false;
        };
        self.paths
            .iter()
            .zip(&other.paths)
            .all(|(mine, others)| mine.with(&a, |value| others.with(&b, |other| value == other)))
    }

    /// The values of a record's key.
    pub(crate) fn values(&self, ordinal: Ordinal) -> Vec<KeyValue> {
        let Some(view) = self.root.object(ordinal) else {
            return Vec::new();
        };
        self.paths
            .iter()
            .map(|bound| bound.with(&view, |raw| value_of(raw, bound.path.field_type)))
            .collect()
    }
}

/// The value of a raw field.
pub(crate) fn value_of(raw: Raw<'_>, field_type: FieldType) -> KeyValue {
    use crate::codec::varint::{unzigzag_int, unzigzag_long};
    match (raw, field_type) {
        (Raw::Null, _) => KeyValue::Null,
        (Raw::Fixed(value), FieldType::Int) => KeyValue::Int(unzigzag_int(value as u32)),
        (Raw::Fixed(value), FieldType::Long) => KeyValue::Long(unzigzag_long(value)),
        (Raw::Fixed(value), FieldType::Boolean) => KeyValue::Boolean(value == 1),
        (Raw::Fixed(value), FieldType::Float) => KeyValue::Float(f32::from_bits(value as u32)),
        (Raw::Fixed(value), FieldType::Double) => KeyValue::Double(f64::from_bits(value)),
        (Raw::Fixed(value), _) => KeyValue::Int(value as i32),
        (Raw::Variable(bytes), FieldType::String) => KeyValue::String(string::to_string(bytes)),
        (Raw::Variable(bytes), _) => KeyValue::Bytes(bytes.to_vec()),
    }
}

impl BoundPath {
    fn bind(state: &ReadState, type_name: &str, path: &str) -> Result<Self> {
        let path = resolve_key_path(state, type_name, path)?;
        let types = path.types[1..]
            .iter()
            .map(|name| {
                state
                    .type_state(name)
                    .cloned()
                    .ok_or_else(|| unknown(name, &path.text))
            })
            .collect::<Result<_>>()?;
        Ok(Self { path, types })
    }

    /// The path in a form that resolves to itself.
    fn source(&self) -> String {
        match self.path.field_type {
            FieldType::Reference => format!("{}!", self.path.text),
            _ => self.path.text.clone(),
        }
    }

    /// Calls `then` with the value at the end of the path; null if a reference on the way is.
    #[inline]
    fn with<T>(&self, view: &ObjectView<'_>, then: impl FnOnce(Raw<'_>) -> T) -> T {
        let fields = &self.path.fields;
        if self.types.is_empty() {
            return then(view.raw(fields[0]));
        }
        let mut ordinal = view.reference(fields[0]);
        for (position, state) in self.types.iter().enumerate() {
            let Some(next) = ordinal.and_then(|ordinal| state.object(ordinal)) else {
                return then(Raw::Null);
            };
            if position + 1 == self.types.len() {
                return then(next.raw(fields[position + 1]));
            }
            ordinal = next.reference(fields[position + 1]);
        }
        then(Raw::Null)
    }
}

fn unknown(type_name: &str, path: &str) -> Error {
    Error::Path {
        type_name: type_name.to_owned(),
        path: path.to_owned(),
        reason: "the type is unknown".to_owned(),
    }
}
