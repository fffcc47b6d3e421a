//! Bringing rows up to date: staged keys are folded into their sets, then whatever depends on a
//! changed row takes its effective values anew, parents before children.

use std::hash::Hash;
use std::mem::take;
use std::sync::Arc;

use super::families::Families;
use super::pool::Pool;
use super::{
    ABSENT, Artwork, Facts, Hold, Ids, Key, NO_SLOT, NOTHING, Policies, Pools, Row, Slot, Speech,
    Staged, Text, TitleFact, Track, pool,
};
use crate::language::Language;
use crate::record::TrackKind;

/// A member of a set that has at most one value per key.
trait Keyed: Clone {
    type Key: Ord;
    fn key(&self) -> Self::Key;
}

impl Keyed for Text {
    type Key = Language;
    fn key(&self) -> Language {
        self.language
    }
}

impl Keyed for Track {
    type Key = (TrackKind, Language);
    fn key(&self) -> (TrackKind, Language) {
        (self.kind, self.language)
    }
}

impl Keyed for Artwork {
    type Key = Language;
    fn key(&self) -> Language {
        self.language
    }
}

impl Keyed for Hold {
    type Key = Arc<str>;
    fn key(&self) -> Arc<str> {
        self.hold.clone()
    }
}

/// What a row's effective values are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Grounds {
    parent: Option<Slot>,
    title: Option<TitleFact>,
    own: Ids,
}

/// What is made of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Derived {
    effective: Ids,
    speech: u32,
    key: u32,
    orphan: bool,
}

/// Rows one after the other of which the references are still to be counted: episodes of a season often derive the same from
/// the same, and had the same before.
#[derive(Default)]
struct Run {
    latest: Option<(Grounds, Derived)>,
    /// So many more rows have what was derived latest.
    more: u32,
    before: Option<Derived>,
    /// So many rows don't have what they had before.
    less: u32,
}

impl Pools {
    /// Counts the references of a run; what was derived latest stays known.
    fn count(&mut self, run: &mut Run) {
        let more = take(&mut run.more);
        if let (Some((_, derived)), 1..) = (&run.latest, more) {
            let ids = &derived.effective;
            self.rights.share_many(ids.rights, more);
            self.ratings.share_many(ids.ratings, more);
            self.texts.share_many(ids.texts, more);
            self.tracks.share_many(ids.tracks, more);
            self.artwork.share_many(ids.artwork, more);
            self.streams.share_many(ids.streams, more);
            self.holds.share_many(ids.holds, more);
            self.speech.share_many(derived.speech, more);
            self.keys.share_many(derived.key, more);
        }
        let less = take(&mut run.less);
        if let Some(before) = run.before.take() {
            let ids = &before.effective;
            self.rights.release_many(ids.rights, less);
            self.ratings.release_many(ids.ratings, less);
            self.texts.release_many(ids.texts, less);
            self.tracks.release_many(ids.tracks, less);
            self.artwork.release_many(ids.artwork, less);
            self.streams.release_many(ids.streams, less);
            self.holds.release_many(ids.holds, less);
            self.speech.release_many(before.speech, less);
            self.keys.release_many(before.key, less);
        }
    }
}

impl Facts {
    /// Brings the rows up to date with every change since the last refresh; returns how many rows
    /// were looked at.
    pub fn refresh(&mut self) -> usize {
        self.refreshes += 1;
        for (slot, title) in take(&mut self.titles) {
            self.place_title(slot, title);
        }
        let mut dirty = take(&mut self.dirty);
        for (slot, hours_viewed) in take(&mut self.hours_viewed) {
            self.rows[slot as usize].hours_viewed = hours_viewed;
            dirty.push(slot);
        }
        self.fold_in(&mut dirty);
        let touched = self.with_descendants(dirty);
        let mut run = Run::default();
        for &slot in &touched {
            self.derive(slot, &mut run);
            self.drop_if_blank(slot);
        }
        self.pools.count(&mut run);
        if take(&mut self.structure_changed) {
            self.find_roots();
            self.families = Families::of(self, self.families.generation + 1);
        } else {
            for &slot in &touched {
                self.families.refresh(slot, &self.rows[slot as usize]);
            }
        }
        if take(&mut self.policies_changed) {
            self.compiled = Policies::compile(self.policies.clone());
            self.policies_stamp += 1;
        }
        touched.len()
    }

