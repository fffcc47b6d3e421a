//! A producer that dies at each place where a cycle can be stopped, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Place, Upstream, World, seed};

/// Set in child processes: where to work, and the number of the step to die at.
const PLACE: &str = "GREENLIGHT_FAULTS_PLACE";
const STEP: &str = "GREENLIGHT_FAULTS_STEP";

/// Records that a cycle takes, so that there are several.
const RECORDS_PER_CYCLE: u64 = 12;

/// The body of the test `child` (ignored) of a test binary that calls [`matrix`]: produces until everything is published,
/// or dies on the way.
pub fn child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let die_at: u64 = std::env::var(STEP).unwrap().parse().unwrap();
    let mut world = World::open(&Place::from_text(&place));
    world.records_per_cycle = RECORDS_PER_CYCLE;
    let steps = AtomicU64::new(0);
    let hook = Arc::new(move |step| {
        if steps.fetch_add(1, Ordering::SeqCst) == die_at {
            eprintln!("dies at {step:?}");
            std::process::abort();
        }
        Ok(())
    });
    let mut producer = world.producer_with("producer", hook).unwrap();
    // The first state is read whole; what is sent after it makes cycles of their own.
    world.cycle(&mut producer).unwrap();
    println!("has a state");
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .unwrap();
    world.settle(&mut producer);
    println!("finished");
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
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--ignored"])
        .env(PLACE, place.to_text())
        .env(STEP, die_at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 && !line.trim_end().ends_with("has a state") {
        line.clear();
    }
    // Through the socket of the child where it lives, which owns the directory.
    send(&World::open(place));
    if let Some(mut stdin) = child.stdin.take() {
        // It may be dead.
        let _ = stdin.write_all(b"go\n");
    }
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    let finished = said.contains("finished");
    assert_eq!(finished, output.status.success(), "{output:?}");
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (finished, said)
}
