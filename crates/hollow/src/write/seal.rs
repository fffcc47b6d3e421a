//! Sealing a cycle: from the records that it adds and removes to the next state and its blobs.

use std::convert::Infallible;
use std::sync::Arc;

use super::blob::{
    Head, Listed, Rows, write_delta_frame, write_main_header, write_part_header,
    write_snapshot_frame,
};
use super::links::hash_key;
use super::sealed::{Parts, Sealed, SealedSums, SealedType};
use super::state::{Committed, WriteState};
use super::types::TypeWriter;
use super::{WriteError, blob, parallel};
use crate::blob::BlobSet;
use crate::read::{Changes, Filter, ReadState, TypeChanges};
use crate::sums::{ChainSum, TypeSum};
use crate::{Ordinal, Result};

/// What is written from staged records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blob {
    Snapshot,
    Delta,
}

fn with_set<R>(blobs: &Parts, read: impl FnOnce(BlobSet<'_>) -> R) -> R {
    let parts: Vec<(&str, &[u8])> = blobs
        .iter()
        .filter_map(|(part, bytes)| Some((part.as_deref()?, bytes.as_slice())))
        .collect();
    read(BlobSet {
        main: blobs.get(&None).map_or(&[], Vec::as_slice),
        parts: &parts,
    })
}

impl WriteState {
    /// Whether the cycle changes so many records that threads pay.
    pub(super) fn is_large(&self) -> bool {
        let touched = |writer: &TypeWriter| writer.cycle.staged.len() + writer.cycle.removed.len();
        parallel::is_worthwhile(self.types.iter().map(touched).sum())
    }

    /// Writes the resolved cycle's blobs and reads them back.
    pub(super) fn seal_cycle(
        &mut self,
        random_tag: i64,
        header_tags: Vec<(String, String)>,
    ) -> Result<Sealed> {
        let sums = self.sealed_sums();
        let kind = if self.committed.is_none() {
            Blob::Snapshot
        } else {
            Blob::Delta
        };
        let blobs = Arc::new(self.write_blobs(kind, random_tag, &header_tags)?);
        let (state, changes) = if self.evolving.is_some() {
            let snapshot = self.write_blobs(Blob::Snapshot, random_tag, &header_tags)?;
            (self.read_snapshot(&snapshot)?, self.changes())
        } else {
            self.read_back(&blobs)?
        };
        self.verify(&state)?;
        Ok(Sealed::new(
            self,
            random_tag,
            header_tags,
            state,
            changes,
            blobs,
            sums,
        ))
    }

    /// The chain sum of the sealed state, from the committed one by the change, and what that takes out and puts in.
    pub(super) fn sealed_sums(&self) -> SealedSums {
        let base = self
            .committed
            .as_ref()
            .map_or(ChainSum::EMPTY, |committed| committed.chain_sum);
        // After a change of the schemas every record is staged anew, those that keep their ordinals, too.
        let is_anew = self.evolving.is_some();
        let base = if is_anew { ChainSum::EMPTY } else { base };
        let changes = parallel::map(self.types.len(), self.is_large(), |at| {
            let writer = &self.types[at];
            let sums = TypeSum::new(writer.schema.name());
            let (mut removed, mut added) = (ChainSum::EMPTY, ChainSum::EMPTY);
            if is_anew {
                let staged = &writer.cycle.staged;
                for index in 0..staged.len() {
                    added.add(sums.record(staged.ordinal(index), staged.record(index)));
                }
                return Ok((removed, added));
            }
            for (ordinal, record) in writer.added() {
                added.add(sums.record(ordinal, record));
            }
            for (ordinal, record) in writer.cycle.removed.iter() {
                removed.add(sums.record(ordinal, record));
            }
            Ok::<_, Infallible>((removed, added))
        });
        let (mut removed, mut added) = (ChainSum::EMPTY, ChainSum::EMPTY);
        for (gone, come) in changes.into_iter().flatten() {
            removed.add(gone.0);
            added.add(come.0);
        }
        SealedSums {
            state: ChainSum(base.0.wrapping_sub(removed.0).wrapping_add(added.0)),
            changes: (!is_anew).then_some((removed, added)),
        }
    }

    /// The delta to the sealed state, or its snapshot from staged records alone.
    pub(super) fn write_blobs(
        &self,
        kind: Blob,
        random_tag: i64,
        header_tags: &[(String, String)],
    ) -> Result<Parts> {
        let frames = parallel::map(self.types.len(), self.is_large(), |at| {
            self.write_frame(kind, at)
        })?;
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

    /// The frame of a type in the delta, `None` if it did not change; in the snapshot every type has one.
    fn write_frame(&self, kind: Blob, at: usize) -> Result<Option<Vec<u8>>> {
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
        if kind == Blob::Snapshot {
            let mut words = vec![0_u64; (layout.max_ordinal + 1) as usize / 64 + 1];
            let cycle = &writer.cycle;
            for index in (0..cycle.staged.len()).filter(|&index| cycle.live[index]) {
                let ordinal = cycle.staged.ordinal(index);
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
        match &self.committed {
            Some(Committed { state, .. }) => with_set(blobs, |set| state.apply(set)),
            None => Ok((self.read_snapshot(blobs)?, self.changes())),
        }
    }

    pub(super) fn read_snapshot(&self, blobs: &Parts) -> Result<ReadState> {
        with_set(blobs, |set| ReadState::from_snapshot(set, &Filter::all()))
    }

    /// What the cycle changes, from the writer's own lists.
    fn changes(&self) -> Changes {
        let types = self.types.iter().filter(|writer| writer.is_changed());
        let types = types.map(|writer| TypeChanges {
            type_name: writer.schema.name().to_owned(),
            removed: writer.cycle.removed.ordinals.clone(),
            added: writer.added().map(|(ordinal, _)| ordinal).collect(),
        });
        Changes {
            types: types.collect(),
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
        let (options, parallel) = (&self.options, self.is_large());
        parallel::for_each(&mut self.types, parallel, |writer| {
            if let Some(state) = state.type_state(writer.schema.name()) {
                writer.commit(state.clone(), options);
            }
        });
    }
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
