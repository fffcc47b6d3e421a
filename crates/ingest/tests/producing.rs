//! What a producer promises about positions, first states, topics and its thread.

mod support;

use changelog::{NewRecord, TopicSpec};
use dataset::tag;
use ingest::{Channel, Ended, Error, ProducerThread, SourceVersions};
use std::sync::Arc;
use std::time::Duration;
use support::{World, delete, item, key};

#[test]
fn newer_source_versions_alone_wait_for_a_while_and_the_position_waits_with_them() {
    let mut world = World::new();
    world.create_topics();
    world.send(
        Channel::Changes,
        &[item(&world, 1, "en", 1, 1), item(&world, 2, "en", 1, 2)],
    );
    let mut producer = world.open(None).unwrap();
    let Ended::Announced(first) = world.cycle(&mut producer).unwrap() else {
        panic!("no first version")
    };
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Unchanged);
    // The same content again under a newer version: nothing to publish yet.
    world.send(Channel::Changes, &[item(&world, 1, "en", 5, 1)]);
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Unchanged);
    assert_eq!(producer.progress().pending, 1);
    // A restart reads it again, since nothing that is durable has it.
    drop(producer);
    let mut producer = world.open(None).unwrap();
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Unchanged);
    assert_eq!(producer.progress().last_records.confirmed, 1);
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Unchanged);
    // Within the cycles that are set (three here) it is published, and readers see no change.
    let before = world.load().unwrap();
    let Ended::Announced(second) = world.cycle(&mut producer).unwrap() else {
        panic!("not published")
    };
    assert!(second > first);
    let after = world.load().unwrap();
    assert_eq!(
        ingest::origin(&after, key(1, "en").as_bytes())
            .unwrap()
            .source_version,
        Some(5)
    );
    let items = |state: &hollow::ReadState| {
        state
            .type_state("Item")
            .unwrap()
            .ordinals()
            .collect::<Vec<_>>()
    };
    assert_eq!(items(&before), items(&after));
    assert_eq!(producer.progress().pending, 0);
    // With something that matters it would have gone at once.
    world.send(
        Channel::Changes,
        &[item(&world, 1, "en", 6, 1), item(&world, 2, "en", 6, 3)],
    );
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    assert_eq!(
        ingest::origin(&world.load().unwrap(), key(1, "en").as_bytes())
            .unwrap()
            .source_version,
        Some(6)
    );
    drop(producer);
    let mut producer = world.open(None).unwrap();
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Unchanged);
    assert_eq!(producer.progress().last_records.read, 0);
}

#[test]
fn a_first_state_waits_for_what_was_there_and_is_not_empty() {
    let mut world = World::new();
    let mut producer = world.open(None).unwrap();
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Waiting);
    // Deletes are no content.
    world.send(Channel::Changes, &[delete(1, "en", 5)]);
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Waiting);
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Waiting);
    world.send(
        Channel::Changes,
        &[item(&world, 1, "en", 4, 1), item(&world, 2, "en", 4, 1)],
    );
    let mut ended = world.cycle(&mut producer).unwrap();
    if ended == Ended::Waiting {
        ended = world.cycle(&mut producer).unwrap();
    }
    assert!(matches!(ended, Ended::Announced(_)));
    let state = world.load().unwrap();
    // The delete was newer.
    assert_eq!(state.type_state("Item").unwrap().count(), 1);
    assert!(
        ingest::origin(&state, key(1, "en").as_bytes())
            .unwrap()
            .deleted
    );

    let mut world = World::with("source_versions = \"required\"\nallow_empty = true");
    let mut producer = world.open(None).unwrap();
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    assert_eq!(world.load().unwrap().type_state("Item").unwrap().count(), 0);
}

#[test]
fn many_records_come_in_several_cycles_but_the_first_state_whole() {
    let mut world = World::new();
    world.create_topics();
    let records = |from: i64| {
        (from..from + 500)
            .map(|i| item(&world, i, "en", 1, 1))
            .collect::<Vec<_>>()
    };
    world.send(Channel::Changes, &records(0));
    let mut options = world.options(None);
    options.records_per_cycle = 100;
    let mut producer = ingest::IncrementalProducer::open(
        world.spec.clone(),
        world.components(),
        options,
        world.now_ms,
    )
    .unwrap();
    world.cycle(&mut producer).unwrap();
    assert_eq!(producer.progress().last_records.read, 500);
    world.send(Channel::Changes, &records_of(&world, 500..1000));
    world.cycle(&mut producer).unwrap();
    assert!(producer.progress().behind > 0, "{:?}", producer.progress());
    while producer.progress().behind > 0 {
        world.cycle(&mut producer).unwrap();
    }
    assert_eq!(
        world.load().unwrap().type_state("Item").unwrap().count(),
        1000
    );
}

