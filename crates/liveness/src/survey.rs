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

use crate::country::CountrySet;
use crate::evaluate::{Draft, Evaluator, boundaries};
use crate::facts::families::NO_PLACE;
use crate::facts::{Facts, Key, Slot};
use crate::tracks::{Interner, Memo};
use crate::verdict::Outcome;

/// How many facts one task works on.
const CHUNK: usize = 512;

/// The verdicts on all videos, as of the last evaluation.
pub struct Survey {
    evaluator: Evaluator,
    now: i64,
    /// By the number of the facts' key.
    lines: Vec<Line>,
    drafts: Vec<Drafted>,
    interner: Interner,
    /// By position.
    places: Vec<Place>,
    /// The rows at these positions.
    slots: Vec<Slot>,
    seen: Seen,
    round: u64,
}

/// How far the facts were taken in.
#[derive(Default)]
struct Seen {
    keys: u64,
    policies: u64,
    refreshes: u64,
    families: u64,
}

/// What is known of the videos with the same facts.
#[derive(Clone)]
struct Line {
    /// Which countries are blocked from `from` until before `until`, by all but windows and holds.
    blocked: CountrySet,
    live: CountrySet,
    from: i64,
    until: i64,
    rights: u32,
    holds: u32,
    /// When the outcome was made, in rounds.
    round: u64,
    outcome: Option<Arc<Outcome>>,
}

struct Drafted {
    line: u32,
    key: Key,
    draft: Draft,
}

/// What is known of one video.
#[derive(Clone, Default)]
struct Place {
    live: CountrySet,
    /// Of a show or season.
    collected: Option<Arc<Outcome>>,
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

const NEVER: i64 = i64::MIN;

impl Survey {
    /// A survey by some rules; knows nothing yet. Belongs to one [`Facts`].
    pub fn new(evaluator: Evaluator) -> Self {
        Self {
            evaluator,
            now: NEVER,
            lines: Vec::new(),
            drafts: Vec::new(),
            interner: Interner::default(),
            places: Vec::new(),
            slots: Vec::new(),
            seen: Seen::default(),
            round: 0,
        }
    }

    /// The rules.
    pub fn evaluator(&self) -> &Evaluator {
        &self.evaluator
    }

    /// Takes in what changed in the facts; cost follows that. Needed after every
    /// [`Facts::refresh`], before the next evaluation.
    pub fn prepare(&mut self, facts: &Facts) {
        self.evaluator.prepare(facts);
        let policies = facts.policies_stamp();
        if self.seen.policies != policies {
            self.seen = Seen {
                policies,
                ..Seen::default()
            };
            self.lines.clear();
            self.places.clear();
        }
        let keys = &facts.pools.keys;
        let nothing = Line {
            blocked: CountrySet::EMPTY,
            live: CountrySet::EMPTY,
            from: NEVER,
            until: NEVER,
            rights: 0,
            holds: 0,
            round: 0,
            outcome: None,
        };
        self.lines.resize(keys.len(), nothing.clone());
        for (id, key) in keys.newer(self.seen.keys) {
            self.lines[id as usize] = Line {
                rights: key.ids.rights,
                holds: key.ids.holds,
                ..nothing.clone()
            };
        }
        self.seen.keys = keys.stamp();
        let families = facts.families();
        if self.seen.families != families.generation {
            self.seen.families = families.generation;
            self.move_places(facts);
        }
    }

    /// Brings what is known of the videos to their new positions.
    fn move_places(&mut self, facts: &Facts) {
        let mut known: Vec<Place> = Vec::new();
        known.resize(facts.rows.len(), Place::default());
        for (place, &slot) in self.places.drain(..).zip(&self.slots) {
            known[slot as usize] = place;
        }
        self.slots.clone_from(&facts.families().slots);
        let moved = self.slots.iter();
        self.places = moved
            .map(|&slot| std::mem::take(&mut known[slot as usize]))
            .collect();
    }

    /// Evaluates every video in every country at an instant.
    pub fn evaluate(&mut self, facts: &Facts, now: i64) -> Masks {
        let masks = self.masks(facts, now);
        self.drafts(facts);
        self.tracks(facts);
        self.groups(facts);
        self.families(facts);
        masks
    }

    /// Where every video is live at an instant, and how many that are live elsewhere than before.
    pub fn masks(&mut self, facts: &Facts, now: i64) -> Masks {
        self.now = now;
        let markets = facts.policies().markets();
        let evaluator = &self.evaluator;
        let (rights, holds) = rayon::join(
            || evaluator.rights_at(facts, now),
            || evaluator.holds_at(facts, now),
        );
        let keys = &facts.pools.keys;
        self.lines
            .par_iter_mut()
            .enumerate()
            .with_min_len(CHUNK)
            .for_each(|(id, line)| {
                if !(line.from <= now && now < line.until) {
                    if !keys.is_used(id as u32) {
                        line.outcome = None;
                        return;
                    }
                    let key = keys.get(id as u32);
                    line.blocked = evaluator.blocked_besides(facts, key, now);
                    (line.from, line.until) = (now, next_boundary(facts, key, now));
                    line.outcome = None;
                }
                let passing = rights[line.rights as usize] | holds[line.holds as usize];
                line.live = markets - line.blocked - passing;
            });
        let families = facts.families();
        let (lines, parents) = (&self.lines, &families.parents);
        let parts = chunks(&mut self.places, &families.chunks);
        parts
            .into_par_iter()
            .map(|(start, places)| {
                let mut masks = Masks {
                    videos: places.len(),
                    ..Masks::default()
                };
                let mut above = vec![CountrySet::EMPTY; places.len()];
                for (at, place) in places.iter_mut().enumerate() {
                    let key = families.keys[start + at];
                    let live = match lines.get(key as usize) {
                        Some(line) => line.live,
                        None => above[at],
                    };
                    masks.live += live.len() as u64;
                    masks.changed += usize::from(live != place.live);
                    place.live = live;
                    let parent = parents[start + at];
                    if parent != NO_PLACE {
                        above[parent as usize - start] |= live;
                    }
                }
                masks
            })
            .reduce(Masks::default, |a, b| Masks {
                videos: a.videos + b.videos,
                live: a.live + b.live,
                changed: a.changed + b.changed,
            })
    }

