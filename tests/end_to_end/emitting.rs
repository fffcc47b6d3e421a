//! Change records from the command line, and dead letters that are brought back.

use std::fs;

use changelog::NewRecord;
use serde_json::{Value, json};

use crate::scenario;
use crate::support::{Demo, text};

/// Later than any record of the scenario.
const SOURCE_VERSION: i64 = 4_000_000_000_000_000;

fn popularity(video: u64, hours: u64) -> Value {
    json!({"video": video, "hoursViewed": hours, "period": "2023H1", "provenance": "real"})
}

#[test]
fn what_is_emitted_is_shown_and_what_would_be_refused_is_told() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let mut videos = scenario.videos().iter();
    let (changed, deleted) = (*videos.next().unwrap(), *videos.next().unwrap());
    let lines = [
        json!({"value": popularity(changed, 123_456), "sourceVersion": SOURCE_VERSION}),
        json!({"value": popularity(changed, 1)}),
        json!({"value": {"video": "one"}, "sourceVersion": 1}),
        json!({"key": [deleted], "value": null, "sourceVersion": SOURCE_VERSION}),
        json!({"rows": 1}),
    ];
    let file = demo.path().with_extension("jsonl");
    fs::write(&file, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let emit = |more: &[&str]| {
        let args = [
            &["emit", "popularity", "--file", file.to_str().unwrap()],
            more,
        ]
        .concat();
        let output = demo.run(&args);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (field, count) in [("lines", 5), ("emitted", 2), ("deletes", 1), ("refused", 3)] {
            assert_eq!(report[field], count, "{field} of {report}");
        }
        let refusals = report["refusals"].as_array().unwrap();
        let told = |at: usize, line: u64, words: &str| {
            let reason = refusals[at]["reason"].as_str().unwrap();
            assert!(
                refusals[at]["line"] == line && reason.contains(words),
                "{refusals:?}"
            );
        };
        told(0, 2, "no source version");
        told(1, 3, "whole number of 64 bits for video");
        told(2, 5, "unknown field `rows`");
    };
    let shown = |video: u64| demo.json(&["show", "popularity", &video.to_string()]);
    let before = shown(changed);
    emit(&["--dry-run"]);
    demo.run_once();
    assert_eq!(shown(changed)["record"], before["record"]);
    emit(&[]);
    demo.run_once();
    assert_eq!(shown(changed)["record"]["hoursViewed"], 123_456);
    assert_eq!(shown(changed)["origin"]["source_version"], SOURCE_VERSION);
    assert!(shown(deleted)["record"].is_null());
    let unknown = demo.run(&["emit", "liveness"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("not folded from change records"));
    fs::remove_file(file).unwrap();
}

#[test]
fn dead_letters_are_listed_with_their_bytes_and_brought_back() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let none = demo.json(&["dead-letters"]);
    assert_eq!(none, json!([]));
    let video = *scenario.videos().first().unwrap();
    let value = [0, 0, 0, 0, 9, 2, 4];
    let record = NewRecord::new(7, format!("[{video}]"), value)
        .with_header("gl-source-version", SOURCE_VERSION.to_string());
    let home = registry::embedded::open(demo.path()).unwrap();
    let place = home.log().append("popularity", &[record]).unwrap()[0];
    drop(home);
    demo.run_once();

    let letters = demo.json(&["dead-letters", "popularity", "--values"]);
    let letter = &letters[0];
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!(
        (&letter["topic"], &letter["offset"]),
        (&json!("popularity"), &json!(place.offset))
    );
    assert_eq!(letter["value_hex"], "00000000090204");
    assert_eq!(letter["source_version"], SOURCE_VERSION);
    assert!(
        letter["reason"].as_str().unwrap().contains("schema id 9"),
        "{letter}"
    );
    let at = format!("{}:{}", place.partition, place.offset);
    let file = demo.path().with_extension("bin");
    demo.json(&[
        "dead-letters",
        "popularity",
        "--at",
        &at,
        "--raw",
        file.to_str().unwrap(),
    ]);
    assert_eq!(fs::read(&file).unwrap(), value);
    fs::remove_file(file).unwrap();

    let missing = demo.run(&["dead-letters", "retry", "popularity", "0:999999"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
    let retried = demo.json(&["dead-letters", "retry", "popularity", &at]);
    assert_eq!(
        (&retried["appended"], &retried["superseded"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(demo.json(&["dead-letters"]), json!([]));
    // Nothing is mended: it comes back, and says how often it was tried.
    demo.run_once();
    let again = demo.json(&["dead-letters", "popularity"]);
    assert_eq!(again[0]["offset"], place.offset + 1);
    let headers = again[0]["headers"].as_array().unwrap();
    assert!(
        headers.contains(&json!(["gl-retry-count", "1"])),
        "{headers:?}"
    );
    // Something newer of the key makes it superfluous.
    let line = json!({"value": popularity(video, 5), "sourceVersion": SOURCE_VERSION + 1});
    let file = demo.path().with_extension("jsonl");
    fs::write(&file, line.to_string()).unwrap();
    demo.json(&["emit", "popularity", "--file", file.to_str().unwrap()]);
    fs::remove_file(file).unwrap();
    demo.run_once();
    let retried = demo.json(&["dead-letters", "retry", "popularity", "--all"]);
    assert_eq!(
        (&retried["appended"], &retried["superseded"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(demo.json(&["dead-letters"]), json!([]));
}
