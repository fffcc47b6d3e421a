//! The speed of reading change records, as `docs/benchmarks/ingest.md` tells it: each row measures both sides in one run,
//! since only ratios of one run mean anything on a shared machine.

pub mod by_hand;
pub mod data;
pub mod fold;
pub mod java;
pub mod latency;
pub mod rebuild;

pub mod transcode;
pub mod watched;
pub mod world;

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
    /// The log.
    #[error(transparent)]
    Log(#[from] changelog::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The blob store.
    #[error(transparent)]
    Store(#[from] blobstore::Error),
    /// A broker or S3 server for the bench.
    #[error(transparent)]
    Server(#[from] tests_servers::Error),
    /// The bare consumer.
    #[error(transparent)]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// What came out is not what was put in.
    #[error("{0}")]
    Wrong(String),
}

/// The result of a bench.
pub type Result<T> = std::result::Result<T, Error>;

/// The median of measurements.
#[must_use]
pub fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The measurement below which that share of them lies; the greatest for 1.
#[must_use]
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    let at = at.min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Wraps an error of the system.
pub(crate) fn io(what: &str) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Io {
        what: what.to_owned(),
        source,
    }
}

/// A number from the environment.
#[must_use]
pub fn setting(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// A line about rates. It tells the time per record, so that its ratio is, as in all rows, how many times better ours is.
#[must_use]
pub fn rate(row: &str, ours_per_s: f64, peer_per_s: f64, goal: f64) -> bench_table::Line {
    bench_table::Line {
        row: format!("{row}: {ours_per_s:.0}/s"),
        ours: 1e9 / ours_per_s,
        peer: 1e9 / peer_per_s,
        unit: "ns/record",
        goal,
    }
}
