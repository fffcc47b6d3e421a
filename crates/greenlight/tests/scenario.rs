//! The checked-in scenario is what the builder makes of the sources, and is what its manifest says.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use greenlight::scenario::{Lines, Scenario};
use ingest::avro::AvroSchema;

const TOPICS: [(&str, &[&str]); 10] = [
    ("titles", &["video"]),
    ("rights", &["video"]),
    ("ratings", &["video"]),
    ("texts", &["video", "language"]),
    ("assets", &["video", "kind", "language"]),
    ("artwork", &["video", "language"]),
    ("streams", &["video"]),
    ("policies", &["country"]),
    ("holds", &["hold"]),
    ("popularity", &["video"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(scenario: &Scenario) -> Vec<(String, Lines)> {
    TOPICS
        .iter()
        .map(|(topic, _)| ((*topic).to_owned(), scenario.base(topic).unwrap()))
        .chain([("changes".to_owned(), scenario.changes().unwrap())])
        .collect()
}

/// Needs the folder with the sources beside the repository; where it is not there, the scenario
/// can't be built again, and the other test has to do.
#[test]
fn the_builder_writes_the_checked_in_scenario() {
    let data = root().join("../shared/data");
    if !data.join("MANIFEST.json").exists() {
        eprintln!("skipped: no sources at {}", data.display());
        return;
    }
    let built = tempfile::tempdir().unwrap();
    greenlight::sample::build_at_level(&data, built.path(), 1).unwrap();
    let kept = root().join("replay/catalogue");
    let manifest = |dir: &Path| std::fs::read_to_string(dir.join("scenario.toml")).unwrap();
    assert_eq!(manifest(&kept), manifest(built.path()));
    let lines =
        |path: PathBuf| zstd::stream::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
    let bases = TOPICS.map(|(topic, _)| format!("base/{topic}"));
    for name in bases.into_iter().chain(["changes".to_owned()]) {
        let file = format!("{name}.jsonl.zst");
        assert!(
            lines(kept.join(&file)) == lines(built.path().join(&file)),
            "{file} differs"
        );
    }
}

#[test]
fn every_record_follows_its_schema_and_the_manifest_counts_them() {
    let scenario = Scenario::open(&root().join("replay/catalogue")).unwrap();
    let manifest = scenario.manifest();
    let schemas: BTreeMap<&str, AvroSchema> = TOPICS
        .iter()
        .map(|(topic, _)| {
            let path = root().join(format!("schemas/{topic}.avsc"));
            let avsc = std::fs::read_to_string(path).unwrap();
            (*topic, AvroSchema::parse(&avsc, topic).unwrap())
        })
        .collect();
    let keys: BTreeMap<&str, &[&str]> = TOPICS.into_iter().collect();
    let mut newest: BTreeMap<(String, Vec<u8>), i64> = BTreeMap::new();
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut rounds = vec![0; manifest.rounds.len()];
    let mut counted: BTreeMap<(bool, String), u64> = BTreeMap::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for (file, lines) in files(&scenario) {
        let base = file != "changes";
        let mut last = i64::MIN;
        for change in lines {
            let change = change.unwrap();
            let topic = change.topic.as_str();
            assert!(!base || file == topic, "{topic} in {file}");
            let at = change.at_ms();
            let before = newest.insert(
                (topic.to_owned(), change.key_bytes()),
                change.source_version,
            );
            let newer = before.is_none_or(|before| !base && before < change.source_version);
            assert!(newer, "{change:?}");
            if base {
                assert!(at <= manifest.base_ms, "{change:?}");
            } else {
                assert!(
                    at > manifest.base_ms && at < manifest.clock_ms,
                    "{change:?}"
                );
                assert!(at >= last, "the changes are in order");
                last = at;
                let round = manifest.rounds.iter().position(|round| at < round.until_ms);
                rounds[round.unwrap()] += 1;
            }
            *counted.entry((base, topic.to_owned())).or_default() += 1;
            let Some(value) = &change.value else { continue };
            schemas[topic].encode_wire(1, value).unwrap();
            for (field, part) in keys[topic].iter().zip(&change.key) {
                assert_eq!(&value[*field], part, "{change:?}");
            }
            assert_eq!(keys[topic].len(), change.key.len());
            if let Some(label) = value["provenance"].as_str() {
                labels
                    .entry(topic.to_owned())
                    .or_default()
                    .insert(label.to_owned());
            }
            if before.is_none() && topic == "titles" {
                *kinds
                    .entry(value["kind"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
    }
    for (base, records) in [
        (true, &manifest.base_records),
        (false, &manifest.change_records),
    ] {
        for (topic, records) in records {
            let found = counted.get(&(base, topic.clone())).copied().unwrap_or(0);
            assert_eq!(found, *records, "{topic}");
        }
    }
    assert_eq!(
        rounds,
        manifest
            .rounds
            .iter()
            .map(|round| round.records)
            .collect::<Vec<_>>()
    );
    for (kind, statistic) in [
        ("movie", "movies"),
        ("show", "shows"),
        ("season", "seasons"),
        ("episode", "episodes"),
    ] {
        assert_eq!(kinds[kind], manifest.statistics[statistic], "{kind}");
    }
    let countries = manifest.base_records["policies"];
    assert!(countries >= 90 && countries == manifest.statistics["countries"]);
    // What no source has says so.
    for topic in ["assets", "artwork", "streams", "holds"] {
        assert_eq!(
            labels[topic],
            BTreeSet::from(["synthesized".to_owned()]),
            "{topic}"
        );
    }
}
