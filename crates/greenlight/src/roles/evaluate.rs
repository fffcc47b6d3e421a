//! The gatekeeper as a process.

use std::path::Path;
use std::sync::Arc;

use gatekeeper::{CycleEnd, Gatekeeper, GatekeeperOptions};
use registry::{DatasetName, Version};
use serde::Deserialize;

use super::metrics;
use super::settings::{self, Cycles, Process};
use super::worker::{Cycled, Duty, Work};
use crate::cli::Globals;
use crate::config;
use crate::connect::{Connected, Text, Use};
use crate::error::Result;

/// The revision of the code, as states record it.
pub(crate) const CODE_REVISION: &str =
    concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deployment: Option<Text>,
    process: Process,
    #[serde(default)]
    cycles: Cycles,
    /// The dataset to publish; the inputs are of its environment.
    #[serde(default = "output")]
    output: String,
}

fn output() -> String {
    format!("prod/{}", gatekeeper::output::NAME)
}

/// Runs the gatekeeper that the file asks for.
pub(crate) fn run(globals: &Globals, path: &Path) -> Result<()> {
    let file: File = config::load(path)?;
    let deployment = settings::deployment(globals, path, file.deployment.as_ref())?;
    let connected = Connected::open(&deployment, Use::Run)?;
    let dataset: DatasetName = file.output.parse()?;
    let options = GatekeeperOptions {
        output: dataset.clone(),
        follow: None,
        configuration: connected.rules.clone(),
        code_revision: CODE_REVISION.to_owned(),
        publisher: file.process.publisher(file.cycles.snapshot_every),
    };
    let (store, registry) = (
        Arc::clone(&connected.store),
        Arc::clone(&connected.registry),
    );
    let name = dataset.clone();
    let duty = Duty {
        dataset,
        registry: Arc::clone(&registry),
        cadence: file.cycles.every(),
        open: Box::new(move |now_ms| {
            let gatekeeper = Gatekeeper::open(options.clone(), &store, &registry, now_ms)?;
            Ok(Box::new(Evaluating {
                dataset: name.clone(),
                gatekeeper,
            }))
        }),
    };
    super::run(&file.process, &connected, vec![duty])
}

struct Evaluating {
    dataset: DatasetName,
    gatekeeper: Gatekeeper,
}

impl Work for Evaluating {
    fn cycle(&mut self, now_ms: i64) -> Result<Cycled> {
        let summary = match self.gatekeeper.cycle(now_ms) {
            Ok(summary) => summary,
            Err(error @ gatekeeper::Error::NotAnnounced { .. }) => {
                return Ok(Cycled::Waiting(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        metrics::evaluated(self.dataset.as_str(), &summary);
        Ok(match summary.end {
            CycleEnd::Announced => {
                tracing::info!(
                    dataset = %self.dataset, version = summary.version, pairs = summary.pairs, live = summary.live,
                    went_live = summary.went_live, went_dark = summary.went_dark, "announced"
                );
                Cycled::Announced
            }
            CycleEnd::Unchanged | CycleEnd::Idle => Cycled::Unchanged,
            CycleEnd::RolledBack { reason } => Cycled::RolledBack(reason),
        })
    }

    fn version(&self) -> Option<Version> {
        self.gatekeeper.version()
    }

    fn resign(self: Box<Self>, now_ms: i64) -> Result<()> {
        Ok(self.gatekeeper.resign(now_ms)?)
    }
}
