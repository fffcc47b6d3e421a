//! The commands that change the registry, and what becomes of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BlobSum, DatasetName, Scope, StateSums, Version};

/// One command: an entry of the totally ordered log that all instances apply alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Whom it concerns.
    pub dataset: DatasetName,
    /// The submitter's time in milliseconds since 1970 UTC. Kept as a remark, and the clock that versions are minted from;
    /// nothing expires by it.
    pub at_ms: i64,
    /// What to do.
    pub action: Action,
}

/// What a [`Command`] does. Epochs fence: whoever lost the ownership is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Take the ownership: raises the epoch. Granted where nobody owns the dataset or `owner` does (as a process that was
    /// killed and restarted does), and the epoch is still the expected one.
    Acquire {
        /// Who; unique among those who may compete.
        owner: String,
        /// The epoch the acquirer has seen, 0 for a dataset that never had an owner.
        expected_epoch: u64,
    },
    /// Give up the ownership.
    Resign {
        /// The owner's epoch.
        epoch: u64,
    },
    /// The owner shows that it lives.
    Renew {
        /// The owner's epoch.
        epoch: u64,
    },
    /// A standby, whose own monotonic clock saw no renewal for too long, ends the ownership. Void after a newer renewal.
    Expire {
        /// The epoch it saw.
        epoch: u64,
        /// The last renewal it saw.
        renewal: u64,
    },
    /// Mint a version for a candidate.
    Stage {
        /// The owner's epoch.
        epoch: u64,
    },
    /// Let the chain grow by a candidate.
    Accept(Acceptance),
    /// Make an accepted version the newest for a scope.
    Announce {
        /// The owner's epoch.
        epoch: u64,
        /// The accepted version.
        version: Version,
        /// For whom; narrower scopes first is how a rollout goes.
        scope: Scope,
        /// Remarks of the producer: phase times, ages of inputs, header tags.
        metadata: BTreeMap<String, String>,
    },
    /// Record that nothing changed: the newest state is also that of a later position, or of later inputs and time.
    Confirm {
        /// The owner's epoch.
        epoch: u64,
        /// The newest announced version.
        version: Version,
        /// The position, or input versions and `now`.
        tags: BTreeMap<String, String>,
    },
    /// Force a version on a scope, whatever is announced.
    Pin {
        /// On whom.
        scope: Scope,
        /// An announced version.
        version: Version,
        /// Who did it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Remove the pin of exactly this scope.
    Unpin {
        /// The pin's scope.
        scope: Scope,
    },
    /// Ask the janitor to keep what is needed to load a version. Asking again prolongs.
    Lease {
        /// An accepted version.
        version: Version,
        /// Who needs it.
        holder: String,
        /// Until when, by the clock of whoever honours it, in milliseconds since 1970 UTC.
        until_ms: i64,
    },
    /// End a lease.
    Release {
        /// The leased version.
        version: Version,
        /// Who needed it.
        holder: String,
    },
}

/// A candidate as it asks to be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The owner's epoch, in which the version was staged.
    pub epoch: u64,
    /// The version staged last.
    pub version: Version,
    /// The newest accepted version as the producer knows it; the first that names it wins.
    pub previous: Option<Version>,
    /// Whether a new chain starts here (no delta leads from `previous`); always so where there is no previous version.
    pub chain_start: bool,
    /// The blobs of the candidate.
    pub blobs: Vec<BlobSum>,
    /// The sums of the state.
    pub sums: StateSums,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The ownership is the submitter's.
    Acquired {
        /// Its epoch, to be named in all further commands.
        epoch: u64,
    },
    /// The ownership is renewed.
    Renewed {
        /// The number of this renewal.
        renewal: u64,
    },
    /// The version to stage.
    Staged {
        /// Above every version staged or accepted before.
        version: Version,
    },
    /// Done (or was done already).
    Done,
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// Why a command changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The expected epoch is not the present one.
    #[error("the epoch is {epoch}, not the expected one: another has acquired the dataset")]
    OtherEpoch {
        /// The present epoch.
        epoch: u64,
    },
    /// Another owns the dataset.
    #[error("{owner} owns the dataset in epoch {epoch}; it has to resign or expire first")]
    Owned {
        /// Who.
        owner: String,
        /// Since when.
        epoch: u64,
    },
    /// The submitter no longer owns the dataset, or never did.
    #[error("the submitter lost the dataset (or never owned it); the newest epoch is {epoch}")]
    NotOwner {
        /// The present epoch, whether anybody owns it or not.
        epoch: u64,
    },
    /// The owner was renewed since.
    #[error("the owner lives: it was renewed {renewal} times")]
    Renewed {
        /// The number of its last renewal.
        renewal: u64,
    },
    /// The clock is unfit to mint versions from.
    #[error("the clock is outside the years 1970 to 9999")]
    Clock,
    /// The candidate is not the one staged last in this epoch.
    #[error("version {version} is not the one staged last in this epoch")]
    NotStaged {
        /// The candidate's version.
        version: Version,
    },
    /// The chain has grown since: another producer was first.
    #[error("the newest accepted version is {}, not the expected one", head.map_or("none".to_owned(), |head| head.to_string()))]
    OtherHead {
        /// The newest accepted version.
        head: Option<Version>,
    },
    /// The newest accepted version has to be announced first.
    #[error("version {version} is accepted but not announced yet; it comes first")]
    Unannounced {
        /// The newest accepted version.
        version: Version,
    },
    /// The first version of a dataset must start a chain.
    #[error("without a version before it, version {version} must start a chain")]
    NoChain {
        /// The candidate's version.
        version: Version,
    },
    /// The dataset has no such version, or it is in no state for this.
    #[error("the dataset has no {} version {version}", if *announced { "announced" } else { "accepted" })]
    UnknownVersion {
        /// The version asked for.
        version: Version,
        /// Whether it had to be announced.
        announced: bool,
    },
    /// A newer version is announced to the same scope.
    #[error("version {newest} is announced there already")]
    Superseded {
        /// The version announced there.
        newest: Version,
    },
    /// There is no pin of exactly that scope.
    #[error("there is no pin for {scope}")]
    NoPin {
        /// The scope asked for.
        scope: Scope,
    },
}
