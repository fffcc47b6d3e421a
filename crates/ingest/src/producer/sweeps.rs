//! Which sweeps are open, and which keys they have found.
//!
//! Sweeps are numbered as their begin markers are met, from 1. A key that has a record in `D.sweep` is stamped with the number
//! of the last sweep that had begun in that partition by then: it counts as found by that sweep and all before it, whoever sent
//! the record. Stamps of published keys are kept by ordinal of the fold's memory, four bytes each and only while a sweep is
//! open; those of keys with news, beside the news. So a record costs the same however many keys there are.
//!
//! Where two sweepers begin at once and their markers lie in another order in another partition, a record between the two may
//! count for both. Nothing is deleted by that; the next sweep is exact again.
//!
//! Everything here follows from `D.sweep` as it is read from the stored position, which stays at the begin of the oldest open
//! sweep: a restart knows what was known before.

use crate::fold::Origin;
use crate::sweep::{Marker, MarkerKind, SweepInfo, SweepProgress, SweepStage, SweepTotals};
use changelog::RecordRef;
use hashbrown::HashMap;
use hollow::Ordinal;

#[derive(Default)]
pub(super) struct Sweeps {
    /// By number.
    open: Vec<Sweep>,
    last_number: u32,
    /// By partition: the last sweep that has begun there, 0 for none.
    begun: Vec<u32>,
    /// By ordinal of the committed fold.
    stamps: Vec<u32>,
    /// Of keys that have no origin, because their only record is a dead letter.
    strangers: HashMap<Box<[u8]>, u32>,
    totals: SweepTotals,
    /// When the last full sweep began whose deletes are done, in milliseconds since 1970 UTC.
    full_began_ms: Option<i64>,
    /// Whether `D.sweep` holds anything at all.
    has_records: bool,
}

/// A sweep that is not done with.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) id: String,
    pub(super) number: u32,
    pub(super) as_of: i64,
    pub(super) filtered: bool,
    began_ms: i64,
    /// By partition: the offset of the begin marker, and whether the end marker is in.
    partitions: Vec<Option<(i64, bool)>>,
    /// Whether the end offsets of the topics were taken after the last end marker.
    pub(super) has_ends: bool,
    /// Why its deletes are cancelled.
    pub(super) doubt: Option<&'static str>,
    pub(super) verdict: Option<Verdict>,
    /// Keys not found and all keys, where that needs an operator's word.
    pub(super) held: Option<(u64, u64)>,
}

/// What an operator decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// So many keys may be deleted.
    Confirmed(u64),
    Rejected,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Applied,
    Filtered,
    Cancelled,
    Rejected,
    Abandoned,
}

impl Sweep {
    /// The offset of its begin marker in a partition.
    pub(super) fn begin(&self, partition: u32) -> Option<i64> {
        let begun = self.partitions.get(partition as usize)?;
        begun.map(|(offset, _)| offset)
    }

    fn is_complete(&self) -> bool {
        self.partitions
            .iter()
            .all(|partition| matches!(partition, Some((_, true))))
    }

    /// Whether it began after another one, where both have begun.
    fn is_later_than(&self, other: &Self) -> bool {
        let both = self.partitions.iter().zip(&other.partitions);
        let first = both.filter_map(|(ours, theirs)| Some((ours.as_ref()?.0, theirs.as_ref()?.0)));
        first.take(1).any(|(ours, theirs)| ours > theirs)
    }

    fn info(&self) -> SweepInfo {
        SweepInfo {
            sweep: self.id.clone(),
            as_of: self.as_of,
            filtered: self.filtered,
            began_ms: self.began_ms,
            stage: match self.held {
                Some((deletes, keys)) => SweepStage::Held { deletes, keys },
                None if self.is_complete() => SweepStage::Ended,
                None => SweepStage::Open,
            },
        }
    }

    /// Whether it has to be looked at when the topics are read up to their marks.
    pub(super) fn is_due(&self) -> bool {
        self.has_ends && (self.held.is_none() || self.verdict.is_some() || self.doubt.is_some())
    }
}

