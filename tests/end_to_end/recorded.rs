//! A history that was recorded by an earlier build, evaluated again by this one: `replay/history`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use blobstore::{BlobStore, DirectoryStore};
use changelog::{Batch, NewRecord, PollLimit, Position};
use gatekeeper::Replayer;
use registry::embedded::{self, Home};
use registry::{COMMANDS_TOPIC, Versions};
use serde_json::{Value, json};

use crate::scenario;
use crate::support::{Demo, root};

/// One title in this many is in the history.
const KEEP_ONE_IN: u64 = 400;

fn path() -> PathBuf {
    root().join("replay/history/history.jsonl.zst")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn store(home: &Home) -> Arc<dyn BlobStore> {
    Arc::new(DirectoryStore::open(home.blobs_dir()).unwrap())
}

/// Makes a directory of a recorded history: the registry's commands and the blobs.
fn unpack(dir: &Path) -> Home {
    let home = embedded::open(dir).unwrap();
    let blobs = store(&home);
    let mut commands = Vec::new();
    let reader = zstd::Decoder::new(File::open(path()).unwrap()).unwrap();
    for line in BufReader::new(reader).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match line["blob"].as_str() {
            Some(key) => drop(blobs.put(key, &unhex(&line["bytes"])).unwrap()),
            None => commands.push(NewRecord::new(0, "", unhex(&line["command"])).to_partition(0)),
        }
    }
    home.log().append(COMMANDS_TOPIC, &commands).unwrap();
    // Opened again, the registry is what its commands make of it.
    drop(home);
    embedded::open(dir).unwrap()
}

#[test]
fn every_version_of_the_recorded_history_comes_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = unpack(dir.path());
    let liveness = "prod/liveness".parse().unwrap();
    let versions = home
        .registry()
        .versions(&liveness, &Versions::all())
        .unwrap();
    assert!(versions.len() >= 5, "{} versions", versions.len());
    let mut replayer = Replayer::new(&liveness, &store(&home), home.registry()).unwrap();
    for info in versions {
        let replayed = replayer.replay(info.version, None, &[]).unwrap();
        let digests = [replayed.published_digest.0, replayed.again_digest.0];
        let version = info.version;
        assert_eq!(
            digests, [info.sums.digest.0; 2],
            "version {version}: see replay/history/README.md"
        );
    }
}

#[test]
#[ignore = "records the history anew"]
fn record() {
    let scenario = scenario::cut(KEEP_ONE_IN);
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let home = demo.keep_open();
    let mut out = zstd::Encoder::new(File::create(path()).unwrap(), 19).unwrap();
    let mut write = |line: Value| writeln!(out, "{line}").unwrap();
    let start = [Position::new(0, 0)];
    let mut consumer = home.log().consumer(COMMANDS_TOPIC, &start).unwrap();
    let mut batch = Batch::new();
    while consumer
        .poll(&mut batch, PollLimit::default(), Duration::ZERO)
        .unwrap()
        > 0
    {
        for record in batch.records() {
            write(json!({ "command": hex(record.value.unwrap()) }));
        }
    }
    let blobs = store(&home);
    for blob in blobs.list("prod/").unwrap() {
        let bytes = blobs.get(&blob.key).unwrap().unwrap().bytes;
        write(json!({ "blob": blob.key, "bytes": hex(&bytes) }));
    }
    out.finish().unwrap();
}
