//! `greenlight status`.

use std::collections::BTreeMap;

use ingest::sweep::{SweepInfo, SweepStage};
use registry::{DatasetName, Scope, Version};
use serde::Serialize;

use crate::cli::Globals;
use crate::connect::Place;
use crate::error::Result;
use crate::output::{self, Instant, duration, grouped, pinnable};
use crate::sweeping::open_sweeps;

/// Dead letters to show; all are in the topics.
const DEAD_LETTERS: usize = 20;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    place: Place,
    owner_pid: Option<u32>,
    datasets: Vec<Row>,
    dead_letters: Vec<Dead>,
}

#[derive(Serialize)]
struct Row {
    dataset: DatasetName,
    version: Option<Version>,
    announced_at: Option<Instant>,
    confirmed_at: Option<Instant>,
    age_ms: Option<i64>,
    pinned: Option<Version>,
    owner: Option<String>,
    dead_letters: usize,
    sweeps: Vec<SweepInfo>,
    inputs: Vec<Input>,
}

/// How an input of an evaluated dataset stood when its newest version was announced.
#[derive(Serialize)]
struct Input {
    dataset: String,
    age_ms: i64,
    /// Why it was not refreshed; null if it was.
    failure: Option<String>,
}

/// The inputs that an announcement tells of.
fn inputs(metadata: &BTreeMap<String, String>) -> Vec<Input> {
    let input = |(name, age): (&String, &String)| {
        let dataset = name.strip_prefix("input.")?.strip_suffix(".age_ms")?;
        Some(Input {
            dataset: dataset.to_owned(),
            age_ms: age.parse().ok()?,
            failure: metadata.get(&format!("input.{dataset}.failure")).cloned(),
        })
    };
    metadata.iter().filter_map(input).collect()
}

#[derive(Serialize)]
struct Dead {
    dataset: DatasetName,
    topic: String,
    partition: u32,
    offset: i64,
    reason: String,
    key: Option<String>,
}

/// Tells how everything stands.
pub(crate) fn run(globals: &Globals) -> Result<()> {
    let connected = globals.connect()?;
    let infos = connected.registry.datasets()?;
    // Ages are told by the youngest instant that any producer recorded: the clock of a demo need not be today's.
    let now_ms = infos
        .iter()
        .map(|info| info.now_floor_ms)
        .max()
        .unwrap_or(0);
    let mut report = Report {
        place: connected.place.clone(),
        owner_pid: connected.owner_pid(),
        datasets: Vec::new(),
        dead_letters: Vec::new(),
    };
    for info in infos {
        let letters = match connected.spec(&info.name) {
            Some(spec) => ingest::dead_letters(connected.log.as_ref(), spec)?,
            None => Vec::new(),
        };
        let latest = info.latest(&Scope::everybody());
        let version = match latest {
            Some(latest) => connected.registry.version(&info.name, latest.version)?,
            None => None,
        };
        let announced = version.as_ref().and_then(|version| version.announced_at_ms);
        let confirmed = info
            .confirmation
            .as_ref()
            .map(|confirmation| confirmation.at_ms);
        let sweeps = open_sweeps(&connected, &info)?;
        report.datasets.push(Row {
            dataset: info.name.clone(),
            version: latest.map(|latest| latest.version),
            announced_at: announced.map(Instant),
            confirmed_at: confirmed.map(Instant),
            age_ms: confirmed
                .max(announced)
                .map(|fresh| (now_ms - fresh).max(0)),
            pinned: latest
                .filter(|latest| latest.pinned)
                .map(|latest| latest.version),
            owner: info.owner.map(|ownership| ownership.owner),
            dead_letters: letters.len(),
            sweeps,
            inputs: version.map_or_else(Vec::new, |version| inputs(&version.metadata)),
        });
        report
            .dead_letters
            .extend(letters.into_iter().rev().take(DEAD_LETTERS).map(|letter| {
                Dead {
                    dataset: info.name.clone(),
                    topic: letter.topic,
                    partition: letter.partition,
                    offset: letter.offset,
                    reason: letter.reason,
                    key: letter
                        .key
                        .map(|key| String::from_utf8_lossy(&key).into_owned()),
                }
            }));
    }
    report.dead_letters.truncate(DEAD_LETTERS);
    if globals.json {
        return output::print_json(&report);
    }
    print(&report)
}

fn print(report: &Report) -> Result<()> {
    let place = &report.place;
    output::print_line(&match (report.owner_pid, &place.directory) {
        (Some(pid), _) => format!("{place} is owned by process {pid}\n"),
        (None, Some(_)) => format!("{place} is owned by nobody: nothing is running on it\n"),
        (None, None) => format!("log on {}, blobs in {}\n", place.log, place.blobs),
    })?;
    let mut table = output::table(
        &[
            "dataset",
            "version",
            "announced at",
            "age",
            "owner",
            "dead letters",
        ],
        &["age", "dead letters"],
    );
    for row in &report.datasets {
        table.add_row([
            row.dataset.to_string(),
            pinnable(row.version, row.pinned),
            row.announced_at.map_or(String::new(), |at| at.to_string()),
            row.age_ms.map_or(String::new(), duration),
            row.owner.clone().unwrap_or_else(|| "nobody".to_owned()),
            grouped(row.dead_letters as u64),
        ]);
    }
    output::print_line(&table)?;
    let sweeps = report.datasets.iter().flat_map(|row| {
        let dataset = &row.dataset;
        row.sweeps.iter().map(move |sweep| (dataset, sweep))
    });
    let sweeps: Vec<_> = sweeps.collect();
    if !sweeps.is_empty() {
        output::print_line(&"\nsweeps that are not done with")?;
    }
    for (dataset, sweep) in sweeps {
        let stage = match sweep.stage {
            SweepStage::Open => "rows are coming".to_owned(),
            SweepStage::Ended => "ended; the topics are read up to there".to_owned(),
            SweepStage::Held { deletes, keys } => format!(
                "HELD: it would delete {} of {} keys; `greenlight sweep confirm {dataset} {}` lets it, `reject` does not",
                grouped(deletes),
                grouped(keys),
                sweep.sweep
            ),
        };
        let (id, began) = (&sweep.sweep, Instant(sweep.began_ms));
        output::print_line(&format!("  {dataset} sweep {id} of {began}: {stage}"))?;
    }
    for row in &report.datasets {
        for input in &row.inputs {
            if let Some(failure) = &input.failure {
                let (dataset, input) = (&row.dataset, &input.dataset);
                output::print_line(&format!("\n{dataset} uses an old {input}: {failure}"))?;
            }
        }
    }
    if !report.dead_letters.is_empty() {
        output::print_line(&"\ndead letters: records that could not be folded; the rest went on")?;
        for dead in &report.dead_letters {
            output::print_line(&format!(
                "  {} partition {} offset {} key {}: {}",
                dead.topic,
                dead.partition,
                dead.offset,
                dead.key.as_deref().unwrap_or("(none)"),
                dead.reason
            ))?;
        }
    }
    Ok(())
}
