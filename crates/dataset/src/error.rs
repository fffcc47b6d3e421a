//! What can go wrong with publishing and subscribing.

use std::error::Error as StdError;

use registry::{DatasetName, Refusal, Version};

use crate::Step;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of somebody's own, out of a closure that was passed in.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why publishing or subscribing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The blob store failed.
    #[error("{dataset}: blob store")]
    Store {
        /// The dataset.
        dataset: DatasetName,
        /// The store's error.
        #[source]
        source: blobstore::Error,
    },
    /// The registry failed, or can't be reached.
    #[error("{dataset}: registry")]
    Registry {
        /// The dataset.
        dataset: DatasetName,
        /// The registry's error.
        #[source]
        source: Box<registry::Error>,
    },
    /// A blob could not be read, or a state not be written.
    #[error("{dataset}: {action}")]
    Hollow {
        /// The dataset.
        dataset: DatasetName,
        /// What was being done.
        action: String,
        /// The dataset engine's error.
        #[source]
        source: Box<hollow::Error>,
    },
    /// A blob could not be written to memory.
    #[error("{dataset}: write a blob of version {version}")]
    Blob {
        /// The dataset.
        dataset: DatasetName,
        /// The version it would belong to.
        version: Version,
        /// The dataset engine's error.
        #[source]
        source: std::io::Error,
    },
    /// Another producer owns the dataset now. This one must stop; its last cycle left no trace.
    #[error("{dataset}: another producer has taken over ({refusal}); this one stops")]
    Lost {
        /// The dataset.
        dataset: DatasetName,
        /// How the registry said so.
        refusal: Refusal,
    },
    /// A cycle failed after its version may have been accepted: [`recover`](crate::Publisher::recover) finds out.
    #[error("{dataset}: the last cycle failed half-way; the publisher has to recover first")]
    NeedsRecovery {
        /// The dataset.
        dataset: DatasetName,
    },
    /// What was read back from the store is not what was written.
    #[error("{dataset}: verification of version {version} failed: {what}")]
    Verification {
        /// The dataset.
        dataset: DatasetName,
        /// The candidate.
        version: Version,
        /// What differs.
        what: &'static str,
    },
    /// A guard refused the candidate.
    #[error("{dataset}: {guard} refused version {version}: {reason}")]
    Vetoed {
        /// The dataset.
        dataset: DatasetName,
        /// The guard's name.
        guard: String,
        /// The candidate.
        version: Version,
        /// The guard's words.
        reason: String,
    },
    /// The first state of a dataset would be empty, and the options don't allow that.
    #[error("{dataset}: the first state would be empty; allow_empty is off")]
    Empty {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The closure that changes the write state failed.
    #[error("{dataset}: populate")]
    Populate {
        /// The dataset.
        dataset: DatasetName,
        /// Its error.
        #[source]
        source: BoxError,
    },
    /// A blob that the registry promises is missing or is another one: the store was tampered with or lost data.
    #[error("{dataset}: blob {name} of version {version} is {what}")]
    Damaged {
        /// The dataset.
        dataset: DatasetName,
        /// The version it belongs to.
        version: Version,
        /// Its name.
        name: String,
        /// "missing", or in what it differs.
        what: &'static str,
    },
    /// There is no such version to be read.
    #[error("{dataset} has no version {version}")]
    UnknownVersion {
        /// The dataset.
        dataset: DatasetName,
        /// The version asked for.
        version: Version,
    },
    /// Nothing was announced yet.
    #[error("{dataset} has no announced state yet")]
    NotAnnounced {
        /// The dataset.
        dataset: DatasetName,
    },
    /// No snapshot leads to the version.
    #[error("{dataset}: no snapshot of its chain leads to version {version}")]
    NoSnapshot {
        /// The dataset.
        dataset: DatasetName,
        /// The version asked for.
        version: Version,
    },
    /// The thread that renews the ownership could not be started.
    #[error("{dataset}: start the thread that renews the ownership")]
    Thread {
        /// The dataset.
        dataset: DatasetName,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Inputs of an application without any announced state. An input that was never published never counts as empty.
    #[error("not evaluated: no state is announced of {}", names(.datasets))]
    NoInputs {
        /// Which inputs.
        datasets: Vec<DatasetName>,
    },
    /// An input of an application could not be brought to a version.
    #[error("bring {dataset} to a version")]
    Input {
        /// The input.
        dataset: DatasetName,
        /// The subscriber's error.
        #[source]
        source: Box<Error>,
    },
    /// The application that decides an output failed.
    #[error("evaluate")]
    Application(#[source] BoxError),
    /// A name that is no dataset's.
    #[error("`{name}` is no dataset's name")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no output to follow yet.
    #[error("not evaluated: {dataset}, which is to be followed, has no announced state")]
    NothingToFollow {
        /// The output.
        dataset: DatasetName,
    },
    /// Nothing was announced yet at an instant.
    #[error("nothing of {dataset} was announced yet at {at_ms} ms")]
    NothingThen {
        /// The output.
        dataset: DatasetName,
        /// The instant, in milliseconds since 1970 UTC.
        at_ms: i64,
    },
    /// The output followed rests on an earlier instant than the follower's own newest one, which must not go back.
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
    /// A state of an output does not say what it was made of.
    #[error("version {version} of {dataset} has no usable tag {tag}")]
    Tag {
        /// The output.
        dataset: DatasetName,
        /// The version.
        version: Version,
        /// The header tag.
        tag: String,
    },
    /// A hook stopped the cycle (in tests).
    #[error("{dataset}: stopped after {step:?}")]
    Aborted {
        /// The dataset.
        dataset: DatasetName,
        /// After which step.
        step: Step,
    },
}

impl Error {
    /// Whether another producer has taken over: this one must stop.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    pub(crate) fn input(dataset: &DatasetName, source: Self) -> Self {
        Self::Input {
            dataset: dataset.clone(),
            source: Box::new(source),
        }
    }

    pub(crate) fn registry(dataset: &DatasetName, source: registry::Error) -> Self {
        Self::Registry {
            dataset: dataset.clone(),
            source: Box::new(source),
        }
    }
}

fn names(datasets: &[DatasetName]) -> String {
    let names: Vec<&str> = datasets.iter().map(DatasetName::name).collect();
    names.join(", ")
}

/// An error with what caused it, on one line.
pub(crate) fn reasons(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
