//! Each row beside a loop that only touches the row's bytes: `bench-hollow-bounds BLOBS VIDEOS`. The blobs come from the
//! peer: run `make bench-hollow` once before.

use std::path::PathBuf;
use std::process::ExitCode;

use bench_hollow::bounds::BOUNDS;
use bench_hollow::ours::Ours;
use bench_hollow::{Error, Result, median};

/// Alternating runs of which the median counts, after some to warm up.
const RUNS: usize = 5;
const WARM_UPS: usize = 2;

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
    let usage = || Error::Data("usage: bench-hollow-bounds BLOBS VIDEOS".to_owned());
    let [blobs, videos] = &args[..] else {
        return Err(usage());
    };
    let blobs = PathBuf::from(blobs);
    let videos: usize = videos.parse().map_err(|_| usage())?;
    println!(
        "{:<34} {:>9} {:>9} {:<4} {:>6}  the loop",
        "row", "ours", "loop", "unit", "ratio"
    );
    for bound in BOUNDS {
        let mut ours = Ours::new(videos, &blobs);
        let mut bare = bound.prepare(videos, &blobs)?;
        let command = match bound.ours.starts_with("write-") {
            true => format!("{} {}", bound.ours, videos / 1_000),
            false => bound.ours.to_owned(),
        };
        let (mut our_values, mut bare_values) = (Vec::new(), Vec::new());
        for run in 0..WARM_UPS + RUNS {
            let (our, bare) = (ours.run(&command)?.value, bare());
            if run >= WARM_UPS {
                our_values.push(our);
                bare_values.push(bare);
            }
        }
        let (our, bare) = (median(&our_values), median(&bare_values));
        println!(
            "{:<34} {our:>9.2} {bare:>9.2} {:<4} {:>6.2}  {}",
            bound.name,
            bound.unit,
            our / bare,
            bound.does
        );
    }
    Ok(())
}
