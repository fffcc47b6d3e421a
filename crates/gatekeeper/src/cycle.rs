//! The cycle: refresh the inputs, mint `now`, evaluate everything, publish what changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use blobstore::BlobStore;
use dataset::{Cycle, CycleKind, CycleOutcome, Guard, Populated, Publisher, PublisherOptions};
use dataset::{DatasetName, Version, View};
use hollow::write::WriteState;
use liveness::{Configuration, Evaluator, Outcome, RULES, Survey};
use registry::Registry;

use crate::basis::Basis;
use crate::evaluation::{Difference, Tally, Verdicts, compare};
use crate::follow::{Follow, Leader};
use crate::input::Input;
use crate::inputs::Inputs;
use crate::output::{self, Writer};
use crate::summary::{BlockerCount, CycleEnd, CycleSummary, Phases};
use crate::{Error, Result};

/// What a gatekeeper is set up with.
#[derive(Clone)]
pub struct GatekeeperOptions {
    /// The dataset to publish: `prod/liveness`. Without `follow`, the inputs are of its environment.
    pub output: DatasetName,
    /// Whose inputs and `now` to use; `None`: the latest inputs, at the clock's instant.
    pub follow: Option<Follow>,
    /// The rules.
    pub configuration: Configuration,
    /// The revision of the code, recorded in every state.
    pub code_revision: String,
    /// How `liveness` is published.
    pub publisher: PublisherOptions,
}

/// Decides what may go live, cycle by cycle.
///
/// With [`GatekeeperOptions::follow`] it is a follower: the same cycle, on exactly the inputs and at
/// exactly the `now` of another `liveness`.
pub struct Gatekeeper {
    inputs: Inputs,
    survey: Survey,
    publisher: Publisher,
    /// The verdicts of the newest accepted version.
    verdicts: Verdicts,
    /// Their totals.
    tally: Tally,
    code_revision: String,
    now_floor_ms: i64,
    /// A cycle failed half-way: what became of it has to be found out first.
    has_failed: bool,
    leader: Option<Leader>,
    /// What a follower evaluated last, and what came of it.
    last: Option<(Basis, CycleSummary)>,
}

impl Gatekeeper {
    /// Takes over `liveness` of an environment and goes on where its newest version stands.
    ///
    /// # Errors
    /// [`Error::Rules`] for a configuration that does not fit; [`Error::Publish`].
    pub fn open(
        options: GatekeeperOptions,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
        now_ms: i64,
    ) -> Result<Self> {
        let evaluator = Evaluator::new(&options.configuration)?;
        let follow = options.follow;
        let inputs = match &follow {
            Some(follow) => Inputs::new(follow.dataset.environment(), store, registry)?,
            None => Inputs::new(options.output.environment(), store, registry)?,
        };
        let mut publishing = options.publisher;
        if follow.is_some() {
            // Every cycle of a follower has something new to confirm: which version it followed.
            publishing.confirm_interval_ms = 0;
        }
        let publisher = Publisher::open(
            options.output.clone(),
            Arc::clone(store),
            Arc::clone(registry),
            output::schemas(),
            publishing,
            now_ms,
        )
        .map_err(Error::publish)?;
        let leader = follow
            .map(|follow| Leader::new(follow, &options.output, store, registry))
            .transpose()?;
        let mut gatekeeper = Self {
            inputs,
            survey: Survey::new(evaluator),
            publisher,
            verdicts: Verdicts::new(),
            tally: Tally::default(),
            code_revision: options.code_revision,
            now_floor_ms: 0,
            has_failed: false,
            leader,
            last: None,
        };
        gatekeeper.restore()?;
        Ok(gatekeeper)
    }

    /// Adds a guard in front of every acceptance.
    pub fn add_guard(&mut self, guard: Box<dyn Guard>) {
        self.publisher.add_guard(guard);
    }

    /// The inputs and their facts, as of the last cycle.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// What an input's facts were read from.
    pub fn view(&self, input: Input) -> Option<&Arc<View>> {
        self.inputs.view(input)
    }

    /// The evaluator with the rules in use.
    pub fn evaluator(&self) -> &Evaluator {
        self.survey.evaluator()
    }

    /// The newest version of `liveness`.
    pub fn version(&self) -> Option<Version> {
        self.publisher.version()
    }

    /// Shows that this owner lives; to be called every few seconds where a standby may wait.
    ///
    /// # Errors
    /// [`Error::Publish`]; lost ownership means: stop.
    pub fn renew(&self, now_ms: i64) -> Result<()> {
        self.publisher.renew(now_ms).map_err(Error::publish)
    }

