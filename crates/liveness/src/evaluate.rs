//! Evaluating every video in all countries at once.
//!
//! What a rule says about texts, ratings, tracks, artwork or encodes does not depend on time, so
//! it is asked once per distinct value and remembered ([`Evaluator::prepare`]); rights, holds and
//! licences are asked at the evaluation's instant, and at every later instant at which a window or
//! a hold begins or ends, which gives the next change. A season's and a show's verdicts follow
//! from their children's, the future included. Videos with the same facts have the same verdict
//! and are evaluated once per [`Scratch`].

use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::Result;
use crate::collection::Collector;
use crate::configuration::{Configuration, Settings};
use crate::country::CountrySet;
use crate::facts::{Facts, Key, Slot, Speech, Window};
use crate::grouping::Grouping;
use crate::licence::{self, Latest};
use crate::passing;
use crate::rule::{Applies, Check, Heard, Rule, Terms};
use crate::rules::ALL;
use crate::verdict::{Moment, Outcome};

/// How many values one task looks at.
const CHUNK: usize = 512;

/// A rule that is on.
pub(crate) struct Active {
    pub(crate) place: usize,
    pub(crate) rule: &'static Rule,
    /// The rule's own, unless a test put another in its place.
    pub(crate) check: Check,
    settings: Settings,
    /// The countries it blocks, by the number of the value it looks at.
    table: Vec<CountrySet>,
}

/// How far the tables have come, by pool.
#[derive(Clone, Copy, Default)]
struct Seen {
    ratings: u64,
    texts: u64,
    speech: u64,
    artwork: u64,
    streams: u64,
}

/// The rules as configured, with what they said about facts seen so far. Belongs to one [`Facts`].
pub struct Evaluator {
    pub(crate) active: Vec<Active>,
    configuration: Configuration,
    fingerprint: String,
    seen: Seen,
    policies_stamp: u64,
}

/// What rules about licences block of the tracks that were asked about last, in their order.
pub(crate) type Asked = Latest<Vec<CountrySet>>;

/// What a rule asks of licensed tracks.
type CheckHeard = fn(&Heard<'_>, &Terms<'_>) -> CountrySet;

/// Verdicts of one evaluation by facts, so that videos with the same facts share one.
#[derive(Default)]
pub struct Scratch {
    played: HashMap<Key, Arc<Outcome>>,
    collector: Collector<'static>,
    room: Room,
}

/// Room for what one draft after the other needs.
#[derive(Default)]
pub(crate) struct Room {
    instants: Vec<i64>,
    blocked: Vec<(usize, CountrySet)>,
    asked: Asked,
}

/// What is known of a played video before its countries are grouped.
pub(crate) struct Draft {
    /// Which countries each rule blocks now, by place.
    pub(crate) blocked: Box<[(usize, CountrySet)]>,
    /// What is live from now on, and from every later instant on at which that may change.
    pub(crate) timeline: Vec<Moment>,
}

impl Evaluator {
    /// The rules of a configuration.
    ///
    /// # Errors
    /// As [`Configuration::complete`].
    pub fn new(configuration: &Configuration) -> Result<Self> {
        let configuration = configuration.complete()?;
        let fingerprint = configuration.fingerprint()?;
        let active = ALL
            .iter()
            .enumerate()
            .filter(|(_, rule)| configuration.rules[rule.code].enabled)
            .map(|(place, rule)| Active {
                place,
                rule,
                check: rule.check,
                settings: Settings::new(configuration.rules[rule.code].parameters.clone()),
                table: Vec::new(),
            })
            .collect();
        Ok(Self {
            active,
            configuration,
            fingerprint,
            seen: Seen::default(),
            policies_stamp: 0,
        })
    }

    /// The same rules, but one of them (if it is on) asks something else: for tests that must notice.
    #[doc(hidden)]
    #[must_use]
    pub fn with_check(mut self, code: &str, check: Check) -> Self {
        for active in &mut self.active {
            if active.rule.code == code {
                active.check = check;
            }
        }
        self
    }

