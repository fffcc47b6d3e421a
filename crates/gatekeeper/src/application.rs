//! Liveness as an application of [`dataset::evaluate`]: ten inputs become facts, rules decide about every video in every
//! country, and the output holds a verdict for each video.
//!
//! Facts and rules are shared with whoever asks questions of a running gatekeeper ([`Desk`](crate::Desk)): they are locked
//! while they change, which costs by the change, and only shared while everything is evaluated.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use dataset::evaluate::{Application, Change, Decided, InputSpec, Move, Outputs, Taken};
use dataset::{BoxError, Version, View};
use hollow::write::WriteState;
use hollow::{ReadState, Schema};
use liveness::{Configuration, Evaluator, Facts, Fallback, Outcome, Survey};

use crate::basis::Rules;
use crate::evaluation::{Tally, Told, evaluate};
use crate::input::Input;
use crate::output::{self, Known, Writer};
use crate::read::bring;
use crate::replacement::Replacement;
use crate::{Error, Result, titles};

/// The facts of ten inputs, and the rules.
pub struct Liveness {
    memory: Arc<RwLock<Memory>>,
    /// What is kept from cycle to cycle; a replay evaluates from the facts alone.
    survey: Option<Survey>,
    code_revision: String,
    /// The sets that the output holds.
    known: Known,
    /// The totals of the newest accepted version.
    tally: Tally,
    /// What the cycle under way changes.
    change: Told,
    /// What the last cycle told.
    told: Told,
}

/// What verdicts are made of.
pub(crate) struct Memory {
    pub(crate) facts: Facts,
    /// The rules, as they stand to these facts.
    pub(crate) evaluator: Evaluator,
    /// The versions of the inputs that the facts are of.
    pub(crate) inputs: BTreeMap<Input, Version>,
    /// What the videos are called.
    pub(crate) titles: Option<Arc<View>>,
    /// The instant of the last evaluation.
    pub(crate) now_ms: i64,
    /// The newest version of `liveness`, and whether it is what these facts gave.
    pub(crate) published: Option<(Version, bool)>,
}

impl Memory {
    /// The original title of a video; `None` where `titles` has no such record.
    pub(crate) fn title(&self, video: i64) -> Option<String> {
        titles::title(self.titles.as_ref()?, video)
    }
}

impl Liveness {
    /// Without facts yet; `code_revision` is recorded in every state.
    ///
    /// # Errors
    /// [`Error::Rules`] for a configuration that does not fit.
    pub fn new(configuration: &Configuration, code_revision: &str) -> Result<Self> {
        let memory = Memory {
            facts: Facts::new(Fallback::cldr()),
            evaluator: Evaluator::new(configuration)?,
            inputs: BTreeMap::new(),
            titles: None,
            now_ms: 0,
            published: None,
        };
        Ok(Self {
            memory: Arc::new(RwLock::new(memory)),
            survey: None,
            code_revision: code_revision.to_owned(),
            known: Known::default(),
            tally: Tally::default(),
            change: Told::default(),
            told: Told::default(),
        })
    }

    /// As [`Liveness::new`], for cycle after cycle: what holds until a boundary is kept until then.
    pub(crate) fn surveying(configuration: &Configuration, code_revision: &str) -> Result<Self> {
        Ok(Self {
            survey: Some(Survey::new()),
            ..Self::new(configuration, code_revision)?
        })
    }

    /// Decides by these rules from here on.
    ///
    /// # Errors
    /// [`Error::Rules`] for a configuration that does not fit.
    pub fn set_rules(&mut self, configuration: &Configuration) -> Result<()> {
        let memory = &mut *self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if memory.evaluator.configuration() != configuration {
            memory.evaluator = Evaluator::new(configuration)?;
            memory.evaluator.prepare(&memory.facts);
            if let Some(survey) = &mut self.survey {
                *survey = Survey::new();
                survey.prepare(&memory.facts);
            }
        }
        Ok(())
    }

    /// What the last cycle told.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    fn totals(&self) -> Tally {
        self.tally.plus(&self.change.totals)
    }

    /// The fingerprint of the rules.
    pub fn fingerprint(&self) -> String {
        self.read_memory().evaluator.fingerprint().to_owned()
    }

    /// Puts a record in the place of one, in the facts alone: what if it had been so? The facts are not those of the
    /// inputs' versions from then on.
    pub(crate) fn replace(&mut self, replacement: &Replacement, view: &View) -> Result<()> {
        let input = replacement.input;
        let states = replacement.states(view.state()).map_err(Error::output)?;
        let Some((before, after)) = states else {
            return Err(Error::Replacement {
                input,
                key: format!("{:?}", replacement.key),
            });
        };
        let memory = &mut *self.write_memory();
        bring(input, &mut memory.facts, Some(&before), &after, None)?;
        memory.facts.refresh();
        memory.evaluator.prepare(&memory.facts);
        Ok(())
    }

    /// Facts and rules, for questions.
    pub(crate) fn memory(&self) -> &Arc<RwLock<Memory>> {
        &self.memory
    }

    pub(crate) fn read_memory(&self) -> RwLockReadGuard<'_, Memory> {
        read(&self.memory)
    }

    pub(crate) fn write_memory(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks what verdicts are made of, for reading.
pub(crate) fn read(memory: &RwLock<Memory>) -> RwLockReadGuard<'_, Memory> {
    memory.read().unwrap_or_else(PoisonError::into_inner)
}

