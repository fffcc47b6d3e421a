//! Schemas in a real registry: taken, found, evolved, refused; and a registry that is down costs time and nothing else.

use crate::support::{Model, World, item, value};
use changelog::NewRecord;
use ingest::avro::AvroSchema;
use ingest::{
    Channel, Components, Ended, Error, IncrementalProducer, Origin, RegistryOptions,
    RegistrySchemas, SchemaSource,
};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tests_servers::Apicurio;

/// One registry for all tests; each has subjects of its own.
pub(crate) fn registry() -> &'static Apicurio {
    static REGISTRY: OnceLock<Apicurio> = OnceLock::new();
    REGISTRY.get_or_init(|| Apicurio::start().unwrap())
}

fn options(url: &str) -> RegistryOptions {
    RegistryOptions {
        register: true,
        unknown_for: Duration::ZERO,
        ..RegistryOptions::new([url])
    }
}

fn schema(fields: &Value) -> AvroSchema {
    let json = json!({"type": "record", "name": "Item", "fields": fields});
    AvroSchema::parse(&json.to_string(), "item").unwrap()
}

/// The dataset's schema with one more field, which the dataset does not know.
fn evolved(schema: &AvroSchema, field: &str) -> AvroSchema {
    let mut json: Value = serde_json::from_str(schema.text()).unwrap();
    let field = json!({"name": field, "type": ["null", "string"], "default": null});
    json["fields"].as_array_mut().unwrap().insert(1, field);
    AvroSchema::parse(&json.to_string(), "evolved").unwrap()
}

fn ask(method: &str, url: &str, body: &Value) -> Value {
    let request = match method {
        "PUT" => ureq::put(url),
        _ => ureq::post(url),
    };
    let request = request.header("Content-Type", "application/vnd.schemaregistry.v1+json");
    let mut answer = request.send(body.to_string()).unwrap();
    answer.body_mut().read_json().unwrap()
}

#[test]
fn schemas_are_registered_found_evolved_and_refused() {
    let url = registry().url();
    let schemas = RegistrySchemas::new(options(&url)).unwrap();
    let subject = "evolving-value";
    let id_field = json!({"name": "id", "type": "long"});
    let first = schema(&json!([id_field]));
    assert_eq!(schemas.lookup(subject, &first).unwrap(), None);
    let id = schemas.id_of(subject, &first).unwrap();
    assert_eq!(schemas.id_of(subject, &first).unwrap(), id);
    assert_eq!(schemas.lookup(subject, &first).unwrap(), Some(id));
    assert_eq!(schemas.schema(id).unwrap().unwrap().root_type(), "Item");
    assert!(schemas.schema(987_654).unwrap().is_none());

    ask(
        "PUT",
        &format!("{url}/config/{subject}"),
        &json!({"compatibility": "BACKWARD"}),
    );
    let second =
        schema(&json!([id_field, {"name": "text", "type": ["null", "string"], "default": null}]));
    let second_id = schemas.id_of(subject, &second).unwrap();
    assert_ne!(second_id, id);
    let broken = schema(&json!([{"name": "id", "type": "string"}]));
    let error = schemas.id_of(subject, &broken).unwrap_err();
    assert!(matches!(error, Error::Incompatible { .. }), "{error}");
    let versions: Vec<_> = schemas.versions(subject, "Item").unwrap();
    let names: Vec<_> = versions
        .iter()
        .map(|version| (version.name.as_str(), version.schema.id()))
        .collect();
    assert_eq!(
        names,
        [
            ("evolving-value version 1", id),
            ("evolving-value version 2", second_id)
        ]
    );
    assert!(schemas.versions("nobody-value", "Item").unwrap().is_empty());
    let cautious = RegistrySchemas::new(RegistryOptions::new([url])).unwrap();
    let error = cautious
        .id_of("nobody-value", &first)
        .unwrap_err()
        .to_string();
    assert!(error.contains("register it there"), "{error}");
}

#[test]
fn references_are_resolved() {
    let url = registry().url();
    let provenance = json!({"type": "enum", "name": "Provenance", "namespace": "shared", "symbols": ["real", "derived"]});
    ask(
        "POST",
        &format!("{url}/subjects/provenance/versions"),
        &json!({"schema": provenance.to_string()}),
    );
    let record = json!({"type": "record", "name": "Item", "fields": [
        {"name": "id", "type": "long"}, {"name": "provenance", "type": "shared.Provenance"}]});
    let body = json!({"schema": record.to_string(), "references": [
        {"name": "shared.Provenance", "subject": "provenance", "version": 1}]});
    let answer = ask(
        "POST",
        &format!("{url}/subjects/referring-value/versions"),
        &body,
    );
    let id = u32::try_from(answer["id"].as_u64().unwrap()).unwrap();
    let schema = RegistrySchemas::new(options(&url))
        .unwrap()
        .schema(id)
        .unwrap()
        .unwrap();
    let bytes = schema
        .encode_wire(id, &json!({"id": 4, "provenance": "derived"}))
        .unwrap();
    assert_eq!(&bytes[5..], [8, 2]);
}

