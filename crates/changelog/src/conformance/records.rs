//! Appending and reading.

use super::{Backend, PATIENCE, Random, keyed, read, read_all, refused};
use crate::{Batch, NewRecord, PollLimit, Position, Record, Refusal, TopicSpec, partition_for_key};
use std::time::{Duration, Instant};

fn as_read(record: &NewRecord, at: Position) -> Record {
    let NewRecord {
        timestamp_ms,
        key,
        value,
        headers,
        ..
    } = record.clone();
    Record {
        partition: at.partition,
        offset: at.offset,
        timestamp_ms,
        key,
        value,
        headers,
    }
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

pub(super) fn round_trip(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("round-trip", 2)).unwrap();
    let now = 1_615_161_600_000;
    let records = [
        NewRecord::new(now, "a", "1")
            .with_header("gl-source-version", "17")
            .with_header("x", vec![0, 255]),
        NewRecord {
            value: Some(Vec::new()),
            ..NewRecord::new(now - 5_000, "a", "")
        },
        NewRecord::tombstone(now + 5_000, "a")
            .with_header("x", "1")
            .with_header("x", "2"),
        NewRecord {
            key: None,
            ..NewRecord::new(now, "", "no key")
        }
        .to_partition(1),
        NewRecord {
            value: None,
            key: None,
            timestamp_ms: now,
            ..NewRecord::default()
        }
        .to_partition(1),
        NewRecord {
            key: Some(Vec::new()),
            ..NewRecord::new(now, "", "empty key")
        }
        .to_partition(0),
    ];
    let at = log.append("round-trip", &records).unwrap();
    assert_eq!(at.len(), records.len());
    let expected: Vec<_> = records
        .iter()
        .zip(&at)
        .map(|(record, &at)| as_read(record, at))
        .collect();
    let got = read_all(log, "round-trip");
    for partition in 0..2 {
        let offsets: Vec<_> = got
            .iter()
            .filter(|r| r.partition == partition)
            .map(|r| r.offset)
            .collect();
        assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    }
    assert_eq!(sorted(got), sorted(expected));
    assert_eq!(log.append("round-trip", &[]).unwrap(), []);
    // A record without key and partition goes anywhere.
    let at = log
        .append(
            "round-trip",
            &[NewRecord {
                key: None,
                ..keyed("", "any")
            }],
        )
        .unwrap();
    assert_eq!(
        read(log, "round-trip", &at)
            .iter()
            .filter(|r| r.value.as_deref() == Some(b"any"))
            .count(),
        1
    );
}

pub(super) fn partitioning(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("partitioning", 7))
        .unwrap();
    let records: Vec<_> = (0..200).map(|i| keyed(&format!("[{i}]"), "v")).collect();
    let at = log.append("partitioning", &records).unwrap();
    for (record, at) in records.iter().zip(at) {
        assert_eq!(
            at.partition,
            partition_for_key(record.key.as_deref().unwrap(), 7)
        );
    }
}

pub(super) fn starts(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("starts", 2)).unwrap();
    let records: Vec<_> = (0..10)
        .map(|i| keyed("k", &i.to_string()).to_partition(1))
        .collect();
    let at = log.append("starts", &records).unwrap();
    for (i, &start) in at.iter().enumerate() {
        let values: Vec<_> = read(log, "starts", &[start])
            .into_iter()
            .map(|r| r.value.unwrap())
            .collect();
        let expected: Vec<_> = (i..10).map(|i| i.to_string().into_bytes()).collect();
        assert_eq!(values, expected);
    }
    let end = log.end_offsets("starts").unwrap()[1];
    assert_eq!(read(log, "starts", &[Position::new(1, end)]), []);
    for offset in [-1, end + 1] {
        let refusal =
            refused(log.consumer("starts", &[Position::new(0, 0), Position::new(1, offset)]));
        let expected = Refusal::OffsetOutOfRange {
            topic: "starts".to_owned(),
            partition: 1,
            offset,
            begin: 0,
            end,
        };
        assert_eq!(refusal, expected);
    }
}

pub(super) fn limits(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("limits", 3)).unwrap();
    let records: Vec<_> = (0..90)
        .map(|i| keyed("k", &"x".repeat(1000)).to_partition(i % 3))
        .collect();
    log.append("limits", &records).unwrap();
    for (limit, records_max, bytes_max) in [
        (
            PollLimit {
                records: 7,
                bytes: 1 << 20,
            },
            7,
            1 << 20,
        ),
        (
            PollLimit {
                records: 1,
                bytes: 1,
            },
            1,
            2000,
        ),
        (
            PollLimit {
                records: 1000,
                bytes: 5000,
            },
            6,
            7000,
        ),
    ] {
        let mut consumer = log
            .consumer("limits", &Position::of_all(&[0, 0, 0]))
            .unwrap();
        let (mut batch, mut seen) = (Batch::new(), 0);
        let started = Instant::now();
        while seen < 90 {
            assert!(started.elapsed() < PATIENCE, "only {seen} records");
            let count = consumer
                .poll(&mut batch, limit, Duration::from_millis(200))
                .unwrap();
            assert_eq!(count, batch.len());
            assert!(
                count <= records_max && batch.bytes() <= bytes_max,
                "{count} records, {} bytes",
                batch.bytes()
            );
            seen += count;
        }
        assert_eq!(seen, 90);
        assert!(
            consumer
                .positions()
                .iter()
                .all(|position| position.offset >= 30)
        );
    }
}

