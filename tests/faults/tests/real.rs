//! Over Kafka and SeaweedFS: dead at every step, and answers of the store that are late, wrong or lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::OnceLock;
use std::time::Duration;

use tests_faults::{Place, Upstream, World, child as run_child, matrix, seed};
use tests_servers::{Fault, Kafka, Proxy, SeaweedFs};

struct Servers {
    kafka: Kafka,
    seaweed: SeaweedFs,
    dir: tempfile::TempDir,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| Servers {
        kafka: Kafka::start().unwrap(),
        seaweed: SeaweedFs::start().unwrap(),
        dir: tempfile::tempdir().unwrap(),
    })
}

fn place(dataset: &str, s3: &str) -> Place {
    let servers = servers();
    Place {
        dir: servers.dir.path().to_owned(),
        dataset: dataset.to_owned(),
        real: Some((servers.kafka.bootstrap(), format!("{s3}/states"))),
    }
}

#[test]
#[ignore = "runs as a child process of `a_producer_dies_at_every_step`"]
fn child() {
    run_child();
}

#[test]
fn a_producer_dies_at_every_step() {
    let s3 = servers().seaweed.endpoint();
    let deaths = matrix(|at| place(&format!("titles-{at}"), &s3), 20, 1);
    println!("{deaths} deaths");
    assert!(deaths > 30, "only {deaths} places to die at");
}

#[test]
fn a_store_that_answers_late_wrongly_or_not_at_all_costs_nothing_but_time() {
    let seed = seed();
    let proxy = Proxy::start(&servers().seaweed.endpoint()).unwrap();
    let mut world = World::open(&place("proxied", &proxy.endpoint()));
    let mut upstream = Upstream::new(seed);
    upstream.send(&world, 30, 1);
    let mut producer = world.producer("one").unwrap();
    world.settle(&mut producer);
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::LoseAnswer,
        Fault::CutRequest,
        Fault::CutAnswer,
        Fault::Refuse,
        Fault::Delay(Duration::from_millis(200)),
    ];
    proxy.random(seed, 250, faults);
    for round in 0..40 {
        upstream.send(&world, 5, 2);
        // What the store's own patience does not cover rolls the cycle back.
        let _ = world.cycle(&mut producer);
        if round % 10 == 9 {
            drop(producer);
            producer = world.producer("one").unwrap();
        }
    }
    proxy.always(Fault::None);
    world.settle(&mut producer);
    upstream.model.check(&world);
    world.check_chain();
}
