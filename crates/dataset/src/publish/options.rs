//! Settings of a publisher.

use std::time::Duration;

use hollow::write::WriteOptions;

use crate::StepHook;

/// How a [`Publisher`](super::Publisher) works.
#[derive(Clone)]
pub struct PublisherOptions {
    /// Who owns the dataset: a process that is killed and restarted takes over at once under the same name; another one has
    /// to wait until the owner resigns or expires. Unique among those who may run at the same time.
    pub owner: String,
    /// How states are written; also which types go to which optional part.
    pub write: WriteOptions,
    /// Every how many versions a snapshot is written, at least 1. The first of a chain always has one.
    pub snapshot_every: u32,
    /// How many times as long as one in the background took the next has to wait. Nine: they take a tenth of the time at most,
    /// however fast versions follow one another.
    pub snapshot_rest: u32,
    /// Where snapshots are written.
    pub snapshots: Snapshots,
    /// Whether the first state of the dataset may be without any record.
    pub allow_empty: bool,
    /// The least time between two confirmations of one version, in milliseconds of the cycles' `now`.
    pub confirm_interval_ms: i64,
    /// How often the ownership is renewed, from a thread of its own; `None` where no standby waits, or where the caller renews
    /// it. See [`RENEW_EVERY`](crate::RENEW_EVERY).
    pub renew_every: Option<Duration>,
    /// Called after each step; for crash tests.
    pub hook: Option<StepHook>,
}

/// Where the snapshot of every n-th version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// By a thread of low priority, after the announcement. While one is being written, and as long after it as
    /// [`snapshot_rest`](PublisherOptions::snapshot_rest) asks for, the next has to wait for a later version.
    Background,
    /// By the cycle itself, after the announcement: which versions have one is then a function of the cycles alone.
    Inline,
}

impl PublisherOptions {
    /// The defaults: a snapshot every 20 versions in the background, at most one confirmation a second.
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            write: WriteOptions::default(),
            snapshot_every: 20,
            snapshot_rest: 9,
            snapshots: Snapshots::Background,
            allow_empty: false,
            confirm_interval_ms: 1000,
            renew_every: None,
            hook: None,
        }
    }
}
