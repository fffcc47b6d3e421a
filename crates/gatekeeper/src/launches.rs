//! What will launch by itself, and what is held back from launching.
//!
//! The timelines of the verdicts say when a video goes live with no change but time. Beside them, the
//! same facts are evaluated under the rights alone: where these open and the verdict does not follow,
//! a launch is blocked, and the rules at that instant say by what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dataset::evaluate::When;
use liveness::facts::Slot;
use liveness::record::Kind;
use liveness::{
    Check, Configuration, CountrySet, Evaluator, Facts, Instant, Outcome, RULES, Scratch,
};
use serde::Serialize;

use crate::Result;
use crate::evaluation::{Verdicts, evaluate};
use crate::why::Explainer;

/// Launches to come, the most important first: by hours viewed of the title, then by instant.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Launches {
    /// The version of `liveness`.
    pub version: i64,
    /// The instant from which on, RFC 3339.
    pub now: String,
    /// The instant up to which, itself included, RFC 3339.
    pub until: String,
    /// What launches or should.
    pub launches: Vec<Launch>,
}

/// A video and an instant at which it goes live in some countries, or its rights open there.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Launch {
    /// The video: of a family, the topmost one that goes live then.
    pub video: i64,
    /// What it is.
    pub kind: Option<&'static str>,
    /// Its original title.
    pub title: String,
    /// The original title of the show that it belongs to; `None` where it is a title itself.
    pub of: Option<String>,
    /// The hours that the title was viewed.
    pub hours_viewed: i64,
    /// The instant, RFC 3339.
    pub at: String,
    /// The same in milliseconds since 1970.
    pub at_ms: i64,
    /// The countries, by code.
    pub countries: Vec<&'static str>,
    /// What holds it back then; empty where it launches by itself.
    pub blockers: Vec<LaunchBlocker>,
}

/// What holds a launch back.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LaunchBlocker {
    /// The rule's code.
    pub code: &'static str,
    /// The team that can fix it.
    pub owner: &'static str,
    /// What would fix it.
    pub fix: &'static str,
    /// In which of the launch's countries, by code.
    pub countries: Vec<&'static str>,
}

/// A launch as it is found.
struct Found {
    slot: Slot,
    root: Slot,
    at: i64,
    countries: CountrySet,
    is_blocked: bool,
}

/// From which instant on a video is live in countries in which it was not before.
type Openings = Vec<(i64, CountrySet)>;

impl Explainer {
    /// What goes live by itself from now up to `within_ms` later in some of `countries`, and what does
    /// not although its rights begin. Now is the instant of the newest state or its confirmation.
    ///
    /// # Errors
    /// As [`Explainer::go`].
    pub fn launches(&mut self, within_ms: i64, countries: CountrySet) -> Result<Launches> {
        let (version, basis) = self.go(When::Newest)?;
        let memory = self.memory();
        let (rules, facts) = (&memory.evaluator, &memory.facts);
        let mut rights = Evaluator::new(&rights_alone(&basis.configuration))?;
        rights.prepare(facts);
        let until = basis.now_ms.saturating_add(within_ms.max(0));
        let search = Search {
            facts,
            verdicts: evaluate(rules, facts, basis.now_ms),
            rights: evaluate(&rights, facts, basis.now_ms),
            until,
            countries,
        };
        let mut found = Vec::new();
        for &root in facts.roots() {
            search.family(root, root, &[], &[], &mut found);
        }
        found.sort_by_key(|found| {
            let important = Reverse(facts.hours_viewed(found.root));
            (
                important,
                found.at,
                found.root,
                found.slot,
                found.is_blocked,
            )
        });
        let then = blocked_then(rules, facts, &found);
        let title = |slot| memory.title(facts.video(slot)).unwrap_or_default();
        let launches = found
            .iter()
            .map(|found| Launch {
                video: facts.video(found.slot),
                kind: facts.kind(found.slot).map(Kind::name),
                title: title(found.slot),
                of: (found.slot != found.root).then(|| title(found.root)),
                hours_viewed: facts.hours_viewed(found.root),
                at: Instant(found.at).to_string(),
                at_ms: found.at,
                countries: codes(found.countries),
                blockers: match found.is_blocked {
                    true => blockers(&then[&(found.at, found.slot)], found.countries),
                    false => Vec::new(),
                },
            })
            .collect();
        Ok(Launches {
            version: version.0,
            now: Instant(basis.now_ms).to_string(),
            until: Instant(until).to_string(),
            launches,
        })
    }
}

