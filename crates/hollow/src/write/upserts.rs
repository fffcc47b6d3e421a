//! Upserting many records at once. What only looks (hashes, keys, whether the records before are where the caller says) is done
//! by all threads; ordinals are taken in the order of the batch; and then the tables are filled side by side. So the outcome is
//! that of one upsert after the other, whatever the threads do.

use rayon::prelude::*;

use super::batch::RecordBatch;
use super::compare::Scratch;
use super::links::key_bytes;
use super::marks::Mark;
use super::parallel::is_worthwhile;
use super::state::{TypeId, WriteState};
use super::table::hash_bytes;
use super::types::{TypeCycle, TypeWriter};
use crate::ahead::await_all;
use crate::codec::hash::murmur3;
use crate::{Ordinal, Result};

/// Records that a thread looks at in one go, at least.
const CHUNK: usize = 1024;

/// Records whose entries and rows are waited for together.
const BLOCK: usize = 32;

/// A record that takes the place of a committed one with its key, which nothing else in the cycle speaks of.
#[derive(Clone, Copy)]
struct Replacing {
    previous: Ordinal,
    hash: u32,
    key_hash: u32,
}

impl WriteState {
    /// [Upserts](Self::upsert) the records of a batch in its order and appends their ordinals to `ordinals`. `committed` says
    /// for each record where the caller remembers the committed one with its key, and may end before the batch does; where
    /// that is so, and the cycle has said nothing of the type's records but by upserts, the key need not be looked up. A wrong
    /// place, or none, costs time only.
    ///
    /// # Errors
    /// As [`upsert`](Self::upsert). The cycle should be rolled back then: some of the records are upserted, and what was
    /// appended to `ordinals` means nothing.
    pub fn upsert_batch(
        &mut self,
        ty: TypeId,
        batch: &RecordBatch,
        committed: &[Option<Ordinal>],
        ordinals: &mut Vec<Ordinal>,
    ) -> Result<()> {
        self.expect_incremental()?;
        self.expect_key(ty)?;
        let replacing = self.replacing(ty, batch, committed);
        let mut at = 0;
        while at < batch.len() {
            let run = at;
            let first = ordinals.len();
            let writer = &mut self.types[ty.at()];
            while let Some(&Some(Replacing { previous, .. })) = replacing.get(at)
                // An earlier record of the batch may have had the same key.
                && writer.cycle.marks.get(previous).is_none()
            {
                ordinals.push(writer.take_ordinal(|| murmur3(batch.record(at)) as u32)?);
                writer.cycle.marks.insert(previous, Mark::Deleted);
                writer.cycle.deleted.push(previous);
                at += 1;
            }
            writer.stage_run(batch, run, &replacing[run..at], &ordinals[first..]);
            if at < batch.len() {
                let hint = committed.get(at).copied().flatten();
                let upserted = self.upsert_over(ty, batch.record(at), hint)?;
                ordinals.push(upserted.ordinal);
                at += 1;
            }
        }
        Ok(())
    }

    /// Which records replace the one that the caller remembers, as far as the cycle has come; the others need a closer look.
    fn replacing(
        &self,
        ty: TypeId,
        batch: &RecordBatch,
        committed: &[Option<Ordinal>],
    ) -> Vec<Option<Replacing>> {
        let mut replacing = vec![None; batch.len()];
        let look = |(block, replacing): (usize, &mut [Option<Replacing>])| {
            self.look_at_block(ty, batch, committed, block * BLOCK, replacing);
        };
        if is_worthwhile(batch.len()) {
            let blocks = replacing.par_chunks_mut(BLOCK).enumerate();
            blocks.with_min_len(CHUNK / BLOCK).for_each(look);
        } else {
            replacing.chunks_mut(BLOCK).enumerate().for_each(look);
        }
        replacing
    }

    /// The same of the records from `start` on.
    fn look_at_block(
        &self,
        ty: TypeId,
        batch: &RecordBatch,
        committed: &[Option<Ordinal>],
        start: usize,
        replacing: &mut [Option<Replacing>],
    ) {
        let writer = &self.types[ty.at()];
        let paths = writer.key.as_deref().unwrap_or_default();
        let mut keys = RecordBatch::new();
        let mut places = [(0, None); BLOCK];
        let mut is_whole = 0_u32;
        let mut key = Vec::new();
        for (at, place) in (start..start + replacing.len()).zip(&mut places) {
            let record = batch.record(at);
            key.clear();
            // The walk to the key's fields wants a record that is whole.
            if crate::record::validate(&writer.schema, record).is_ok() {
                key_bytes(&self.types, paths, record, &mut key);
                *place = (hash_bytes(&key), committed.get(at).copied().flatten());
                is_whole |= 1 << (at - start);
            }
            keys.push(&key);
        }
        for (at, (key_hash, place)) in places.iter_mut().enumerate() {
            if place.is_none() && is_whole >> at & 1 != 0 {
                *place = writer.keys.first_under(*key_hash);
            }
        }
        let touched = places
            .iter()
            .filter_map(|&(_, place)| Some(writer.touch(place?)));
        await_all(touched);
        let mut scratch = Scratch::default();
        for (at, replacing) in replacing.iter_mut().enumerate() {
            let ((key_hash, Some(place)), key) = (places[at], keys.record(at)) else {
                continue;
            };
            let record = batch.record(start + at);
            let is_only = |&ordinal: &Ordinal| self.is_only(ty, ordinal, key);
            let place = Some(place).filter(is_only);
            let previous = place.or_else(|| writer.keys.under(key_hash).find(is_only));
            *replacing = previous
                .filter(|&previous| !writer.holds(previous, record, &mut scratch))
                .map(|previous| Replacing {
                    previous,
                    hash: hash_bytes(record),
                    key_hash,
                });
        }
    }
}

impl TypeWriter {
    /// Takes in the records of a batch from `start` on, under `ordinals`, as upserted.
    fn stage_run(
        &mut self,
        batch: &RecordBatch,
        start: usize,
        replacing: &[Option<Replacing>],
        ordinals: &[Ordinal],
    ) {
        let (table, keys) = (&mut self.table, &mut self.keys);
        let TypeCycle {
            staged,
            staged_keys,
            marks,
            ..
        } = &mut self.cycle;
        let run = || replacing.iter().flatten().zip(ordinals);
        let mut fill_table = || {
            table.reserve(ordinals.len());
            run().for_each(|(new, &ordinal)| table.insert(new.hash, ordinal));
        };
        let mut fill_keys = || {
            keys.reserve(ordinals.len());
            run().for_each(|(new, &ordinal)| keys.insert(new.key_hash, ordinal));
        };
        let mut fill_cycle = || {
            for ((new, &ordinal), at) in run().zip(start..) {
                staged.push(ordinal, new.hash, batch.record(at));
                staged_keys.push(new.key_hash);
                marks.insert(ordinal, Mark::Pinned);
            }
        };
        if is_worthwhile(ordinals.len()) {
            rayon::join(fill_cycle, || rayon::join(fill_table, fill_keys));
        } else {
            fill_cycle();
            fill_table();
            fill_keys();
        }
    }
}
