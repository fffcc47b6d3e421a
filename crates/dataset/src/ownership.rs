//! Who produces a dataset now, and who takes over.
//!
//! The owner shows every few seconds that it lives, from a thread of its own, since a cycle may hang in IO for long. A
//! [`Standby`] watches that; when it has seen no renewal for a set time it ends the ownership, and acquires it by opening a
//! [`Publisher`](crate::Publisher).
//!
//! Time is measured by the standby's monotonic clock alone, and nothing but the delay rests on it: a renewal that is in the
//! registry's log before the expiry makes that void, and an owner that was expired wrongly (it was suspended, or cut off) is
//! refused at its next command, because the epoch has moved on. It stops; it never forks the chain.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use registry::{Action, DatasetName, Refusal, Registry};

use crate::{Error, Result};

/// How often an owner renews its ownership, where standbys wait with [`SILENCE`].
pub const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How long an owner is silent before a standby takes over: two renewals may be lost or late, and within ten seconds of the
/// owner's death there is time left to load the state.
pub const SILENCE: Duration = Duration::from_secs(6);

/// Waits for the ownership of one dataset.
pub struct Standby {
    dataset: DatasetName,
    registry: Arc<dyn Registry>,
    owner: String,
    silence: Duration,
    seen: Option<Seen>,
}

/// The newest sign of life of an owner.
struct Seen {
    epoch: u64,
    renewal: u64,
    /// When it was seen first.
    since: Duration,
    /// When the standby looked last.
    looked: Duration,
}

/// Whether it is the standby's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody else owns the dataset: open a publisher. Another standby may be faster; that opening then fails with
    /// [`Error::Lost`], and waiting goes on.
    Mine,
    /// Another owns it.
    Another {
        /// Who.
        owner: String,
    },
}

impl Standby {
    /// Waits in the name of `owner`, until another owner has been silent for `silence` (several times the interval of its
    /// renewals).
    pub fn new(
        dataset: DatasetName,
        registry: Arc<dyn Registry>,
        owner: impl Into<String>,
        silence: Duration,
    ) -> Self {
        Self {
            dataset,
            registry,
            owner: owner.into(),
            silence,
            seen: None,
        }
    }

    /// How long to wait between two looks: short against the silence.
    pub fn look_every(&self) -> Duration {
        self.silence / 12
    }

    /// Looks who owns the dataset, and ends the ownership of one who has been silent for too long. `at` is the standby's
    /// monotonic clock, `now_ms` a remark in milliseconds since 1970 UTC.
    ///
    /// A standby that did not look for half the silence was suspended itself and knows nothing of the time between: it begins
    /// to wait anew.
    ///
    /// # Errors
    /// Those of the registry. Look again: no time counts as silence that passes without an answer.
    pub fn look(&mut self, at: Duration, now_ms: i64) -> Result<Turn> {
        let seen = self.seen.take();
        let failed = |source| Error::Registry {
            dataset: self.dataset.clone(),
            source: Box::new(source),
        };
        let info = self.registry.dataset(&self.dataset).map_err(failed)?;
        let Some((epoch, present)) =
            info.and_then(|info| info.owner.map(|ownership| (info.epoch, ownership)))
        else {
            return Ok(Turn::Mine);
        };
        if present.owner == self.owner {
            return Ok(Turn::Mine);
        }
        let is_same = |seen: &Seen| {
            (seen.epoch, seen.renewal) == (epoch, present.renewal)
                && at.saturating_sub(seen.looked) <= self.silence / 2
        };
        let since = seen.filter(is_same).map_or(at, |seen| seen.since);
        if at.saturating_sub(since) < self.silence {
            self.seen = Some(Seen {
                epoch,
                renewal: present.renewal,
                since,
                looked: at,
            });
            return Ok(Turn::Another {
                owner: present.owner,
            });
        }
        let expire = Action::Expire {
            epoch,
            renewal: present.renewal,
        };
        match self.registry.execute(&self.dataset, now_ms, expire) {
            Ok(_) => {
                tracing::warn!(
                    dataset = %self.dataset, owner = present.owner, epoch,
                    "the owner was silent for too long: its ownership is ended"
                );
                Ok(Turn::Mine)
            }
            // It lives, or another standby was faster.
            Err(error) if error.refusal().is_some() => Ok(Turn::Another {
                owner: present.owner,
            }),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Renews an ownership from a thread of its own until it is dropped, or until the ownership is lost.
pub(crate) struct Renewals {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: Mutex<bool>,
    stopped: Condvar,
    /// The epoch that took over; 0 as long as none did.
    lost_to: AtomicU64,
}

impl Renewals {
    /// Starts to renew `epoch` of `dataset`. `now_ms` is the present time in milliseconds since 1970 UTC.
    pub(crate) fn start(
        dataset: DatasetName,
        registry: Arc<dyn Registry>,
        epoch: u64,
        every: Duration,
        now_ms: i64,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        let started = Instant::now();
        let name = dataset.clone();
        let run = move || {
            let mut reached = true;
            while !ours.wait(every) {
                let elapsed_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
                let at_ms = now_ms.saturating_add(elapsed_ms);
                match registry.execute(&dataset, at_ms, Action::Renew { epoch }) {
                    Ok(_) => reached = true,
                    Err(error) => match error.refusal() {
                        Some(refusal) => {
                            let newest = match refusal {
                                Refusal::NotOwner { epoch } => *epoch,
                                _ => epoch,
                            };
                            ours.lost_to.store(newest.max(1), Ordering::Release);
                            tracing::error!(%dataset, epoch, %refusal, "the ownership is lost");
                            return;
                        }
                        None if reached => {
                            reached = false;
                            tracing::warn!(%dataset, error = %error, "renew the ownership; trying again");
                        }
                        None => {}
                    },
                }
            }
        };
        let thread = thread::Builder::new()
            .name("renew".to_owned())
            .spawn(run)
            .map_err(|source| Error::Thread {
                dataset: name,
                source,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The newest epoch, once the ownership is lost.
    pub(crate) fn lost_to(&self) -> Option<u64> {
        match self.shared.lost_to.load(Ordering::Acquire) {
            0 => None,
            epoch => Some(epoch),
        }
    }
}

impl Drop for Renewals {
    fn drop(&mut self) {
        *self
            .shared
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.take() {
            // It reported a panic itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits until it is time for the next renewal; `true` where there is to be none.
    fn wait(&self, every: Duration) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .stopped
            .wait_timeout_while(stop, every, |stop| !*stop)
            .unwrap_or_else(PoisonError::into_inner);
        *waited.0
    }
}
