//! A feeder that is stopped anywhere goes on where it was, and the log ends up the same.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use changelog::{Batch, ChangeLog, EmbeddedLog, NewRecord, PollLimit, Position, TopicSpec};
use greenlight::scenario::{Feeder, Scenario, Topic};
use ingest::avro::AvroSchema;

const POPULARITY: &str = r#"{"type": "record", "name": "Popularity", "key": ["video"], "fields": [
    {"name": "video", "type": "long"}, {"name": "hoursViewed", "type": ["null", "long"]}]}"#;
const BASE: u64 = 20_000;
const CHANGES: u64 = 3_000;

fn line(sequence: u64, version: u64, value: &str) -> String {
    format!(
        "{{\"topic\":\"popularity\",\"key\":[{}],\"sourceVersion\":{version},\"value\":{value}}}\n",
        sequence % BASE
    )
}

fn write_scenario(dir: &Path) {
    let mut base = String::new();
    let mut changes = String::new();
    for video in 0..BASE {
        let value = format!("{{\"video\":{video},\"hoursViewed\":{}}}", video * 7);
        base.push_str(&line(video, 1_000 + video, &value));
    }
    for number in 0..CHANGES {
        let video = number * 5 % BASE;
        let value = format!("{{\"video\":{video},\"hoursViewed\":null}}");
        let value = if number % 3 == 0 { "null" } else { &value };
        changes.push_str(&line(video, 5_000_000 + number * 1_000, value));
    }
    fs::create_dir_all(dir.join("base")).unwrap();
    for (name, text) in [("base/popularity", base), ("changes", changes)] {
        let bytes = zstd::encode_all(text.as_bytes(), 1).unwrap();
        fs::write(dir.join(format!("{name}.jsonl.zst")), bytes).unwrap();
    }
    fs::write(
        dir.join("scenario.toml"),
        format!(
            "name = \"test\"\nclock = \"1970-01-01T01:00:00Z\"\nbase = \"1970-01-01T00:00:01Z\"\n\
             [records.base]\npopularity = {BASE}\n[records.changes]\npopularity = {CHANGES}\n\
             [[round]]\nname = \"one\"\nuntil = \"1970-01-01T00:00:07Z\"\nrecords = 2000\n\
             [[round]]\nname = \"two\"\nuntil = \"1970-01-01T01:00:00Z\"\nrecords = 1000\n"
        ),
    )
    .unwrap();
}

fn topics() -> Vec<Topic> {
    vec![Topic {
        name: "popularity".to_owned(),
        partitions: 3,
        schema: Arc::new(AvroSchema::parse(POPULARITY, "popularity").unwrap()),
        schema_id: 42,
    }]
}

/// A record of the log: partition, timestamp, key, value, headers.
type Entry = (
    u32,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Vec<u8>)>,
);
type Content = Vec<Entry>;

fn sequence(entry: &Entry) -> u64 {
    let header = entry
        .4
        .iter()
        .find(|(name, _)| name == "gl-scenario-sequence");
    std::str::from_utf8(&header.unwrap().1)
        .unwrap()
        .parse()
        .unwrap()
}

fn content(log: &dyn ChangeLog) -> Content {
    let mut all = Vec::new();
    let begin = log.begin_offsets("popularity").unwrap();
    let end = log.end_offsets("popularity").unwrap();
    for (start, end) in Position::of_all(&begin).into_iter().zip(end) {
        let mut consumer = log.consumer("popularity", &[start]).unwrap();
        let mut batch = Batch::new();
        while consumer.positions()[0].offset < end {
            consumer
                .poll(&mut batch, PollLimit::default(), Duration::ZERO)
                .unwrap();
            all.extend(batch.records().map(|record| {
                let record = record.to_record();
                (
                    record.partition,
                    record.timestamp_ms,
                    record.key,
                    record.value,
                    record.headers,
                )
            }));
        }
    }
    all
}

fn fed_at_once(scenario: &Scenario) -> Content {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(dir.path()).unwrap();
    let mut feeder = Feeder::new(scenario, &log, &topics()).unwrap();
    assert_eq!(feeder.base_len(), BASE);
    let fed = feeder.feed_base(&|_| {}).unwrap();
    assert_eq!((fed.appended, fed.already, fed.done), (BASE, 0, true));
    let fed = feeder.feed_changes(i64::MAX, u64::MAX).unwrap();
    assert_eq!((fed.appended, fed.already, fed.done), (CHANGES, 0, true));
    content(&log)
}

