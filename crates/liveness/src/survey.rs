//! Evaluating everything, cycle after cycle.
//!
//! A survey asks at every instant where every video is live: the masks of its facts are put
//! together anew each time. What is made of them, the groups of countries with tracks and next
//! change, holds until a window or hold of the same facts begins or ends, so it is kept by (facts,
//! boundary interval), and a show's by those of its seasons. Nothing is skipped because it did not
//! change: that it did not is what the masks say.
//!
//! [`Survey::evaluate`] takes five steps, which can be taken, and measured, one by one:
//! [`masks`](Survey::masks), [`drafts`](Survey::drafts), [`tracks`](Survey::tracks),
//! [`groups`](Survey::groups), [`families`](Survey::families).

use std::sync::Arc;

use rayon::prelude::*;

use crate::collection::Collector;
use crate::country::CountrySet;
use crate::evaluate::{Asked, Draft, Evaluator, Room};
use crate::facts::families::NO_PLACE;
use crate::facts::{Facts, Key, Slot};
use crate::grouping::Grouping;
use crate::passing::next_boundary;
use crate::tracks::{Interner, Memo};
use crate::verdict::Outcome;

/// How many facts or videos one task works on at least.
const CHUNK: usize = 512;

/// Before every instant.
const NEVER: i64 = i64::MIN;

/// The verdicts on all videos, as of the last evaluation.
pub struct Survey {
    now: i64,
    keys: Keys,
    drafts: Vec<Drafted>,
    interner: Interner,
    /// Where every video is live, by position.
    live: Vec<CountrySet>,
    /// What is known of shows and seasons, by position.
    collected: Vec<Collected>,
    /// The rows at these positions.
    slots: Vec<Slot>,
    /// The positions whose outcome may be another than when it was settled last; `None`: all.
    unsettled: Option<Vec<u32>>,
    seen: Seen,
}

/// How far the facts were taken in.
#[derive(Default)]
struct Seen {
    keys: u64,
    policies: u64,
    refreshes: u64,
    families: u64,
}

/// What is known of the videos with the same facts, by the number of their key. What is looked up
/// for every video lies close together.
#[derive(Default)]
struct Keys {
    live: Vec<CountrySet>,
    /// How many countries these are.
    counts: Vec<u32>,
    outcomes: Vec<Option<Arc<Outcome>>>,
    /// Whether the outcome is of this evaluation.
    is_new: Vec<bool>,
    intervals: Vec<Interval>,
}

/// Which countries are blocked, by all but windows and holds, until something begins or ends.
#[derive(Clone)]
struct Interval {
    from: i64,
    until: i64,
    blocked: CountrySet,
    rights: u32,
    holds: u32,
}

const UNKNOWN: Interval = Interval {
    from: NEVER,
    until: NEVER,
    blocked: CountrySet::EMPTY,
    rights: 0,
    holds: 0,
};

impl Keys {
    fn resize(&mut self, len: usize) {
        self.live.resize(len, CountrySet::EMPTY);
        self.counts.resize(len, 0);
        self.outcomes.resize(len, None);
        self.is_new.resize(len, false);
        self.intervals.resize(len, UNKNOWN);
    }

    /// A number stands for another key.
    fn reset(&mut self, id: usize, key: &Key) {
        self.outcomes[id] = None;
        self.intervals[id] = Interval {
            rights: key.ids.rights,
            holds: key.ids.holds,
            ..UNKNOWN
        };
    }
}

struct Drafted {
    id: u32,
    key: Key,
    draft: Draft,
}

/// What is known of a show or season.
#[derive(Clone, Default)]
struct Collected {
    outcome: Option<Arc<Outcome>>,
    /// From when and until when its own windows and holds are as they are.
    from: i64,
    until: i64,
}

