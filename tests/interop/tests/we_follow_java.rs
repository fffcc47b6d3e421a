//! We follow a random 200-version chain that a stock Java producer wrote: forward, backward and by each snapshot, with
//! the checksums, counts and header tags that Java sees.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use hollow::read::{Filter, ReadState};
use serde_json::Value;
use tests_interop::blobs::{Blobs, Step};
use tests_interop::java;
use tests_interop::random::{chain_versions, seeds};

#[test]
fn a_java_chain() {
    for seed in seeds("GREENLIGHT_JAVA_CHAIN_SEED", &[3, 4]) {
        follow(seed);
    }
}

fn follow(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let versions = chain_versions().to_string();
    let lines = java::run([
        "produce",
        path,
        "--seed",
        &seed.to_string(),
        "--versions",
        &versions,
    ])
    .unwrap();
    assert!(lines.len() > 1, "seed {seed}: {} versions", lines.len());
    let chain: Vec<(u64, &Value)> = lines
        .iter()
        .map(|line| (line["version"].as_u64().unwrap(), line))
        .collect();
    let blobs = Blobs::new(directory.path());

    let first = chain[0].0;
    let mut state = snapshot(&blobs, first);
    check(seed, "snapshot", &state, chain[0]);
    for step in chain.windows(2) {
        let delta = blobs.read(Step::Delta(step[0].0, step[1].0), None).unwrap();
        state = state.apply(&delta[..]).unwrap().0;
        check(seed, "delta", &state, step[1]);
    }
    for step in chain.windows(2).rev() {
        let delta = blobs
            .read(Step::ReverseDelta(step[1].0, step[0].0), None)
            .unwrap();
        state = state.apply(&delta[..]).unwrap().0;
        check(seed, "reverse delta", &state, step[0]);
    }
    for &version in &chain {
        check(seed, "snapshot", &snapshot(&blobs, version.0), version);
    }
}

fn snapshot(blobs: &Blobs, version: u64) -> ReadState {
    let bytes = blobs.read(Step::Snapshot(version), None).unwrap();
    ReadState::from_snapshot(&bytes[..], &Filter::all()).unwrap()
}

fn check(seed: u64, by: &str, state: &ReadState, (version, expected): (u64, &Value)) {
    let counts: BTreeMap<String, u64> = state
        .types()
        .map(|state| (state.name().to_owned(), state.count() as u64))
        .collect();
    let checksums: BTreeMap<&str, String> = state
        .types()
        .map(|state| (state.name(), format!("{:08x}", state.checksum())))
        .collect();
    let seen = serde_json::json!({
        "checksum": format!("{:08x}", state.checksum()),
        "checksums": checksums,
        "counts": counts,
        "tags": state.header_tags(),
    });
    for field in ["counts", "tags", "checksums", "checksum"] {
        assert_eq!(
            seen[field], expected[field],
            "seed {seed}, version {version} by {by}: {field}"
        );
    }
}