    /// The configuration, complete.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The configuration's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Brings the tables up to date with the facts; cost follows the values that are new. Needed
    /// after every [`Facts::refresh`].
    pub fn prepare(&mut self, facts: &Facts) {
        if facts.policies_stamp() != self.policies_stamp {
            self.policies_stamp = facts.policies_stamp();
            self.seen = Seen::default();
        }
        let seen = self.seen;
        let pools = &facts.pools;
        // Looked for once, and not by every rule.
        let ratings: Vec<_> = pools.ratings.newer(seen.ratings).collect();
        let texts: Vec<_> = pools.texts.newer(seen.texts).collect();
        let speech: Vec<_> = pools.speech.newer(seen.speech).collect();
        let artwork: Vec<_> = pools.artwork.newer(seen.artwork).collect();
        let streams: Vec<_> = pools.streams.newer(seen.streams).collect();
        for active in &mut self.active {
            let terms = Terms {
                policies: facts.policies(),
                languages: &facts.languages,
                names: &facts.names,
                settings: &active.settings,
            };
            let table = &mut active.table;
            match active.check {
                Check::Ratings(check) => fill(table, &ratings, |ratings| check(ratings, &terms)),
                Check::Texts(check) => fill(table, &texts, |texts| check(texts, &terms)),
                Check::Speech(check) | Check::Licences(check) => {
                    fill(table, &speech, |speech| {
                        check(&all_licensed(speech), &terms)
                    });
                }
                Check::Artwork(check) => fill(table, &artwork, |artwork| check(artwork, &terms)),
                Check::Streams(check) => fill(table, &streams, |streams| check(streams, &terms)),
                Check::Ancestry(_) | Check::Children(_) | Check::Rights(_) | Check::Holds(_) => {}
            }
        }
        self.seen = Seen {
            ratings: pools.ratings.stamp(),
            texts: pools.texts.stamp(),
            speech: pools.speech.stamp(),
            artwork: pools.artwork.stamp(),
            streams: pools.streams.stamp(),
        };
    }

    /// Evaluates what hangs from some roots ([`Facts::roots`]) at an instant, and gives every
    /// video's outcome to `visit`, children before parents. The facts are those of the last
    /// [`Evaluator::prepare`]; a scratch serves one instant.
    pub fn evaluate(
        &self,
        facts: &Facts,
        roots: &[Slot],
        now: i64,
        scratch: &mut Scratch,
        mut visit: impl FnMut(Slot, &Arc<Outcome>),
    ) {
        for &root in roots {
            self.outcome(facts, root, now, scratch, &mut visit);
        }
    }

    /// The outcome of one video with what hangs from it.
    pub(crate) fn outcome(
        &self,
        facts: &Facts,
        slot: Slot,
        now: i64,
        scratch: &mut Scratch,
        visit: &mut impl FnMut(Slot, &Arc<Outcome>),
    ) -> Arc<Outcome> {
        let row = facts.row(slot);
        let outcome = match row.is_played() {
            true => self.played(facts, row.to_key(), now, scratch),
            false => {
                let children: Vec<Arc<Outcome>> = facts
                    .children(slot)
                    .map(|child| self.outcome(facts, child, now, scratch, visit))
                    .collect();
                let (key, parts) = (row.to_key(), children.iter().collect());
                let collector = &mut scratch.collector;
                self.collection(facts, &key, children.len(), parts, now, collector)
            }
        };
        visit(slot, &outcome);
        outcome
    }

    fn played(&self, facts: &Facts, key: Key, now: i64, scratch: &mut Scratch) -> Arc<Outcome> {
        if let Some(outcome) = scratch.played.get(&key) {
            return outcome.clone();
        }
        let mut draft = self.draft(facts, &key, now, &mut scratch.room);
        let Collector {
            tracks, grouping, ..
        } = &mut scratch.collector;
        tracks.fill_in(facts, &key, &mut draft.timeline);
        let outcome = Arc::new(self.finish(facts, draft, grouping));
        scratch.played.insert(key, outcome.clone());
        outcome
    }

