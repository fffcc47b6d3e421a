//! The log is truncated behind checkpoints in the blob store, and nothing is lost by it: with instances that start anew, stand
//! still, die at each step, write at the same time, and find damaged checkpoints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use blobstore::{BlobStore, DirectoryStore};
use changelog::{
    Batch, ChangeLog, Consumer, EmbeddedLog, NewRecord, PollLimit, Position, TopicInfo, TopicSpec,
};
use registry::{
    Action, COMMANDS_TOPIC, Command, Error, LogRegistry, Outcome, Registry, SharedCheckpoints,
    Version, Versions,
};
use support::{announce_one, answers, name, run};
use tempfile::TempDir;
use tests_faults::{FaultyStore, Gate, Random, memory_dir, seed};

/// An announcement takes four commands.
const EVERY: u64 = 10;

struct Place {
    dir: TempDir,
    log: Arc<dyn ChangeLog>,
    store: Arc<dyn BlobStore>,
}

impl Place {
    fn new() -> Self {
        let dir = memory_dir();
        let (log, store) = open(dir.path());
        Self { dir, log, store }
    }

    fn registry(&self, own: &str) -> LogRegistry {
        self.registry_over(Arc::clone(&self.log), Arc::clone(&self.store), own)
            .unwrap()
    }

    fn registry_over(
        &self,
        log: Arc<dyn ChangeLog>,
        store: Arc<dyn BlobStore>,
        own: &str,
    ) -> registry::Result<LogRegistry> {
        let checkpoints = SharedCheckpoints::keep(store, EVERY);
        LogRegistry::open_with(log, &self.dir.path().join(own), checkpoints)
    }

    fn begin(&self) -> i64 {
        self.log.begin_offsets(COMMANDS_TOPIC).unwrap()[0]
    }

    fn checkpoints(&self) -> Vec<String> {
        let blobs = self.store.list("registry.commands/").unwrap();
        blobs.into_iter().map(|blob| blob.key).collect()
    }

    /// Announces until the log begins behind `offset`.
    fn announce_past(&self, registry: &LogRegistry, offset: i64) {
        while self.begin() <= offset {
            announce_one(registry, "p", 1);
        }
    }
}

/// The offset in a checkpoint's key.
fn offset(key: &str) -> i64 {
    key.rsplit('-').next().unwrap().parse().unwrap()
}

fn open(dir: &Path) -> (Arc<dyn ChangeLog>, Arc<dyn BlobStore>) {
    let log = EmbeddedLog::open(&dir.join("log")).unwrap();
    let store = DirectoryStore::open(dir.join("blobs")).unwrap();
    (Arc::new(log), Arc::new(store))
}

#[test]
fn a_fresh_instance_starts_behind_a_truncation() {
    let place = Place::new();
    let one = place.registry("one");
    place.announce_past(&one, 30);
    let fresh = place.registry("fresh");
    one.catch_up().unwrap();
    assert_eq!(answers(&fresh), answers(&one));
    announce_one(&fresh, "p", 2);
    one.catch_up().unwrap();
    assert_eq!(answers(&fresh), answers(&one));
    drop((one, fresh));
    let left = place.checkpoints();
    assert!((2..=3).contains(&left.len()), "{left:?}");

    // Its own checkpoint ends where the log begins, or later; this one's is of long ago.
    let old = place.registry("old");
    let writer = place.registry("writer");
    drop(old);
    place.announce_past(&writer, place.begin() + 40);
    let old = place.registry("old");
    writer.catch_up().unwrap();
    old.catch_up().unwrap();
    assert_eq!(answers(&old), answers(&writer));

    // Who only asks starts there as well, and writes nothing.
    let before = place.checkpoints();
    let reading = SharedCheckpoints::read(Arc::clone(&place.store));
    let asks = LogRegistry::open_with(
        Arc::clone(&place.log),
        &place.dir.path().join("asks"),
        reading,
    )
    .unwrap();
    assert_eq!(answers(&asks), answers(&writer));
    drop((old, writer));
    assert_eq!(before.last(), place.checkpoints().last());
}

