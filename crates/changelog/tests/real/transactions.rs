//! Transactions of upstream producers: what was aborted is not read, what is open is not read yet, and a reader passes
//! over the marks that they leave in the log.

use super::{connect, kafka, keyed, read_all};
use changelog::{Batch, ChangeLog, PollLimit, Position, TopicSpec};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(20);

fn upstream(bootstrap: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", "upstream")
        .create()
        .unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    producer
}

fn write(producer: &BaseProducer, topic: &str, values: &[&str]) {
    for (partition, value) in (0..2).cycle().zip(values) {
        let record = BaseRecord::to(topic)
            .partition(partition)
            .key("k")
            .payload(*value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
}

#[test]
fn transactions_are_read_when_they_are_committed_and_never_when_aborted() {
    let kafka = kafka();
    let log = connect(&kafka);
    let topic = "transactions";
    log.create_topic(&TopicSpec::new(topic, 2)).unwrap();
    let producer = upstream(&kafka.bootstrap());
    let mut consumer = log.consumer(topic, &Position::of_all(&[0, 0])).unwrap();
    let mut batch = Batch::new();
    let mut seen = Vec::new();
    let mut poll = |consumer: &mut Box<dyn changelog::Consumer>, seen: &mut Vec<String>| {
        // A poll may return nothing because the broker is slow, so the end is asked for.
        let start = Instant::now();
        loop {
            let limit = PollLimit::default();
            let read = consumer
                .poll(&mut batch, limit, Duration::from_millis(100))
                .unwrap();
            let value = |v: &[u8]| String::from_utf8(v.to_vec()).unwrap();
            seen.extend(batch.records().map(|record| value(record.value.unwrap())));
            let end = Position::of_all(&log.end_offsets(topic).unwrap());
            if read == 0 && consumer.positions() == end {
                break;
            }
            assert!(start.elapsed() < TIMEOUT, "{end:?} is not reached");
        }
    };

    producer.begin_transaction().unwrap();
    write(&producer, topic, &["a", "b", "c"]);
    poll(&mut consumer, &mut seen);
    assert_eq!(log.end_offsets(topic).unwrap(), [0, 0]);
    producer.commit_transaction(TIMEOUT).unwrap();
    poll(&mut consumer, &mut seen);
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
    // The marks take an offset each.
    assert_eq!(log.end_offsets(topic).unwrap(), [3, 2]);

    // Nothing but a gap, also for a consumer that begins in the middle of it.
    producer.begin_transaction().unwrap();
    write(&producer, topic, &["x", "y", "x", "y"]);
    producer.abort_transaction(TIMEOUT).unwrap();
    poll(&mut consumer, &mut seen);
    assert_eq!(seen.len(), 3);
    assert_eq!(log.end_offsets(topic).unwrap(), [6, 5]);
    let mut late = log.consumer(topic, &Position::of_all(&[4, 3])).unwrap();
    poll(&mut late, &mut seen);
    assert_eq!(seen.len(), 3);

    // A record of ours in a partition of which the other has only a gap.
    let at = log.append(topic, &[keyed(7).to_partition(1)]).unwrap();
    assert_eq!(at, [Position::new(1, 5)]);
    producer.begin_transaction().unwrap();
    write(&producer, topic, &["z"]);
    producer.abort_transaction(TIMEOUT).unwrap();
    poll(&mut consumer, &mut seen);
    assert_eq!(seen.pop().unwrap(), "7");
    assert_eq!(read_all(&log, topic).len(), 4);
}
