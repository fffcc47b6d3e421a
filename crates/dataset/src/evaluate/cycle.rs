//! The cycle: refresh the inputs, mint `now`, decide everything, publish what changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use blobstore::BlobStore;
use registry::{DatasetName, Registry, Version};

use super::basis::Basis;
use super::difference::{Difference, compare};
use super::follow::{Follow, Leader};
use super::inputs::{InputStatus, Inputs};
use super::{Application, Decided, Outputs};
use crate::error::reasons;
use crate::{
    Cycle, CycleKind, CycleOutcome, Error, Guard, Phases, Populated, Publisher, PublisherOptions,
    Result,
};

/// What an evaluator is set up with.
#[derive(Clone)]
pub struct EvaluatorOptions {
    /// The dataset to publish. Without `follow`, the inputs are of its environment.
    pub output: DatasetName,
    /// Whose inputs and `now` to use; `None`: the latest inputs, at the clock's instant.
    pub follow: Option<Follow>,
    /// How the output is published.
    pub publisher: PublisherOptions,
}

/// Decides an output from its inputs, cycle by cycle.
///
/// With [`EvaluatorOptions::follow`] it is a follower: the same cycle, on exactly the inputs and at exactly the `now` of
/// another output.
pub struct Evaluator<A: Application> {
    inputs: Inputs<A>,
    publisher: Publisher,
    /// What the newest accepted version holds.
    outputs: Outputs<A>,
    /// Whether the application decided that, and not a process before.
    is_decided: bool,
    now_floor_ms: i64,
    /// A cycle failed half-way: what became of it has to be found out first.
    has_failed: bool,
    leader: Option<Leader>,
    /// What a follower evaluated last.
    last: Option<Evaluated>,
}

/// What a cycle has to tell.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The version that holds after the cycle; `None` if there is none yet.
    pub version: Option<Version>,
    /// How the cycle ended.
    pub outcome: Outcome,
    /// What it rests on.
    pub basis: Basis,
    /// The inputs, in the application's order.
    pub inputs: Vec<InputStatus>,
    /// The input records that were read for it.
    pub records_read: u64,
    /// The keys that were evaluated.
    pub keys: u64,
    /// The records that differ from those of the cycle before.
    pub records_changed: u64,
    /// How long the phases took.
    pub phases: EvaluationPhases,
}

/// How a cycle ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new version is announced.
    Announced,
    /// Nothing changed.
    Unchanged,
    /// What is followed has nothing that this follower has not evaluated; what else the cycle tells is of its last one.
    Idle,
    /// A guard or a check refused the new version; the one before stays.
    RolledBack {
        /// Why.
        reason: String,
    },
}

/// How long the phases of a cycle took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvaluationPhases {
    /// Moving the inputs, and taking over what changed in them.
    pub refresh_us: u64,
    /// Preparing the evaluation, by what was taken over.
    pub prepare_us: u64,
    /// Deciding everything.
    pub evaluate_us: u64,
    /// Comparing with the output before.
    pub compare_us: u64,
    /// Publishing.
    pub publish: Phases,
    /// The whole cycle.
    pub total_us: u64,
}

impl<A: Application> Evaluator<A> {
    /// Takes over an output and goes on where its newest version stands.
    ///
    /// # Errors
    /// Those of [`Publisher::open`], and [`Error::Application`].
    pub fn open(
        application: A,
        options: EvaluatorOptions,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
        now_ms: i64,
    ) -> Result<Self> {
        let (output, follow) = (options.output, options.follow);
        let leading = follow.as_ref().map_or(&output, |follow| &follow.dataset);
        let inputs = Inputs::new(application, leading.environment(), store, registry)?;
        let mut publishing = options.publisher;
        if follow.is_some() {
            // Every cycle of a follower has something new to confirm: which version it followed.
            publishing.confirm_interval_ms = 0;
        }
        let mut publisher = Publisher::open(
            output.clone(),
            Arc::clone(store),
            Arc::clone(registry),
            inputs.application().schemas(),
            publishing,
            now_ms,
        )?;
        publisher.remember_digests();
        let leader = follow
            .map(|follow| Leader::new(follow, &output, inputs.names(), store, registry))
            .transpose()?;
        let mut evaluator = Self {
            inputs,
            publisher,
            outputs: Outputs::<A>::new(),
            is_decided: false,
            now_floor_ms: 0,
            has_failed: false,
            leader,
            last: None,
        };
        evaluator.restore()?;
        Ok(evaluator)
    }

