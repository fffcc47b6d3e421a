//! What a cycle has to tell.

use dataset::evaluate::{EvaluationPhases, Followed, InputStatus};
use serde::Serialize;

/// A cycle's summary. Instants are milliseconds since 1970 UTC.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CycleSummary {
    /// The version of `liveness` after the cycle; `None` if there is none yet.
    pub version: Option<i64>,
    /// How the cycle ended.
    pub end: CycleEnd,
    /// The cycle's `now`.
    pub now_ms: i64,
    /// What was followed; `None` where the cycle chose inputs and `now` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
    /// The inputs, by name as in the issue of the ten.
    pub inputs: Vec<InputStatus>,
    /// The videos evaluated: movies, shows, seasons and episodes.
    pub videos: u64,
    /// Of these, the movies and shows.
    pub titles: u64,
    /// The countries evaluated: those with a policy.
    pub countries: u64,
    /// The pairs of video and country evaluated.
    pub pairs: u64,
    /// The pairs that are live.
    pub live: u64,
    /// The pairs that are not.
    pub not_live: u64,
    /// The pairs that became live since the last cycle.
    pub went_live: u64,
    /// The pairs that stopped being live since the last cycle.
    pub went_dark: u64,
    /// The videos whose record was written or removed.
    pub records_changed: u64,
    /// The input records that were read for it.
    pub records_read: u64,
    /// The pairs that each blocker holds back, most first.
    pub blockers: Vec<BlockerCount>,
    /// How long the phases took.
    pub phases: Phases,
}

/// How a cycle ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CycleEnd {
    /// A new version is announced.
    Announced,
    /// Nothing changed.
    Unchanged,
    /// What is followed has nothing that this follower has not evaluated; the counts are those of
    /// its last cycle.
    Idle,
    /// A guard or a check refused the new version; the one before stays.
    RolledBack {
        /// Why.
        reason: String,
    },
}

/// How many pairs a blocker holds back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BlockerCount {
    /// The blocker's code.
    pub code: String,
    /// The pairs.
    pub pairs: u64,
}

/// How long the phases of a cycle took, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Phases {
    /// Moving the inputs and bringing the facts up to date.
    pub refresh_us: u64,
    /// Asking the rules about new facts.
    pub prepare_us: u64,
    /// Evaluating every video in every country.
    pub evaluate_us: u64,
    /// Comparing with the verdicts before.
    pub compare_us: u64,
    /// Writing what changed.
    pub populate_us: u64,
    /// From the write state to blobs in the store.
    pub stage_us: u64,
    /// Reading them back.
    pub verify_us: u64,
    /// The guards.
    pub guard_us: u64,
    /// The registry's acceptance.
    pub accept_us: u64,
    /// Public names and the announcement.
    pub announce_us: u64,
    /// The whole cycle.
    pub total_us: u64,
}

impl Phases {
    pub(crate) fn of(phases: &EvaluationPhases) -> Self {
        let publish = &phases.publish;
        Self {
            refresh_us: phases.refresh_us,
            prepare_us: phases.prepare_us,
            evaluate_us: phases.evaluate_us,
            compare_us: phases.compare_us,
            populate_us: publish.populate_us,
            stage_us: publish.stage_us,
            verify_us: publish.verify_us,
            guard_us: publish.guard_us,
            accept_us: publish.accept_us,
            announce_us: publish.announce_us,
            total_us: phases.total_us,
        }
    }
}
