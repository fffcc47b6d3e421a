//! Our side of one row alone, for a profiler: `bench-hollow-ours BLOBS VIDEOS RUNS ROW [CHANGES]` prints minimum and
//! median. The blobs come from the peer: run `make bench-hollow` once before.

use std::path::PathBuf;
use std::process::ExitCode;

use bench_hollow::ours::Ours;
use bench_hollow::{Error, Result, median};

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
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage =
        || Error::Data("usage: bench-hollow-ours BLOBS VIDEOS RUNS ROW [CHANGES]".to_owned());
    let [blobs, videos, runs, command @ ..] = &args[..] else {
        return Err(usage());
    };
    let videos = videos.parse().map_err(|_| usage())?;
    let runs: usize = runs.parse().map_err(|_| usage())?;
    let mut ours = Ours::new(videos, &PathBuf::from(blobs));
    let mut values = Vec::with_capacity(runs);
    for _ in 0..runs {
        values.push(ours.run(&command.join(" "))?.value);
    }
    let minimum = values.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "{}: minimum {minimum:.3}, median {:.3}",
        command.join(" "),
        median(&values)
    );
    Ok(())
}
