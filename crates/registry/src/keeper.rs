//! The thread that writes checkpoints to the blob store and truncates the log behind them.
//!
//! Apart from the follower, since a store may be slow, and commands are applied meanwhile. Every instance that runs for long
//! has one; they keep out of each other's way by looking what is there, and do no harm where they don't.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use changelog::{ChangeLog, Position};

use crate::Result;
use crate::instance::{COMMANDS_TOPIC, Shared};
use crate::shared::Shelf;

/// How long after a failure it is tried again. Nothing waits for it but disk space.
const RETRY: Duration = Duration::from_secs(30);

pub(crate) struct Keeper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Arc<dyn ChangeLog>,
    pub(crate) shelf: Shelf,
    pub(crate) every: i64,
}

impl Keeper {
    pub(crate) fn run(self) {
        // At its start it also finishes what another left half done.
        let mut due = 0;
        while self.shared.wait_until(due) {
            match self.keep() {
                Ok(newest) => due = newest.saturating_add(self.every),
                Err(error) if self.shared.stop.load(Ordering::Acquire) => {
                    tracing::debug!(%error, "no checkpoint any more");
                }
                Err(error) => {
                    tracing::warn!(%error, "write a checkpoint of the registry; tried again later");
                    self.shared.pause(RETRY);
                }
            }
        }
    }

    /// Writes a checkpoint if one is due, removes those that are not needed, and truncates the log. Returns the offset of the newest
    /// checkpoint.
    fn keep(&self) -> Result<i64> {
        let newest = self.shelf.offsets()?.last().copied().unwrap_or(0);
        let (applied, bytes) = {
            let state = self.shared.state();
            let is_due = state.applied() >= newest.saturating_add(self.every);
            let bytes = is_due.then(|| self.shelf.encode(&state)).transpose()?;
            (state.applied(), bytes)
        };
        if let Some(bytes) = bytes {
            self.shelf.create(applied, &bytes)?;
            tracing::info!(
                command = applied,
                bytes = bytes.len(),
                "the registry has a new checkpoint"
            );
        }
        // Looked at once more, since others may have written some meanwhile.
        let mut offsets = self.shelf.offsets()?;
        let newest = offsets.pop().unwrap_or(newest);
        if let Some(older) = offsets.pop() {
            // Before the log is truncated, which not every process may have the right to.
            for offset in offsets {
                self.shelf.remove(offset)?;
            }
            self.log
                .truncate(COMMANDS_TOPIC, &[Position::new(0, older)])?;
        }
        Ok(newest)
    }
}