    /// Which countries a played video is blocked in now, by rule, and where it will be live.
    pub(crate) fn draft(&self, facts: &Facts, key: &Key, now: i64, room: &mut Room) -> Draft {
        let Room {
            instants,
            blocked,
            asked,
        } = room;
        let markets = facts.policies().markets();
        let mut possible = markets;
        let mut live = markets;
        blocked.clear();
        let mut add = |place: usize, by: CountrySet| {
            let by = by & markets;
            if !by.is_empty() {
                live = live - by;
                blocked.push((place, by));
            }
        };
        for active in self.rules(Applies::Played) {
            match self.lasting(facts, active, key) {
                Some(by) => {
                    possible = possible - by;
                    add(active.place, by);
                }
                None => add(active.place, passing::block(facts, active, key, now)),
            }
        }
        self.unlicensed(facts, key, now, asked, add);
        instants.clear();
        if !possible.is_empty() {
            passing::boundaries(facts, key, now, instants);
        }
        let moment = |at: i64, live: CountrySet| Moment {
            at,
            live,
            tracks: Vec::new(),
        };
        let mut timeline = Vec::with_capacity(1 + instants.len());
        timeline.push(moment(now, live));
        let windows = facts.pools.rights.get(key.ids.rights);
        let is_limited = windows.iter().any(|window| window.languages.is_some());
        for &at in &*instants {
            let before =
                std::mem::replace(&mut live, possible - self.passing(facts, key, at, asked));
            // Which tracks are live changes with the languages that are licensed, or not at all.
            if live != before || (is_limited && !live.is_empty()) {
                timeline.push(moment(at, live));
            }
        }
        Draft {
            blocked: Box::from(&blocked[..]),
            timeline,
        }
    }

    /// The countries that windows block at an instant, by the number of the windows.
    pub(crate) fn rights_at(&self, facts: &Facts, at: i64) -> Vec<CountrySet> {
        self.blocked_at(
            facts,
            facts.pools.rights.values(),
            at,
            |check| match check {
                Check::Rights(check) => Some(check),
                _ => None,
            },
        )
    }

    /// The countries that holds block at an instant, by the number of the holds.
    pub(crate) fn holds_at(&self, facts: &Facts, at: i64) -> Vec<CountrySet> {
        self.blocked_at(facts, facts.pools.holds.values(), at, |check| match check {
            Check::Holds(check) => Some(check),
            _ => None,
        })
    }