pub(super) fn large(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::compacted("large", 1)).unwrap();
    let mut random = Random(20);
    let value: Vec<u8> = (0..20 << 17)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    assert_eq!(value.len(), 20 << 20);
    let records = [
        keyed("a", "before"),
        NewRecord::new(1, "b", value.clone()),
        keyed("c", "after"),
    ];
    log.append("large", &records).unwrap();
    let got = read_all(log, "large");
    assert_eq!(got.len(), 3);
    assert!(
        got[1].value.as_ref() == Some(&value),
        "the large value came back changed"
    );
}

pub(super) fn waiting(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("waiting", 2)).unwrap();
    let mut consumer = log.consumer("waiting", &Position::of_all(&[0, 0])).unwrap();
    let mut batch = Batch::new();
    assert_eq!(
        consumer
            .poll(&mut batch, PollLimit::default(), Duration::ZERO)
            .unwrap(),
        0
    );
    assert_eq!(
        consumer
            .poll(&mut batch, PollLimit::default(), Duration::from_millis(30))
            .unwrap(),
        0
    );
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            consumer
                .poll(&mut batch, PollLimit::default(), PATIENCE)
                .unwrap();
            batch.get(0).map(|record| record.to_record())
        });
        log.append("waiting", &[keyed("k", "late").to_partition(1)])
            .unwrap();
        let record = reader
            .join()
            .unwrap()
            .expect("the waiting poll returned without the record");
        assert_eq!(record.value.as_deref(), Some(&b"late"[..]));
    });
}

pub(super) fn concurrent(backend: &mut dyn Backend) {
    const THREADS: usize = 4;
    const CALLS: usize = 20;
    let log = backend.log();
    log.create_topic(&TopicSpec::new("concurrent", 3)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for call in 0..CALLS {
                    let record =
                        |i: usize| keyed(&format!("t{thread}"), &format!("{:05}", call * 5 + i));
                    log.append("concurrent", &(0..5).map(record).collect::<Vec<_>>())
                        .unwrap();
                }
            });
        }
    });
    let got = read_all(log, "concurrent");
    assert_eq!(got.len(), THREADS * CALLS * 5);
    for thread in 0..THREADS {
        let key = format!("t{thread}").into_bytes();
        let values: Vec<_> = got
            .iter()
            .filter(|r| r.key.as_ref() == Some(&key))
            .map(|r| &r.value)
            .collect();
        assert!(values.is_sorted_by(|a, b| a < b));
        assert_eq!(values.len(), CALLS * 5);
    }
}

pub(super) fn truncation(backend: &mut dyn Backend) {
    let log = backend.log();
    log.create_topic(&TopicSpec::new("truncation", 2)).unwrap();
    let records: Vec<_> = (0..20)
        .map(|i| keyed("k", &i.to_string()).to_partition(i % 2))
        .collect();
    let at = log.append("truncation", &records).unwrap();
    let end = log.end_offsets("truncation").unwrap();
    let mut late = log.consumer("truncation", &at[1..2]).unwrap();
    log.truncate("truncation", &[Position::new(1, 4)]).unwrap();
    assert_eq!(log.begin_offsets("truncation").unwrap(), [0, 4]);
    assert_eq!(log.end_offsets("truncation").unwrap(), end);
    log.truncate("truncation", &[Position::new(1, 2)]).unwrap();
    assert_eq!(log.begin_offsets("truncation").unwrap(), [0, 4]);
    let refusal = refused(late.poll(&mut Batch::new(), PollLimit::default(), PATIENCE));
    assert!(
        matches!(refusal, Refusal::OffsetOutOfRange { begin: 4, .. }),
        "{refusal}"
    );
    drop(late);
    let refusal = refused(log.truncate("truncation", &[Position::new(1, end[1] + 1)]));
    assert!(
        matches!(refusal, Refusal::OffsetOutOfRange { .. }),
        "{refusal}"
    );
    backend.restart();
    let log = backend.log();
    assert_eq!(log.begin_offsets("truncation").unwrap(), [0, 4]);
    assert_eq!(read_all(log, "truncation").len(), 10 + 6);
    log.truncate("truncation", &Position::of_all(&end)).unwrap();
    assert_eq!(log.begin_offsets("truncation").unwrap(), end);
    assert_eq!(read_all(log, "truncation"), []);
    assert_eq!(
        log.append("truncation", &records[..1]).unwrap(),
        [Position::new(0, end[0])]
    );
}

pub(super) fn restart(backend: &mut dyn Backend) {
    let id = backend
        .log()
        .create_topic(&TopicSpec::new("restart", 2))
        .unwrap()
        .id;
    let mut written = 0;
    for round in 0..3 {
        let records: Vec<_> = (0..10)
            .map(|i| keyed(&format!("k{i}"), &format!("{round}")))
            .collect();
        written += backend.log().append("restart", &records).unwrap().len();
        let before = (
            read_all(backend.log(), "restart"),
            backend.log().end_offsets("restart").unwrap(),
        );
        assert_eq!(before.0.len(), written);
        backend.restart();
        let after = (
            read_all(backend.log(), "restart"),
            backend.log().end_offsets("restart").unwrap(),
        );
        assert_eq!((sorted(before.0), before.1), (sorted(after.0), after.1));
        assert_eq!(backend.log().topic("restart").unwrap().unwrap().id, id);
    }
}
