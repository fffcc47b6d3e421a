//! Instances over a real embedded log: checkpoints, several instances, the socket, owners that die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use changelog::{ChangeLog, EmbeddedLog, NewRecord};
use registry::embedded::{self, Role};
use registry::{
    Action, COMMANDS_TOPIC, Command, Error, LogRegistry, Outcome, Refusal, Registry, Scope,
    Version, Versions,
};

use support::{announce_one, answers, name, run};

#[test]
fn a_restart_continues_from_the_checkpoint_or_from_the_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log_dir = dir.path().join("log");
    let mut versions = Vec::new();
    let mut expected = None;
    for round in 0..5_i64 {
        // Every other round the checkpoint is gone, or of another log.
        let checkpoint = dir.path().join(format!("checkpoint-{}", round / 2));
        let log: Arc<dyn ChangeLog> = Arc::new(EmbeddedLog::open(&log_dir).unwrap());
        let registry = LogRegistry::open(log, &checkpoint).unwrap();
        if let Some(expected) = &expected {
            assert_eq!(&answers(&registry), expected, "round {round}");
        }
        versions.push(announce_one(&registry, "p", 1_000 * round));
        expected = Some(answers(&registry));
        let newest_first: Vec<_> = versions.iter().rev().copied().collect();
        let listed = |selection| -> Vec<Version> {
            registry
                .versions(&name(), &selection)
                .unwrap()
                .iter()
                .map(|version| version.version)
                .collect()
        };
        assert_eq!(listed(Versions::all()), newest_first);
        assert_eq!(
            listed(Versions::newest(2)),
            newest_first[..2.min(newest_first.len())]
        );
        assert_eq!(
            listed(Versions::between(versions[0], versions[0])),
            versions[..1]
        );
        assert_eq!(listed(Versions::between(Version(9), Version(3))), []);
    }
}

#[test]
fn a_checkpoint_of_another_log_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = dir.path().join("checkpoint");
    for log_dir in ["log-1", "log-2"] {
        let log = Arc::new(EmbeddedLog::open(&dir.path().join(log_dir)).unwrap());
        let registry = LogRegistry::open(log, &checkpoint).unwrap();
        assert_eq!(registry.datasets().unwrap(), []);
        announce_one(&registry, "p", 5);
    }
}

#[test]
fn a_command_of_a_newer_program_stops_the_instance() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<dyn ChangeLog> = Arc::new(EmbeddedLog::open(&dir.path().join("log")).unwrap());
    drop(LogRegistry::open(Arc::clone(&log), &dir.path().join("a")).unwrap());
    log.append(
        COMMANDS_TOPIC,
        &[NewRecord::new(0, "k", [9, 9]).to_partition(0)],
    )
    .unwrap();
    let error = LogRegistry::open(log, &dir.path().join("b")).err().unwrap();
    assert!(matches!(error, Error::Command { offset: 0, .. }), "{error}");
}

#[test]
fn nothing_is_applied_after_a_command_that_is_not_understood() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<dyn ChangeLog> = Arc::new(EmbeddedLog::open(&dir.path().join("log")).unwrap());
    let registry = LogRegistry::open(Arc::clone(&log), &dir.path().join("a")).unwrap();
    announce_one(&registry, "p", 1);
    let before = answers(&registry);
    log.append(
        COMMANDS_TOPIC,
        &[NewRecord::new(0, "k", [9, 9]).to_partition(0)],
    )
    .unwrap();
    for at_ms in 2..4 {
        let acquire = Action::Acquire {
            owner: "p".to_owned(),
            expected_epoch: 1,
        };
        let error = registry
            .submit(&Command {
                dataset: name(),
                at_ms,
                action: acquire,
            })
            .unwrap_err();
        assert!(matches!(error, Error::Command { .. }), "{error}");
        assert_eq!(answers(&registry), before);
    }
}

#[test]
fn instances_over_one_log_agree_and_fence_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<dyn ChangeLog> = Arc::new(EmbeddedLog::open(&dir.path().join("log")).unwrap());
    let one = LogRegistry::open(Arc::clone(&log), &dir.path().join("one")).unwrap();
    let two = LogRegistry::open(log, &dir.path().join("two")).unwrap();
    announce_one(&one, "one", 1);
    // The second instance has not read the first's commands yet; its own command comes after them all the same.
    let late = Action::Acquire {
        owner: "two".to_owned(),
        expected_epoch: 0,
    };
    assert_eq!(
        run(&two, 2, late),
        Outcome::Refused(Refusal::OtherEpoch { epoch: 1 })
    );
    assert_eq!(answers(&two), answers(&one));
    run(&one, 3, Action::Resign { epoch: 1 });
    two.catch_up().unwrap();
    announce_one(&two, "two", 4);
    one.catch_up().unwrap();
    assert_eq!(answers(&two), answers(&one));
}

