//! What every back end must do, as tests: written against what Kafka does, run on each back end by its own test.
//!
//! A back end's test implements [`Backend`] and runs [`CASES`]. A case asserts only what Kafka promises; what a back end
//! promises beyond that (the embedded log's atomic appends, say) it tests itself. Each case uses topics of its own, so
//! one log serves them all.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "these functions are tests: a panic is how they fail"
)]

mod compaction;
mod history;
mod records;
mod topics;

use crate::{Batch, ChangeLog, NewRecord, PollLimit, Position, Record, Refusal, Result};
use std::time::Duration;

/// A back end under test.
pub trait Backend {
    /// The log.
    fn log(&self) -> &dyn ChangeLog;
    /// Makes the back end compact a topic and returns when it has: superseded records that a pass can reach are gone, and
    /// tombstones whose time is over. Kafka never compacts the segment being written; a back end that has to append
    /// something to begin another one uses the key [`FILLER_KEY`].
    fn compact(&self, topic: &str);
    /// Lets time pass by the clock that tombstone retention goes by.
    fn advance(&self, ms: i64);
    /// Closes and opens again whatever can be, so that only what is durable is left.
    fn restart(&mut self);
}

/// The key of records that are there only to make a log compact. Cases don't see them.
pub const FILLER_KEY: &[u8] = b"filler";

/// A test of the suite: its name, and what it runs.
pub type Case = (&'static str, fn(&mut dyn Backend));

/// The suite.
pub const CASES: &[Case] = &[
    (
        "topics are made, listed, widened and deleted",
        topics::lifecycle,
    ),
    ("impossible topics are refused", topics::impossible),
    ("a recreated topic is another one", topics::recreated),
    (
        "ends are told with the topics that they are of",
        topics::ends,
    ),
    ("unknown topics and partitions are refused", topics::unknown),
    (
        "records come back as written, in order",
        records::round_trip,
    ),
    (
        "keys choose partitions as the Java client does",
        records::partitioning,
    ),
    (
        "reading starts anywhere between begin and end",
        records::starts,
    ),
    (
        "a poll keeps its limits but returns something",
        records::limits,
    ),
    ("a 20 MB record passes", records::large),
    ("a poll waits for records", records::waiting),
    (
        "appends from many threads keep their order",
        records::concurrent,
    ),
    (
        "truncated records are gone and begin moves",
        records::truncation,
    ),
    ("records survive a restart", records::restart),
    (
        "compaction keeps the last record of each key",
        compaction::keeps_the_last,
    ),
    (
        "tombstones stay for their retention, then go",
        compaction::tombstones,
    ),
    ("compacted topics need keys", compaction::needs_keys),
    ("a random history reads as its model", history::random),
];

/// Runs the whole suite, saying which case is running.
pub fn run(backend: &mut dyn Backend) {
    for (name, case) in CASES {
        println!("conformance: {name}");
        case(backend);
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Reads everything from `start` up to the present end of its partitions.
fn read(log: &dyn ChangeLog, topic: &str, start: &[Position]) -> Vec<Record> {
    let ends = log.end_offsets(topic).unwrap();
    let mut consumer = log.consumer(topic, start).unwrap();
    let (mut batch, mut records) = (Batch::new(), Vec::new());
    let behind = |p: &Position| p.offset < ends[p.partition as usize];
    let started = std::time::Instant::now();
    while consumer.positions().iter().any(behind) {
        assert!(
            started.elapsed() < PATIENCE,
            "{topic}: stuck at {:?} of {ends:?}",
            consumer.positions()
        );
        consumer
            .poll(&mut batch, PollLimit::default(), Duration::from_millis(200))
            .unwrap();
        records.extend(batch.records().map(|record| record.to_record()));
    }
    records.retain(|record: &Record| record.key.as_deref() != Some(FILLER_KEY));
    for record in &records {
        assert!(record.offset < ends[record.partition as usize]);
    }
    records
}

fn read_all(log: &dyn ChangeLog, topic: &str) -> Vec<Record> {
    read(
        log,
        topic,
        &Position::of_all(&log.begin_offsets(topic).unwrap()),
    )
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    let error = result.expect_err("this must be refused");
    error
        .refusal()
        .unwrap_or_else(|| panic!("no refusal, but: {error}"))
        .clone()
}

fn refused<T>(result: Result<T>) -> Refusal {
    refusal(result.map(|_| ()))
}

fn keyed(key: &str, value: &str) -> NewRecord {
    NewRecord::new(1, key, value)
}

/// A small generator of equally distributed numbers (splitmix64), so that a seed tells the whole run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
