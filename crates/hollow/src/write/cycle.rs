//! Sealing a cycle: from what was added and deleted to the next state and its blobs.

use std::sync::Arc;

use rayon::prelude::*;

use super::blob::{
    Head, Listed, Rows, write_delta_frame, write_main_header, write_part_header,
    write_snapshot_frame,
};
use super::links::{hash_key, key_bytes};
use super::sealed::{Parts, Sealed, SealedType};
use super::state::{Committed, TypeId, WriteState, record_key};
use super::table::hash_bytes;
use super::types::{Mark, TypeWriter};
use super::{WriteError, blob};
use crate::blob::BlobSet;
use crate::read::{Changes, Filter, ReadState, TypeChanges};
use crate::sums::{ChainSum, TypeSum};
use crate::{Ordinal, Result};

impl WriteState {
    /// Decides and checks what the next state holds; what changed stands in the types' cycles.
    pub(super) fn resolve_cycle(&mut self, is_total: bool) -> Result<()> {
        if is_total {
            self.resolve_total();
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
        let options = &self.options;
        self.types
            .par_iter_mut()
            .for_each(|writer| writer.plan(options));
        Ok(())
    }

    /// Writes the resolved cycle's blobs and reads them back.
    pub(super) fn seal_cycle(
        &mut self,
        random_tag: i64,
        header_tags: Vec<(String, String)>,
    ) -> Result<Sealed> {
        let chain_sum = self.sealed_sum();
        let blobs = Arc::new(self.write_blobs(random_tag, &header_tags)?);
        let (state, changes) = self.read_back(&blobs)?;
        self.verify(&state)?;
        Ok(Sealed::new(
            self,
            random_tag,
            header_tags,
            state,
            changes,
            blobs,
            chain_sum,
        ))
    }

    /// Everything staged stays, and everything committed that was not added again goes.
    fn resolve_total(&mut self) {
        let counts_references = self.counts_references;
        self.types.par_iter_mut().for_each(|writer| {
            let cycle = &mut writer.cycle;
            cycle.live = vec![true; cycle.staged.len()];
            list_added(writer);
            let mut removed = Vec::new();
            if let Some(state) = &writer.state {
                for (first, populated) in state.populated_words() {
                    let mut gone = populated & !writer.cycle.seen[first as usize / 64];
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
        let mut removed: Vec<Vec<Ordinal>> = vec![Vec::new(); self.types.len()];
        let mut work = Vec::new();
        for at in 0..self.types.len() {
            for index in 0..self.types[at].cycle.deleted.len() {
                work.push((at, self.types[at].cycle.deleted[index]));
                self.remove_unreferenced(&mut work, &mut removed);
            }
        }
        for (writer, mut ordinals) in self.types.iter_mut().zip(removed) {
            ordinals.sort_unstable();
            ordinals
                .into_iter()
                .for_each(|ordinal| writer.remove(ordinal));
            list_added(writer);
        }
        Ok(())
    }

    /// Counts the references of upserted new records, and of the new children that they lead to.
    fn mark_live(&mut self) -> Result<()> {
        let mut work = Vec::new();
        for at in 0..self.types.len() {
            let cycle = &mut self.types[at].cycle;
            cycle.live = vec![false; cycle.staged.len()];
            for index in 0..cycle.staged.len() {
                if cycle.marks.get(&cycle.staged.ordinal(index)) == Some(&Mark::Pinned) {
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
    fn remove_unreferenced(
        &mut self,
        work: &mut Vec<(usize, Ordinal)>,
        removed: &mut [Vec<Ordinal>],
    ) {
        let mut scratch = Vec::new();
        let mut children = Vec::new();
        while let Some((at, ordinal)) = work.pop() {
            let writer = &mut self.types[at];
            let kept = matches!(
                writer.cycle.marks.get(&ordinal),
                Some(Mark::Pinned | Mark::Removed)
            );
            if kept || writer.reference_count(ordinal) > 0 || !writer.is_committed(ordinal) {
                continue;
            }
            writer.cycle.marks.insert(ordinal, Mark::Removed);
            removed[at].push(ordinal);
            if let Some(record) = writer.record(ordinal, &mut scratch) {
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
        (0..self.types.len()).into_par_iter().try_for_each(|at| {
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
        (0..self.types.len()).into_par_iter().try_for_each(|at| {
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
    }

    /// The chain sum of the sealed state, from the committed one by the change.
    fn sealed_sum(&self) -> ChainSum {
        let base = self
            .committed
            .as_ref()
            .map_or(ChainSum::EMPTY, |committed| committed.chain_sum);
        let changes = self.types.par_iter().map(|writer| {
            let sums = TypeSum::new(writer.schema.name());
            let mut sum = ChainSum::EMPTY;
            writer
                .added()
                .for_each(|(ordinal, record)| sum.add(sums.record(ordinal, record)));
            writer
                .cycle
                .removed
                .iter()
                .for_each(|(ordinal, record)| sum.remove(sums.record(ordinal, record)));
            sum
        });
        let change = changes.reduce(|| ChainSum::EMPTY, |a, b| ChainSum(a.0.wrapping_add(b.0)));
        ChainSum(base.0.wrapping_add(change.0))
    }

    /// The delta to the sealed state; for the first state of a chain its snapshot.
    fn write_blobs(&self, random_tag: i64, header_tags: &[(String, String)]) -> Result<Parts> {
        let frames: Vec<Option<Vec<u8>>> = (0..self.types.len())
            .into_par_iter()
            .map(|at| self.write_frame(at))
            .collect::<Result<_>>()?;
        let origin_tag = self
            .committed
            .as_ref()
            .map_or(-1, |committed| committed.state.tag());
        let head = Head {
            origin_tag,
            destination_tag: random_tag,
            header_tags,
        };
        let mut parts = Parts::new();
        for part in std::iter::once(None).chain(self.parts.iter().map(Some)) {
            let in_part = || {
                self.types
                    .iter()
                    .zip(&frames)
                    .filter_map(move |(writer, frame)| {
                        Some((
                            &*writer.schema,
                            frame.as_ref().filter(|_| writer.part.as_ref() == part)?,
                        ))
                    })
            };
            let mut out = Vec::new();
            let schemas = in_part().map(|(schema, _)| schema);
            match part {
                None => write_main_header(&head, schemas, &mut out)?,
                Some(part) => write_part_header(&head, part, schemas, &mut out)?,
            }
            in_part().for_each(|(_, frame)| out.extend_from_slice(frame));
            parts.insert(part.cloned(), out);
        }
        Ok(parts)
    }

    /// The frame of a type in the delta, `None` if it did not change; in the first snapshot every type has one.
    fn write_frame(&self, at: usize) -> Result<Option<Vec<u8>>> {
        let writer = &self.types[at];
        let Some(layout) = &writer.cycle.layout else {
            return Ok(None);
        };
        let place = |element: Ordinal| self.element_hash(writer, element);
        let rows = writer.staged_rows(
            writer
                .hash_key
                .is_some()
                .then_some(&place as blob::HashKey<'_>),
        );
        let mut out = Vec::new();
        if self.committed.is_none() {
            let mut words = vec![0_u64; (layout.max_ordinal + 1) as usize / 64 + 1];
            for (ordinal, _) in writer.added() {
                words[ordinal as usize / 64] |= 1 << (ordinal % 64);
            }
            let populated = words.into_iter().enumerate().filter(|&(_, word)| word != 0);
            write_snapshot_frame(&writer.schema, layout, rows, populated, &mut out)?;
        } else if writer.is_changed() {
            let added: Vec<Ordinal> = writer.added().map(|(ordinal, _)| ordinal).collect();
            let listed = Listed {
                removed: &writer.cycle.removed.ordinals,
                added: &added,
            };
            write_delta_frame(
                &writer.schema,
                layout,
                &layout.shards,
                rows,
                listed,
                &mut out,
            )?;
        } else {
            return Ok(None);
        }
        Ok(Some(out))
    }

    /// The hash by which an element of a SET, or a key of a MAP, is placed.
    fn element_hash(&self, writer: &TypeWriter, element: Ordinal) -> Result<i32, WriteError> {
        let null = || WriteError::NullHashKey {
            type_name: writer.schema.name().to_owned(),
            ordinal: element,
        };
        let (element_type, paths) = writer.hash_key.as_ref().ok_or_else(null)?;
        let mut scratch = Vec::new();
        let record = self.types[*element_type]
            .record(element, &mut scratch)
            .ok_or_else(null)?;
        hash_key(&self.types, paths, record).ok_or_else(null)
    }

    /// Reads the own delta, or the first snapshot, the way every reader does.
    fn read_back(&self, blobs: &Parts) -> Result<(ReadState, Changes)> {
        let parts: Vec<(&str, &[u8])> = blobs
            .iter()
            .filter_map(|(part, bytes)| Some((part.as_deref()?, bytes.as_slice())))
            .collect();
        let set = BlobSet {
            main: blobs.get(&None).map_or(&[], Vec::as_slice),
            parts: &parts,
        };
        match &self.committed {
            Some(Committed { state, .. }) => state.apply(set),
            None => {
                let state = ReadState::from_snapshot(set, &Filter::all())?;
                let types = self.types.iter().map(|writer| TypeChanges {
                    type_name: writer.schema.name().to_owned(),
                    removed: Vec::new(),
                    added: writer.added().map(|(ordinal, _)| ordinal).collect(),
                });
                Ok((
                    state,
                    Changes {
                        types: types.collect(),
                    },
                ))
            }
        }
    }

    /// The state that was read back must hold as many records of each type as were written.
    fn verify(&self, state: &ReadState) -> Result<(), WriteError> {
        self.types.iter().try_for_each(|writer| {
            let expected = writer.stats.count as usize - writer.cycle.removed.len();
            let found = state
                .type_state(writer.schema.name())
                .map(|state| state.count());
            if found == Some(expected) {
                return Ok(());
            }
            Err(WriteError::Verification {
                type_name: writer.schema.name().to_owned(),
                what: "the number of records that its own delta leads to",
            })
        })
    }

    /// What the sealed state's blobs need of each type.
    pub(super) fn sealed_types(&self) -> Vec<SealedType> {
        let sealed = |writer: &TypeWriter| {
            Some(SealedType {
                schema: writer.schema.clone(),
                part: writer.part.clone(),
                layout: writer.cycle.layout.clone()?,
                is_changed: writer.is_changed(),
                added: writer.added().map(|(ordinal, _)| ordinal).collect(),
                removed: writer.cycle.removed.ordinals.clone(),
            })
        };
        self.types.iter().filter_map(sealed).collect()
    }

    pub(super) fn commit_types(&mut self, state: &ReadState) {
        let options = &self.options;
        self.types.par_iter_mut().for_each(|writer| {
            if let Some(state) = state.type_state(writer.schema.name()) {
                writer.commit(state.clone(), options);
            }
        });
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

/// All rows of a state's type, for its snapshot.
pub(super) fn snapshot_frame(
    sealed: &SealedType,
    state: &ReadState,
    out: &mut Vec<u8>,
) -> Result<()> {
    let Some(type_state) = state.type_state(sealed.schema.name()) else {
        return Ok(());
    };
    let words = type_state
        .populated_words()
        .map(|(first, word)| (first as usize / 64, word));
    write_snapshot_frame(
        &sealed.schema,
        &sealed.layout,
        Rows::State(type_state),
        words,
        out,
    )
}
