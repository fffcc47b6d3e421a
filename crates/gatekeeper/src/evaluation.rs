//! Evaluating everything, on all cores, and the totals.

use std::sync::Arc;

use liveness::{Evaluator, Facts, Outcome, RULES, Scratch};
use rayon::prelude::*;

/// The verdicts of all videos, by video.
pub(crate) type Verdicts = Vec<(i64, Arc<Outcome>)>;

/// How many families of videos one task evaluates: enough to share verdicts among them.
const FAMILIES: usize = 256;

/// Evaluates every video in every country.
pub(crate) fn evaluate(evaluator: &Evaluator, facts: &Facts, now_ms: i64) -> Verdicts {
    let mut verdicts: Verdicts = facts
        .roots()
        .par_chunks(FAMILIES)
        .flat_map_iter(|roots| {
            let mut scratch = Scratch::default();
            let mut verdicts = Vec::with_capacity(roots.len());
            evaluator.evaluate(facts, roots, now_ms, &mut scratch, |slot, outcome| {
                verdicts.push((facts.video(slot), Arc::clone(outcome)));
            });
            verdicts
        })
        .collect();
    verdicts.par_sort_unstable_by_key(|&(video, _)| video);
    verdicts
}

/// Totals over pairs, or the difference of two.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    pub(crate) pairs: i64,
    pub(crate) live: i64,
    /// By rule, the pairs that it blocks.
    pub(crate) blocked: Vec<i64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            pairs: 0,
            live: 0,
            blocked: vec![0; RULES.len()],
        }
    }
}

impl Tally {
    fn count(&mut self, outcome: &Outcome, times: i64) {
        for group in &outcome.groups {
            let countries = group.countries.len() as i64 * times;
            self.pairs += countries;
            self.live += if group.live { countries } else { 0 };
            for place in group.blockers.places() {
                self.blocked[place] += countries;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.live += other.live;
        for (total, more) in self.blocked.iter_mut().zip(&other.blocked) {
            *total += more;
        }
    }

    /// These totals after a difference.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut totals = self.clone();
        totals.add(other);
        totals
    }
}

/// What a cycle tells of the pairs.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Told {
    pub(crate) totals: Tally,
    pub(crate) went_live: u64,
    pub(crate) went_dark: u64,
}

impl Told {
    /// What a video counts whose verdict changed; the totals are those of the difference.
    fn of(before: Option<&Outcome>, after: Option<&Outcome>) -> Self {
        let live = |outcome: Option<&Outcome>| outcome.map_or_else(Default::default, |it| it.live);
        let (was, is) = (live(before), live(after));
        let mut told = Self {
            totals: Tally::default(),
            went_live: (is - was).len() as u64,
            went_dark: (was - is).len() as u64,
        };
        for (outcome, times) in [(before, -1), (after, 1)] {
            if let Some(outcome) = outcome {
                told.totals.count(outcome, times);
            }
        }
        told
    }

    fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        self.went_live += other.went_live;
        self.went_dark += other.went_dark;
    }
}

/// What the cycle under way changes, video by video.
#[derive(Default)]
pub(crate) struct Changing {
    pub(crate) told: Told,
    /// The outcomes of the last video, and what it counted: the episodes of a season share theirs.
    last: Option<(Shared, Shared, Told)>,
}

type Shared = Option<Arc<Outcome>>;

impl Changing {
    /// Counts a video whose verdict changed.
    pub(crate) fn change(&mut self, before: Option<&Arc<Outcome>>, after: Option<&Arc<Outcome>>) {
        let is_same = |a: &Shared, b: Option<&Arc<Outcome>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        let last = self.last.take();
        let last = last.filter(|(was, is, _)| is_same(was, before) && is_same(is, after));
        let last = last.unwrap_or_else(|| {
            let told = Told::of(before.map(|it| &**it), after.map(|it| &**it));
            (before.cloned(), after.cloned(), told)
        });
        self.told.add(&last.2);
        self.last = Some(last);
    }
}