#[test]
fn a_damaged_checkpoint_costs_nothing_and_a_missing_one_is_named() {
    let place = Place::new();
    let one = place.registry("one");
    place.announce_past(&one, 30);
    let expected = answers(&one);
    drop(one);
    let mut checkpoints = place.checkpoints();
    let newest = checkpoints.pop().unwrap();
    let mut bytes = place.store.get(&newest).unwrap().unwrap().bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.store.put(&newest, &bytes).unwrap();
    let fresh = place.registry("fresh");
    assert_eq!(answers(&fresh), expected);
    drop(fresh);

    let refused = |own: &str| {
        place
            .registry_over(Arc::clone(&place.log), Arc::clone(&place.store), own)
            .err()
            .unwrap()
    };
    for checkpoint in checkpoints {
        place.store.delete(&checkpoint).unwrap();
    }
    let begin = place.begin();
    let error = refused("nowhere");
    assert!(
        matches!(error, Error::Truncated { begin: at } if at == begin),
        "{error:?}"
    );
    // Nobody can know the state without one, and that is said, too.
    let alone = LogRegistry::open(Arc::clone(&place.log), &place.dir.path().join("alone"));
    assert!(matches!(alone.err().unwrap(), Error::Truncated { .. }));

    // A checkpoint of commands that the log does not hold.
    bytes[middle] ^= 1;
    let ahead = newest.replace(
        newest.rsplit('-').next().unwrap(),
        &format!("{:020}", 1_000_000),
    );
    place.store.put(&newest, &bytes).unwrap();
    assert_eq!(answers(&place.registry("whole")), expected);
    place.store.put(&ahead, &bytes).unwrap();
    // It is not what its name says, so the one before it counts.
    assert_eq!(answers(&place.registry("named")), expected);
}

#[test]
fn a_log_that_lost_commands_is_refused() {
    let shorter = Place::new();
    let two = shorter.registry("two");
    shorter.announce_past(&two, 0);
    drop(two);
    // The same topic as it was before: with the same id, and the checkpoints of a log that went on.
    let place = Place::new();
    let one = place.registry("one");
    let end = shorter.log.end_offsets(COMMANDS_TOPIC).unwrap()[0];
    place.announce_past(&one, end);
    drop(one);
    let [longer, topic] = [&place, &shorter].map(|place| {
        place
            .log
            .topic(COMMANDS_TOPIC)
            .unwrap()
            .unwrap()
            .id
            .to_string()
    });
    assert_eq!(
        longer, topic,
        "embedded topic ids derive from name and incarnation"
    );
    for key in shorter.checkpoints() {
        shorter.store.delete(&key).unwrap();
    }
    for key in place.checkpoints() {
        let blob = place.store.get(&key).unwrap().unwrap();
        shorter.store.put(&key, &blob.bytes).unwrap();
    }
    let error = shorter
        .registry_over(
            Arc::clone(&shorter.log),
            Arc::clone(&shorter.store),
            "fresh",
        )
        .err()
        .unwrap();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(error.to_string().contains("has lost some"), "{error}");
}

/// Makes readers of a log stand still.
#[derive(Default)]
struct Hold {
    wanted: AtomicBool,
    stands: AtomicBool,
}

impl Hold {
    /// Returns when the reader has come back from the log and goes there no more.
    fn begin(&self) {
        self.stands.store(false, Ordering::SeqCst);
        self.wanted.store(true, Ordering::SeqCst);
        while !self.stands.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }

    fn end(&self) {
        self.wanted.store(false, Ordering::SeqCst);
    }
}

struct Held(Arc<dyn ChangeLog>, Arc<Hold>);

struct HeldConsumer(Box<dyn Consumer>, Arc<Hold>);

