//! The steps of a cycle as places where a test can stop it.
//!
//! Exactly-once is a claim about every point at which a process can die, so every point has a name here: crash tests go
//! through all of them, with an error and with a killed process. Without a hook the calls cost nothing.

use std::sync::Arc;

/// What has just been done. In this order within a cycle; a cycle that ends early skips the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The ownership is acquired (when a publisher is opened).
    Acquired,
    /// The write state is changed.
    Populated,
    /// "Nothing changed" is recorded; the cycle ends here then.
    Confirmed,
    /// The version is minted.
    Minted,
    /// The blobs of the candidate are written.
    BlobsStaged,
    /// The candidate is read back and agrees.
    Verified,
    /// All guards agree.
    Guarded,
    /// The chain has grown.
    Accepted,
    /// One blob has its public name; others of the version may not.
    BlobPromoted,
    /// The registry announces the version.
    Announced,
    /// `announced.version` says so too.
    Projected,
    /// Candidates that are not needed any more are gone.
    Cleaned,
    /// The snapshot lies, read back, beside the candidates.
    SnapshotStaged,
    /// One blob of the snapshot has its public name.
    SnapshotPromoted,
}

/// An order to stop as if the step after had failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort;

/// Called after each step. May return [`Abort`], block, or end the process. Snapshots in the background call it from their
/// own thread, and so does each blob that is promoted beside others.
pub type StepHook = Arc<dyn Fn(Step) -> Result<(), Abort> + Send + Sync>;
