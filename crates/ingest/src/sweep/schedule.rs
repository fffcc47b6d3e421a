//! Sweeps by the clock: each dataset in a thread of its own, so that a source that is slow or gone delays no other.

use super::sweeper::{Clock, SweepReport, wait};
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A sweep that comes again and again.
pub struct SweepJob {
    /// Whose, in messages.
    pub name: String,
    /// The time from the begin of a sweep to the begin of the next, in milliseconds, at least 1.
    pub every_ms: i64,
    /// When the last one began, in milliseconds since 1970 UTC; `None` for never.
    pub last_ms: Option<i64>,
    /// Sweeps once, or goes on with a sweep that was broken off.
    pub run: Box<dyn FnMut() -> Result<SweepReport> + Send>,
}

/// How a job is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// Whose.
    pub name: String,
    /// Whether a sweep runs now.
    pub is_running: bool,
    /// Sweeps that were finished.
    pub finished: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// The last one that was finished.
    pub last: Option<SweepReport>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// Jobs that run by the clock.
pub struct SweepScheduler {
    jobs: Vec<RunningJob>,
    stop: Arc<AtomicBool>,
}

struct RunningJob {
    status: Arc<Mutex<JobStatus>>,
    thread: Option<JoinHandle<()>>,
}

/// The longest wait after a failure.
const RETRY_MS_MAX: i64 = 60_000;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(200);

impl SweepScheduler {
    /// Starts the jobs. One that never swept, or has missed its time, begins at once. `stop` is the flag that the jobs
    /// themselves look at.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(jobs: Vec<SweepJob>, clock: &Clock, stop: &Arc<AtomicBool>) -> Result<Self> {
        let mut scheduler = Self {
            jobs: Vec::new(),
            stop: Arc::clone(stop),
        };
        for job in jobs {
            let status = Arc::new(Mutex::new(JobStatus {
                name: job.name.clone(),
                ..JobStatus::default()
            }));
            let (ours, clock, stop) = (Arc::clone(&status), Arc::clone(clock), Arc::clone(stop));
            let thread = std::thread::Builder::new()
                .name(format!("sweep-{}", job.name))
                .spawn(move || run(job, &clock, &stop, &ours))
                .map_err(Error::Thread)?;
            let thread = Some(thread);
            scheduler.jobs.push(RunningJob { status, thread });
        }
        Ok(scheduler)
    }

    /// How the jobs are doing.
    #[must_use]
    pub fn status(&self) -> Vec<JobStatus> {
        let status = |job: &RunningJob| lock(&job.status).clone();
        self.jobs.iter().map(status).collect()
    }

    /// Stops the jobs and waits for them. Sweeps that run are broken off and can go on later.
    pub fn stop(mut self) -> Vec<JobStatus> {
        self.join();
        self.status()
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Release);
        for job in &mut self.jobs {
            if let Some(thread) = job.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for SweepScheduler {
    fn drop(&mut self) {
        self.join();
    }
}

fn run(mut job: SweepJob, clock: &Clock, stop: &AtomicBool, status: &Mutex<JobStatus>) {
    let every_ms = job.every_ms.max(1);
    let mut due_ms = job
        .last_ms
        .map_or(i64::MIN, |last| last.saturating_add(every_ms));
    let mut retry_ms = 1000;
    loop {
        while clock() < due_ms {
            if wait(TICK, stop).is_err() {
                return;
            }
        }
        if stop.load(Ordering::Acquire) {
            return;
        }
        lock(status).is_running = true;
        let outcome = (job.run)();
        let mut status = lock(status);
        status.is_running = false;
        match outcome {
            Ok(report) => {
                tracing::info!(
                    dataset = job.name,
                    sweep = report.sweep,
                    rows = report.rows,
                    "swept"
                );
                due_ms = report.began_ms.saturating_add(every_ms);
                retry_ms = 1000;
                status.finished += 1;
                status.last = Some(report);
                status.error = None;
            }
            Err(Error::Stopped) => return,
            Err(error) => {
                tracing::error!(dataset = job.name, %error, "a sweep failed; it is tried again");
                due_ms = clock().saturating_add(retry_ms.min(every_ms));
                retry_ms = (retry_ms * 2).min(RETRY_MS_MAX);
                status.failed += 1;
                status.error = Some(error.to_string());
            }
        }
    }
}

fn lock(status: &Mutex<JobStatus>) -> std::sync::MutexGuard<'_, JobStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}
