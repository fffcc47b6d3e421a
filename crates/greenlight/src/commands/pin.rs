//! `greenlight pin` and `greenlight unpin`.

use clap::Args;
use registry::{Action, DatasetName, Scope, Version};
use serde::Serialize;

use crate::cli::Globals;
use crate::connect::{Connected, wall_clock_ms};
use crate::error::Result;
use crate::output;

/// Arguments of `greenlight pin`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  greenlight pin liveness 20210308000000002 --reason 'wrong ratings in 3'"
)]
pub(crate) struct PinArguments {
    /// The dataset.
    pub(crate) dataset: String,

    /// The announced version that everybody is to hold.
    pub(crate) version: Version,

    /// Why, for whoever meets the pin later.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

/// Arguments of `greenlight unpin`.
#[derive(Debug, Args)]
pub(crate) struct UnpinArguments {
    /// The dataset.
    pub(crate) dataset: String,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    pinned: Option<Version>,
    latest: Option<Version>,
}

/// Forces a dataset to a version.
pub(crate) fn pin(globals: &Globals, arguments: &PinArguments) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let connected = globals.connect()?;
    let version = connected.version(&name, Some(arguments.version))?;
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let action = Action::Pin {
        scope: Scope::everybody(),
        version,
        by,
        reason: arguments.reason.clone(),
    };
    change(&connected, globals.json, name, action)
}

/// Removes a dataset's pin.
pub(crate) fn unpin(globals: &Globals, arguments: &UnpinArguments) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let connected = globals.connect()?;
    connected.dataset(&name)?;
    change(
        &connected,
        globals.json,
        name,
        Action::Unpin {
            scope: Scope::everybody(),
        },
    )
}

/// Tells the registry, and stock consumers through `announced.version`.
fn change(connected: &Connected, json: bool, dataset: DatasetName, action: Action) -> Result<()> {
    connected
        .registry
        .execute(&dataset, wall_clock_ms(), action)?;
    dataset::project_announcement(&connected.store, &connected.registry, &dataset)?;
    let info = connected.dataset(&dataset)?;
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