    /// Puts what was staged into the rows' own values.
    fn fold_in(&mut self, dirty: &mut Vec<Slot>) {
        let (texts, tracks) = (take(&mut self.texts), take(&mut self.tracks));
        let (artwork, held) = (take(&mut self.artwork), take(&mut self.held));
        let (rows, pools) = (&self.rows, &mut self.pools);
        let (tracks, (texts, artwork, holds)) = rayon::join(
            || fold(rows, &mut pools.tracks, tracks, |ids| ids.tracks),
            || {
                let texts = fold(rows, &mut pools.texts, texts, |ids| ids.texts);
                let artwork = fold(rows, &mut pools.artwork, artwork, |ids| ids.artwork);
                let holds = fold(rows, &mut pools.holds, held, |ids| ids.holds);
                (texts, artwork, holds)
            },
        );
        let rows = &mut self.rows;
        place(rows, tracks, dirty, |ids| &mut ids.tracks);
        place(rows, texts, dirty, |ids| &mut ids.texts);
        place(rows, artwork, dirty, |ids| &mut ids.artwork);
        place(rows, holds, dirty, |ids| &mut ids.holds);
        let (rights, ratings, streams) = (
            take(&mut self.rights),
            take(&mut self.ratings),
            take(&mut self.streams),
        );
        replace(rows, &mut pools.rights, rights, dirty, |ids| {
            &mut ids.rights
        });
        replace(rows, &mut pools.ratings, ratings, dirty, |ids| {
            &mut ids.ratings
        });
        replace(rows, &mut pools.streams, streams, dirty, |ids| {
            &mut ids.streams
        });
    }

    /// The rows and everything below them, each once, parents before children.
    fn with_descendants(&self, mut slots: Vec<Slot>) -> Vec<Slot> {
        slots.sort_unstable();
        slots.dedup();
        let changed = slots.len();
        let mut seen = vec![false; self.rows.len()];
        for &slot in &slots {
            seen[slot as usize] = true;
        }
        let mut at = 0;
        while let Some(&slot) = slots.get(at) {
            // Nothing takes over from what is played, or has since before.
            if at < changed || !self.rows[slot as usize].is_played() {
                for &child in self.children.get(&slot).into_iter().flatten() {
                    if !std::mem::replace(&mut seen[child as usize], true) {
                        slots.push(child);
                    }
                }
            }
            at += 1;
        }
        let mut levels: Vec<Vec<Slot>> = Vec::new();
        for slot in slots {
            let depth = self.lineage(slot).skip(1).count();
            if levels.len() <= depth {
                levels.resize_with(depth + 1, Vec::new);
            }
            levels[depth].push(slot);
        }
        levels.concat()
    }

    /// Takes a row's effective values anew from its own records and its parent's values.
    fn derive(&mut self, slot: Slot, run: &mut Run) {
        let parent = self.parent(slot);
        let row = &self.rows[slot as usize];
        let grounds = Grounds {
            parent,
            title: row.title,
            own: row.own,
        };
        let derived = match run.latest {
            Some((known, derived)) if known == grounds => {
                run.more += 1;
                derived
            }
            _ => {
                self.pools.count(run);
                let derived = self.derived(&grounds);
                run.latest = Some((grounds, derived));
                derived
            }
        };
        let row = &mut self.rows[slot as usize];
        row.refreshed = self.refreshes;
        row.orphan = derived.orphan;
        let before = Derived {
            effective: std::mem::replace(&mut row.effective, derived.effective),
            speech: std::mem::replace(&mut row.speech, derived.speech),
            key: std::mem::replace(&mut row.key, derived.key),
            ..derived
        };
        if run.before != Some(before) {
            self.pools.count(run);
            run.before = Some(before);
        }
        run.less += 1;
    }

    /// The values, each with one more reference to it.
    fn derived(&mut self, grounds: &Grounds) -> Derived {
        let Grounds { title, own, .. } = grounds;
        let parent = grounds.parent.map(|parent| &self.rows[parent as usize]);
        let orphan = match (title, parent) {
            (Some(title), None) => title.kind.parent().is_some(),
            (_, Some(parent)) => parent.orphan,
            (None, None) => false,
        };
        let above = parent.map_or(NOTHING, |parent| parent.effective);
        let pools = &mut self.pools;
        let nearest = |own: u32, above: u32| match own {
            ABSENT => above,
            own => own,
        };
        let effective = Ids {
            rights: pools.rights.share(nearest(own.rights, above.rights)),
            ratings: pools.ratings.share(nearest(own.ratings, above.ratings)),
            streams: pools.streams.share(nearest(own.streams, pool::EMPTY)),
            texts: merge(&mut pools.texts, own.texts, above.texts),
            tracks: merge(&mut pools.tracks, own.tracks, above.tracks),
            artwork: merge(&mut pools.artwork, own.artwork, above.artwork),
            holds: merge(&mut pools.holds, own.holds, above.holds),
        };
        let speech = pools.speech.acquire(Speech {
            tracks: pools.tracks.get(effective.tracks).clone(),
            original: title.and_then(|title| title.original),
            kids: title.is_some_and(|title| title.kids),
        });
        let key = match title {
            Some(title) if title.kind.is_playable() => pools.keys.acquire(Key {
                ids: effective,
                speech,
                orphan,
            }),
            _ => pool::EMPTY,
        };
        Derived {
            effective,
            speech,
            key,
            orphan,
        }
    }

