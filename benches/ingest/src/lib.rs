//! The speed of reading change records, as `docs/benchmarks/ingest.md` tells it: each row measures both sides in one run,
//! since only ratios of one run mean anything on a shared machine.

pub mod by_hand;
pub mod transcode;

use std::path::PathBuf;

/// What can keep a bench from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The recorded scenario is not what it should be.
    #[error("{}: {reason}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A dataset's configuration or a record of it.
    #[error(transparent)]
    Ingest(#[from] ingest::Error),
    /// Avro's library.
    #[error(transparent)]
    Avro(#[from] apache_avro::Error),
}

/// The result of a bench.
pub type Result<T> = std::result::Result<T, Error>;

/// The median of measurements.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
