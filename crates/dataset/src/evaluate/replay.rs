//! Evaluating a past cycle again, from what its state says it was made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use hollow::ReadState;
use hollow::sums::Digest;
use hollow::write::{WriteOptions, WriteState};
use registry::{DatasetName, Registry, Version};

use super::basis::Basis;
use super::difference::compare;
use super::past::{Past, When};
use super::{Application, Inputs, Outputs};
use crate::error::BoxError;
use crate::{
    Error, Result, View, blob_key, delta_name, load_state, random_tag, reverse_delta_name,
    snapshot_name,
};

/// The random tag of a state that nobody follows.
const REPLAY_TAG: i64 = 0x5eed_0001_0000_0001;

/// A version of an output and what came of evaluating it again; `B` is its basis as the application reads it.
pub struct Replayed<B = Basis> {
    /// The version.
    pub version: Version,
    /// What it was made of.
    pub basis: B,
    /// The published state.
    pub published: ReadState,
    /// The state evaluated again.
    pub again: ReadState,
    /// The digest of the published state.
    pub published_digest: Digest,
    /// The digest of the state evaluated again.
    pub again_digest: Digest,
}

impl<B> Replayed<B> {
    /// Whether both states hold the same records.
    pub fn is_identical(&self) -> bool {
        self.published_digest == self.again_digest
    }

    /// The same with the basis read as the application's own.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn try_map_basis<C, E>(
        self,
        read: impl FnOnce(Version, B) -> Result<C, E>,
    ) -> Result<Replayed<C>, E> {
        Ok(Replayed {
            version: self.version,
            basis: read(self.version, self.basis)?,
            published: self.published,
            again: self.again,
            published_digest: self.published_digest,
            again_digest: self.again_digest,
        })
    }
}

/// Evaluates versions of an output again. Near versions share their inputs, so a whole history costs by its changes.
pub struct Replayer<A> {
    past: Past<A>,
}

impl<A: Application> Replayer<A> {
    /// A replayer of an output; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Name`] where its environment makes no dataset's name.
    pub fn new(
        output: &DatasetName,
        application: A,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        Ok(Self {
            past: Past::new(output, application, store, registry)?,
        })
    }

    /// Sets every input to the version that a version of the output was made of and evaluates again, at the same `now`, as
    /// the state says that it was decided.
    ///
    /// # Errors
    /// Those of [`Past::go`], and [`Error::Application`].
    pub fn replay(&mut self, version: Version) -> Result<Replayed> {
        self.replay_with(version, |_| Ok(false))
    }

    /// As [`Replayer::replay`], with something otherwise: `change` may set the application otherwise, or make it take what
    /// the inputs do not hold; then it answers `true`.
    ///
    /// # Errors
    /// As [`Replayer::replay`], and [`Error::Application`] for those of `change`.
    pub fn replay_with(
        &mut self,
        version: Version,
        change: impl FnOnce(&mut Inputs<A>) -> Result<bool, BoxError>,
    ) -> Result<Replayed> {
        let (view, basis) = self.past.go(When::Version(version))?;
        let changed = change(self.past.inputs_mut());
        let must_forget = !matches!(changed, Ok(false));
        let outputs = match changed {
            Ok(_) => self.past.evaluate(basis.now_ms),
            Err(error) => Err(Error::Application(error)),
        };
        if must_forget {
            self.past.forget()?;
        }
        let again = self.state_of(outputs?)?;
        let digest = |state| Digest::of(state).map_err(|source| self.failed("digest", source));
        Ok(Replayed {
            version,
            basis,
            published_digest: digest(view.state())?,
            again_digest: digest(&again)?,
            published: view.state().clone(),
            again,
        })
    }

