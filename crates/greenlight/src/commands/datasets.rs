//! `greenlight datasets`.

use std::collections::BTreeMap;
use std::path::Path;

use dataset::SubscriberOptions;
use hollow::sums::Digest;
use registry::{DatasetName, Scope, Version};
use serde::Serialize;

use crate::error::Result;
use crate::home::Home;
use crate::output::{self, grouped};

#[derive(Serialize)]
struct Report {
    datasets: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    dataset: DatasetName,
    version: Option<Version>,
    pinned: Option<Version>,
    records: u64,
    types: BTreeMap<String, u64>,
    digest: Option<String>,
    heap_bytes: u64,
}

/// Loads the latest state of every dataset and tells what is in it.
pub(crate) fn run(dir: &Path, json: bool) -> Result<()> {
    let home = Home::open(dir)?;
    let mut datasets = Vec::new();
    for info in home.registry().datasets()? {
        let latest = info.latest(&Scope::everybody());
        let mut row = Row {
            version: latest.map(|latest| latest.version),
            pinned: latest
                .filter(|latest| latest.pinned)
                .map(|latest| latest.version),
            dataset: info.name,
            records: 0,
            types: BTreeMap::new(),
            digest: None,
            heap_bytes: 0,
        };
        if let Some(version) = row.version {
            let view = home
                .subscriber(&row.dataset, SubscriberOptions::default())
                .open_at(version)?;
            let state = view.state();
            row.types = state
                .types()
                .map(|records| (records.name().to_owned(), records.count() as u64))
                .collect();
            let root = &insight::root_type(state)?.name;
            row.records = row.types.get(root).copied().unwrap_or(0);
            row.digest = Some(Digest::of(state)?.to_string());
            row.heap_bytes = state.heap_bytes() as u64;
        }
        datasets.push(row);
    }
    let report = Report { datasets };
    if json {
        return output::print_json(&report);
    }
    let mut table = output::table(
        &["dataset", "version", "records", "in memory", "digest"],
        &["records", "in memory"],
    );
    for row in &report.datasets {
        table.add_row([
            row.dataset.to_string(),
            match (row.version, row.pinned) {
                (Some(version), Some(_)) => format!("{version} (pinned)"),
                (Some(version), None) => version.to_string(),
                (None, _) => "none yet".to_owned(),
            },
            grouped(row.records),
            format!("{} KiB", grouped(row.heap_bytes / 1024)),
            row.digest.clone().unwrap_or_default(),
        ]);
    }
    output::print_line(&table)
}
