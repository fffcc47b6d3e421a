//! Stopped at every step there is, by an error and by the death of the process: the next publisher goes on with the same
//! chain, and every change is in it exactly once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::{Abort, Step, StepHook};
use support::{World, check, check_finished, run, tempdir};

const SEED: u64 = 20_210_308;
const STEP: u64 = 6;
const END: u64 = 36;

/// Stops at the call of number `at` (from 0), in the way of `stop`.
fn hook_at(
    at: usize,
    stop: impl Fn(Step) -> Result<(), Abort> + Send + Sync + 'static,
) -> (StepHook, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let hook = move |step| {
        if counted.fetch_add(1, Ordering::SeqCst) == at {
            stop(step)
        } else {
            Ok(())
        }
    };
    (Arc::new(hook), calls)
}

#[test]
fn an_error_after_every_step_and_a_new_publisher() {
    for at in 0.. {
        let dir = tempdir();
        let world = World::open(dir.path());
        let (hook, calls) = hook_at(at, |_| Err(Abort));
        // Whatever the error: the publisher is dropped where it stands.
        let _ = world
            .publisher(Some(hook))
            .and_then(|mut publisher| run(&mut publisher, SEED, STEP, END));
        check(&world, SEED);
        let mut publisher = world.publisher(None).unwrap();
        run(&mut publisher, SEED, STEP, END).unwrap();
        check_finished(&world, SEED, END);
        if calls.load(Ordering::SeqCst) <= at {
            assert!(at > 50, "only {at} places to stop at");
            break;
        }
    }
}

#[test]
fn an_error_after_every_step_and_the_same_publisher() {
    for at in 1.. {
        let dir = tempdir();
        let world = World::open(dir.path());
        let (hook, calls) = hook_at(at, |_| Err(Abort));
        let mut publisher = world.publisher(Some(hook)).unwrap();
        if run(&mut publisher, SEED, STEP, END).is_err() {
            check(&world, SEED);
            publisher.recover(support::START_MS).unwrap();
            run(&mut publisher, SEED, STEP, END).unwrap();
        }
        check_finished(&world, SEED, END);
        if calls.load(Ordering::SeqCst) <= at {
            break;
        }
    }
}

/// Set in child processes: the directory and the step to die at.
const CHILD: &str = "DATASET_TEST_CHILD";
const CHILD_STEP: &str = "DATASET_TEST_STEP";

#[test]
#[ignore = "runs as a child process of `a_killed_process_at_every_step`"]
fn child_dies_at_a_step() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let at = std::env::var(CHILD_STEP).unwrap().parse().unwrap();
    let world = World::open(Path::new(&dir));
    let (hook, _) = hook_at(at, |_| std::process::abort());
    let mut publisher = world.publisher(Some(hook)).unwrap();
    run(&mut publisher, SEED, STEP, END).unwrap();
    println!("came to the end");
}

#[test]
fn a_killed_process_at_every_step() {
    let mut deaths = 0;
    for at in 0.. {
        let dir = tempdir();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "child_dies_at_a_step",
                "--exact",
                "--nocapture",
                "--ignored",
            ])
            .env(CHILD, dir.path())
            .env(CHILD_STEP, at.to_string())
            .output()
            .unwrap();
        let came_to_the_end = String::from_utf8_lossy(&output.stdout).contains("came to the end");
        assert_ne!(
            came_to_the_end,
            output.status.code().is_none(),
            "{output:?}"
        );
        let world = World::open(dir.path());
        check(&world, SEED);
        let mut publisher = world.publisher(None).unwrap();
        run(&mut publisher, SEED, STEP, END).unwrap();
        check_finished(&world, SEED, END);
        if came_to_the_end {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 50, "only {deaths} deaths");
}

/// Dies again and again, at places that a seed decides, until the end is reached.
#[test]
fn many_deaths_in_a_row() {
    for seed in 0..6_usize {
        let dir = tempdir();
        let world = World::open(dir.path());
        let mut deaths = 0;
        loop {
            let (hook, _) = hook_at((seed * 7 + deaths * 5) % 19, |_| Err(Abort));
            let result = world
                .publisher(Some(hook))
                .and_then(|mut publisher| run(&mut publisher, SEED, STEP, END));
            check(&world, SEED);
            if result.is_ok() {
                break;
            }
            deaths += 1;
            assert!(deaths < 500, "no progress; seed {seed}");
        }
        check_finished(&world, SEED, END);
    }
}
