//! How a producer is doing: counters since it was opened, and where it stands. For `status` and the demo's summary.

use crate::fold::Channel;
use crate::sweep::SweepProgress;
use dataset::{Phases, Version};

/// What became of the records of a cycle, or of all since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records that were read.
    pub read: u64,
    /// They changed what the dataset says.
    pub changed: u64,
    /// They said what the dataset says already, under a newer source version.
    pub confirmed: u64,
    /// Of both, those that deleted.
    pub deletes: u64,
    /// Something newer was there: dropped.
    pub older: u64,
    /// They were folded before: dropped.
    pub again: u64,
    /// They could not be folded and lie in `D.dead`.
    pub dead: u64,
    /// Markers of sweeps.
    pub control: u64,
    /// Keys that were deleted because a whole sweep did not find them; not among `deletes`.
    pub swept: u64,
}

impl RecordCounts {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.changed += other.changed;
        self.confirmed += other.confirmed;
        self.deletes += other.deletes;
        self.older += other.older;
        self.again += other.again;
        self.dead += other.dead;
        self.control += other.control;
        self.swept += other.swept;
    }
}

/// How the last cycle ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// There was none yet.
    #[default]
    NotYet,
    /// A new version is announced.
    Announced(Version),
    /// Nothing that is published changed.
    Unchanged,
    /// The first state is not complete: its topics hold no records and it may not be empty, or it waits for a sweep
    /// ([`SweepProgress::is_awaited`](crate::sweep::SweepProgress::is_awaited)).
    Waiting,
    /// It was rolled back; the next one tries again.
    RolledBack(String),
    /// It failed half-way; the next one finds out what became of it.
    Failed(String),
}

/// How a producer is doing.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The newest version.
    pub version: Option<Version>,
    /// Counts since the producer was opened, of cycles that were not rolled back.
    pub records: RecordCounts,
    /// Counts of the last such cycle.
    pub last_records: RecordCounts,
    /// Cycles since the producer was opened.
    pub cycles: u64,
    /// Of these, those that announced a version.
    pub announced: u64,
    /// Of these, those that were rolled back or failed.
    pub failed: u64,
    /// How the last one ended.
    pub ended: Ended,
    /// How long the phases of the last announced one took.
    pub phases: Phases,
    /// The `now` of the last cycle, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// Records in the topics that are not folded yet, about (offsets have gaps), when the last cycle ended.
    pub behind: u64,
    /// While a first state is being read: records read and records that were there at its start, about.
    pub loading: Option<(u64, u64)>,
    /// Keys whose newer source version waits to be published with something that matters more.
    pub pending: usize,
    /// The next offsets by channel and partition.
    pub position: Vec<(Channel, Vec<i64>)>,
    /// The sweeps of the dataset.
    pub sweeps: SweepProgress,
}
