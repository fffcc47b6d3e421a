//! The log on a real Kafka: the conformance suite, and what only Kafka can show. One broker serves all tests of the
//! binary; each takes it for itself, since some of them kill it.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

#[path = "real/faults.rs"]
mod faults;
#[path = "real/security.rs"]
mod security;
#[path = "real/suite.rs"]
mod suite;
#[path = "real/transactions.rs"]
mod transactions;

use changelog::{
    Batch, ChangeLog, Consumer, KafkaLog, KafkaOptions, NewRecord, PollLimit, Position, Record,
};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tests_servers::Kafka;

const PATIENCE: Duration = Duration::from_secs(60);

/// The broker, for the caller alone; running, whatever the test before did.
fn kafka() -> MutexGuard<'static, Kafka> {
    static KAFKA: OnceLock<Mutex<Kafka>> = OnceLock::new();
    let kafka = KAFKA.get_or_init(|| Mutex::new(Kafka::start().unwrap()));
    let mut kafka = kafka.lock().unwrap_or_else(PoisonError::into_inner);
    match kafka.process() {
        Some(process) => process.signal("CONT").unwrap(),
        None => kafka.start_again().unwrap(),
    }
    kafka
}

/// Options with which topics compact at once, if they are of the kind that does.
fn options(kafka: &Kafka) -> KafkaOptions {
    let mut options = KafkaOptions::new(&kafka.bootstrap());
    options.budget_ms = 60_000;
    let quick = [
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.0001"),
        ("max.compaction.lag.ms", "1000"),
    ];
    options.topic_config = quick.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    options
}

fn connect(kafka: &Kafka) -> KafkaLog {
    KafkaLog::connect(options(kafka)).unwrap()
}

fn keyed(i: u64) -> NewRecord {
    NewRecord::new(1, format!("k{i}"), i.to_string())
}

/// Polls until the consumer stands at `ends`, and returns what it read.
fn read_to(consumer: &mut dyn Consumer, ends: &[i64]) -> Vec<Record> {
    let (mut batch, mut records) = (Batch::new(), Vec::new());
    let started = Instant::now();
    let behind = |positions: &[Position]| {
        let mut positions = positions.iter();
        positions.any(|position| position.offset < ends[position.partition as usize])
    };
    while behind(consumer.positions()) {
        assert!(
            started.elapsed() < PATIENCE,
            "stuck at {:?} of {ends:?}",
            consumer.positions()
        );
        consumer
            .poll(&mut batch, PollLimit::default(), Duration::from_millis(100))
            .unwrap();
        records.extend(batch.records().map(|record| record.to_record()));
    }
    records
}

fn read_all(log: &dyn ChangeLog, topic: &str) -> Vec<Record> {
    let begin = log.begin_offsets(topic).unwrap();
    let mut consumer = log.consumer(topic, &Position::of_all(&begin)).unwrap();
    read_to(&mut *consumer, &log.end_offsets(topic).unwrap())
}
