//! What can go wrong with a producer as a whole. What is wrong with a single record is a [`Poison`](crate::Poison): that
//! record becomes a dead letter and the producer goes on.

use std::path::PathBuf;

/// The result of setting up or running a producer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a producer can't start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not usable.
    #[error("{}:{line}: {reason}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A file can't be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// An Avro schema is not usable.
    #[error("the Avro schema {source_name}: {reason}")]
    Schema {
        /// The file or subject.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two different schemas have one id; one of them has to change in some way that its fingerprint covers.
    #[error(
        "the Avro schemas {first} and {second} have the same id {id}; rename a field of one of them"
    )]
    SchemaIdTwice {
        /// The id.
        id: u32,
        /// One schema.
        first: String,
        /// The other.
        second: String,
    },
    /// A value does not fit the schema it is to be encoded with.
    #[error("the value does not fit {schema}: {reason}")]
    Encode {
        /// The schema's root record.
        schema: String,
        /// Where in the value, and what is wrong.
        reason: String,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] changelog::Error),
}