/// The same configuration with all rules off but those about windows.
fn rights_alone(configuration: &Configuration) -> Configuration {
    let mut alone = configuration.clone();
    for rule in RULES {
        if !matches!(rule.check, Check::Rights(_))
            && let Some(rule) = alone.rules.get_mut(rule.code)
        {
            rule.enabled = false;
        }
    }
    alone
}

struct Search<'a> {
    facts: &'a Facts,
    /// By the rules, with what comes.
    verdicts: Verdicts,
    /// By the rights alone.
    rights: Verdicts,
    until: i64,
    countries: CountrySet,
}

impl Search<'_> {
    /// Finds the launches of a video and of what belongs to it. What launches with the video is not
    /// told again of its parts: `launched` and `opened` are what the videos above have.
    fn family(
        &self,
        slot: Slot,
        root: Slot,
        launched: &[(i64, CountrySet)],
        opened: &[(i64, CountrySet)],
        found: &mut Vec<Found>,
    ) {
        let verdict = of(&self.verdicts, self.facts.video(slot));
        let launches = self.openings(verdict);
        let in_time = launches
            .iter()
            .fold(CountrySet::EMPTY, |all, &(_, countries)| all | countries);
        let mut blocked = self.openings(of(&self.rights, self.facts.video(slot)));
        for (at, countries) in &mut blocked {
            *countries =
                *countries - in_time - verdict.map_or(CountrySet::EMPTY, |v| v.live_at(*at));
        }
        let mut tell = |openings: &Openings, above: &[(i64, CountrySet)], is_blocked| {
            for &(at, countries) in openings {
                let told = above.iter().filter(|&&(other, _)| other == at);
                let told = told.fold(CountrySet::EMPTY, |all, &(_, countries)| all | countries);
                if !(countries - told).is_empty() {
                    found.push(Found {
                        slot,
                        root,
                        at,
                        countries: countries - told,
                        is_blocked,
                    });
                }
            }
        };
        tell(&launches, launched, false);
        tell(&blocked, opened, true);
        let launched = [&launches, launched].concat();
        let opened = [&blocked, opened].concat();
        for child in self.facts.children(slot) {
            self.family(child, root, &launched, &opened, found);
        }
    }

    /// Where and when a video goes live in the time asked about.
    fn openings(&self, outcome: Option<&Arc<Outcome>>) -> Openings {
        let timeline = outcome.map_or(&[][..], |outcome| outcome.timeline());
        let steps = timeline
            .windows(2)
            .map(|step| (step[1].at, step[1].live - step[0].live));
        steps
            .take_while(|&(at, _)| at <= self.until)
            .map(|(at, countries)| (at, countries & self.countries))
            .filter(|(_, countries)| !countries.is_empty())
            .collect()
    }
}

/// The outcome of a video.
fn of(verdicts: &Verdicts, video: i64) -> Option<&Arc<Outcome>> {
    let at = verdicts.binary_search_by_key(&video, |&(video, _)| video);
    at.ok().map(|at| &verdicts[at].1)
}

/// The outcomes of blocked launches at their instants: each family is evaluated once per instant.
fn blocked_then(
    rules: &Evaluator,
    facts: &Facts,
    found: &[Found],
) -> HashMap<(i64, Slot), Arc<Outcome>> {
    let mut wanted: BTreeMap<i64, BTreeSet<Slot>> = BTreeMap::new();
    for found in found.iter().filter(|found| found.is_blocked) {
        wanted.entry(found.at).or_default().insert(found.root);
    }
    let mut then = HashMap::new();
    for (at, roots) in wanted {
        let roots: Vec<Slot> = roots.into_iter().collect();
        let mut scratch = Scratch::default();
        rules.evaluate(facts, &roots, at, &mut scratch, |slot, outcome| {
            then.insert((at, slot), Arc::clone(outcome));
        });
    }
    then
}

/// What blocks in some countries, in the order of the rules.
fn blockers(outcome: &Outcome, among: CountrySet) -> Vec<LaunchBlocker> {
    let mut blocked: BTreeMap<usize, CountrySet> = BTreeMap::new();
    for group in &outcome.groups {
        for place in group.blockers.places() {
            *blocked.entry(place).or_default() |= group.countries & among;
        }
    }
    blocked.retain(|_, countries| !countries.is_empty());
    let named = blocked.into_iter().map(|(place, countries)| LaunchBlocker {
        code: RULES[place].code,
        owner: RULES[place].owner,
        fix: RULES[place].fix,
        countries: codes(countries),
    });
    named.collect()
}

fn codes(countries: CountrySet) -> Vec<&'static str> {
    countries.iter().map(|country| country.code()).collect()
}
