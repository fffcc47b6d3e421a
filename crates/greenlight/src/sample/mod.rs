//! Building the recorded scenario `replay/catalogue/` from the public sources.
//!
//! The sources are snapshots; a scenario is a stream of change records. What two snapshots differ
//! in becomes changes; what they do not say is drawn deterministically from the real distributions
//! and labelled in the record ([`Provenance`](records::Provenance)). The same sources always give
//! the same records, on any machine: there is no clock, no random number and no hash order here.
//!
//! One file per question: which titles are there ([`catalogue`]), where ([`availability`]), under
//! which contracts ([`rights`]), rated how ([`ratings`]), in which languages ([`localization`]),
//! with which episodes and encodes ([`videos`]), held or watched ([`extras`]), and what each
//! country asks ([`policies`]).

mod availability;
mod catalogue;
pub mod charts;
mod countries;
mod dates;
mod draw;
mod extras;
mod localization;
mod output;
mod policies;
mod ratings;
mod records;
mod rights;
mod source;
mod story;
mod videos;

use std::path::{Path, PathBuf};

pub use output::Counts;
pub use story::Summary;
pub use videos::Videos;

/// The day of the base: the newest `date_added` of the 2020-01 snapshot is 2020-01-18, and that
/// day is over.
pub const BASE_MS: i64 = 1_579_392_000_000; // 2020-01-19T00:00:00Z
/// The day of the later snapshot.
pub(crate) const LATER_MS: i64 = 1_610_841_600_000; // 2021-01-17T00:00:00Z
/// The scenario's clock: availability was observed in early March 2021.
pub const CLOCK_MS: i64 = 1_615_161_600_000; // 2021-03-08T00:00:00Z
/// The day the collector of the availability started.
pub(crate) const EPOCH_MS: i64 = 1_428_998_400_000; // 2015-04-14T08:00:00Z

/// Why the scenario could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A source is not the CSV that was expected.
    #[error("{name}: {source}")]
    Csv {
        /// The source.
        name: String,
        /// What is wrong with it.
        source: csv::Error,
    },
    /// A source is not the JSON that was expected, or a record could not be written as JSON.
    #[error("{name}: {source}")]
    Json {
        /// The source.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A date is spelled in a way no source did before.
    #[error("{0:?} is not a date; expected `September 9, 2019` or `2019-09-09`")]
    Date(String),
    /// A title's id is not the number it should be.
    #[error("{0:?} is not the id of a title; expected digits, or `s` and digits")]
    Id(String),
    /// The scenario could not be read.
    #[error(transparent)]
    Scenario(Box<crate::scenario::Error>),
    /// The datasets are not as they should be.
    #[error(transparent)]
    Datasets(#[from] ingest::Error),
}

impl From<crate::scenario::Error> for Error {
    fn from(error: crate::scenario::Error) -> Self {
        Self::Scenario(Box::new(error))
    }
}

/// The result of building.
pub type Result<T> = std::result::Result<T, Error>;

/// Builds the scenario from the sources in `data` and writes it to `out`: `scenario.toml`,
/// `base/TOPIC.jsonl.zst` and `changes.jsonl.zst`. What is there is overwritten; the README beside
/// them is written by people.
///
/// # Errors
/// When a source is missing or is not what it was, or `out` can't be written.
pub fn build(data: &Path, out: &Path) -> Result<Summary> {
    build_at_level(data, out, 19)
}

/// As [`build`], compressed at a zstd level of 1 to 22: the lines are the same, only the time and
/// the size of the files differ.
///
/// # Errors
/// As [`build`].
pub fn build_at_level(data: &Path, out: &Path, level: i32) -> Result<Summary> {
    story::build(&source::Sources(data), out, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_are_the_days_they_say() {
        assert_eq!(dates::instant("2020-01-19T00:00:00Z").unwrap(), BASE_MS);
        assert_eq!(dates::instant("2021-01-17T00:00:00Z").unwrap(), LATER_MS);
        assert_eq!(dates::instant("2021-03-08T00:00:00Z").unwrap(), CLOCK_MS);
        assert_eq!(dates::iso_day("2015-04-14").unwrap(), Some(EPOCH_MS));
    }
}
