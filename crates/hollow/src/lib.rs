//! The dataset engine: compact, versioned, in-memory states, byte-compatible with Netflix Hollow.

pub mod codec;
mod error;
mod key;
pub mod record;
pub mod schema;
pub mod write;

pub use error::{Error, Result};
pub use key::KeyValue;
pub use schema::{
    Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SchemaKind, SetSchema,
};

/// The index of a record within its type: dense, below 2^29, given by the writer and reused after the record is gone.
pub type Ordinal = u32;
