//! Roles while the brokers are away.

use std::fs;
use std::time::{Duration, Instant};

use crate::role::Role;
use crate::scenario;
use crate::support::Demo;

/// Far more time than anybody has: who waits for it to pass does not end in this test.
const SETTINGS: &str = "[process]\nname = \"${GREENLIGHT_NAME}\"\nlisten = \"${GREENLIGHT_LISTEN}\"\n\
                        stop_grace_ms = 3600000\n[cycles]\nevery_ms = 200\n";

#[test]
fn a_role_that_is_told_to_stop_while_the_broker_is_away_ends_and_goes_on_later() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let config = demo.path().join("producer.toml");
    fs::write(&config, SETTINGS).unwrap();
    let produce = ["produce", "--config", config.to_str().unwrap()];
    let mut role = Role::start(&demo, &produce, "producer-1");
    role.wait_for_state("prod/titles", "producing");

    let kafka = |signal| {
        let kafka = &demo.servers.as_ref().unwrap().kafka;
        kafka.process().unwrap().signal(signal).unwrap();
    };
    kafka("STOP");
    role.wait("a cycle that waits for the broker", |role| {
        role.row("prod/titles")["busy_ms"]
            .as_u64()
            .is_some_and(|busy_ms| busy_ms > 1_000)
    });
    role.signal("TERM");
    let told = Instant::now();
    let (code, said) = role.end();
    println!("it ended {:?} after it was told to", told.elapsed());
    kafka("CONT");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stop without the log"), "{said}");
    // A call waits two minutes for brokers, and the grace is an hour.
    assert!(told.elapsed() < Duration::from_secs(60), "{said}");

    // It could not resign, and takes its datasets over as itself.
    let mut role = Role::start(&demo, &produce, "producer-1");
    role.wait_for_state("prod/titles", "producing");
    role.signal("TERM");
    let (code, said) = role.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("resigned") && !said.contains("stop without the log"),
        "{said}"
    );
}
