//! One producer per chain: owners that are suspended, die or come back late, and standbys that take over.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataset::{Error, Publisher, PublisherOptions, SILENCE, Standby, Step, StepHook, Turn};
use support::{START_MS, World, check, check_finished, name, options, position, run, tempdir};

const SEED: u64 = 20_210_308;

fn options_of(owner: &str, hook: Option<StepHook>) -> PublisherOptions {
    PublisherOptions {
        owner: owner.to_owned(),
        ..options(hook)
    }
}

fn standby(world: &World, owner: &str) -> Standby {
    Standby::new(name(), world.registry(), owner, SILENCE)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_owner_that_renews_is_left_alone_and_a_silent_one_is_not() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut waiting = standby(&world, "b");
    assert_eq!(waiting.look(seconds(0), START_MS).unwrap(), Turn::Mine);
    let owner = world.publisher_with(options_of("a", None)).unwrap();
    let another = Turn::Another {
        owner: "a".to_owned(),
    };
    let mut look = |at| waiting.look(seconds(at), START_MS).unwrap();
    for at in 0..60 {
        if at % 5 == 0 {
            owner.renew(START_MS).unwrap();
        }
        assert_eq!(look(at), another, "at {at} s");
    }
    // The last renewal was at 55 s.
    assert_eq!(look(60), another);
    assert_eq!(look(61), Turn::Mine);
    let refused = owner.renew(START_MS).unwrap_err();
    assert!(refused.is_lost(), "{refused}");
    assert!(
        refused
            .to_string()
            .contains("another producer has taken over"),
        "{refused}"
    );
}

#[test]
fn a_standby_that_was_suspended_itself_begins_to_wait_anew() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let owner = world.publisher_with(options_of("a", None)).unwrap();
    let mut waiting = standby(&world, "b");
    let mut look = |at| waiting.look(seconds(at), START_MS).unwrap();
    look(0);
    look(2);
    // Nobody knows what the owner did between 2 s and 90 s: it may be as late as the standby.
    for at in [90, 92, 94] {
        assert!(matches!(look(at), Turn::Another { .. }), "at {at} s");
    }
    owner.renew(START_MS).unwrap();
    assert!(matches!(look(96), Turn::Another { .. }));
    for at in [98, 100] {
        look(at);
    }
    assert_eq!(look(102), Turn::Mine);
}

#[test]
fn who_resigns_is_followed_at_once_and_the_same_owner_comes_back_at_once() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let owner = world.publisher_with(options_of("a", None)).unwrap();
    let again = standby(&world, "a").look(seconds(0), START_MS).unwrap();
    assert_eq!(
        again,
        Turn::Mine,
        "a restarted owner need not wait for itself"
    );
    let mut waiting = standby(&world, "b");
    assert!(matches!(
        waiting.look(seconds(0), START_MS).unwrap(),
        Turn::Another { .. }
    ));
    owner.resign(START_MS).unwrap();
    assert_eq!(waiting.look(seconds(1), START_MS).unwrap(), Turn::Mine);
}

#[test]
fn renewals_come_from_a_thread_of_their_own_and_tell_of_the_loss() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world
        .publisher_with(PublisherOptions {
            renew_every: Some(Duration::from_millis(1)),
            ..options_of("a", None)
        })
        .unwrap();
    let registry = world.registry();
    let renewal = || {
        let info = registry.dataset(&name()).unwrap().unwrap();
        info.owner.map(|ownership| ownership.renewal)
    };
    // Nobody calls the publisher meanwhile.
    let mut seen = 0;
    while renewal() < Some(5) {
        seen = registry.wait(seen, seconds(1)).unwrap();
    }
    // A standby insists until its proposal is in before the next renewal.
    let expire = || {
        registry.execute(
            &name(),
            START_MS,
            registry::Action::Expire {
                epoch: 1,
                renewal: renewal().unwrap(),
            },
        )
    };
    while expire().is_err() {}
    let other = world.publisher_with(options_of("b", None)).unwrap();
    let error = loop {
        match run(&mut publisher, SEED, 1, 1_000_000) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(error.is_lost(), "{error}");
    assert_eq!(other.epoch(), 2);
}

