//! The upstream systems of the demo: the scenario's records, appended to the log as any emitter would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greenlight::scenario::{Feeder, Round, Scenario, Topic};
use ingest::DatasetSpec;

use crate::commands::progress;
use crate::connect::Connected;
use crate::error::Result;
use crate::stop::Stop;

/// In how many cuts a round of changes is fed to a running demo, one per cadence.
const CUTS_PER_ROUND: u64 = 20;

/// Feeds a scenario to a log, and goes on where an earlier run stopped.
pub(super) struct Feed<'a> {
    feeder: Feeder<'a>,
    rounds: &'a [Round],
}

impl<'a> Feed<'a> {
    /// Prepares to feed `scenario` to a log.
    pub(super) fn new(scenario: &'a Scenario, connected: &'a Connected) -> Result<Self> {
        let topic = |spec: &DatasetSpec| -> Result<Topic> {
            Ok(Topic {
                name: spec.topic.clone(),
                partitions: spec.partitions,
                schema: Arc::clone(&spec.schema),
                schema_id: connected.schemas.id_of(&spec.subject(), &spec.schema)?,
            })
        };
        let topics = connected.specs.iter().map(topic);
        let topics = topics.collect::<Result<Vec<Topic>>>()?;
        Ok(Self {
            feeder: Feeder::new(scenario, connected.log.as_ref(), &topics)?,
            rounds: &scenario.manifest().rounds,
        })
    }

    /// The instants that end the rounds of changes.
    pub(super) fn rounds(&self) -> Vec<i64> {
        self.rounds.iter().map(|round| round.until_ms).collect()
    }

    /// Appends what is missing of the base.
    pub(super) fn base(&mut self) -> Result<()> {
        let bar = progress::records("change records to the log", self.feeder.base_len());
        self.feeder.feed_base(&|records| bar.inc(records))?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Appends the changes before `until_ms`.
    pub(super) fn changes(&mut self, until_ms: i64) -> Result<()> {
        self.feeder.feed_changes(until_ms, u64::MAX)?;
        Ok(())
    }

    /// Appends all changes, a cut per cadence, until done or stopped.
    pub(super) fn changes_slowly(&mut self, cadence: Duration, stop: &Stop) -> Result<()> {
        for round in self.rounds {
            let cut = round.records.div_ceil(CUTS_PER_ROUND).max(1);
            while !stop.is_set() && !self.feeder.feed_changes(round.until_ms, cut)?.done {
                stop.wait_until(Instant::now() + cadence);
            }
        }
        Ok(())
    }
}
