//! A record that can't be folded is kept, counted and told of, and holds nothing else up.

use changelog::NewRecord;
use serde_json::Value;

use crate::scenario;
use crate::support::Demo;

#[test]
fn a_record_that_cannot_be_folded_is_told_of_wherever_its_key_is_shown() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let video = *scenario.videos().first().unwrap();
    let before = demo.digest("prod/titles");

    // An upstream system emits a newer record of a title that is no Avro, and one of a key that is none.
    let home = registry::embedded::open(demo.path()).unwrap();
    let newer = NewRecord::new(0, format!("[{video}]"), "no wire format")
        .with_header("gl-source-version", "4000000000000000");
    let unkeyed =
        NewRecord::new(0, "not a key", "no wire format").with_header("gl-source-version", "1");
    let places = home.log().append("titles", &[newer, unkeyed]).unwrap();
    drop(home);
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
