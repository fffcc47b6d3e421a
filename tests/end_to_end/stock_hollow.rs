//! Stock Hollow in Java reads what the demo publishes, and finds nothing that was never accepted.

use std::collections::BTreeMap;
use std::fs;

use crate::scenario;
use crate::support::{Demo, java};

#[test]
fn a_stock_consumer_follows_liveness_and_counts_the_same() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let cycles = demo.run_once();
    let ours: BTreeMap<u64, u64> = cycles
        .iter()
        .map(|cycle| {
            (
                cycle["version"].as_u64().unwrap(),
                cycle["live"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(
        ours.len() > 1,
        "the demo announced {} versions; following needs two",
        ours.len()
    );

    let steps = java(&["liveness"], &demo.blobs("liveness"), &[]);
    let mut seen = BTreeMap::new();
    for step in &steps {
        let version = step["version"].as_u64().unwrap();
        assert_eq!(
            step["wanted"], step["version"],
            "stock Hollow could not get there: {step}"
        );
        assert_eq!(
            step["live"].as_u64().unwrap(),
            ours[&version],
            "live pairs of version {version}: {step}"
        );
        *seen.entry(version).or_insert(0) += 1;
    }
    assert_eq!(
        seen.keys().collect::<Vec<_>>(),
        ours.keys().collect::<Vec<_>>(),
        "versions that stock Hollow saw"
    );
    assert_eq!(steps.last().unwrap()["mode"], "announced");
    assert_eq!(
        steps.last().unwrap()["version"].as_u64(),
        ours.keys().max().copied()
    );
}

#[test]
fn a_candidate_that_was_never_accepted_is_found_by_nobody() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let newest = demo.json(&["versions", "liveness"])["latest"]
        .as_u64()
        .unwrap();

    // What a producer leaves behind that was killed between stage and accept: blobs of the next version, as candidates.
    let candidate = newest + 1;
    let blobs = demo.blobs("liveness");
    let left_behind = blobs.join(format!("candidates/{candidate}-1"));
    fs::create_dir_all(&left_behind).unwrap();
    let snapshot = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("snapshot-")
        })
        .unwrap();
    fs::copy(snapshot, left_behind.join(format!("snapshot-{candidate}"))).unwrap();
    let delta = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("delta-")
        })
        .unwrap();
    fs::copy(
        delta,
        left_behind.join(format!("delta-{newest}-{candidate}")),
    )
    .unwrap();

    assert_eq!(
        demo.json(&["versions", "liveness"])["latest"].as_u64(),
        Some(newest)
    );
    let version = candidate.to_string();
    let output = demo.run(&["show", "liveness", "1", "--version", &version]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "a subscriber of ours found the candidate"
    );

    let reach = java(&["reach"], &blobs, &[&version]);
    assert_eq!(
        reach[0]["reachable"], false,
        "stock Hollow found the candidate: {reach:?}"
    );
    let announced = fs::read_to_string(blobs.join("announced.version")).unwrap();
    assert_eq!(announced, newest.to_string());
}
