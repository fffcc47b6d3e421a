//! The gatekeeper: liveness, evaluated cycle by cycle.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::evaluate::{Evaluated, Evaluator, EvaluatorOptions, Follow, Outcome};
use dataset::{DatasetName, Guard, PublisherOptions, Version};
use liveness::{Configuration, RULES};
use registry::Registry;

use crate::Result;
use crate::application::Liveness;
use crate::desk::Desk;
use crate::summary::{BlockerCount, CycleEnd, CycleSummary, Phases};

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
    evaluator: Evaluator<Liveness>,
    /// What the last cycle told.
    last: Option<CycleSummary>,
}

impl Gatekeeper {
    /// Takes over `liveness` of an environment and goes on where its newest version stands.
    ///
    /// # Errors
    /// [`Error::Rules`](crate::Error::Rules) for a configuration that does not fit; [`Error::Dataset`](crate::Error::Dataset).
    pub fn open(
        options: GatekeeperOptions,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
        now_ms: i64,
    ) -> Result<Self> {
        let liveness = Liveness::surveying(&options.configuration, &options.code_revision)?;
        let options = EvaluatorOptions {
            output: options.output,
            follow: options.follow,
            publisher: options.publisher,
        };
        let evaluator = Evaluator::open(liveness, options, store, registry, now_ms)?;
        Ok(Self {
            evaluator,
            last: None,
        })
    }

    /// Adds a guard in front of every acceptance.
    pub fn add_guard(&mut self, guard: Box<dyn Guard>) {
        self.evaluator.add_guard(guard);
    }

    /// Answers questions while cycles run.
    pub fn desk(&self) -> Desk {
        Desk::of(self.evaluator.application())
    }

    /// The fingerprint of the rules in use.
    pub fn fingerprint(&self) -> String {
        self.evaluator.application().fingerprint()
    }

    /// The newest version of `liveness`.
    pub fn version(&self) -> Option<Version> {
        self.evaluator.version()
    }

    /// Shows that this owner lives; to be called every few seconds where a standby may wait.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset); lost ownership means: stop.
    pub fn renew(&self, now_ms: i64) -> Result<()> {
        Ok(self.evaluator.renew(now_ms)?)
    }

    /// Gives up the ownership, and a follower's leases.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset).
    pub fn resign(self, now_ms: i64) -> Result<()> {
        Ok(self.evaluator.resign(now_ms)?)
    }

    /// Runs one cycle at the clock's `clock_ms`; the cycle's `now` is that, or the newest accepted
    /// or confirmed one if the clock is behind it. A follower's is that of what it follows, and its
    /// cycle is [idle](CycleEnd::Idle) where there is nothing new to follow.
    ///
    /// # Errors
    /// Where inputs have no state yet, or there is nothing to follow, try again later
    /// ([`Error::is_waiting`](crate::Error::is_waiting)). After any other error the next cycle recovers by itself, unless the
    /// ownership is lost ([`Error::is_lost`](crate::Error::is_lost)).
    pub fn cycle(&mut self, clock_ms: i64) -> Result<CycleSummary> {
        let evaluated = self.evaluator.cycle(clock_ms)?;
        if let (Outcome::Idle, Some(last)) = (&evaluated.outcome, &self.last) {
            return Ok(CycleSummary {
                end: CycleEnd::Idle,
                phases: Phases::default(),
                ..last.clone()
            });
        }
        let is_published = !matches!(evaluated.outcome, Outcome::RolledBack { .. });
        let published = evaluated.version.map(|version| (version, is_published));
        self.evaluator.application().write_memory().published = published;
        let summary = self.summarize(evaluated);
        self.last = Some(summary.clone());
        Ok(summary)
    }

    fn summarize(&self, evaluated: Evaluated) -> CycleSummary {
        let liveness = self.evaluator.application();
        let (memory, told) = (liveness.read_memory(), liveness.told());
        let (facts, tally) = (&memory.facts, &told.totals);
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
        CycleSummary {
            version: evaluated.version.map(|version| version.0),
            end: match evaluated.outcome {
                Outcome::Announced => CycleEnd::Announced,
                Outcome::Unchanged => CycleEnd::Unchanged,
                Outcome::Idle => CycleEnd::Idle,
                Outcome::RolledBack { reason } => CycleEnd::RolledBack { reason },
            },
            now_ms: evaluated.basis.now_ms,
            followed: evaluated.basis.followed,
            inputs: evaluated.inputs,
            videos: evaluated.keys,
            titles: facts.roots().iter().filter(is_title).count() as u64,
            countries: facts.policies().markets().len() as u64,
            pairs: count(tally.pairs),
            live: count(tally.live),
            not_live: count(tally.pairs - tally.live),
            went_live: told.went_live,
            went_dark: told.went_dark,
            records_changed: evaluated.records_changed,
            records_read: evaluated.records_read,
            blockers,
            phases: Phases::of(&evaluated.phases),
        }
    }
}
