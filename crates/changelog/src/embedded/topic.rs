//! What the log keeps in memory of a topic: where its partitions begin and end, and who waits for records.

use super::store::{PartitionMeta, Slot, TopicMeta};
use crate::error::{Refusal, Result};
use crate::types::{Position, TopicInfo};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) struct Topic {
    /// Held by whoever changes the topic or appends to it, also while that is being written.
    changes: Mutex<()>,
    /// Held for moments only, so that readers don't wait for the disk of a writer.
    state: Mutex<TopicState>,
    arrived: Condvar,
}

#[derive(Clone)]
pub(super) struct TopicState {
    pub(super) meta: TopicMeta,
    pub(super) deleted: bool,
    pub(super) partitions: Vec<PartitionMeta>,
    /// Where the next record without key and partition goes.
    pub(super) next_keyless: u32,
}

impl TopicState {
    pub(super) fn slot(&self, partition: u32) -> Slot {
        Slot {
            number: self.meta.number,
            partition,
        }
    }

    pub(super) fn info(&self) -> TopicInfo {
        self.meta.info()
    }

    /// The partition's begin and end.
    pub(super) fn partition(&self, partition: u32) -> Result<PartitionMeta> {
        let found = self.partitions.get(partition as usize).copied();
        Ok(found.ok_or_else(|| Refusal::UnknownPartition {
            topic: self.meta.spec.name.clone(),
            partition,
            partitions: self.meta.spec.partitions,
        })?)
    }

    /// Refuses a position outside of `begin..=end` of its partition.
    pub(super) fn check(&self, position: Position) -> Result<()> {
        let PartitionMeta { begin, end, .. } = self.partition(position.partition)?;
        if (begin..=end).contains(&position.offset) {
            return Ok(());
        }
        let topic = self.meta.spec.name.clone();
        let Position { partition, offset } = position;
        Err(Refusal::OffsetOutOfRange {
            topic,
            partition,
            offset,
            begin,
            end,
        }
        .into())
    }
}

impl Topic {
    pub(super) fn new(meta: TopicMeta, partitions: Vec<PartitionMeta>) -> Self {
        let state = TopicState {
            meta,
            deleted: false,
            partitions,
            next_keyless: 0,
        };
        Self {
            changes: Mutex::default(),
            state: Mutex::new(state),
            arrived: Condvar::new(),
        }
    }

    /// Keeps other writers out until the guard is dropped.
    pub(super) fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, TopicState> {
        // Changes of the state are single assignments, so a panic elsewhere can't leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes those who wait.
    pub(super) fn publish(&self, change: impl FnOnce(&mut TopicState)) {
        change(&mut self.state());
        self.arrived.notify_all();
    }

    /// Waits until something lies behind one of `positions`, the topic is deleted, or `timeout` has passed.
    pub(super) fn wait(&self, positions: &[Position], timeout: std::time::Duration) {
        let idle = |state: &mut TopicState| {
            let end = |p: &Position| {
                state
                    .partitions
                    .get(p.partition as usize)
                    .map_or(0, |m| m.end)
            };
            !state.deleted && positions.iter().all(|p| end(p) <= p.offset)
        };
        drop(self.arrived.wait_timeout_while(self.state(), timeout, idle));
    }
}
