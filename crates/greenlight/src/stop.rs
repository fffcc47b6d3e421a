//! How a process is asked to stop: once in good order, twice at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};

/// Asks all threads to stop, and wakes them where they wait.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// A stop that is asked for by SIGINT or SIGTERM; a second signal ends the process at once.
    pub(crate) fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let signalled = stop.clone();
        ctrlc::set_handler(move || {
            if signalled.is_set() {
                std::process::exit(130);
            }
            eprintln!("\nstopping: the cycles under way end first; once more stops at once");
            signalled.set();
        })
        .map_err(Error::Signals)?;
        Ok(stop)
    }

    /// Asks to stop.
    pub(crate) fn set(&self) {
        *self.lock() = true;
        self.inner.1.notify_all();
    }

    /// Whether somebody asked to stop.
    pub(crate) fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Waits until `due`, or until somebody asks to stop.
    pub(crate) fn wait_until(&self, due: Instant) {
        let mut stopped = self.lock();
        while !*stopped {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            stopped = self
                .inner
                .1
                .wait_timeout(stopped, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