impl Application for Liveness {
    type Key = i64;
    type Output = Arc<Outcome>;

    fn inputs(&self) -> Vec<InputSpec> {
        let spec = |input: Input| {
            let mut spec = InputSpec::new(input.name());
            if input == Input::Titles {
                spec.options.indexes.insert(input.type_name().to_owned());
            }
            spec
        };
        Input::ALL.into_iter().map(spec).collect()
    }

    fn schemas(&self) -> Vec<Schema> {
        output::schemas()
    }

    fn fresh(&self) -> Result<Self, BoxError> {
        let memory = self.read_memory();
        let configuration = memory.evaluator.configuration();
        Ok(match self.survey {
            Some(_) => Self::surveying(configuration, &self.code_revision)?,
            None => Self::new(configuration, &self.code_revision)?,
        })
    }

    fn take(&mut self, moves: impl Iterator<Item = Move>) -> Result<Taken, BoxError> {
        let mut records = 0;
        let mut taken = Vec::new();
        for moved in moves {
            let Some(input) = Input::from_name(moved.input) else {
                continue;
            };
            let before = moved.before.as_ref().map(|view| view.state());
            let (after, steps) = (moved.after.state(), moved.steps.as_deref());
            // Nobody sees any of it before the facts are refreshed, and nobody waits for an input that is slow.
            let facts = &mut self.write_memory().facts;
            records += bring(input, facts, before, after, steps)?;
            taken.push((input, moved));
        }
        let memory = &mut *self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, is_current)) = &mut memory.published {
            *is_current &= taken.is_empty();
        }
        for (input, moved) in &taken {
            memory.inputs.insert(*input, moved.after.version());
            if *input == Input::Titles {
                memory.titles = Some(Arc::clone(&moved.after));
            }
        }
        memory.facts.refresh();
        let refreshed = Instant::now();
        let (facts, survey) = (&memory.facts, self.survey.as_mut());
        rayon::join(
            || memory.evaluator.prepare(facts),
            || survey.map(|survey| survey.prepare(facts)),
        );
        let prepare_us = u64::try_from(refreshed.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Taken {
            records: records as u64,
            prepare_us,
        })
    }

    fn evaluate(&mut self, now_ms: i64) -> Result<Outputs<Self>, BoxError> {
        self.write_memory().now_ms = now_ms;
        let memory = read(&self.memory);
        Ok(match &mut self.survey {
            Some(survey) => {
                survey.evaluate(&memory.evaluator, &memory.facts, now_ms);
                survey.outcomes(&memory.facts)
            }
            None => evaluate(&memory.evaluator, &memory.facts, now_ms),
        })
    }

    fn reevaluate(&mut self, now_ms: i64) -> Result<Decided<Self>, BoxError> {
        let Some(survey) = &mut self.survey else {
            return self.evaluate(now_ms).map(Decided::All);
        };
        self.memory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .now_ms = now_ms;
        let memory = read(&self.memory);
        let facts = &memory.facts;
        survey.evaluate(&memory.evaluator, facts, now_ms);
        Ok(match survey.changes(facts) {
            Some(changes) => Decided::Changes(changes),
            None => Decided::All(survey.outcomes(facts)),
        })
    }

    fn is_equal(before: &Arc<Outcome>, after: &Arc<Outcome>) -> bool {
        // What a survey kept is the same in memory.
        Arc::ptr_eq(before, after) || before == after
    }

    fn changed(&mut self, changes: &[Change<'_, Arc<Outcome>>]) {
        self.change = Told::of_changes(changes);
    }

    fn settled(&mut self, is_accepted: bool) {
        let change = std::mem::take(&mut self.change);
        let totals = self.tally.plus(&change.totals);
        self.known.settle(is_accepted);
        if is_accepted {
            self.tally.clone_from(&totals);
            if let Some(survey) = &mut self.survey {
                survey.settle();
            }
        }
        self.told = Told { totals, ..change };
    }

    fn read(&self, state: &ReadState) -> Result<Outputs<Self>, BoxError> {
        Ok(output::Verdicts::sorted(state))
    }

    fn write<'a>(
        &mut self,
        write: &mut WriteState,
        removed: &[i64],
        changed: impl Iterator<Item = &'a (i64, Arc<Outcome>)>,
    ) -> Result<(), BoxError> {
        let mut writer = Writer::new(write, &mut self.known)?;
        for &video in removed {
            writer.remove(video)?;
        }
        let changed: Vec<&(i64, Arc<Outcome>)> = changed.collect();
        writer.put(&changed)?;
        Ok(())
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let memory = self.read_memory();
        let rules = Rules {
            configuration: memory.evaluator.configuration().clone(),
            fingerprint: memory.evaluator.fingerprint().to_owned(),
            code_revision: self.code_revision.clone(),
        };
        rules.to_tags()
    }

    fn adopt(&mut self, tags: &BTreeMap<String, String>) -> Result<(), BoxError> {
        let rules = Rules::from_tags(tags).map_err(|tag| format!("no usable tag {tag}"))?;
        Ok(self.set_rules(&rules.configuration)?)
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let (totals, change) = (self.totals(), &self.change);
        let counts = [
            ("pairs", totals.pairs.to_string()),
            ("live", totals.live.to_string()),
            ("went_live", change.went_live.to_string()),
            ("went_dark", change.went_dark.to_string()),
        ];
        let named = |(name, count): (&str, String)| (name.to_owned(), count);
        counts.into_iter().map(named).collect()
    }
}
