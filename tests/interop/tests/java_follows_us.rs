//! A stock Java consumer follows a random 200-version chain that we wrote: forward, backward and by double snapshot,
//! with equal checksums at each version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use hollow::BlobSet;
use hollow::read::{Filter, ReadState};
use hollow::write::{Sealed, WriteOptions, WriteState};
use serde_json::Value;
use tests_interop::blobs::{Blobs, Step};
use tests_interop::java;
use tests_interop::model::Model;
use tests_interop::random::{Random, chain_versions, seeds};

/// All versions have as many digits, since the stock retriever matches deltas by a prefix of the name.
const FIRST_VERSION: u64 = 1_000_001;
const PART: &str = "extra";

#[test]
fn a_chain_of_ours() {
    for seed in seeds("GREENLIGHT_OUR_CHAIN_SEED", &[1, 2, 3]) {
        follow(seed);
    }
}

/// What we say of a version; Java must see the same.
struct Version {
    version: u64,
    checksum: String,
    counts: BTreeMap<String, usize>,
    shards: BTreeMap<String, u32>,
    tags: BTreeMap<String, String>,
}

fn follow(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let chain = write(seed, &Blobs::new(directory.path()));
    let resharded = chain
        .windows(2)
        .any(|step| step[0].shards != step[1].shards);
    assert!(
        resharded || chain.len() < 100,
        "seed {seed}: the chain never changed a shard count"
    );

    let path = directory.path().to_str().unwrap();
    let lines = java::run(["consume", path, "--forward-back", "--parts", PART]).unwrap();
    let mut lines = lines.iter();
    for expected in &chain {
        let by = if expected.version == FIRST_VERSION {
            "snapshot"
        } else {
            "delta"
        };
        check(seed, "forward", by, expected, lines.next());
    }
    let last = chain.last().map(|last| last.version);
    for expected in chain.iter().rev() {
        let by = if Some(expected.version) == last {
            "snapshot"
        } else {
            "reversedelta"
        };
        check(seed, "back", by, expected, lines.next());
    }
    for expected in &chain {
        check(seed, "jump", "snapshot", expected, lines.next());
    }
    assert!(
        lines.next().is_none(),
        "seed {seed}: Java sees versions that we did not write"
    );
}

fn check(seed: u64, mode: &str, by: &str, expected: &Version, seen: Option<&Value>) {
    let seen = seen.unwrap_or_else(|| {
        panic!(
            "seed {seed}, {mode}: Java did not get to {}",
            expected.version
        )
    });
    let context = format!("seed {seed}, version {}, {mode}", expected.version);
    assert_eq!(seen["mode"], mode, "{context}");
    assert_eq!(seen["version"], expected.version, "{context}");
    assert_eq!(
        seen["counts"],
        serde_json::json!(expected.counts),
        "{context}: counts"
    );
    assert_eq!(
        seen["shards"],
        serde_json::json!(expected.shards),
        "{context}: shards"
    );
    assert_eq!(seen["checksum"], expected.checksum, "{context}: checksum");
    assert_eq!(
        seen["tags"],
        serde_json::json!(expected.tags),
        "{context}: header tags"
    );
    assert_eq!(
        seen["by"],
        serde_json::json!([by]),
        "{context}: the way there"
    );
}

/// Writes the chain: total and incremental cycles by turns, resharding, and a writer that restores half way.
fn write(seed: u64, blobs: &Blobs) -> Vec<Version> {
    let mut random = Random::new(!seed);
    let mut model = Model::new(seed);
    let mut options = WriteOptions {
        target_shard_bytes: Some(512),
        resharding: true,
        ..WriteOptions::default()
    };
    let in_part = model.schemas()[random.below(model.schemas().len())]
        .name()
        .to_owned();
    options.parts.insert(in_part, PART.to_owned());

    let versions = chain_versions();
    let mut chain: Vec<Version> = Vec::new();
    let mut writer = WriteState::new(model.schemas().to_vec(), options.clone()).unwrap();
    for cycle in 0..versions {
        if cycle == versions / 2 && cycle > 0 {
            writer = WriteState::restore(
                &read(blobs, &chain),
                model.schemas().to_vec(),
                options.clone(),
            )
            .unwrap();
        }
        if cycle > 0 && random.one_in(3) {
            writer.begin_incremental();
            model.change_roots(&mut writer).unwrap();
        } else {
            writer.begin_total();
            model.step();
            model.add_all(&mut writer).unwrap();
        }
        let before = writer.state().map_or(-1, ReadState::tag);
        let version = FIRST_VERSION + cycle as u64;
        let tags: BTreeMap<String, String> = [
            ("hollow.blob.to.version", version.to_string()),
            ("name", format!("cycle {cycle} → é\u{1f3ac}")),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let sealed = writer.seal(random.tag(before), tags.clone()).unwrap();
        publish(
            blobs,
            &sealed,
            version,
            chain.last().map(|last| last.version),
        );
        let state = writer.commit().unwrap();
        chain.push(Version {
            version,
            checksum: format!("{:08x}", state.checksum()),
            counts: state
                .types()
                .map(|state| (state.name().to_owned(), state.count()))
                .collect(),
            shards: state
                .types()
                .map(|state| (state.name().to_owned(), state.num_shards()))
                .collect(),
            tags,
        });
    }
    chain
}

fn publish(blobs: &Blobs, sealed: &Sealed, version: u64, before: Option<u64>) {
    for part in [None, Some(PART)] {
        let mut bytes = Vec::new();
        sealed.write_snapshot(part, &mut bytes).unwrap();
        blobs.write(Step::Snapshot(version), part, &bytes).unwrap();
        let Some(before) = before else { continue };
        bytes.clear();
        sealed.write_delta(part, &mut bytes).unwrap();
        blobs
            .write(Step::Delta(before, version), part, &bytes)
            .unwrap();
        bytes.clear();
        sealed.write_reverse_delta(part, &mut bytes).unwrap();
        blobs
            .write(Step::ReverseDelta(version, before), part, &bytes)
            .unwrap();
    }
}

/// The last version as a second writer finds it: the first snapshot and all deltas, with the part.
fn read(blobs: &Blobs, chain: &[Version]) -> ReadState {
    let load = |step| [None, Some(PART)].map(|part| blobs.read(step, part).unwrap());
    let [main, extra] = load(Step::Snapshot(chain[0].version));
    let parts = [(PART, &extra[..])];
    let set = BlobSet {
        main: &main,
        parts: &parts,
    };
    let mut state = ReadState::from_snapshot(set, &Filter::all()).unwrap();
    for step in chain.windows(2) {
        let [main, extra] = load(Step::Delta(step[0].version, step[1].version));
        let parts = [(PART, &extra[..])];
        state = state
            .apply(BlobSet {
                main: &main,
                parts: &parts,
            })
            .unwrap()
            .0;
    }
    state
}
