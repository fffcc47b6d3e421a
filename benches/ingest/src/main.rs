//! Prints the table of `docs/benchmarks/ingest.md` and writes `out/bench/ingest.tsv`.

use std::path::PathBuf;
use std::process::ExitCode;

use bench_ingest::{Error, Result, transcode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-ingest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut lines = Vec::new();
    println!("{}", bench_table::heading());
    for line in transcode::lines()? {
        println!("{}", bench_table::print(&line));
        lines.push(line);
    }
    let out = std::env::var("GREENLIGHT_BENCH_OUT").unwrap_or_else(|_| "out/bench".to_owned());
    let path = PathBuf::from(out).join("ingest.tsv");
    bench_table::write(&path, &lines).map_err(|source| Error::Io {
        what: format!("write {}", path.display()),
        source,
    })?;
    let gated: Vec<_> = lines.iter().filter(|line| line.goal > 0.0).collect();
    let reached = gated.iter().filter(|line| line.passes()).count();
    println!(
        "{reached} of {} goals reached; written to {}",
        gated.len(),
        path.display()
    );
    Ok(())
}
