//! Resolving a cycle: from what was added, upserted and deleted to what the next state holds.
//!
//! A total cycle keeps what was added. An incremental one follows references: upserted records and what they lead to
//! come in, deleted ones go with every child that nothing refers to any more. What comes out are, for each type, the
//! records that are added and those that are removed; everything after this is arithmetic on them.

use std::sync::atomic::Ordering::Relaxed;

use super::changes::record_key;
use super::links::key_bytes;
use super::marks::Mark;
use super::references::References;
use super::state::{Phase, TypeId, WriteState};
use super::table::hash_bytes;
use super::types::{TypeCycle, TypeWriter};
use super::{WriteError, parallel};
use crate::{Ordinal, Result};

impl WriteState {
    /// Whether the open cycle leads to another state for sure, as far as can be told before it is
    /// [resolved](Self::resolve) and at next to no cost: it holds a new record that nothing has taken back.
    #[must_use]
    pub fn is_sure_to_change(&self) -> bool {
        let is_total = matches!(self.phase, Phase::Total) && self.evolving.is_none();
        let is_incremental = matches!(self.phase, Phase::Incremental);
        self.types.iter().map(|writer| &writer.cycle).any(|cycle| {
            let is_pinned =
                |index| cycle.marks.get(cycle.staged.ordinal(index)) == Some(Mark::Pinned);
            let mut staged = 0..cycle.staged.len();
            is_total && !staged.is_empty() || is_incremental && staged.any(is_pinned)
        })
    }

    /// Decides and checks what the next state holds; what changed stands in the types' cycles.
    pub(super) fn resolve_cycle(&mut self, is_total: bool) -> Result<()> {
        if is_total {
            self.resolve_total();
            if self.evolving.is_some() {
                self.resolve_evolved();
            }
        } else {
            self.resolve_incremental()?;
        }
        if self.options.check_references && is_total {
            self.check_references()?;
        }
        self.hash_removed_keys();
        if self.options.unique_keys {
            self.check_keys(is_total)?;
        }
        let (options, parallel) = (&self.options, self.is_large());
        parallel::for_each(&mut self.types, parallel, |writer| writer.plan(options));
        Ok(())
    }

    /// Everything staged stays, and everything committed that was not added again goes.
    fn resolve_total(&mut self) {
        parallel::for_each(&mut self.types, true, |writer| {
            let cycle = &mut writer.cycle;
            cycle.live = vec![true; cycle.staged.len()];
            list_added(writer);
            if let Some(state) = &writer.state {
                let TypeCycle { seen, removed, .. } = &mut writer.cycle;
                for (first, populated) in state.populated_words() {
                    let mut gone = populated & !seen[first as usize / 64].load(Relaxed);
                    while gone != 0 {
                        removed.ordinals.push(first + gone.trailing_zeros());
                        gone &= gone - 1;
                    }
                }
            }
            writer.read_removed(true);
        });
        if let Some(references) = &mut self.references {
            references.add_new(&self.types);
            references.drop_removed(&self.types);
        }
    }

    /// Finds what lives: upserted records and what they lead to come in, then deleted ones go with every child that
    /// nothing refers to any more. Records refer only to older ones, so both walks end.
    fn resolve_incremental(&mut self) -> Result<()> {
        self.mark_live()?;
        self.remove_unreferenced();
        let parallel = self.is_large();
        parallel::for_each(&mut self.types, parallel, list_added);
        Ok(())
    }

    /// Finds the new records that upserted ones lead to, and counts the references of all of them. Type by type, so that
    /// memory is gone through in order.
    fn mark_live(&mut self) -> Result<()> {
        let pinned = |writer: &TypeWriter| {
            let TypeCycle { staged, marks, .. } = &writer.cycle;
            let is_pinned = |index| marks.get(staged.ordinal(index)) == Some(Mark::Pinned);
            (0..staged.len()).map(is_pinned).collect()
        };
        let mut live: Vec<Vec<bool>> = self.types.iter().map(pinned).collect();
        let indexes = |live: &Vec<bool>| (0..live.len()).filter(|&index| live[index]).collect();
        let mut found: Vec<Vec<usize>> = live.iter().map(indexes).collect();
        let Some(mut references) = self.references.take() else {
            return Ok(());
        };
        let is_checking = self.options.check_references;
        let mut dangling = None;
        while let Some(at) = first_with_any(&self.referring_first, &found) {
            let writer = &self.types[at];
            for index in std::mem::take(&mut found[at]) {
                let record = writer.cycle.staged.record(index);
                writer.links.for_each(record, |target, child| {
                    let child_type = &self.types[target];
                    if !child_type.is_committed(child) {
                        match child_type.cycle.staged.index_of(child) {
                            Some(child_index) if !live[target][child_index] => {
                                live[target][child_index] = true;
                                found[target].push(child_index);
                            }
                            None if is_checking => {
                                dangling = Some((at, target, child));
                                return;
                            }
                            _ => {}
                        }
                    }
                    references.add_one(target, child);
                });
                if let Some((from, to, child)) = dangling {
                    // A mistake of the caller's, and rare: what is counted so far is not worth a note.
                    self.references = Some(References::of(&self.types));
                    return Err(self.dangling(from, to, child).into());
                }
            }
        }
        for (writer, live) in self.types.iter_mut().zip(live) {
            writer.cycle.live = live;
        }
        references.hold_cycle();
        self.references = Some(references);
        Ok(())
    }

