//! The gatekeeper beside one that a good user of Java Hollow would write: the same inputs, the same rules, equal outputs,
//! in one run.
//!
//! A ratio is only worth something against a peer that does the same work under the same noise. Both sides read the same
//! blobs, of catalogues that are drawn from the real one ([`catalogue`]) and published as producers do ([`published`]);
//! the output of both is compared record by record before anything is measured.

pub mod asked;
pub mod catalogue;
pub mod donors;
pub mod evaluation;
pub mod facts;
pub mod java;
pub mod kernel;
pub mod latency;
pub mod ours;
pub mod published;
pub mod rows;

use std::path::PathBuf;

/// Why a bench stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, as a verb phrase.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The recorded scenario, or what was made of it, is not what it should be.
    #[error("{}: {reason}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The datasets' configuration, or a record that does not fit it.
    #[error(transparent)]
    Ingest(#[from] ingest::Error),
    /// A blob or a state.
    #[error(transparent)]
    Hollow(#[from] hollow::Error),
    /// Publishing an input.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The blob store.
    #[error(transparent)]
    Store(#[from] blobstore::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] changelog::Error),
    /// A broker or S3 server for the bench.
    #[error(transparent)]
    Server(#[from] tests_servers::Error),
    /// The broker's side, which is that of the bench of ingest.
    #[error(transparent)]
    Ingesting(Box<bench_ingest::Error>),
    /// The rules.
    #[error(transparent)]
    Liveness(#[from] liveness::Error),
    /// Our gatekeeper.
    #[error(transparent)]
    Gatekeeper(#[from] gatekeeper::Error),
    /// The Java peer's process.
    #[error(transparent)]
    Peer(#[from] bench_hollow::Error),
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
    /// What came out is not what should have.
    #[error("{0}")]
    Wrong(String),
}

impl From<bench_ingest::Error> for Error {
    fn from(error: bench_ingest::Error) -> Self {
        Self::Ingesting(Box::new(error))
    }
}

/// The result of a bench's step.
pub type Result<T> = std::result::Result<T, Error>;

/// Wraps an error of the system.
pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}
