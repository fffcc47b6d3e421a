//! A sealed cycle: the next state and everything that its blobs are written from.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::blob::{Head, Listed, Rows, write_delta_frame, write_main_header, write_part_header};
use super::layout::TypeLayout;
use super::parallel;
use super::seal::snapshot_frame;
use super::state::{Committed, WriteState};
use crate::blob::BlobSet;
use crate::read::{Changes, ReadState};
use crate::schema::Schema;
use crate::sums::ChainSum;
use crate::{Ordinal, Result};

/// Blobs by part, `None` being the main one.
pub(super) type Parts = BTreeMap<Option<String>, Vec<u8>>;

/// The outcome of [`WriteState::seal`]: owned, immutable and cheap to clone. It outlives the cycle, so that another
/// thread can write the snapshot of a state while the writer is already at a later one.
#[derive(Debug, Clone)]
pub struct Sealed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    types: Vec<SealedType>,
    part_names: Vec<String>,
    /// The state before, with the header tags that the reverse delta takes over.
    before: Option<Committed>,
    state: ReadState,
    random_tag: i64,
    header_tags: Vec<(String, String)>,
    changes: Changes,
    sums: SealedSums,
    /// The delta; for the first state of a chain, the snapshot.
    blobs: Arc<Parts>,
}

/// The sums of a sealed cycle, from the records as the writer has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealedSums {
    pub(super) state: ChainSum,
    /// Of the records that are removed and of those that are added; `None` where the types are written anew.
    pub(super) changes: Option<(ChainSum, ChainSum)>,
}

/// What the blobs of a type are written from, beside the states.
#[derive(Debug)]
pub(super) struct SealedType {
    pub(super) schema: Arc<Schema>,
    pub(super) part: Option<String>,
    pub(super) layout: TypeLayout,
    pub(super) is_changed: bool,
    pub(super) added: Vec<Ordinal>,
    pub(super) removed: Vec<Ordinal>,
}

impl Sealed {
    pub(super) fn new(
        writer: &WriteState,
        random_tag: i64,
        header_tags: Vec<(String, String)>,
        state: ReadState,
        changes: Changes,
        blobs: Arc<Parts>,
        sums: SealedSums,
    ) -> Self {
        Self(Arc::new(Inner {
            types: writer.sealed_types(),
            part_names: writer.parts.iter().cloned().collect(),
            before: writer.committed.clone(),
            state,
            random_tag,
            header_tags,
            changes,
            sums,
            blobs,
        }))
    }

