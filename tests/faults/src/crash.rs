//! A producer as a process of its own, that dies or is suspended at a step of its cycles.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ingest::Ended;

use crate::{Place, Upstream, World, seed};

/// Set in child processes: where to work, the number of the step to stop at, and how.
const PLACE: &str = "GREENLIGHT_FAULTS_PLACE";
const STEP: &str = "GREENLIGHT_FAULTS_STEP";
const SUSPENDED: &str = "GREENLIGHT_FAULTS_SUSPENDED";

/// Records that a cycle takes, so that there are several.
const RECORDS_PER_CYCLE: u64 = 12;

/// The body of the test `child` (ignored) of a test binary that calls [`matrix`] or [`suspended`]: produces until everything
/// is published, or dies on the way, or is suspended on the way and goes on until it learns that it was overtaken.
pub fn child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let stop_at: u64 = std::env::var(STEP).unwrap().parse().unwrap();
    let suspends = std::env::var(SUSPENDED).is_ok();
    let mut world = World::open(&Place::from_text(&place));
    world.records_per_cycle = RECORDS_PER_CYCLE;
    let steps = AtomicU64::new(0);
    let was_suspended = Arc::new(AtomicBool::new(false));
    let suspended = Arc::clone(&was_suspended);
    let hook = Arc::new(move |step| {
        if steps.fetch_add(1, Ordering::SeqCst) == stop_at {
            if suspends {
                suspended.store(true, Ordering::SeqCst);
                println!("suspended at {step:?}");
                signal(std::process::id(), "STOP");
            } else {
                eprintln!("dies at {step:?}");
                std::process::abort();
            }
        }
        Ok(())
    });
    let mut producer = match world.producer_with("producer", hook) {
        Err(error) if error.is_lost() => return println!("lost: {error}"),
        opened => opened.unwrap(),
    };
    for cycle in 0..60 {
        match world.cycle(&mut producer) {
            Err(error) if error.is_lost() => return println!("lost: {error}"),
            // A loser may find its candidate gone first; the next cycle tells it why.
            Err(_) | Ok(Ended::RolledBack(_)) if was_suspended.load(Ordering::SeqCst) => continue,
            ended => drop(ended.unwrap()),
        }
        if cycle == 0 {
            // The first state is read whole; what is sent after it makes cycles of their own.
            println!("has a state");
            std::io::stdin()
                .lock()
                .read_line(&mut String::new())
                .unwrap();
            continue;
        }
        let progress = producer.progress();
        let settled = progress.pending == 0 && progress.behind == 0;
        if settled && !was_suspended.load(Ordering::SeqCst) {
            return println!("finished");
        }
    }
    panic!("neither finished nor lost");
}

fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Kills a child at step 0, 1, ... of its cycles until it finishes, each time in a new place. After each death another
/// producer has to come to the model's state along an intact chain. Returns how many deaths there were.
///
/// `records` are sent after the first state; `every` step is died at.
pub fn matrix(place: impl Fn(u64) -> Place, records: u64, every: usize) -> u64 {
    let seed = seed();
    let mut deaths = 0;
    for die_at in (0..).step_by(every) {
        let place = place(die_at);
        let mut upstream = Upstream::new(seed);
        let (finished, said) = {
            let world = World::open(&place);
            upstream.send(&world, 30, 1);
            // The embedded log lets one process in.
            drop(world);
            run_child(&place, die_at, |world| upstream.send(world, records, 2))
        };
        assert_eq!(finished, !said.contains("dies at"), "{said}");
        let mut world = World::open(&place);
        world.records_per_cycle = RECORDS_PER_CYCLE;
        let mut producer = world.producer("producer").unwrap();
        world.settle(&mut producer);
        upstream.model.check(&world);
        world.check_chain();
        if finished {
            return deaths;
        }
        deaths += 1;
    }
    deaths
}

/// Runs a child, and `send` when it has a first state (or died on the way there). Whether it finished, and what it
/// said.
fn run_child(place: &Place, die_at: u64, send: impl FnOnce(&World)) -> (bool, String) {
    let (mut child, mut stdout) = spawn(place, die_at, false);
    read_until(&mut stdout, &["has a state"]);
    // Through the socket of the child where it lives, which owns the directory.
    send(&World::open(place));
    go_on(&mut child);
    let mut said = read_until(&mut stdout, &[]);
    let output = child.wait_with_output().unwrap();
    let finished = said.contains("finished");
    assert_eq!(finished, output.status.success(), "{output:?}");
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (finished, said)
}

/// Suspends a child at every `every`-th step; meanwhile another producer takes over, publishes what is new, and the child
/// continues: it has to learn that it lost, and to change nothing. Only over servers, since an embedded log is served by the
/// process that has it open. Returns how often a child was suspended.
pub fn suspended(place: impl Fn(u64) -> Place, records: u64, every: usize) -> u64 {
    let seed = seed();
    let mut suspensions = 0;
    for stop_at in (0..).step_by(every) {
        let place = place(stop_at);
        let mut upstream = Upstream::new(seed);
        let mut world = World::open(&place);
        upstream.send(&world, 30, 1);
        let (mut child, mut stdout) = spawn(&place, stop_at, true);
        let mut said = read_until(&mut stdout, &["has a state", "suspended"]);
        if said.contains("has a state") {
            upstream.send(&world, records, 2);
            go_on(&mut child);
            said = read_until(&mut stdout, &["suspended"]);
        }
        if said.contains("finished") {
            child.wait().unwrap();
            return suspensions;
        }
        await_suspension(child.id());

        // This process's instance of the registry has followed the child's.
        world.registry.catch_up().unwrap();
        world.expire();
        let mut second = world.producer("second").unwrap();
        upstream.send(&world, 5, 2);
        world.settle(&mut second);
        let versions = world.versions();

        signal(child.id(), "CONT");
        // Where it was suspended in its first cycle, it waits after that.
        go_on(&mut child);
        said.push_str(&read_until(&mut stdout, &[]));
        assert!(child.wait().unwrap().success(), "{said}");
        assert!(said.contains("lost: "), "{said}");
        assert_eq!(
            world.versions(),
            versions,
            "the loser changed nothing: {said}"
        );
        upstream.model.check(&world);
        println!("{}", said.trim());
        world.check_chain();
        suspensions += 1;
    }
    suspensions
}

fn spawn(place: &Place, stop_at: u64, suspends: bool) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["child", "--exact", "--nocapture", "--ignored"])
        .env(PLACE, place.to_text())
        .env(STEP, stop_at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if suspends {
        command.env(SUSPENDED, "yes");
    } else {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// Reads lines up to one with any of the words, or to the end.
fn read_until(stdout: &mut BufReader<ChildStdout>, words: &[&str]) -> String {
    let mut said = String::new();
    loop {
        let from = said.len();
        if stdout.read_line(&mut said).unwrap() == 0
            || words.iter().any(|word| said[from..].contains(word))
        {
            return said;
        }
    }
}

fn go_on(child: &mut Child) {
    if let Some(mut stdin) = child.stdin.take() {
        // It may be dead.
        let _ = stdin.write_all(b"go\n");
    }
}

/// Waits until the process stands still (state `T`).
fn await_suspension(pid: u32) {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        if stat.rsplit_once(") ").unwrap().1.starts_with('T') {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
