//! Change records into datasets: Avro transcoding and the incremental producer.
//!
//! Upstream systems emit a record when a row of theirs changes, once and to any Kafka-like log; this crate makes a dataset of
//! it whose every state answers for each key which record made it what it is. It knows Avro and folding, not what a
//! video is: countries, languages and intervals are checked because a schema or the configuration says so.
//!
//! * [`DatasetSpec`]: what is configured of a dataset; [`embedded_specs`] are Greenlight's own.
//! * [`avro`]: Avro schemas, the Hollow types that follow from them, and the walk from one's bytes to the other's.
//! * [`SchemaSource`]: schemas by id; [`DirectorySchemas`] are files, [`RegistrySchemas`] those of a schema registry.
//! * [`IncrementalProducer`]: folds what arrives into the next state, cycle by cycle; [`ProducerThread`] runs it.
//! * [`sweep`]: re-emissions of whole sources, which heal what was never emitted.
//! * [`Emitter`]: change records of upstream systems, checked before they are sent.
//! * [`origin`]: which record made a key what it is; [`dead_letters`]: which could not, and [`retry_dead_letters`].

pub mod avro;
mod codes;
mod dead;
mod debezium;
mod emit;
mod error;
mod fold;
mod key;
mod poison;
mod position;
mod producer;
mod progress;
mod schemas;
mod spec;
pub mod sweep;

pub use codes::Code;
pub use dead::{
    DeadLetter, RETRY_COUNT_HEADER, RETRY_OF_HEADER, Retried, SOURCE_VERSION_HEADER, dead_letters,
    newer_dead_letters, retry_dead_letters,
};
pub use debezium::Debezium;
pub use emit::{
    Delivery, DeliveryReport, Emission, Emitter, EmitterCounts, EmitterOptions, RecordBuilder,
};
pub use error::{Error, Result};
pub use fold::{Channel, FOLD_PART, FOLD_TYPE, Origin, fold_schema, origin, origins};
pub use key::{Key, KeyShape};
pub use poison::Poison;
pub use position::TopicPosition;
pub use producer::{Components, IncrementalProducer, ProducerOptions, ProducerThread};
pub use progress::{Ended, Progress, RecordCounts};
pub use schemas::{
    DirectorySchemas, RegistryAuth, RegistryOptions, RegistrySchemas, SchemaSource, SchemaVersion,
    WIRE_MAGIC, split_wire, write_wire_header,
};
pub use spec::{DatasetSpec, Interval, SourceVersions, embedded_specs, load_specs};
