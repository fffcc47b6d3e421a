//! The conformance suite on Kafka.

use super::{connect, kafka, read_all};
use changelog::conformance::{self, Backend, FILLER_KEY};
use changelog::{ChangeLog, KafkaLog, NewRecord, Record};
use std::cell::Cell;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};
use tests_servers::Kafka;

struct Real {
    kafka: MutexGuard<'static, Kafka>,
    log: KafkaLog,
    /// The timestamp of the last filler. Each is a day later, and so begins a segment.
    filler_ms: Cell<i64>,
}

impl Real {
    fn append_filler(&self, topic: &str, partitions: u32) {
        self.filler_ms.set(self.filler_ms.get() + 86_400_000);
        let filler = |partition| {
            NewRecord::new(self.filler_ms.get(), FILLER_KEY, "filler").to_partition(partition)
        };
        let fillers: Vec<_> = (0..partitions).map(filler).collect();
        self.log.append(topic, &fillers).unwrap();
    }
}

impl Backend for Real {
    fn log(&self) -> &dyn ChangeLog {
        &self.log
    }

    /// Appends three fillers to each partition. Each begins a segment, and the cleaner takes all but the last; so when it
    /// has removed the first, since the second is newer, it has been through everything before.
    fn compact(&self, topic: &str) {
        let partitions = self.log.topic(topic).unwrap().unwrap().partitions;
        self.append_filler(topic, partitions);
        let first = self.filler_ms.get();
        self.append_filler(topic, partitions);
        self.append_filler(topic, partitions);
        let is_old = |record: &Record| {
            record.key.as_deref() == Some(FILLER_KEY) && record.timestamp_ms <= first
        };
        let started = Instant::now();
        while read_all(&self.log, topic).iter().any(is_old) {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{topic} is not compacted"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn advance(&self, ms: i64) {
        std::thread::sleep(Duration::from_millis(u64::try_from(ms).unwrap()));
    }

    fn restart(&mut self) {
        self.log = connect(&self.kafka);
    }
}

#[test]
fn kafka_conforms() {
    let kafka = kafka();
    let log = connect(&kafka);
    let mut backend = Real {
        kafka,
        log,
        // Later than any timestamp of the suite.
        filler_ms: Cell::new(1_700_000_000_000),
    };
    conformance::run(&mut backend);
}