    /// For the facts of which something began or ended since they were looked at: what blocks them
    /// now, and where they will be live.
    pub fn drafts(&mut self, facts: &Facts) {
        self.round += 1;
        let (evaluator, now) = (&self.evaluator, self.now);
        let keys = &facts.pools.keys;
        let lines = &self.lines;
        let is_due = |id: &u32| lines[*id as usize].outcome.is_none() && keys.is_used(*id);
        let due: Vec<u32> = (0..lines.len() as u32).filter(is_due).collect();
        self.drafts = due
            .par_iter()
            .with_min_len(CHUNK)
            .map_init(Vec::new, |instants, &line| {
                let key = *keys.get(line);
                Drafted {
                    line,
                    key,
                    draft: evaluator.draft(facts, &key, now, instants),
                }
            })
            .collect();
    }

    /// Which tracks of these are live where, now and later.
    pub fn tracks(&mut self, facts: &Facts) {
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
    pub fn groups(&mut self, facts: &Facts) {
        let (evaluator, round) = (&self.evaluator, self.round);
        let outcomes: Vec<(u32, Arc<Outcome>)> = std::mem::take(&mut self.drafts)
            .into_par_iter()
            .with_min_len(CHUNK)
            .map(|drafted| {
                let outcome = evaluator.finish(facts, drafted.draft);
                (drafted.line, Arc::new(outcome))
            })
            .collect();
        for (line, outcome) in outcomes {
            let line = &mut self.lines[line as usize];
            line.outcome = Some(outcome);
            line.round = round;
        }
    }

    /// The shows and seasons of which something changed: their own records or holds, what belongs
    /// to them, or the outcome of that.
    pub fn families(&mut self, facts: &Facts) {
        let families = facts.families();
        let (evaluator, now, round) = (&self.evaluator, self.now, self.round);
        let (lines, interner, refreshes) = (&self.lines, &self.interner, self.seen.refreshes);
        let parts = chunks(&mut self.places, &families.chunks);
        parts.into_par_iter().for_each(|(start, places)| {
            let mut memo = Memo::sharing(interner);
            // Positions whose parent is yet to come, with whether they changed.
            let mut open: Vec<(usize, bool)> = Vec::new();
            for at in 0..places.len() {
                let position = start + at;
                let slot = families.slots[position];
                let row = facts.row(slot);
                let mut changed = row.refreshed > refreshes;
                if let Some(line) = lines.get(families.keys[position] as usize) {
                    changed |= line.round == round;
                } else {
                    let mut children = open.len();
                    while let Some(&(child, is_new)) = children.checked_sub(1).map(|it| &open[it])
                        && families.parents[start + child] as usize == position
                    {
                        changed |= is_new;
                        children -= 1;
                    }
                    let children = open.drain(children..).map(|(child, _)| child);
                    changed |= places[at].collected.is_none();
                    changed |= !(places[at].from <= now && now < places[at].until);
                    if changed {
                        let of =
                            |child: usize| match lines.get(families.keys[start + child] as usize) {
                                Some(line) => line.outcome.clone(),
                                None => places[child].collected.clone(),
                            };
                        let children: Vec<Arc<Outcome>> = children.filter_map(of).collect();
                        let key = row.to_key();
                        let outcome = evaluator.collection(facts, key, children, now, &mut memo);
                        places[at].collected = Some(Arc::new(outcome));
                        places[at].from = now;
                        places[at].until = next_boundary(facts, &key, now);
                    }
                }
                if families.parents[position] != NO_PLACE {
                    open.push((at, changed));
                }
            }
        });
        self.seen.refreshes = facts.refreshes();
        self.interner.forget_unused();
    }

    /// Every video's outcome, by video.
    pub fn outcomes(&self, facts: &Facts) -> Vec<(i64, Arc<Outcome>)> {
        let families = facts.families();
        families
            .by_video
            .par_iter()
            .with_min_len(CHUNK)
            .filter_map(|&(video, place)| {
                let outcome = match self.lines.get(families.keys[place as usize] as usize) {
                    Some(line) => line.outcome.as_ref(),
                    None => self.places[place as usize].collected.as_ref(),
                };
                outcome.map(|outcome| (video, Arc::clone(outcome)))
            })
            .collect()
    }
}

/// The first instant after now at which a window or hold of a key begins or ends.
fn next_boundary(facts: &Facts, key: &Key, now: i64) -> i64 {
    let mut instants = Vec::new();
    boundaries(facts, key, now, &mut instants);
    instants.first().copied().unwrap_or(i64::MAX)
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
