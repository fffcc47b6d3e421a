//! The conformance suite on the embedded log, directly and over its socket, and what the embedded log promises beyond it.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

use changelog::conformance::{self, Backend};
use changelog::socket::Server;
use changelog::{
    Batch, ChangeLog, EmbeddedLog, EmbeddedOptions, Error, LogService, NewRecord, PollLimit,
    Position, RemoteLog, TopicSpec,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

struct Embedded {
    dir: TempDir,
    clock: Arc<AtomicI64>,
    log: Option<Arc<EmbeddedLog>>,
    remote: Option<(Server, RemoteLog)>,
}

impl Embedded {
    fn new(remote: bool) -> Self {
        let mut backend = Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(AtomicI64::new(1_600_000_000_000)),
            log: None,
            remote: None,
        };
        backend.open(remote);
        backend
    }

    fn open(&mut self, remote: bool) {
        let clock = Arc::clone(&self.clock);
        let options = EmbeddedOptions {
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..EmbeddedOptions::default()
        };
        let log = Arc::new(EmbeddedLog::open_with(&self.dir.path().join("log"), options).unwrap());
        self.log = Some(Arc::clone(&log));
        if remote {
            let path = self.dir.path().join("greenlight.sock");
            let service = Arc::new(LogService::new(log));
            let server =
                Server::serve(&path, vec![(LogService::NAME.to_owned(), service)]).unwrap();
            self.remote = Some((server, RemoteLog::connect(&path).unwrap()));
        }
    }
}

impl Backend for Embedded {
    fn log(&self) -> &dyn ChangeLog {
        match &self.remote {
            Some((_, remote)) => remote,
            None => self.log.as_deref().unwrap(),
        }
    }

    fn compact(&self, topic: &str) {
        self.log.as_ref().unwrap().compact(topic).unwrap();
    }

    fn advance(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    fn restart(&mut self) {
        let remote = self.remote.take().is_some();
        self.log = None;
        self.open(remote);
    }
}

#[test]
fn embedded_conforms() {
    conformance::run(&mut Embedded::new(false));
}

#[test]
fn remote_conforms() {
    conformance::run(&mut Embedded::new(true));
}

#[test]
fn topic_ids_follow_from_name_and_incarnation() {
    let ids = || {
        let backend = Embedded::new(false);
        let mut ids = Vec::new();
        for name in ["a", "b", "a"] {
            if backend.log().topic(name).unwrap().is_some() {
                backend.log().delete_topic(name).unwrap();
            }
            ids.push(
                backend
                    .log()
                    .create_topic(&TopicSpec::new(name, 1))
                    .unwrap()
                    .id,
            );
        }
        ids
    };
    let first = ids();
    assert_eq!(first, ids());
    assert!(first[0] != first[1] && first[0] != first[2]);
}

#[test]
fn a_refused_append_writes_nothing() {
    let backend = Embedded::new(false);
    backend
        .log()
        .create_topic(&TopicSpec::compacted("t", 1))
        .unwrap();
    let records = [
        NewRecord::new(1, "k", "v"),
        NewRecord {
            key: None,
            ..NewRecord::new(1, "", "v")
        },
    ];
    assert!(backend.log().append("t", &records).is_err());
    assert_eq!(backend.log().end_offsets("t").unwrap(), [0]);
}

#[test]
fn no_partition_starves_and_undisturbed_polls_read_in_order() {
    let backend = Embedded::new(false);
    let log = backend.log();
    log.create_topic(&TopicSpec::new("t", 3)).unwrap();
    let mut records: Vec<_> = (0..100)
        .map(|_| NewRecord::new(1, "k", "v").to_partition(0))
        .collect();
    records.push(NewRecord::new(1, "k", "v").to_partition(2));
    log.append("t", &records).unwrap();
    let mut consumer = log.consumer("t", &Position::of_all(&[0, 0, 0])).unwrap();
    let mut batch = Batch::new();
    consumer
        .poll(&mut batch, PollLimit::records(10), Duration::ZERO)
        .unwrap();
    consumer
        .poll(&mut batch, PollLimit::records(10), Duration::ZERO)
        .unwrap();
    assert_eq!(batch.get(0).unwrap().partition, 2);
    let mut consumer = log.consumer("t", &Position::of_all(&[0, 0, 0])).unwrap();
    consumer
        .poll(&mut batch, PollLimit::default(), Duration::ZERO)
        .unwrap();
    let order: Vec<_> = batch.records().map(|record| record.partition).collect();
    assert!(order.is_sorted() && order.len() == 101);
}

#[test]
fn appends_compact_by_themselves_and_equal_runs_see_equal_logs() {
    let run = || {
        let dir = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            dirty_records_min: 100,
            ..EmbeddedOptions::default()
        };
        let log = EmbeddedLog::open_with(dir.path(), options).unwrap();
        log.create_topic(&TopicSpec::compacted("t", 2)).unwrap();
        for round in 0..200 {
            let key = |i: i32| format!("{}", (round * 7 + i * 13) % 40);
            let records: Vec<_> = (0..10)
                .map(|i| NewRecord::new(1, key(i), format!("{round}.{i}")))
                .collect();
            log.append("t", &records).unwrap();
        }
        let mut consumer = log.consumer("t", &Position::of_all(&[0, 0])).unwrap();
        let mut batch = Batch::new();
        consumer
            .poll(&mut batch, PollLimit::default(), Duration::ZERO)
            .unwrap();
        batch
            .records()
            .map(|record| record.to_record())
            .collect::<Vec<_>>()
    };
    let records = run();
    assert!(records.len() < 400, "{} of 2000 are left", records.len());
    assert_eq!(records, run());
}

#[test]
fn a_directory_has_one_owner() {
    let backend = Embedded::new(false);
    let error = EmbeddedLog::open(&backend.dir.path().join("log"))
        .err()
        .unwrap();
    assert!(
        matches!(error, Error::Storage { action: "open", .. }),
        "{error}"
    );
}

/// A process that is killed in the middle of appending leaves whole calls behind, all that it was told are durable.
#[test]
fn a_killed_writer_leaves_whole_appends() {
    use std::io::{BufRead as _, BufReader};
    const CHILD: &str = "CHANGELOG_TEST_KILLED_WRITER";
    if let Ok(dir) = std::env::var(CHILD) {
        let log = EmbeddedLog::open(dir.as_ref()).unwrap();
        log.create_topic(&TopicSpec::new("t", 2)).unwrap();
        for call in 0_u32.. {
            let record = |p| NewRecord::new(1, "k", call.to_string()).to_partition(p);
            log.append("t", &[record(0), record(1), record(0)]).unwrap();
            println!("\ndurable {call}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_killed_writer_leaves_whole_appends",
            "--nocapture",
        ])
        .env(CHILD, dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut durable = lines.filter_map(|line| line.strip_prefix("durable ")?.parse::<i64>().ok());
    let seen = durable.find(|&call| call == 40).unwrap();
    child.kill().unwrap();
    let last = durable.last().unwrap_or(seen);
    child.wait().unwrap();
    let ends = EmbeddedLog::open(dir.path())
        .unwrap()
        .end_offsets("t")
        .unwrap();
    assert_eq!(ends[0], 2 * ends[1]);
    assert!(
        ends[1] > last,
        "{} appends are left of {}",
        ends[1],
        last + 1
    );
}
