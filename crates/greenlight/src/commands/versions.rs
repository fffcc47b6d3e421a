//! `greenlight versions`.

use std::collections::BTreeMap;
use std::path::Path;

use registry::{DatasetName, Scope, Version, Versions};
use serde::Serialize;

use crate::cli;
use crate::error::Result;
use crate::home::Home;
use crate::output::{self, Instant};

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
pub(crate) fn run(dir: &Path, json: bool, arguments: &cli::Versions) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let home = Home::open(dir)?;
    let info = home.dataset(&name)?;
    let versions = home
        .registry()
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
    if json {
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