    /// Gives up the ownership, and a follower's leases.
    ///
    /// # Errors
    /// [`Error::Publish`].
    pub fn resign(mut self, now_ms: i64) -> Result<()> {
        if let Some(leader) = &mut self.leader {
            leader.release_all_but(None, now_ms);
        }
        self.publisher.resign(now_ms).map_err(Error::publish)
    }

    /// Runs one cycle at the clock's `clock_ms`; the cycle's `now` is that, or the newest accepted
    /// or confirmed one if the clock is behind it. A follower's is that of what it follows, and its
    /// cycle is [idle](CycleEnd::Idle) where there is nothing new to follow.
    ///
    /// # Errors
    /// [`Error::NotAnnounced`] names inputs that have no state yet, [`Error::NothingToFollow`] what
    /// has none to follow: try again later. After any
    /// other error the next cycle recovers by itself, unless the ownership is lost
    /// ([`Error::is_lost`]).
    pub fn cycle(&mut self, clock_ms: i64) -> Result<CycleSummary> {
        let start = Instant::now();
        let mut phases = Phases::default();
        let mut lap = Lap(start);
        if self.has_failed {
            self.publisher.recover(clock_ms).map_err(Error::publish)?;
            self.restore()?;
            self.has_failed = false;
        }
        let (records_read, now_ms, followed) = match &mut self.leader {
            None => {
                let now_ms = clock_ms.max(self.now_floor_ms);
                (self.inputs.refresh()?, now_ms, None)
            }
            Some(leader) => {
                let (followed, basis) = leader.newest(clock_ms)?;
                if let Some((last, summary)) = &self.last
                    && last.followed.as_ref() == Some(&followed)
                    && (last.now_ms, &last.inputs) == (basis.now_ms, &basis.inputs)
                {
                    let end = CycleEnd::Idle;
                    let phases = Phases::default();
                    let summary = summary.clone();
                    return Ok(CycleSummary {
                        end,
                        phases,
                        ..summary
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
                let records_read = self.inputs.move_to(&basis.inputs)?;
                (records_read, basis.now_ms, Some(followed))
            }
        };
        phases.refresh_us = lap.next();
        self.survey.prepare(self.inputs.facts());
        phases.prepare_us = lap.next();

        let basis = Basis {
            inputs: self.inputs.versions(),
            now_ms,
            configuration: self.evaluator().configuration().clone(),
            fingerprint: self.evaluator().fingerprint().to_owned(),
            code_revision: self.code_revision.clone(),
            followed,
        };
        self.survey.evaluate(self.inputs.facts(), now_ms);
        let mut verdicts = self.survey.outcomes(self.inputs.facts());
        phases.evaluate_us = lap.next();
        let difference = compare(&self.verdicts, &mut verdicts);
        phases.compare_us = lap.next();

        let tally = self.tally.plus(&difference.tally);
        let mut summary = self.summarize(&basis, &verdicts, &difference, &tally)?;
        summary.records_read = records_read as u64;
        let end = self.publish(&basis, &verdicts, &difference, &summary, &phases);
        self.has_failed = end.is_err();
        match end? {
            CycleOutcome::Announced {
                phases: publish, ..
            } => {
                summary.end = CycleEnd::Announced;
                phases.populate_us = publish.populate_us;
                phases.stage_us = publish.stage_us;
                phases.verify_us = publish.verify_us;
                phases.guard_us = publish.guard_us;
                phases.accept_us = publish.accept_us;
                phases.announce_us = publish.announce_us;
                (self.verdicts, self.tally) = (verdicts, tally);
                self.now_floor_ms = now_ms;
            }
            CycleOutcome::RolledBack { reason } => {
                summary.end = CycleEnd::RolledBack {
                    reason: crate::error::reasons(&reason),
                };
            }
            _ => {
                (self.verdicts, self.tally) = (verdicts, tally);
                self.now_floor_ms = now_ms;
            }
        }
        summary.version = self.publisher.version().map(|version| version.0);
        phases.total_us = micros(start);
        summary.phases = phases;
        if let Some(leader) = &mut self.leader {
            let needed = basis.followed.as_ref().map(|followed| (followed, &basis));
            leader.release_all_but(needed, clock_ms);
            let is_kept = !matches!(summary.end, CycleEnd::RolledBack { .. });
            self.last = is_kept.then(|| (basis, summary.clone()));
        }
        Ok(summary)
    }

    /// Takes the verdicts of the newest version, and the time below which `now` must not fall.
    fn restore(&mut self) -> Result<()> {
        self.verdicts = match self.publisher.state() {
            Some(state) => read_verdicts(state),
            None => Verdicts::new(),
        };
        self.tally = Tally::of(&self.verdicts);
        self.now_floor_ms = self.publisher.now_floor_ms().map_err(Error::publish)?;
        Ok(())
    }

    fn summarize(
        &self,
        basis: &Basis,
        verdicts: &Verdicts,
        difference: &Difference,
        tally: &Tally,
    ) -> Result<CycleSummary> {
        let facts = self.inputs.facts();
        let count = |pairs: i64| u64::try_from(pairs).unwrap_or_default();
        let mut blockers: Vec<BlockerCount> = RULES
            .iter()
            .zip(&tally.blocked)
            .filter(|&(_, &pairs)| pairs > 0)
            .map(|(rule, &pairs)| BlockerCount {
                code: rule.code.to_owned(),
                pairs: count(pairs),
            })
            .collect();
        blockers.sort_by(|a, b| (b.pairs, &a.code).cmp(&(a.pairs, &b.code)));
        let is_title = |&&slot: &&liveness::facts::Slot| {
            facts.kind(slot).is_some_and(|kind| kind.parent().is_none())
        };
        Ok(CycleSummary {
            version: None,
            end: CycleEnd::Unchanged,
            now_ms: basis.now_ms,
            followed: basis.followed.clone(),
            inputs: self.inputs.status(basis.now_ms)?,
            videos: verdicts.len() as u64,
            titles: facts.roots().iter().filter(is_title).count() as u64,
            countries: facts.policies().markets().len() as u64,
            pairs: count(tally.pairs),
            live: count(tally.live),
            not_live: count(tally.pairs - tally.live),
            went_live: difference.went_live,
            went_dark: difference.went_dark,
            records_changed: (difference.changed.len() + difference.removed.len()) as u64,
            records_read: 0,
            blockers,
            phases: Phases::default(),
        })
    }

    fn publish(
        &mut self,
        basis: &Basis,
        verdicts: &Verdicts,
        difference: &Difference,
        summary: &CycleSummary,
        phases: &Phases,
    ) -> Result<CycleOutcome> {
        let tags = basis.to_tags();
        let cycle = Cycle {
            now_ms: basis.now_ms,
            kind: CycleKind::Incremental,
        };
        let populated = Populated {
            confirm_tags: tags.clone(),
            tags,
            metadata: metadata(summary, phases),
            defer_internal: false,
            continues: false,
        };
        self.publisher
            .cycle(cycle, |write| {
                write_difference(write, difference, verdicts)?;
                Ok(populated)
            })
            .map_err(Error::publish)
    }
}

/// What goes with the announcement: ages, counts and timings, which are no part of the state.
fn metadata(summary: &CycleSummary, phases: &Phases) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    let mut put = |name: String, value: String| drop(metadata.insert(name, value));
    for input in &summary.inputs {
        put(
            format!("input.{}.age_ms", input.dataset),
            input.age_ms.to_string(),
        );
        if let Some(failure) = &input.failure {
            put(format!("input.{}.failure", input.dataset), failure.clone());
        }
    }
    let counts = [
        ("pairs", summary.pairs),
        ("live", summary.live),
        ("went_live", summary.went_live),
        ("went_dark", summary.went_dark),
        ("records_changed", summary.records_changed),
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

/// The verdicts of a state of `liveness`, by video.
pub(crate) fn read_verdicts(state: &hollow::ReadState) -> Verdicts {
    let all = output::Verdicts::of(state);
    let mut verdicts: Vec<(i64, Arc<Outcome>)> = all
        .iter()
        .flat_map(|all| all.all())
        .map(|(video, outcome)| (video, Arc::new(outcome)))
        .collect();
    verdicts.sort_unstable_by_key(|&(video, _)| video);
    verdicts
}

/// Brings a state of `liveness` to other verdicts: the same calls in the same order, so that a replay
/// writes the same bytes.
pub(crate) fn write_difference(
    write: &mut WriteState,
    difference: &Difference,
    verdicts: &Verdicts,
) -> hollow::Result<()> {
    let mut writer = Writer::new(write)?;
    for &video in &difference.removed {
        writer.remove(video)?;
    }
    for &at in &difference.changed {
        let (video, outcome) = &verdicts[at];
        writer.put(*video, outcome)?;
    }
    Ok(())
}

/// Measures phases; what it says goes into no state.
struct Lap(Instant);

impl Lap {
    fn next(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.0, Instant::now());
        let lap = self.0.duration_since(before).as_micros();
        u64::try_from(lap).unwrap_or(u64::MAX)
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
