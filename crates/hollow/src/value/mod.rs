//! Records as plain trees: for tools, tests and everything else that must take any record of any type.
//!
//! Typed access is faster; here a record with all that it refers to is copied out, owned and comparable. Sets and maps
//! are kept in an order of their own, so that equal trees are equal records whatever their ordinals and buckets were.

mod write;

use crate::Ordinal;
use crate::codec::{double_bits, float_bits, string};
use crate::content::{RecordView, record};
use crate::error::{Error, Result};
use crate::read::{ObjectView, ReadState, TypeState};
use crate::schema::{FieldType, Schema};
use crate::sums::MAX_DEPTH;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Nodes that one tree has at most: shared records are copied wherever they are referred to, and a small blob could
/// unfold to more than any memory holds.
pub const MAX_NODES: usize = 1 << 20;

/// A record or a field's value.
///
/// The order is total and arbitrary but for numbers and texts; floating-point numbers compare by their bits, with one
/// NaN. `Display` is close to JSON, with entries in `{}` and sets in `<>`.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value, or a reference to a record that is not there.
    Null,
    /// An INT.
    Int(i32),
    /// A LONG.
    Long(i64),
    /// A BOOLEAN.
    Boolean(bool),
    /// A FLOAT.
    Float(f32),
    /// A DOUBLE.
    Double(f64),
    /// A STRING.
    String(String),
    /// A STRING that is not well-formed, as its UTF-16 units.
    Utf16(Vec<u16>),
    /// A BYTES field.
    Bytes(Vec<u8>),
    /// An OBJECT: its fields in the order of the schema.
    Object(Vec<(String, Value)>),
    /// A LIST.
    List(Vec<Value>),
    /// A SET.
    Set(BTreeSet<Value>),
    /// A MAP.
    Map(BTreeMap<Value, Value>),
}

impl Value {
    /// The record with all that it refers to; `None` if there is no such type or record.
    ///
    /// # Errors
    /// [`Error::TooDeep`] for references that go round in a circle or unfold to more than [`MAX_NODES`].
    pub fn read(state: &ReadState, type_name: &str, ordinal: Ordinal) -> Result<Option<Value>> {
        let Some(records) = state.type_state(type_name) else {
            return Ok(None);
        };
        if !records.is_populated(ordinal) {
            return Ok(None);
        }
        Reader { state, nodes: 0 }
            .read(records, ordinal, 0)
            .map(Some)
    }

    /// One field of a record, with all that it refers to; null if there is no such record or field.
    ///
    /// # Errors
    /// As [`Value::read`].
    pub fn of_field(state: &ReadState, view: &ObjectView<'_>, field: usize) -> Result<Value> {
        Reader { state, nodes: 0 }.field(view, field, 0)
    }

