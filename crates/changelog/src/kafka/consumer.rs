//! Reading partitions.
//!
//! Two things that librdkafka leaves to its callers are decided here.
//!
//! *Whose records are these?* When a topic is deleted and made anew, librdkafka goes on at the same offset of the new
//! topic. So before a poll hands records out it asks for the topic's id: if that is still the one that was opened, all
//! that was fetched before is of this topic.
//!
//! *Is there nothing left?* Offsets without a record (what compaction removed, the marks of transactions, aborted
//! records) never arrive, and librdkafka says only that some end was reached, not which. So where the log ends later than
//! the last record that came, the consumer learns the end first and fetches anew after it: when that fetch reaches an end,
//! there is nothing between.

use super::cluster::{Cluster, Context, is_unknown, native};
use super::fetched::{Feed, Fetched};
use crate::Consumer;
use crate::batch::Batch;
use crate::error::{Error, Refusal, Result, kafka_code};
use crate::types::{PollLimit, Position, TopicInfo};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one wait for records takes while it is known that something must come.
const STEP: Duration = Duration::from_millis(100);
/// After this long without an answer a fetch is begun anew.
const FETCH_AGAIN: Duration = Duration::from_secs(5);

pub(super) struct KafkaConsumer {
    cluster: Arc<Cluster>,
    info: TopicInfo,
    /// As callers see it: only moved when a poll succeeds.
    positions: Vec<Position>,
    reading: Vec<Reading>,
    /// Fetches on from where `reading` stands. Made by the first poll, and anew after an error, so that nothing that was
    /// fetched for a poll that failed is ever met again.
    feed: Option<Feed>,
}

/// What is known of a partition that is being read.
#[derive(Clone, Copy)]
struct Reading {
    partition: u32,
    /// The offset after all that was taken.
    next: i64,
    /// The fetch under way was begun when the log was known to reach this offset at least.
    proof: Option<i64>,
    /// librdkafka has said that an end was reached, and nothing came after that.
    at_end: bool,
}

impl KafkaConsumer {
    /// A consumer of `info` at `positions`, which are inside of what the log holds: up to `ends`, in the same order.
    pub(super) fn new(
        cluster: Arc<Cluster>,
        info: TopicInfo,
        positions: Vec<Position>,
        ends: &[i64],
    ) -> Self {
        let reading = positions
            .iter()
            .zip(ends)
            .map(|(position, &end)| Reading {
                partition: position.partition,
                next: position.offset,
                proof: Some(end),
                at_end: false,
            })
            .collect();
        Self {
            cluster,
            info,
            positions,
            reading,
            feed: None,
        }
    }

    /// A client that fetches from where `reading` stands.
    fn start(&self) -> Result<Feed> {
        let feed = || {
            let feed = Feed::new(BaseConsumer::from_config_and_context(
                &self.cluster.options.consumer(),
                Context::default(),
            )?)?;
            feed.client().assign(&self.list(|_| true)?)?;
            Ok(feed)
        };
        feed().map_err(|error| Error::kafka("read topic", &self.info.name, error))
    }

