//! The directory store: the conformance suite, kills and full disks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use blobstore::{BlobStore, Created, DirectoryStore, Error, Etag, conformance};

/// Set in child processes: the directory to write to.
const CHILD: &str = "BLOBSTORE_TEST_CHILD";

fn this_test(name: &str) -> Vec<String> {
    [name, "--exact", "--nocapture", "--ignored"]
        .map(str::to_owned)
        .to_vec()
}

#[test]
fn conformance_suite() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(dir.path()).unwrap();
    conformance::run(&store, "suite").unwrap();
    conformance::run_large_races(&store, "suite").unwrap();
    assert_eq!(
        fs::read_dir(dir.path().join(".tmp")).unwrap().count(),
        0,
        "temporary files left"
    );
}

#[test]
fn blobs_lie_under_their_keys_and_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(dir.path()).unwrap();
    store.put("prod/liveness/snapshot-7", b"seven").unwrap();
    let path = dir.path().join("prod/liveness/snapshot-7");
    assert_eq!(fs::read(&path).unwrap(), b"seven");
    assert_eq!(store.path("prod/liveness/snapshot-7").unwrap(), path);
    drop(store);
    let store = DirectoryStore::open(dir.path()).unwrap();
    assert_eq!(
        store
            .get("prod/liveness/snapshot-7")
            .unwrap()
            .unwrap()
            .bytes,
        b"seven"
    );
}

#[test]
fn files_of_others_are_no_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(dir.path()).unwrap();
    store.put("prod/x", b"x").unwrap();
    fs::write(dir.path().join("prod/.DS_Store"), b"").unwrap();
    fs::write(dir.path().join("prod/not a key"), b"").unwrap();
    let keys: Vec<_> = store
        .list("")
        .unwrap()
        .into_iter()
        .map(|info| info.key)
        .collect();
    assert_eq!(keys, ["prod/x"]);
}

#[test]
fn leftovers_of_dead_writers_are_swept_and_those_of_the_living_stay() {
    let dir = tempfile::tempdir().unwrap();
    drop(DirectoryStore::open(dir.path()).unwrap());
    let dead = dir.path().join(".tmp/4711-1");
    let living = dir.path().join(".tmp/4711-2");
    fs::write(&dead, b"half").unwrap();
    fs::write(&living, b"half").unwrap();
    let held = File::open(&living).unwrap();
    held.lock().unwrap();
    let store = DirectoryStore::open(dir.path()).unwrap();
    assert!(!dead.exists());
    assert!(living.exists());
    assert_eq!(store.list("").unwrap(), []);
}

#[test]
fn a_blob_in_place_of_a_folder_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(dir.path()).unwrap();
    store.put("a", b"x").unwrap();
    let error = store.create("a/b", b"y").unwrap_err();
    assert!(
        matches!(&error, Error::Io { path, .. } if path.ends_with("a/b")),
        "{error:?}"
    );
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(store.get("a/b").unwrap(), None);
}

/// What a child writes under `key`: any cut or mixture of it is recognized.
fn content_of(key: &str) -> Vec<u8> {
    key.as_bytes()
        .iter()
        .copied()
        .cycle()
        .take(300_000 + key.len())
        .collect()
}

#[test]
#[ignore = "runs as a child process of `killed_writers_leave_no_half_blob`"]
fn child_writes_until_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let store = DirectoryStore::open(dir).unwrap();
    let first = store.list("blobs/").unwrap().len();
    for number in first.. {
        let key = format!("blobs/{number:06}");
        assert_eq!(
            store.create(&key, &content_of(&key)).unwrap(),
            Created::Created
        );
        let marker = store.get("marker").unwrap().map(|blob| blob.etag);
        store
            .compare_and_swap("marker", marker.as_ref(), key.as_bytes())
            .unwrap();
        println!("done {key}");
    }
}

#[test]
fn killed_writers_leave_no_half_blob() {
    let dir = tempfile::tempdir().unwrap();
    let mut done_max = String::new();
    for round in 0..12_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(this_test("child_writes_until_killed"))
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut blobs_left = 1 + round % 4;
        for line in lines {
            if let Some((_, key)) = line.unwrap().split_once("done ") {
                done_max = key.to_owned();
                blobs_left -= 1;
                if blobs_left == 0 {
                    break;
                }
            }
        }
        // Spin for a moment that differs from round to round, so that the kill hits different steps.
        (0..u64::from(round) * 150_000).for_each(|at| {
            std::hint::black_box(at);
        });
        child.kill().unwrap();
        child.wait().unwrap();

        let store = DirectoryStore::open(dir.path()).unwrap();
        assert_eq!(
            fs::read_dir(dir.path().join(".tmp")).unwrap().count(),
            0,
            "leftovers are swept"
        );
        let blobs = store.list("blobs/").unwrap();
        for (at, info) in blobs.iter().enumerate() {
            assert_eq!(info.key, format!("blobs/{at:06}"), "no gap");
            assert!(
                store.get(&info.key).unwrap().unwrap().bytes == content_of(&info.key),
                "{} is cut",
                info.key
            );
        }
        assert!(
            blobs.last().is_some_and(|last| last.key >= done_max),
            "a finished blob is lost"
        );
        let marker = String::from_utf8(store.get("marker").unwrap().unwrap().bytes).unwrap();
        assert!(marker >= done_max, "a finished swap is lost");
    }
}

#[test]
#[ignore = "runs as a child process of `a_full_disk_shows_no_half_blob`"]
fn child_runs_out_of_space() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let store = DirectoryStore::open(&dir).unwrap();
    let old = store.put("replaced", b"old").unwrap();
    let large = vec![7; 1 << 20];
    for error in [
        store.put("new", &large).unwrap_err(),
        store.create("created", &large).unwrap_err(),
        store.put("replaced", &large).unwrap_err(),
        store
            .put_all(&[("a".to_owned(), vec![1]), ("b".to_owned(), large.clone())])
            .unwrap_err(),
        store
            .compare_and_swap("replaced", Some(&old), &large)
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        assert!(error.is_retryable());
    }
    let keys: Vec<_> = store
        .list("")
        .unwrap()
        .into_iter()
        .map(|info| info.key)
        .collect();
    assert_eq!(keys, ["replaced"]);
    assert_eq!(
        store.get("replaced").unwrap().unwrap().etag,
        Etag::of_content(b"old")
    );
    assert_eq!(
        fs::read_dir(format!("{dir}/.tmp")).unwrap().count(),
        0,
        "temporary files left"
    );
    store.create("small", b"goes on").unwrap();
    println!("all is well");
}

/// The shell's file size limit stands for the full disk: a write fails in the middle of a file, with what came before
/// already on disk.
#[test]
fn a_full_disk_shows_no_half_blob() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(this_test("child_runs_out_of_space"))
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("all is well"),
        "{output:?}"
    );
}
