//! Evaluating everything, on all cores, and what differs from the evaluation before.

use std::cmp::Ordering;
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

/// The totals of an evaluation and of its difference from the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) pairs: u64,
    pub(crate) live: u64,
    pub(crate) went_live: u64,
    pub(crate) went_dark: u64,
    /// By rule, the pairs that it blocks.
    pub(crate) blocked: Vec<u64>,
}

/// What differs between two evaluations: what to write, what to remove, and the totals.
pub(crate) struct Difference {
    pub(crate) changed: Vec<usize>,
    pub(crate) removed: Vec<i64>,
    pub(crate) tally: Tally,
}

/// Compares with the verdicts before. Equal verdicts become the same ones in memory.
pub(crate) fn compare(before: &Verdicts, after: &mut Verdicts) -> Difference {
    let mut difference = Difference {
        changed: Vec::new(),
        removed: Vec::new(),
        tally: Tally {
            blocked: vec![0; RULES.len()],
            ..Tally::default()
        },
    };
    let tally = &mut difference.tally;
    let mut old = before.iter().peekable();
    for (at, (video, outcome)) in after.iter_mut().enumerate() {
        while let Some((gone, before)) = old.next_if(|(other, _)| other < video) {
            difference.removed.push(*gone);
            tally.went_dark += before.live.len() as u64;
        }
        for group in &outcome.groups {
            let countries = group.countries.len() as u64;
            tally.pairs += countries;
            tally.live += if group.live { countries } else { 0 };
            for place in group.blockers.places() {
                tally.blocked[place] += countries;
            }
        }
        match old.next_if(|(other, _)| other.cmp(video) == Ordering::Equal) {
            Some((_, before)) if before == outcome => *outcome = Arc::clone(before),
            before => {
                let was = before.map_or_else(Default::default, |(_, before)| before.live);
                tally.went_live += (outcome.live - was).len() as u64;
                tally.went_dark += (was - outcome.live).len() as u64;
                difference.changed.push(at);
            }
        }
    }
    for (gone, before) in old {
        difference.removed.push(*gone);
        tally.went_dark += before.live.len() as u64;
    }
    difference
}
