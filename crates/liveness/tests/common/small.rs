//! Small random catalogues with all verdicts that their plain definition gives, so that many can be
//! compared, with the evaluator as it is and with evaluators that are wrong on purpose.

use std::collections::BTreeMap;

use liveness::configuration::{Configuration, RuleConfiguration, Value};
use liveness::{
    BlockerSet, Country, Evaluator, Facts, Group, NextChange, Outcome, RULES, Scratch, Survey,
    TrackName, TrackSet,
};

use super::Random;
use super::oracle::{Oracle, Setup, Tracks, parents};
use super::world::{COUNTRIES, SMALL, World};

/// What must be found for a pair at an instant.
#[derive(PartialEq, Debug)]
pub(crate) struct Known {
    pub(crate) live: bool,
    pub(crate) blockers: BlockerSet,
    pub(crate) tracks: TrackSet,
    pub(crate) next: Option<NextChange>,
}

impl Known {
    /// What was found for the countries of a group.
    pub(crate) fn of(group: &Group) -> Self {
        Self {
            live: group.live,
            blockers: group.blockers,
            tracks: group.tracks.clone(),
            next: group.next.clone(),
        }
    }
}

/// A catalogue with its rules' settings.
pub(crate) struct Small {
    pub(crate) world: World,
    configuration: Configuration,
    /// Every instant at which something begins or ends, and the one before.
    pub(crate) instants: Vec<i64>,
    /// By pair: what must be found, by instant.
    pub(crate) expected: BTreeMap<(i64, Country), Vec<Known>>,
}

impl Small {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random(seed + 3_000_000);
        let world = World::shaped(&SMALL, &mut random);
        let (setup, configuration) = random_setup(&mut random);
        let oracle = Oracle {
            world: &world,
            setup: &setup,
            parents: parents(),
        };
        let instants = world.instants();
        let mut expected = BTreeMap::new();
        for &video in world.titles.keys() {
            for code in COUNTRIES {
                if let Some(known) = history(&oracle, video, code, &instants) {
                    expected.insert((video, Country::from_code(code).unwrap()), known);
                }
            }
        }
        Self {
            world,
            configuration,
            instants,
            expected,
        }
    }

    /// The evaluator with the rules' settings; knows no facts yet.
    pub(crate) fn evaluator(&self) -> Evaluator {
        Evaluator::new(&self.configuration).unwrap()
    }

    /// Compares with an evaluator's outcomes, changed by `change`, at every instant; the first
    /// difference in words.
    pub(crate) fn compare(
        &self,
        facts: &Facts,
        mut evaluator: Evaluator,
        change: impl Fn(&mut Outcome),
    ) -> Result<(), String> {
        evaluator.prepare(facts);
        let evaluate = |now: i64, visit: &mut dyn FnMut(i64, &Outcome)| {
            let mut scratch = Scratch::default();
            evaluator.evaluate(facts, facts.roots(), now, &mut scratch, |slot, outcome| {
                visit(facts.video(slot), outcome);
            });
        };
        self.compare_by(evaluate, change)
    }

    /// The same with a survey, which keeps what holds from one instant to the next, and tells what came out
    /// otherwise than when it was settled last: now and then.
    pub(crate) fn compare_survey(&self, facts: &Facts) -> Result<(), String> {
        let mut evaluator = self.evaluator();
        evaluator.prepare(facts);
        let mut survey = Survey::new();
        survey.prepare(facts);
        let mut known = Vec::new();
        let evaluate = |now: i64, visit: &mut dyn FnMut(i64, &Outcome)| {
            survey.evaluate(&evaluator, facts, now);
            match survey.changes(facts) {
                None => known = survey.outcomes(facts),
                Some(changes) => {
                    for (video, outcome) in changes {
                        let place = known.binary_search_by_key(&video, |(video, _)| *video);
                        known[place.unwrap()].1 = outcome;
                    }
                }
            }
            if now % 3 == 0 {
                survey.settle();
            }
            for (video, outcome) in &known {
                visit(*video, outcome);
            }
        };
        self.compare_by(evaluate, |_| {})
    }

    fn compare_by(
        &self,
        mut evaluate: impl FnMut(i64, &mut dyn FnMut(i64, &Outcome)),
        change: impl Fn(&mut Outcome),
    ) -> Result<(), String> {
        for (at, &now) in self.instants.iter().enumerate() {
            let mut difference = None;
            let mut pairs = 0;
            evaluate(now, &mut |video, outcome| {
                let mut outcome = Outcome::clone(outcome);
                change(&mut outcome);
                pairs += self.pair_off(at, video, &outcome, &mut difference);
            });
            if pairs != self.expected.len() {
                let wanted = self.expected.len();
                difference.get_or_insert(format!("{pairs} pairs instead of {wanted}"));
            }
            if let Some(difference) = difference {
                return Err(format!("at {now}: {difference}"));
            }
        }
        Ok(())
    }

    fn pair_off(
        &self,
        at: usize,
        video: i64,
        outcome: &Outcome,
        difference: &mut Option<String>,
    ) -> usize {
        let mut pairs = 0;
        for group in &outcome.groups {
            let found = Known::of(group);
            for country in group.countries.iter() {
                pairs += 1;
                let wanted = self.expected.get(&(video, country)).map(|all| &all[at]);
                if wanted != Some(&found) && difference.is_none() {
                    *difference = Some(format!(
                        "{video} in {country} is {found:?} and should be {wanted:?}"
                    ));
                }
            }
        }
        pairs
    }
}

