//! Evaluating everything, on all cores, and what differs from the evaluation before.

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
    /// The totals of an evaluation.
    pub(crate) fn of(verdicts: &Verdicts) -> Self {
        let mut tally = Self::default();
        for (_, outcome) in verdicts {
            tally.count(outcome, 1);
        }
        tally
    }

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

/// What differs between two evaluations: what to write, what to remove, and how the totals change.
#[derive(Default)]
pub(crate) struct Difference {
    pub(crate) changed: Vec<usize>,
    pub(crate) removed: Vec<i64>,
    pub(crate) went_live: u64,
    pub(crate) went_dark: u64,
    pub(crate) tally: Tally,
}

impl Difference {
    fn remove(&mut self, video: i64, before: &Outcome) {
        self.removed.push(video);
        self.went_dark += before.live.len() as u64;
        self.tally.count(before, -1);
    }
}

/// Compares with the verdicts before. Equal verdicts become the same ones in memory.
pub(crate) fn compare(before: &Verdicts, after: &mut Verdicts) -> Difference {
    let mut difference = Difference::default();
    let mut old = before.iter().peekable();
    for (at, (video, outcome)) in after.iter_mut().enumerate() {
        while let Some((gone, before)) = old.next_if(|(other, _)| other < video) {
            difference.remove(*gone, before);
        }
        let before = old.next_if(|(other, _)| other == video);
        let before = before.map(|(_, before)| before);
        match before {
            Some(before) if Arc::ptr_eq(before, outcome) => {}
            Some(before) if before == outcome => *outcome = Arc::clone(before),
            before => {
                let was = before.map_or_else(Default::default, |before| before.live);
                difference.went_live += (outcome.live - was).len() as u64;
                difference.went_dark += (was - outcome.live).len() as u64;
                if let Some(before) = before {
                    difference.tally.count(before, -1);
                }
                difference.tally.count(outcome, 1);
                difference.changed.push(at);
            }
        }
    }
    for (gone, before) in old {
        difference.remove(*gone, before);
    }
    difference
}
