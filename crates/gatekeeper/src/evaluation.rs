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

    /// These totals after a difference.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let blocked = self.blocked.iter().zip(&other.blocked);
        Self {
            pairs: self.pairs + other.pairs,
            live: self.live + other.live,
            blocked: blocked.map(|(a, b)| a + b).collect(),
        }
    }
}

/// What a cycle tells of the pairs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    pub(crate) totals: Tally,
    pub(crate) went_live: u64,
    pub(crate) went_dark: u64,
}

impl Told {
    /// Counts a video whose verdict changed; the totals are those of the difference then.
    pub(crate) fn change(&mut self, before: Option<&Outcome>, after: Option<&Outcome>) {
        let live = |outcome: Option<&Outcome>| outcome.map_or_else(Default::default, |it| it.live);
        let (was, is) = (live(before), live(after));
        self.went_live += (is - was).len() as u64;
        self.went_dark += (was - is).len() as u64;
        for (outcome, times) in [(before, -1), (after, 1)] {
            if let Some(outcome) = outcome {
                self.totals.count(outcome, times);
            }
        }
    }
}