    /// Removes the deleted records to which nothing refers and which were not upserted, then their children of which the same
    /// is true. Type by type, so that all of a type are read at once, by several threads and in their order.
    fn remove_unreferenced(&mut self) {
        let Some(mut references) = self.references.take() else {
            return;
        };
        let deleted = |writer: &TypeWriter| writer.cycle.deleted.clone();
        let mut left: Vec<Vec<Ordinal>> = self.types.iter().map(deleted).collect();
        while let Some(at) = first_with_any(&self.referring_first, &left) {
            let writer = &mut self.types[at];
            let read = writer.cycle.removed.len();
            for ordinal in std::mem::take(&mut left[at]) {
                let mark = writer.cycle.marks.get(ordinal);
                let is_kept = matches!(mark, Some(Mark::Pinned | Mark::Removed));
                if is_kept || references.count(at, ordinal) > 0 || !writer.is_committed(ordinal) {
                    continue;
                }
                writer.cycle.marks.insert(ordinal, Mark::Removed);
                writer.cycle.removed.ordinals.push(ordinal);
            }
            let parallel = self.is_large();
            let writer = &mut self.types[at];
            writer.read_removed(parallel);
            if !writer.links.any() {
                continue;
            }
            for (_, record) in writer.cycle.removed.iter().skip(read) {
                writer.links.for_each(record, |target, child| {
                    if references.drop_one(target, child) == 0 {
                        left[target].push(child);
                    }
                });
            }
        }
        self.types.iter_mut().for_each(TypeWriter::order_removed);
        self.references = Some(references);
    }

    /// Every reference of a new record must lead to a record of the sealed state; where references are counted, no
    /// removed record may be referred to either.
    fn check_references(&self) -> Result<(), WriteError> {
        parallel::map(self.types.len(), self.is_large(), |at| {
            let writer = &self.types[at];
            let mut dangling = None;
            if writer.links.any() {
                for (_, record) in writer.added() {
                    writer.links.for_each(record, |target, child| {
                        if !self.types[target].is_live(child, true) {
                            dangling = Some((at, target, child));
                        }
                    });
                }
            }
            if let Some(references) = &self.references {
                let referred = |&&ordinal: &&Ordinal| references.count(at, ordinal) > 0;
                if let Some(&ordinal) = writer.cycle.removed.ordinals.iter().find(referred) {
                    dangling = Some((self.referring_type(at), at, ordinal));
                }
            }
            dangling.map_or(Ok(()), |(from, to, ordinal)| {
                Err(self.dangling(from, to, ordinal))
            })
        })
        .map(drop)
    }

    fn referring_type(&self, target: usize) -> usize {
        let name = self.types[target].schema.name();
        self.types
            .iter()
            .position(|writer| writer.schema.dependencies().contains(&name))
            .unwrap_or(target)
    }

    fn dangling(&self, from: usize, to: usize, ordinal: Ordinal) -> WriteError {
        WriteError::DanglingReference {
            type_name: self.types[from].schema.name().to_owned(),
            referenced_type: self.types[to].schema.name().to_owned(),
            ordinal,
        }
    }

    /// The key hashes of removed records, while what their paths lead through is still there.
    fn hash_removed_keys(&mut self) {
        for at in 0..self.types.len() {
            let writer = &self.types[at];
            let Some(paths) = &writer.key else { continue };
            let removed = &writer.cycle.removed;
            let hash = |key: &mut Vec<u8>, index: usize| {
                key_bytes(&self.types, paths, removed.record(index), key);
                hash_bytes(key)
            };
            let hashes = parallel::map_records(removed.len(), Vec::new, hash);
            self.types[at].cycle.removed_keys = hashes;
        }
    }

    /// No two records of the sealed state may have one key. Only added records can bring a second one.
    fn check_keys(&self, is_total: bool) -> Result<(), WriteError> {
        parallel::map(self.types.len(), self.is_large(), |at| {
            let writer = &self.types[at];
            let Some(paths) = &writer.key else {
                return Ok(());
            };
            let doubled = |key: &mut Vec<u8>, at_added: usize| {
                let index = writer.cycle.added[at_added] as usize;
                let ordinal = writer.cycle.staged.ordinal(index);
                let others = writer
                    .keys
                    .under(writer.cycle.staged_keys[index])
                    .filter(|&other| other != ordinal);
                for other in others.filter(|&other| writer.is_live(other, is_total)) {
                    key_bytes(&self.types, paths, writer.cycle.staged.record(index), key);
                    if self.has_key(TypeId(at as u32), other, key) {
                        return Some(record_key(writer, key));
                    }
                }
                None
            };
            let doubled = parallel::find_record(writer.cycle.added.len(), Vec::new, doubled);
            doubled.map_or(Ok(()), |key| {
                let type_name = writer.schema.name().to_owned();
                Err(WriteError::DuplicateKey { type_name, key })
            })
        })
        .map(drop)
    }
}

/// The first type of an order that has any of what is listed by type.
fn first_with_any<T>(order: &[usize], listed: &[Vec<T>]) -> Option<usize> {
    order.iter().copied().find(|&at| !listed[at].is_empty())
}

fn list_added(writer: &mut TypeWriter) {
    let cycle = &mut writer.cycle;
    cycle.added = (0..cycle.staged.len() as u32)
        .filter(|&index| cycle.live[index as usize])
        .collect();
    cycle
        .added
        .sort_unstable_by_key(|&index| cycle.staged.ordinal(index as usize));
}