    /// Whether a version comes out again byte for byte: delta and reverse delta (of the first of a chain: the snapshot),
    /// written from the state before as it was decided. That is promised for the code that wrote it and its
    /// [`WriteOptions`].
    ///
    /// # Errors
    /// As [`Replayer::replay`], and those of loading the version before.
    pub fn is_byte_identical(&mut self, version: Version, options: &WriteOptions) -> Result<bool> {
        let (view, basis) = self.past.go(When::Version(version))?;
        let outputs = self.past.evaluate(basis.now_ms)?;
        for (name, bytes) in self.write_again(&view, outputs, options)? {
            let key = blob_key(self.past.output(), &name);
            let stored = self.past.store.get(&key).map_err(|source| Error::Store {
                dataset: self.past.output().clone(),
                source,
            })?;
            if stored.is_none_or(|stored| stored.bytes != bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The blobs of a version, by name, written from the state before it.
    fn write_again(
        &mut self,
        view: &View,
        outputs: Outputs<A>,
        options: &WriteOptions,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let (version, info) = (view.version(), view.info());
        let previous = info.previous.filter(|_| info.chain != version);
        let (store, registry) = (&self.past.store, &self.past.registry);
        let output = self.past.output().clone();
        let before = previous.map(|previous| load_state(store, registry, &output, previous));
        let before = before.transpose()?;
        let schemas = self.past.inputs().application().schemas();
        let (write, old) = match &before {
            Some(state) => (
                WriteState::restore(state, schemas, options.clone()),
                self.read(state)?,
            ),
            None => (
                WriteState::new(schemas, options.clone()),
                Outputs::<A>::new(),
            ),
        };
        let mut write = write.map_err(|source| self.failed("restore", source))?;
        let tag = random_tag(&output, version, before.as_ref().map(|state| state.tag()));
        self.write(&mut write, &old, &outputs)?;
        let sealed = write
            .seal(tag, view.state().header_tags().clone())
            .map_err(|source| self.failed("seal", source))?;
        let failed = |source| Error::Blob {
            dataset: output.clone(),
            version,
            source,
        };
        let mut blobs = Vec::new();
        for part in sealed.parts().map(Some).chain([None]) {
            let (mut bytes, mut reverse) = (Vec::new(), Vec::new());
            match previous {
                None => {
                    sealed.write_snapshot(part, &mut bytes).map_err(failed)?;
                    blobs.push((snapshot_name(part, version), bytes));
                }
                Some(previous) => {
                    sealed.write_delta(part, &mut bytes).map_err(failed)?;
                    sealed
                        .write_reverse_delta(part, &mut reverse)
                        .map_err(failed)?;
                    blobs.push((delta_name(part, previous, version), bytes));
                    blobs.push((reverse_delta_name(part, version, previous), reverse));
                }
            }
        }
        Ok(blobs)
    }

    /// The state of the output that an evaluation gives, on a chain of its own.
    fn state_of(&mut self, outputs: Outputs<A>) -> Result<ReadState> {
        let schemas = self.past.inputs().application().schemas();
        let write = WriteState::new(schemas, WriteOptions::default());
        let mut write = write.map_err(|source| self.failed("make", source))?;
        self.write(&mut write, &Outputs::<A>::new(), &outputs)?;
        write
            .seal(REPLAY_TAG, BTreeMap::new())
            .map_err(|source| self.failed("seal", source))?;
        let committed = write.commit().cloned();
        committed.map_err(|source| self.failed("commit", source))
    }

    /// Brings a write state from one output to another, as a cycle does.
    fn write(
        &mut self,
        write: &mut WriteState,
        before: &Outputs<A>,
        after: &Outputs<A>,
    ) -> Result<()> {
        let application = self.past.inputs_mut().application_mut();
        let difference = compare(application, before, after);
        write.begin_incremental();
        let changed = difference.changed.iter().map(|&at| &after[at]);
        application
            .write(write, &difference.removed, changed)
            .map_err(Error::Application)
    }

    fn read(&self, state: &ReadState) -> Result<Outputs<A>> {
        let application = self.past.inputs().application();
        application.read(state).map_err(Error::Application)
    }

    fn failed(&self, action: &str, source: hollow::Error) -> Error {
        Error::Hollow {
            dataset: self.past.output().clone(),
            action: format!("{action} a state evaluated again"),
            source: Box::new(source),
        }
    }
}
