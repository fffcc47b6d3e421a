//! Our side of a row alone, for a profiler: `bench-gatekeeper-ours VIDEOS RUNS cycle|diff|WHICH` with the medians of the
//! phases; WHICH evaluation is `a minute later`, `a day later` or `from nothing`. Run `bench-gatekeeper prepare` once
//! before.

#![allow(
    clippy::result_large_err,
    reason = "an error ends the bench; its size is of no account"
)]

use std::process::ExitCode;

use allocator as _;
use bench_gatekeeper::{Error, Result, evaluation, rows};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-gatekeeper-ours: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        Error::Wrong(
            "usage: bench-gatekeeper-ours VIDEOS RUNS cycle|diff|a minute later|a day later|from nothing"
                .to_owned(),
        )
    };
    let [videos, runs, row @ ..] = &args[..] else {
        return Err(usage());
    };
    let videos = videos.parse().map_err(|_| usage())?;
    let runs = runs.parse().map_err(|_| usage())?;
    let mut print = |line| println!("{}", bench_table::print(&line));
    match &row.join(" ")[..] {
        "cycle" => rows::alone(videos, runs, &mut print),
        "diff" => rows::diff_alone(videos, runs, &mut print),
        kind @ ("a minute later" | "a day later" | "from nothing") => {
            evaluation::alone(videos, kind, runs, &mut print)
        }
        _ => Err(usage()),
    }
}
