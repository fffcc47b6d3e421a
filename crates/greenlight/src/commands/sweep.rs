//! `greenlight sweep`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use dataset::SubscriberOptions;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest::Components;
use ingest::sweep::{
    Comparison, FileConfig, Marker, MarkerKind, PostgresAsOf, PostgresConfig, SourceConfig,
    SweepReport, SweepRun, SweepStage, compare,
};
use registry::DatasetName;
use serde::{Deserialize, Serialize};

use crate::cli::Globals;
use crate::config;
use crate::connect::{Connected, Text, wall_clock_ms};
use crate::error::{Error, Result};
use crate::output::{self, duration, grouped};
use crate::sweeping::{self, EVERY, Entry, Swept, open_sweeps, state_dir};

/// Arguments of `greenlight sweep`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  greenlight sweep titles --source titles.jsonl.gz --dry-run      what would change; nothing is sent
  greenlight sweep titles --source titles.jsonl.gz                send it; the dataset's producer does the rest
  greenlight sweep titles                                         the source that config/sweeper.toml names, now
  greenlight sweep --now                                          all sources of that file
  greenlight sweep rights --source postgres://host/db --table rights
  greenlight sweep confirm titles                                 let a sweep delete that is held (see `greenlight status`)

A sweep that was broken off goes on where it was. What a whole sweep did not find is deleted; docs/sweeps.md says when."
)]
pub(crate) struct Arguments {
    /// What to decide about a sweep whose deletes are held.
    #[command(subcommand)]
    decision: Option<Decision>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Decision {
    /// Let a sweep delete what it did not find.
    Confirm(Held),
    /// Say that a sweep deletes nothing.
    Reject(Held),
}

#[derive(Debug, Args)]
struct Held {
    /// The dataset.
    dataset: DatasetName,
    /// The sweep's id; may be left out where one is held.
    sweep: Option<String>,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The dataset to sweep.
    dataset: Option<DatasetName>,
    /// Sweep all sources of the configuration.
    #[arg(long, conflicts_with = "dataset")]
    now: bool,
    /// The file with the sources.
    #[arg(long, value_name = "FILE", default_value = "config/sweeper.toml")]
    config: PathBuf,
    /// A file (.avro, .jsonl, .ndjson, .csv; also .gz, .zst) or a postgres:// URL, instead of the configured source.
    #[arg(long, value_name = "FILE|URL", requires = "dataset")]
    source: Option<String>,
    /// The table, where the source is PostgreSQL.
    #[arg(long, requires = "source")]
    table: Option<String>,
    /// The field with the source version of a row.
    #[arg(long, value_name = "FIELD", default_value = "version")]
    version_field: String,
    /// The source version up to which the file is known [default: the greatest in it].
    #[arg(long, value_name = "VERSION", requires = "source")]
    as_of: Option<i64>,
    /// The source holds only a part of the dataset: delete nothing.
    #[arg(long, requires = "source")]
    partial: bool,
    /// At most so many rows a second.
    #[arg(long, value_name = "ROWS")]
    rate: Option<f64>,
    /// Begin a new sweep even where an old one could go on.
    #[arg(long)]
    anew: bool,
    /// Only tell what would change.
    #[arg(long)]
    dry_run: bool,
}

/// The part of `sweeper.toml` that the command needs.
#[derive(Debug, Deserialize)]
struct File {
    state_dir: Option<Text>,
    #[serde(default, rename = "sweep")]
    sweeps: Vec<Entry>,
}

#[derive(Serialize)]
struct Done {
    dataset: DatasetName,
    #[serde(flatten)]
    report: SweepReport,
}

#[derive(Serialize)]
struct Dry {
    dataset: DatasetName,
    #[serde(flatten)]
    comparison: Comparison,
}

/// Sweeps, or decides about a sweep.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let connected = globals.connect()?;
    match &arguments.decision {
        Some(Decision::Confirm(held)) => decide(globals, &connected, held, true),
        Some(Decision::Reject(held)) => decide(globals, &connected, held, false),
        None => sweep(globals, &connected, &arguments.run),
    }
}

