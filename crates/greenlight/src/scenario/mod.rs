//! Recorded scenarios: change records to play through the log, as they once were delivered.
//!
//! A scenario is a folder with `scenario.toml`, `base/TOPIC.jsonl.zst` (how things stood) and
//! `changes.jsonl.zst` (what happened then, in order); `replay/catalogue/README.md` describes the
//! format. This module reads one; [`Feeder`] encodes it as Avro and appends it to a change log, so
//! that a demo goes through the front door and not around it.

mod feed;
mod read;

pub use feed::{Fed, Feeder, Topic};
pub use read::{Change, Lines, Manifest, Round, Scenario};

use std::path::PathBuf;

/// Why a scenario could not be read or fed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("read {path}: {source}; is this the folder of a scenario?")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is not what it should be.
    #[error("{path}: {source}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// An instant in the manifest is not RFC 3339.
    #[error("{path}: {text:?} is not an instant; expected RFC 3339 such as 2021-03-08T00:00:00Z")]
    Instant {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        text: String,
    },
    /// A line is not a change record.
    #[error("{path}, line {line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A value does not follow its schema.
    #[error("{topic}: {source}")]
    Value {
        /// The topic.
        topic: String,
        /// Where it departs.
        source: Box<ingest::Error>,
    },
    /// A record is for a topic that was not configured.
    #[error("the scenario has records for {topic:?}, which no configured dataset takes")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// The log refused or failed.
    #[error(transparent)]
    Log(#[from] changelog::Error),
}

/// The result of reading or feeding a scenario.
pub type Result<T> = std::result::Result<T, Error>;
