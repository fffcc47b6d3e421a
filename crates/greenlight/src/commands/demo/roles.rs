//! The roles of the demo: ten producers, a gatekeeper and its follower over one log, registry and store.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dataset::{PublisherOptions, Snapshots};
use gatekeeper::{Gatekeeper, GatekeeperOptions};
use ingest::{Components, Ended, IncrementalProducer, ProducerOptions, ProducerThread};

use liveness::Configuration;
use registry::DatasetName;

use super::clock::Clock;
use super::preprod::Preprod;
use crate::commands::progress;
use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::roles::evaluate::CODE_REVISION;

/// The owner's name of all datasets: a demo that was killed and started again takes over at once.
const OWNER: &str = "demo";

/// The roles, opened where they stood.
pub(super) struct Roles {
    pub(super) clock: Arc<Clock>,
    /// What the gatekeeper publishes.
    pub(super) output: DatasetName,
    pub(super) gatekeeper: Gatekeeper,
    /// The follower, until it gets a thread of its own.
    pub(super) preprod: Option<Preprod>,
    producers: Vec<IncrementalProducer>,
}

impl Roles {
    /// Opens all roles; the follower's rules are PROD's but for `changed_rules`. `reproducible` makes the blobs a function of the cycles alone.
    pub(super) fn open(
        connected: &Connected,
        clock: Clock,
        changed_rules: Configuration,
        reproducible: bool,
    ) -> Result<Self> {
        let components = Components {
            log: Arc::clone(&connected.log),
            store: Arc::clone(&connected.store),
            registry: Arc::clone(&connected.registry),
            schemas: Arc::clone(&connected.schemas),
        };
        let now_ms = clock.now_ms();
        let mut options = PublisherOptions::new(OWNER);
        if reproducible {
            options.snapshots = Snapshots::Inline;
        }
        let bar = progress::steps("opening datasets", connected.specs.len() as u64 + 2);
        let mut producers = Vec::new();
        for spec in &connected.specs {
            bar.set_message(format!("opening {}", spec.name));
            let options = ProducerOptions::new(options.clone());
            producers.push(IncrementalProducer::open(
                spec.clone(),
                components.clone(),
                options,
                now_ms,
            )?);
            bar.inc(1);
        }
        bar.set_message("opening liveness");
        let output: DatasetName = "prod/liveness".parse()?;
        let publisher = options;
        let options = GatekeeperOptions {
            output: output.clone(),
            follow: None,
            configuration: connected.rules.clone(),
            code_revision: CODE_REVISION.to_owned(),
            publisher: publisher.clone(),
        };
        let gatekeeper = Gatekeeper::open(options, &connected.store, &connected.registry, now_ms)?;
        bar.inc(1);
        let preprod = Preprod::open(connected, &output, changed_rules, publisher, now_ms)?;
        bar.finish_and_clear();
        Ok(Self {
            clock: Arc::new(clock),
            output,
            gatekeeper,
            preprod: Some(preprod),
            producers,
        })
    }

    /// Lets every producer fold what is in its topics, all at once.
    pub(super) fn fold_all(&mut self) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let bar = progress::steps("folding and publishing", self.producers.len() as u64);
        let results: Vec<Result<()>> = thread::scope(|scope| {
            let bar = &bar;
            let fold = move |producer: &mut IncrementalProducer| {
                let ended = producer.cycle(now_ms)?;
                bar.inc(1);
                match ended {
                    Ended::RolledBack(reason) | Ended::Failed(reason) => Err(Error::Cycle {
                        dataset: producer.spec().name.clone(),
                        reason,
                    }),
                    _ => Ok(()),
                }
            };
            let threads: Vec<_> = self
                .producers
                .iter_mut()
                .map(|producer| scope.spawn(move || fold(producer)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| Error::Thread("producer"))?)
                .collect()
        });
        bar.finish_and_clear();
        results.into_iter().collect()
    }

    /// Starts every producer in a thread of its own, by `cadence`.
    pub(super) fn start_producers(&mut self, cadence: Duration) -> Result<Vec<ProducerThread>> {
        let start = |producer: IncrementalProducer| {
            let clock = Arc::clone(&self.clock);
            let cadence = producer
                .spec()
                .cadence_ms
                .map_or(cadence, Duration::from_millis);
            Ok(ProducerThread::start(
                producer,
                cadence,
                Arc::new(move || clock.now_ms()),
            )?)
        };
        self.producers.drain(..).map(start).collect()
    }

    /// Takes back a producer whose thread has ended.
    pub(super) fn take_back(&mut self, producer: IncrementalProducer) {
        self.producers.push(producer);
    }

    /// Gives up all datasets, so that roles that are started next need not wait for the demo's silence.
    pub(super) fn resign(self) {
        let now_ms = self.clock.now_ms();
        for producer in self.producers {
            let dataset = producer.spec().name.clone();
            resigned(&dataset, producer.resign(now_ms).map_err(Error::from));
        }
        resigned(
            &self.output,
            self.gatekeeper.resign(now_ms).map_err(Error::from),
        );
        if let Some(preprod) = self.preprod {
            preprod.resign(now_ms);
        }
    }
}

/// Says where an ownership could not be given up. One that was lost need not be.
pub(super) fn resigned(dataset: &DatasetName, resigned: Result<()>) {
    match resigned {
        Err(error) if !error.is_lost() => {
            tracing::warn!(%dataset, error = error.with_causes(), "resign");
        }
        _ => {}
    }
}