    /// Frees a row that no record keeps and nothing refers to.
    fn drop_if_blank(&mut self, slot: Slot) {
        let row = &self.rows[slot as usize];
        let own = row.own;
        let blank = row.title.is_none()
            && row.hours_viewed.is_none()
            && [own.rights, own.ratings, own.streams]
                .iter()
                .all(|&id| id == ABSENT)
            && [own.texts, own.tracks, own.artwork, own.holds]
                .iter()
                .all(|&id| id == pool::EMPTY)
            && !self.children.contains_key(&slot);
        if blank && self.slots.get(&row.video) == Some(&slot) {
            self.pools.speech.release(row.speech);
            self.slots.remove(&row.video);
            let row = &mut self.rows[slot as usize];
            row.speech = pool::EMPTY;
            row.parent = NO_SLOT;
            self.free.push(slot);
        }
    }

    fn find_roots(&mut self) {
        let mut roots = take(&mut self.roots);
        roots.clear();
        roots.extend((0..self.rows.len() as Slot).filter(|&slot| {
            self.rows[slot as usize].title.is_some() && self.parent(slot).is_none()
        }));
        roots.sort_unstable_by_key(|&slot| self.rows[slot as usize].video);
        self.roots = roots;
    }
}

/// Puts the numbers of values into rows, each as one of its own.
fn place(
    rows: &mut [Row],
    values: impl IntoIterator<Item = (Slot, u32)>,
    dirty: &mut Vec<Slot>,
    own: impl Fn(&mut Ids) -> &mut u32,
) {
    for (slot, id) in values {
        *own(&mut rows[slot as usize].own) = id;
        dirty.push(slot);
    }
}

/// Puts staged values, or their absence, in the places of others.
fn replace<T: Eq + Hash + Clone>(
    rows: &mut [Row],
    pool: &mut Pool<T>,
    staged: Vec<(Slot, Option<u32>)>,
    dirty: &mut Vec<Slot>,
    own: impl Fn(&mut Ids) -> &mut u32,
) {
    for (slot, id) in staged {
        let before = *own(&mut rows[slot as usize].own);
        if before != ABSENT {
            pool.release(before);
        }
        place(rows, [(slot, id.unwrap_or(ABSENT))], dirty, &own);
    }
}

/// Folds staged keys into the sets of their rows; the last change of a key wins. Returns the numbers of the rows' new sets.
fn fold<T>(
    rows: &[Row],
    pool: &mut Pool<Arc<[T]>>,
    mut staged: Staged<T::Key, T>,
    own: impl Fn(&Ids) -> u32,
) -> Vec<(Slot, u32)>
where
    T: Keyed + Eq + Hash,
{
    let mut folded = Vec::new();
    staged.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for changes in staged.chunk_by(|a, b| a.0 == b.0) {
        let slot = changes[0].0;
        let own = own(&rows[slot as usize].own);
        let mut before = pool.get(own).iter().cloned().peekable();
        let mut after = Vec::new();
        for same_key in changes.chunk_by(|a, b| a.1 == b.1) {
            let Some((_, key, value)) = same_key.last() else {
                continue;
            };
            while let Some(kept) = before.next_if(|kept| kept.key() < *key) {
                after.push(kept);
            }
            before.next_if(|kept| kept.key() == *key);
            after.extend(value.clone());
        }
        after.extend(before);
        let id = pool.acquire(Arc::from(after));
        if id != own {
            folded.push((slot, id));
        }
        pool.release(own);
    }
    folded
}

/// The number of the set of both, where the own value of a key hides the one from above.
fn merge<T>(pool: &mut Pool<Arc<[T]>>, own: u32, above: u32) -> u32
where
    T: Keyed + Eq + Hash,
{
    if own == pool::EMPTY || own == above {
        return pool.share(above);
    }
    if above == pool::EMPTY {
        return pool.share(own);
    }
    let (mine, theirs) = (pool.get(own).clone(), pool.get(above).clone());
    let mut merged = Vec::with_capacity(mine.len() + theirs.len());
    let mut theirs = theirs.iter().peekable();
    for value in mine.iter() {
        let key = value.key();
        while let Some(other) = theirs.next_if(|other| other.key() < key) {
            merged.push(other.clone());
        }
        theirs.next_if(|other| other.key() == key);
        merged.push(value.clone());
    }
    merged.extend(theirs.cloned());
    pool.acquire(Arc::from(merged))
}
