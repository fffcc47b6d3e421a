//! Prints the table of `docs/benchmarks/gatekeeper.md` and writes `out/bench/gatekeeper.tsv`.

#![allow(
    clippy::result_large_err,
    reason = "an error ends the bench; its size is of no account"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use allocator as _;
use bench_gatekeeper::published::{Size, cache, ensure};
use bench_gatekeeper::{Error, Result, asked, evaluation, latency, rows};
use bench_table::Line;

/// A row, or some that share their set-up; told the catalogues, smallest first.
type Lines = fn(&[usize], &mut dyn FnMut(Line)) -> Result<()>;

/// The rows, by the names that pick them.
const ROWS: &[(&str, Lines)] = &[
    ("equal", rows::equal),
    ("evaluation", evaluation::lines),
    ("cycle", rows::cycle),
    ("unverified", rows::unverified),
    ("growth", rows::growth),
    ("diff", rows::diff),
    ("memory", rows::memory),
    ("why", asked::lines),
    ("latency", latency::lines),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-gatekeeper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let sizes = sizes()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {}
        // Makes what all rows read, which takes longer than most of them.
        [command] if command == "prepare" => {
            for &videos in &sizes {
                let (directory, contents) = ensure(&cache()?, Size::drawn(videos))?;
                println!("{}: {:?}", directory.display(), contents.records);
            }
            return Ok(());
        }
        _ => {
            return Err(Error::Wrong(
                "the only argument is `prepare`; benches/gatekeeper/run tells the settings"
                    .to_owned(),
            ));
        }
    }
    let picked = std::env::var("GREENLIGHT_BENCH_ROWS").unwrap_or_default();
    let wants = |name: &str| picked.is_empty() || picked.split(',').any(|p| p.trim() == name);
    let mut lines = Vec::new();
    println!("{}", bench_table::heading());
    for (_, row) in ROWS.iter().filter(|(name, _)| wants(name)) {
        row(&sizes, &mut |line| {
            println!("{}", bench_table::print(&line));
            lines.push(line);
        })?;
    }
    let out = std::env::var("GREENLIGHT_BENCH_OUT").unwrap_or_else(|_| "out/bench".to_owned());
    let path = PathBuf::from(out).join("gatekeeper.tsv");
    bench_table::write(&path, &lines).map_err(|source| Error::Io {
        what: format!("write {}", path.display()),
        source,
    })?;
    println!("{}", bench_table::summary(&path, &lines));
    Ok(())
}

fn sizes() -> Result<Vec<usize>> {
    let variable = "GREENLIGHT_BENCH_VIDEOS";
    let value = std::env::var(variable).unwrap_or_else(|_| "250000,1000000".to_owned());
    let expected = "numbers of at least 4000, comma-separated, ascending";
    value
        .split(',')
        .map(|size| size.trim().parse().ok().filter(|&size| size >= 4_000))
        .collect::<Option<Vec<usize>>>()
        .filter(|sizes| sizes.is_sorted())
        .ok_or(Error::Setting {
            variable,
            value,
            expected,
        })
}