    /// Adds a guard in front of every acceptance.
    pub fn add_guard(&mut self, guard: Box<dyn Guard>) {
        self.publisher.add_guard(guard);
    }

    /// The inputs and the application, as of the last cycle.
    pub fn inputs(&self) -> &Inputs<A> {
        &self.inputs
    }

    /// The application.
    pub fn application(&self) -> &A {
        self.inputs.application()
    }

    /// The newest version of the output.
    pub fn version(&self) -> Option<Version> {
        self.publisher.version()
    }

    /// Shows that this owner lives; to be called every few seconds where a standby may wait.
    ///
    /// # Errors
    /// Those of [`Publisher::renew`]; lost ownership means: stop.
    pub fn renew(&self, now_ms: i64) -> Result<()> {
        self.publisher.renew(now_ms)
    }

    /// Gives up the ownership, and a follower's leases.
    ///
    /// # Errors
    /// Those of [`Publisher::resign`].
    pub fn resign(mut self, now_ms: i64) -> Result<()> {
        if let Some(leader) = &mut self.leader {
            leader.release_all_but(None, now_ms);
        }
        self.publisher.resign(now_ms)
    }

    /// Runs one cycle at the clock's `clock_ms`; the cycle's `now` is that, or the newest accepted or confirmed one if the
    /// clock is behind it. A follower's is that of what it follows, and its cycle is [idle](Outcome::Idle) where there is
    /// nothing new to follow.
    ///
    /// # Errors
    /// [`Error::NoInputs`] names inputs that have no state yet, [`Error::NothingToFollow`] what has none to follow: try again
    /// later. After any other error the next cycle recovers by itself, unless the ownership is lost ([`Error::is_lost`]).
    pub fn cycle(&mut self, clock_ms: i64) -> Result<Evaluated> {
        let mut lap = Lap::start();
        let mut phases = EvaluationPhases::default();
        if self.has_failed {
            self.publisher.recover(clock_ms)?;
            self.restore()?;
            self.has_failed = false;
        }
        let (taken, now_ms, followed) = match &mut self.leader {
            None => {
                let now_ms = clock_ms.max(self.now_floor_ms);
                (self.inputs.refresh()?, now_ms, None)
            }
            Some(leader) => {
                let (followed, basis) = leader.newest(clock_ms)?;
                if let Some(last) = &self.last
                    && last.basis.followed.as_ref() == Some(&followed)
                    && (last.basis.now_ms, &last.basis.inputs) == (basis.now_ms, &basis.inputs)
                {
                    return Ok(Evaluated {
                        outcome: Outcome::Idle,
                        phases: EvaluationPhases::default(),
                        ..last.clone()
                    });
                }
                if basis.now_ms < self.now_floor_ms {
                    return Err(Error::Behind {
                        dataset: followed.dataset,
                        version: followed.version,
                        now_ms: basis.now_ms,
                        output: self.publisher.dataset().clone(),
                        floor_ms: self.now_floor_ms,
                    });
                }
                let taken = self.inputs.move_to(&basis.inputs)?;
                (taken, basis.now_ms, Some(followed))
            }
        };
        phases.prepare_us = taken.prepare_us;
        phases.refresh_us = lap.next().saturating_sub(taken.prepare_us);

        let application = self.inputs.application_mut();
        let decided = match self.is_decided {
            true => application.reevaluate(now_ms),
            false => application.evaluate(now_ms).map(Decided::All),
        };
        let decided = decided.map_err(Error::Application)?;
        phases.evaluate_us = lap.next();
        let difference = decided.compare(application, &self.outputs);
        phases.compare_us = lap.next();

        let mut evaluated = Evaluated {
            version: None,
            outcome: Outcome::Unchanged,
            basis: Basis {
                inputs: self.inputs.versions(),
                now_ms,
                followed,
                application: self.inputs.application().tags(),
            },
            inputs: self.inputs.status(now_ms)?,
            records_read: taken.records,
            keys: match &decided {
                Decided::All(outputs) => outputs.len() as u64,
                Decided::Changes(_) => self.outputs.len() as u64,
            },
            records_changed: difference.len() as u64,
            phases,
        };
        let end = self.publish(&evaluated, decided.outputs(), &difference);
        self.has_failed = end.is_err();
        let is_accepted =
            matches!(&end, Ok(end) if !matches!(end, CycleOutcome::RolledBack { .. }));
        self.inputs.application_mut().settled(is_accepted);
        match end? {
            CycleOutcome::RolledBack { reason } => {
                let reason = reasons(&reason);
                evaluated.outcome = Outcome::RolledBack { reason };
            }
            end => {
                if let CycleOutcome::Announced { phases, .. } = end {
                    evaluated.outcome = Outcome::Announced;
                    evaluated.phases.publish = phases;
                }
                decided.take_over(&mut self.outputs);
                self.is_decided = true;
                self.now_floor_ms = now_ms;
            }
        }
        evaluated.version = self.publisher.version();
        evaluated.phases.total_us = lap.total();
        if let Some(leader) = &mut self.leader {
            leader.release_all_but(Some(&evaluated.basis), clock_ms);
            let is_kept = !matches!(evaluated.outcome, Outcome::RolledBack { .. });
            self.last = is_kept.then(|| evaluated.clone());
        }
        Ok(evaluated)
    }

