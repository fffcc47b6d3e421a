//! A state of `liveness`, past or present, with the inputs brought to where they were for it.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::{DatasetName, Subscriber, SubscriberOptions, Version, View};
use hollow::Filter;
use registry::{DatasetInfo, Registry, Versions};

use crate::basis::Basis;
use crate::inputs::Inputs;
use crate::{Error, Result};

/// Which state of `liveness` is asked about, and at which instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// The latest, at the instant of its newest confirmation.
    Newest,
    /// This version, at its own `now`.
    Version(Version),
    /// An instant in milliseconds since 1970 UTC, by that clock. One that the newest state has
    /// reached already: the state that was the newest announced one then. A later one: the newest
    /// state.
    At(i64),
}

/// How many versions are looked through at once for that of an instant.
const VERSIONS_AT_ONCE: usize = 256;

/// An output and its inputs.
pub(crate) struct Past {
    pub(crate) output: DatasetName,
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) registry: Arc<dyn Registry>,
    liveness: Subscriber,
    pub(crate) inputs: Inputs,
    /// The environment of the inputs.
    environment: String,
}

impl Past {
    /// Of an output; loads nothing yet.
    pub(crate) fn new(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let environment = output.environment().to_owned();
        Ok(Self {
            liveness: Subscriber::new(
                output.clone(),
                Arc::clone(store),
                Arc::clone(registry),
                SubscriberOptions::default(),
            ),
            inputs: Inputs::new(&environment, store, registry)?,
            output: output.clone(),
            store: Arc::clone(store),
            registry: Arc::clone(registry),
            environment,
        })
    }

    /// Brings the inputs to where they were. The basis has the instant that was asked about.
    pub(crate) fn go(&mut self, when: When) -> Result<(Arc<View>, Basis)> {
        let (view, basis) = self.find(when)?;
        if basis.environment(&self.output) != self.environment {
            self.environment = basis.environment(&self.output).to_owned();
            self.forget()?;
        }
        self.inputs.move_to(&basis.inputs)?;
        Ok((view, basis))
    }

    /// Drops the facts: they are not those of the inputs any more.
    pub(crate) fn forget(&mut self) -> Result<()> {
        self.inputs = Inputs::new(&self.environment, &self.store, &self.registry)?;
        Ok(())
    }

    fn find(&self, when: When) -> Result<(Arc<View>, Basis)> {
        if let When::Version(version) = when {
            return self.version(version);
        }
        let view = self.liveness.refresh().map_err(Error::liveness)?.after;
        let info = self
            .registry
            .dataset(&self.output)
            .map_err(Error::registry)?;
        let newest = newest_basis(&self.liveness, view.version(), info.as_ref())?;
        match when {
            When::At(at) if at < newest.now_ms => {
                let (view, basis) = self.version(self.announced_at(at)?)?;
                Ok((
                    view,
                    Basis {
                        now_ms: at,
                        ..basis
                    },
                ))
            }
            When::At(at) => Ok((
                view,
                Basis {
                    now_ms: at,
                    ..newest
                },
            )),
            _ => Ok((view, newest)),
        }
    }

    fn version(&self, version: Version) -> Result<(Arc<View>, Basis)> {
        // Moved to and not opened beside the current one: the next version asked about is near.
        let view = self
            .liveness
            .move_to(version)
            .map_err(Error::liveness)?
            .after;
        let basis = Basis::from_tags(version, view.state().header_tags())?;
        Ok((view, basis))
    }

    /// The newest version that was announced at an instant.
    fn announced_at(&self, at_ms: i64) -> Result<Version> {
        let mut selection = Versions::newest(VERSIONS_AT_ONCE);
        loop {
            let versions = self.registry.versions(&self.output, &selection);
            let versions = versions.map_err(Error::registry)?;
            let is_announced = |announced: Option<i64>| announced.is_some_and(|ms| ms <= at_ms);
            let found = versions
                .iter()
                .find(|info| is_announced(info.announced_at_ms));
            if let Some(info) = found {
                return Ok(info.version);
            }
            let Some(last) = versions.last() else {
                return Err(Error::NothingThen {
                    dataset: self.output.clone(),
                    at_ms,
                });
            };
            selection.to = Version(last.version.0 - 1);
        }
    }
}

impl Basis {
    /// The newest announced version of an output, whatever is pinned, and what it or its newest
    /// confirmation rests on. Loads header tags alone.
    ///
    /// # Errors
    /// [`Error::NothingToFollow`] where nothing is announced, [`Error::Liveness`], [`Error::Tag`].
    pub fn newest(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<(Version, Self)> {
        let info = registry.dataset(output).map_err(Error::registry)?;
        let version = newest_announced(output, info.as_ref())?;
        let subscriber = tags_alone(output, store, registry);
        Ok((version, newest_basis(&subscriber, version, info.as_ref())?))
    }

    /// What a version of an output rests on. Loads header tags alone.
    ///
    /// # Errors
    /// [`Error::Liveness`] where there is no such version, [`Error::Tag`].
    pub fn of_version(
        output: &DatasetName,
        version: Version,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let view = tags_alone(output, store, registry).open_at(version);
        Self::from_tags(
            version,
            view.map_err(Error::liveness)?.state().header_tags(),
        )
    }
}

/// A subscriber that loads no record.
pub(crate) fn tags_alone(
    output: &DatasetName,
    store: &Arc<dyn BlobStore>,
    registry: &Arc<dyn Registry>,
) -> Subscriber {
    let options = SubscriberOptions {
        filter: Filter::all().only_types::<String>([]),
        ..SubscriberOptions::default()
    };
    Subscriber::new(
        output.clone(),
        Arc::clone(store),
        Arc::clone(registry),
        options,
    )
}

/// The newest version that is announced to anybody: a staged rollout counts, and what is pinned is for
/// readers.
pub(crate) fn newest_announced(
    dataset: &DatasetName,
    info: Option<&DatasetInfo>,
) -> Result<Version> {
    let newest = info.and_then(|info| info.announced.values().max().copied());
    newest.ok_or_else(|| Error::NothingToFollow {
        dataset: dataset.clone(),
    })
}

/// The basis of a version, or of its newest confirmation if it has one.
pub(crate) fn newest_basis(
    subscriber: &Subscriber,
    version: Version,
    info: Option<&DatasetInfo>,
) -> Result<Basis> {
    let view = subscriber.move_to(version).map_err(Error::liveness)?.after;
    let confirmation = info.and_then(|info| info.confirmation.as_ref());
    let confirmed = confirmation.filter(|confirmed| confirmed.version == version);
    let tags = confirmed.map_or(view.state().header_tags(), |confirmed| &confirmed.tags);
    Basis::from_tags(version, tags)
}
