//! What a writer refuses, apart from the errors of reading.

use crate::Ordinal;
use crate::key::KeyValue;

/// Why a record, a cycle or a restore was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Two live records of a type have the same primary key. The cycle can only be rolled back; the older record, the
    /// newer record or both must be left out of the next one.
    #[error("type {type_name} has more than one record with primary key {}", KeyText(.key))]
    DuplicateKey {
        /// The type.
        type_name: String,
        /// The values at the key's paths.
        key: Vec<KeyValue>,
    },
    /// The bytes are not the serialized form of a record of this type (format 9.1).
    #[error("malformed record of type {type_name}: byte {offset} makes no sense")]
    MalformedRecord {
        /// The type.
        type_name: String,
        /// How far the bytes could be read.
        offset: usize,
    },
    /// A live record refers to an ordinal that holds no live record.
    #[error(
        "a record of type {type_name} refers to {referenced_type} {ordinal}, which is not in the state"
    )]
    DanglingReference {
        /// Type of the record that refers.
        type_name: String,
        /// Type referred to.
        referenced_type: String,
        /// The ordinal that is empty.
        ordinal: Ordinal,
    },
    /// No cycle of the needed kind is open.
    #[error("{0}")]
    WrongMoment(&'static str),
    /// The type has no primary key, so its records cannot be found by one.
    #[error("type {type_name} has no primary key")]
    NoPrimaryKey {
        /// The type.
        type_name: String,
    },
    /// The values do not fit the paths of the primary key.
    #[error("the primary key of {type_name} does not fit the values {}", KeyText(.key))]
    KeyMismatch {
        /// The type.
        type_name: String,
        /// The values given.
        key: Vec<KeyValue>,
    },
    /// Two schemas have the same name.
    #[error("two schemas are named {type_name}")]
    DuplicateType {
        /// The name.
        type_name: String,
    },
    /// A chain cannot go on with other schemas: a delta across a schema change would leave readers with states that
    /// depend on the way they took. Write the first state of a new chain instead.
    #[error(
        "the schema of {type_name} differs from that of the state to go on from; this ends the chain"
    )]
    EndsChain {
        /// The first type that differs, is missing or is new.
        type_name: String,
    },
    /// The type has no free ordinal left: the format holds 2^29 records of a type.
    #[error("type {type_name} has no ordinal left")]
    OrdinalLimit {
        /// The type.
        type_name: String,
    },
    /// An element of a SET or the key of a MAP has no hash, since a field of the hash key is null (format 8.3).
    #[error("a hash key of {type_name} is null in element {ordinal}")]
    NullHashKey {
        /// The SET or MAP type.
        type_name: String,
        /// Ordinal of the element or key.
        ordinal: Ordinal,
    },
    /// A blob holds at most 32767 header tags.
    #[error("{count} header tags; a blob holds at most 32767")]
    TooManyHeaderTags {
        /// Their number.
        count: usize,
    },
    /// The state that the cycle would lead to does not hold what was written: a defect of this crate.
    #[error("verification of {type_name} failed: {what}")]
    Verification {
        /// The type.
        type_name: String,
        /// What disagrees.
        what: &'static str,
    },
}

struct KeyText<'a>(&'a [KeyValue]);

impl std::fmt::Display for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(")?;
        for (at, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}