/// What the title masks say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Masks {
    /// The videos.
    pub videos: usize,
    /// The pairs that are live.
    pub live: u64,
    /// The videos that are live elsewhere than at the evaluation before.
    pub changed: usize,
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Survey {
    /// Knows nothing yet. Belongs to one [`Facts`] and one [`Evaluator`], both brought up to date before it is asked.
    pub fn new() -> Self {
        Self {
            now: NEVER,
            keys: Keys::default(),
            drafts: Vec::new(),
            interner: Interner::default(),
            live: Vec::new(),
            collected: Vec::new(),
            slots: Vec::new(),
            unsettled: None,
            seen: Seen::default(),
        }
    }

    /// Takes in what changed in the facts; cost follows that. Needed after every
    /// [`Facts::refresh`], before the next evaluation.
    pub fn prepare(&mut self, facts: &Facts) {
        let policies = facts.policies_stamp();
        if self.seen.policies != policies {
            self.seen = Seen {
                policies,
                ..Seen::default()
            };
            self.live.clear();
            self.collected.clear();
            self.slots.clear();
        }
        let pool = &facts.pools.keys;
        self.keys.resize(pool.len());
        for (id, key) in pool.newer(self.seen.keys) {
            self.keys.reset(id as usize, key);
        }
        self.seen.keys = pool.stamp();
        let generation = facts.families().generation;
        if self.seen.families != generation {
            self.seen.families = generation;
            self.move_places(facts);
        }
    }

    /// Brings what is known of the videos to their new positions.
    fn move_places(&mut self, facts: &Facts) {
        self.unsettled = None;
        let mut before = vec![NO_PLACE; facts.rows.len()];
        for (place, &slot) in (0u32..).zip(&self.slots) {
            before[slot as usize] = place;
        }
        self.slots.clone_from(&facts.families().slots);
        let mut collected = std::mem::take(&mut self.collected);
        let live = std::mem::take(&mut self.live);
        for &slot in &self.slots {
            let place = before[slot as usize] as usize;
            let known = collected.get_mut(place).map(std::mem::take);
            self.collected.push(known.unwrap_or_default());
            self.live.push(live.get(place).copied().unwrap_or_default());
        }
    }

    /// Evaluates every video in every country at an instant.
    pub fn evaluate(&mut self, evaluator: &Evaluator, facts: &Facts, now: i64) -> Masks {
        let masks = self.masks(evaluator, facts, now);
        self.drafts(evaluator, facts);
        self.tracks(facts);
        self.groups(evaluator, facts);
        self.families(evaluator, facts);
        masks
    }

    /// Where every video is live at an instant, and how many that are live elsewhere than before.
    pub fn masks(&mut self, evaluator: &Evaluator, facts: &Facts, now: i64) -> Masks {
        self.now = now;
        self.mask_keys(evaluator, facts);
        let families = facts.families();
        let keys = &self.keys;
        let mask = |(start, before): (usize, &mut [CountrySet])| {
            let mut masks = Masks {
                videos: before.len(),
                ..Masks::default()
            };
            let mut below = vec![CountrySet::EMPTY; before.len()];
            let of_video = families.keys[start..]
                .iter()
                .zip(&families.parents[start..]);
            for (at, (before, (&key, &parent))) in before.iter_mut().zip(of_video).enumerate() {
                let (live, count) = match keys.live.get(key as usize) {
                    Some(&live) => (live, keys.counts[key as usize]),
                    None => (below[at], below[at].len() as u32),
                };
                masks.live += u64::from(count);
                masks.changed += usize::from(live != *before);
                *before = live;
                if parent != NO_PLACE {
                    below[parent as usize - start] |= live;
                }
            }
            masks
        };
        let parts = chunks(&mut self.live, &families.chunks).into_par_iter();
        parts.map(mask).reduce(Masks::default, |a, b| Masks {
            videos: a.videos + b.videos,
            live: a.live + b.live,
            changed: a.changed + b.changed,
        })
    }

    /// Where the videos of each key are live. What windows and holds block is asked anew; the rest
    /// when something begins or ends, and then the outcome is due.
    fn mask_keys(&mut self, evaluator: &Evaluator, facts: &Facts) {
        let now = self.now;
        let markets = facts.policies().markets();
        let (rights, holds) = rayon::join(
            || evaluator.rights_at(facts, now),
            || evaluator.holds_at(facts, now),
        );
        let pool = &facts.pools.keys;
        let keys = &mut self.keys;
        let all = (
            &mut keys.live,
            &mut keys.counts,
            &mut keys.outcomes,
            &mut keys.intervals,
        );
        let all = all.into_par_iter().enumerate().with_min_len(CHUNK);
        all.for_each_init(
            Asked::default,
            |asked, (id, (live, count, outcome, interval))| {
                if !(interval.from <= now && now < interval.until) {
                    *outcome = None;
                    if !pool.is_used(id as u32) {
                        return;
                    }
                    let key = pool.get(id as u32);
                    interval.blocked = evaluator.blocked_besides(facts, key, now, asked);
                    (interval.from, interval.until) = (now, next_boundary(facts, key, now));
                }
                let passing = rights[interval.rights as usize] | holds[interval.holds as usize];
                *live = markets - interval.blocked - passing;
                *count = live.len() as u32;
            },
        );
    }

    /// For the facts of which something began or ended since they were looked at: what blocks them
    /// now, and where they will be live.
    pub fn drafts(&mut self, evaluator: &Evaluator, facts: &Facts) {
        let now = self.now;
        let pool = &facts.pools.keys;
        let outcomes = &self.keys.outcomes;
        let is_due = |id: &u32| outcomes[*id as usize].is_none() && pool.is_used(*id);
        let due = (0..outcomes.len() as u32).filter(is_due);
        // What shares tracks is asked about them one after the other.
        let mut due: Vec<(u32, u32)> = due.map(|id| (pool.get(id).speech, id)).collect();
        due.par_sort_unstable();
        self.drafts = due
            .par_iter()
            .with_min_len(CHUNK)
            .map_init(Room::default, |room, &(_, id)| {
                let key = *pool.get(id);
                let draft = evaluator.draft(facts, &key, now, room);
                Drafted { id, key, draft }
            })
            .collect();
    }

    /// Which tracks of these are live where, now and later.
    pub fn tracks(&mut self, facts: &Facts) {
        self.interner.prepare(facts);
        let interner = &self.interner;
        self.drafts.par_chunks_mut(CHUNK).for_each_init(
            || Memo::sharing(interner),
            |memo, drafts| {
                for drafted in drafts {
                    memo.fill_in(facts, &drafted.key, &mut drafted.draft.timeline);
                }
            },
        );
    }

    /// Groups their countries.
    pub fn groups(&mut self, evaluator: &Evaluator, facts: &Facts) {
        let outcomes: Vec<(u32, Arc<Outcome>)> = std::mem::take(&mut self.drafts)
            .into_par_iter()
            .with_min_len(CHUNK)
            .map_init(Grouping::default, |grouping, drafted| {
                let outcome = evaluator.finish(facts, drafted.draft, grouping);
                (drafted.id, Arc::new(outcome))
            })
            .collect();
        self.keys.is_new.fill(false);
        for (id, outcome) in outcomes {
            self.keys.outcomes[id as usize] = Some(outcome);
            self.keys.is_new[id as usize] = true;
        }
    }

    /// The shows and seasons of which something changed: their own records or holds, what belongs
    /// to them, or the outcome of that.
    pub fn families(&mut self, evaluator: &Evaluator, facts: &Facts) {
        let families = facts.families();
        let parts = chunks(&mut self.collected, &families.chunks);
        let collect = Collect {
            facts,
            evaluator,
            keys: &self.keys,
            now: self.now,
            refreshes: self.seen.refreshes,
        };
        let changed: Vec<Vec<u32>> = parts
            .into_par_iter()
            .map_init(
                || Collector::new(Memo::sharing(&self.interner)),
                |collector, (start, collected)| collect.chunk(start, collected, collector),
            )
            .collect();
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.extend(changed.into_iter().flatten());
        }
        self.seen.refreshes = facts.refreshes();
        self.interner.forget_unused();
    }

    /// The outcomes, by video, that may be others than when they were settled last; `None` where that can't be told, for videos
    /// came or went since.
    pub fn changes(&mut self, facts: &Facts) -> Option<Vec<(i64, Arc<Outcome>)>> {
        let places = self.unsettled.as_mut()?;
        places.sort_unstable();
        places.dedup();
        let families = facts.families();
        let mut changes: Vec<(i64, Arc<Outcome>)> = places
            .iter()
            .filter_map(|&place| {
                let key = families.keys[place as usize];
                let of_key = self.keys.outcomes.get(key as usize);
                let outcome = of_key.unwrap_or(&self.collected[place as usize].outcome);
                let slot = families.slots[place as usize];
                Some((facts.video(slot), Arc::clone(outcome.as_ref()?)))
            })
            .collect();
        changes.sort_unstable_by_key(|&(video, _)| video);
        Some(changes)
    }

    /// From here on [`changes`](Self::changes) tells what comes out otherwise than now.
    pub fn settle(&mut self) {
        self.unsettled.get_or_insert_default().clear();
    }

    /// Every video's outcome, by video.
    pub fn outcomes(&self, facts: &Facts) -> Vec<(i64, Arc<Outcome>)> {
        let families = facts.families();
        families
            .by_video
            .par_iter()
            .with_min_len(CHUNK)
            .filter_map(|&(video, place)| {
                let key = families.keys[place as usize];
                let of_key = self.keys.outcomes.get(key as usize);
                let outcome = of_key.unwrap_or(&self.collected[place as usize].outcome);
                outcome.as_ref().map(|outcome| (video, Arc::clone(outcome)))
            })
            .collect()
    }
}

