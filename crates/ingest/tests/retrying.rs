//! Dead letters that are brought back: after the cause is mended they are folded, in the order of their source versions,
//! whatever is killed when.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

use changelog::{ChangeLog, Consumer, NewRecord, Position, TopicInfo, TopicSpec};
use ingest::avro::AvroSchema;
use ingest::{
    Channel, DeadLetter, Ended, IncrementalProducer, Origin, RETRY_COUNT_HEADER, RETRY_OF_HEADER,
    dead_letters, retry_dead_letters,
};
use serde_json::Value;
use std::sync::Arc;
use support::{Model, Random, World, delete, item, key, seed, value};

/// A log that fails when it should mark letters as done: what a kill between the two writes leaves.
struct DiesBetween(Arc<dyn ChangeLog>);

impl ChangeLog for DiesBetween {
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
        if topic.ends_with(".dead") {
            let topic = topic.to_owned();
            return Err(changelog::Refusal::UnknownTopic { topic }.into());
        }
        self.0.append(topic, records)
    }
    fn consumer(&self, topic: &str, start: &[Position]) -> changelog::Result<Box<dyn Consumer>> {
        self.0.consumer(topic, start)
    }
    fn truncate(&self, topic: &str, before: &[Position]) -> changelog::Result<()> {
        self.0.truncate(topic, before)
    }
}

/// The dataset's schema under another id: a version that the schemas at hand do not have yet.
fn newer_schema(world: &World) -> AvroSchema {
    let mut json: Value = serde_json::from_str(world.spec.schema.text()).unwrap();
    json["fields"]
        .as_array_mut()
        .unwrap()
        .push(serde_json::json!({"name": "more", "type": ["null", "long"], "default": null}));
    AvroSchema::parse(&json.to_string(), "newer").unwrap()
}

/// The same record, written with another version of the schema.
fn written_with(record: NewRecord, schema: &AvroSchema, value: &Value) -> NewRecord {
    NewRecord {
        value: Some(schema.encode_wire(schema.id(), value).unwrap()),
        ..record
    }
}

fn letters(world: &World) -> Vec<DeadLetter> {
    dead_letters(&**world.log(), &world.spec).unwrap()
}

fn announced(world: &mut World, producer: &mut IncrementalProducer) {
    let ended = world.cycle(producer).unwrap();
    assert!(
        matches!(ended, Ended::Announced(_) | Ended::Unchanged),
        "{ended:?}"
    );
}

#[test]
fn letters_are_folded_after_the_schema_is_there_and_a_kill_between_the_writes_does_no_harm() {
    let mut random = Random(seed());
    for round in 0..6 {
        let mut world = World::new();
        world.create_topics();
        let newer = newer_schema(&world);
        let mut model = Model::default();
        // There is a first state: one with records of sweeps only would wait for a whole sweep.
        world.send(
            Channel::Changes,
            &[item(&world, 9, "en", 1, 1).to_partition(0)],
        );
        let first = Origin {
            source_version: Some(1),
            deleted: false,
            channel: Channel::Changes,
            partition: 0,
            offset: 0,
            swept: None,
        };
        model.fold(9, "en", first, Some(value(9, "en", 1)));
        let mut producer = world.open(None).unwrap();
        announced(&mut world, &mut producer);
        let mut place = [[0_i64; 3]; 2];
        place[0][0] = 1;
        for step in 0..60_i64 {
            let id = i64::try_from(random.below(6)).unwrap();
            let version = 100 + step - i64::try_from(random.below(20)).unwrap();
            let channel = if random.one_in(4) {
                Channel::Sweep
            } else {
                Channel::Changes
            };
            let content = random.below(40);
            let (record, content) = match random.below(6) {
                0 => (delete(id, "en", version), None),
                1 | 2 => {
                    let value = value(id, "en", content);
                    let record = item(&world, id, "en", version, content);
                    (written_with(record, &newer, &value), Some(value))
                }
                _ => (
                    item(&world, id, "en", version, content),
                    Some(value(id, "en", content)),
                ),
            };
            let partition = u32::try_from(random.below(3)).unwrap();
            let at = world.send(channel, &[record.to_partition(partition)])[0];
            let offset = &mut place[usize::from(channel == Channel::Sweep)][partition as usize];
            assert_eq!(at.offset, *offset);
            *offset += 1;
            let origin = Origin {
                source_version: Some(version),
                deleted: content.is_none(),
                channel,
                partition,
                offset: at.offset,
                swept: None,
            };
            model.fold(id, "en", origin, content);
        }
        announced(&mut world, &mut producer);
        let dead = letters(&world);
        assert!(!dead.is_empty());

        // Too early: they come back as letters from their new places.
        let state = world.load().unwrap();
        let known = |key: &[u8]| ingest::origin(&state, key);
        let log = Arc::clone(world.log());
        let retried = retry_dead_letters(&*log, &world.spec, dead.clone(), 1, &known).unwrap();
        assert_eq!(
            retried.appended.len() + retried.superseded.len(),
            dead.len()
        );
        assert!(letters(&world).is_empty() && retried.refused.is_empty());
        announced(&mut world, &mut producer);
        let again = letters(&world);
        assert_eq!(again.len(), retried.appended.len());

        // The schema arrives. The first retry is killed between the writes, so the letters are still there and the second
        // appends the records once more.
        drop(producer);
        Arc::get_mut(&mut world.schemas)
            .unwrap()
            .add("newer", newer.text())
            .unwrap();
        let mut producer = world.open(None).unwrap();
        let dies = DiesBetween(Arc::clone(&log));
        if round % 2 == 0 && !again.is_empty() {
            assert!(retry_dead_letters(&dies, &world.spec, again.clone(), 2, &|_| None).is_err());
            assert_eq!(letters(&world), again);
            announced(&mut world, &mut producer);
        }
        let retried = retry_dead_letters(&*log, &world.spec, again.clone(), 2, &|_| None).unwrap();
        assert_eq!(retried.appended, again);
        announced(&mut world, &mut producer);
        for _ in 0..3 {
            announced(&mut world, &mut producer);
        }
        assert!(letters(&world).is_empty());

        // What each key is follows from the source versions alone; only the places have moved.
        let state = world.load().unwrap();
        for ((id, language), (origin, _)) in &mut model.keys {
            let stored = ingest::origin(&state, key(*id, language).as_bytes()).unwrap();
            assert_eq!(
                (stored.source_version, stored.channel),
                (origin.source_version, origin.channel)
            );
            *origin = stored;
        }
        model.check(&world, &state);
    }
}

