//! The polls of a cycle: how far, which reader next and for how many records, and what is done beside each wait for the log.

use super::folder::{Folder, Types};
use super::reader::mark_ends;
use crate::error::{Error, Result};
use crate::fold::Channel;
use changelog::Batch;
use hollow::write::WriteState;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

/// Records of a cycle's first poll, which nothing is folded beside. Later polls ask for as many as were read before, up to the
/// greatest poll.
const FIRST_POLL_RECORDS: u64 = 2500;
const POLL_RECORDS: u64 = 10_000;
/// While so many records are folded, the next are fetched; for fewer a thread does not pay.
const OVERLAP_RECORDS: usize = 1000;

/// What is known of the ends of the topics when a cycle begins.
pub(super) enum Marks {
    /// They are marked; the cycle reads up to there.
    Known,
    /// The cycle has to mark them.
    Wanted,
    /// Partitions were added that are not read.
    Grown,
    /// They could not be marked.
    Failed(Error),
}

/// For how many records a cycle's next poll asks when so many are read.
fn poll_limit(read: u64, records_max: u64) -> usize {
    let limit = records_max
        .saturating_sub(read)
        .min(read.clamp(FIRST_POLL_RECORDS, POLL_RECORDS));
    usize::try_from(limit).unwrap_or(usize::MAX).max(1)
}

impl Folder {
    /// Marks the present ends of the topics, and meanwhile folds what is fetched already of the first. Returns the channel of
    /// the batch that was polled beside that and is still to be folded.
    pub(super) fn mark_and_fold(
        &mut self,
        (batch, ahead): &mut (Batch, Batch),
        write: &mut WriteState,
        types: &Types,
        records_max: u64,
        marks: &mut Marks,
    ) -> Result<Option<Channel>> {
        self.check_stop()?;
        let (mut readers, log) = (std::mem::take(&mut self.readers), Arc::clone(&self.log));
        let (marked, folded) = mark_ends(&mut readers, &*log, |readers| {
            let Some(reader) = readers.first_mut() else {
                return Ok(None);
            };
            let channel = reader.channel;
            reader.poll_now(batch, poll_limit(0, records_max))?;
            let read = batch.len() as u64;
            if batch.len() < OVERLAP_RECORDS || read >= records_max {
                return self.fold_batch(batch, channel, write, types).map(|()| None);
            }
            let poll = || reader.poll_now(ahead, poll_limit(read, records_max));
            self.fold_and_poll(batch, channel, poll, write, types)?;
            Ok(Some(channel))
        });
        self.readers = readers;
        *marks = match marked {
            Ok(false) => Marks::Known,
            Ok(true) => Marks::Grown,
            Err(error) => Marks::Failed(error),
        };
        folded
    }

    /// Folds batch by batch, and fetches the next one while a large one is folded. The order of the records is that of the
    /// polls, and these are the same as without the overlap. `fetched` is the channel of a batch that lies `ahead` already.
    pub(super) fn fold_batches(
        &mut self,
        (batch, ahead): &mut (Batch, Batch),
        mut fetched: Option<Channel>,
        write: &mut WriteState,
        types: &Types,
        records_max: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        loop {
            let channel = match fetched.take() {
                Some(channel) => {
                    self.check_stop()?;
                    std::mem::swap(batch, ahead);
                    channel
                }
                None => {
                    if self.readers.iter().all(|reader| reader.behind() == 0)
                        && self.end_sweeps(write, types)?
                    {
                        continue;
                    }
                    let Some((at, limit)) = self.next_poll(self.counts.read, records_max) else {
                        break;
                    };
                    self.check_stop()?;
                    self.readers[at].poll(batch, limit)?;
                    self.readers[at].channel
                }
            };
            let read = self.counts.read + batch.len() as u64;
            match self.next_poll(read, records_max) {
                Some((at, limit)) if batch.len() >= OVERLAP_RECORDS => {
                    let mut readers = std::mem::take(&mut self.readers);
                    fetched = Some(readers[at].channel);
                    let poll = || readers[at].poll(ahead, limit);
                    let folded = self.fold_and_poll(batch, channel, poll, write, types);
                    self.readers = readers;
                    folded?;
                }
                _ => self.fold_batch(batch, channel, write, types)?,
            }
            progress(self.counts.read, self.behind());
        }
        Ok(())
    }

    /// Where the cycle leaves records for the next one, lets the first of them be fetched while it publishes.
    pub(super) fn fetch_ahead(&mut self, records_max: u64) {
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.behind() > 0) {
            let records = records_max.min(POLL_RECORDS);
            reader.fetch_ahead(usize::try_from(records).unwrap_or(usize::MAX).max(1));
        }
    }

    /// Folds a batch while the next one is polled.
    fn fold_and_poll(
        &mut self,
        batch: &Batch,
        channel: Channel,
        poll: impl FnOnce() -> Result<usize> + Send,
        write: &mut WriteState,
        types: &Types,
    ) -> Result<()> {
        let (folded, polled) = thread::scope(|scope| {
            let polled = scope.spawn(poll);
            let folded = self.fold_batch(batch, channel, write, types);
            (folded, polled.join())
        });
        folded?;
        polled.unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(())
    }

    /// Marks the present ends of the topics, and returns whether partitions were added that are not read.
    pub(super) fn mark_ends(&mut self) -> Result<bool> {
        mark_ends(&mut self.readers, &*self.log, |_| ()).0
    }

    /// Which reader to poll next, and for how many records, when so many are read; `None` at the cycle's end.
    fn next_poll(&self, read: u64, records_max: u64) -> Option<(usize, usize)> {
        let at = self.readers.iter().position(|reader| reader.behind() > 0)?;
        if read >= records_max && !self.is_below_high() {
            return None;
        }
        Some((at, poll_limit(read, records_max)))
    }
}
