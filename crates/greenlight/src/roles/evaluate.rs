//! The gatekeeper as a process.

use std::path::Path;
use std::sync::Arc;

use gatekeeper::{CycleEnd, Follow, Gatekeeper, GatekeeperOptions};
use registry::{DatasetName, Version};
use serde::Deserialize;

use super::metrics;
use super::questions::Questions;
use super::settings::{self, Cycles, Process};
use super::worker::{Cycled, Duty, Work};
use crate::cli::Globals;
use crate::commands::evaluate::Arguments;
use crate::config;
use crate::connect::{Connected, Text, Use};
use crate::error::{Error, Result};

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
    /// The dataset to publish; the inputs are of its environment, unless it follows another.
    #[serde(default = "output")]
    output: String,
    /// The output whose inputs and instants to use.
    follow: Option<String>,
    /// The rules; default: the deployment's.
    rules: Option<Text>,
}

fn output() -> String {
    format!("prod/{}", gatekeeper::output::NAME)
}

/// Runs the gatekeeper that the file asks for.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let path: &Path = &arguments.config;
    let file: File = config::load(path)?;
    let deployment = settings::deployment(globals, path, file.deployment.as_ref())?;
    let connected = Connected::open(&deployment, &Use::Run(file.process.name().to_owned()))?;
    let dataset: DatasetName = arguments.output.as_ref().unwrap_or(&file.output).parse()?;
    let follow = arguments.follow.as_ref().or(file.follow.as_ref());
    let follow = follow.map(|name| name.parse()).transpose()?;
    if follow.as_ref() == Some(&dataset) {
        return Err(Error::FollowsItself(dataset));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let rules = match (&arguments.rules, &file.rules) {
        (Some(path), _) => config::rules(path)?,
        (None, Some(path)) => config::rules(&path.path(base))?,
        (None, None) => connected.rules.clone(),
    };
    let options = GatekeeperOptions {
        output: dataset.clone(),
        follow: follow.map(Follow::new),
        configuration: rules,
        code_revision: CODE_REVISION.to_owned(),
        publisher: file.process.publisher(file.cycles.snapshot_every),
    };
    let (store, registry) = (
        Arc::clone(&connected.store),
        Arc::clone(&connected.registry),
    );
    let name = dataset.clone();
    let questions = Questions::default();
    let asked = questions.clone();
    let duty = Duty {
        dataset,
        registry: Arc::clone(&registry),
        cadence: file.cycles.every(),
        open: Box::new(move |now_ms| {
            let gatekeeper = Gatekeeper::open(options.clone(), &store, &registry, now_ms)?;
            *asked.lock() = Some(gatekeeper.desk());
            Ok(Box::new(Evaluating {
                dataset: name.clone(),
                gatekeeper,
                questions: asked.clone(),
            }))
        }),
    };
    super::run(&file.process, &connected, vec![duty], Some(questions))
}

struct Evaluating {
    dataset: DatasetName,
    gatekeeper: Gatekeeper,
    questions: Questions,
}

impl Work for Evaluating {
    fn cycle(&mut self, now_ms: i64) -> Result<Cycled> {
        let summary = match self.gatekeeper.cycle(now_ms) {
            Ok(summary) => summary,
            Err(error) if error.is_waiting() => return Ok(Cycled::Waiting(error.to_string())),
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
        *self.questions.lock() = None;
        Ok(self.gatekeeper.resign(now_ms)?)
    }
}