    /// The countries that some checks block at an instant, for each of the values that they look at.
    fn blocked_at<T: Send + Sync>(
        &self,
        facts: &Facts,
        values: &[Arc<[T]>],
        at: i64,
        check: impl Fn(Check) -> Option<fn(&[T], i64, &Terms<'_>) -> CountrySet>,
    ) -> Vec<CountrySet> {
        let rules: Vec<_> = self
            .rules(Applies::Played)
            .filter_map(|active| Some((check(active.check)?, active.terms(facts))))
            .collect();
        let blocked = |value: &Arc<[T]>| {
            let by = rules.iter().map(|(check, terms)| check(value, at, terms));
            by.fold(CountrySet::EMPTY, |all, by| all | by)
        };
        let values = values.par_iter();
        values.with_min_len(CHUNK).map(blocked).collect()
    }

    /// The countries in which a played video is blocked at an instant by anything but that no window
    /// is open or a hold is active.
    pub(crate) fn blocked_besides(
        &self,
        facts: &Facts,
        key: &Key,
        at: i64,
        asked: &mut Asked,
    ) -> CountrySet {
        let by = self.rules(Applies::Played);
        let by = by.filter_map(|active| self.lasting(facts, active, key));
        let mut blocked = by.fold(CountrySet::EMPTY, |all, by| all | by);
        self.unlicensed(facts, key, at, asked, |_, by| blocked |= by);
        blocked
    }

    /// The countries in which a played video is blocked at an instant because what would do is not licensed, by the rule's place.
    fn unlicensed(
        &self,
        facts: &Facts,
        key: &Key,
        at: i64,
        asked: &mut Asked,
        mut each: impl FnMut(usize, CountrySet),
    ) {
        let windows: &[Window] = facts.pools.rights.get(key.ids.rights);
        let limits = |window: &Window| window.languages.is_some() && window.is_open(at);
        if !windows.iter().any(limits) {
            return;
        }
        let rules = || {
            let rules = self.rules(Applies::Played);
            rules.filter_map(|active| match active.check {
                Check::Licences(check) => Some((active, check)),
                _ => None,
            })
        };
        let speech = facts.pools.speech.get(key.speech);
        let mut blocked = [CountrySet::EMPTY; ALL.len()];
        licence::regions(windows, at, CountrySet::all(), |licensed, region| {
            if licensed.is_none() {
                return;
            }
            let ask = || {
                let answer = |(active, check): (&Active, CheckHeard)| {
                    let if_all = active.table.get(key.speech as usize).copied();
                    let heard = Heard { speech, licensed };
                    check(&heard, &active.terms(facts)) - if_all.unwrap_or_default()
                };
                rules().map(answer).collect()
            };
            let answers = asked.answer(key.speech, licensed, ask);
            for ((active, _), by) in rules().zip(answers) {
                blocked[active.place] |= *by & region;
            }
        });
        for (active, _) in rules() {
            each(active.place, blocked[active.place]);
        }
    }

    /// Groups the countries of a played video.
    pub(crate) fn finish(&self, facts: &Facts, draft: Draft, grouping: &mut Grouping) -> Outcome {
        let Draft { blocked, timeline } = draft;
        grouping.outcome(facts.policies().markets(), &blocked, Arc::from(timeline))
    }

    /// What rules about windows, holds and licences block of a played video at an instant.
    fn passing(&self, facts: &Facts, key: &Key, at: i64, asked: &mut Asked) -> CountrySet {
        let rules = self.rules(Applies::Played);
        let by = rules.map(|active| passing::block(facts, active, key, at));
        let mut blocked = by.fold(CountrySet::EMPTY, |all, by| all | by);
        self.unlicensed(facts, key, at, asked, |_, by| blocked |= by);
        blocked
    }

    fn rules(&self, applies: Applies) -> impl Iterator<Item = &Active> {
        self.active
            .iter()
            .filter(move |active| [applies, Applies::Every].contains(&active.rule.applies))
    }

    /// What a rule blocks as long as the facts stay; `None` if that depends on time or children.
    pub(crate) fn lasting(&self, facts: &Facts, active: &Active, key: &Key) -> Option<CountrySet> {
        let id = match active.check {
            Check::Ancestry(check) => return Some(check(key.orphan, &active.terms(facts))),
            Check::Ratings(_) => key.ids.ratings,
            Check::Texts(_) => key.ids.texts,
            Check::Speech(_) => key.speech,
            Check::Artwork(_) => key.ids.artwork,
            Check::Streams(_) => key.ids.streams,
            Check::Children(_) | Check::Rights(_) | Check::Holds(_) | Check::Licences(_) => {
                return None;
            }
        };
        Some(active.table.get(id as usize).copied().unwrap_or_default())
    }

    pub(crate) fn settings(&self, place: usize) -> Option<&Settings> {
        let active = self.active.iter().find(|active| active.place == place);
        active.map(|active| &active.settings)
    }
}

impl Active {
    pub(crate) fn terms<'a>(&'a self, facts: &'a Facts) -> Terms<'a> {
        Terms {
            policies: facts.policies(),
            languages: &facts.languages,
            names: &facts.names,
            settings: &self.settings,
        }
    }
}

/// How many values one task looks at, at least.
const VALUES: usize = 64;

/// Puts what a rule blocks for some values into its table, by their numbers.
fn fill<T: Sync>(
    table: &mut Vec<CountrySet>,
    newer: &[(u32, &T)],
    check: impl Fn(&T) -> CountrySet + Sync,
) {
    let blocked = newer.par_iter().with_min_len(VALUES);
    let blocked: Vec<CountrySet> = blocked.map(|(_, value)| check(value)).collect();
    for (&(id, _), blocked) in newer.iter().zip(blocked) {
        if table.len() <= id as usize {
            table.resize(id as usize + 1, CountrySet::EMPTY);
        }
        table[id as usize] = blocked;
    }
}

fn all_licensed(speech: &Speech) -> Heard<'_> {
    Heard {
        speech,
        licensed: None,
    }
}
