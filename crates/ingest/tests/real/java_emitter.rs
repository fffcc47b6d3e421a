//! An upstream that has nothing of ours: the stock Java client of Kafka, Avro, and a schema registry.

use crate::schema_registry::registry;
use crate::support::World;
use changelog::{ChangeLog, KafkaLog, KafkaOptions};
use ingest::{
    Components, Ended, IncrementalProducer, RegistryOptions, RegistrySchemas, embedded_specs,
};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tests_servers::Kafka;

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_a_stock_client_emits_is_in_the_dataset() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let kafka = Kafka::start().unwrap();
    let log: Arc<dyn ChangeLog> =
        Arc::new(KafkaLog::connect(KafkaOptions::new(&kafka.bootstrap())).unwrap());
    let mut world = World::new();
    world.spec = embedded_specs().unwrap().remove(1);
    assert_eq!(world.spec.topic, "rights");
    let options = RegistryOptions::new([registry().url()]);
    let components = Components {
        log,
        schemas: Arc::new(RegistrySchemas::new(options).unwrap()),
        ..world.components()
    };
    let options = world.options(None);
    let mut producer =
        IncrementalProducer::open(world.spec.clone(), components, options, world.now_ms).unwrap();
    assert_eq!(world.cycle(&mut producer).unwrap(), Ended::Waiting);

    let jar = output(&mut Command::new(root.join("interop/build.sh")));
    let lib = Path::new(&jar).with_file_name("lib").join("*");
    let deliveries = output(
        Command::new("java")
            .args(["-cp", &format!("{jar}:{}", lib.display())])
            .arg("greenlight.interop.emit.EmitRights")
            .args([kafka.bootstrap(), registry().url()])
            .arg(root.join("schemas/rights.avsc"))
            .arg("rights"),
    );
    assert_eq!(deliveries.lines().count(), 4, "{deliveries}");

    let mut ended = Ended::Waiting;
    for _ in 0..50 {
        ended = world.cycle(&mut producer).unwrap();
        if matches!(ended, Ended::Announced(_)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(matches!(ended, Ended::Announced(_)), "{ended:?}");
    let state = world.load().unwrap();
    let rights = state.type_state("Rights").unwrap();
    let videos: Vec<_> = rights
        .ordinals()
        .map(|ordinal| rights.object(ordinal).unwrap().long(0))
        .collect();
    assert_eq!(videos, [Some(80_057_281)]);
    let strings = state.type_state("String").unwrap();
    let mut countries: Vec<_> = strings
        .ordinals()
        .map(|ordinal| {
            strings
                .object(ordinal)
                .unwrap()
                .string(0)
                .unwrap()
                .to_string()
        })
        .collect();
    countries.sort();
    assert_eq!(countries, ["DE", "JP", "US"]);
    let origin = |key: &str| ingest::origin(&state, key.as_bytes()).unwrap();
    assert_eq!(
        (
            origin("[80057281]").source_version,
            origin("[80057281]").deleted
        ),
        (Some(2), false)
    );
    assert_eq!(
        (
            origin("[70153404]").source_version,
            origin("[70153404]").deleted
        ),
        (Some(4), true)
    );
    assert_eq!(producer.progress().records.dead, 0);
}
