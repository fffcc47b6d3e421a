//! Reading: a cursor per partition over the records below the ends that were published.

use super::{Inner, topic::Topic};
use crate::error::Result;
use crate::types::{PollLimit, Position, TopicInfo};
use crate::{Batch, Consumer};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) struct EmbeddedConsumer {
    pub(super) log: Arc<Inner>,
    pub(super) topic: Arc<Topic>,
    pub(super) info: TopicInfo,
    pub(super) positions: Vec<Position>,
    /// The index in `positions` to begin the next poll with.
    pub(super) first: usize,
}

/// With which of `positions` the poll after this one begins: with the one after the partition at which the limit cut
/// this one off, so that no partition starves; else with the first, so that the order does not depend on how often
/// somebody polled.
pub(crate) fn first_of_next_poll(batch: &Batch, limit: PollLimit, positions: &[Position]) -> usize {
    if batch.len() < limit.records && batch.bytes() < limit.bytes {
        return 0;
    }
    let last = batch.records().next_back().map(|record| record.partition);
    let at = positions
        .iter()
        .position(|p| Some(p.partition) == last)
        .unwrap_or(0);
    (at + 1) % positions.len().max(1)
}

impl EmbeddedConsumer {
    fn read(&mut self, batch: &mut Batch, limit: PollLimit) -> Result<()> {
        let ends = self.ends()?;
        let before = self.positions.clone();
        let count = self.positions.len();
        for at in (0..count).map(|i| (self.first + i) % count) {
            let (slot, end) = ends[at];
            let position = &mut self.positions[at];
            let mut full = batch.len() >= limit.records.max(1)
                || batch.bytes() >= limit.bytes && !batch.is_empty();
            if full {
                break;
            }
            let mut next = end.max(position.offset);
            self.log
                .store
                .scan(slot, position.offset, end, |offset, encoded| {
                    batch.push_encoded(slot.partition, offset, encoded)?;
                    full = batch.len() >= limit.records.max(1) || batch.bytes() >= limit.bytes;
                    next = if full { offset + 1 } else { end };
                    Ok(!full)
                })?;
            position.offset = next;
        }
        // What was truncated or deleted while we read looks like a gap; only the state can tell the difference.
        if let Err(error) = self.check(&before) {
            batch.clear();
            self.positions = before;
            return Err(error);
        }
        self.first = first_of_next_poll(batch, limit, &self.positions);
        Ok(())
    }

    fn ends(&self) -> Result<Vec<(super::store::Slot, i64)>> {
        self.check(&self.positions)?;
        let state = self.topic.state();
        let end = |p: &Position| Ok((state.slot(p.partition), state.partition(p.partition)?.end));
        self.positions.iter().map(end).collect()
    }

    fn check(&self, positions: &[Position]) -> Result<()> {
        let state = self.topic.state();
        if state.deleted {
            drop(state);
            return Err(self.log.gone(&self.info).into());
        }
        positions
            .iter()
            .try_for_each(|&position| state.check(position))
    }
}

impl Consumer for EmbeddedConsumer {
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize> {
        batch.clear();
        let started = Instant::now();
        loop {
            self.read(batch, limit)?;
            let left = timeout.saturating_sub(started.elapsed());
            if !batch.is_empty() || left.is_zero() {
                return Ok(batch.len());
            }
            self.topic.wait(&self.positions, left);
        }
    }

    fn positions(&self) -> &[Position] {
        &self.positions
    }

    fn topic(&self) -> &TopicInfo {
        &self.info
    }
}
