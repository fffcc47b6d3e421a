//! `greenlight emit`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use ingest::{Emission, Emitter, EmitterOptions, RecordBuilder};
use registry::DatasetName;
use serde::Serialize;

use crate::cli::Globals;
use crate::commands::progress;
use crate::connect::{Connected, wall_clock_ms};
use crate::error::{Error, Result};
use crate::output::{self, grouped};

/// Lines that were refused, to tell in full.
const REFUSALS: usize = 20;

/// Arguments of `greenlight emit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line is a JSON object:
  {\"value\": {\"hold\": \"h1\", …}, \"sourceVersion\": 17}    a row as it is now; its key is taken from it
  {\"key\": [\"h1\"], \"value\": null, \"sourceVersion\": 18}  the row is gone
and may have \"timestampMs\". Lines are checked as the producer would, and those that it would refuse are passed over.

Examples:
  greenlight emit holds --file holds.jsonl
  psql -Atc \"select json_build_object(…)\" | greenlight emit holds
  greenlight emit rights --file rights.jsonl --dry-run --json
Exit code 0: every line is durable in the topic; 1: some were refused; 2: the command failed.")]
pub(crate) struct Arguments {
    /// The dataset.
    dataset: String,

    /// The file with the records, JSON Lines; - for standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,

    /// Check every line, and send nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    topic: String,
    dry_run: bool,
    lines: u64,
    emitted: u64,
    deletes: u64,
    refused: u64,
    elapsed_ms: u128,
    refusals: Vec<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    line: u64,
    reason: String,
}

/// Emits the change records of a file; whether none was refused.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<bool> {
    let connected = globals.connect()?;
    let name: DatasetName = arguments.dataset.parse()?;
    let spec = connected.folded(&name)?.clone();
    let mut report = Report {
        dataset: name,
        topic: spec.topic.clone(),
        dry_run: arguments.dry_run,
        lines: 0,
        emitted: 0,
        deletes: 0,
        refused: 0,
        elapsed_ms: 0,
        refusals: Vec::new(),
    };
    let began = Instant::now();
    if arguments.dry_run {
        let mut builder = RecordBuilder::new(Arc::new(spec), connected.schemas.as_ref())?;
        each_line(&arguments.file, &mut report, &mut |emission| {
            builder.build(emission, wall_clock_ms()).map(drop)
        })?;
    } else {
        let emitter = open(&connected, spec)?;
        each_line(&arguments.file, &mut report, &mut |emission| {
            emitter.emit(emission).map(drop)
        })?;
        emitter.close()?;
    }
    report.elapsed_ms = began.elapsed().as_millis();
    let all = report.refused == 0;
    if globals.json {
        output::print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(all)
}

fn open(connected: &Connected, spec: ingest::DatasetSpec) -> Result<Emitter> {
    let log = Arc::clone(&connected.log);
    let schemas = connected.schemas.as_ref();
    Ok(Emitter::open(
        spec,
        log,
        schemas,
        EmitterOptions::default(),
    )?)
}

fn each_line(
    path: &Path,
    report: &mut Report,
    emit: &mut dyn FnMut(&Emission) -> ingest::Result<()>,
) -> Result<()> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let (reader, len): (Box<dyn BufRead>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        (Box::new(BufReader::new(file)), Some(len))
    };
    let bar = progress::bytes("emitting", len);
    for line in reader.lines() {
        let line = line.map_err(failed)?;
        report.lines += 1;
        bar.inc(line.len() as u64 + 1);
        if line.trim().is_empty() {
            continue;
        }
        let emitted = match serde_json::from_str::<Emission>(&line) {
            Ok(emission) => match emit(&emission) {
                Ok(()) => Ok(emission.value.is_none()),
                Err(error @ (ingest::Error::Encode { .. } | ingest::Error::Emission { .. })) => {
                    Err(error.to_string())
                }
                Err(error) => return Err(error.into()),
            },
            Err(error) => Err(format!("no change record: {error}")),
        };
        match emitted {
            Ok(deleted) => {
                report.emitted += 1;
                report.deletes += u64::from(deleted);
            }
            Err(reason) => {
                report.refused += 1;
                if report.refusals.len() < REFUSALS {
                    let line = report.lines;
                    report.refusals.push(Refusal { line, reason });
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    let verb = if report.dry_run {
        "would be emitted to"
    } else {
        "are durable in"
    };
    output::print_line(&format!(
        "{} records ({} deletes) {verb} topic {}; {} of {} lines refused; {:.1} s",
        grouped(report.emitted),
        grouped(report.deletes),
        report.topic,
        grouped(report.refused),
        grouped(report.lines),
        report.elapsed_ms as f64 / 1000.0
    ))?;
    for Refusal { line, reason } in &report.refusals {
        output::print_line(&format!("  line {line}: {reason}"))?;
    }
    let more = report.refused.saturating_sub(report.refusals.len() as u64);
    if more > 0 {
        output::print_line(&format!("  and {} more", grouped(more)))?;
    }
    Ok(())
}
