//! `greenlight dead-letters` and `greenlight dead-letters retry`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use ingest::DeadLetter;
use registry::{DatasetName, Scope};
use serde::Serialize;

use crate::cli::Globals;
use crate::connect::{Connected, wall_clock_ms};
use crate::error::{Error, Result};
use crate::origins;
use crate::output::{self, Instant, grouped};

/// Arguments of `greenlight dead-letters`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  greenlight dead-letters                                  of all datasets, the newest last
  greenlight dead-letters titles --json --values           with the bytes, in hexadecimal digits
  greenlight dead-letters titles --at 0:17 --raw value.bin the value of one record, as it was
  greenlight dead-letters retry titles 0:17 titles.sweep:2:5
  greenlight dead-letters retry titles --all               after the cause is mended"
)]
pub(crate) struct Arguments {
    /// What to do with them; without it, they are listed.
    #[command(subcommand)]
    action: Option<Action>,

    /// The dataset; default: all.
    dataset: Option<String>,

    /// Only the record that had this place.
    #[arg(long, value_name = "PLACE", requires = "dataset")]
    at: Option<Place>,

    /// Write the value of that record to a file, byte for byte.
    #[arg(long, value_name = "FILE", requires = "at")]
    raw: Option<PathBuf>,

    /// With --json: the values too.
    #[arg(long)]
    values: bool,

    /// How many to print for each dataset, the newest.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring records back to the topics they came from, after the cause is mended.
    ///
    /// A record goes back with its key, value, headers and source version, and its letter is marked as done when that is
    /// durable. Where the dataset has something newer of the key, only the letter is marked. A record that fails again is a
    /// dead letter again.
    ///
    /// Exit code 0: all went back or are superseded; 1: some can't; 2: the command failed.
    Retry(Retry),
}

#[derive(Debug, Args)]
struct Retry {
    /// The dataset.
    dataset: String,

    /// All dead letters of the dataset.
    #[arg(long, conflicts_with = "places", required_unless_present = "places")]
    all: bool,

    /// The places that the records had: PARTITION:OFFSET, or TOPIC:PARTITION:OFFSET for another topic than the dataset's.
    places: Vec<Place>,
}

/// A record's place in a topic.
#[derive(Clone, Debug)]
struct Place {
    topic: Option<String>,
    partition: u32,
    offset: i64,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parse = || {
            let (rest, offset) = text.rsplit_once(':')?;
            let (topic, partition) = match rest.rsplit_once(':') {
                Some((topic, partition)) => (Some(topic.to_owned()), partition),
                None => (None, rest),
            };
            Some(Self {
                topic,
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            format!("{text:?} is no place: expected PARTITION:OFFSET or TOPIC:PARTITION:OFFSET")
        })
    }
}

impl Place {
    fn is_of(&self, letter: &DeadLetter, topic: &str) -> bool {
        let topic = self.topic.as_deref().unwrap_or(topic);
        (letter.topic.as_str(), letter.partition, letter.offset)
            == (topic, self.partition, self.offset)
    }
}

#[derive(Serialize)]
struct Row {
    dataset: DatasetName,
    topic: String,
    partition: u32,
    offset: i64,
    timestamp: Instant,
    source_version: Option<i64>,
    reason: String,
    key: Option<String>,
    key_hex: Option<String>,
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_hex: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    appended: usize,
    superseded: usize,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    topic: String,
    partition: u32,
    offset: i64,
    reason: String,
}

/// Lists dead letters or brings them back; whether all that was asked for could be done.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<bool> {
    let connected = globals.connect()?;
    match &arguments.action {
        Some(Action::Retry(retry)) => bring_back(globals, &connected, retry),
        None => list(globals, &connected, arguments).map(|()| true),
    }
}