    /// Where the partitions that are `wanted` are read on.
    fn list(&self, wanted: impl Fn(&Reading) -> bool) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(self.reading.len());
        for reading in self.reading.iter().filter(|reading| wanted(reading)) {
            list.add_partition_offset(
                &self.info.name,
                native(reading.partition),
                Offset::Offset(reading.next),
            )?;
        }
        Ok(list)
    }

    fn read(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<()> {
        self.cluster.check_open()?;
        let deadline = Instant::now() + timeout;
        loop {
            self.take(batch, limit, deadline)?;
            if !batch.is_empty() || !self.read_gaps(batch, limit)? {
                return self.check_same();
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn check_same(&self) -> Result<()> {
        self.cluster.check_same(&self.info.name, self.info.id)
    }

    /// Takes what has been fetched. Where nothing has, waits until records come, all partitions come to an end, or `until`.
    fn take(&mut self, batch: &mut Batch, limit: PollLimit, until: Instant) -> Result<()> {
        let (records, bytes) = (limit.records.max(1), limit.bytes.max(1));
        let mut feed = match self.feed.take() {
            Some(feed) => feed,
            None => self.start()?,
        };
        let mut restart = false;
        while !restart && batch.len() < records && (batch.bytes() < bytes || batch.is_empty()) {
            let wait = match batch.is_empty() {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match feed.poll(wait.min(STEP)) {
                Some(Ok(message)) => push(&mut self.reading, batch, &message)?,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.end_reached(partition);
                    let all_at_end = self.reading.iter().all(|reading| reading.at_end);
                    if batch.is_empty() && all_at_end && feed.is_drained() {
                        break;
                    }
                }
                Some(Err(error)) => restart = self.fault(error)?,
                None if !batch.is_empty() || Instant::now() >= until => break,
                None => self.cluster.check_open()?,
            }
        }
        if !restart {
            self.feed = Some(feed);
        }
        Ok(())
    }

    fn end_reached(&mut self, partition: i32) {
        let mut all = self.reading.iter_mut();
        if let Some(reading) = all.find(|reading| native(reading.partition) == partition) {
            if let Some(proof) = reading.proof.take() {
                reading.next = reading.next.max(proof);
            }
            reading.at_end = true;
        }
    }

    /// Where the log reaches further than the records that came, finds out whether records are still to come, and takes
    /// them; without any the position moves to the end. Returns whether there was nothing to do.
    fn read_gaps(&mut self, batch: &mut Batch, limit: PollLimit) -> Result<bool> {
        let started = Instant::now();
        let partitions: Vec<u32> = self
            .reading
            .iter()
            .map(|reading| reading.partition)
            .collect();
        let ends = self.cluster.ends(&self.info.name, &partitions)?;
        let behind = |reading: &[Reading]| {
            let mut both = reading.iter().zip(&ends);
            both.any(|(reading, &end)| reading.next < end)
        };
        if !behind(&self.reading) {
            self.check_same()?;
            return Ok(true);
        }
        // What was fetched before the ends were known may still be on its way.
        self.take(batch, limit, Instant::now() + STEP / 10)?;
        while batch.is_empty() && behind(&self.reading) {
            self.check_same()?;
            self.fetch_again(&ends)?;
            let again = Instant::now() + FETCH_AGAIN;
            while batch.is_empty() && behind(&self.reading) && Instant::now() < again {
                self.take(batch, limit, Instant::now() + STEP / 10)?;
            }
            let silent = "records are there, but do not come";
            self.cluster
                .give_up(started, "read topic", &self.info.name, &silent)?;
        }
        Ok(false)
    }

    /// Begins anew to fetch the partitions that are not read to their `ends`.
    fn fetch_again(&mut self, ends: &[i64]) -> Result<()> {
        for (reading, &end) in self.reading.iter_mut().zip(ends) {
            if reading.next < end {
                reading.proof = Some(end);
            }
        }
        let Some(feed) = &self.feed else {
            return Ok(());
        };
        // What was taken before the seek says nothing of what comes after it; there is something only where a poll is full.
        debug_assert!(feed.is_drained());
        let sought = self
            .list(|reading| reading.proof.is_some_and(|end| reading.next < end))
            .and_then(|list| feed.client().seek_partitions(list, Duration::from_secs(1)))
            .and_then(|list| {
                list.elements()
                    .iter()
                    .try_for_each(|element| element.error())
            });
        if let Err(error) = sought {
            // No leader, most often. What comes after half a seek can't be trusted.
            tracing::debug!(topic = self.info.name, %error, "begin to fetch anew");
            self.feed = None;
        }
        Ok(())
    }

    /// What an error of librdkafka means for us; most only say that it is trying again.
    /// Returns whether the client has to be made anew.
    fn fault(&self, error: KafkaError) -> Result<bool> {
        use RDKafkaErrorCode as Code;
        let name = &self.info.name;
        match kafka_code(&error) {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::NoOffset) => {
                self.check_same()?;
                let next: Vec<_> = self
                    .reading
                    .iter()
                    .map(|reading| Position::new(reading.partition, reading.next))
                    .collect();
                check_range(&self.cluster, name, &next)?;
                // The broker that answered did not know yet how far its log reaches.
                std::thread::sleep(STEP);
                Ok(true)
            }
            Some(Code::BadMessage | Code::BadCompression) => Err(Error::Corrupt {
                what: format!("topic {name:?} as it came from the broker"),
                detail: error.to_string(),
            }),
            // No group is joined and nothing is committed, so nothing depends on a coordinator.
            Some(Code::GroupAuthorizationFailed) => Ok(false),
            Some(Code::TopicAuthorizationFailed) => Err(Error::kafka("read topic", name, error)),
            _ if is_unknown(&error) => self.check_same().map(|()| false),
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                Err(Error::kafka("read topic", name, error))
            }
            _ => {
                tracing::debug!(topic = name, %error, "librdkafka tries again");
                Ok(false)
            }
        }
    }
}

/// Appends a message to the batch, unless it lies before what was taken already.
fn push(reading: &mut [Reading], batch: &mut Batch, message: &Fetched<'_>) -> Result<()> {
    let partition = message.partition();
    // Partitions are read in their order, nearly always all of them.
    let guess = usize::try_from(partition).unwrap_or(usize::MAX);
    let at = match reading.get(guess) {
        Some(found) if native(found.partition) == partition => Some(guess),
        _ => reading
            .iter()
            .position(|r| native(r.partition) == partition),
    };
    let Some(reading) = at.and_then(|at| reading.get_mut(at)) else {
        return Ok(());
    };
    let offset = message.offset();
    if offset < reading.next {
        return Ok(());
    }
    batch.push_parts(
        reading.partition,
        offset,
        message.timestamp_ms().unwrap_or(-1),
        message.key(),
        message.value(),
        headers(message),
    )?;
    reading.next = offset + 1;
    reading.at_end = false;
    Ok(())
}

/// The headers whose names are text of a length that a batch can hold, as those of Kafka's clients are.
fn headers<'a>(message: &'a Fetched<'_>) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    message.headers().filter_map(|(name, value)| {
        let name = name.filter(|name| u16::try_from(name.len()).is_ok())?;
        Some((name, value))
    })
}

