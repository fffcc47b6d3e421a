//! Prints the live bytes of a process that runs our gatekeeper, after some cycles, and its resident set.
//!
//! A program of its own, so that nothing else is in it.

#![allow(
    clippy::result_large_err,
    reason = "an error ends the bench; its size is of no account"
)]

use std::fs;
use std::process::ExitCode;

use bench_gatekeeper::ours::{At, Ours};
use bench_gatekeeper::published::{Run, Size, cache};
use bench_gatekeeper::{Error, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let videos = std::env::args()
        .nth(1)
        .and_then(|videos| videos.parse().ok());
    let videos =
        videos.ok_or_else(|| Error::Wrong("usage: bench-gatekeeper-memory VIDEOS".to_owned()))?;
    let mut ours = Ours::new(Run::new(&cache()?, Size::drawn(videos))?)?;
    for cycle in 0..=4 {
        ours.cycle(At::cycle(cycle))?;
    }
    println!("{} {}", allocator::live_bytes().unwrap_or(0), resident());
    Ok(())
}

/// The resident set in bytes, as Linux tells it; 0 elsewhere.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.map_or(0, |kib| kib * 1024)
}
