//! Evaluating everything, on all cores, and the totals.

use std::sync::Arc;

use dataset::evaluate::Change;
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
    /// What so many videos count whose verdict changed; the totals are those of the difference.
    fn of(before: Option<&Outcome>, after: Option<&Outcome>, videos: usize) -> Self {
        let live = |outcome: Option<&Outcome>| outcome.map_or_else(Default::default, |it| it.live);
        let (was, is) = (live(before), live(after));
        let mut told = Self {
            totals: Tally::default(),
            went_live: ((is - was).len() * videos) as u64,
            went_dark: ((was - is).len() * videos) as u64,
        };
        let videos = videos as i64;
        for (outcome, times) in [(before, -videos), (after, videos)] {
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

/// How many changed verdicts one task counts.
const CHANGES: usize = 512;

impl Told {
    /// What changed verdicts count.
    pub(crate) fn of_changes(changes: &[Change<'_, Arc<Outcome>>]) -> Self {
        let count = |changes: &[Change<'_, Arc<Outcome>>]| {
            let mut told = Self::default();
            let alike = |a: &Change<'_, Arc<Outcome>>, b: &Change<'_, Arc<Outcome>>| {
                is_same(a.before, b.before) && is_same(a.after, b.after)
            };
            // The episodes of a season share their outcomes.
            for changes in changes.chunk_by(alike) {
                if let Some(Change { before, after }) = changes.first() {
                    let [before, after] = [before, after].map(|it| it.map(|it| &**it));
                    told.add(&Self::of(before, after, changes.len()));
                }
            }
            told
        };
        let sum = |mut sum: Self, told: Self| {
            sum.add(&told);
            sum
        };
        let chunks = changes.par_chunks(CHANGES).map(count);
        chunks.reduce(Self::default, sum)
    }
}

fn is_same(a: Option<&Arc<Outcome>>, b: Option<&Arc<Outcome>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