/// Refuses positions outside of what the log holds, and returns the ends of their partitions.
pub(super) fn check_range(
    cluster: &Cluster,
    topic: &str,
    positions: &[Position],
) -> Result<Vec<i64>> {
    let partitions: Vec<u32> = positions
        .iter()
        .map(|position| position.partition)
        .collect();
    let begins = cluster.begins(topic, &partitions)?;
    let ends = cluster.ends(topic, &partitions)?;
    for (position, (&begin, &end)) in positions.iter().zip(begins.iter().zip(&ends)) {
        if !(begin..=end).contains(&position.offset) {
            return Err(Refusal::OffsetOutOfRange {
                topic: topic.to_owned(),
                partition: position.partition,
                offset: position.offset,
                begin,
                end,
            }
            .into());
        }
    }
    Ok(ends)
}

impl Consumer for KafkaConsumer {
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize> {
        batch.clear();
        match self.read(batch, limit, timeout) {
            Ok(()) => {
                for (position, reading) in self.positions.iter_mut().zip(&self.reading) {
                    position.offset = reading.next;
                }
                Ok(batch.len())
            }
            Err(error) => {
                // Nothing was handed out, so the next poll begins where this one did.
                batch.clear();
                self.feed = None;
                for (position, reading) in self.positions.iter().zip(&mut self.reading) {
                    reading.next = position.offset;
                    reading.at_end = false;
                }
                Err(error)
            }
        }
    }

    fn positions(&self) -> &[Position] {
        &self.positions
    }

    fn topic(&self) -> &TopicInfo {
        &self.info
    }
}