/// A producer with a first state of ten items, of whose next 25 a cycle of ten is published: the ten after that are fetched
/// ahead.
#[expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]
fn fetching_ahead(world: &mut World) -> ingest::IncrementalProducer {
    world.create_topics();
    world.send(Channel::Changes, &records_of(world, 0..10));
    let mut options = world.options(None);
    options.records_per_cycle = 10;
    let mut producer = ingest::IncrementalProducer::open(
        world.spec.clone(),
        world.components(),
        options,
        world.now_ms,
    )
    .unwrap();
    world.cycle(&mut producer).unwrap();
    world.send(Channel::Changes, &records_of(world, 10..35));
    world.cycle(&mut producer).unwrap();
    assert_eq!(producer.progress().last_records.read, 10);
    assert_eq!(producer.progress().behind, 15);
    producer
}

fn read_so_far(producer: &ingest::IncrementalProducer) -> i64 {
    producer.progress().position[0].1.iter().sum()
}

#[test]
fn what_is_fetched_ahead_belongs_to_the_next_cycle() {
    let mut world = World::new();
    let mut producer = fetching_ahead(&mut world);
    assert_eq!(read_so_far(&producer), 20);
    // Nothing that is published knows of it: the next producer reads it itself.
    drop(producer);
    producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    assert_eq!(producer.progress().last_records.read, 15);
    let items = world.load().unwrap();
    assert_eq!(items.type_state("Item").unwrap().count(), 35);

    let mut world = World::new();
    let mut producer = fetching_ahead(&mut world);
    // Newer records wait for their turn.
    world.send(Channel::Changes, &records_of(&world, 35..40));
    for (read, behind) in [(10, 10), (10, 0), (0, 0)] {
        world.cycle(&mut producer).unwrap();
        let progress = producer.progress();
        assert_eq!(
            (progress.last_records.read, progress.behind),
            (read, behind)
        );
        assert_eq!(read_so_far(&producer), 40 - behind as i64);
    }
    let items = world.load().unwrap();
    assert_eq!(items.type_state("Item").unwrap().count(), 40);
}

#[test]
fn what_is_fetched_ahead_of_a_recreated_topic_is_not_published() {
    let mut world = World::new();
    let mut producer = fetching_ahead(&mut world);
    let version = producer.progress().version;
    world.log().delete_topic("items").unwrap();
    world
        .log()
        .create_topic(&TopicSpec::compacted("items", 3))
        .unwrap();
    let error = world.cycle(&mut producer).unwrap_err();
    assert!(matches!(error, Error::TopicRecreated { .. }), "{error}");
    assert_eq!(producer.progress().version, version);
    assert_eq!(
        world.load().unwrap().type_state("Item").unwrap().count(),
        20
    );
}

fn records_of(world: &World, ids: std::ops::Range<i64>) -> Vec<NewRecord> {
    ids.map(|i| item(world, i, "en", 1, 1)).collect()
}

#[test]
fn a_recreated_topic_is_refused_with_a_way_on() {
    let mut world = World::new();
    world.create_topics();
    world.send(Channel::Changes, &[item(&world, 1, "en", 1, 1)]);
    let mut producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    let version = producer.progress().version;
    world.log().delete_topic("items").unwrap();
    world
        .log()
        .create_topic(&TopicSpec::compacted("items", 3))
        .unwrap();
    world.send(Channel::Changes, &[item(&world, 1, "en", 9, 2)]);
    // While it runs: no cycle publishes anything from the new topic.
    let error = world.cycle(&mut producer).unwrap_err();
    assert!(matches!(error, Error::TopicRecreated { .. }), "{error}");
    drop(producer);
    let error = world.open(None).err().unwrap();
    assert!(matches!(error, Error::TopicRecreated { .. }), "{error}");
    assert!(
        error.to_string().contains("recreated") && error.to_string().contains("new name"),
        "{error}"
    );
    let head = world
        .home
        .registry()
        .dataset(&world.spec.name)
        .unwrap()
        .unwrap()
        .head;
    assert_eq!(head, version);
}

