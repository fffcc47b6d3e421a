//! Bringing rows up to date: staged keys are folded into their sets, then whatever depends on a
//! changed row takes its effective values anew, parents before children.

use std::hash::Hash;
use std::sync::Arc;

use super::families::Families;
use super::pool::Pool;
use super::{ABSENT, Facts, NO_SLOT, Policies, Row, Slot, Staged, Text, Track, pool};
use crate::facts::{Artwork, Hold, Speech};
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

impl Facts {
    /// Brings the rows up to date with every change since the last refresh; returns how many rows
    /// were looked at.
    pub fn refresh(&mut self) -> usize {
        self.refreshes += 1;
        let mut dirty = std::mem::take(&mut self.dirty);
        let staged = std::mem::take(&mut self.texts);
        fold(
            &mut self.rows,
            &mut self.pools.texts,
            staged,
            &mut dirty,
            |row| &mut row.own.texts,
        );
        let staged = std::mem::take(&mut self.tracks);
        fold(
            &mut self.rows,
            &mut self.pools.tracks,
            staged,
            &mut dirty,
            |row| &mut row.own.tracks,
        );
        let staged = std::mem::take(&mut self.artwork);
        fold(
            &mut self.rows,
            &mut self.pools.artwork,
            staged,
            &mut dirty,
            |row| &mut row.own.artwork,
        );
        let staged = std::mem::take(&mut self.held);
        fold(
            &mut self.rows,
            &mut self.pools.holds,
            staged,
            &mut dirty,
            |row| &mut row.own.holds,
        );

        let touched = self.with_descendants(dirty);
        for &slot in &touched {
            self.derive(slot);
        }
        for &slot in &touched {
            self.drop_if_blank(slot);
        }
        if std::mem::take(&mut self.structure_changed) {
            self.find_roots();
            self.families = Families::of(self, self.families.generation + 1);
        } else {
            for &slot in &touched {
                self.families.refresh(slot, &self.rows[slot as usize]);
            }
        }
        if std::mem::take(&mut self.policies_changed) {
            self.compiled = Policies::compile(self.policies.clone());
            self.policies_stamp += 1;
        }
        touched.len()
    }

    /// The rows and everything below them, each once, parents before children.
    fn with_descendants(&self, mut slots: Vec<Slot>) -> Vec<Slot> {
        slots.sort_unstable();
        slots.dedup();
        let mut seen = vec![false; self.rows.len()];
        for &slot in &slots {
            seen[slot as usize] = true;
        }
        let mut at = 0;
        while let Some(&slot) = slots.get(at) {
            for &child in self.children.get(&slot).into_iter().flatten() {
                if !std::mem::replace(&mut seen[child as usize], true) {
                    slots.push(child);
                }
            }
            at += 1;
        }
        slots.sort_by_cached_key(|&slot| self.lineage(slot).count());
        slots
    }

    /// Takes a row's effective values anew from its own records and its parent's values.
    fn derive(&mut self, slot: Slot) {
        let parent = self
            .parent(slot)
            .map(|parent| self.rows[parent as usize].clone());
        let above = parent.as_ref().map(|parent| &parent.effective);
        let row = &mut self.rows[slot as usize];
        let pools = &mut self.pools;
        row.refreshed = self.refreshes;
        row.orphan = match (row.title, &parent) {
            (Some(title), None) => title.kind.parent().is_some(),
            (_, Some(parent)) => parent.orphan,
            (None, None) => false,
        };
        let empty = pool::EMPTY;
        let nearest = |own: u32, above: Option<u32>| match own {
            ABSENT => above.unwrap_or(empty),
            own => own,
        };

        let rights = nearest(row.own.rights, above.map(|ids| ids.rights));
        let rights = pools.rights.share(rights);
        pools
            .rights
            .release(std::mem::replace(&mut row.effective.rights, rights));

        let ratings = nearest(row.own.ratings, above.map(|ids| ids.ratings));
        let ratings = pools.ratings.share(ratings);
        pools
            .ratings
            .release(std::mem::replace(&mut row.effective.ratings, ratings));

        let streams = nearest(row.own.streams, None);
        let streams = pools.streams.share(streams);
        pools
            .streams
            .release(std::mem::replace(&mut row.effective.streams, streams));

        let texts = merge(
            &mut pools.texts,
            row.own.texts,
            above.map_or(empty, |ids| ids.texts),
        );
        pools
            .texts
            .release(std::mem::replace(&mut row.effective.texts, texts));

        let tracks = merge(
            &mut pools.tracks,
            row.own.tracks,
            above.map_or(empty, |ids| ids.tracks),
        );
        pools
            .tracks
            .release(std::mem::replace(&mut row.effective.tracks, tracks));

        let artwork = merge(
            &mut pools.artwork,
            row.own.artwork,
            above.map_or(empty, |ids| ids.artwork),
        );
        pools
            .artwork
            .release(std::mem::replace(&mut row.effective.artwork, artwork));

        let holds = merge(
            &mut pools.holds,
            row.own.holds,
            above.map_or(empty, |ids| ids.holds),
        );
        pools
            .holds
            .release(std::mem::replace(&mut row.effective.holds, holds));

        let speech = pools.speech.acquire(Speech {
            tracks: pools.tracks.get(tracks).clone(),
            original: row.title.and_then(|title| title.original),
            kids: row.title.is_some_and(|title| title.kids),
        });
        pools
            .speech
            .release(std::mem::replace(&mut row.speech, speech));

        let key = match row.title.is_some() && row.is_played() {
            true => pools.keys.acquire(row.to_key()),
            false => pool::EMPTY,
        };
        pools.keys.release(std::mem::replace(&mut row.key, key));
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
        let mut roots = std::mem::take(&mut self.roots);
        roots.clear();
        roots.extend((0..self.rows.len() as Slot).filter(|&slot| {
            self.rows[slot as usize].title.is_some() && self.parent(slot).is_none()
        }));
        roots.sort_unstable_by_key(|&slot| self.rows[slot as usize].video);
        self.roots = roots;
    }
}

/// Folds staged keys into the sets of their rows; the last change of a key wins.
fn fold<T>(
    rows: &mut [Row],
    pool: &mut Pool<Arc<[T]>>,
    mut staged: Staged<T::Key, T>,
    dirty: &mut Vec<Slot>,
    own: impl Fn(&mut Row) -> &mut u32,
) where
    T: Keyed + Eq + Hash,
{
    staged.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for changes in staged.chunk_by(|a, b| a.0 == b.0) {
        let slot = changes[0].0;
        let own = own(&mut rows[slot as usize]);
        let mut before = pool.get(*own).iter().cloned().peekable();
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
        if id != *own {
            dirty.push(slot);
        }
        pool.release(std::mem::replace(own, id));
    }
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
