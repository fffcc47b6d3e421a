//! Values of a primary key, as a caller gives them.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::codec::{double_bits, float_bits};

/// One value of a key, at one of its paths.
///
/// Two values are equal when the format stores them alike: FLOAT and DOUBLE by their bits.
#[derive(Debug, Clone)]
pub enum KeyValue {
    /// An INT; also taken for the ordinal at a path that ends at a REFERENCE.
    Int(i32),
    /// A LONG.
    Long(i64),
    /// A BOOLEAN.
    Boolean(bool),
    /// A FLOAT; every NaN is the same one.
    Float(f32),
    /// A DOUBLE; every NaN is the same one.
    Double(f64),
    /// A STRING.
    String(String),
    /// A BYTES field.
    Bytes(Vec<u8>),
    /// No value.
    Null,
}

impl KeyValue {
    /// The kind of the value, its bits if it has a fixed length, its bytes if not.
    fn parts(&self) -> (u8, u64, &[u8]) {
        match self {
            Self::Int(value) => (0, *value as u64, &[]),
            Self::Long(value) => (1, *value as u64, &[]),
            Self::Boolean(value) => (2, u64::from(*value), &[]),
            Self::Float(value) => (3, u64::from(float_bits(*value)), &[]),
            Self::Double(value) => (4, double_bits(*value), &[]),
            Self::String(value) => (5, 0, value.as_bytes()),
            Self::Bytes(value) => (6, 0, value),
            Self::Null => (7, 0, &[]),
        }
    }
}

impl PartialEq for KeyValue {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for KeyValue {}

impl Hash for KeyValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Boolean(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Bytes(value) => value.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Null => f.write_str("null"),
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for KeyValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from!(i32 => Int, i64 => Long, bool => Boolean, f32 => Float, f64 => Double, &str => String, String => String,
    &[u8] => Bytes, Vec<u8> => Bytes);

impl<T: Into<KeyValue>> From<Option<T>> for KeyValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