    /// The field of that name, of an OBJECT.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at a path of field names (`name.value`), over OBJECTs.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(self, |value, name| value.field(name))
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Int(_) => 1,
            Value::Long(_) => 2,
            Value::Boolean(_) => 3,
            Value::Float(_) => 4,
            Value::Double(_) => 5,
            Value::String(_) => 6,
            Value::Utf16(_) => 7,
            Value::Bytes(_) => 8,
            Value::Object(_) => 9,
            Value::List(_) => 10,
            Value::Set(_) => 11,
            Value::Map(_) => 12,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Long(a), Value::Long(b)) => a.cmp(b),
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => {
                let one_nan = |value| f32::from_bits(float_bits(value));
                one_nan(*a).total_cmp(&one_nan(*b))
            }
            (Value::Double(a), Value::Double(b)) => {
                let one_nan = |value| f64::from_bits(double_bits(value));
                one_nan(*a).total_cmp(&one_nan(*b))
            }
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Utf16(a), Value::Utf16(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Object(a), Value::Object(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => a.cmp(b),
            (Value::Set(a), Value::Set(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from!(i32 => Int, i64 => Long, bool => Boolean, f32 => Float, f64 => Double, &str => String, String => String,
    &[u8] => Bytes, Vec<u8> => Bytes, Vec<Value> => List, BTreeSet<Value> => Set, BTreeMap<Value, Value> => Map);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    /// An OBJECT of these fields.
    fn from(fields: [(&str, Value); N]) -> Self {
        Self::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}

/// The text of stored STRING bytes as a value.
pub(crate) fn text(bytes: &[u8]) -> Value {
    if let Some(text) = string::as_ascii(bytes) {
        return Value::String(text.to_owned());
    }
    let units: Vec<u16> = string::units(bytes).collect();
    match String::from_utf16(&units) {
        Ok(text) => Value::String(text),
        Err(_) => Value::Utf16(units),
    }
}

struct Reader<'s> {
    state: &'s ReadState,
    nodes: usize,
}

impl Reader<'_> {
    fn named(&mut self, type_name: &str, ordinal: Ordinal, depth: usize) -> Result<Value> {
        match self.state.type_state(type_name) {
            Some(records) => self.read(records, ordinal, depth),
            None => Ok(Value::Null),
        }
    }

    fn read(&mut self, records: &TypeState, ordinal: Ordinal, depth: usize) -> Result<Value> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(Error::TooDeep {
                type_name: records.name().to_owned(),
                ordinal,
            });
        }
        Ok(match (records.schema(), record(records, ordinal)) {
            (Schema::Object(schema), Some(RecordView::Object(view))) => {
                let mut fields = Vec::with_capacity(schema.fields.len());
                for (index, field) in schema.fields.iter().enumerate() {
                    fields.push((field.name.clone(), self.field(&view, index, depth)?));
                }
                Value::Object(fields)
            }
            (Schema::List(schema), Some(RecordView::List(view))) => Value::List(
                view.iter()
                    .map(|element| self.named(&schema.element_type, element, depth + 1))
                    .collect::<Result<_>>()?,
            ),
            (Schema::Set(schema), Some(RecordView::Set(view))) => Value::Set(
                view.iter()
                    .map(|element| self.named(&schema.element_type, element, depth + 1))
                    .collect::<Result<_>>()?,
            ),
            (Schema::Map(schema), Some(RecordView::Map(view))) => {
                let mut entries = BTreeMap::new();
                for (key, value) in view.iter() {
                    let key = self.named(&schema.key_type, key, depth + 1)?;
                    entries.insert(key, self.named(&schema.value_type, value, depth + 1)?);
                }
                Value::Map(entries)
            }
            _ => Value::Null,
        })
    }

    fn field(&mut self, view: &ObjectView<'_>, index: usize, depth: usize) -> Result<Value> {
        let Some(field) = view.schema().fields.get(index) else {
            return Ok(Value::Null);
        };
        Ok(match field.field_type {
            FieldType::Int => view.int(index).into(),
            FieldType::Long => view.long(index).into(),
            FieldType::Boolean => view.boolean(index).into(),
            FieldType::Float => view.float(index).into(),
            FieldType::Double => view.double(index).into(),
            FieldType::Bytes => view.bytes(index).into(),
            FieldType::String => view
                .string(index)
                .map_or(Value::Null, |value| text(value.stored())),
            FieldType::Reference => match (view.reference(index), &field.referenced_type) {
                (Some(ordinal), Some(name)) => self.named(name, ordinal, depth + 1)?,
                _ => Value::Null,
            },
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn separated<T>(
            f: &mut fmt::Formatter<'_>,
            items: impl IntoIterator<Item = T>,
            each: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
        ) -> fmt::Result {
            for (index, item) in items.into_iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                each(f, item)?;
            }
            Ok(())
        }
        match self {
            Value::Null => f.write_str("null"),
            Value::Int(value) => value.fmt(f),
            Value::Long(value) => value.fmt(f),
            Value::Boolean(value) => value.fmt(f),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Double(value) => write!(f, "{value:?}"),
            Value::String(value) => write!(f, "{value:?}"),
            Value::Utf16(units) => write!(f, "{:?}", String::from_utf16_lossy(units)),
            Value::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Value::Object(fields) => {
                f.write_str("{")?;
                separated(f, fields, |f, (name, value)| write!(f, "{name}: {value}"))?;
                f.write_str("}")
            }
            Value::List(values) => {
                f.write_str("[")?;
                separated(f, values, |f, value| value.fmt(f))?;
                f.write_str("]")
            }
            Value::Set(values) => {
                f.write_str("<")?;
                separated(f, values, |f, value| value.fmt(f))?;
                f.write_str(">")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                separated(f, entries, |f, (key, value)| write!(f, "{key} => {value}"))?;
                f.write_str("}")
            }
        }
    }
}
