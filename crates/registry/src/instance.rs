//! An instance of the registry: the state, kept up with a topic of commands.

mod follower;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use changelog::{ChangeLog, NewRecord, Refusal as LogRefusal, TopicSpec};

use self::follower::{Follower, end_of, is_truncated};
use crate::checkpoint::Checkpoint;
use crate::keeper::Keeper;
use crate::shared::{SharedCheckpoints, Shelf};
use crate::{
    Command, DatasetInfo, DatasetName, Error, Outcome, Registry, Result, State, Version,
    VersionInfo, Versions,
};

/// The topic of the commands: one partition (the order is total), never compacted.
pub const COMMANDS_TOPIC: &str = "registry.commands";

/// How long the end of an instance waits for a checkpoint that is being written.
const KEEPER_PATIENCE: Duration = Duration::from_secs(5);

/// The first byte of each command in the log; what follows is MessagePack.
const FORMAT: u8 = 1;

/// An instance over a log. Any number of processes may each run one over the same log: a thread of it, the follower,
/// applies what any of them appended as soon as it is there.
pub struct LogRegistry {
    shared: Arc<Shared>,
    log: Arc<dyn ChangeLog>,
    follower: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
}

/// What the threads of an instance and its callers share.
pub(crate) struct Shared {
    state: RwLock<State>,
    progress: Mutex<Progress>,
    moved: Condvar,
    pub(crate) stop: AtomicBool,
}

/// How far the follower is, for those who wait for it.
struct Progress {
    /// The state's `applied`.
    applied: i64,
    /// How many calls wait for the outcome of a command that they append.
    submitting: usize,
    /// The outcomes of all commands applied while somebody waits for one, by offset.
    outcomes: BTreeMap<i64, Outcome>,
    /// Of commands below this offset nobody saw the outcome: the state was taken from a checkpoint.
    skipped: i64,
    trouble: Option<Trouble>,
}

/// Why the follower does not get on.
#[derive(Clone)]
enum Trouble {
    /// It has ended: nothing may be applied after a command that is not understood.
    Command { offset: i64, detail: String },
    /// It has ended: the log is not the one that it was.
    Refused(LogRefusal),
    /// It has ended: what the log lacks is nowhere else.
    Truncated { begin: i64 },
    /// It tries again.
    Passing(String),
}

impl LogRegistry {
    /// Opens the instance that keeps its checkpoint in `dir`, creates the topic where it is missing, and reads the log to
    /// its present end. The log has to be whole, or to begin where that checkpoint reaches.
    ///
    /// # Errors
    /// [`Error::Log`], [`Error::Checkpoint`], [`Error::Command`] for a log that a newer program wrote, and
    /// [`Error::Truncated`].
    pub fn open(log: Arc<dyn ChangeLog>, dir: &Path) -> Result<Self> {
        Self::open_inner(log, dir, None)
    }

    /// As [`open`](Self::open), with checkpoints in a blob store that all instances share: this one starts from there where
    /// its own reaches less far than the log's beginning.
    ///
    /// # Errors
    /// As [`open`](Self::open), [`Error::Store`], and [`Error::Lost`].
    pub fn open_with(
        log: Arc<dyn ChangeLog>,
        dir: &Path,
        checkpoints: SharedCheckpoints,
    ) -> Result<Self> {
        Self::open_inner(log, dir, Some(checkpoints))
    }

