//! The demo on Kafka and S3 decides what the embedded one decides: on a small cut of the catalogue, or on all of it where
//! `GREENLIGHT_FULL_CATALOGUE` is set.

use std::time::Instant;

use crate::scenario;
use crate::support::{Demo, root};

#[test]
fn kafka_and_s3_give_the_same_cycles_and_digests_as_a_directory() {
    let small = scenario::small();
    let scenario = match std::env::var_os("GREENLIGHT_FULL_CATALOGUE") {
        Some(_) => root().join("replay/catalogue"),
        None => small.path().to_owned(),
    };
    let embedded = Demo::on(&scenario, None);
    let real = Demo::new(&scenario);
    let [ours, theirs] = [&real, &embedded].map(|demo| {
        let started = Instant::now();
        let outcomes = demo.outcomes();
        println!("{} cycles in {:?}", outcomes.len(), started.elapsed());
        outcomes
    });
    assert_eq!(ours, theirs);
    let datasets = embedded.json(&["datasets"]);
    let datasets = datasets["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), 12);
    for entry in datasets {
        let name = entry["dataset"].as_str().unwrap();
        assert_eq!(real.digest(name), entry["digest"], "{name}");
    }
}
