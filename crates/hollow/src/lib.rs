//! The dataset engine: compact, versioned, in-memory states, byte-compatible with Netflix Hollow.

pub mod codec;
mod error;
pub mod schema;

pub use error::{Error, Result};
pub use schema::{
    Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SchemaKind, SetSchema,
};
