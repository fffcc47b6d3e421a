//! The thread of one dataset.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dataset::{Standby, Turn};
use registry::{DatasetName, Registry, Version};

use super::board::{Board, State};
use super::metrics;
use super::settings::Process;
use crate::connect::wall_clock_ms;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// The pause before the second try; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a thread does once the dataset is its own.
pub(super) trait Work: Send {
    /// Runs one cycle. An error that is no loss of the ownership may be over at the next one.
    fn cycle(&mut self, now_ms: i64) -> Result<Cycled>;

    /// The newest version.
    fn version(&self) -> Option<Version>;

    /// A flag that lets a cycle under way end early.
    fn interrupt(&self) -> Option<Arc<AtomicBool>> {
        None
    }

    /// Gives up the ownership.
    fn resign(self: Box<Self>, now_ms: i64) -> Result<()>;
}

/// How a cycle ended.
pub(super) enum Cycled {
    /// A new version is announced.
    Announced,
    /// Nothing changed.
    Unchanged,
    /// There is nothing to make a first state of: what is missing.
    Waiting(String),
    /// It was rolled back: why.
    RolledBack(String),
}

/// Opens the work: takes the ownership and goes on where the newest state stands.
pub(super) type Open = Box<dyn Fn(i64) -> Result<Box<dyn Work>> + Send>;

/// One dataset to care for.
pub(super) struct Duty {
    pub(super) dataset: DatasetName,
    pub(super) registry: Arc<dyn Registry>,
    pub(super) cadence: Duration,
    pub(super) open: Open,
}

/// A running thread.
pub(super) struct Worker {
    dataset: DatasetName,
    interrupt: Arc<Mutex<Option<Arc<AtomicBool>>>>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread of a duty.
    pub(super) fn start(duty: Duty, process: &Process, board: &Board, stop: Stop) -> Result<Self> {
        let dataset = duty.dataset.clone();
        board.set(&dataset, State::Starting, None);
        metrics::producing(dataset.as_str(), false);
        let interrupt = Arc::default();
        let mut task = Task {
            standby: Standby::new(
                dataset.clone(),
                Arc::clone(&duty.registry),
                process.name(),
                process.silence(),
            ),
            duty,
            board: board.clone(),
            stop,
            interrupt: Arc::clone(&interrupt),
            started: Instant::now(),
            retry: RETRY_MIN,
        };
        let thread = std::thread::Builder::new()
            .name(format!("work-{}", dataset.name()))
            .spawn(move || task.run())
            .map_err(Error::Spawn)?;
        Ok(Self {
            dataset,
            interrupt,
            thread,
        })
    }

