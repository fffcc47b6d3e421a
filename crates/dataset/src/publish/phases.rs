//! How long the phases of a cycle take.

use std::time::Instant;

/// How long the phases of a cycle took, in microseconds of the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// The caller's closure.
    pub populate_us: u64,
    /// From the write state to blobs that can be read in the store.
    pub stage_us: u64,
    /// Reading them back, while they become durable.
    pub verify_us: u64,
    /// The guards.
    pub guard_us: u64,
    /// The registry's acceptance.
    pub accept_us: u64,
    /// Public names, announcement and projection.
    pub announce_us: u64,
    /// The snapshot, where it is written inline.
    pub snapshot_us: u64,
}

/// Measures phases. Nothing it says goes into a state.
pub(super) struct PhaseClock {
    pub(super) phases: Phases,
    last: Instant,
}

impl PhaseClock {
    pub(super) fn start() -> Self {
        Self {
            phases: Phases::default(),
            last: Instant::now(),
        }
    }

    /// Microseconds since the last lap.
    pub(super) fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let lap = now.duration_since(self.last);
        self.last = now;
        u64::try_from(lap.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Phases {
    /// The phases up to the announcement, as its metadata.
    pub(super) fn metadata(self) -> impl Iterator<Item = (String, String)> {
        [
            ("phase.populate_us", self.populate_us),
            ("phase.stage_us", self.stage_us),
            ("phase.verify_us", self.verify_us),
            ("phase.guard_us", self.guard_us),
            ("phase.accept_us", self.accept_us),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_string()))
    }
}
