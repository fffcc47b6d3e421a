//! Evaluating a past cycle again, from what its state says it was made of.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::{Subscriber, SubscriberOptions, Version};
use hollow::ReadState;
use hollow::sums::Digest;
use hollow::write::{WriteOptions, WriteState};
use liveness::{Configuration, Evaluator};
use registry::Registry;

use crate::basis::Basis;
use crate::evaluation::evaluate;
use crate::inputs::{Inputs, dataset_name};
use crate::output::{self, Writer};
use crate::{Error, Result};

/// A version of `liveness` and what came of evaluating it again.
pub struct Replayed {
    /// The version.
    pub version: Version,
    /// What it was made of.
    pub basis: Basis,
    /// The published state.
    pub published: ReadState,
    /// The state evaluated again.
    pub again: ReadState,
    /// The digest of the published state.
    pub published_digest: Digest,
    /// The digest of the state evaluated again.
    pub again_digest: Digest,
}

impl Replayed {
    /// Whether both states hold the same verdicts.
    pub fn is_identical(&self) -> bool {
        self.published_digest == self.again_digest
    }
}

/// Sets every input to the version that a version of `liveness` was made of and evaluates again:
/// with its own rules, or with other ones.
///
/// # Errors
/// [`Error::Liveness`] where there is no such version, [`Error::Tag`] where it does not say what it
/// was made of, [`Error::Refresh`] where an input cannot be brought there.
pub fn replay(
    environment: &str,
    store: &Arc<dyn BlobStore>,
    registry: &Arc<dyn Registry>,
    version: Version,
    rules: Option<&Configuration>,
) -> Result<Replayed> {
    let output = dataset_name(environment, output::NAME)?;
    let subscriber = Subscriber::new(
        output,
        Arc::clone(store),
        Arc::clone(registry),
        SubscriberOptions::default(),
    );
    let view = subscriber.move_to(version).map_err(Error::liveness)?.after;
    let basis = Basis::from_tags(version, view.state().header_tags())?;
    let mut inputs = Inputs::new(environment, store, registry)?;
    inputs.move_to(&basis.inputs)?;
    let mut evaluator = Evaluator::new(rules.unwrap_or(&basis.configuration))?;
    evaluator.prepare(inputs.facts());
    let again = state_of(&evaluator, &inputs, basis.now_ms).map_err(Error::output)?;
    Ok(Replayed {
        version,
        basis,
        published_digest: Digest::of(view.state()).map_err(Error::output)?,
        again_digest: Digest::of(&again).map_err(Error::output)?,
        published: view.state().clone(),
        again,
    })
}

/// The state of `liveness` that an evaluation gives, on a chain of its own.
fn state_of(evaluator: &Evaluator, inputs: &Inputs, now_ms: i64) -> hollow::Result<ReadState> {
    let mut write = WriteState::new(output::schemas(), WriteOptions::default())?;
    write.begin_incremental();
    let mut writer = Writer::new(&mut write)?;
    for (video, outcome) in evaluate(evaluator, inputs.facts(), now_ms) {
        writer.put(video, &outcome)?;
    }
    write.seal(REPLAY_TAG, Default::default())?;
    write.commit().cloned()
}

/// The random tag of a state that nobody follows.
const REPLAY_TAG: i64 = 0x5eed_0001_0000_0001;