impl Sweeps {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            begun: vec![0; partitions],
            ..Self::default()
        }
    }

    /// How many partitions `D.sweep` has.
    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.begun.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn on_marker(&mut self, marker: Marker, record: &RecordRef<'_>) {
        let known = self.open.iter().position(|sweep| sweep.id == marker.sweep);
        let at = record.partition as usize;
        match (marker.kind, known) {
            (MarkerKind::Begin { as_of, filtered }, _) => {
                let known = known.unwrap_or_else(|| {
                    self.begin(marker.sweep, as_of, filtered, record.timestamp_ms)
                });
                let sweep = &mut self.open[known];
                sweep.filtered |= filtered;
                sweep.began_ms = sweep.began_ms.min(record.timestamp_ms);
                if sweep.as_of != as_of {
                    sweep.doubt = Some("its begin markers do not agree on as-of");
                }
                match sweep.partitions.get_mut(at) {
                    Some(Some(_)) => sweep.doubt = Some("it began twice in a partition"),
                    Some(begun) => *begun = Some((record.offset, false)),
                    None => {}
                }
                if let Some(begun) = self.begun.get_mut(at) {
                    *begun = (*begun).max(sweep.number);
                }
            }
            (MarkerKind::End, Some(known)) => {
                if let Some(Some((_, ended))) = self.open[known].partitions.get_mut(at) {
                    *ended = true;
                }
            }
            (MarkerKind::Confirm { deletes }, Some(known)) => {
                self.open[known].verdict = Some(Verdict::Confirmed(deletes));
            }
            (MarkerKind::Reject, Some(known)) => {
                self.open[known].verdict = Some(Verdict::Rejected);
            }
            // Of a sweep that is done with.
            (_, None) => {}
        }
    }

    fn begin(&mut self, id: String, as_of: i64, filtered: bool, began_ms: i64) -> usize {
        self.last_number += 1;
        tracing::info!(sweep = id, as_of, filtered, "a sweep begins");
        self.open.push(Sweep {
            id,
            number: self.last_number,
            as_of,
            filtered,
            began_ms,
            partitions: vec![None; self.begun.len()],
            has_ends: false,
            doubt: None,
            verdict: None,
            held: None,
        });
        self.open.len() - 1
    }

    /// A record whose key can't be decoded may stand for any key.
    pub(super) fn on_undecodable(&mut self, partition: u32) {
        for sweep in &mut self.open {
            if sweep.begin(partition).is_some() {
                sweep.doubt = Some("a record whose key can't be decoded lies after its begin");
            }
        }
    }

    /// What to stamp the key of a record in that partition of `D.sweep` with; 0 for nothing.
    pub(super) fn on_record(&mut self, partition: u32) -> u32 {
        self.has_records = true;
        if self.open.is_empty() {
            return 0;
        }
        self.begun.get(partition as usize).copied().unwrap_or(0)
    }

    /// Whether the sweep of that id began after the one that left the mark.
    pub(super) fn began_after(&self, id: Option<&[u8]>, mark: &Origin) -> bool {
        let Some(id) = id else { return false };
        let sweep = self.open.iter().find(|sweep| sweep.id.as_bytes() == id);
        sweep
            .and_then(|sweep| sweep.begin(mark.partition))
            .is_some_and(|begin| begin > mark.offset)
    }

    pub(super) fn stamp_published(&mut self, ordinal: Ordinal, stamp: u32) {
        let at = ordinal as usize;
        if at >= self.stamps.len() {
            self.stamps.resize(at + 1, 0);
        }
        self.stamps[at] = self.stamps[at].max(stamp);
    }

    pub(super) fn stamp_stranger(&mut self, canonical_key: &[u8], stamp: u32) {
        match self.strangers.get_mut(canonical_key) {
            Some(known) => *known = (*known).max(stamp),
            None => drop(self.strangers.insert(canonical_key.into(), stamp)),
        }
    }

    pub(super) fn stamp_of(&self, ordinal: Ordinal) -> u32 {
        self.stamps.get(ordinal as usize).copied().unwrap_or(0)
    }

    /// The stamp of a key that had no origin and gets one.
    pub(super) fn take_stranger(&mut self, canonical_key: &[u8]) -> u32 {
        if self.strangers.is_empty() {
            return 0;
        }
        self.strangers.remove(canonical_key).unwrap_or(0)
    }

    /// Keys with these stamps are published under these ordinals now. Ordinals are used again, so their old stamps go.
    pub(super) fn publish(&mut self, stamps: impl Iterator<Item = (Ordinal, u32)>) {
        for (ordinal, stamp) in stamps {
            if let Some(old) = self.stamps.get_mut(ordinal as usize) {
                *old = 0;
            }
            if stamp > 0 {
                self.stamp_published(ordinal, stamp);
            }
        }
    }

    /// Whether stamps have to be kept.
    pub(super) fn is_any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Marks the sweeps whose end markers are all in since the last call, and abandons those before them that have not ended.
    /// Returns whether there are any: the topics are then to be read up to their present ends.
    pub(super) fn take_ended(&mut self) -> bool {
        let is_new = |sweep: &Sweep| sweep.is_complete() && !sweep.has_ends;
        if !self.open.iter().any(is_new) {
            return false;
        }
        let (complete, partial): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(Sweep::is_complete);
        let (abandoned, partial): (Vec<_>, Vec<_>) = partial
            .into_iter()
            .partition(|sweep| complete.iter().any(|ended| ended.is_later_than(sweep)));
        for sweep in &abandoned {
            self.count(sweep, End::Abandoned);
        }
        self.open = complete;
        self.open.iter_mut().for_each(|sweep| sweep.has_ends = true);
        self.open.extend(partial);
        self.open.sort_by_key(|sweep| sweep.number);
        true
    }

    /// The first sweep after `number` that has to be looked at.
    pub(super) fn next_due(&self, number: u32) -> Option<&Sweep> {
        let mut due = self.open.iter().filter(|sweep| sweep.is_due());
        due.find(|sweep| sweep.number > number)
    }

    pub(super) fn hold(&mut self, number: u32, deletes: u64, keys: u64) {
        for sweep in self.open.iter_mut().filter(|sweep| sweep.number == number) {
            tracing::warn!(
                sweep = sweep.id,
                deletes,
                keys,
                "the deletes of a sweep are held until an operator confirms them"
            );
            sweep.held = Some((deletes, keys));
            sweep.verdict = None;
        }
    }

    pub(super) fn close(&mut self, number: u32, end: End) {
        let Some(at) = self.open.iter().position(|sweep| sweep.number == number) else {
            return;
        };
        let closed = self.open.remove(at);
        self.count(&closed, end);
        if end == End::Applied {
            self.full_began_ms = self.full_began_ms.max(Some(closed.began_ms));
            // What an older one still waits to delete, this one has deleted.
            let is_covered = |sweep: &Sweep| {
                sweep.held.is_some() && closed.is_later_than(sweep) && closed.as_of >= sweep.as_of
            };
            let covered: Vec<_> = self
                .open
                .extract_if(.., |sweep| is_covered(sweep))
                .collect();
            for sweep in &covered {
                self.count(sweep, End::Abandoned);
            }
        }
        if self.open.is_empty() {
            self.stamps = Vec::new();
            self.strangers = HashMap::new();
        }
    }

    fn count(&mut self, sweep: &Sweep, end: End) {
        let totals = &mut self.totals;
        *match end {
            End::Applied => &mut totals.applied,
            End::Filtered => &mut totals.filtered,
            End::Cancelled => &mut totals.cancelled,
            End::Rejected => &mut totals.rejected,
            End::Abandoned => &mut totals.abandoned,
        } += 1;
        match sweep.doubt {
            Some(reason) if end == End::Cancelled => {
                tracing::warn!(sweep = sweep.id, reason, "a sweep's deletes are cancelled");
            }
            _ => tracing::info!(sweep = sweep.id, end = ?end, "a sweep is done with"),
        }
    }

    /// Where reading `D.sweep` has to begin again after a restart, if it was read up to `next`.
    pub(super) fn restart_from(&self, mut next: Vec<i64>) -> Vec<i64> {
        for sweep in &self.open {
            for (next, begun) in next.iter_mut().zip(&sweep.partitions) {
                if let Some((begin, _)) = begun {
                    *next = (*next).min(*begin);
                }
            }
        }
        next
    }

    /// Whether a first state has to wait for a sweep. `D` was read up to its mark at `read_ms`, in milliseconds since 1970 UTC,
    /// which took `took_ms`; its deletes can be read for `retention_ms`.
    ///
    /// A sweep stands in for the deletes that are gone from the log if every delete after its begin was still there to be read.
    pub(super) fn is_awaited(&self, read_ms: i64, took_ms: i64, retention_ms: i64) -> bool {
        let needs_sweep = self.has_records || took_ms > retention_ms;
        let covers = |began_ms: i64| read_ms.saturating_sub(began_ms) <= retention_ms;
        needs_sweep && !self.full_began_ms.is_some_and(covers)
    }

    pub(super) fn infos(&self) -> Vec<SweepInfo> {
        self.open.iter().map(Sweep::info).collect()
    }

    pub(super) fn progress(&self, is_awaited: bool) -> SweepProgress {
        SweepProgress {
            open: self.infos(),
            ended: self.totals,
            is_awaited,
        }
    }
}
