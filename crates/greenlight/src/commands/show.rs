//! `greenlight show`.

use clap::Args;
use gatekeeper::{DeadLetter, Origin};
use hollow::index::PrimaryKeyIndex;
use registry::{DatasetName, Version};
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::Globals;
use crate::error::Result;
use crate::origins::{self, Origins};
use crate::output;

/// Arguments of `greenlight show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight show titles 80057281
  greenlight show texts '[80057281,\"de\"]'
  greenlight show policies DE
  greenlight show liveness 80057281 --version 20210308000000000 --json")]
pub(crate) struct Arguments {
    /// The dataset.
    pub(crate) dataset: String,

    /// The key: one value, or a JSON array for a key of several fields.
    pub(crate) key: String,

    /// The version; default: the newest.
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<Version>,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    version: Version,
    key: Json,
    record: Option<Json>,
    origin: Option<Origin>,
    dead_letter: Option<DeadLetter>,
}

/// Prints one record and where it came from.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let connected = globals.connect()?;
    let version = connected.version(&name, arguments.version)?;
    let view = connected
        .subscriber(&name, origins::options())
        .open_at(version)?;
    let root = insight::root_type(view.state())?;
    let key = insight::parse_key(root, &arguments.key)?;
    let index = PrimaryKeyIndex::build(view.state(), &root.name, None)?;
    let record = match index.get(&key) {
        Some(ordinal) => insight::record(view.state(), &root.name, ordinal)?,
        None => None,
    };
    let origins = Origins::of(&connected, &name, &view)?;
    let report = Report {
        origin: origins.origin(&key),
        dead_letter: origins.dead_letter(&key),
        key: insight::key_to_json(&key),
        dataset: name,
        version,
        record,
    };
    if globals.json {
        return output::print_json(&report);
    }
    print(&report)
}

fn print(report: &Report) -> Result<()> {
    output::print_line(&format!(
        "{} {} at version {}",
        report.dataset, report.key, report.version
    ))?;
    match &report.record {
        Some(record) => output::print_line(&format!("{record:#}"))?,
        None => output::print_line(&"there is no such record")?,
    }
    if let Some(origin) = &report.origin {
        output::print_line(&origins::describe(origin))?;
    }
    if let Some(dead) = &report.dead_letter {
        output::print_line(&origins::describe_dead(dead))?;
    }
    Ok(())
}
