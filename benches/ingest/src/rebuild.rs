//! A dataset folded from the beginning of a long topic, in a process of its own whose memory is looked at.

use crate::world::World;
use crate::{Error, Result, io, setting};
use bench_table::Line;
use std::process::Command;
use std::time::Instant;

const KEYS: u64 = 250_000;
/// The most memory that a rebuild may take, in MiB: what is bounded must have a bound.
const MEMORY_MIB: f64 = 2048.0;

/// How many records the topic holds.
#[must_use]
pub fn records() -> u64 {
    setting("GREENLIGHT_BENCH_REBUILD", 10_000_000)
}

/// Fills the topic and measures a child process that folds it.
pub fn lines(world: &World) -> Result<Vec<Line>> {
    let count = records();
    let spec = world.spec("rebuild")?;
    let rights = world.records(KEYS)?;
    world.make_topics(&spec)?;
    world.fill(&spec.topic, count, |i| {
        if i < KEYS {
            rights.record(i, 0, 1)
        } else {
            rights.update(i - KEYS)
        }
    })?;
    let output = std::env::current_exe()
        .and_then(|program| {
            Command::new(program)
                .arg("rebuild")
                .arg(world.bootstrap())
                .output()
        })
        .map_err(io("start the rebuild"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [seconds, memory_mib] = numbers[..] else {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Wrong(format!("the rebuild failed: {said}")));
    };
    Ok(vec![
        Line {
            row: format!("rebuild from {count} records, time"),
            ours: seconds,
            peer: seconds,
            unit: "s",
            goal: 0.0,
        },
        Line {
            row: format!("rebuild from {count} records, peak memory"),
            ours: memory_mib,
            peer: MEMORY_MIB,
            unit: "MiB",
            goal: 1.0,
        },
    ])
}

/// What the child does: folds the topic into a first state, and prints seconds and the peak of its memory in MiB.
pub fn child(world: &World) -> Result<()> {
    let started = Instant::now();
    let mut producing = world.producer(world.spec("rebuild")?, 1_000_000, None, None)?;
    producing.announce()?;
    let seconds = started.elapsed().as_secs_f64();
    let status =
        std::fs::read_to_string("/proc/self/status").map_err(io("read the memory's peak"))?;
    let peak_kib = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        })
        .unwrap_or(0.0);
    println!("{seconds} {}", peak_kib / 1024.0);
    Ok(())
}
