//! Prints the live bytes of a state with its key index, and the peak while a delta is applied and both states are alive.
//!
//! A program of its own, because its allocator counts, which the timed rows should not pay for.

use std::path::PathBuf;
use std::process::ExitCode;

use bench_hollow::ours::read_blob;
use bench_hollow::{Error, Result};
use hollow::index::PrimaryKeyIndex;
use hollow::read::{Filter, ReadState};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

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
    let blobs = std::env::args().nth(1).map(PathBuf::from);
    let blobs = blobs.ok_or_else(|| Error::Data("usage: bench-hollow-memory BLOBS".to_owned()))?;
    let snapshot = read_blob(&blobs, "tenth/snapshot-0")?;
    let delta = read_blob(&blobs, "tenth/delta-0-1")?;
    // Threads that rayon starts are not part of the state.
    rayon::broadcast(|_| ());

    let before = MEMORY.current_usage();
    let state = ReadState::from_snapshot(&snapshot[..], &Filter::all())?;
    let index = PrimaryKeyIndex::build(&state, "Video", None)?;
    let live = MEMORY.current_usage() - before;

    MEMORY.reset_peak_usage();
    let (next, changes) = state.apply(&delta[..])?;
    let next_index = index.updated(&state, &next, &changes)?;
    let peak = MEMORY.peak_usage() - before;
    println!("{live} {peak}");
    drop((state, index, next, next_index));
    Ok(())
}
