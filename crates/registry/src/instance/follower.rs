//! The thread of an instance that reads the log and applies it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use changelog::{Batch, ChangeLog, Consumer, PollLimit, Position, Refusal as LogRefusal};

use super::{COMMANDS_TOPIC, FORMAT, Shared, Trouble};
use crate::checkpoint::Checkpoint;
use crate::shared::Shelf;
use crate::{Command, DatasetName, Error, Outcome, Result, State, Version};

/// How long the follower waits for commands in one go, and so how long it takes at most to stop.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// How long the follower waits before it reads on after an error.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Reads the log and applies it.
pub(super) struct Follower {
    shared: Arc<Shared>,
    log: Arc<dyn ChangeLog>,
    shelf: Option<Shelf>,
    consumer: Box<dyn Consumer>,
    batch: Batch,
    checkpoint: Checkpoint,
    /// The rows that changed since the checkpoint was written.
    dirty: BTreeSet<(DatasetName, Option<Version>)>,
}

impl Follower {
    /// Takes up the log where the state ends, or goes on from a shared checkpoint where the log begins later.
    pub(super) fn open(
        shared: Arc<Shared>,
        log: Arc<dyn ChangeLog>,
        shelf: Option<Shelf>,
        checkpoint: Checkpoint,
    ) -> Result<Self> {
        let applied = shared.state().applied();
        let (consumer, jumped) = match log.consumer(COMMANDS_TOPIC, &[Position::new(0, applied)]) {
            Err(error) if is_truncated(&error) => {
                let (consumer, state) = behind_truncation(&*log, shelf.as_ref())?;
                (consumer, Some(state))
            }
            opened => (opened?, None),
        };
        let mut follower = Self {
            shared,
            log,
            shelf,
            consumer,
            batch: Batch::new(),
            checkpoint,
            dirty: BTreeSet::new(),
        };
        if let Some(state) = jumped {
            follower.replace(state)?;
        }
        Ok(follower)
    }

    /// Reads on until the instance ends, or can't be right any more.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut troubled = false;
        while !shared.stop.load(Ordering::Acquire) {
            match self.read_or_jump() {
                Ok(()) if troubled => {
                    troubled = false;
                    shared.set_trouble(None);
                }
                Ok(()) => {}
                Err(error) => {
                    let trouble = Trouble::of(&error);
                    let passing = matches!(trouble, Trouble::Passing(_));
                    tracing::warn!(error = %error, passing, "read the registry's log");
                    shared.set_trouble(Some(trouble));
                    if !passing {
                        return;
                    }
                    troubled = true;
                    thread::sleep(RETRY_WAIT);
                }
            }
        }
    }

    /// Reads on, or goes on from a checkpoint where the log has been truncated further than this instance has read.
    fn read_or_jump(&mut self) -> Result<()> {
        match self.read_on() {
            Err(Error::Log(error)) if is_truncated(&error) => {
                let (consumer, state) = behind_truncation(&*self.log, self.shelf.as_ref())?;
                tracing::warn!(
                    from = self.shared.state().applied(),
                    to = state.applied(),
                    "the registry's log was truncated meanwhile; go on from a checkpoint"
                );
                self.consumer = consumer;
                self.replace(state)
            }
            read => read,
        }
    }

    /// Goes on from another state.
    fn replace(&mut self, state: State) -> Result<()> {
        self.checkpoint.replace(&state)?;
        self.dirty.clear();
        let applied = state.applied();
        *self
            .shared
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner) = state;
        let mut progress = self.shared.progress();
        progress.applied = applied;
        progress.skipped = applied;
        drop(progress);
        self.shared.moved.notify_all();
        Ok(())
    }

    /// Applies what a poll returns.
    pub(super) fn read_on(&mut self) -> Result<()> {
        let read = self
            .consumer
            .poll(&mut self.batch, PollLimit::default(), POLL_WAIT)?;
        let mut outcomes = Vec::with_capacity(read);
        let mut failed = Ok(());
        let mut state = self
            .shared
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let before = state.applied();
        for record in self.batch.records() {
            let command = match decode(record.offset, record.value) {
                Ok(command) => command,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            };
            let (outcome, version) = state.apply_traced(record.offset, &command);
            if !matches!(outcome, Outcome::Refused(_)) {
                self.dirty.insert((command.dataset, version));
            }
            outcomes.push((record.offset, outcome));
        }
        // The reader also passes over offsets that hold no record.
        if let (Ok(()), Some(position)) = (&failed, self.consumer.positions().first()) {
            state.advance(position.offset);
        }
        let applied = state.applied();
        drop(state);
        if applied == before {
            return failed;
        }
        let mut progress = self.shared.progress();
        progress.applied = applied;
        if progress.submitting > 0 {
            progress.outcomes.extend(outcomes);
        }
        drop(progress);
        self.shared.moved.notify_all();
        // Nobody waits for it: the log has it all, so the checkpoint may lag behind. What it could not take now goes in with
        // the next write.
        match self.checkpoint.write(&self.shared.state(), &self.dirty) {
            Ok(()) => self.dirty.clear(),
            Err(error) => tracing::warn!(error = %error, "write the registry's checkpoint"),
        }
        failed
    }
}

/// Whether the log no longer holds what was asked for.
pub(super) fn is_truncated(error: &changelog::Error) -> bool {
    let out_of_range = |refusal: &LogRefusal| match refusal {
        LogRefusal::OffsetOutOfRange { offset, begin, .. } => offset < begin,
        _ => false,
    };
    error.refusal().is_some_and(out_of_range)
}

/// The state of the newest checkpoint, and a reader of what follows it.
fn behind_truncation(
    log: &dyn ChangeLog,
    shelf: Option<&Shelf>,
) -> Result<(Box<dyn Consumer>, State)> {
    let begin = log.begin_offsets(COMMANDS_TOPIC)?.first().copied();
    let begin = begin.unwrap_or(0);
    let newest = shelf.map(|shelf| shelf.newest(begin)).transpose()?;
    let state = newest.flatten().ok_or(Error::Truncated { begin })?;
    // Asked after the checkpoint was read, so that it can't have been written since.
    let (applied, end) = (state.applied(), end_of(log)?);
    if applied > end {
        return Err(Error::Lost { end, applied });
    }
    let consumer = log.consumer(COMMANDS_TOPIC, &[Position::new(0, applied)])?;
    Ok((consumer, state))
}

pub(super) fn end_of(log: &dyn ChangeLog) -> Result<i64> {
    Ok(log.end_offset(COMMANDS_TOPIC, 0)?)
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