#[test]
fn added_partitions_are_taken_up_where_source_versions_allow_it() {
    for versions in [SourceVersions::Required, SourceVersions::None] {
        let required = versions == SourceVersions::Required;
        let setting = if required { "required" } else { "none" };
        let mut world = World::with(&format!("source_versions = \"{setting}\""));
        world.create_topics();
        world.send(Channel::Changes, &[item(&world, 1, "en", 1, 1)]);
        let mut producer = world.open(None).unwrap();
        world.cycle(&mut producer).unwrap();
        drop(producer);
        world.log().add_partitions("items", 5).unwrap();
        let moved = item(&world, 1, "en", 2, 2).to_partition(4);
        world.send(Channel::Changes, &[moved]);
        match world.open(None) {
            Ok(mut producer) if required => {
                assert!(matches!(
                    world.cycle(&mut producer).unwrap(),
                    Ended::Announced(_)
                ));
                let origin =
                    ingest::origin(&world.load().unwrap(), key(1, "en").as_bytes()).unwrap();
                assert_eq!((origin.partition, origin.source_version), (4, Some(2)));
            }
            Err(Error::PartitionsAdded {
                known: 3, now: 5, ..
            }) if !required => {}
            other => panic!("{:?}", other.map(|producer| producer.progress())),
        }
    }
}

#[test]
fn without_source_versions_a_key_stays_in_its_partition() {
    let mut world = World::with("source_versions = \"none\"");
    world.create_topics();
    let record = |content, partition| {
        NewRecord {
            headers: Vec::new(),
            ..item(&world, 1, "en", 1, content)
        }
        .to_partition(partition)
    };
    let records = [record(1, 0), record(2, 0), record(3, 1)];
    world.send(Channel::Changes, &records);
    let mut producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (
            letters[0].partition,
            letters[0].reason.contains("partition 0")
        ),
        (1, true)
    );
    let origin = ingest::origin(&world.load().unwrap(), key(1, "en").as_bytes()).unwrap();
    assert_eq!(
        (origin.partition, origin.offset, origin.source_version),
        (0, 1, None)
    );
    let newer = ingest::newer_dead_letters(
        &**world.log(),
        &world.spec,
        key(1, "en").as_bytes(),
        Some(&origin),
    )
    .unwrap();
    assert_eq!(newer.len(), 1);
}

#[test]
fn states_carry_position_and_run_tags() {
    let mut world = World::new();
    world.create_topics();
    world.send(Channel::Changes, &[item(&world, 1, "en", 1, 1)]);
    let mut producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    let state = world.load().unwrap();
    let id = world.log().topic("items").unwrap().unwrap().id;
    let text = &state.header_tags()["gl.position.changes"];
    assert!(text.starts_with(&format!("{id}:")), "{text}");
    assert!(state.header_tags().contains_key("gl.position.sweep"));
    assert_eq!(
        state.header_tags()[tag::CYCLE_START],
        world.now_ms.to_string()
    );
    // A clock that jumps back does not stop the producer, nor does it lead `now` back.
    world.now_ms -= 1_000_000;
    world.send(Channel::Changes, &[item(&world, 1, "en", 2, 2)]);
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    drop(producer);
    let mut producer = world.open(None).unwrap();
    world.send(Channel::Changes, &[item(&world, 1, "en", 3, 3)]);
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
}

#[test]
fn a_producer_that_lost_its_dataset_stops() {
    let mut world = World::new();
    world.create_topics();
    world.send(Channel::Changes, &[item(&world, 1, "en", 1, 1)]);
    let mut first = world.open(None).unwrap();
    world.cycle(&mut first).unwrap();
    let mut second = world.open(None).unwrap();
    world.send(Channel::Changes, &[item(&world, 1, "en", 2, 2)]);
    assert!(world.cycle(&mut first).unwrap_err().is_lost());
    assert!(matches!(
        world.cycle(&mut second).unwrap(),
        Ended::Announced(_)
    ));
}

#[test]
fn a_thread_produces_by_its_cadence_and_stops_when_told() {
    let mut world = World::new();
    world.create_topics();
    world.send(Channel::Changes, &[item(&world, 1, "en", 1, 1)]);
    let producer = world.open(None).unwrap();
    let now = world.now_ms;
    let thread =
        ProducerThread::start(producer, Duration::from_millis(100), Arc::new(move || now)).unwrap();
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let started = std::time::Instant::now();
        while !done() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::yield_now();
        }
    };
    until("the first version", &|| thread.progress().announced == 1);
    world.send(Channel::Changes, &[item(&world, 2, "en", 1, 1)]);
    until("the second version", &|| thread.progress().announced == 2);
    until("more cycles", &|| thread.progress().cycles >= 5);
    let mut producer = thread.stop().unwrap();
    assert_eq!(producer.progress().records.changed, 2);
    // The producer can go on by hand.
    world.send(Channel::Changes, &[item(&world, 3, "en", 1, 1)]);
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    // With a long cadence a wake or a stop does not have to wait.
    let thread =
        ProducerThread::start(producer, Duration::from_secs(3600), Arc::new(move || now)).unwrap();
    until("the first cycle", &|| thread.progress().cycles > 0);
    let cycles = thread.progress().cycles;
    thread.wake();
    until("the woken cycle", &|| thread.progress().cycles > cycles);
    thread.stop().unwrap();
}