    pub(super) fn dataset(&self) -> &DatasetName {
        &self.dataset
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Lets a cycle that still reads end early. The stop must have been asked for.
    pub(super) fn interrupt(&self) {
        let flag = self
            .interrupt
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(flag) = flag.as_ref() {
            flag.store(true, Ordering::Release);
        }
    }
}

/// How working ended.
enum Ended {
    /// The process is told to stop.
    Stopped,
    /// Another process has taken over.
    Lost(Error),
    /// Another standby was faster.
    NotYet,
}

struct Task {
    duty: Duty,
    standby: Standby,
    board: Board,
    stop: Stop,
    interrupt: Arc<Mutex<Option<Arc<AtomicBool>>>>,
    started: Instant,
    retry: Duration,
}

impl Task {
    fn run(&mut self) {
        // A panic is a mistake of ours, but no reason to take the other datasets down with this one.
        while !self.stop.is_set() {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Ok(Ended::Stopped)) => break,
                Ok(Ok(Ended::Lost(error))) => {
                    tracing::error!(dataset = %self.duty.dataset, %error, "lost");
                    metrics::lost(self.duty.dataset.as_str());
                    self.say(State::Lost, Some(error.to_string()));
                    return;
                }
                Ok(Ok(Ended::NotYet)) => self
                    .stop
                    .wait_until(Instant::now() + self.standby.look_every()),
                Ok(Err(error)) => self.pause(error.with_causes()),
                Err(_) => self.pause("it panicked; the message is in the log".to_owned()),
            }
        }
        metrics::producing(self.duty.dataset.as_str(), false);
        self.say(State::Stopped, None);
    }

    /// Waits for the ownership, opens the work and does it until something ends it.
    fn turn(&mut self) -> Result<Ended> {
        if !self.wait_for_turn()? {
            return Ok(Ended::Stopped);
        }
        self.say(State::Opening, None);
        self.board.busy(&self.duty.dataset, true);
        let opened = (self.duty.open)(wall_clock_ms());
        self.board.busy(&self.duty.dataset, false);
        let work = match opened {
            Ok(work) => work,
            Err(error) if error.is_lost() => {
                tracing::info!(dataset = %self.duty.dataset, %error, "another took the dataset over");
                self.say(State::StandingBy, None);
                return Ok(Ended::NotYet);
            }
            Err(error) => {
                metrics::open_failed(self.duty.dataset.as_str());
                return Err(error);
            }
        };
        metrics::took_over(self.duty.dataset.as_str());
        tracing::info!(dataset = %self.duty.dataset, version = ?work.version().map(|version| version.0), "producing");
        self.work(work)
    }

    /// `false` where the process is told to stop.
    fn wait_for_turn(&mut self) -> Result<bool> {
        let mut seen = None;
        while !self.stop.is_set() {
            match self.standby.look(self.started.elapsed(), wall_clock_ms())? {
                Turn::Mine => return Ok(true),
                Turn::Another { owner } => {
                    if seen.as_ref() != Some(&owner) {
                        tracing::info!(dataset = %self.duty.dataset, owner, "standing by");
                        self.say(State::StandingBy, Some(format!("{owner} owns it")));
                        seen = Some(owner);
                    }
                }
            }
            self.stop
                .wait_until(Instant::now() + self.standby.look_every());
        }
        Ok(false)
    }

    fn work(&mut self, mut work: Box<dyn Work>) -> Result<Ended> {
        *self.lock_interrupt() = work.interrupt();
        while !self.stop.is_set() {
            let due = Instant::now() + self.duty.cadence;
            self.board.busy(&self.duty.dataset, true);
            let (began, now_ms) = (Instant::now(), wall_clock_ms());
            let cycled = work.cycle(now_ms);
            self.board.busy(&self.duty.dataset, false);
            self.board.version(&self.duty.dataset, work.version());
            let ended = match cycled {
                Ok(Cycled::Announced) => self.working("announced"),
                Ok(Cycled::Unchanged) => self.working("unchanged"),
                Ok(Cycled::Waiting(missing)) => {
                    self.say(State::Waiting, Some(missing));
                    "waiting"
                }
                Ok(Cycled::RolledBack(reason)) if !self.stop.is_set() => {
                    self.failing("rolled_back", reason)
                }
                Ok(Cycled::RolledBack(_)) => "rolled_back",
                Err(error) if error.is_lost() => return Ok(Ended::Lost(error)),
                Err(error) => self.failing("failed", error.with_causes()),
            };
            metrics::cycle(self.duty.dataset.as_str(), ended, began.elapsed(), now_ms);
            self.stop.wait_until(due);
        }
        *self.lock_interrupt() = None;
        match work.resign(wall_clock_ms()) {
            Ok(()) => tracing::info!(dataset = %self.duty.dataset, "resigned"),
            Err(error) if error.is_lost() => return Ok(Ended::Lost(error)),
            // The next owner has to wait for the silence.
            Err(error) => {
                tracing::warn!(dataset = %self.duty.dataset, error = error.with_causes(), "resign")
            }
        }
        Ok(Ended::Stopped)
    }

    fn working(&mut self, ended: &'static str) -> &'static str {
        self.retry = RETRY_MIN;
        self.say(State::Producing, None);
        ended
    }

    fn failing(&self, ended: &'static str, reason: String) -> &'static str {
        tracing::error!(dataset = %self.duty.dataset, reason, "a cycle failed; the next one tries again");
        self.say(State::Failing, Some(reason));
        ended
    }

    /// Waits before everything is tried again.
    fn pause(&mut self, reason: String) {
        tracing::error!(
            dataset = %self.duty.dataset, reason, retry_ms = self.retry.as_millis() as u64,
            "it can't be produced; trying again"
        );
        metrics::producing(self.duty.dataset.as_str(), false);
        self.board.busy(&self.duty.dataset, false);
        self.say(State::Failing, Some(reason));
        self.stop.wait_until(Instant::now() + self.retry);
        self.retry = (self.retry * 2).min(RETRY_MAX);
    }

    fn say(&self, state: State, detail: Option<String>) {
        self.board.set(&self.duty.dataset, state, detail);
    }

    fn lock_interrupt(&self) -> std::sync::MutexGuard<'_, Option<Arc<AtomicBool>>> {
        self.interrupt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
