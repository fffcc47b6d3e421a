//! The dataset engine: compact, versioned, in-memory states, byte-compatible with Netflix Hollow.

// Generated code speaks of this crate by its name, also inside of it.
extern crate self as hollow;

mod ahead;
pub mod blob;
pub mod codec;
mod content;
pub mod diff;
mod error;
pub mod history;
pub mod index;
mod key;
pub mod read;
pub mod record;
pub mod schema;
pub mod sums;
pub mod typed;
pub mod value;
pub mod write;

pub use blob::{BlobHeader, BlobSet, PartHeader};
pub use error::{Error, Result};
pub use key::KeyValue;
pub use read::{
    Changed, Changes, Filter, HollowStr, ListView, MapView, ORDINAL_LIMIT, ObjectView, Ordinal,
    ReadState, SetView, TypeChanges, TypeState,
};
pub use schema::{
    Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SchemaKind, SetSchema,
};
pub use value::Value;