#[test]
fn racing_submitters_mint_every_version_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log")).unwrap());
    let registry = LogRegistry::open(log, &dir.path().join("checkpoint")).unwrap();
    run(
        &registry,
        0,
        Action::Acquire {
            owner: "p".to_owned(),
            expected_epoch: 0,
        },
    );
    let mut versions: Vec<Version> = std::thread::scope(|scope| {
        let stagers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let stage = || match run(&registry, 0, Action::Stage { epoch: 1 }) {
                        Outcome::Staged { version } => version,
                        other => panic!("{other:?}"),
                    };
                    (0..25).map(|_| stage()).collect::<Vec<_>>()
                })
            })
            .collect();
        stagers
            .into_iter()
            .flat_map(|stager| stager.join().unwrap())
            .collect()
    });
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 100);
}

#[test]
fn waiters_wake_up_when_something_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let home = embedded::open(dir.path()).unwrap();
    let client = embedded::open(dir.path()).unwrap();
    let seen = client.registry().wait(0, Duration::ZERO).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            client
                .registry()
                .wait(seen, Duration::from_secs(600))
                .unwrap()
        });
        announce_one(home.registry().as_ref(), "p", 1);
        assert!(waiter.join().unwrap() > seen);
    });
}

#[test]
fn the_second_opener_uses_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let home = embedded::open(dir.path()).unwrap();
    let client = embedded::open(dir.path()).unwrap();
    assert_eq!((home.role(), client.role()), (Role::Owner, Role::Client));
    let version = announce_one(client.registry().as_ref(), "p", 1);
    assert_eq!(
        answers(client.registry().as_ref()),
        answers(home.registry().as_ref())
    );
    let info = client
        .registry()
        .version(&name(), version)
        .unwrap()
        .unwrap();
    assert_eq!(info.metadata["phase"], "test");
    assert_eq!(
        client.registry().version(&name(), Version(1)).unwrap(),
        None
    );
    let refused = client
        .registry()
        .execute(
            &name(),
            2,
            Action::Unpin {
                scope: Scope::everybody(),
            },
        )
        .unwrap_err();
    assert!(
        matches!(refused.refusal(), Some(Refusal::NoPin { .. })),
        "{refused}"
    );
    assert_eq!(
        client.log().end_offsets(COMMANDS_TOPIC).unwrap(),
        home.log().end_offsets(COMMANDS_TOPIC).unwrap()
    );

    drop(home);
    let gone = client.registry().datasets().unwrap_err();
    assert!(gone.is_owner_gone(), "{gone:?}");
    let heir = embedded::open(dir.path()).unwrap();
    assert_eq!(heir.role(), Role::Owner);
    // The client finds the new owner by itself.
    assert_eq!(
        answers(client.registry().as_ref()),
        answers(heir.registry().as_ref())
    );
}

/// Set in child processes: the directory to own.
const CHILD: &str = "REGISTRY_TEST_CHILD";

#[test]
#[ignore = "runs as a child process of `a_killed_owner_loses_nothing_that_was_answered`"]
fn child_owns_until_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let home = embedded::open(Path::new(&dir)).unwrap();
    assert_eq!(home.role(), Role::Owner);
    for round in 0.. {
        println!(
            "announced {}",
            announce_one(home.registry().as_ref(), "child", round)
        );
    }
}

fn spawn_owner(dir: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([
            "child_owns_until_killed",
            "--exact",
            "--nocapture",
            "--ignored",
        ])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_owner_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut announced = Vec::new();
    for round in 0..4_usize {
        let mut child = spawn_owner(dir.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            if let Some((_, version)) = line.unwrap().split_once("announced ") {
                announced.push(version.parse::<Version>().unwrap());
                if announced.len() % (3 + round) == 0 {
                    break;
                }
            }
        }
        let pid = fs::read_to_string(dir.path().join("greenlight.lock")).unwrap();
        assert_eq!(pid.trim(), child.id().to_string());
        let client = embedded::open(dir.path()).unwrap();
        assert_eq!(client.role(), Role::Client);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(client.registry().datasets().unwrap_err().is_owner_gone());

        let heir = embedded::open(dir.path()).unwrap();
        assert_eq!(heir.role(), Role::Owner);
        let known = heir.registry().versions(&name(), &Versions::all()).unwrap();
        for version in &announced {
            let info = known.iter().find(|info| info.version == *version);
            assert!(
                info.is_some_and(|info| info.announced_at_ms.is_some()),
                "{version} is lost"
            );
        }
        let latest = heir
            .registry()
            .latest(&name(), &Scope::everybody())
            .unwrap()
            .unwrap();
        assert!(Some(latest.version) >= announced.last().copied());
        // What the child accepted and did not announce has to be announced before the next child can go on.
        let info = heir.registry().dataset(&name()).unwrap().unwrap();
        let announce = Action::Announce {
            epoch: info.epoch,
            version: info.head.unwrap(),
            scope: Scope::everybody(),
            metadata: BTreeMap::new(),
        };
        assert_eq!(run(heir.registry().as_ref(), 0, announce), Outcome::Done);
    }
}
