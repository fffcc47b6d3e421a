//! Change records into datasets: Avro transcoding and the incremental producer.
//!
//! Upstream systems emit a record when a row of theirs changes, once and to any Kafka-like log; this crate makes a dataset of
//! it whose every state answers for each key which record made it what it is. It knows Avro and folding, not what a
//! video is: countries, languages and intervals are checked because a schema or the configuration says so.
//!
//! * [`DatasetSpec`]: what is configured of a dataset; [`embedded_specs`] are Greenlight's own.
//! * [`avro`]: Avro schemas, the Hollow types that follow from them, and the walk from one's bytes to the other's.
//! * [`SchemaSource`]: schemas by id; [`DirectorySchemas`] are files.

pub mod avro;
mod codes;
mod error;
mod key;
mod poison;
mod schemas;
mod spec;

pub use codes::Code;
pub use error::{Error, Result};
pub use key::{Key, KeyShape};
pub use poison::Poison;
pub use schemas::{DirectorySchemas, SchemaSource, WIRE_MAGIC, split_wire, write_wire_header};
pub use spec::{DatasetSpec, Interval, SourceVersions, embedded_specs, load_specs};
