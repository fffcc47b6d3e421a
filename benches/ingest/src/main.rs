//! Prints the table of `docs/benchmarks/ingest.md` and writes `out/bench/ingest.tsv`.

#![expect(
    clippy::result_large_err,
    reason = "an error ends the bench; its size is of no account"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use allocator as _;
use bench_ingest::world::World;
use bench_ingest::{Error, Result, fold, java, latency, rebuild, transcode};
use bench_table::Line;

/// A row on a broker.
type Lines = fn(&World) -> Result<Vec<Line>>;

/// The rows that need a broker, by the names that pick them.
const ON_KAFKA: &[(&str, Lines)] = &[
    ("fold", fold::lines),
    ("java", java::lines),
    ("rebuild", rebuild::lines),
    ("latency", latency::lines),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ran = match &arguments[..] {
        [] => run(),
        // What the row "rebuild" starts.
        [command, bootstrap] if command == "rebuild" => {
            World::connect(bootstrap).and_then(|world| rebuild::child(&world))
        }
        _ => {
            eprintln!("bench-ingest takes no arguments; see benches/ingest/run");
            return ExitCode::FAILURE;
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-ingest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let picked = std::env::var("GREENLIGHT_BENCH_ROWS").unwrap_or_default();
    let wants = |name: &str| picked.is_empty() || picked.split(',').any(|p| p.trim() == name);
    let mut lines = Vec::new();
    let mut report = |found: Vec<Line>| {
        for line in found {
            println!("{}", bench_table::print(&line));
            lines.push(line);
        }
    };
    println!("{}", bench_table::heading());
    if wants("transcode") {
        report(transcode::lines()?);
    }
    if ON_KAFKA.iter().any(|(name, _)| wants(name)) {
        let world = World::start()?;
        for (_, row) in ON_KAFKA.iter().filter(|(name, _)| wants(name)) {
            report(row(&world)?);
        }
    }
    let out = std::env::var("GREENLIGHT_BENCH_OUT").unwrap_or_else(|_| "out/bench".to_owned());
    let path = PathBuf::from(out).join("ingest.tsv");
    bench_table::write(&path, &lines).map_err(|source| Error::Io {
        what: format!("write {}", path.display()),
        source,
    })?;
    println!("{}", bench_table::summary(&path, &lines));
    Ok(())
}