fn list(globals: &Globals, connected: &Connected, arguments: &Arguments) -> Result<()> {
    let specs = match &arguments.dataset {
        Some(name) => vec![connected.folded(&name.parse()?)?],
        None => connected.specs.iter().collect(),
    };
    let mut rows = Vec::new();
    for spec in specs {
        let mut letters = ingest::dead_letters(connected.log.as_ref(), spec)?;
        if let Some(place) = &arguments.at {
            letters.retain(|letter| place.is_of(letter, &spec.topic));
            let letter = letters
                .first()
                .ok_or_else(|| no_letter(&spec.name, place))?;
            if let Some(path) = &arguments.raw {
                let value = letter.value.as_deref().unwrap_or_default();
                std::fs::write(path, value).map_err(|source| Error::File {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        let passed = letters.len().saturating_sub(arguments.limit);
        let letters = letters.into_iter().skip(passed);
        rows.extend(letters.map(|letter| row(&spec.name, letter, arguments.values)));
    }
    if globals.json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print_line(&"no dead letters: every record was folded");
    }
    let mut table = output::table(
        &["topic", "place", "at", "key", "bytes", "reason"],
        &["bytes"],
    );
    for row in &rows {
        table.add_row([
            row.topic.clone(),
            format!("{}:{}", row.partition, row.offset),
            row.timestamp.to_string(),
            row.key.clone().unwrap_or_else(|| "(none)".to_owned()),
            row.bytes
                .map_or_else(|| "delete".to_owned(), |bytes| grouped(bytes as u64)),
            row.reason.clone(),
        ]);
    }
    output::print_line(&table)
}

fn row(dataset: &DatasetName, letter: DeadLetter, values: bool) -> Row {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Row {
        dataset: dataset.clone(),
        partition: letter.partition,
        offset: letter.offset,
        timestamp: Instant(letter.timestamp_ms),
        source_version: letter.source_version(),
        reason: letter.reason,
        key: letter.key.as_deref().map(text),
        key_hex: letter.key.as_deref().map(hex),
        bytes: letter.value.as_ref().map(Vec::len),
        value_hex: letter.value.as_deref().filter(|_| values).map(hex),
        headers: letter
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        topic: letter.topic,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bring_back(globals: &Globals, connected: &Connected, retry: &Retry) -> Result<bool> {
    let name: DatasetName = retry.dataset.parse()?;
    let spec = connected.folded(&name)?;
    let mut letters = ingest::dead_letters(connected.log.as_ref(), spec)?;
    if !retry.all {
        let of = |letter: &DeadLetter, place: &Place| place.is_of(letter, &spec.topic);
        if let Some(missing) = retry
            .places
            .iter()
            .find(|place| !letters.iter().any(|letter| of(letter, place)))
        {
            return Err(no_letter(&name, missing));
        }
        letters.retain(|letter| retry.places.iter().any(|place| of(letter, place)));
    }
    let keys: BTreeSet<_> = letters
        .iter()
        .filter_map(|letter| letter.canonical_key(spec.model.key()))
        .collect();
    let info = connected.registry.dataset(&name)?;
    let latest = info.and_then(|info| info.latest(&Scope::everybody()));
    let origins = match latest {
        Some(latest) => {
            let subscriber = connected.subscriber(&name, origins::options());
            ingest::origins(subscriber.open_at(latest.version)?.state(), &keys)
        }
        None => Default::default(),
    };
    let log = connected.log.as_ref();
    let origin = |key: &[u8]| origins.get(key).copied();
    let retried = ingest::retry_dead_letters(log, spec, letters, wall_clock_ms(), &origin)?;
    let report = Report {
        dataset: name,
        appended: retried.appended.len(),
        superseded: retried.superseded.len(),
        refused: retried
            .refused
            .into_iter()
            .map(|(letter, reason)| Refused {
                topic: letter.topic,
                partition: letter.partition,
                offset: letter.offset,
                reason,
            })
            .collect(),
    };
    let all = report.refused.is_empty();
    if globals.json {
        output::print_json(&report)?;
        return Ok(all);
    }
    output::print_line(&format!(
        "{}: {} records are in their topics again; {} letters were superseded; {} can't be brought back",
        report.dataset,
        grouped(report.appended as u64),
        grouped(report.superseded as u64),
        grouped(report.refused.len() as u64)
    ))?;
    for refused in &report.refused {
        let Refused {
            topic,
            partition,
            offset,
            reason,
        } = refused;
        output::print_line(&format!("  {topic} {partition}:{offset}: {reason}"))?;
    }
    Ok(all)
}

fn no_letter(dataset: &DatasetName, place: &Place) -> Error {
    Error::NoDeadLetter {
        dataset: dataset.clone(),
        place: format!("{}:{}", place.partition, place.offset),
    }
}
