//! Which sets the newest state holds, as far as they were met.
//!
//! A changed verdict has a handful of groups, most of which have sets of countries and tracks that the output held before. To
//! put such a set together as a record and to look that up by its content costs more than all the rest of writing a group, so
//! what was written is remembered. Whether it still holds is asked of the states themselves.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use hollow::{Ordinal, ReadState};
use liveness::{BlockerSet, CountrySet, Group, TrackSet};

/// The sets that were met in some state, or written into the one after it.
#[derive(Default)]
pub(crate) struct Known {
    /// The state that was written over last.
    state: Option<ReadState>,
    /// Whether what was written then is part of a state now.
    is_settled: bool,
    pub(super) countries: Sets<CountrySet>,
    pub(super) blockers: Sets<BlockerSet>,
    pub(super) assets: Sets<TrackSet>,
}

/// What a group refers to, as far as it is known.
#[derive(Clone, Copy)]
pub(super) struct References {
    pub(super) countries: Option<Ordinal>,
    pub(super) blockers: Option<Ordinal>,
    pub(super) assets: Option<Ordinal>,
    pub(super) next_assets: Option<Ordinal>,
}

impl Known {
    /// Tells whether what was written last was accepted.
    pub(crate) fn settle(&mut self, is_accepted: bool) {
        match is_accepted {
            true => self.is_settled = true,
            false => *self = Self::default(),
        }
    }

    /// Comes to the state that is written over now; types are those of the sets of countries, blockers and assets.
    pub(super) fn bring(&mut self, state: Option<&ReadState>, types: [&str; 3]) {
        let [countries, blockers, assets] = types;
        let before = self.state.take().filter(|_| self.is_settled);
        let step = before.as_ref().zip(state).filter(|(before, after)| {
            before.tag() == after.tag() || before.tag() == after.origin_tag()
        });
        match step {
            Some((before, after)) => {
                self.countries.step(before, after, countries);
                self.blockers.step(before, after, blockers);
                self.assets.step(before, after, assets);
            }
            None => *self = Self::default(),
        }
        // Nobody waits for what a state that nothing holds any more has to give back.
        rayon::spawn(move || drop(before));
        self.state = state.cloned();
        self.is_settled = false;
    }

    pub(super) fn find(&self, group: &Group) -> References {
        let next = group.next.as_ref();
        References {
            countries: self.countries.find(&group.countries),
            blockers: self.blockers.find(&group.blockers),
            assets: self.assets.find(&group.tracks),
            next_assets: next.and_then(|next| self.assets.find(&next.tracks)),
        }
    }
}

/// Sets of one type with the ordinals of their records.
pub(super) struct Sets<S> {
    /// By ordinal.
    sets: Vec<Option<S>>,
    ordinals: HashTable<Ordinal>,
    /// What the state did not tell yet.
    learned: Vec<Ordinal>,
    hasher: DefaultHashBuilder,
}

impl<S> Default for Sets<S> {
    fn default() -> Self {
        Self {
            sets: Vec::new(),
            ordinals: HashTable::new(),
            learned: Vec::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<S: Eq + Hash + Clone> Sets<S> {
    pub(super) fn find(&self, set: &S) -> Option<Ordinal> {
        let is_same = |&ordinal: &Ordinal| self.at(ordinal) == Some(set);
        let found = self.ordinals.find(self.hasher.hash_one(set), is_same);
        found.copied()
    }

    /// Remembers a set that was added to the cycle.
    pub(super) fn learn(&mut self, set: &S, ordinal: Ordinal) {
        self.forget(ordinal);
        let at = ordinal as usize;
        if self.sets.len() <= at {
            self.sets.resize(at + 1, None);
        }
        self.sets[at] = Some(set.clone());
        self.learned.push(ordinal);
        let (sets, hasher) = (&self.sets, &self.hasher);
        let hash_of = |&ordinal: &Ordinal| {
            let set = sets[ordinal as usize].as_ref();
            set.map_or(0, |set| hasher.hash_one(set))
        };
        self.ordinals
            .insert_unique(hasher.hash_one(set), ordinal, hash_of);
    }

    pub(super) fn at(&self, ordinal: Ordinal) -> Option<&S> {
        self.sets.get(ordinal as usize)?.as_ref()
    }

    fn forget(&mut self, ordinal: Ordinal) {
        let set = self.sets.get_mut(ordinal as usize).and_then(Option::take);
        let Some(set) = set else { return };
        let hash = self.hasher.hash_one(&set);
        if let Ok(entry) = self.ordinals.find_entry(hash, |&other| other == ordinal) {
            entry.remove();
        }
    }

    /// Forgets what the state after does not hold any more, or never did.
    fn step(&mut self, before: &ReadState, after: &ReadState, type_name: &str) {
        let types = before
            .type_state(type_name)
            .zip(after.type_state(type_name));
        let Some((before, after)) = types else {
            *self = Self::default();
            return;
        };
        // An ordinal that is left in a cycle is not taken in it: a set that has one in both states is the same, and what has
        // one that was written is what was written.
        let mut populated = vec![0; self.sets.len().div_ceil(64)];
        for (first, word) in after.populated_words() {
            if let Some(populated) = populated.get_mut(first as usize / 64) {
                *populated = word;
            }
        }
        let learned = std::mem::take(&mut self.learned);
        for ordinal in learned {
            if populated[ordinal as usize / 64] >> (ordinal % 64) & 1 == 0 {
                self.forget(ordinal);
            }
        }
        for (first, word) in before.populated_words() {
            let after = populated.get(first as usize / 64).copied().unwrap_or(0);
            let mut gone = word & !after;
            while gone != 0 {
                self.forget(first + gone.trailing_zeros());
                gone &= gone - 1;
            }
        }
    }
}
