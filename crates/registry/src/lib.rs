//! Versions, scopes, pins and consumers: a deterministic state machine over a log.
//!
//! Producers and readers of a dataset never talk to each other; they agree through this registry on which version comes
//! next, who may add it, and which one a reader is to load. It is a [`State`] that changes only by [`Command`]s from one
//! totally ordered log, so that any number of instances hold the same state; see [`state`](State) for what the commands
//! promise together.
//!
//! * [`Registry`] is what producers, readers and commands of operators use.
//! * [`LogRegistry`] is an instance: it appends to the log, applies what it reads from there, and keeps a checkpoint so
//!   that a restart reads only the log's tail. With [`SharedCheckpoints`] in a blob store it also truncates the log.
//! * [`RemoteRegistry`] uses the instance of another process over its Unix socket, where [`RegistryService`] serves it.
//! * [`embedded`] opens a directory that holds log and registry, or connects to the process that has it open.
//!
//! The registry knows versions and sums, not what is inside a blob.

mod checkpoint;
mod command;
pub mod embedded;
mod error;
mod info;
mod instance;
mod keeper;
mod name;
mod service;
mod shared;
mod state;
mod sums;
mod version;

use std::time::Duration;

pub use command::{Acceptance, Action, Command, Outcome, Refusal};
pub use error::{Error, Result};
pub use info::{Confirmation, DatasetInfo, Latest, Lease, Ownership, Pin, VersionInfo};
pub use instance::{COMMANDS_TOPIC, LogRegistry};
pub use name::{DatasetName, NameError, Scope};
pub use service::{RegistryService, RemoteRegistry};
pub use shared::SharedCheckpoints;
pub use state::State;
pub use sums::{BlobSum, Sha256Sum, StateSums, Sum128, SumError};
pub use version::Version;

/// The registry as everybody uses it, wherever the instance runs. Calls block; the value is shared by threads.
///
/// All methods fail with [`Error::Log`] where the log (or the process that serves it) can't be reached. A
/// [`submit`](Self::submit) that fails so may have been done or not: ask before doing anything else.
pub trait Registry: Send + Sync {
    /// Appends a command to the log and returns what became of it, a refusal included, once it is durable and applied.
    ///
    /// # Errors
    /// Those of the log; the outcome is unknown then.
    fn submit(&self, command: &Command) -> Result<Outcome>;

    /// Waits until every command is applied here that any instance had answered before this call. Without it an instance
    /// answers what it knows, and one whose process stood still for a while knows what was true then; its own commands need
    /// no such care, since they come after all others in the log.
    ///
    /// # Errors
    /// Those of the log.
    fn catch_up(&self) -> Result<()>;

    /// All datasets that anybody ever acquired, by name.
    ///
    /// # Errors
    /// Those of the log.
    fn datasets(&self) -> Result<Vec<DatasetInfo>>;

    /// The dataset of that name, once anybody acquired it.
    ///
    /// # Errors
    /// Those of the log.
    fn dataset(&self, name: &DatasetName) -> Result<Option<DatasetInfo>>;

    /// An accepted version.
    ///
    /// # Errors
    /// Those of the log.
    fn version(&self, name: &DatasetName, version: Version) -> Result<Option<VersionInfo>>;

    /// The accepted versions that `selection` picks, in its order.
    ///
    /// # Errors
    /// Those of the log.
    fn versions(&self, name: &DatasetName, selection: &Versions) -> Result<Vec<VersionInfo>>;

    /// Waits until a command later than `seen` was applied, or `timeout` has passed, and returns the number to wait with
    /// next time (0 to begin with). Returns also when nothing that the caller cares about has changed.
    ///
    /// # Errors
    /// Those of the log.
    fn wait(&self, seen: i64, timeout: Duration) -> Result<i64>;

    /// What a consumer at `scope` is to load; `None` where nothing is announced to it. See [`DatasetInfo::latest`].
    ///
    /// # Errors
    /// Those of the log.
    fn latest(&self, name: &DatasetName, scope: &Scope) -> Result<Option<Latest>> {
        Ok(self.dataset(name)?.and_then(|info| info.latest(scope)))
    }

    /// As [`submit`](Self::submit), with a refusal as an error.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of `submit`.
    fn execute(&self, dataset: &DatasetName, at_ms: i64, action: Action) -> Result<Outcome> {
        match self.submit(&Command {
            dataset: dataset.clone(),
            at_ms,
            action,
        })? {
            Outcome::Refused(refusal) => Err(Error::Refused {
                dataset: dataset.clone(),
                refusal,
            }),
            outcome => Ok(outcome),
        }
    }
}

/// Which accepted versions to list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Versions {
    /// The least version.
    pub from: Version,
    /// The greatest version.
    pub to: Version,
    /// Whether the greatest comes first.
    pub newest_first: bool,
    /// The greatest number of versions.
    pub limit: usize,
}

impl Versions {
    /// All of them, the newest first.
    pub fn all() -> Self {
        Self {
            from: Version(0),
            to: Version(i64::MAX),
            newest_first: true,
            limit: usize::MAX,
        }
    }

    /// The newest `limit` of them, the newest first.
    pub fn newest(limit: usize) -> Self {
        Self {
            limit,
            ..Self::all()
        }
    }

    /// Those from `from` to `to`, both included, the oldest first.
    pub fn between(from: Version, to: Version) -> Self {
        Self {
            from,
            to,
            newest_first: false,
            limit: usize::MAX,
        }
    }
}
