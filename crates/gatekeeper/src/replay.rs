//! Evaluating a past cycle again, from what its state says it was made of.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::{
    DatasetName, Version, View, blob_key, delta_name, load_state, random_tag, reverse_delta_name,
    snapshot_name,
};
use hollow::ReadState;
use hollow::sums::Digest;
use hollow::write::{WriteOptions, WriteState};
use liveness::{Configuration, Evaluator};
use registry::Registry;

use crate::basis::Basis;
use crate::cycle::{read_verdicts, write_difference};
use crate::evaluation::{Verdicts, compare, evaluate};
use crate::output;
use crate::past::{Past, When};
use crate::replacement::Replacement;
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

/// Evaluates versions of an output again. Near versions share their inputs, so a whole history costs
/// by its changes.
pub struct Replayer {
    past: Past,
}

impl Replayer {
    /// A replayer of an output; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Name`] where its environment makes no dataset's name.
    pub fn new(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        Ok(Self {
            past: Past::new(output, store, registry)?,
        })
    }

    /// Sets every input to the version that a version of the output was made of and evaluates again,
    /// at the same `now`: with its own rules or with other ones, and with some records replaced.
    ///
    /// # Errors
    /// [`Error::Liveness`] where there is no such version, [`Error::Tag`] where it does not say what it
    /// was made of, [`Error::Refresh`] where an input cannot be brought there, [`Error::Replacement`].
    pub fn replay(
        &mut self,
        version: Version,
        rules: Option<&Configuration>,
        replacements: &[Replacement],
    ) -> Result<Replayed> {
        let (view, basis) = self.past.go(When::Version(version))?;
        let replaced = replacements
            .iter()
            .try_for_each(|replacement| self.past.inputs.replace(replacement));
        let verdicts = replaced.and_then(|()| self.evaluate(&basis, rules));
        if !replacements.is_empty() {
            self.past.forget()?;
        }
        let again = state_of(verdicts?).map_err(Error::output)?;
        let digest = |state| Digest::of(state).map_err(Error::output);
        Ok(Replayed {
            version,
            basis,
            published_digest: digest(view.state())?,
            again_digest: digest(&again)?,
            published: view.state().clone(),
            again,
        })
    }

    /// Whether a version comes out again byte for byte: delta and reverse delta (of the first of a
    /// chain: the snapshot), written from the state before with its own rules. That is promised for
    /// the code revision that wrote it ([`Basis::code_revision`]) and its [`WriteOptions`].
    ///
    /// # Errors
    /// As [`Replayer::replay`], and those of loading the version before.
    pub fn is_byte_identical(&mut self, version: Version, options: &WriteOptions) -> Result<bool> {
        let (view, basis) = self.past.go(When::Version(version))?;
        let verdicts = self.evaluate(&basis, None)?;
        let blobs = self.write_again(&view, verdicts, options)?;
        for (name, bytes) in blobs {
            let key = blob_key(&self.past.output, &name);
            let stored = self.past.store.get(&key).map_err(Error::store)?;
            if stored.is_none_or(|stored| stored.bytes != bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn evaluate(&self, basis: &Basis, rules: Option<&Configuration>) -> Result<Verdicts> {
        let facts = self.past.inputs.facts();
        let mut evaluator = Evaluator::new(rules.unwrap_or(&basis.configuration))?;
        evaluator.prepare(facts);
        Ok(evaluate(&evaluator, facts, basis.now_ms))
    }

    /// The blobs of a version, by name, written from the state before it.
    fn write_again(
        &self,
        view: &View,
        mut verdicts: Verdicts,
        options: &WriteOptions,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let (version, info) = (view.version(), view.info());
        let Past {
            output,
            store,
            registry,
            ..
        } = &self.past;
        let previous = info.previous.filter(|_| info.chain != version);
        let before = previous
            .map(|previous| load_state(store, registry, output, previous).map_err(Error::liveness))
            .transpose()?;
        let (write, old) = match &before {
            Some(state) => (
                WriteState::restore(state, output::schemas(), options.clone()),
                read_verdicts(state),
            ),
            None => (
                WriteState::new(output::schemas(), options.clone()),
                Verdicts::new(),
            ),
        };
        let tag = random_tag(output, version, before.as_ref().map(|state| state.tag()));
        let mut write = write.map_err(Error::output)?;
        write.begin_incremental();
        let difference = compare(&old, &mut verdicts);
        write_difference(&mut write, &difference, &verdicts).map_err(Error::output)?;
        let sealed = write
            .seal(tag, view.state().header_tags().clone())
            .map_err(Error::output)?;
        let mut blobs = Vec::new();
        for part in sealed.parts().map(Some).chain([None]) {
            let (mut bytes, mut reverse) = (Vec::new(), Vec::new());
            match previous {
                None => {
                    sealed
                        .write_snapshot(part, &mut bytes)
                        .map_err(Error::write)?;
                    blobs.push((snapshot_name(part, version), bytes));
                }
                Some(previous) => {
                    sealed.write_delta(part, &mut bytes).map_err(Error::write)?;
                    sealed
                        .write_reverse_delta(part, &mut reverse)
                        .map_err(Error::write)?;
                    blobs.push((delta_name(part, previous, version), bytes));
                    blobs.push((reverse_delta_name(part, version, previous), reverse));
                }
            }
        }
        Ok(blobs)
    }
}

/// The state of `liveness` that an evaluation gives, on a chain of its own.
fn state_of(mut verdicts: Verdicts) -> hollow::Result<ReadState> {
    let mut write = WriteState::new(output::schemas(), WriteOptions::default())?;
    write.begin_incremental();
    let difference = compare(&Verdicts::new(), &mut verdicts);
    write_difference(&mut write, &difference, &verdicts)?;
    write.seal(REPLAY_TAG, Default::default())?;
    write.commit().cloned()
}

/// The random tag of a state that nobody follows.
const REPLAY_TAG: i64 = 0x5eed_0001_0000_0001;
