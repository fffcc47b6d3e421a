//! Log, store and registry whose calls fail on order, before or after their effect.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blobstore::{Blob, BlobInfo, BlobStore, Created, Etag, Swapped};
use changelog::{Batch, ChangeLog, Consumer, NewRecord, PollLimit, Position, TopicInfo, TopicSpec};
use registry::{
    Command, DatasetInfo, DatasetName, Outcome, Registry, Version, VersionInfo, Versions,
};

/// What decides which calls fail. All faulty parts of a producer count on one gate.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Order>);

#[derive(Debug, Default)]
struct Order {
    /// Calls that pass before the first that fails.
    passing: u64,
    /// Calls that fail then.
    failing: u64,
    /// Whether they have their effect all the same, as when an answer is lost.
    after_effect: bool,
    /// Whether the process dies of it.
    deadly: bool,
}

impl Gate {
    /// After `passing` more calls, `failing` fail.
    pub fn order(&self, passing: u64, failing: u64, after_effect: bool) {
        *self.0.lock().unwrap() = Order {
            passing,
            failing,
            after_effect,
            deadly: false,
        };
    }

    /// After `passing` more calls, the process dies in the next, before its effect or after.
    pub fn die(&self, passing: u64, after_effect: bool) {
        *self.0.lock().unwrap() = Order {
            passing,
            failing: 1,
            after_effect,
            deadly: true,
        };
    }

    /// Whether all that was ordered to fail has failed.
    pub fn is_spent(&self) -> bool {
        self.0.lock().unwrap().failing == 0
    }

    /// Nothing fails any more.
    pub fn clear(&self) {
        *self.0.lock().unwrap() = Order::default();
    }

    fn run<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        error: impl FnOnce() -> E,
    ) -> Result<T, E> {
        let (after_effect, deadly) = {
            let mut order = self.0.lock().unwrap();
            if order.passing > 0 || order.failing == 0 {
                order.passing = order.passing.saturating_sub(1);
                drop(order);
                return call();
            }
            order.failing -= 1;
            (order.after_effect, order.deadly)
        };
        if after_effect {
            call()?;
        }
        if deadly {
            std::process::abort();
        }
        Err(error())
    }
}

/// A store whose disk is full now and then.
#[derive(Clone)]
pub struct FaultyStore(pub Arc<dyn BlobStore>, pub Arc<Gate>);

impl FaultyStore {
    fn run<T>(&self, call: impl FnOnce() -> blobstore::Result<T>) -> blobstore::Result<T> {
        self.1.run(call, || blobstore::Error::Full {
            action: "write",
            path: "somewhere".into(),
            source: io::Error::from(io::ErrorKind::StorageFull),
        })
    }
}