/// What the outcomes of shows and seasons are made of.
struct Collect<'a> {
    facts: &'a Facts,
    evaluator: &'a Evaluator,
    keys: &'a Keys,
    now: i64,
    /// How far the facts were taken in before.
    refreshes: u64,
}

impl Collect<'_> {
    /// Brings the shows and seasons of some whole families up to date; the positions at which anything
    /// changed, ascending.
    fn chunk(
        &self,
        start: usize,
        collected: &mut [Collected],
        collector: &mut Collector<'_>,
    ) -> Vec<u32> {
        let mut all_changed = Vec::new();
        let families = self.facts.families();
        // What waits for its parent, nearest last, with whether it changed.
        let mut waiting: Vec<(usize, bool)> = Vec::new();
        for at in 0..collected.len() {
            let position = start + at;
            let mut changed = families.refreshed[position] > self.refreshes;
            match self.keys.is_new.get(families.keys[position] as usize) {
                Some(is_new) => changed |= is_new,
                None => {
                    let belongs = |&(part, _): &(usize, bool)| {
                        families.parents[start + part] as usize == position
                    };
                    let count = waiting.iter().rev().take_while(|it| belongs(it)).count();
                    let parts = waiting.split_off(waiting.len() - count);
                    changed |= parts.iter().any(|&(_, is_new)| is_new);
                    let known = &collected[at];
                    changed |= known.outcome.is_none();
                    changed |= !(known.from <= self.now && self.now < known.until);
                    if changed {
                        let outcomes = parts.iter().filter_map(|&(part, _)| {
                            let of_key = &self.keys.outcomes;
                            let key = families.keys[start + part] as usize;
                            of_key.get(key).unwrap_or(&collected[part].outcome).as_ref()
                        });
                        collected[at] = self.collected(position, outcomes, collector);
                    }
                }
            }
            if changed {
                all_changed.push(position as u32);
            }
            if families.parents[position] != NO_PLACE {
                waiting.push((at, changed));
            }
        }
        all_changed
    }

    /// What is known of a show or season from now on.
    fn collected<'b>(
        &self,
        position: usize,
        outcomes: impl Iterator<Item = &'b Arc<Outcome>>,
        collector: &mut Collector<'_>,
    ) -> Collected {
        let (facts, now) = (self.facts, self.now);
        let mut count = 0;
        let mut parts: Vec<&Arc<Outcome>> = Vec::new();
        for outcome in outcomes {
            count += 1;
            if parts.last().is_none_or(|last| !Arc::ptr_eq(last, outcome)) {
                parts.push(outcome);
            }
        }
        let key = facts.row(facts.families().slots[position]).to_key();
        let evaluator = self.evaluator;
        let outcome = evaluator.collection(facts, &key, count, parts, now, collector);
        Collected {
            outcome: Some(outcome),
            from: now,
            until: next_boundary(facts, &key, now),
        }
    }
}

/// Cuts a slice at some ends; each part comes with where it begins.
fn chunks<'a, T>(mut rest: &'a mut [T], ends: &[usize]) -> Vec<(usize, &'a mut [T])> {
    let mut parts = Vec::with_capacity(ends.len());
    let mut start = 0;
    for &end in ends {
        let (part, left) = rest.split_at_mut(end - start);
        parts.push((start, part));
        (rest, start) = (left, end);
    }
    parts
}
