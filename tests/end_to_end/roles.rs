//! The roles as processes: they work, tell how they are, hand over in good order, and take over from the dead.

use std::time::Instant;

use serde_json::Value;

use crate::role::Role;
use crate::scenario;
use crate::support::Demo;

/// The command of a producer.
pub(crate) const PRODUCE: &[&str] = &["produce", "--config", "config/producer.toml"];
const EVALUATE: &[&str] = &["evaluate", "--config", "config/gatekeeper.toml"];

/// The owner that `status` tells of a dataset.
fn owner(demo: &Demo, dataset: &str) -> Value {
    let status = demo.json(&["status"]);
    let rows = status["datasets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["dataset"] == dataset).unwrap();
    row["owner"].clone()
}

#[test]
fn roles_produce_evaluate_and_hand_over() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let versions = || {
        demo.json(&["versions", "liveness"])["latest"]
            .as_i64()
            .unwrap()
    };
    let before = versions();

    // Someone has to keep an embedded directory open; real servers need nobody.
    let keeper = demo.log();
    for dataset in ["prod/titles", "prod/liveness", "preprod/liveness"] {
        assert_eq!(owner(&demo, dataset), Value::Null, "the demo has resigned");
    }
    let mut producer = Role::start(&demo, PRODUCE, "producer-1");
    let mut gatekeeper = Role::start(&demo, EVALUATE, "gatekeeper-1");
    let started = Instant::now();
    producer.wait_for_state("prod/titles", "producing");
    gatekeeper.wait_for_state("prod/liveness", "producing");
    println!("producing {:?} after their start", started.elapsed());
    producer.wait("readiness", |role| role.get("/health/ready").0 == 200);
    assert_eq!(owner(&demo, "prod/titles"), "producer-1");
    // The clock has moved on since the scenario's day, and with it what is live.
    gatekeeper.wait("a new version", |_| versions() > before);

    let (status, metrics) = producer.get("/metrics");
    assert_eq!(status, 200);
    for line in [
        "greenlight_producing{dataset=\"prod/titles\"} 1",
        "greenlight_takeovers_total{dataset=\"prod/rights\"} 1",
        "# HELP greenlight_cycle_duration_seconds How long cycles took",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let (_, metrics) = gatekeeper.get("/metrics");
    assert!(
        metrics.contains("greenlight_pairs{verdict=\"live\"}"),
        "{metrics}"
    );
    assert!(metrics.contains("greenlight_blocked_pairs{blocker=\"rights.no-window\"}"));
    assert!(metrics.contains("greenlight_live_bytes "), "{metrics}");

    // A second process stands by, and is given the datasets when the first is told to stop.
    let mut second = Role::start(&demo, PRODUCE, "producer-2");
    second.wait_for_state("prod/titles", "standing_by");
    second.wait("readiness", |role| role.get("/health/ready").0 == 200);
    producer.signal("TERM");
    let (code, said) = producer.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("resigned"), "{said}");
    second.wait_for_state("prod/titles", "producing");
    second.wait("readiness", |role| role.get("/health/ready").0 == 200);

    // Its standby takes over when it is suspended, and it stops when it comes back.
    let mut third = Role::start(&demo, PRODUCE, "producer-3");
    third.wait_for_state("prod/titles", "standing_by");
    second.signal("STOP");
    let suspended = Instant::now();
    // All of them: the second stops once it has lost everything.
    for input in gatekeeper::Input::ALL {
        third.wait_for_state(&format!("prod/{input}"), "producing");
    }
    println!(
        "taken over {:?} after the owner was stopped",
        suspended.elapsed()
    );
    second.signal("CONT");
    let (code, said) = second.end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another producer has taken over"), "{said}");
    assert_eq!(owner(&demo, "prod/titles"), "producer-3");
    third.signal("TERM");
    assert_eq!(third.end().0, Some(0));
    gatekeeper.signal("TERM");
    let (code, said) = gatekeeper.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(owner(&demo, "prod/liveness"), Value::Null);
    drop(keeper);
    for dataset in ["titles", "liveness"] {
        let versions = demo.json(&["versions", dataset, "--limit", "1000000"]);
        for pair in versions["versions"].as_array().unwrap().windows(2) {
            assert_eq!(pair[0]["previous"], pair[1]["version"], "{dataset} forked");
        }
    }
}
