//! The demo's clock: stopped, or running from the scenario's day on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// Tells the demo's time in milliseconds since 1970, UTC. Shared by the threads of all roles.
pub(super) struct Clock {
    start_ms: i64,
    /// `None` for a stopped clock.
    running: Option<(Instant, u32)>,
    latest_ms: AtomicI64,
}

impl Clock {
    /// A clock that always says `at_ms`.
    pub(super) fn stopped(at_ms: i64) -> Self {
        Self {
            start_ms: at_ms,
            running: None,
            latest_ms: AtomicI64::new(at_ms),
        }
    }

    /// A clock that says `at_ms` now and runs `speed` times as fast as real time.
    pub(super) fn running(at_ms: i64, speed: u32) -> Self {
        Self {
            start_ms: at_ms,
            running: Some((Instant::now(), speed)),
            latest_ms: AtomicI64::new(at_ms),
        }
    }

    /// The time; it never goes back.
    pub(super) fn now_ms(&self) -> i64 {
        let now_ms = match &self.running {
            None => self.start_ms,
            Some((started, speed)) => {
                let elapsed_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
                self.start_ms
                    .saturating_add(elapsed_ms.saturating_mul(i64::from(*speed)))
            }
        };
        self.latest_ms
            .fetch_max(now_ms, Ordering::Relaxed)
            .max(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_stands_and_a_running_one_does_not_go_back() {
        let stopped = Clock::stopped(5);
        assert_eq!((stopped.now_ms(), stopped.now_ms()), (5, 5));
        let running = Clock::running(5, 1_000);
        let mut last = 5;
        while last == 5 {
            let now = running.now_ms();
            assert!(now >= last);
            last = now;
        }
    }
}