    /// Whether the records or the shards of any type changed against the state before. Always so for the first state
    /// of a chain.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.0.before.is_none() || self.0.types.iter().any(|sealed| sealed.is_changed)
    }

    /// Whether this is the first state of a chain: it has a snapshot and no deltas.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.0.before.is_none()
    }

    /// Removed and added ordinals of each changed type.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// The state that the cycle leads to, made of the own blobs the way every reader makes it.
    #[must_use]
    pub fn state(&self) -> &ReadState {
        &self.0.state
    }

    /// Whether [`state`](Self::state) was made by applying the very bytes of the delta to the state before. Not so for the
    /// first state of a chain and for one with other schemas than the state before, which are made of snapshots.
    #[must_use]
    pub fn is_made_of_delta(&self) -> bool {
        !self.is_first() && self.0.sums.changes.is_some()
    }

    /// The state before, `None` for the first of a chain.
    #[must_use]
    pub fn state_before(&self) -> Option<&ReadState> {
        self.0.before.as_ref().map(|before| &before.state)
    }

    /// The chain sum of [`state`](Self::state), computed from the records that were added and removed: what a reader of
    /// the delta must come to. That of the state before is the writer's until the commit.
    #[must_use]
    pub fn chain_sum(&self) -> ChainSum {
        self.0.sums.state
    }

    /// Whether a reader of the delta has come to the chain sum that it must, with this state and these changes.
    #[must_use]
    pub fn is_led_to(&self, after: &ReadState, changes: &Changes) -> bool {
        let Some(before) = &self.0.before else {
            return ChainSum::of(after) == self.chain_sum();
        };
        match self.0.sums.changes {
            // What is taken out are the same records of the state before, which nobody wrote or read: their sum is known.
            Some((_, added)) if *changes == self.0.changes => {
                ChainSum::of_added(after, changes) == added
            }
            _ => before.chain_sum.updated(&before.state, after, changes) == self.chain_sum(),
        }
    }

    /// Whether the reverse delta, as it was read back, leads from this state to the one before: it adds what the cycle removed
    /// and removes what it added, and each record that it adds is that of the state before, whose chain sum is known. Where the
    /// types are written anew it is applied, and the sum computed. Always so for the first state of a chain.
    ///
    /// # Errors
    /// As for [`ReadState::apply`].
    pub fn is_led_back_by<'a>(&self, reverse: impl Into<BlobSet<'a>>) -> Result<bool> {
        let Some(before) = &self.0.before else {
            return Ok(true);
        };
        if self.0.sums.changes.is_some() {
            let changes = self.state().changes_towards(reverse, &before.state)?;
            return Ok(changes.is_some_and(|changes| changes == self.0.changes.reversed()));
        }
        let (back, changes) = self.state().apply(reverse)?;
        let sum = self.chain_sum().updated(self.state(), &back, &changes);
        Ok(back.tag() == before.state.tag() && sum == before.chain_sum)
    }

    /// The random tag of the state.
    #[must_use]
    pub fn random_tag(&self) -> i64 {
        self.0.random_tag
    }

    /// The header tags of the state.
    #[must_use]
    pub fn header_tags(&self) -> BTreeMap<String, String> {
        self.0.header_tags.iter().cloned().collect()
    }

    pub(super) fn ordered_header_tags(&self) -> &[(String, String)] {
        &self.0.header_tags
    }

    /// Names of the optional parts, ascending. Each blob has one stream for each of them beside the main one.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.part_names.iter().map(String::as_str)
    }

    /// Writes the delta from the state before: the main blob, or the named optional part.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::NotFound`] for the first state of a chain and for an unknown part.
    pub fn write_delta(&self, part: Option<&str>, out: &mut impl io::Write) -> io::Result<()> {
        if self.is_first() {
            return Err(not_found("the first state of a chain has no delta"));
        }
        out.write_all(self.blob(part)?)
    }

    /// Writes the reverse delta, from this state to the one before: the main blob, or the named optional part.
    ///
    /// # Errors
    /// As [`write_delta`](Self::write_delta).
    pub fn write_reverse_delta(
        &self,
        part: Option<&str>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let before = self
            .0
            .before
            .as_ref()
            .ok_or_else(|| not_found("the first state of a chain has no delta"))?;
        let head = Head {
            origin_tag: self.0.random_tag,
            destination_tag: before.state.tag(),
            header_tags: &before.header_tags,
        };
        self.blob(part)?;
        let types = self.in_part(part).filter(|sealed| sealed.is_changed);
        let records = types
            .clone()
            .map(|sealed| sealed.added.len() + sealed.removed.len());
        let parallel = parallel::is_worthwhile(records.sum());
        write_stream(&head, part, types, out, parallel, |sealed, out| {
            let Some(state) = before.state.type_state(sealed.schema.name()) else {
                return Ok(());
            };
            let layout = &sealed.layout;
            let listed = Listed {
                removed: &sealed.added,
                added: &sealed.removed,
            };
            write_delta_frame(
                &sealed.schema,
                layout,
                &layout.reverse_shards,
                Rows::State(state),
                listed,
                out,
            )
        })
    }

    /// Writes the snapshot: the main blob, or the named optional part. Costs by the dataset.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::NotFound`] for an unknown part.
    pub fn write_snapshot(&self, part: Option<&str>, out: &mut impl io::Write) -> io::Result<()> {
        if self.is_first() {
            return out.write_all(self.blob(part)?);
        }
        self.blob(part)?;
        let types = self.in_part(part);
        write_stream(&self.head(), part, types, out, true, |sealed, out| {
            snapshot_frame(sealed, &self.0.state, out)
        })
    }

    /// Writes the header blob: the header of the snapshot's main blob alone.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_header(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        write_main_header(
            &self.head(),
            self.in_part(None).map(|sealed| &*sealed.schema),
            &mut bytes,
        )
        .map_err(invalid)?;
        out.write_all(&bytes)
    }

    fn head(&self) -> Head<'_> {
        Head {
            origin_tag: self
                .0
                .before
                .as_ref()
                .map_or(-1, |before| before.state.tag()),
            destination_tag: self.0.random_tag,
            header_tags: &self.0.header_tags,
        }
    }

    fn blob(&self, part: Option<&str>) -> io::Result<&[u8]> {
        let blob = self.0.blobs.get(&part.map(str::to_owned));
        blob.map(Vec::as_slice)
            .ok_or_else(|| not_found("there is no such optional part"))
    }

    fn in_part<'a>(
        &'a self,
        part: Option<&'a str>,
    ) -> impl Iterator<Item = &'a SealedType> + Clone {
        self.0
            .types
            .iter()
            .filter(move |sealed| sealed.part.as_deref() == part)
    }
}

/// Writes a header and the frames of `types`.
fn write_stream<'a>(
    head: &Head<'_>,
    part: Option<&str>,
    types: impl Iterator<Item = &'a SealedType> + Clone,
    out: &mut impl io::Write,
    parallel: bool,
    frame: impl Fn(&SealedType, &mut Vec<u8>) -> Result<()> + Sync,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let schemas = types.clone().map(|sealed| &*sealed.schema);
    match part {
        None => write_main_header(head, schemas, &mut bytes),
        Some(part) => write_part_header(head, part, schemas, &mut bytes),
    }
    .map_err(invalid)?;
    out.write_all(&bytes)?;
    let types: Vec<&SealedType> = types.collect();
    let frames = parallel::map(types.len(), parallel, |at| {
        let mut bytes = Vec::new();
        frame(types[at], &mut bytes).map(|()| bytes)
    })
    .map_err(invalid)?;
    frames.iter().try_for_each(|frame| out.write_all(frame))
}

fn not_found(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, message)
}

fn invalid(error: crate::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
