//! What can stop a cycle or a question.

use dataset::{DatasetName, Version};

use crate::input::Input;

/// Why the gatekeeper did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Inputs or outputs could not be read or published, or are not there yet.
    #[error(transparent)]
    Dataset(Box<dataset::Error>),
    /// An input's schema lacks what its facts are read from.
    #[error("{input} has no {what} to read facts from")]
    Schema {
        /// The input.
        input: Input,
        /// The type or field that is missing or of another kind.
        what: String,
    },
    /// The rules refuse a configuration or a question.
    #[error(transparent)]
    Rules(#[from] liveness::Error),
    /// A record could not be made into a state.
    #[error("make a state of a record")]
    Output(#[source] Box<hollow::Error>),
    /// Nothing was announced yet at an instant.
    #[error("nothing of {dataset} was announced yet at {}", liveness::Instant(*.at_ms))]
    NothingThen {
        /// The dataset.
        dataset: DatasetName,
        /// The instant, in milliseconds since 1970 UTC.
        at_ms: i64,
    },
    /// A running gatekeeper was asked before its first cycle ended.
    #[error("nothing is evaluated yet")]
    NothingYet,
    /// A record to evaluate with instead of the published one has another key than it stands for.
    #[error("the record given for {input} {key} has another key")]
    Replacement {
        /// The dataset.
        input: Input,
        /// The key that it was given for.
        key: String,
    },
    /// A state of `liveness` does not say by which rules it was decided.
    #[error("version {version} of liveness has no usable tag {tag}")]
    Tag {
        /// The version.
        version: Version,
        /// The header tag.
        tag: String,
    },
}

impl Error {
    /// Whether another gatekeeper has taken over: this one must stop.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Dataset(error) if error.is_lost())
    }

    /// Whether inputs without any announced state stop the evaluation, and which: an empty `holds` that was never published
    /// must not put titles live.
    pub fn missing(&self) -> Option<&[DatasetName]> {
        match self {
            Self::Dataset(error) => match &**error {
                dataset::Error::NoInputs { datasets } => Some(datasets),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether there is nothing to follow yet.
    pub fn is_nothing_to_follow(&self) -> bool {
        matches!(self, Self::Dataset(error) if matches!(**error, dataset::Error::NothingToFollow { .. }))
    }

    /// Whether it is over once inputs, or what is followed, are announced.
    pub fn is_waiting(&self) -> bool {
        self.missing().is_some() || self.is_nothing_to_follow()
    }

    pub(crate) fn output(source: hollow::Error) -> Self {
        Self::Output(Box::new(source))
    }
}

impl From<dataset::Error> for Error {
    /// What this crate said to the evaluation comes back as it was said.
    fn from(error: dataset::Error) -> Self {
        match error {
            dataset::Error::Application(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => Self::Dataset(Box::new(dataset::Error::Application(source))),
            },
            dataset::Error::NothingThen { dataset, at_ms } => Self::NothingThen { dataset, at_ms },
            other => Self::Dataset(Box::new(other)),
        }
    }
}

/// What the gatekeeper answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;
