//! The dataset engine beside Java Hollow: the same generated data, the same blobs, the same rows, in one run.
//!
//! A ratio is only worth something against a peer that does the same work under the same noise. So the data comes from a
//! generator that both languages have ([`model`], [`draws`]), the blobs that both sides read were written by Java, and
//! the runs of a row alternate between a warm JVM ([`peer`]) and this process ([`ours`]).

pub mod bounds;
pub mod draws;
pub mod model;
pub mod ours;
pub mod peer;
pub mod rows;

/// Why a bench stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dataset engine refused something.
    #[error(transparent)]
    Hollow(#[from] hollow::Error),
    /// A file or the peer's process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, as a verb phrase.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The peer's answer to a command is not `ok VALUE CHECK`.
    #[error("the Java peer answered {answer:?} to {command:?}; its standard error is above")]
    Peer {
        /// What it was asked.
        command: String,
        /// What it said.
        answer: String,
    },
    /// The two sides got different results.
    #[error("row {row}: ours got {ours}, the peer {peer}; one of them measured something else")]
    Differ {
        /// The row.
        row: String,
        /// Our check value.
        ours: u64,
        /// The peer's.
        peer: u64,
    },
    /// A setting in the environment.
    #[error("{variable}={value}: expected {expected}")]
    Setting {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The dataset is not what the rows expect.
    #[error("{0}")]
    Data(String),
}

/// The result of a bench's step.
pub type Result<T> = std::result::Result<T, Error>;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// In the row's unit: milliseconds, nanoseconds per lookup, or bytes.
    pub value: f64,
    /// Made from the results, so that they are consumed and can be compared.
    pub check: u64,
}

/// The middle one of some values; of an even count the upper of the two.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