#[test]
fn rounds_are_cut_by_their_instants() {
    let dir = tempfile::tempdir().unwrap();
    write_scenario(dir.path());
    let scenario = Scenario::open(dir.path()).unwrap();
    let log_dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(log_dir.path()).unwrap();
    let mut feeder = Feeder::new(&scenario, &log, &topics()).unwrap();
    feeder.feed_base(&|_| {}).unwrap();
    for round in &scenario.manifest().rounds {
        let fed = feeder.feed_changes(round.until_ms, u64::MAX).unwrap();
        assert_eq!(
            (fed.appended, fed.done),
            (round.records, true),
            "{}",
            round.name
        );
        assert!(fed.at_ms.unwrap() < round.until_ms);
    }
    assert_eq!(content(&log), fed_at_once(&scenario));
}

#[test]
fn a_feeder_goes_on_where_the_last_one_stopped() {
    let dir = tempfile::tempdir().unwrap();
    write_scenario(dir.path());
    let scenario = Scenario::open(dir.path()).unwrap();
    let undisturbed = fed_at_once(&scenario);

    // The first run got as far as an arbitrary prefix of each partition, in the base or in the
    // changes: that is what the death of a process leaves of batches that were on their way.
    for (base_in, prefix) in [
        (false, 0),
        (false, 1),
        (false, 63),
        (false, 64),
        (false, 4_097),
        (true, 0),
        (true, 300),
    ] {
        let log_dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(log_dir.path()).unwrap();
        log.create_topic(&TopicSpec::compacted("popularity", 3))
            .unwrap();
        for partition in 0..3_u32 {
            let of_partition = undisturbed.iter().filter(|record| record.0 == partition);
            let in_base = of_partition
                .clone()
                .filter(|record| sequence(record) < BASE)
                .count();
            let fed = prefix * (partition as usize + 1) / 2;
            let fed = if base_in {
                in_base + fed
            } else {
                fed.min(in_base)
            };
            let records: Vec<NewRecord> = of_partition
                .take(fed)
                .map(|(partition, timestamp_ms, key, value, headers)| NewRecord {
                    partition: Some(*partition),
                    timestamp_ms: *timestamp_ms,
                    key: key.clone(),
                    value: value.clone(),
                    headers: headers.clone(),
                })
                .collect();
            log.append("popularity", &records).unwrap();
        }
        let before = content(&log).len() as u64;
        // Many small steps, each with a new feeder, must not repeat or leave out anything.
        let mut appended = 0;
        loop {
            let mut feeder = Feeder::new(&scenario, &log, &topics()).unwrap();
            assert_eq!(content(&log).len() as u64, before + appended);
            let base = feeder.feed_base(&|_| {}).unwrap();
            assert_eq!(base.appended + base.already, BASE);
            appended += base.appended;
            let fed = feeder.feed_changes(i64::MAX, 700).unwrap();
            appended += fed.appended;
            if fed.done {
                break;
            }
        }
        assert_eq!(before + appended, BASE + CHANGES, "{base_in} {prefix}");
        assert_eq!(content(&log), undisturbed, "{base_in} {prefix}");
    }
}

#[test]
fn a_stranger_s_records_do_not_confuse_the_feeder() {
    let dir = tempfile::tempdir().unwrap();
    write_scenario(dir.path());
    let scenario = Scenario::open(dir.path()).unwrap();
    let log_dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(log_dir.path()).unwrap();
    let mut feeder = Feeder::new(&scenario, &log, &topics()).unwrap();
    feeder.feed_base(&|_| {}).unwrap();
    let strange: Vec<NewRecord> = (0..1_000)
        .map(|n| NewRecord::new(0, format!("[{n}]"), "?"))
        .collect();
    log.append("popularity", &strange).unwrap();
    let mut feeder = Feeder::new(&scenario, &log, &topics()).unwrap();
    let fed = feeder.feed_base(&|_| {}).unwrap();
    assert_eq!((fed.appended, fed.already), (0, BASE));
    assert_eq!(feeder.feed_changes(0, u64::MAX).unwrap().appended, 0);
    assert_eq!(
        feeder.feed_changes(i64::MAX, u64::MAX).unwrap().appended,
        CHANGES
    );
}
