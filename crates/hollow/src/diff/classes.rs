//! Records by content, as small numbers: two records of either state have one class exactly when they are equal.
//!
//! Elements of collections are paired by their classes through an array, so that a set of a hundred members costs a few
//! hundred reads; each record is hashed once.

use super::change::NONE;
use super::plan::Plan;
use crate::Ordinal;
use crate::error::Result;
use crate::read::TypeState;
use crate::sums::ContentHashes;
use hashbrown::HashMap;
use std::mem;

/// The class of all ordinals without a record.
const MISSING: u32 = 1;
/// Types with fewer ordinals have their classes in an array.
const DENSE: usize = 1 << 16;

enum Known {
    Dense(Vec<u32>),
    Sparse(HashMap<Ordinal, u32>),
}

pub(super) struct Classes<'s> {
    hashes: [ContentHashes<'s>; 2],
    /// Per type the number that the hashes know it by.
    numbers: [Vec<Option<usize>>; 2],
    by_hash: HashMap<u128, u32>,
    known: [Vec<Known>; 2],
    /// For pairing: per class the first waiting position plus one, and for each position the next one.
    heads: Vec<u32>,
    next: Vec<u32>,
    /// For sets: per class and side the last pair of sets in which it was met, by number, and their members' classes.
    met: Vec<[u32; 2]>,
    sets: u32,
    members: [Vec<u32>; 2],
}

/// Positions of two lists, paired by class; the rest of both ascends.
#[derive(Default)]
pub(super) struct Paired {
    pub(super) both: Vec<(usize, usize)>,
    pub(super) removed: Vec<usize>,
    pub(super) added: Vec<usize>,
}

impl<'s> Classes<'s> {
    pub(super) fn new(plan: &Plan<'s>) -> Self {
        let hashes = plan.hashes.each_ref().map(ContentHashes::fork);
        let names = &plan.sides.names;
        let numbers = [0, 1].map(|side: usize| {
            let hashes: &ContentHashes<'_> = &hashes[side];
            names.iter().map(|name| hashes.type_index(name)).collect()
        });
        let known = [false, true].map(|is_new| {
            plan.types
                .iter()
                .map(|types| {
                    let state = if is_new { types.new } else { types.old };
                    let last = state.and_then(TypeState::last_ordinal);
                    match last.map_or(0, |last| last as usize + 1) {
                        count if count <= DENSE => Known::Dense(vec![0; count]),
                        _ => Known::Sparse(HashMap::new()),
                    }
                })
                .collect()
        });
        Self {
            hashes,
            numbers,
            by_hash: HashMap::new(),
            known,
            heads: vec![0; MISSING as usize + 1],
            next: Vec::new(),
            met: Vec::new(),
            sets: 0,
            members: Default::default(),
        }
    }

    #[inline]
    fn of(&mut self, side: usize, of: usize, ordinal: Ordinal) -> Result<u32> {
        let known = match &self.known[side][of] {
            Known::Dense(known) => known.get(ordinal as usize).copied().unwrap_or(MISSING),
            Known::Sparse(known) => known.get(&ordinal).copied().unwrap_or(0),
        };
        if known != 0 {
            return Ok(known);
        }
        self.find(side, of, ordinal)
    }

    #[cold]
    fn find(&mut self, side: usize, of: usize, ordinal: Ordinal) -> Result<u32> {
        let hash = match self.numbers[side][of] {
            Some(number) => self.hashes[side].hash(number, ordinal)?,
            None => None,
        };
        let class = match hash {
            None => MISSING,
            Some(hash) => *self.by_hash.entry(hash).or_insert_with(|| {
                self.heads.push(0);
                self.heads.len() as u32 - 1
            }),
        };
        match &mut self.known[side][of] {
            Known::Dense(known) => {
                if let Some(known) = known.get_mut(ordinal as usize) {
                    *known = class;
                }
            }
            Known::Sparse(known) => {
                known.insert(ordinal, class);
            }
        }
        Ok(class)
    }

    /// Whether two records are equal.
    pub(super) fn equal(&mut self, of: usize, old: Ordinal, new: Ordinal) -> Result<bool> {
        Ok(self.of(0, of, old)? == self.of(1, of, new)?)
    }

    /// Adds what two sets do not share, removed members first.
    pub(super) fn unshared(
        &mut self,
        of: usize,
        old: &[Ordinal],
        new: &[Ordinal],
        found: &mut Vec<(Ordinal, Ordinal)>,
    ) -> Result<()> {
        let mut members = mem::take(&mut self.members);
        for (side, (classes, ordinals)) in members.iter_mut().zip([old, new]).enumerate() {
            classes.clear();
            for &ordinal in ordinals {
                classes.push(self.of(side, of, ordinal)?);
            }
        }
        self.met.resize(self.heads.len(), [0; 2]);
        self.sets += 1;
        let sets = self.sets;
        let mut is_met_twice = false;
        for (side, classes) in members.iter().enumerate() {
            for &class in classes {
                let met = &mut self.met[class as usize][side];
                is_met_twice |= mem::replace(met, sets) == sets;
            }
        }
        if is_met_twice {
            // A foreign state may hold equal records, and one of them more than the other.
            let paired = self.pair(of, old, new)?;
            found.extend(paired.removed.into_iter().map(|at| (old[at], NONE)));
            found.extend(paired.added.into_iter().map(|at| (NONE, new[at])));
        } else {
            let alone = |side: usize| {
                let met = &self.met;
                let is_alone = move |class: u32| met[class as usize][1 - side] != sets;
                let members = members[side].iter().zip([old, new][side]);
                members.filter_map(move |(&class, &ordinal)| is_alone(class).then_some(ordinal))
            };
            found.extend(alone(0).map(|ordinal| (ordinal, NONE)));
            found.extend(alone(1).map(|ordinal| (NONE, ordinal)));
        }
        self.members = members;
        Ok(())
    }

    /// Pairs equal records of a type, the first of equal ones with the first.
    pub(super) fn pair(&mut self, of: usize, old: &[Ordinal], new: &[Ordinal]) -> Result<Paired> {
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        next.resize(old.len(), 0);
        let mut paired = Paired::default();
        let outcome = self.pair_with(of, old, new, &mut next, &mut paired);
        // The heads are empty again, whatever happened.
        for &ordinal in old {
            if let Ok(class) = self.of(0, of, ordinal) {
                self.heads[class as usize] = 0;
            }
        }
        self.next = next;
        outcome.map(|()| paired)
    }

    fn pair_with(
        &mut self,
        of: usize,
        old: &[Ordinal],
        new: &[Ordinal],
        next: &mut [u32],
        paired: &mut Paired,
    ) -> Result<()> {
        /// Marks a position that has its partner.
        const TAKEN: u32 = u32::MAX;
        for (position, &ordinal) in old.iter().enumerate().rev() {
            let class = self.of(0, of, ordinal)? as usize;
            next[position] = std::mem::replace(&mut self.heads[class], position as u32 + 1);
        }
        for (position, &ordinal) in new.iter().enumerate() {
            let class = self.of(1, of, ordinal)? as usize;
            match self.heads[class].checked_sub(1) {
                Some(partner) => {
                    let partner = partner as usize;
                    self.heads[class] = std::mem::replace(&mut next[partner], TAKEN);
                    paired.both.push((partner, position));
                }
                None => paired.added.push(position),
            }
        }
        let left = next.iter().enumerate().filter(|(_, next)| **next != TAKEN);
        paired.removed.extend(left.map(|(position, _)| position));
        Ok(())
    }
}