fn sweep(globals: &Globals, connected: &Connected, arguments: &RunArguments) -> Result<()> {
    let swept = sources(connected, arguments)?;
    let stop = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if signalled.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .map_err(Error::Signals)?;
    let (mut done, mut dry) = (Vec::new(), Vec::new());
    for swept in &swept {
        let dataset = swept.spec.name.clone();
        let bar = bar(&dataset);
        let mut progress = |run: &SweepRun| show(&bar, run);
        if arguments.dry_run {
            let comparison = compare_with(connected, swept, &stop, &mut progress)?;
            bar.finish_and_clear();
            dry.push(Dry {
                dataset,
                comparison,
            });
        } else {
            let sweeper = swept.sweeper(connected, arguments.anew, &stop)?;
            let report = sweeper.run(&mut *swept.open(connected)?, &mut progress)?;
            bar.finish_and_clear();
            done.push(Done { dataset, report });
        }
    }
    match (arguments.dry_run, globals.json) {
        (true, true) => output::print_json(&serde_json::json!({ "comparisons": dry })),
        (true, false) => dry.iter().try_for_each(print_dry),
        (false, true) => output::print_json(&serde_json::json!({ "sweeps": done })),
        (false, false) => done.iter().try_for_each(print_done),
    }
}

/// What to sweep.
fn sources(connected: &Connected, arguments: &RunArguments) -> Result<Vec<Swept>> {
    if let (Some(source), Some(name)) = (&arguments.source, &arguments.dataset) {
        let spec = connected
            .spec(name)
            .ok_or_else(|| Error::UnknownDataset(name.clone()))?;
        return Ok(vec![Swept {
            spec: spec.clone(),
            source: source_of(source, arguments),
            every: EVERY,
            rows_per_second: arguments.rate,
            state_dir: state_dir(connected),
        }]);
    }
    if !arguments.now && arguments.dataset.is_none() {
        return Err(Error::NothingToSweep(
            "say which dataset, or --now for all".to_owned(),
        ));
    }
    let path = &arguments.config;
    let file: File = config::load(path)?;
    let base = path.parent().unwrap_or(std::path::Path::new(""));
    let state_dir = file
        .state_dir
        .as_ref()
        .map_or_else(|| state_dir(connected), |dir| dir.path(base));
    let mut swept = sweeping::check(&file.sweeps, path, &state_dir, connected)?;
    swept.retain(|swept| {
        arguments
            .dataset
            .as_ref()
            .is_none_or(|name| *name == swept.spec.name)
    });
    if let Some(rate) = arguments.rate {
        swept
            .iter_mut()
            .for_each(|swept| swept.rows_per_second = Some(rate));
    }
    if swept.is_empty() {
        let what = arguments
            .dataset
            .as_ref()
            .map_or("anything".to_owned(), ToString::to_string);
        return Err(Error::NothingToSweep(format!(
            "{} names no source of {what}",
            path.display()
        )));
    }
    Ok(swept)
}

fn source_of(source: &str, arguments: &RunArguments) -> SourceConfig {
    let config = SourceConfig::of_file(PathBuf::new());
    let version = arguments.version_field.clone();
    if source.starts_with("postgres://") || source.starts_with("postgresql://") {
        let postgres = PostgresConfig {
            url: source.to_owned(),
            table: arguments.table.clone(),
            query: None,
            filter: arguments.partial.then(|| "true".to_owned()),
            as_of: match arguments.as_of {
                Some(as_of) => PostgresAsOf::Query(format!("SELECT {as_of}")),
                None => PostgresAsOf::Max,
            },
            as_of_lag: 0,
            page_rows: 2000,
            ca_file: None,
        };
        return SourceConfig {
            file: None,
            postgres: Some(postgres),
            version,
        };
    }
    let file = FileConfig {
        path: PathBuf::from(source),
        as_of: arguments.as_of,
        filtered: arguments.partial,
    };
    SourceConfig {
        file: Some(file),
        version,
        ..config
    }
}

fn compare_with(
    connected: &Connected,
    swept: &Swept,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(&SweepRun),
) -> Result<Comparison> {
    let components = Components {
        log: Arc::clone(&connected.log),
        store: Arc::clone(&connected.store),
        registry: Arc::clone(&connected.registry),
        schemas: Arc::clone(&connected.schemas),
    };
    let name = &swept.spec.name;
    let head = connected.registry.dataset(name)?.and_then(|info| info.head);
    let options = SubscriberOptions {
        parts: [ingest::FOLD_PART.to_owned()].into(),
        ..SubscriberOptions::default()
    };
    let view = match head {
        Some(head) => Some(connected.subscriber(name, options).open_at(head)?),
        None => None,
    };
    Ok(compare(
        &swept.spec,
        &components,
        view.as_ref().map(|view| view.state()),
        &mut *swept.open(connected)?,
        swept.source.is_filtered(),
        stop,
        progress,
    )?)
}

