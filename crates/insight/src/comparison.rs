//! Two states compared once: what every report about them is made of.

use hollow::ReadState;
use hollow::diff::Diff;
use hollow::sums::Digest;

use crate::{Result, root_type};

/// Two states of one dataset, or of two with the same schemas, and what differs.
pub struct Comparison<'a> {
    /// The first state.
    pub before: &'a ReadState,
    /// The second.
    pub after: &'a ReadState,
    /// The digest of the first.
    pub before_digest: Digest,
    /// The digest of the second.
    pub after_digest: Digest,
    /// What differs by the key of their root type; `None` where the digests prove that nothing does.
    pub diff: Option<Diff>,
}

impl<'a> Comparison<'a> {
    /// Compares two states of any chains. Linear in their records.
    ///
    /// # Errors
    /// [`Error::NoRoot`](crate::Error::NoRoot), and those of reading records.
    pub fn new(before: &'a ReadState, after: &'a ReadState) -> Result<Self> {
        Self::of(before, after, Digest::of(before)?, Digest::of(after)?)
    }

    /// Compares two states of one chain, where the digest of the first is known. Costs by what differs.
    ///
    /// # Errors
    /// As [`Comparison::new`].
    pub fn within_chain(
        before: &'a ReadState,
        after: &'a ReadState,
        before_digest: Digest,
    ) -> Result<Self> {
        let after_digest = before_digest.moved(before, after)?;
        Self::of(before, after, before_digest, after_digest)
    }

    fn of(
        before: &'a ReadState,
        after: &'a ReadState,
        before_digest: Digest,
        after_digest: Digest,
    ) -> Result<Self> {
        let diff = if before_digest == after_digest {
            None
        } else {
            Some(hollow::diff::diff(before, after, &root_type(after)?.name)?)
        };
        Ok(Self {
            before,
            after,
            before_digest,
            after_digest,
            diff,
        })
    }

    /// Whether both hold the same records; proven by digest.
    pub fn is_equal(&self) -> bool {
        self.before_digest == self.after_digest
    }
}
