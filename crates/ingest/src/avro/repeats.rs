//! What runs of fields said last: status, time and provenance of one record are mostly those of one just before. What says
//! the same bytes again becomes the same bytes again.

use super::quick::Run;

/// What is remembered of each run. It depends on the bytes alone, not on what any sink said.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Each run has the one place that it can have.
    said: [Said; RUNS],
}

const RUNS: usize = 16;
/// Of the bytes that are read; a shorter run is not worth it, and a longer one is not compared by two words.
const READ: std::ops::RangeInclusive<usize> = 8..=16;
/// Of the bytes that are written.
pub(super) const WRITTEN: usize = 32;

/// What a run said last, and what it said before that.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Of the run, from 1; 0 for none.
    id: u64,
    both: [Bytes; 2],
}

/// What was read and what was written for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    /// The first eight bytes and the last eight, which may overlap.
    first: u64,
    last: u64,
    /// How many there are; 0 for nothing.
    pub(super) read: usize,
    pub(super) written: usize,
    pub(super) line: [u8; WRITTEN],
}

impl Repeats {
    /// What was remembered of a run that is there again.
    #[inline]
    pub(super) fn get(&self, run: Run, body: &[u8], at: usize) -> Option<&Bytes> {
        let said = &self.said[run.id.place(RUNS)];
        if said.id != run.id.number() {
            return None;
        }
        said.both.iter().find(|bytes| bytes.are_at(body, at))
    }

    /// Takes in what [`get`](Self::get) did not find: the walk made `written` of `read`.
    #[cold]
    pub(super) fn insert(&mut self, run: Run, read: Option<&[u8]>, written: Option<&[u8]>) {
        let (Some(read), Some(written)) = (read, written) else {
            return;
        };
        let (Some(first), Some(last)) = (read.first_chunk(), read.last_chunk()) else {
            return;
        };
        let mut bytes = Bytes {
            first: u64::from_le_bytes(*first),
            last: u64::from_le_bytes(*last),
            read: read.len(),
            written: written.len(),
            line: [0; WRITTEN],
        };
        let Some(place) = bytes.line.get_mut(..written.len()) else {
            return;
        };
        if !READ.contains(&read.len()) {
            return;
        }
        place.copy_from_slice(written);
        let said = &mut self.said[run.id.place(RUNS)];
        let before = if said.id == run.id.number() {
            said.both[0]
        } else {
            Bytes::default()
        };
        *said = Said {
            id: run.id.number(),
            both: [bytes, before],
        };
    }
}

impl Bytes {
    #[inline]
    fn are_at(&self, body: &[u8], at: usize) -> bool {
        let found = body.get(at..).and_then(|rest| rest.get(..self.read));
        let found = found.unwrap_or_default();
        let word = |chunk: &[u8; 8]| u64::from_le_bytes(*chunk);
        found
            .first_chunk()
            .is_some_and(|chunk| word(chunk) == self.first)
            && found
                .last_chunk()
                .is_some_and(|chunk| word(chunk) == self.last)
    }
}