    fn open_inner(
        log: Arc<dyn ChangeLog>,
        dir: &Path,
        checkpoints: Option<SharedCheckpoints>,
    ) -> Result<Self> {
        let topic = match log.topic(COMMANDS_TOPIC)? {
            Some(topic) => topic,
            None => match log.create_topic(&TopicSpec::new(COMMANDS_TOPIC, 1)) {
                // Another instance was faster.
                Err(error) if matches!(error.refusal(), Some(LogRefusal::TopicExists { .. })) => {
                    log.topic(COMMANDS_TOPIC)?.ok_or(error)?
                }
                created => created?,
            },
        };
        let every = checkpoints.as_ref().and_then(|shared| shared.every);
        let shelf = checkpoints.map(|shared| Shelf::new(shared.store, topic.id));
        let end = end_of(&*log)?;
        let (checkpoint, state) = Checkpoint::open(dir, topic.id, end)?;
        let applied = state.applied();
        let shared = Arc::new(Shared {
            progress: Mutex::new(Progress {
                applied,
                submitting: 0,
                outcomes: BTreeMap::new(),
                skipped: 0,
                trouble: None,
            }),
            state: RwLock::new(state),
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let mut follower = Follower::open(
            Arc::clone(&shared),
            Arc::clone(&log),
            shelf.clone(),
            checkpoint,
        )?;
        while shared.state().applied() < end {
            follower.read_on()?;
        }
        let mut registry = Self {
            shared: Arc::clone(&shared),
            log: Arc::clone(&log),
            follower: Some(spawn("registry", dir, move || follower.run())?),
            keeper: None,
        };
        if let (Some(shelf), Some(every)) = (shelf, every) {
            let keeper = Keeper {
                shared,
                log,
                shelf,
                every: i64::try_from(every).unwrap_or(i64::MAX),
            };
            registry.keeper = Some(spawn("registry-keeper", dir, move || keeper.run())?);
        }
        Ok(registry)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for LogRegistry {
    fn drop(&mut self) {
        self.shared.stop();
        if self
            .follower
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the registry's follower panicked");
        }
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        // It may wait for a store that does not answer; whatever it leaves half done, another one finishes.
        let started = Instant::now();
        while !keeper.is_finished() && started.elapsed() < KEEPER_PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        if keeper.is_finished() && keeper.join().is_err() {
            tracing::error!("the registry's keeper panicked");
        }
    }
}

impl Shared {
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` gives something.
    fn wait_for<T>(&self, mut ready: impl FnMut(&mut Progress) -> Option<Result<T>>) -> Result<T> {
        let mut progress = self.progress();
        loop {
            if let Some(found) = ready(&mut progress) {
                return found;
            }
            if let Some(trouble) = &progress.trouble {
                return Err(trouble.to_error());
            }
            progress = self
                .moved
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until so many commands are applied; `false` where the instance ends.
    pub(crate) fn wait_until(&self, applied: i64) -> bool {
        let mut progress = self.progress();
        while progress.applied < applied && !self.stop.load(Ordering::Acquire) {
            progress = self
                .moved
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !self.stop.load(Ordering::Acquire)
    }

    /// Waits so long, or until the instance ends.
    pub(crate) fn pause(&self, pause: Duration) {
        let started = Instant::now();
        let mut progress = self.progress();
        while !self.stop.load(Ordering::Acquire) {
            let left = pause.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            progress = self
                .moved
                .wait_timeout(progress, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn stop(&self) {
        // Under the lock, so that nobody goes to sleep between looking and being woken.
        let progress = self.progress();
        self.stop.store(true, Ordering::Release);
        drop(progress);
        self.moved.notify_all();
    }

    fn set_trouble(&self, trouble: Option<Trouble>) {
        self.progress().trouble = trouble;
        self.moved.notify_all();
    }
}

impl Trouble {
    fn of(error: &Error) -> Self {
        match error {
            Error::Command { offset, detail } => Self::Command {
                offset: *offset,
                detail: detail.clone(),
            },
            Error::Truncated { begin } => Self::Truncated { begin: *begin },
            // Truncated once more while it looked for a checkpoint.
            Error::Log(error) if is_truncated(error) => Self::Passing(error.to_string()),
            Error::Log(changelog::Error::Refused(refusal)) => Self::Refused(refusal.clone()),
            error => Self::Passing(error.to_string()),
        }
    }

    fn to_error(&self) -> Error {
        match self.clone() {
            Self::Command { offset, detail } => Error::Command { offset, detail },
            Self::Refused(refusal) => Error::Log(refusal.into()),
            Self::Truncated { begin } => Error::Truncated { begin },
            Self::Passing(detail) => Error::Behind { detail },
        }
    }
}

/// A call that waits for an outcome. While there is one, outcomes are kept.
struct Submitting<'a>(&'a Shared);

impl<'a> Submitting<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.progress().submitting += 1;
        Self(shared)
    }
}

impl Drop for Submitting<'_> {
    fn drop(&mut self) {
        let mut progress = self.0.progress();
        progress.submitting -= 1;
        if progress.submitting == 0 {
            progress.outcomes.clear();
        }
    }
}

fn spawn(name: &str, dir: &Path, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|source| Error::Io {
        action: "start a thread for",
        path: dir.to_owned(),
        source,
    })
}

impl Registry for LogRegistry {
    fn submit(&self, command: &Command) -> Result<Outcome> {
        let record = NewRecord::new(command.at_ms, command.dataset.as_str(), encode(command)?)
            .to_partition(0);
        if let Some(trouble) = &self.shared.progress().trouble {
            return Err(trouble.to_error());
        }
        let submitting = Submitting::begin(&self.shared);
        let written = self.log.append(COMMANDS_TOPIC, &[record])?;
        let offset = written.first().map_or(0, |position| position.offset);
        submitting
            .0
            .wait_for(|progress| match progress.outcomes.remove(&offset) {
                Some(outcome) => Some(Ok(outcome)),
                None if offset < progress.skipped => Some(Err(Error::Skipped { offset })),
                None => None,
            })
    }

    fn catch_up(&self) -> Result<()> {
        let end = end_of(&*self.log)?;
        self.shared
            .wait_for(|progress| (progress.applied >= end).then_some(Ok(())))
    }

    fn datasets(&self) -> Result<Vec<DatasetInfo>> {
        Ok(self.state().datasets().cloned().collect())
    }

    fn dataset(&self, name: &DatasetName) -> Result<Option<DatasetInfo>> {
        Ok(self.state().dataset(name).cloned())
    }

    fn version(&self, name: &DatasetName, version: Version) -> Result<Option<VersionInfo>> {
        Ok(self.state().version(name, version).cloned())
    }

    fn versions(&self, name: &DatasetName, selection: &Versions) -> Result<Vec<VersionInfo>> {
        let state = self.state();
        let versions = state.versions(name, selection.from..=selection.to);
        Ok(if selection.newest_first {
            versions.rev().take(selection.limit).cloned().collect()
        } else {
            versions.take(selection.limit).cloned().collect()
        })
    }

    fn wait(&self, seen: i64, timeout: Duration) -> Result<i64> {
        let started = Instant::now();
        let mut progress = self.shared.progress();
        while progress.applied <= seen {
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            progress = self
                .shared
                .moved
                .wait_timeout(progress, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(progress.applied)
    }
}

fn encode(command: &Command) -> Result<Vec<u8>> {
    let mut bytes = vec![FORMAT];
    rmp_serde::encode::write_named(&mut bytes, command).map_err(|error| Error::Encoding {
        what: "a command".to_owned(),
        detail: error.to_string(),
    })?;
    Ok(bytes)
}
