//! Brokers that die, hang and come back; topics that are made anew.

use super::{PATIENCE, connect, kafka, keyed, options, read_all, read_to};
use changelog::{Batch, ChangeLog, Error, KafkaLog, PollLimit, Position, Refusal, TopicSpec};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_broker_that_is_killed_and_started_again_costs_nothing_but_time() {
    let mut kafka = kafka();
    let log = connect(&kafka);
    let topic = "killed";
    log.create_topic(&TopicSpec::new(topic, 3)).unwrap();
    let (stop, is_written) = (AtomicBool::new(false), AtomicBool::new(false));
    let (written, read) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut at = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = at.len() as u64;
                let records: Vec<_> = (next..next + 50).map(keyed).collect();
                at.extend(log.append(topic, &records).unwrap());
            }
            at
        });
        let reader = scope.spawn(|| {
            let mut consumer = log.consumer(topic, &Position::of_all(&[0; 3])).unwrap();
            let (mut batch, mut read) = (Batch::new(), Vec::new());
            loop {
                let is_last = is_written.load(Ordering::Relaxed);
                consumer
                    .poll(
                        &mut batch,
                        PollLimit::records(70),
                        Duration::from_millis(100),
                    )
                    .unwrap();
                read.extend(batch.records().map(|record| record.to_record()));
                let ends = Position::of_all(&log.end_offsets(topic).unwrap());
                if is_last && consumer.positions() == ends {
                    break read;
                }
            }
        });
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(700));
            kafka.kill().unwrap();
            std::thread::sleep(Duration::from_millis(700));
            kafka.start_again().unwrap();
        }
        std::thread::sleep(Duration::from_millis(700));
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        is_written.store(true, Ordering::Relaxed);
        (written, reader.join().unwrap())
    });
    // Each record is where its append said, and was read once. A broker that is killed may forget what an idempotent producer
    // sent last, so there may be repetitions of what was written, and nothing else.
    let mut by_place: Vec<_> = read
        .iter()
        .map(|record| {
            (
                (record.partition, record.offset),
                record.value.clone().unwrap(),
            )
        })
        .collect();
    by_place.sort();
    for (i, at) in written.iter().enumerate() {
        let place = (at.partition, at.offset);
        let found = by_place
            .binary_search_by(|(other, _)| other.cmp(&place))
            .unwrap();
        assert_eq!(by_place[found].1, i.to_string().as_bytes());
    }
    assert!(by_place.windows(2).all(|two| two[0].0 < two[1].0));
    assert_eq!(read_all(&log, topic).len(), read.len());
    for (_, value) in &by_place {
        let number: usize = std::str::from_utf8(value).unwrap().parse().unwrap();
        assert!(number < written.len(), "record {number} was never written");
    }
}

#[test]
fn an_outage_longer_than_the_budget_is_told_and_then_it_goes_on() {
    let kafka = kafka();
    let mut short = options(&kafka);
    short.budget_ms = 3_000;
    short
        .properties
        .insert("socket.timeout.ms".to_owned(), "1000".to_owned());
    let log = KafkaLog::connect(short).unwrap();
    let topic = "outage";
    log.create_topic(&TopicSpec::new(topic, 1)).unwrap();
    log.append(topic, &[keyed(0), keyed(1)]).unwrap();
    let mut consumer = log.consumer(topic, &[Position::new(0, 0)]).unwrap();
    assert_eq!(read_to(&mut *consumer, &[2]).len(), 2);

    kafka.process().unwrap().signal("STOP").unwrap();
    let started = Instant::now();
    let errors = [
        log.append(topic, &[keyed(2)]).unwrap_err(),
        consumer
            .poll(&mut Batch::new(), PollLimit::default(), Duration::ZERO)
            .unwrap_err(),
        log.end_offsets(topic).unwrap_err(),
    ];
    assert!(started.elapsed() < PATIENCE);
    for error in errors {
        assert!(matches!(error, Error::KafkaUnreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&kafka.bootstrap()) && text.contains("did not answer for"),
            "{text}"
        );
    }
    kafka.process().unwrap().signal("CONT").unwrap();

    assert_eq!(consumer.positions(), [Position::new(0, 2)]);
    let at = log.append(topic, &[keyed(3)]).unwrap();
    let values: Vec<_> = read_to(&mut *consumer, &[at[0].offset + 1])
        .into_iter()
        .map(|record| String::from_utf8(record.value.unwrap()).unwrap())
        .collect();
    // The record of the append that failed may be there: that is what the error says.
    assert!(values == ["3"] || values == ["2", "3"], "{values:?}");
}

#[test]
fn a_closed_log_does_not_wait_out_an_outage() {
    let kafka = kafka();
    let log = connect(&kafka);
    log.create_topic(&TopicSpec::new("closed", 1)).unwrap();
    let mut consumer = log.consumer("closed", &[Position::new(0, 0)]).unwrap();
    kafka.process().unwrap().signal("STOP").unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.append("closed", &[keyed(1)]).unwrap_err());
        let polling = scope.spawn(|| {
            consumer
                .poll(&mut Batch::new(), PollLimit::default(), PATIENCE)
                .unwrap_err()
        });
        std::thread::sleep(Duration::from_millis(300));
        log.close();
        assert!(matches!(waiting.join().unwrap(), Error::Closed));
        assert!(matches!(polling.join().unwrap(), Error::Closed));
    });
    assert!(started.elapsed() < Duration::from_secs(30));
    kafka.process().unwrap().signal("CONT").unwrap();
}

/// librdkafka goes on at the same offset of the new topic, which here has enough records for that.
#[test]
fn no_record_of_a_recreated_topic_is_taken_for_one_of_the_old() {
    let kafka = kafka();
    let log = connect(&kafka);
    let topic = "made-anew";
    let spec = TopicSpec::new(topic, 1);
    let old = log.create_topic(&spec).unwrap().id;
    log.append(topic, &(0..5).map(keyed).collect::<Vec<_>>())
        .unwrap();
    let mut consumer = log.consumer(topic, &[Position::new(0, 0)]).unwrap();
    assert_eq!(read_to(&mut *consumer, &[5]).len(), 5);
    log.delete_topic(topic).unwrap();
    let new = log.create_topic(&spec).unwrap().id;
    log.append(topic, &(100..120).map(keyed).collect::<Vec<_>>())
        .unwrap();
    let refusal = loop {
        let polled = consumer.poll(
            &mut Batch::new(),
            PollLimit::default(),
            Duration::from_secs(1),
        );
        match polled {
            Ok(0) => {}
            Ok(count) => panic!("{count} records of another topic"),
            Err(error) => break error.refusal().unwrap().clone(),
        }
    };
    assert_eq!(
        refusal,
        Refusal::TopicRecreated {
            topic: topic.to_owned(),
            expected: old,
            found: new
        }
    );
    assert_eq!(consumer.positions(), [Position::new(0, 5)]);
}

#[test]
fn nobody_listening_is_told_within_the_budget() {
    let mut options = options(&kafka());
    options.bootstrap = "127.0.0.1:1".to_owned();
    options.budget_ms = 1_000;
    let error = KafkaLog::connect(options).err().unwrap();
    assert!(matches!(error, Error::KafkaUnreachable { .. }), "{error}");
}