fn with(
    record: &NewRecord,
    schema: &AvroSchema,
    id: u32,
    mut value: Value,
    field: &str,
) -> NewRecord {
    value[field] = json!("unknown to the dataset");
    NewRecord {
        value: Some(schema.encode_wire(id, &value).unwrap()),
        ..record.clone().to_partition(0)
    }
}

#[test]
fn a_producer_follows_the_registry_and_waits_while_it_is_down() {
    let server = Apicurio::start().unwrap();
    let mut world = World::new();
    world.create_topics();
    let schemas = |world: &World| {
        let options = RegistryOptions {
            timeout: Duration::from_secs(3),
            rounds: 1,
            // Nobody is at the first instance.
            urls: vec!["http://127.0.0.1:9".to_owned(), server.url()],
            ..options("")
        };
        (RegistrySchemas::new(options).unwrap(), world.spec.subject())
    };
    let (upstream, subject) = schemas(&world);
    let first = Arc::clone(&world.spec.schema);
    let first_id = upstream.id_of(&subject, &first).unwrap();
    let open = |world: &mut World| {
        let components = Components {
            schemas: Arc::new(schemas(world).0),
            ..world.components()
        };
        IncrementalProducer::open(
            world.spec.clone(),
            components,
            world.options(None),
            world.now_ms,
        )
    };
    let mut producer = open(&mut world).unwrap();
    let mut model = Model::default();
    let origin = |source_version, offset| Origin {
        source_version: Some(source_version),
        deleted: false,
        channel: Channel::Changes,
        partition: 0,
        offset,
        swept: None,
    };
    // The schema changes in the middle of the stream, within one cycle.
    let (second, third) = (evolved(&first, "second"), evolved(&first, "third"));
    let plain = NewRecord {
        value: Some(first.encode_wire(first_id, &value(1, "en", 1)).unwrap()),
        ..item(&world, 1, "en", 1, 1).to_partition(0)
    };
    let second_id = upstream.id_of(&subject, &second).unwrap();
    let newer = with(
        &item(&world, 2, "en", 2, 2),
        &second,
        second_id,
        value(2, "en", 2),
        "second",
    );
    world.send(Channel::Changes, &[plain, newer]);
    model.fold(1, "en", origin(1, 0), Some(value(1, "en", 1)));
    model.fold(2, "en", origin(2, 1), Some(value(2, "en", 2)));
    // Its topics were empty when it opened: it has read up to there.
    let mut ended = world.cycle(&mut producer).unwrap();
    assert!(matches!(ended, Ended::Waiting), "{ended:?}");
    ended = world.cycle(&mut producer).unwrap();
    assert!(matches!(ended, Ended::Announced(_)), "{ended:?}");
    model.check(&world, &world.load().unwrap());

    // A schema that the producer has not met, while the registry does not answer.
    let third_id = upstream.id_of(&subject, &third).unwrap();
    server.process().signal("STOP").unwrap();
    let newest = with(
        &item(&world, 3, "en", 3, 3),
        &third,
        third_id,
        value(3, "en", 3),
        "third",
    );
    world.send(Channel::Changes, &[newest]);
    for _ in 0..2 {
        match world.cycle(&mut producer) {
            Err(error) => assert!(error.to_string().contains("schema registry"), "{error}"),
            Ok(Ended::RolledBack(reason)) => {
                assert!(reason.contains("schema registry"), "{reason}")
            }
            Ok(other) => panic!("{other:?}"),
        }
        model.check(&world, &world.load().unwrap());
    }
    // A producer that starts now has the same patience.
    drop(producer);
    let mut producer = open(&mut world).unwrap();
    assert!(!matches!(
        world.cycle(&mut producer),
        Ok(Ended::Announced(_))
    ));
    server.process().signal("CONT").unwrap();
    model.fold(3, "en", origin(3, 2), Some(value(3, "en", 3)));
    let mut ended = None;
    for _ in 0..20 {
        ended = world.cycle(&mut producer).ok();
        if matches!(ended, Some(Ended::Announced(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(matches!(ended, Some(Ended::Announced(_))), "{ended:?}");
    model.check(&world, &world.load().unwrap());

    // A version that can't be read as the dataset's is told at the start, with field and rule.
    let mut broken: Value = serde_json::from_str(first.text()).unwrap();
    broken["fields"].as_array_mut().unwrap().remove(1);
    let broken = AvroSchema::parse(
        &broken
            .to_string()
            .replace("\"key\":[\"id\",\"language\"]", "\"key\":[\"id\"]"),
        "broken",
    )
    .unwrap();
    upstream.register(&subject, &broken).unwrap();
    drop(producer);
    let error = open(&mut world).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("version 4") && error.contains("language"),
        "{error}"
    );
}