#[test]
fn another_schema_folds_the_topics_anew_into_a_new_chain() {
    let mut world = World::new();
    world.create_topics();
    let records: Vec<_> = (0..20)
        .map(|i| item(&world, i, "en", 1, i.unsigned_abs()))
        .collect();
    world.send(Channel::Changes, &records);
    world.send(Channel::Changes, &[delete(3, "en", 2)]);
    let mut producer = world.open(None).unwrap();
    world.cycle(&mut producer).unwrap();
    let (before, position) = (
        producer.progress(),
        world.load().unwrap().header_tags()["gl.position.changes"].clone(),
    );
    drop(producer);

    // The schema gets a field; records of the old one stay readable as long as its file stays.
    let old = world.spec.schema.text().to_owned();
    let new = old.replacen(
        r#"{"name": "tags""#,
        r#"{"name": "size", "type": "int", "default": 7}, {"name": "tags""#,
        1,
    );
    let dir = world.dir.path().to_owned();
    std::fs::write(dir.join("items.avsc"), &new).unwrap();
    std::fs::write(dir.join("items.before-size.avsc"), &old).unwrap();
    world.schemas = Arc::new(ingest::DirectorySchemas::open(&dir).unwrap());
    world.spec = ingest::load_specs(&dir.join("datasets.toml"), &dir)
        .unwrap()
        .remove(0);
    let mut producer = world.open(None).unwrap();
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    let progress = producer.progress();
    assert_eq!(progress.last_records.read, before.records.read);
    assert!(progress.version > before.version);
    let state = world.load().unwrap();
    let items = state.type_state("Item").unwrap();
    let size = hollow::Schema::as_object(items.schema())
        .unwrap()
        .field_index("size")
        .unwrap();
    assert_eq!(items.count(), 19);
    assert!(
        items
            .ordinals()
            .all(|ordinal| items.object(ordinal).unwrap().int(size) == Some(7))
    );
    assert_eq!(state.header_tags()["gl.position.changes"], position);
    assert!(
        ingest::origin(&state, key(3, "en").as_bytes())
            .unwrap()
            .deleted
    );

    // Without the old file its records can't be read: dead letters, and nothing else stops.
    std::fs::remove_file(dir.join("items.before-size.avsc")).unwrap();
    world.schemas = Arc::new(ingest::DirectorySchemas::open(&dir).unwrap());
    drop(producer);
    let mut producer = world.open(None).unwrap();
    world.send(
        Channel::Changes,
        &[
            records[0].clone().with_header("gl-source-version", "9"),
            item(&world, 30, "en", 1, 1),
        ],
    );
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].reason.contains("is not known"),
        "{}",
        letters[0].reason
    );
}

#[test]
fn schemas_that_no_value_could_be_read_of_are_refused_at_the_start() {
    let mut world = World::new();
    let item = |fields: &str| {
        format!(
            r#"{{"type": "record", "name": "Item", "fields": [{{"name": "id", "type": "int"}}, {fields}]}}"#
        )
    };
    let tags = r#"{"name": "tags", "type": {"type": "array", "items": "string"}}"#;
    let spans = r#"{"name": "spans", "type": {"type": "array", "items": {"type": "record", "name": "Span", "fields": [{"name": "from", "type": "string"}]}}}"#;
    let language = r#"{"name": "language", "type": "string"}"#;
    let schemas = Arc::get_mut(&mut world.schemas).unwrap();
    schemas
        .add(
            "other.avsc",
            r#"{"type": "record", "name": "Other", "fields": []}"#,
        )
        .unwrap();
    let old = item(&format!(
        "{language}, {tags}, {}",
        spans.replace("\"string\"", "\"int\"")
    ));
    schemas.add("old.avsc", &old).unwrap();
    drop(world.open(None).unwrap());
    let schemas = Arc::get_mut(&mut world.schemas).unwrap();
    schemas
        .add("broken.avsc", &item(&format!("{spans}, {tags}")))
        .unwrap();
    let error = world.open(None).map(drop).unwrap_err().to_string();
    for words in [
        "broken.avsc",
        "language: the writer does not have the field, which is part of the key",
        "spans.from: string can't be read as long",
    ] {
        assert!(error.contains(words), "{error}, not {words}");
    }
}