fn decide(globals: &Globals, connected: &Connected, asked: &Held, confirms: bool) -> Result<()> {
    let info = connected.dataset(&asked.dataset)?;
    let spec = connected
        .spec(&asked.dataset)
        .ok_or_else(|| Error::UnknownDataset(asked.dataset.clone()))?;
    let open = open_sweeps(connected, &info)?;
    let held: Vec<_> = open.into_iter().filter(|sweep| sweep.is_held()).collect();
    let chosen = match (&asked.sweep, &held[..]) {
        (Some(id), _) => held.iter().find(|sweep| &sweep.sweep == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(chosen) = chosen else {
        return Err(Error::NotHeld {
            dataset: asked.dataset.clone(),
            sweep: asked.sweep.clone(),
            held: held.into_iter().map(|sweep| sweep.sweep).collect(),
        });
    };
    let SweepStage::Held { deletes, keys } = chosen.stage else {
        return Ok(());
    };
    let kind = if confirms {
        MarkerKind::Confirm { deletes }
    } else {
        MarkerKind::Reject
    };
    let marker = Marker {
        sweep: chosen.sweep.clone(),
        kind,
    };
    connected
        .log
        .append(&spec.sweep_topic(), &[marker.record(wall_clock_ms(), 0)])?;
    if globals.json {
        return output::print_json(&serde_json::json!({
            "dataset": asked.dataset, "sweep": chosen.sweep, "confirmed": confirms, "deletes": deletes, "keys": keys,
        }));
    }
    let (deletes, keys) = (grouped(deletes), grouped(keys));
    output::print_line(&match confirms {
        true => format!(
            "sweep {} may delete {deletes} of {keys} keys of {}; its producer does so in its next cycle",
            chosen.sweep, asked.dataset
        ),
        false => format!(
            "sweep {} deletes nothing of {}",
            chosen.sweep, asked.dataset
        ),
    })
}

fn bar(dataset: &DatasetName) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_message(format!("sweep {dataset}"));
    bar
}

fn show(bar: &ProgressBar, run: &SweepRun) {
    if bar.length().is_none()
        && let Some(total) = run.total
    {
        bar.set_length(total);
        if let Ok(style) = ProgressStyle::with_template(
            "{msg:<28} {wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left",
        ) {
            bar.set_style(style);
        }
        if run.resumed {
            // The rate and what is left are those of this attempt.
            bar.set_position(run.rows);
            bar.reset_eta();
        }
    }
    if let Some(length) = bar.length().filter(|length| run.rows > *length) {
        bar.set_length(length.max(run.rows));
    }
    bar.set_position(run.rows);
}

fn print_done(done: &Done) -> Result<()> {
    let report = &done.report;
    let mut text = format!(
        "{}: {} rows sent as sweep {}, as of {}, in {}; read {} rows in {} requests",
        done.dataset,
        grouped(report.rows),
        report.sweep,
        report.as_of,
        duration(report.ended_ms - report.began_ms),
        grouped(report.reads.rows),
        grouped(report.reads.requests),
    );
    if report.unfit > 0 {
        text = format!(
            "{text}\n  {} of them do not fit the dataset and become dead letters: `greenlight status` shows why",
            grouped(report.unfit)
        );
    }
    output::print_line(&text)
}

fn print_dry(dry: &Dry) -> Result<()> {
    let comparison = &dry.comparison;
    output::print_line(&format!(
        "{}: {} rows as of {}, against {} keys; nothing was sent",
        dry.dataset,
        grouped(comparison.rows),
        comparison.as_of,
        grouped(comparison.keys)
    ))?;
    for (what, count) in [
        ("would be added", comparison.added),
        ("would change", comparison.changed),
        ("would be deleted", comparison.deleted),
        ("say what the dataset says", comparison.unchanged),
        ("are older than what the dataset says", comparison.older),
        ("do not fit and would become dead letters", comparison.unfit),
    ] {
        output::print_line(&format!("  {:>12}  {what}", grouped(count)))?;
    }
    if comparison.held {
        output::print_line(&"  so many deletes would be held until `greenlight sweep confirm`")?;
    }
    Ok(())
}
