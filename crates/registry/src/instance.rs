//! An instance of the registry: the state, kept up with a topic of commands.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use changelog::{
    Batch, ChangeLog, Consumer, NewRecord, PollLimit, Position, Refusal as LogRefusal, TopicSpec,
};

use crate::checkpoint::Checkpoint;
use crate::{
    Command, DatasetInfo, DatasetName, Error, Outcome, Registry, Result, State, Version,
    VersionInfo, Versions,
};

/// The topic of the commands: one partition (the order is total), never compacted.
pub const COMMANDS_TOPIC: &str = "registry.commands";

/// How long to wait in one go for a command that was appended to come back.
const POLL_WAIT: Duration = Duration::from_secs(1);

/// The first byte of each command in the log; what follows is MessagePack.
const FORMAT: u8 = 1;

/// An instance over a log. Any number of processes may each run one over the same log.
pub struct LogRegistry {
    state: RwLock<State>,
    writer: Mutex<Writer>,
    /// The state's `applied`, for those who wait for it to grow.
    applied: Mutex<i64>,
    grown: Condvar,
}

struct Writer {
    log: Arc<dyn ChangeLog>,
    consumer: Box<dyn Consumer>,
    batch: Batch,
    checkpoint: Checkpoint,
    /// The rows that changed since the checkpoint was written.
    dirty: BTreeSet<(DatasetName, Option<Version>)>,
}

impl LogRegistry {
    /// Opens the instance that keeps its checkpoint in `dir`, creates the topic where it is missing, and reads the log to
    /// its present end.
    ///
    /// # Errors
    /// [`Error::Log`], [`Error::Checkpoint`], and [`Error::Command`] for a log that a newer program wrote.
    pub fn open(log: Arc<dyn ChangeLog>, dir: &Path) -> Result<Self> {
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
        let end = log
            .end_offsets(COMMANDS_TOPIC)?
            .first()
            .copied()
            .unwrap_or(0);
        let (checkpoint, state) = Checkpoint::open(dir, topic.id, end)?;
        let consumer = log.consumer(COMMANDS_TOPIC, &[Position::new(0, state.applied())])?;
        let registry = Self {
            applied: Mutex::new(state.applied()),
            state: RwLock::new(state),
            writer: Mutex::new(Writer {
                log,
                consumer,
                batch: Batch::new(),
                checkpoint,
                dirty: BTreeSet::new(),
            }),
            grown: Condvar::new(),
        };
        registry.catch_up()?;
        Ok(registry)
    }

    /// Applies what other instances appended, up to the log's present end.
    ///
    /// # Errors
    /// [`Error::Log`], [`Error::Checkpoint`] and [`Error::Command`].
    pub fn catch_up(&self) -> Result<()> {
        let mut writer = self.writer();
        let end = writer
            .log
            .end_offsets(COMMANDS_TOPIC)?
            .first()
            .copied()
            .unwrap_or(0);
        while self.state().applied() < end {
            self.read_on(&mut writer, None)?;
        }
        Ok(())
    }

    /// Applies what a poll returns, and picks the outcome of the command at offset `wanted`.
    fn read_on(&self, writer: &mut Writer, wanted: Option<i64>) -> Result<Option<Outcome>> {
        let Writer {
            log,
            consumer,
            batch,
            checkpoint,
            dirty,
        } = writer;
        consumer.poll(batch, PollLimit::default(), POLL_WAIT)?;
        let mut found = None;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for record in batch.records() {
            let command = match decode(record.offset, record.value) {
                Ok(command) => command,
                Err(error) => {
                    // Nothing may be applied after a command that is not understood: whoever reads on meets it again.
                    let start = Position::new(0, state.applied());
                    *consumer = log.consumer(COMMANDS_TOPIC, &[start])?;
                    return Err(error);
                }
            };
            let (outcome, version) = state.apply_traced(record.offset, &command);
            if !matches!(outcome, Outcome::Refused(_)) {
                dirty.insert((command.dataset, version));
            }
            if wanted == Some(record.offset) {
                found = Some(outcome);
            }
        }
        // The reader also passes over offsets that hold no record.
        if let Some(position) = consumer.positions().first() {
            state.advance(position.offset);
        }
        let applied = state.applied();
        drop(state);
        // The log has it all, so the checkpoint may lag behind; what it could not take now goes in with the next write.
        match checkpoint.write(&self.state(), dirty) {
            Ok(()) => dirty.clear(),
            Err(error) => tracing::warn!(error = %error, "write the registry's checkpoint"),
        }
        *self.applied.lock().unwrap_or_else(PoisonError::into_inner) = applied;
        self.grown.notify_all();
        Ok(found)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry for LogRegistry {
    fn submit(&self, command: &Command) -> Result<Outcome> {
        let record = NewRecord::new(command.at_ms, command.dataset.as_str(), encode(command)?)
            .to_partition(0);
        let mut writer = self.writer();
        let written = writer.log.append(COMMANDS_TOPIC, &[record])?;
        let offset = written.first().map(|position| position.offset);
        loop {
            if let Some(outcome) = self.read_on(&mut writer, offset)? {
                return Ok(outcome);
            }
        }
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
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        while *applied <= seen {
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            applied = self
                .grown
                .wait_timeout(applied, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(*applied)
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

fn decode(offset: i64, value: Option<&[u8]>) -> Result<Command> {
    let unreadable = |detail: String| Error::Command { offset, detail };
    match value.and_then(|value| value.split_first()) {
        Some((&FORMAT, body)) => {
            rmp_serde::from_slice(body).map_err(|error| unreadable(error.to_string()))
        }
        Some((format, _)) => Err(unreadable(format!("it is in format {format}"))),
        None => Err(unreadable("it is empty".to_owned())),
    }
}
