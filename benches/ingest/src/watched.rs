//! A log that remembers where its consumers stand, and fetches everything before it hands out anything if it is asked to:
//! what a cycle costs after that is the fold's.

use changelog::{
    Batch, ChangeLog, Consumer, NewRecord, PollLimit, Position, Result, TopicEnd, TopicInfo,
    TopicSpec,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A log that is watched.
pub struct WatchedLog {
    inner: Arc<dyn ChangeLog>,
    watch: Arc<Watch>,
}

/// What a [`WatchedLog`] has seen.
#[derive(Default)]
pub struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    fetch_first: usize,
    /// The process's time when all was fetched.
    cpu_fetched: Duration,
    positions: BTreeMap<String, Vec<Position>>,
}

impl Watch {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next poll that finds anything fetches so many records before it hands out the first.
    pub fn fetch_first(&self, records: usize) {
        self.lock().fetch_first = records;
    }

    /// How much of the cores' time this process had used when all was fetched that [`fetch_first`](Self::fetch_first) asked for.
    #[must_use]
    pub fn cpu_fetched(&self) -> Duration {
        self.lock().cpu_fetched
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

/// How much of the cores' time this process has used, in steps of ten milliseconds.
#[must_use]
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold spaces; the fields after it are counted from the third.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

impl WatchedLog {
    /// A log over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ChangeLog>) -> Self {
        Self {
            inner,
            watch: Arc::default(),
        }
    }

    /// What it sees.
    #[must_use]
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

struct WatchedConsumer {
    inner: Box<dyn Consumer>,
    watch: Arc<Watch>,
    /// What was fetched and not handed out, each with where the consumer stands after it.
    fetched: VecDeque<(Batch, Vec<Position>)>,
    positions: Vec<Position>,
}

impl ChangeLog for WatchedLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        self.inner.create_topic(spec)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        self.inner.topic(name)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.inner.topics()
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.inner.delete_topic(name)
    }

    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo> {
        self.inner.add_partitions(name, partitions)
    }

    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.inner.begin_offsets(topic)
    }

    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.inner.end_offsets(topic)
    }

    fn ends(&self, known: &[&TopicInfo]) -> Result<Vec<TopicEnd>> {
        self.inner.ends(known)
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        self.inner.append(topic, records)
    }

    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>> {
        let inner = self.inner.consumer(topic, start)?;
        Ok(Box::new(WatchedConsumer {
            watch: self.watch(),
            fetched: VecDeque::new(),
            positions: inner.positions().to_vec(),
            inner,
        }))
    }

    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()> {
        self.inner.truncate(topic, before)
    }
}

impl Consumer for WatchedConsumer {
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize> {
        let (inner, fetched) = (&mut self.inner, &mut self.fetched);
        if fetched.is_empty() {
            let wanted = std::mem::take(&mut self.watch.lock().fetch_first);
            let mut count = 0;
            loop {
                let mut next = std::mem::take(batch);
                count += inner.poll(&mut next, limit, timeout)?;
                fetched.push_back((next, inner.positions().to_vec()));
                if count >= wanted {
                    break;
                }
            }
            if wanted > 0 {
                self.watch.lock().cpu_fetched = cpu_time();
            }
        }
        if let Some((next, positions)) = fetched.pop_front() {
            (*batch, self.positions) = (next, positions);
        }
        let name = inner.topic().name.clone();
        let positions = self.positions.clone();
        self.watch.lock().positions.insert(name, positions);
        Ok(batch.len())
    }

    fn positions(&self) -> &[Position] {
        &self.positions
    }

    fn topic(&self) -> &TopicInfo {
        self.inner.topic()
    }
}
