//! A log that adds up the time that is spent in it, remembers where its consumers stand, and fetches everything before it
//! hands out anything if it is asked to: what is left of a cycle's time is the fold's then.

use changelog::{
    Batch, ChangeLog, Consumer, NewRecord, PollLimit, Position, Result, TopicInfo, TopicSpec,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A log with a clock.
pub struct TimedLog {
    inner: Arc<dyn ChangeLog>,
    clock: Arc<Clock>,
}

/// What a [`TimedLog`] has seen.
#[derive(Default)]
pub struct Clock {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    spent: Duration,
    fetch_first: usize,
    positions: BTreeMap<String, Vec<Position>>,
}

impl Clock {
    fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = call();
        self.lock().spent += started.elapsed();
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time spent in the log so far.
    #[must_use]
    pub fn spent(&self) -> Duration {
        self.lock().spent
    }

    /// The next poll that finds anything fetches so many records before it hands out the first.
    pub fn fetch_first(&self, records: usize) {
        self.lock().fetch_first = records;
    }

    /// Where the consumer of `topic` stands.
    #[must_use]
    pub fn positions(&self, topic: &str) -> Vec<Position> {
        self.lock()
            .positions
            .get(topic)
            .cloned()
            .unwrap_or_default()
    }
}

impl TimedLog {
    /// A log over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ChangeLog>) -> Self {
        Self {
            inner,
            clock: Arc::default(),
        }
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.clock)
    }
}

struct TimedConsumer {
    inner: Box<dyn Consumer>,
    clock: Arc<Clock>,
    /// What was fetched and not handed out, each with where the consumer stands after it.
    fetched: VecDeque<(Batch, Vec<Position>)>,
    positions: Vec<Position>,
}

impl ChangeLog for TimedLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        self.clock.time(|| self.inner.create_topic(spec))
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        self.clock.time(|| self.inner.topic(name))
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.clock.time(|| self.inner.topics())
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.clock.time(|| self.inner.delete_topic(name))
    }

    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo> {
        self.clock
            .time(|| self.inner.add_partitions(name, partitions))
    }

    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.clock.time(|| self.inner.begin_offsets(topic))
    }

    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.clock.time(|| self.inner.end_offsets(topic))
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        self.clock.time(|| self.inner.append(topic, records))
    }

    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>> {
        let inner = self.clock.time(|| self.inner.consumer(topic, start))?;
        Ok(Box::new(TimedConsumer {
            clock: self.clock(),
            fetched: VecDeque::new(),
            positions: inner.positions().to_vec(),
            inner,
        }))
    }

    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()> {
        self.clock.time(|| self.inner.truncate(topic, before))
    }
}

impl Consumer for TimedConsumer {
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize> {
        let (inner, fetched) = (&mut self.inner, &mut self.fetched);
        if fetched.is_empty() {
            let wanted = std::mem::take(&mut self.clock.lock().fetch_first);
            self.clock.time(|| -> Result<()> {
                let mut count = 0;
                loop {
                    let mut next = std::mem::take(batch);
                    count += inner.poll(&mut next, limit, timeout)?;
                    fetched.push_back((next, inner.positions().to_vec()));
                    if count >= wanted {
                        return Ok(());
                    }
                }
            })?;
        }
        if let Some((next, positions)) = fetched.pop_front() {
            (*batch, self.positions) = (next, positions);
        }
        let name = inner.topic().name.clone();
        let positions = self.positions.clone();
        self.clock.lock().positions.insert(name, positions);
        Ok(batch.len())
    }

    fn positions(&self) -> &[Position] {
        &self.positions
    }

    fn topic(&self) -> &TopicInfo {
        self.inner.topic()
    }
}