    /// Takes what the newest version holds, and the time below which `now` must not fall.
    fn restore(&mut self) -> Result<()> {
        let application = self.inputs.application_mut();
        let outputs = match self.publisher.state() {
            Some(state) => application.read(state).map_err(Error::Application)?,
            None => Outputs::<A>::new(),
        };
        compare(application, &self.outputs, &outputs);
        application.settled(true);
        self.outputs = outputs;
        self.is_decided = false;
        self.now_floor_ms = self.publisher.now_floor_ms()?;
        Ok(())
    }

    fn publish(
        &mut self,
        evaluated: &Evaluated,
        outputs: &Outputs<A>,
        difference: &Difference<A::Key>,
    ) -> Result<CycleOutcome> {
        let application = self.inputs.application_mut();
        let tags = evaluated.basis.to_tags();
        let cycle = Cycle {
            now_ms: evaluated.basis.now_ms,
            kind: CycleKind::Incremental,
        };
        let populated = Populated {
            confirm_tags: tags.clone(),
            tags,
            metadata: metadata(application, evaluated),
            defer_internal: false,
            continues: false,
        };
        self.publisher.cycle(cycle, |write| {
            let changed = difference.changed.iter().map(|&at| &outputs[at]);
            application.write(write, &difference.removed, changed)?;
            Ok(populated)
        })
    }
}

/// What goes with the announcement: ages, counts and timings, which are no part of the state.
fn metadata<A: Application>(application: &A, evaluated: &Evaluated) -> BTreeMap<String, String> {
    let mut metadata = application.metadata();
    let mut put = |name: String, value: String| drop(metadata.insert(name, value));
    for input in &evaluated.inputs {
        let name = &input.dataset;
        put(format!("input.{name}.age_ms"), input.age_ms.to_string());
        if let Some(failure) = &input.failure {
            put(format!("input.{name}.failure"), failure.clone());
        }
    }
    let phases = &evaluated.phases;
    let counts = [
        ("records_changed", evaluated.records_changed),
        ("phase.refresh_us", phases.refresh_us),
        ("phase.prepare_us", phases.prepare_us),
        ("phase.evaluate_us", phases.evaluate_us),
        ("phase.compare_us", phases.compare_us),
    ];
    for (name, value) in counts {
        put(name.to_owned(), value.to_string());
    }
    metadata
}

/// Measures phases; what it says goes into no state.
struct Lap {
    start: Instant,
    last: Instant,
}

impl Lap {
    fn start() -> Self {
        let start = Instant::now();
        Self { start, last: start }
    }

    /// Microseconds since the last lap.
    fn next(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.last, Instant::now());
        micros(self.last.duration_since(before))
    }

    /// Microseconds since the start.
    fn total(&self) -> u64 {
        micros(self.start.elapsed())
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
