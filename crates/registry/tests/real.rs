//! Instances over a real Kafka: what several processes would see of one command topic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blobstore::{BlobStore, DirectoryStore};
use changelog::{ChangeLog, KafkaLog, KafkaOptions, Position};
use registry::{
    Action, COMMANDS_TOPIC, Error, LogRegistry, Outcome, Registry, Scope, SharedCheckpoints,
    Version, Versions,
};
use support::{announce_one, answers, name, run};
use tests_servers::Kafka;

/// A process of its own, as far as Kafka can tell.
fn open(kafka: &Kafka, dir: &Path) -> (Arc<KafkaLog>, registry::Result<LogRegistry>) {
    let log = Arc::new(KafkaLog::connect(KafkaOptions::new(&kafka.bootstrap())).unwrap());
    let registry = LogRegistry::open(Arc::clone(&log) as Arc<dyn ChangeLog>, dir);
    (log, registry)
}

#[test]
fn instances_in_several_processes_hold_one_state() {
    let mut kafka = Kafka::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (dir_one, dir_two) = (dir.path().join("one"), dir.path().join("two"));
    let (log, one) = open(&kafka, &dir_one);
    let one = one.unwrap();
    let two = open(&kafka, &dir_two).1.unwrap();

    // Commands of both, at the same time: each version is minted once, and both agree on everything.
    let Outcome::Acquired { epoch } = run(
        &one,
        0,
        Action::Acquire {
            owner: "p".to_owned(),
            expected_epoch: 0,
        },
    ) else {
        panic!("not acquired")
    };
    let stage = |registry: &LogRegistry| -> Vec<Version> {
        let stage = |_| match run(registry, 0, Action::Stage { epoch }) {
            Outcome::Staged { version } => version,
            other => panic!("{other:?}"),
        };
        (0..40).map(stage).collect()
    };
    let mut minted = std::thread::scope(|scope| {
        let other = scope.spawn(|| stage(&two));
        let mut minted = stage(&one);
        minted.extend(other.join().unwrap());
        minted
    });
    minted.sort_unstable();
    minted.dedup();
    assert_eq!(minted.len(), 80);
    run(&one, 1, Action::Resign { epoch });

    // What one announces reaches who waits at the other, with nobody asking for it.
    let seen = two.wait(0, Duration::ZERO).unwrap();
    let version = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let started = Instant::now();
            let mut seen = seen;
            while two.latest(&name(), &Scope::everybody()).unwrap().is_none() {
                assert!(started.elapsed() < Duration::from_secs(30));
                seen = two.wait(seen, Duration::from_secs(30)).unwrap();
            }
        });
        let version = announce_one(&one, "one", 2);
        waiting.join().unwrap();
        version
    });
    one.catch_up().unwrap();
    two.catch_up().unwrap();
    assert_eq!(answers(&one), answers(&two));
    let latest = two.latest(&name(), &Scope::everybody()).unwrap().unwrap();
    assert_eq!(latest.version, version);

    // Restarts: from a checkpoint, also when all before it is gone from the log; a broker's restart in between.
    let before = answers(&one);
    let applied = log.end_offsets(COMMANDS_TOPIC).unwrap()[0];
    drop((one, two));
    kafka.kill().unwrap();
    kafka.start_again().unwrap();
    log.truncate(COMMANDS_TOPIC, &[Position::new(0, applied)])
        .unwrap();
    let one = open(&kafka, &dir_one).1.unwrap();
    assert_eq!(answers(&one), before);
    let next = announce_one(&one, "one", 3);
    assert_eq!(
        one.versions(&name(), &Versions::newest(1)).unwrap()[0].version,
        next
    );
    let two = open(&kafka, &dir_two).1.unwrap();
    assert_eq!(answers(&two), answers(&one));
    // Without a checkpoint that reaches that far, nobody can know the state; that is said, not guessed.
    let error = open(&kafka, &dir.path().join("new")).1.err().unwrap();
    assert!(
        matches!(error, Error::Truncated { begin } if begin == applied),
        "{error}"
    );

    // Two that leave checkpoints for others truncate the log by themselves, and one that has nothing starts there.
    let store: Arc<dyn BlobStore> =
        Arc::new(DirectoryStore::open(dir.path().join("blobs")).unwrap());
    let keeping = |log: &Arc<KafkaLog>, own: &Path| {
        let checkpoints = SharedCheckpoints::keep(Arc::clone(&store), 20);
        let log = Arc::clone(log) as Arc<dyn ChangeLog>;
        LogRegistry::open_with(log, own, checkpoints).unwrap()
    };
    drop((one, two));
    let (one, two) = (keeping(&log, &dir_one), keeping(&log, &dir_two));
    while log.begin_offsets(COMMANDS_TOPIC).unwrap()[0] < applied + 60 {
        announce_one(&one, "one", 4);
        two.catch_up().unwrap();
        announce_one(&two, "one", 5);
        one.catch_up().unwrap();
    }
    let fresh = keeping(&log, &dir.path().join("fresh"));
    assert_eq!(answers(&fresh), answers(&one));
    two.catch_up().unwrap();
    assert_eq!(answers(&two), answers(&one));
}
