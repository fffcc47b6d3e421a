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

    // The same source by the clock: the second sweep says what the dataset says.
    let config = demo.path().join("sweeper.toml");
    let settings = "[process]\nname = \"${GREENLIGHT_NAME}\"\nlisten = \"${GREENLIGHT_LISTEN}\"\n\
                    [[sweep]]\ndataset = \"holds\"\nevery = \"12h\"\nsource.file.path = \"holds.jsonl\"\n";
    fs::write(&config, settings).unwrap();
    let arguments = ["sweeper", "--config", config.to_str().unwrap()];
    let mut sweeper = Role::start(&demo, &arguments, "sweeper");
    // The last one was just now.
    sweeper.wait_for_state("prod/holds", "producing");
    assert_eq!(sweeper.row("prod/holds")["detail"], Value::Null);
    sweeper.signal("TERM");
    let (code, said) = sweeper.end();
    assert_eq!(code, Some(0), "{said}");
    fs::remove_dir_all(demo.path().join("sweeper")).unwrap();
    let mut sweeper = Role::start(&demo, &arguments, "sweeper");
    sweeper.wait("a sweep", |role| {
        let detail = role.row("prod/holds")["detail"].to_string();
        detail.contains("sent 1 rows")
    });
    wait("the end of the sweep", &role, || sweeps(&demo).is_empty());
    assert_eq!(holds(&demo), 1);
    // Deletes must outlive two sweeps.
    fs::write(&config, settings.replace("12h", "13h")).unwrap();
    let mut command = demo.command(&arguments);
    command
        .env("GREENLIGHT_NAME", "sweeper")
        .env("GREENLIGHT_LISTEN", "127.0.0.1:0");
    let refused = command.output().unwrap();
    let said = text(&refused.stderr);
    assert!(
        said.contains("sweeper.toml:6") && said.contains("delete_retention_ms"),
        "{said}"
    );
    drop((role, sweeper));
    drop(home);
}

/// In the middle of a sweep that would take most of an hour.
#[test]
fn a_sweeper_stops_at_once_and_goes_on_later() {
    let demo = Demo::new(scenario::small().path());
    demo.run_once();
    let count = 3000;
    let row = |i: i64| {
        let row = json!({
            "hold": format!("swept-{i}"), "video": 80_057_281, "countries": ["DE"], "reason": "found by a sweep",
            "from": 1_600_000_000_000_i64, "until": null, "provenance": "real",
            "version": 9_000_000_000_000_000 + i,
        });
        format!("{row}\n")
    };
    let rows: String = (0..count).map(row).collect();
    fs::write(demo.path().join("holds.jsonl"), rows).unwrap();
    let config = demo.path().join("sweeper.toml");
    let settings = "[process]\nname = \"${GREENLIGHT_NAME}\"\nlisten = \"${GREENLIGHT_LISTEN}\"\n\
                    [[sweep]]\ndataset = \"holds\"\nevery = \"12h\"\nsource.file.path = \"holds.jsonl\"\n";
    fs::write(&config, format!("{settings}rows_per_second = 1.0\n")).unwrap();
    let arguments = ["sweeper", "--config", config.to_str().unwrap()];
    let running = || -> Option<Value> {
        let text = fs::read(demo.path().join("sweeper/prod.holds.json")).ok()?;
        let remembered: Value = serde_json::from_slice(&text).unwrap();
        Some(remembered["running"].clone())
    };
    let delivered = || running()?["rows"].as_i64();

    let home = demo.log();
    let role = Role::start(&demo, PRODUCE, "producer");
    let mut sweeper = Role::start(&demo, &arguments, "sweeper");
    sweeper.wait("the first rows", |_| {
        delivered().is_some_and(|rows| rows > 0)
    });
    let sweep = running().unwrap()["sweep"].as_str().unwrap().to_owned();
    sweeper.signal("TERM");
    let (code, said) = sweeper.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(delivered().unwrap() < count);
    wait("a sweep without an end", &role, || sweeps(&demo).len() == 1);

    fs::write(&config, settings).unwrap();
    let mut sweeper = Role::start(&demo, &arguments, "sweeper");
    let whole = format!("sweep {sweep} sent {count} rows");
    sweeper.wait("the rest", |role| role.row("prod/holds")["detail"] == whole);
    wait("the end of the sweep", &role, || sweeps(&demo).is_empty());
    assert_eq!(holds(&demo), u64::try_from(count).unwrap());
    drop((role, sweeper));
    drop(home);
}
