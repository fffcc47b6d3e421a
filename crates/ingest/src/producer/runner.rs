//! A producer in a thread of its own, by its cadence, until it is told to stop. One thread per dataset: a dataset that is
//! stuck delays no other.

use super::IncrementalProducer;
use crate::error::{Error, Result};
use crate::progress::Progress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A producer that runs.
pub struct ProducerThread {
    progress: Arc<Mutex<Progress>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<IncrementalProducer>>>,
}

struct Shared {
    /// Also looked at in the middle of a cycle.
    stop: Arc<AtomicBool>,
    /// Whether the next cycle is wanted at once.
    wake: Mutex<bool>,
    woken: Condvar,
}

impl ProducerThread {
    /// The shortest cadence.
    pub const CADENCE_MIN: Duration = Duration::from_millis(100);
    /// The cadence where nothing else is said.
    pub const CADENCE_DEFAULT: Duration = Duration::from_secs(30);

    /// Starts the thread: a cycle now, then one every `cadence` (at least [`CADENCE_MIN`](Self::CADENCE_MIN)), or as soon as
    /// the one before has ended. `clock` gives the time in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(
        mut producer: IncrementalProducer,
        cadence: Duration,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    ) -> Result<Self> {
        let cadence = cadence.max(Self::CADENCE_MIN);
        let progress = Arc::clone(&producer.progress);
        let shared = Arc::new(Shared {
            stop: Arc::clone(&producer.folder.stop),
            wake: Mutex::new(false),
            woken: Condvar::new(),
        });
        let ours = Arc::clone(&shared);
        let name = format!("produce-{}", producer.spec().name.name());
        let run = move || {
            while !ours.stop.load(Ordering::Acquire) {
                let next = Instant::now() + cadence;
                if let Err(error) = producer.cycle(clock()) {
                    if error.is_lost() {
                        return Err(error);
                    }
                    tracing::error!(dataset = %producer.spec().name, error = %super::chain_of(&error), "a cycle failed");
                }
                ours.wait(next.saturating_duration_since(Instant::now()));
            }
            producer.publisher.wait_for_snapshot();
            producer.folder.stop.store(false, Ordering::Release);
            Ok(producer)
        };
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(run)
            .map_err(Error::Thread)?;
        Ok(Self {
            progress,
            shared,
            thread: Some(thread),
        })
    }

    /// How the producer is doing, as of its last cycle; while it loads a first state, as of now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the thread has ended: it was told to, or another producer has taken over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Starts the next cycle now instead of when it is due.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Asks the thread to stop, without waiting for it.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake();
    }

    /// Stops the thread and returns the producer, or why it had ended by itself. A cycle that is publishing is finished,
    /// one that still reads is rolled back.
    ///
    /// # Errors
    /// Where another producer has taken over.
    pub fn stop(mut self) -> Result<IncrementalProducer> {
        self.request_stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Error::Stopped),
        }
    }
}

impl Drop for ProducerThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.request_stop();
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn wake(&self) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_all();
    }

    fn wait(&self, timeout: Duration) {
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.woken.wait_timeout_while(wake, timeout, |wake| !*wake);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
