//! A state of an output, past or present, with inputs and application brought to where they were for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use hollow::Filter;
use registry::{DatasetInfo, DatasetName, Registry, Version, Versions};

use super::basis::Basis;
use super::{Application, Inputs, Outputs};
use crate::{Error, Result, Subscriber, SubscriberOptions, View};

/// Which state of an output is asked about, and at which instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// The latest, at the instant of its newest confirmation.
    Newest,
    /// This version, at its own `now`.
    Version(Version),
    /// An instant in milliseconds since 1970 UTC, by that clock. One that the newest state has reached already: the state
    /// that was the newest announced one then. A later one: the newest state.
    At(i64),
}

/// How many versions are looked through at once for that of an instant.
const VERSIONS_AT_ONCE: usize = 256;

/// An output and its inputs. Near versions share their inputs, so a whole history costs by its changes.
pub struct Past<A> {
    output: DatasetName,
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) registry: Arc<dyn Registry>,
    subscriber: Subscriber,
    inputs: Inputs<A>,
    /// The environment of the inputs.
    environment: String,
}

impl<A: Application> Past<A> {
    /// Of an output; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Name`] where its environment makes no dataset's name.
    pub fn new(
        output: &DatasetName,
        application: A,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let environment = output.environment().to_owned();
        Ok(Self {
            subscriber: Subscriber::new(
                output.clone(),
                Arc::clone(store),
                Arc::clone(registry),
                SubscriberOptions::default(),
            ),
            inputs: Inputs::new(application, &environment, store, registry)?,
            output: output.clone(),
            store: Arc::clone(store),
            registry: Arc::clone(registry),
            environment,
        })
    }

    /// The output.
    pub fn output(&self) -> &DatasetName {
        &self.output
    }

    /// The inputs and the application, as of the last [`Past::go`].
    pub fn inputs(&self) -> &Inputs<A> {
        &self.inputs
    }

    /// The inputs and the application, to be changed; [`Past::forget`] afterwards if what was taken is no longer what the
    /// inputs hold.
    pub fn inputs_mut(&mut self) -> &mut Inputs<A> {
        &mut self.inputs
    }

    /// Brings inputs and application to where they were. The basis has the instant that was asked about.
    ///
    /// # Errors
    /// [`Error::NothingThen`], [`Error::Tag`], [`Error::Input`], [`Error::Application`], and those of loading the output.
    pub fn go(&mut self, when: When) -> Result<(Arc<View>, Basis)> {
        let (view, basis) = self.find(when)?;
        if basis.environment(&self.output) != self.environment {
            self.environment = basis.environment(&self.output).to_owned();
            self.forget()?;
        }
        self.inputs.move_to(&basis.inputs)?;
        let application = self.inputs.application_mut();
        application
            .adopt(&basis.application)
            .map_err(Error::Application)?;
        Ok((view, basis))
    }

    /// Decides again, by what the application has taken.
    ///
    /// # Errors
    /// [`Error::Application`].
    pub fn evaluate(&mut self, now_ms: i64) -> Result<Outputs<A>> {
        let application = self.inputs.application_mut();
        application.evaluate(now_ms).map_err(Error::Application)
    }

    /// Drops what the application has taken: it is not what the inputs hold any more.
    ///
    /// # Errors
    /// [`Error::Application`].
    pub fn forget(&mut self) -> Result<()> {
        let fresh = self.inputs.application().fresh();
        let fresh = fresh.map_err(Error::Application)?;
        self.inputs = Inputs::new(fresh, &self.environment, &self.store, &self.registry)?;
        Ok(())
    }

    fn find(&self, when: When) -> Result<(Arc<View>, Basis)> {
        if let When::Version(version) = when {
            return self.version(version);
        }
        let view = self.subscriber.refresh()?.after;
        let info = self.registry.dataset(&self.output);
        let info = info.map_err(|source| Error::registry(&self.output, source))?;
        let names = self.inputs.names();
        let newest = newest_basis(&self.subscriber, view.version(), info.as_ref(), names)?;
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
        let view = self.subscriber.move_to(version)?.after;
        let tags = view.state().header_tags();
        let basis = basis_of(&self.output, version, tags, self.inputs.names())?;
        Ok((view, basis))
    }

    /// The newest version that was announced at an instant.
    fn announced_at(&self, at_ms: i64) -> Result<Version> {
        let mut selection = Versions::newest(VERSIONS_AT_ONCE);
        loop {
            let versions = self.registry.versions(&self.output, &selection);
            let versions = versions.map_err(|source| Error::registry(&self.output, source))?;
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
    /// The newest announced version of an output, whatever is pinned, and what it or its newest confirmation rests on. Loads
    /// header tags alone.
    ///
    /// # Errors
    /// [`Error::NothingToFollow`] where nothing is announced, [`Error::Tag`], and those of loading.
    pub fn newest<'a>(
        output: &DatasetName,
        inputs: impl Iterator<Item = &'a str>,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<(Version, Self)> {
        let info = registry.dataset(output);
        let info = info.map_err(|source| Error::registry(output, source))?;
        let version = newest_announced(output, info.as_ref())?;
        let subscriber = tags_alone(output, store, registry);
        Ok((
            version,
            newest_basis(&subscriber, version, info.as_ref(), inputs)?,
        ))
    }

    /// What a version of an output rests on. Loads header tags alone.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`], [`Error::Tag`], and those of loading.
    pub fn of_version<'a>(
        output: &DatasetName,
        version: Version,
        inputs: impl Iterator<Item = &'a str>,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let view = tags_alone(output, store, registry).open_at(version)?;
        basis_of(output, version, view.state().header_tags(), inputs)
    }
}

/// A subscriber that loads no record.
pub(super) fn tags_alone(
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

/// The newest version that is announced to anybody: a staged rollout counts, and what is pinned is for readers.
pub(super) fn newest_announced(
    dataset: &DatasetName,
    info: Option<&DatasetInfo>,
) -> Result<Version> {
    let newest = info.and_then(|info| info.announced.values().max().copied());
    newest.ok_or_else(|| Error::NothingToFollow {
        dataset: dataset.clone(),
    })
}

/// The basis of a version, or of its newest confirmation if it has one.
pub(super) fn newest_basis<'a>(
    subscriber: &Subscriber,
    version: Version,
    info: Option<&DatasetInfo>,
    inputs: impl Iterator<Item = &'a str>,
) -> Result<Basis> {
    let view = subscriber.move_to(version)?.after;
    let confirmation = info.and_then(|info| info.confirmation.as_ref());
    let confirmed = confirmation.filter(|confirmed| confirmed.version == version);
    let tags = confirmed.map_or(view.state().header_tags(), |confirmed| &confirmed.tags);
    basis_of(subscriber.dataset(), version, tags, inputs)
}

fn basis_of<'a>(
    output: &DatasetName,
    version: Version,
    tags: &BTreeMap<String, String>,
    inputs: impl Iterator<Item = &'a str>,
) -> Result<Basis> {
    Basis::from_tags(tags, inputs).map_err(|tag| Error::Tag {
        dataset: output.clone(),
        version,
        tag,
    })
}
