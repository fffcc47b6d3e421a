//! A topic that Debezium writes: envelopes, its keys, its tombstones.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

use changelog::NewRecord;
use ingest::avro::AvroSchema;
use ingest::{Channel, Ended, Origin};
use serde_json::{Value, json};
use std::sync::Arc;
use support::{Model, World, delete, item, value};

const KEY: &str = r#"{"type": "record", "name": "Key", "namespace": "shop.items", "fields": [
    {"name": "language", "type": "string"}, {"name": "id", "type": "long"}]}"#;

const ENVELOPE: &str = r#"{"type": "record", "name": "Envelope", "namespace": "shop.items", "fields": [
    {"name": "before", "default": null, "type": ["null", {"type": "record", "name": "Value", "fields": [
        {"name": "language", "type": "string"},
        {"name": "id", "type": "int"},
        {"name": "text", "type": ["null", "string"], "default": null},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "spans", "type": {"type": "array", "items": {"type": "record", "name": "Span", "fields": [
            {"name": "from", "type": "long"}, {"name": "to", "type": ["null", "long"], "default": null}]}}},
        {"name": "internal", "type": "double"}]}]},
    {"name": "after", "type": ["null", "Value"], "default": null},
    {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
        {"name": "name", "type": "string"}, {"name": "lsn", "type": ["null", "long"], "default": null}]}},
    {"name": "op", "type": "string"},
    {"name": "ts_ms", "type": ["null", "long"], "default": null}]}"#;

/// A world whose topic Debezium writes, and the schemas that it registered.
struct Shop {
    world: World,
    key: Arc<AvroSchema>,
    envelope: Arc<AvroSchema>,
}

fn shop() -> Shop {
    let mut world = World::with("source_versions = \"required\"\nenvelope = \"debezium\"");
    let schemas = Arc::get_mut(&mut world.schemas).unwrap();
    let key = schemas.add("key", KEY).unwrap();
    let envelope = schemas.add("envelope", ENVELOPE).unwrap();
    world.create_topics();
    Shop {
        world,
        key,
        envelope,
    }
}

impl Shop {
    fn event(
        &self,
        op: &str,
        id: i64,
        language: &str,
        lsn: Option<i64>,
        content: u64,
    ) -> NewRecord {
        let mut row = value(id, language, content);
        row["internal"] = json!(0.5);
        let (before, after) = match op {
            "c" | "r" => (Value::Null, row),
            "u" => (row.clone(), row),
            _ => (row, Value::Null),
        };
        let event = json!({"before": before, "after": after, "op": op, "ts_ms": 7, "source": {"name": "shop", "lsn": lsn}});
        let bytes = self
            .envelope
            .encode_wire(self.envelope.id(), &event)
            .unwrap();
        let key = json!({"language": language, "id": id});
        let key = match content % 3 {
            0 => key.to_string().into_bytes(),
            1 => json!({"schema": {"type": "struct"}, "payload": key})
                .to_string()
                .into_bytes(),
            _ => self.key.encode_wire(self.key.id(), &key).unwrap(),
        };
        NewRecord::new(7, key, bytes).to_partition(0)
    }

    fn tombstone(&self, id: i64, language: &str) -> NewRecord {
        NewRecord::tombstone(7, json!({"id": id, "language": language}).to_string()).to_partition(0)
    }
}

fn origin(source_version: i64, offset: i64, deleted: bool) -> Origin {
    Origin {
        source_version: Some(source_version),
        deleted,
        channel: Channel::Changes,
        partition: 0,
        offset,
        swept: None,
    }
}

#[test]
fn envelopes_fold_as_the_rows_in_them() {
    let mut shop = shop();
    let world = &shop.world;
    let records = [
        shop.event("r", 1, "en", Some(10), 0),
        shop.event("c", 2, "en", Some(11), 1),
        shop.event("u", 1, "en", Some(12), 2),
        shop.event("d", 2, "en", Some(13), 7),
        shop.tombstone(2, "en"),
        // An older event that comes late, and one again.
        shop.event("u", 1, "en", Some(11), 3),
        // A record in the dataset's own schema, as a retry or a sweep writes it.
        item(world, 3, "de", 14, 4).to_partition(0),
        delete(4, "de", 15).to_partition(0),
    ];
    world.send(Channel::Changes, &records);
    let mut producer = shop.world.open(None).unwrap();
    assert!(matches!(
        shop.world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    let mut model = Model::default();
    model.fold(1, "en", origin(12, 2, false), Some(value(1, "en", 2)));
    model.fold(2, "en", origin(13, 3, true), None);
    model.fold(3, "de", origin(14, 6, false), Some(value(3, "de", 4)));
    model.fold(4, "de", origin(15, 7, true), None);
    model.check(&shop.world, &shop.world.load().unwrap());

    // The delete event was compacted away, and only its tombstone is left: by the partition's order it deletes.
    shop.world.send(
        Channel::Changes,
        &[shop.tombstone(1, "en"), shop.tombstone(9, "en")],
    );
    assert!(matches!(
        shop.world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    model
        .keys
        .insert((1, "en".to_owned()), (origin(12, 8, true), None));
    model.check(&shop.world, &shop.world.load().unwrap());
}

#[test]
fn what_an_envelope_cannot_say_is_a_dead_letter() {
    let mut shop = shop();
    let mut truncated = shop.event("t", 1, "en", Some(5), 1);
    truncated.key = Some(br#"{"id":1,"language":"en"}"#.to_vec());
    let mut more = shop.event("c", 1, "en", Some(5), 0);
    more.key = Some(br#"{"id":1,"language":"en","shop":2}"#.to_vec());
    let mut cut = shop.event("c", 2, "en", Some(5), 2);
    cut.value.as_mut().unwrap().truncate(9);
    // Only the partition of the record that it would delete tells a tombstone's order.
    let stray = shop.tombstone(3, "en").to_partition(1);
    let records = [
        truncated,
        more,
        cut,
        shop.event("c", 1, "en", None, 1),
        shop.event("c", 1, "en", Some(-4), 1),
        shop.event("c", 3, "en", Some(6), 1),
        stray,
    ];
    shop.world.send(Channel::Changes, &records);
    let mut producer = shop.world.open(None).unwrap();
    assert!(matches!(
        shop.world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    let mut model = Model::default();
    model.fold(3, "en", origin(6, 5, false), Some(value(3, "en", 1)));
    for (partition, offset, words) in [
        (0, 0, "the envelope's op is \"t\""),
        (0, 1, "a field \"shop\" more"),
        (0, 2, "the bytes end too early"),
        (0, 3, "gl-source-version is missing"),
        (0, 4, "gl-source-version is \"-4\""),
        (1, 0, "gl-source-version is missing"),
    ] {
        model
            .dead
            .insert(("items".to_owned(), partition, offset), words.to_owned());
    }
    model.check(&shop.world, &shop.world.load().unwrap());
    // A letter is found by its key, however that was spelled.
    let letters =
        ingest::newer_dead_letters(&**shop.world.log(), &shop.world.spec, br#"[2,"en"]"#, None)
            .unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].offset, 2);
}
