//! `greenlight versions`.

use std::collections::BTreeMap;

use clap::Args;
use registry::{DatasetName, Scope, Version, Versions};
use serde::Serialize;

use crate::cli::Globals;
use crate::error::Result;
use crate::output::{self, Instant};

/// Arguments of `greenlight versions`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dataset, such as `liveness` (short for `prod/liveness`).
    pub(crate) dataset: String,

    /// How many of the newest versions to list.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    latest: Option<Version>,
    pinned: Option<Version>,
    versions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    version: Version,
    previous: Option<Version>,
    chain: Version,
    accepted_at: Instant,
    announced_at: Option<Instant>,
    bytes: u64,
    metadata: BTreeMap<String, String>,
}

/// Lists the newest versions of a dataset.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let connected = globals.connect()?;
    let info = connected.dataset(&name)?;
    let versions = connected
        .registry
        .versions(&name, &Versions::newest(arguments.limit))?
        .into_iter()
        .map(|version| Row {
            version: version.version,
            previous: version.previous,
            chain: version.chain,
            accepted_at: Instant(version.accepted_at_ms),
            announced_at: version.announced_at_ms.map(Instant),
            bytes: version.blobs.iter().map(|blob| blob.size).sum(),
            metadata: version.metadata,
        })
        .collect();
    let report = Report {
        latest: info
            .latest(&Scope::everybody())
            .map(|latest| latest.version),
        pinned: info.pins.get(&Scope::everybody()).map(|pin| pin.version),
        dataset: name,
        versions,
    };
    if globals.json {
        return output::print_json(&report);
    }
    let mut table = output::table(
        &["version", "announced at", "blob bytes", ""],
        &["blob bytes"],
    );
    for row in &report.versions {
        let mut marks = Vec::new();
        if Some(row.version) == report.latest {
            marks.push("latest");
        }
        if Some(row.version) == report.pinned {
            marks.push("pinned");
        }
        if row.version == row.chain {
            marks.push("start of a chain");
        }
        table.add_row([
            row.version.to_string(),
            row.announced_at
                .map_or("not yet".to_owned(), |at| at.to_string()),
            output::grouped(row.bytes),
            marks.join(", "),
        ]);
    }
    output::print_line(&table)
}