#[test]
fn a_record_that_is_brought_back_says_where_it_was() {
    let mut world = World::new();
    world.create_topics();
    let newer = newer_schema(&world);
    let value = value(1, "en", 4);
    let record = written_with(item(&world, 1, "en", 7, 4), &newer, &value).with_header("x", "y");
    let other = item(&world, 2, "en", 1, 1).to_partition(0);
    world.send(Channel::Changes, &[other, record.clone().to_partition(2)]);
    let mut producer = world.open(None).unwrap();
    for count in 1..=3_i64 {
        world.cycle(&mut producer).unwrap();
        let dead = letters(&world);
        let log = Arc::clone(world.log());
        let retried = retry_dead_letters(&*log, &world.spec, dead.clone(), 5, &|_| None).unwrap();
        assert_eq!(retried.appended, dead);
        let mut consumer = log.consumer("items", &[Position::new(2, count)]).unwrap();
        let mut batch = changelog::Batch::new();
        consumer
            .poll(
                &mut batch,
                changelog::PollLimit::default(),
                std::time::Duration::ZERO,
            )
            .unwrap();
        let found = batch.get(0).unwrap().to_record();
        assert_eq!(
            (&found.key, &found.value, found.timestamp_ms),
            (&record.key, &record.value, record.timestamp_ms)
        );
        let mut headers = record.headers.clone();
        headers.push((
            RETRY_OF_HEADER.to_owned(),
            format!("[\"items\",2,{}]", count - 1).into_bytes(),
        ));
        headers.push((
            RETRY_COUNT_HEADER.to_owned(),
            count.to_string().into_bytes(),
        ));
        assert_eq!(found.headers, headers);
    }
}

#[test]
fn letters_that_cannot_come_back_say_why() {
    let mut world = World::with("source_versions = \"none\"");
    world.create_topics();
    let newer = newer_schema(&world);
    let record = item(&world, 1, "en", 7, 4);
    world.send(
        Channel::Changes,
        &[written_with(record, &newer, &value(1, "en", 4))],
    );
    let mut producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    let log = Arc::clone(world.log());
    let refused = |world: &World, letter: DeadLetter| {
        let mut retried =
            retry_dead_letters(&*log, &world.spec, vec![letter], 5, &|_| None).unwrap();
        assert_eq!(retried.refused.len(), 1);
        retried.refused.remove(0).1
    };
    let letter = letters(&world).remove(0);
    assert!(refused(&world, letter.clone()).contains("no source versions"));
    let cut = DeadLetter {
        cut_from: Some(99),
        ..letter.clone()
    };
    assert!(refused(&world, cut).contains("99 bytes"));
    let foreign = DeadLetter {
        topic: "titles".to_owned(),
        ..letter.clone()
    };
    assert!(refused(&world, foreign).contains("titles"));
    let keyless = DeadLetter {
        key: None,
        ..letter
    };
    assert!(refused(&world, keyless).contains("no key"));
    assert_eq!(letters(&world).len(), 1);
}
