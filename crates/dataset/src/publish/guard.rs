//! Guards: who may refuse a candidate before it is accepted.

use std::sync::Arc;

use blobstore::BlobStore;
use hollow::{Changes, ReadState};
use registry::{DatasetName, Version};

/// A verified candidate as guards see it.
pub struct Candidate<'a> {
    /// The dataset.
    pub dataset: &'a DatasetName,
    /// The version it would become.
    pub version: Version,
    /// The state it would replace; `None` for the first of a chain.
    pub before: Option<&'a ReadState>,
    /// Its state.
    pub after: &'a ReadState,
    /// What changed between the two; everything for the first of a chain.
    pub changes: &'a Changes,
    /// Where its blobs lie, for canaries that read them in processes of their own.
    pub store: &'a Arc<dyn BlobStore>,
    /// The beginning of its blobs' keys, ending with `/`.
    pub prefix: &'a str,
}

/// Why a guard refuses, in a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veto(pub String);

/// Stands between "staged" and "accepted": a circuit breaker, a canary.
pub trait Guard: Send {
    /// Its name, for the operator.
    fn name(&self) -> &str;

    /// Lets the candidate pass, or not. The cycle waits for the answer.
    ///
    /// # Errors
    /// The veto: the cycle is rolled back, and its changes wait for the next one.
    fn check(&mut self, candidate: &Candidate<'_>) -> Result<(), Veto>;
}
