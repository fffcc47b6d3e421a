//! The commands agree with each other and with the records they explain.

use serde_json::Value;

use crate::scenario;
use crate::support::{Demo, text};

/// The records that `why` names must be what `show` prints: present where it says present, absent where it says absent.
fn check_inputs(demo: &Demo, why: &Value) {
    for blocker in why["blockers"].as_array().unwrap() {
        for field in ["code", "message", "owner", "fix"] {
            assert!(
                !blocker[field].as_str().unwrap().is_empty(),
                "{field} of {blocker}"
            );
        }
        let inputs = blocker["inputs"].as_array().unwrap();
        assert!(!inputs.is_empty(), "a blocker without inputs: {blocker}");
        for input in inputs {
            let dataset = input["dataset"].as_str().unwrap();
            let version = input["version"].to_string();
            let key = input["key"].to_string();
            let shown = demo.json(&["show", dataset, &key, "--version", &version]);
            assert_eq!(
                shown["record"].is_null(),
                !input["present"].as_bool().unwrap(),
                "{input} against {shown}"
            );
        }
    }
}

#[test]
fn why_agrees_with_liveness_and_with_the_records() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let mut codes = std::collections::BTreeSet::new();
    let mut lives = 0;
    for video in scenario.videos().iter().take(12) {
        let video = video.to_string();
        let record = &demo.json(&["show", "liveness", &video])["record"];
        for country in ["DE", "US", "JP"] {
            let output = demo.run(&["why", &video, country]);
            let why: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
            let live = why["live"].as_bool().unwrap();
            assert_eq!(output.status.code(), Some(i32::from(!live)));
            assert_eq!(live, why["blockers"].as_array().unwrap().is_empty());
            let group = record["groups"]
                .as_array()
                .unwrap()
                .iter()
                .find(|group| {
                    group["countries"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|entry| names(entry, country))
                })
                .unwrap_or_else(|| panic!("no group of {video} has {country}: {record}"));
            assert_eq!(group["live"], why["live"], "{video} {country}");
            check_inputs(&demo, &why);
            lives += u32::from(live);
            codes.extend(
                why["blockers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|b| b["code"].as_str().unwrap().to_owned()),
            );
        }
    }
    assert!(
        lives > 0 && codes.len() > 1,
        "the sample is too plain: {lives} live, blockers {codes:?}"
    );
}

/// Whether a rendered country (a string, or a record with one) is `code`.
fn names(entry: &Value, code: &str) -> bool {
    entry == code || entry["code"] == code || entry["value"] == code
}

#[test]
fn a_pin_outranks_what_is_newer_until_it_is_removed() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let versions = demo.json(&["versions", "titles"]);
    let newest = versions["latest"].as_u64().unwrap();
    let oldest = versions["versions"].as_array().unwrap().last().unwrap()["version"]
        .as_u64()
        .unwrap();
    assert!(oldest < newest, "titles has one version only");
    demo.json(&["pin", "titles", &oldest.to_string(), "--reason", "a test"]);
    assert_eq!(
        demo.json(&["versions", "titles"])["latest"].as_u64(),
        Some(oldest)
    );
    demo.json(&["unpin", "titles"]);
    assert_eq!(
        demo.json(&["versions", "titles"])["latest"].as_u64(),
        Some(newest)
    );
}

#[test]
fn errors_say_what_to_do() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let output = demo.run(&["versions", "liveness"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("greenlight demo"),
        "{}",
        text(&output.stderr)
    );
    demo.run_once();
    for (args, hint) in [
        (vec!["versions", "livenes"], "greenlight datasets"),
        (vec!["why", "no such title anywhere", "DE"], "title"),
        (vec!["why", "80057281", "XX"], "ISO 3166-1"),
        (vec!["show", "titles", "not a key"], "key"),
        (
            vec!["diff", "titles", "--from", "1", "--to", "2"],
            "greenlight versions",
        ),
    ] {
        let output = demo.run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(hint),
            "{args:?} printed {}",
            text(&output.stderr)
        );
    }
}
