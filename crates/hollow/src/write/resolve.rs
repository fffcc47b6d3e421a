//! Resolving a cycle: from what was added, upserted and deleted to what the next state holds.
//!
//! A total cycle keeps what was added. An incremental one follows references: upserted records and what they lead to
//! come in, deleted ones go with every child that nothing refers to any more. What comes out are, for each type, the
//! records that are added and those that are removed; everything after this is arithmetic on them.

use std::sync::atomic::Ordering::Relaxed;

use super::changes::record_key;
use super::links::key_bytes;
use super::marks::Mark;
use super::state::{TypeId, WriteState};
use super::table::hash_bytes;
use super::types::TypeWriter;
use super::{WriteError, parallel};
use crate::{Ordinal, Result};

impl WriteState {
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
        let counts_references = self.counts_references;
        parallel::for_each(&mut self.types, true, |writer| {
            let cycle = &mut writer.cycle;
            cycle.live = vec![true; cycle.staged.len()];
            list_added(writer);
            let mut removed = Vec::new();
            if let Some(state) = &writer.state {
                for (first, populated) in state.populated_words() {
                    let seen = writer.cycle.seen[first as usize / 64].load(Relaxed);
                    let mut gone = populated & !seen;
                    while gone != 0 {
                        removed.push(first + gone.trailing_zeros());
                        gone &= gone - 1;
                    }
                }
            }
            removed
                .into_iter()
                .for_each(|ordinal| writer.remove(ordinal));
        });
        if counts_references {
            for at in 0..self.types.len() {
                for child in self.added_references(at) {
                    self.refer(child, true);
                }
                for child in removed_references(&self.types[at]) {
                    self.refer(child, false);
                }
            }
        }
    }

    /// Finds what lives: upserted records and what they lead to come in, then deleted ones go with every child that
    /// nothing refers to any more. Records refer only to older ones, so both walks end.
    fn resolve_incremental(&mut self) -> Result<()> {
        self.mark_live()?;
        let mut work = Vec::new();
        for at in 0..self.types.len() {
            for index in 0..self.types[at].cycle.deleted.len() {
                work.push((at, self.types[at].cycle.deleted[index]));
                self.remove_unreferenced(&mut work);
            }
        }
        let parallel = self.is_large();
        parallel::for_each(&mut self.types, parallel, |writer| {
            writer.cycle.removed.sort();
            list_added(writer);
        });
        Ok(())
    }

    /// Counts the references of upserted new records, and of the new children that they lead to.
    fn mark_live(&mut self) -> Result<()> {
        let mut work = Vec::new();
        for at in 0..self.types.len() {
            let cycle = &mut self.types[at].cycle;
            cycle.live = vec![false; cycle.staged.len()];
            for index in 0..cycle.staged.len() {
                if cycle.marks.get(cycle.staged.ordinal(index)) == Some(Mark::Pinned) {
                    cycle.live[index] = true;
                    work.push((at, index));
                }
            }
        }
        let mut children = Vec::new();
        while let Some((at, index)) = work.pop() {
            let writer = &self.types[at];
            writer
                .links
                .for_each(writer.cycle.staged.record(index), |target, child| {
                    children.push((target, child))
                });
            for (target, child) in children.drain(..) {
                let cycle = &mut self.types[target].cycle;
                match cycle.staged.index_of(child) {
                    Some(child_index) if !cycle.live[child_index] => {
                        cycle.live[child_index] = true;
                        work.push((target, child_index));
                    }
                    None if self.options.check_references
                        && !self.types[target].is_committed(child) =>
                    {
                        return Err(self.dangling(at, target, child).into());
                    }
                    _ => {}
                }
                self.refer((target, child), true);
            }
        }
        Ok(())
    }

    /// Removes the committed records in `work` to which nothing refers and which were not upserted, then their children
    /// of which the same is true.
    fn remove_unreferenced(&mut self, work: &mut Vec<(usize, Ordinal)>) {
        let mut children = Vec::new();
        while let Some((at, ordinal)) = work.pop() {
            let writer = &mut self.types[at];
            let kept = matches!(
                writer.cycle.marks.get(ordinal),
                Some(Mark::Pinned | Mark::Removed)
            );
            if kept || writer.reference_count(ordinal) > 0 || !writer.is_committed(ordinal) {
                continue;
            }
            writer.cycle.marks.insert(ordinal, Mark::Removed);
            writer.remove(ordinal);
            if let Some(record) = writer.cycle.removed.last() {
                writer
                    .links
                    .for_each(record, |target, child| children.push((target, child)));
            }
            for child in children.drain(..) {
                if self.refer(child, false) == 0 {
                    work.push(child);
                }
            }
        }
    }

    fn refer(&mut self, (target, ordinal): (usize, Ordinal), up: bool) -> u32 {
        self.reference_log.push((target as u32, ordinal, up));
        self.types[target].refer(ordinal, up)
    }

    fn added_references(&self, at: usize) -> Vec<(usize, Ordinal)> {
        let mut references = Vec::new();
        for (_, record) in self.types[at].added() {
            self.types[at]
                .links
                .for_each(record, |target, child| references.push((target, child)));
        }
        references
    }

    /// Counts the references of all committed records, once.
    pub(super) fn count_references(&mut self) {
        let mut counts: Vec<Vec<u32>> = self
            .types
            .iter()
            .map(|writer| {
                let last = writer.state.as_ref().and_then(|state| state.last_ordinal());
                vec![0; last.map_or(0, |last| last as usize + 1)]
            })
            .collect();
        let mut scratch = Vec::new();
        for writer in self.types.iter().filter(|writer| writer.links.any()) {
            let Some(state) = &writer.state else { continue };
            for ordinal in state.ordinals() {
                scratch.clear();
                state.serialize(ordinal, &mut scratch);
                writer.links.for_each(&scratch, |target, child| {
                    if let Some(count) = counts[target].get_mut(child as usize) {
                        *count += 1;
                    }
                });
            }
        }
        for (writer, counts) in self.types.iter_mut().zip(counts) {
            writer.references = counts;
        }
        self.counts_references = true;
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
            if self.counts_references {
                let referred = |&&ordinal: &&Ordinal| writer.reference_count(ordinal) > 0;
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
            let mut key = Vec::new();
            let hashes = writer.cycle.removed.iter().map(|(_, record)| {
                key_bytes(&self.types, paths, record, &mut key);
                hash_bytes(&key)
            });
            self.types[at].cycle.removed_keys = hashes.collect();
        }
    }

    /// No two records of the sealed state may have one key. Only added records can bring a second one.
    fn check_keys(&self, is_total: bool) -> Result<(), WriteError> {
        parallel::map(self.types.len(), self.is_large(), |at| {
            let writer = &self.types[at];
            let Some(paths) = &writer.key else {
                return Ok(());
            };
            let mut key = Vec::new();
            for &index in &writer.cycle.added {
                let index = index as usize;
                let ordinal = writer.cycle.staged.ordinal(index);
                let others = writer
                    .keys
                    .under(writer.cycle.staged_keys[index])
                    .filter(|&other| other != ordinal);
                for other in others.filter(|&other| writer.is_live(other, is_total)) {
                    key_bytes(
                        &self.types,
                        paths,
                        writer.cycle.staged.record(index),
                        &mut key,
                    );
                    if self.has_key(TypeId(at as u32), other, &key) {
                        let type_name = writer.schema.name().to_owned();
                        return Err(WriteError::DuplicateKey {
                            type_name,
                            key: record_key(writer, &key),
                        });
                    }
                }
            }
            Ok(())
        })
        .map(drop)
    }
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

fn removed_references(writer: &TypeWriter) -> Vec<(usize, Ordinal)> {
    let mut references = Vec::new();
    for (_, record) in writer.cycle.removed.iter() {
        writer
            .links
            .for_each(record, |target, child| references.push((target, child)));
    }
    references
}
