//! `greenlight datasets`.

use std::collections::BTreeMap;

use dataset::SubscriberOptions;
use hollow::sums::Digest;
use registry::{DatasetName, Scope, Version};
use serde::Serialize;

use crate::cli::Globals;
use crate::error::Result;
use crate::output::{self, grouped, pinnable};

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
pub(crate) fn run(globals: &Globals) -> Result<()> {
    let connected = globals.connect()?;
    let mut datasets = Vec::new();
    for info in connected.registry.datasets()? {
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
            let view = connected
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
    if globals.json {
        return output::print_json(&report);
    }
    let mut table = output::table(
        &["dataset", "version", "records", "in memory", "digest"],
        &["records", "in memory"],
    );
    for row in &report.datasets {
        table.add_row([
            row.dataset.to_string(),
            pinnable(row.version, row.pinned),
            grouped(row.records),
            format!("{} KiB", grouped(row.heap_bytes / 1024)),
            row.digest.clone().unwrap_or_default(),
        ]);
    }
    output::print_line(&table)
}
