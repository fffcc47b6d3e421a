//! `greenlight pin` and `greenlight unpin`.

use std::path::Path;

use registry::{Action, DatasetName, Scope, Version};
use serde::Serialize;

use crate::cli;
use crate::error::Result;
use crate::home::{Home, wall_clock_ms};
use crate::output;

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    pinned: Option<Version>,
    latest: Option<Version>,
}

/// Forces a dataset to a version.
pub(crate) fn pin(dir: &Path, json: bool, arguments: &cli::Pin) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let home = Home::open(dir)?;
    let version = home.version(&name, Some(arguments.version))?;
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let action = Action::Pin {
        scope: Scope::everybody(),
        version,
        by,
        reason: arguments.reason.clone(),
    };
    change(&home, json, name, action)
}

/// Removes a dataset's pin.
pub(crate) fn unpin(dir: &Path, json: bool, arguments: &cli::Unpin) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let home = Home::open(dir)?;
    home.dataset(&name)?;
    change(
        &home,
        json,
        name,
        Action::Unpin {
            scope: Scope::everybody(),
        },
    )
}

/// Tells the registry, and stock consumers through `announced.version`.
fn change(home: &Home, json: bool, dataset: DatasetName, action: Action) -> Result<()> {
    home.registry().execute(&dataset, wall_clock_ms(), action)?;
    dataset::project_announcement(home.store(), home.registry(), &dataset)?;
    let info = home.dataset(&dataset)?;
    let pinned = info.pins.get(&Scope::everybody()).map(|pin| pin.version);
    let latest = info
        .latest(&Scope::everybody())
        .map(|latest| latest.version);
    if json {
        return output::print_json(&Report {
            dataset,
            pinned,
            latest,
        });
    }
    output::print_line(&match (pinned, latest) {
        (Some(version), _) => {
            format!("{dataset} is pinned to {version} until `greenlight unpin {dataset}`")
        }
        (None, Some(version)) => format!("{dataset} has no pin; its latest version is {version}"),
        (None, None) => format!("{dataset} has no pin and nothing is announced"),
    })
}
