//! Reading a channel of a dataset from where the fold stands.

use crate::error::{Error, Result};
use crate::fold::Channel;
use crate::position::TopicPosition;
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::{Batch, ChangeLog, Consumer, PollLimit, Position, Refusal, TopicInfo};
use dataset::lower_priority;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(super) struct ChannelReader {
    pub(super) channel: Channel,
    topic: TopicInfo,
    feed: Feed,
    /// The buffer of the last batch that was fetched ahead.
    spare: Batch,
    /// After what the polls have returned.
    positions: Vec<Position>,
    /// Read up to here before the cycle ends.
    until: Vec<i64>,
}

/// Where the next poll takes records from.
enum Feed {
    Log(Box<dyn Consumer>),
    /// From a poll of the log that is under way.
    Ahead(Ahead),
    /// A poll panicked.
    Lost,
}

/// A poll by a thread of its own, for which the cores are free where the cycle waits. Once this is dropped nothing uses the log
/// any more.
struct Ahead(Option<JoinHandle<Polled>>);

struct Polled {
    consumer: Box<dyn Consumer>,
    batch: Batch,
    outcome: changelog::Result<usize>,
}

impl Ahead {
    fn start(mut consumer: Box<dyn Consumer>, mut batch: Batch, limit: PollLimit) -> Self {
        let poll = move || {
            lower_priority();
            let outcome = consumer.poll(&mut batch, limit, PATIENCE);
            Polled {
                consumer,
                batch,
                outcome,
            }
        };
        Self(Some(thread::spawn(poll)))
    }

    fn wait(mut self) -> Option<Polled> {
        let joined = self.0.take().map(JoinHandle::join);
        joined.map(|polled| polled.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // What was polled is not wanted any more.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// Where to begin.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    /// At the beginning of the topics.
    Begin,
    /// Where these tags say.
    Tags(&'a BTreeMap<String, String>),
}

/// How long a poll waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_millis(100);

impl ChannelReader {
    /// Opens the channels of a dataset, `D` first.
    pub(super) fn open_all(
        log: &dyn ChangeLog,
        spec: &DatasetSpec,
        start: Start<'_>,
    ) -> Result<Vec<Self>> {
        let mut readers = vec![Self::open(log, spec, Channel::Changes, start)?];
        if spec.source_versions == SourceVersions::Required {
            readers.push(Self::open(log, spec, Channel::Sweep, start)?);
        }
        Ok(readers)
    }

    fn open(
        log: &dyn ChangeLog,
        spec: &DatasetSpec,
        channel: Channel,
        start: Start<'_>,
    ) -> Result<Self> {
        let topic = spec.topic_of(channel);
        let unknown = || Refusal::UnknownTopic {
            topic: topic.clone(),
        };
        let info = log
            .topic(&topic)?
            .ok_or_else(|| changelog::Error::from(unknown()))?;
        let begin = log.begin_offsets(&topic)?;
        let known = match start {
            Start::Begin => None,
            Start::Tags(tags) => TopicPosition::from_tags(tags, channel, &spec.name)?,
        };
        let position = match known {
            Some(known) => known.resume(
                &info,
                &begin,
                spec.source_versions == SourceVersions::Required,
            )?,
            None => TopicPosition {
                id: info.id,
                next: begin,
            },
        };
        let consumer = log.consumer(&topic, &position.as_start())?;
        Ok(Self {
            channel,
            topic: consumer.topic().clone(),
            positions: consumer.positions().to_vec(),
            feed: Feed::Log(consumer),
            spare: Batch::new(),
            until: Vec::new(),
        })
    }

    pub(super) fn position(&self) -> TopicPosition {
        let next = self.positions.iter().map(|position| position.offset);
        TopicPosition {
            id: self.topic.id,
            next: next.collect(),
        }
    }

    /// How long the topic's deletes can be read, in milliseconds.
    pub(super) fn retention_ms(&self) -> i64 {
        self.topic.delete_retention_ms
    }

    /// Offsets between the position and the mark.
    pub(super) fn behind(&self) -> u64 {
        let left =
            |(next, until): (&Position, &i64)| u64::try_from(until - next.offset).unwrap_or(0);
        self.positions.iter().zip(&self.until).map(left).sum()
    }

    /// Begins to fetch what the next poll returns, which are `records` at most, whatever that poll asks for.
    pub(super) fn fetch_ahead(&mut self, records: usize) {
        self.feed = match std::mem::replace(&mut self.feed, Feed::Lost) {
            Feed::Log(consumer) => {
                let batch = std::mem::take(&mut self.spare);
                Feed::Ahead(Ahead::start(consumer, batch, limit_of(records)))
            }
            under_way => under_way,
        };
    }

    /// Polls for records that are known to be there.
    pub(super) fn poll(&mut self, batch: &mut Batch, records: usize) -> Result<usize> {
        self.poll_for(batch, records, PATIENCE)
    }

    /// Polls for what is there.
    pub(super) fn poll_now(&mut self, batch: &mut Batch, records: usize) -> Result<usize> {
        self.poll_for(batch, records, Duration::ZERO)
    }

    fn poll_for(&mut self, batch: &mut Batch, records: usize, patience: Duration) -> Result<usize> {
        let lost = || Error::from(changelog::Error::Closed);
        let (consumer, outcome) = match std::mem::replace(&mut self.feed, Feed::Lost) {
            Feed::Log(mut consumer) => {
                let outcome = consumer.poll(batch, limit_of(records), patience);
                (consumer, outcome)
            }
            Feed::Ahead(ahead) => {
                let polled = ahead.wait().ok_or_else(lost)?;
                self.spare = std::mem::replace(batch, polled.batch);
                (polled.consumer, polled.outcome)
            }
            Feed::Lost => return Err(lost()),
        };
        if outcome.is_ok() {
            self.positions.copy_from_slice(consumer.positions());
        }
        self.feed = Feed::Log(consumer);
        Ok(outcome?)
    }
}

fn limit_of(records: usize) -> PollLimit {
    PollLimit {
        records,
        ..PollLimit::default()
    }
}

/// Takes the topics' present ends as the marks to read up to, and returns whether partitions were added that are not read.
/// The readers may do something `meanwhile`; what comes of it stands beside.
///
/// # Errors
/// [`Error::TopicRecreated`]: an end is that of another topic than the position.
pub(super) fn mark_ends<T>(
    readers: &mut [ChannelReader],
    log: &dyn ChangeLog,
    meanwhile: impl FnOnce(&mut [ChannelReader]) -> T,
) -> (Result<bool>, T) {
    let topics: Vec<TopicInfo> = readers.iter().map(|reader| reader.topic.clone()).collect();
    let known: Vec<&TopicInfo> = topics.iter().collect();
    let (ends, done) = thread::scope(|scope| {
        let asking = scope.spawn(|| log.ends(&known));
        let done = meanwhile(readers);
        let ends = asking.join();
        (ends.unwrap_or_else(|panic| resume_unwind(panic)), done)
    });
    let marked = ends.map_err(Error::from).and_then(|ends| {
        let mut has_grown = false;
        for ((reader, known), end) in readers.iter_mut().zip(&topics).zip(ends) {
            if end.id != known.id {
                return Err(Error::TopicRecreated {
                    topic: known.name.clone(),
                    expected: known.id,
                    found: end.id,
                });
            }
            has_grown |= end.partitions > known.partitions;
            reader.until = end.offsets;
        }
        Ok(has_grown)
    });
    (marked, done)
}