impl BlobStore for FaultyStore {
    fn get(&self, key: &str) -> blobstore::Result<Option<Blob>> {
        self.run(|| self.0.get(key))
    }
    fn head(&self, key: &str) -> blobstore::Result<Option<BlobInfo>> {
        self.run(|| self.0.head(key))
    }
    fn put(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Etag> {
        self.run(|| self.0.put(key, bytes))
    }
    fn create(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Created> {
        self.run(|| self.0.create(key, bytes))
    }
    fn create_from(&self, key: &str, source: &str) -> blobstore::Result<Created> {
        self.run(|| self.0.create_from(key, source))
    }
    fn create_known(&self, key: &str, source: &str, bytes: &[u8]) -> blobstore::Result<Created> {
        self.run(|| self.0.create_known(key, source, bytes))
    }
    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> blobstore::Result<Swapped> {
        self.run(|| self.0.compare_and_swap(key, expected, bytes))
    }
    fn list(&self, prefix: &str) -> blobstore::Result<Vec<BlobInfo>> {
        self.run(|| self.0.list(prefix))
    }
    fn delete(&self, key: &str) -> blobstore::Result<bool> {
        self.run(|| self.0.delete(key))
    }
}

/// A registry that can't be reached now and then.
pub struct FaultyRegistry(pub Arc<dyn Registry>, pub Arc<Gate>);

impl FaultyRegistry {
    fn run<T>(&self, call: impl FnOnce() -> registry::Result<T>) -> registry::Result<T> {
        self.1
            .run(call, || registry::Error::Log(changelog::Error::Closed))
    }
}

impl Registry for FaultyRegistry {
    fn submit(&self, command: &Command) -> registry::Result<Outcome> {
        self.run(|| self.0.submit(command))
    }
    fn catch_up(&self) -> registry::Result<()> {
        self.run(|| self.0.catch_up())
    }
    fn datasets(&self) -> registry::Result<Vec<DatasetInfo>> {
        self.run(|| self.0.datasets())
    }
    fn dataset(&self, name: &DatasetName) -> registry::Result<Option<DatasetInfo>> {
        self.run(|| self.0.dataset(name))
    }
    fn version(
        &self,
        name: &DatasetName,
        version: Version,
    ) -> registry::Result<Option<VersionInfo>> {
        self.run(|| self.0.version(name, version))
    }
    fn versions(
        &self,
        name: &DatasetName,
        selection: &Versions,
    ) -> registry::Result<Vec<VersionInfo>> {
        self.run(|| self.0.versions(name, selection))
    }
    fn wait(&self, seen: i64, timeout: Duration) -> registry::Result<i64> {
        self.0.wait(seen, timeout)
    }
}

/// A log that can't be reached now and then.
pub struct FaultyLog(pub Arc<dyn ChangeLog>, pub Arc<Gate>);

struct FaultyConsumer(Box<dyn Consumer>, Arc<Gate>);

fn unreachable_log() -> changelog::Error {
    changelog::Error::Closed
}

impl FaultyLog {
    fn run<T>(&self, call: impl FnOnce() -> changelog::Result<T>) -> changelog::Result<T> {
        self.1.run(call, unreachable_log)
    }
}

impl ChangeLog for FaultyLog {
    fn create_topic(&self, spec: &TopicSpec) -> changelog::Result<TopicInfo> {
        self.run(|| self.0.create_topic(spec))
    }
    fn topic(&self, name: &str) -> changelog::Result<Option<TopicInfo>> {
        self.run(|| self.0.topic(name))
    }
    fn topics(&self) -> changelog::Result<Vec<TopicInfo>> {
        self.run(|| self.0.topics())
    }
    fn delete_topic(&self, name: &str) -> changelog::Result<()> {
        self.run(|| self.0.delete_topic(name))
    }
    fn add_partitions(&self, name: &str, partitions: u32) -> changelog::Result<TopicInfo> {
        self.run(|| self.0.add_partitions(name, partitions))
    }
    fn begin_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.run(|| self.0.begin_offsets(topic))
    }
    fn end_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.run(|| self.0.end_offsets(topic))
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> changelog::Result<Vec<Position>> {
        self.run(|| self.0.append(topic, records))
    }
    fn consumer(&self, topic: &str, start: &[Position]) -> changelog::Result<Box<dyn Consumer>> {
        let consumer = self.run(|| self.0.consumer(topic, start))?;
        Ok(Box::new(FaultyConsumer(consumer, Arc::clone(&self.1))))
    }
    fn truncate(&self, topic: &str, before: &[Position]) -> changelog::Result<()> {
        self.run(|| self.0.truncate(topic, before))
    }
}

impl Consumer for FaultyConsumer {
    fn poll(
        &mut self,
        batch: &mut Batch,
        limit: PollLimit,
        timeout: Duration,
    ) -> changelog::Result<usize> {
        self.1
            .run(|| self.0.poll(batch, limit, timeout), unreachable_log)
    }
    fn positions(&self) -> &[Position] {
        self.0.positions()
    }
    fn topic(&self) -> &TopicInfo {
        self.0.topic()
    }
}
