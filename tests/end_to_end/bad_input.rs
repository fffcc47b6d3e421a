//! A record that can't be folded is kept, counted and told of, and holds nothing else up.

use std::fs;

use changelog::NewRecord;
use serde_json::Value;

use crate::scenario;
use crate::support::{Demo, root, text};

#[test]
fn a_record_that_cannot_be_folded_is_told_of_wherever_its_key_is_shown() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let video = *scenario.videos().first().unwrap();
    let before = demo.digest("prod/titles");

    // An upstream system emits a newer record of a title that is no Avro, and one of a key that is none.
    let upstream = demo.log();
    let newer = NewRecord::new(0, format!("[{video}]"), "no wire format")
        .with_header("gl-source-version", "4000000000000000");
    let unkeyed =
        NewRecord::new(0, "not a key", "no wire format").with_header("gl-source-version", "1");
    let places = upstream.log.append("titles", &[newer, unkeyed]).unwrap();
    drop(upstream);
    demo.run_once();

    assert_eq!(
        demo.digest("prod/titles"),
        before,
        "the rest went on as it was"
    );
    let status = demo.json(&["status"]);
    let titles = status["datasets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["dataset"] == "prod/titles")
        .unwrap();
    assert_eq!(titles["dead_letters"], 2);
    let told = |dead: &Value, place: &changelog::Position| {
        dead["topic"] == "titles"
            && dead["partition"] == place.partition
            && dead["offset"] == place.offset
            && !dead["reason"].as_str().unwrap().is_empty()
    };
    let letters = status["dead_letters"].as_array().unwrap();
    assert!(
        places
            .iter()
            .all(|place| letters.iter().any(|dead| told(dead, place))),
        "{letters:?}"
    );

    let shown = demo.json(&["show", "titles", &video.to_string()]);
    assert!(!shown["record"].is_null(), "the record before stays");
    assert!(told(&shown["dead_letter"], &places[0]), "{shown}");
    let other = scenario.videos().iter().nth(1).unwrap();
    assert!(demo.json(&["show", "titles", &other.to_string()])["dead_letter"].is_null());
}

#[test]
fn a_broken_configuration_is_refused_with_file_line_and_what_is_expected() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let config = tempfile::tempdir().unwrap();
    let copy =
        |name: &str| fs::copy(root().join("config").join(name), config.path().join(name)).unwrap();
    let refused = |name: &str, line: &str, expected: &str| {
        copy("datasets.toml");
        copy("rules.toml");
        let path = config.path().join(name);
        let broken = format!("{line}\n{}", fs::read_to_string(&path).unwrap());
        fs::write(&path, broken).unwrap();
        let dir = config.path().to_str().unwrap();
        let output = demo.run(&[
            "demo",
            "--once",
            "--config",
            dir,
            "--scenario",
            scenario.path().to_str().unwrap(),
        ]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(
            said.contains(name) && said.contains(expected),
            "{name}: {said}"
        );
    };
    refused(
        "datasets.toml",
        "partitions = \"four\"",
        "datasets.toml:1: unknown field",
    );
    refused("rules.toml", "rule = 1", "rules.toml:1: unknown field");
    refused(
        "rules.toml",
        "[rules.\"rating.too-hihg\"]\nenabled = false",
        "rating.too-high",
    );
    assert!(
        !demo.path().join("log").exists(),
        "refused before anything was made"
    );
}
