//! Seasons and shows from their episodes and seasons.
//!
//! Most seasons have episodes of one and the same outcome, and most shows have seasons of one: then nothing is united, and only
//! what the season itself adds is told apart. Siblings whose parts are the same share one outcome, as their parts do.

use std::array;
use std::sync::Arc;

use crate::country::CountrySet;
use crate::evaluate::Evaluator;
use crate::facts::{Facts, Key};
use crate::grouping::Grouping;
use crate::passing;
use crate::rule::{Applies, Check, Children};
use crate::tracks::Memo;
use crate::verdict::{BlockerSet, Moment, Outcome, drop_like};

/// How many collections are remembered: siblings come one after the other.
const REMEMBERED: usize = 8;

/// Puts collections together.
#[derive(Default)]
pub(crate) struct Collector<'a> {
    pub(crate) tracks: Memo<'a>,
    pub(crate) grouping: Grouping,
    latest: Vec<Collected>,
    /// The place of the one that is forgotten next.
    oldest: usize,
}

/// An outcome, and all that it depends on.
struct Collected {
    parts: Vec<Arc<Outcome>>,
    blocked: Vec<(usize, CountrySet)>,
    outcome: Arc<Outcome>,
}

impl<'a> Collector<'a> {
    /// One whose sets of tracks are those of a memo.
    pub(crate) fn new(tracks: Memo<'a>) -> Self {
        Self {
            tracks,
            grouping: Grouping::default(),
            latest: Vec::new(),
            oldest: 0,
        }
    }

    fn known(
        &self,
        parts: &[&Arc<Outcome>],
        blocked: &[(usize, CountrySet)],
    ) -> Option<Arc<Outcome>> {
        let is_same = |known: &&Collected| {
            known.parts.len() == parts.len()
                && known
                    .parts
                    .iter()
                    .zip(parts)
                    .all(|(a, b)| Arc::ptr_eq(a, b))
                && known.blocked == blocked
        };
        let found = self.latest.iter().find(is_same);
        found.map(|known| Arc::clone(&known.outcome))
    }

    fn remember(&mut self, collected: Collected) {
        if self.latest.len() < REMEMBERED {
            self.latest.push(collected);
            return;
        }
        self.latest[self.oldest] = collected;
        self.oldest = (self.oldest + 1) % REMEMBERED;
    }
}

impl Evaluator {
    /// A show or season: live where one of its parts is, blocked by what blocks all of them. There are `count` parts; those
    /// with the same outcome in memory may be named once.
    pub(crate) fn collection(
        &self,
        facts: &Facts,
        key: &Key,
        count: usize,
        mut parts: Vec<&Arc<Outcome>>,
        now: i64,
        collector: &mut Collector<'_>,
    ) -> Arc<Outcome> {
        parts.sort_unstable_by_key(|part| Arc::as_ptr(part));
        parts.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let all = parts.iter().map(|part| part.blocked());
        let shared = all.reduce(|shared, part| array::from_fn(|at| shared[at] & part[at]));
        let shared = shared.unwrap_or_default();
        let below = Children {
            count,
            live: live(parts.iter().map(|part| part.live)),
        };
        let blocked = self.blocks_collection(facts, key, &below, &shared, now);
        if let Some(outcome) = collector.known(&parts, &blocked) {
            return outcome;
        }
        let only = match parts[..] {
            [part] => with_blockers(part, &blocked, &shared),
            _ => None,
        };
        let outcome = only.unwrap_or_else(|| {
            let timeline = timeline(&parts, now, &mut collector.tracks);
            let markets = facts.policies().markets();
            let outcome = collector.grouping.outcome(markets, &blocked, timeline);
            Arc::new(outcome)
        });
        collector.remember(Collected {
            parts: parts.into_iter().cloned().collect(),
            blocked,
            outcome: Arc::clone(&outcome),
        });
        outcome
    }

    /// The countries that each rule blocks, by place, without those that block none.
    fn blocks_collection(
        &self,
        facts: &Facts,
        key: &Key,
        below: &Children,
        shared: &[CountrySet],
        now: i64,
    ) -> Vec<(usize, CountrySet)> {
        let markets = facts.policies().markets();
        let blocked = self.active.iter().map(|active| {
            let mut by = shared[active.place];
            if active.rule.applies != Applies::Played {
                by |= match self.lasting(facts, active, key) {
                    Some(by) => by,
                    None => match active.check {
                        Check::Children(check) => check(below, &active.terms(facts)),
                        _ => passing::block(facts, active, key, now),
                    },
                };
            }
            (active.place, by & markets)
        });
        blocked.filter(|(_, by)| !by.is_empty()).collect()
    }
}

/// The outcome of the only part, with what blocks its collection besides; `None` where that tells countries of a group apart.
fn with_blockers(
    part: &Arc<Outcome>,
    blocked: &[(usize, CountrySet)],
    shared: &[CountrySet],
) -> Option<Arc<Outcome>> {
    let more = blocked
        .iter()
        .map(|&(place, by)| (place, by - shared[place]));
    let more: Vec<_> = more.filter(|(_, by)| !by.is_empty()).collect();
    if more.is_empty() {
        return Some(Arc::clone(part));
    }
    // Where a rule blocks some countries of the part already, two of its groups could become alike.
    if more.iter().any(|&(place, _)| !shared[place].is_empty()) {
        return None;
    }
    let blockers = |countries: CountrySet| {
        let mut blockers = BlockerSet::EMPTY;
        for &(place, by) in &more {
            let inside = countries & by;
            match inside.is_empty() {
                true => {}
                false if inside == countries => blockers.0 |= 1 << place,
                false => return None,
            }
        }
        Some(blockers)
    };
    let mut groups = part.groups.clone();
    for group in &mut groups {
        group.blockers.0 |= blockers(group.countries)?.0;
    }
    Some(Arc::new(Outcome {
        groups,
        live: part.live,
        timeline: Arc::clone(&part.timeline),
    }))
}

/// What is live of any part, now and later.
fn timeline(parts: &[&Arc<Outcome>], now: i64, tracks: &mut Memo<'_>) -> Arc<[Moment]> {
    let later = parts.iter().flat_map(|part| part.timeline.iter().skip(1));
    let mut instants: Vec<i64> = later.map(|moment| moment.at).collect();
    instants.sort_unstable();
    instants.dedup();
    let mut moment = |at: i64| {
        let then = || parts.iter().filter_map(|part| part.moment(at));
        Moment {
            at,
            live: live(then().map(|moment| moment.live)),
            tracks: tracks.united(then().map(|moment| &moment.tracks[..])),
        }
    };
    let mut timeline = Vec::with_capacity(instants.len() + 1);
    timeline.push(moment(now));
    timeline.extend(instants.into_iter().map(moment));
    drop_like(&mut timeline);
    Arc::from(timeline)
}

fn live(each: impl Iterator<Item = CountrySet>) -> CountrySet {
    each.fold(CountrySet::EMPTY, |all, live| all | live)
}