/// What must be found for a pair at each instant; `None` if it is not evaluated.
pub(crate) fn history(
    oracle: &Oracle<'_>,
    video: i64,
    code: &str,
    instants: &[i64],
) -> Option<Vec<Known>> {
    let mut known = Vec::with_capacity(instants.len());
    for &at in instants {
        let verdict = oracle.verdict(video, code, at)?;
        known.push(Known {
            live: verdict.live,
            blockers: BlockerSet::from_codes(verdict.blockers.iter().map(String::as_str)),
            tracks: track_set(&verdict.tracks),
            next: None,
        });
    }
    for at in 0..known.len() {
        let (now, later) = known[at..].split_first_mut().unwrap();
        let then = later
            .iter()
            .position(|then| (then.live, &then.tracks) != (now.live, &now.tracks));
        now.next = then.map(|then| NextChange {
            at: instants[at + 1 + then],
            live: later[then].live,
            tracks: later[then].tracks.clone(),
        });
    }
    Some(known)
}

fn track_set(tracks: &Tracks) -> TrackSet {
    let tracks = tracks.iter().map(|(kind, language)| TrackName {
        kind: *kind,
        language: language.as_str().into(),
    });
    TrackSet::new(tracks.collect())
}

/// Settings of all rules, for both sides.
pub(crate) fn random_setup(random: &mut Random) -> (Setup, Configuration) {
    let mut setup = Setup::default();
    let mut configuration = Configuration::default();
    let list = |random: &mut Random, among: &[&str]| -> Vec<String> {
        random.some(among, 15).into_iter().collect()
    };
    setup.formats = list(random, &["poster", "still"]);
    setup.profiles = list(random, &["hd-avc", "uhd-hevc"]);
    setup.drm = list(random, &["widevine", "playready"]);
    for rule in RULES {
        let enabled = random.chance(95);
        if !enabled {
            setup.off.insert(rule.code.to_owned());
        }
        let mut parameters = BTreeMap::new();
        for parameter in rule.parameters {
            let value = match (parameter.name, (parameter.default)()) {
                ("fallback", Value::Flag(default)) => {
                    let flag = default ^ random.chance(30);
                    setup.fallback.insert(rule.code.to_owned(), flag);
                    Value::Flag(flag)
                }
                ("formats", _) => Value::Names(setup.formats.clone()),
                ("profiles", _) => Value::Names(setup.profiles.clone()),
                ("drm", _) => Value::Names(setup.drm.clone()),
                (name, _) => panic!("the oracle does not know the parameter {name}"),
            };
            parameters.insert(parameter.name.to_owned(), value);
        }
        let rule_configuration = RuleConfiguration {
            enabled,
            parameters,
        };
        configuration
            .rules
            .insert(rule.code.to_owned(), rule_configuration);
    }
    (setup, configuration)
}