/// splitmix64.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A machine of the simulation. Its clock runs on while it is suspended.
struct Node {
    standby: Standby,
    publisher: Option<Publisher>,
    suspended_until: Duration,
    renewed: Duration,
}

/// Three machines that want to produce one dataset are suspended, killed and restarted at random, on one simulated clock.
/// The chain never forks, every change is in it exactly once, and somebody is always there again within ten seconds.
#[test]
fn simulated_machines_never_fork_the_chain() {
    let first: u64 = std::env::var("GREENLIGHT_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let (mut losses, mut takeovers) = (0, 0);
    for seed in first..first + 4 {
        println!("GREENLIGHT_SEED={seed}");
        let (lost, taken) = simulate(seed);
        losses += lost;
        takeovers += taken;
    }
    assert!(
        losses > 10 && takeovers > 20,
        "too tame: {losses} losses, {takeovers} takeovers"
    );
}

/// Returns how often an owner met its loss, and how often one took over.
fn simulate(seed: u64) -> (u32, u32) {
    const STEP: u64 = 3;
    let tick = Duration::from_millis(250);
    let mut random = seed;
    let dir = tempdir();
    let world = World::open(dir.path());
    let names = ["a", "b", "c"];
    let mut nodes = names.map(|owner| Node {
        standby: standby(&world, owner),
        publisher: None,
        suspended_until: Duration::ZERO,
        renewed: Duration::ZERO,
    });
    let mut losses = 0;
    let mut takeovers = 0;
    let mut vacant_since = Some(Duration::ZERO);
    let mut now = Duration::ZERO;
    for _ in 0..3_000 {
        now += tick;
        for (node, owner) in nodes.iter_mut().zip(names) {
            if now < node.suspended_until {
                continue;
            }
            match next_random(&mut random) % 400 {
                // Suspended for up to a minute, or killed and restarted.
                0 => {
                    node.suspended_until = now + tick * (next_random(&mut random) % 240) as u32;
                    continue;
                }
                1 => {
                    node.publisher = None;
                    node.standby = standby(&world, owner);
                    node.suspended_until = now + tick * (next_random(&mut random) % 60) as u32;
                    continue;
                }
                _ => {}
            }
            let Some(publisher) = &mut node.publisher else {
                if node.standby.look(now, START_MS).unwrap() == Turn::Mine {
                    match world.publisher_with(options_of(owner, None)) {
                        Ok(publisher) => {
                            takeovers += 1;
                            node.publisher = Some(publisher);
                            node.renewed = now;
                        }
                        Err(error) => assert!(error.is_lost(), "{error}"),
                    }
                }
                continue;
            };
            let result = if now - node.renewed >= dataset::RENEW_EVERY {
                node.renewed = now;
                publisher.renew(START_MS)
            } else if next_random(&mut random).is_multiple_of(8) {
                // What it believes to stand at may be long out of date.
                let from = position(publisher);
                run(publisher, seed, STEP, from + STEP)
            } else {
                Ok(())
            };
            match result {
                Ok(()) => {}
                Err(error) if error.is_lost() => {
                    losses += 1;
                    node.publisher = None;
                    node.standby = standby(&world, owner);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let info = world.registry().dataset(&name()).unwrap();
        let owner = info.and_then(|info| info.owner);
        // An owner counts as there while its machine runs.
        let is_there = |node: &Node, name: &str| {
            now >= node.suspended_until
                && node.publisher.is_some()
                && owner.as_ref().is_some_and(|owner| owner.owner == name)
        };
        let anybody_waits = nodes
            .iter()
            .any(|node| now >= node.suspended_until && node.publisher.is_none());
        if nodes
            .iter()
            .zip(names)
            .any(|(node, name)| is_there(node, name))
            || !anybody_waits
        {
            vacant_since = None;
        } else {
            let since = *vacant_since.get_or_insert(now);
            assert!(
                now - since <= seconds(10),
                "seed {seed}: nobody has produced from {since:?} to {now:?}"
            );
        }
    }
    check(&world, seed);
    // Whoever comes last goes on with the same chain.
    drop(nodes);
    let mut waiting = standby(&world, "d");
    let mut at = now;
    while waiting.look(at, START_MS).unwrap() != Turn::Mine {
        at += tick;
    }
    let mut last = world.publisher_with(options_of("d", None)).unwrap();
    let end = position(&last) + 5 * STEP;
    run(&mut last, seed, STEP, end).unwrap();
    check_finished(&world, seed, end);
    (losses, takeovers)
}

/// Set in child processes: the directory, and the step at which to wait for a line on standard input.
const CHILD: &str = "DATASET_TEST_STANDBY_CHILD";
const CHILD_STEP: &str = "DATASET_TEST_STANDBY_STEP";
const CYCLES: u64 = 4;
const CHILD_STEP_LEN: u64 = 6;
/// Short, so that the test is; only the delay depends on it.
const CHILD_SILENCE: Duration = Duration::from_millis(600);

#[test]
#[ignore = "runs as a child process of `an_owner_that_wakes_up_late_stops`"]
fn child_that_is_suspended() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let wanted = std::env::var(CHILD_STEP).unwrap();
    let world = World::open(Path::new(&dir));
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let hook: StepHook = Arc::new(move |step: Step| {
        if format!("{step:?}") == wanted
            && calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0
        {
            println!("waiting");
            std::io::stdout().flush().unwrap();
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
        }
        Ok(())
    });
    let produce = || {
        let mut publisher = world.publisher_with(PublisherOptions {
            renew_every: Some(CHILD_SILENCE / 6),
            ..options_of("first", Some(hook))
        })?;
        run(&mut publisher, SEED, CHILD_STEP_LEN, u64::MAX / 2)
    };
    let error: Error = produce().unwrap_err();
    assert!(error.is_lost(), "{error}");
    println!("stopped: {error}");
}

struct Suspended {
    child: Child,
    stdin: ChildStdin,
}

impl Suspended {
    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two processes: the owner is stopped by a signal in the middle of a step, the standby takes over and goes on, the owner
/// is continued. For every step.
#[test]
fn an_owner_that_wakes_up_late_stops() {
    let steps = [
        Step::Acquired,
        Step::Populated,
        Step::Minted,
        Step::BlobsStaged,
        Step::Verified,
        Step::Guarded,
        Step::Accepted,
        Step::BlobPromoted,
        Step::Announced,
        Step::Projected,
        Step::Cleaned,
        Step::SnapshotStaged,
        Step::SnapshotPromoted,
    ];
    for step in steps {
        let dir = tempdir();
        let world = World::open(dir.path());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "child_that_is_suspended",
                "--exact",
                "--nocapture",
                "--ignored",
            ])
            .env(CHILD, dir.path())
            .env(CHILD_STEP, format!("{step:?}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stdin = child.stdin.take().unwrap();
        let mut suspended = Suspended { child, stdin };
        assert!(
            lines.any(|line| line.unwrap().contains("waiting")),
            "the owner never came to {step:?}"
        );
        suspended.signal("STOP");

        let started = Instant::now();
        let mut waiting = Standby::new(name(), world.registry(), "second", CHILD_SILENCE);
        while waiting.look(started.elapsed(), START_MS).unwrap() != Turn::Mine {
            std::thread::sleep(waiting.look_every());
        }
        let mut publisher = world.publisher_with(options_of("second", None)).unwrap();
        let end = position(&publisher) + CYCLES * CHILD_STEP_LEN;
        run(&mut publisher, SEED, CHILD_STEP_LEN, end).unwrap();
        check(&world, SEED);

        suspended.signal("CONT");
        writeln!(suspended.stdin).unwrap();
        let said: Vec<String> = lines.map(|line| line.unwrap()).collect();
        assert!(
            said.iter().any(|line| line.starts_with("stopped: ")
                && line.contains("another producer has taken over")),
            "{step:?}: {said:?}"
        );
        let end = end + CHILD_STEP_LEN;
        run(&mut publisher, SEED, CHILD_STEP_LEN, end).unwrap();
        check_finished(&world, SEED, end);
    }
}