impl ChangeLog for Held {
    fn create_topic(&self, spec: &TopicSpec) -> changelog::Result<TopicInfo> {
        self.0.create_topic(spec)
    }
    fn topic(&self, name: &str) -> changelog::Result<Option<TopicInfo>> {
        self.0.topic(name)
    }
    fn topics(&self) -> changelog::Result<Vec<TopicInfo>> {
        self.0.topics()
    }
    fn delete_topic(&self, name: &str) -> changelog::Result<()> {
        self.0.delete_topic(name)
    }
    fn add_partitions(&self, name: &str, partitions: u32) -> changelog::Result<TopicInfo> {
        self.0.add_partitions(name, partitions)
    }
    fn begin_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.0.begin_offsets(topic)
    }
    fn end_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.0.end_offsets(topic)
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> changelog::Result<Vec<Position>> {
        self.0.append(topic, records)
    }
    fn consumer(&self, topic: &str, start: &[Position]) -> changelog::Result<Box<dyn Consumer>> {
        let consumer = self.0.consumer(topic, start)?;
        Ok(Box::new(HeldConsumer(consumer, Arc::clone(&self.1))))
    }
    fn truncate(&self, topic: &str, before: &[Position]) -> changelog::Result<()> {
        self.0.truncate(topic, before)
    }
}

impl Consumer for HeldConsumer {
    fn poll(
        &mut self,
        batch: &mut Batch,
        limit: PollLimit,
        timeout: Duration,
    ) -> changelog::Result<usize> {
        if self.1.wanted.load(Ordering::SeqCst) {
            self.1.stands.store(true, Ordering::SeqCst);
            batch.clear();
            thread::sleep(Duration::from_millis(1));
            return Ok(0);
        }
        self.0.poll(batch, limit, timeout)
    }
    fn positions(&self) -> &[Position] {
        self.0.positions()
    }
    fn topic(&self) -> &TopicInfo {
        self.0.topic()
    }
}

#[test]
fn an_instance_that_stood_still_goes_on_from_a_checkpoint() {
    let place = Place::new();
    let one = place.registry("one");
    announce_one(&one, "p", 1);
    let held = Arc::<Hold>::default();
    let slow: Arc<dyn ChangeLog> = Arc::new(Held(Arc::clone(&place.log), Arc::clone(&held)));
    let two = place
        .registry_over(slow, Arc::clone(&place.store), "two")
        .unwrap();
    for _ in 0..3 {
        held.begin();
        let end = place.log.end_offsets(COMMANDS_TOPIC).unwrap()[0];
        let epoch = one.dataset(&name()).unwrap().unwrap().epoch;
        let stage = Command {
            dataset: name(),
            at_ms: 2,
            action: Action::Stage { epoch },
        };
        let outcome = thread::scope(|scope| {
            let waiting = scope.spawn(|| two.submit(&stage));
            // It is in the log, where the other instance has seen it.
            while place.log.end_offsets(COMMANDS_TOPIC).unwrap()[0] == end {
                thread::yield_now();
            }
            place.announce_past(&one, end);
            held.end();
            waiting.join().unwrap()
        });
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::Skipped { offset } if offset == end),
            "{error:?}"
        );
        two.catch_up().unwrap();
        one.catch_up().unwrap();
        assert_eq!(answers(&two), answers(&one));
        // From then on it is as any other.
        announce_one(&two, "p", 3);
        one.catch_up().unwrap();
        assert_eq!(answers(&two), answers(&one));
    }
    // What it wrote to its own checkpoint is the new state, and nothing of the old.
    let expected = answers(&one);
    drop((one, two));
    assert_eq!(answers(&place.registry("two")), expected);
}

#[test]
fn instances_that_write_at_the_same_time_over_a_failing_store_lose_nothing() {
    let mut random = Random::new(seed() ^ 0x7c);
    let place = Place::new();
    let gates = [Arc::new(Gate::default()), Arc::new(Gate::default())];
    let open = |at: usize, own: &str| {
        let store = FaultyStore(Arc::clone(&place.store), Arc::clone(&gates[at]));
        // What was ordered to fail fails at some time.
        let opened = (0..20).find_map(|_| {
            place
                .registry_over(Arc::clone(&place.log), Arc::new(store.clone()), own)
                .ok()
        });
        opened.unwrap()
    };
    let mut instances = [open(0, "0"), open(1, "1")];
    let mut announced = Vec::<Version>::new();
    for round in 0..400 {
        let at = random.below(2) as usize;
        instances[at].catch_up().unwrap();
        announced.push(announce_one(&instances[at], "p", round));
        if random.one_in(4) {
            gates[at].order(random.below(6), 1 + random.below(2), random.one_in(2));
        }
        if random.one_in(15) {
            // It comes back with its own checkpoint, or without.
            let own = if random.one_in(2) {
                at.to_string()
            } else {
                format!("{round}")
            };
            let other = open(1 - at, &format!("{round}-other"));
            drop(std::mem::replace(&mut instances[at], other));
            instances[at] = open(at, &own);
        }
        let begin = place.begin();
        let readable = place.checkpoints();
        let behind = readable.iter().filter(|key| offset(key) >= begin);
        assert!(begin == 0 || behind.count() >= 2, "{begin}: {readable:?}");
    }
    for instance in &instances {
        instance.catch_up().unwrap();
    }
    assert_eq!(answers(&instances[0]), answers(&instances[1]));
    let known = instances[0].versions(&name(), &Versions::between(Version(0), Version(i64::MAX)));
    let known: Vec<Version> = known.unwrap().iter().map(|info| info.version).collect();
    assert_eq!(known, announced);
    assert!(
        place.begin() > 100,
        "the log is truncated: {}",
        place.begin()
    );
    assert_eq!(answers(&place.registry("fresh")), answers(&instances[0]));
}

