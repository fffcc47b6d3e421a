//! Sweeps by the commands: a dry run, a sweep that is held, an operator who decides, and the sweeper as a process.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::role::Role;
use crate::roles::PRODUCE;
use crate::scenario;
use crate::support::{Demo, text};

/// How many holds `datasets` counts.
fn holds(demo: &Demo) -> u64 {
    let datasets = demo.json(&["datasets"]);
    let datasets = datasets["datasets"].as_array().unwrap();
    let holds = datasets.iter().find(|row| row["dataset"] == "prod/holds");
    holds.unwrap()["types"]["Hold"].as_u64().unwrap()
}

fn sweeps(demo: &Demo) -> Vec<Value> {
    let status = demo.json(&["status"]);
    let rows = status["datasets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["dataset"] == "prod/holds");
    row.unwrap()["sweeps"].as_array().unwrap().clone()
}

fn wait(what: &str, role: &Role, is_there: impl Fn() -> bool) {
    for _ in 0..1200 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come: {}", role.log());
}

#[test]
fn a_sweep_is_compared_sent_held_and_confirmed() {
    let demo = Demo::new(scenario::small().path());
    demo.run_once();
    let before = holds(&demo);
    // A source that knows one hold, which is new.
    let row = json!({
        "hold": "swept", "video": 80_057_281, "countries": ["DE"], "reason": "found by a sweep",
        "from": 1_600_000_000_000_i64, "until": null, "provenance": "real",
    });
    let mut versioned = row.clone();
    versioned["version"] = json!(9_000_000_000_000_000_i64);
    let file = demo.path().join("holds.jsonl");
    fs::write(&file, format!("{versioned}\n")).unwrap();
    let sweep = ["sweep", "holds", "--source", file.to_str().unwrap()];

    let dry = demo.json(&[&sweep[..], &["--dry-run"]].concat());
    let dry = &dry["comparisons"][0];
    assert_eq!(
        (dry["added"].as_u64(), dry["unfit"].as_u64()),
        (Some(1), Some(0)),
        "{dry}"
    );
    assert_eq!(
        (dry["deleted"].as_u64(), dry["keys"].as_u64()),
        (Some(before), Some(before))
    );
    assert_eq!(dry["held"], json!(before > 0));

    let home = demo.log();
    let role = Role::start(&demo, PRODUCE, "producer");
    let done = demo.json(&sweep);
    let done = &done["sweeps"][0];
    assert_eq!(
        (done["rows"].as_u64(), done["reads"]["rows"].as_u64()),
        (Some(1), Some(2)),
        "{done}"
    );
    if before > 0 {
        wait("a held sweep", &role, || {
            sweeps(&demo).iter().any(|sweep| sweep["stage"] == "held")
        });
        let held = &sweeps(&demo)[0];
        assert_eq!(held["sweep"], done["sweep"]);
        let wrong = demo.run(&["sweep", "confirm", "holds", "another"]);
        assert!(text(&wrong.stderr).contains(done["sweep"].as_str().unwrap()));
        let confirmed = demo.json(&["sweep", "confirm", "holds"]);
        assert_eq!(confirmed["deletes"], held["deletes"]);
    }
    wait("the end of the sweep", &role, || {
        holds(&demo) == 1 && sweeps(&demo).is_empty()
    });
    assert_eq!(
        demo.json(&["show", "holds", "swept"])["record"]["reason"],
        row["reason"]
    );
    drop(role);
    drop(home);
}
