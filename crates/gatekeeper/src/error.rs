//! What can stop a cycle or a question.

use dataset::{DatasetName, Version};

use crate::input::Input;

/// Why the gatekeeper did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Inputs without any announced state: an empty `holds` that was never published must not put
    /// titles live, so nothing is evaluated.
    #[error("not evaluated: no state is announced of {}", names(.inputs))]
    NotAnnounced {
        /// Which inputs.
        inputs: Vec<Input>,
    },
    /// An input could not be brought to a version.
    #[error("bring {input} to a version")]
    Refresh {
        /// The input.
        input: Input,
        /// The subscriber's error.
        #[source]
        source: Box<dataset::Error>,
    },
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
    /// Publishing failed.
    #[error("publish liveness")]
    Publish(#[source] Box<dataset::Error>),
    /// A version of `liveness` could not be loaded.
    #[error("load liveness")]
    Liveness(#[source] Box<dataset::Error>),
    /// A state of `liveness` could not be read or made.
    #[error("make a state of liveness")]
    Output(#[source] Box<hollow::Error>),
    /// A blob of `liveness` could not be written to memory.
    #[error("write a blob of liveness")]
    Write(#[source] std::io::Error),
    /// A blob of `liveness` could not be read.
    #[error("read a blob of liveness")]
    Store(#[source] blobstore::Error),
    /// The registry could not be asked.
    #[error("ask the registry")]
    Registry(#[source] Box<registry::Error>),
    /// A name that is no dataset's.
    #[error("`{name}` is no dataset's name")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no output to follow yet.
    #[error("not evaluated: {dataset}, which is to be followed, has no announced state")]
    NothingToFollow {
        /// What was to be followed.
        dataset: DatasetName,
    },
    /// Nothing was announced yet at an instant.
    #[error("nothing of {dataset} was announced yet at {}", liveness::Instant(*.at_ms))]
    NothingThen {
        /// The dataset.
        dataset: DatasetName,
        /// The instant, in milliseconds since 1970 UTC.
        at_ms: i64,
    },
    /// A record to evaluate with instead of the published one has another key than it stands for.
    #[error("the record given for {input} {key} has another key")]
    Replacement {
        /// The dataset.
        input: Input,
        /// The key that it was given for.
        key: String,
    },
    /// The output followed rests on an earlier instant than the follower's own newest one, which
    /// must not go back.
    #[error(
        "not evaluated: version {version} of {dataset} was evaluated at {now_ms} ms, but {output} has a state of {floor_ms} ms already; follow into another output"
    )]
    Behind {
        /// What is followed.
        dataset: DatasetName,
        /// Its version.
        version: Version,
        /// Its `now`, in milliseconds since 1970 UTC.
        now_ms: i64,
        /// The follower's output.
        output: DatasetName,
        /// The instant of its newest state.
        floor_ms: i64,
    },
    /// A state of `liveness` does not say what it was made of.
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
        matches!(self, Self::Publish(error) if error.is_lost())
    }
}

impl Error {
    pub(crate) fn publish(source: dataset::Error) -> Self {
        Self::Publish(Box::new(source))
    }

    pub(crate) fn liveness(source: dataset::Error) -> Self {
        Self::Liveness(Box::new(source))
    }

    pub(crate) fn registry(source: registry::Error) -> Self {
        Self::Registry(Box::new(source))
    }

    pub(crate) fn output(source: hollow::Error) -> Self {
        Self::Output(Box::new(source))
    }

    pub(crate) fn write(source: std::io::Error) -> Self {
        Self::Write(source)
    }

    pub(crate) fn store(source: blobstore::Error) -> Self {
        Self::Store(source)
    }

    pub(crate) fn refresh(input: Input, source: dataset::Error) -> Self {
        let source = Box::new(source);
        Self::Refresh { input, source }
    }
}

/// What the gatekeeper answers.
pub type Result<T> = std::result::Result<T, Error>;

fn names(inputs: &[Input]) -> String {
    let names: Vec<&str> = inputs.iter().map(|input| input.name()).collect();
    names.join(", ")
}

/// An error with what caused it.
pub(crate) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
