//! The producers: every dataset that is folded from change records.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ingest::{Components, DatasetSpec, Ended, IncrementalProducer, ProducerOptions};
use registry::{DatasetName, Version};
use serde::Deserialize;
use toml::Spanned;

use super::metrics;
use super::settings::{self, Cycles, Process};
use super::worker::{Cycled, Duty, Work};
use crate::cli::Globals;
use crate::config;
use crate::connect::{Connected, Text, Use};
use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deployment: Option<Text>,
    process: Process,
    #[serde(default)]
    cycles: Cycles,
    /// Which of the deployment's datasets; all where there is no list.
    datasets: Option<Vec<Spanned<String>>>,
}

/// Runs the producers that the file asks for.
pub(crate) fn run(globals: &Globals, path: &Path) -> Result<()> {
    let file: File = config::load(path)?;
    let deployment = settings::deployment(globals, path, file.deployment.as_ref())?;
    let connected = Connected::open(&deployment, &Use::Run(file.process.name().to_owned()))?;
    let components = Components {
        log: Arc::clone(&connected.log),
        store: Arc::clone(&connected.store),
        registry: Arc::clone(&connected.registry),
        schemas: Arc::clone(&connected.schemas),
    };
    let duties = specs(&file, path, &connected)?
        .into_iter()
        .map(|spec| {
            let mut options =
                ProducerOptions::new(file.process.publisher(file.cycles.snapshot_every));
            options.publisher.allow_empty = spec.allow_empty;
            duty(spec, components.clone(), options, file.cycles)
        })
        .collect();
    super::run(&file.process, &connected, duties, None)
}

/// The datasets that the file asks for.
fn specs(file: &File, path: &Path, connected: &Connected) -> Result<Vec<DatasetSpec>> {
    let Some(names) = &file.datasets else {
        return Ok(connected.specs.clone());
    };
    let find = |name: &Spanned<String>| {
        let wanted: DatasetName = name.get_ref().parse()?;
        connected.spec(&wanted).cloned().ok_or_else(|| {
            let known: Vec<&str> = connected
                .specs
                .iter()
                .map(|spec| spec.name.as_str())
                .collect();
            Error::Config {
                path: path.to_owned(),
                line: config::line_of(path, name.span().start),
                message: format!(
                    "there is no dataset {wanted}; there are {}",
                    known.join(", ")
                ),
            }
        })
    };
    names.iter().map(find).collect()
}

pub(super) fn duty(
    spec: DatasetSpec,
    components: Components,
    options: ProducerOptions,
    cycles: Cycles,
) -> Duty {
    Duty {
        dataset: spec.name.clone(),
        registry: Arc::clone(&components.registry),
        cadence: spec
            .cadence_ms
            .map_or(cycles.every(), std::time::Duration::from_millis),
        open: Box::new(move |now_ms| {
            let producer = IncrementalProducer::open(
                spec.clone(),
                components.clone(),
                options.clone(),
                now_ms,
            )?;
            Ok(Box::new(Producing(producer)))
        }),
    }
}

struct Producing(IncrementalProducer);

impl Work for Producing {
    fn cycle(&mut self, now_ms: i64) -> Result<Cycled> {
        let ended = self.0.cycle(now_ms)?;
        let progress = self.0.progress();
        let announced = matches!(ended, Ended::Announced(_));
        metrics::folded(self.0.spec().name.as_str(), &progress, announced);
        Ok(match ended {
            Ended::Announced(_) => Cycled::Announced,
            Ended::Waiting if progress.sweeps.is_awaited => Cycled::Waiting(
                "a full sweep has to end first: without, a rebuild could bring back what was deleted"
                    .to_owned(),
            ),
            Ended::Waiting => {
                Cycled::Waiting(format!("topic {} holds no records", self.0.spec().topic))
            }
            Ended::RolledBack(reason) | Ended::Failed(reason) => Cycled::RolledBack(reason),
            _ => Cycled::Unchanged,
        })
    }

    fn version(&self) -> Option<Version> {
        self.0.publisher().version()
    }

    fn interrupt(&self) -> Option<Arc<AtomicBool>> {
        Some(self.0.interrupt())
    }

    fn resign(self: Box<Self>, now_ms: i64) -> Result<()> {
        Ok(self.0.resign(now_ms)?)
    }
}