/// Set in child processes: the directory, and the call of the store to die at.
const CHILD: &str = "REGISTRY_TEST_TRUNCATION";
const ROUNDS: i64 = 12;

#[test]
#[ignore = "runs as a child process of `a_writer_dies_at_every_step`"]
fn child() {
    let Ok(order) = std::env::var(CHILD) else {
        return;
    };
    let (dir, at) = order.rsplit_once('|').unwrap();
    let (log, store) = open(Path::new(dir));
    let gate = Arc::new(Gate::default());
    let at: u64 = at.parse().unwrap();
    gate.die(at / 2, at % 2 == 1);
    let plain = Arc::clone(&store);
    let checkpoints = SharedCheckpoints::keep(Arc::new(FaultyStore(store, gate)), EVERY);
    let registry =
        LogRegistry::open_with(Arc::clone(&log), &Path::new(dir).join("child"), checkpoints)
            .unwrap();
    for round in 0..ROUNDS {
        println!("announced {}", announce_one(&registry, "p", round));
        // Each checkpoint that is due is written before more are.
        let end = log.end_offsets(COMMANDS_TOPIC).unwrap()[0];
        let newest = || plain.list("registry.commands/").unwrap().pop();
        while newest().map_or(0, |blob| offset(&blob.key)) + (EVERY as i64) <= end {
            thread::yield_now();
        }
    }
    drop(registry);
    println!("finished");
}

#[test]
fn a_writer_dies_at_every_step() {
    for at in 0.. {
        let dir = memory_dir();
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--ignored"])
            .env(CHILD, format!("{}|{at}", dir.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        child.wait().unwrap();
        let announced = said
            .lines()
            .filter_map(|line| line.split_once("announced "));
        let announced: Vec<Version> = announced.map(|(_, v)| v.parse().unwrap()).collect();

        let (log, store) = open(dir.path());
        let place = Place { dir, log, store };
        // One that starts from nothing, and the dead one as it comes back.
        let fresh = place.registry("fresh");
        let back = place.registry("child");
        assert_eq!(answers(&fresh), answers(&back), "{said}");
        let known = fresh.versions(&name(), &Versions::all()).unwrap();
        for version in &announced {
            let info = known.iter().find(|info| info.version == *version).unwrap();
            assert!(info.announced_at_ms.is_some(), "{version}: {said}");
        }
        // What was begun is finished, and it goes on.
        let info = fresh.dataset(&name()).unwrap();
        if let Some(head) = info.as_ref().and_then(|info| info.head) {
            let announce = Action::Announce {
                epoch: info.unwrap().epoch,
                version: head,
                scope: registry::Scope::everybody(),
                metadata: std::collections::BTreeMap::new(),
            };
            assert_eq!(run(&fresh, 0, announce), Outcome::Done);
        }
        let begin = place.begin();
        let is_old = |key: &String| offset(key) < begin;
        while place.begin() <= begin || place.checkpoints().iter().any(is_old) {
            announce_one(&fresh, "p", 1);
        }
        if said.contains("finished") {
            println!("{at} deaths");
            assert!(at > 30, "only {at} places to die at");
            return;
        }
    }
}
