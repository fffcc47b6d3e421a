//! The inputs of an application, and the application that is kept up with them.
//!
//! Each input is at exactly one version at a time, and what the application has taken is of these versions: an input moves
//! only here. An input that fails to move keeps its last state, and its status says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};

use blobstore::BlobStore;
use rayon::Yield;
use rayon::prelude::*;
use registry::{DatasetName, Registry, Version};

use super::{Application, Move, Taken};
use crate::error::reasons;
use crate::{Error, Moved, Result, Subscriber, View};

/// The inputs of one environment, and what an application made of them.
pub struct Inputs<A> {
    application: A,
    subscribed: Vec<Subscribed>,
    registry: Arc<dyn Registry>,
}

struct Subscribed {
    name: &'static str,
    subscriber: Subscriber,
    /// What the application has taken.
    view: Option<Arc<View>>,
    /// Why the last refresh failed.
    failure: Option<String>,
}

/// The views that the application was brought to, with their inputs' places.
type Views = Vec<(usize, Arc<View>)>;

/// How an input stands.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct InputStatus {
    /// The dataset's name.
    pub dataset: String,
    /// The version in use.
    pub version: i64,
    /// How long ago it was last accepted or confirmed, in milliseconds of the cycle's clock.
    pub age_ms: i64,
    /// Why it could not be refreshed; `None` if it was.
    pub failure: Option<String>,
}

impl<A: Application> Inputs<A> {
    /// The inputs of an environment (`prod`), not loaded yet.
    ///
    /// # Errors
    /// [`Error::Name`] where the environment's name makes no dataset's name.
    pub fn new(
        application: A,
        environment: &str,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let subscribe = |spec: super::InputSpec| {
            let dataset = in_environment(environment, spec.name)?;
            Ok(Subscribed {
                name: spec.name,
                subscriber: Subscriber::new(
                    dataset,
                    Arc::clone(store),
                    Arc::clone(registry),
                    spec.options,
                ),
                view: None,
                failure: None,
            })
        };
        let specs = application.inputs();
        Ok(Self {
            application,
            subscribed: specs.into_iter().map(subscribe).collect::<Result<_>>()?,
            registry: Arc::clone(registry),
        })
    }

    /// Moves every input to its latest version and the application with them, to each as soon as it is there. An input that
    /// fails to move keeps what it has.
    ///
    /// # Errors
    /// [`Error::NoInputs`] names all inputs without any announced state; [`Error::Input`] one that has nothing to keep;
    /// [`Error::Application`].
    pub fn refresh(&mut self) -> Result<Taken> {
        let mut failures = Vec::new();
        let subscribed = &self.subscribed;
        let application = &mut self.application;
        let taken = rayon::in_place_scope_fifo(|scope| {
            let mut coming = Vec::new();
            for subscribed in subscribed {
                let (sender, receiver) = mpsc::sync_channel(1);
                let subscriber = &subscribed.subscriber;
                scope.spawn_fifo(move |_| drop(sender.send(subscriber.refresh())));
                coming.push(receiver);
            }
            let moved = (coming.iter().enumerate()).filter_map(|(at, receiver)| {
                match wait(receiver)? {
                    Ok(moved) => return Some((at, moved)),
                    Err(error) => failures.push((at, error)),
                }
                None
            });
            take(application, subscribed, moved)
        });
        let taken = self.settle(taken?);
        for subscribed in &mut self.subscribed {
            subscribed.failure = None;
        }
        let mut missing = Vec::new();
        for (at, error) in failures {
            let subscribed = &mut self.subscribed[at];
            let dataset = subscribed.subscriber.dataset();
            if let Error::NotAnnounced { dataset } = error {
                missing.push(dataset);
                continue;
            }
            tracing::warn!(%dataset, %error, "refresh an input; it keeps its last state");
            if subscribed.view.is_none() {
                return Err(Error::input(dataset, error));
            }
            subscribed.failure = Some(reasons(&error));
        }
        match missing.is_empty() {
            true => Ok(taken),
            false => Err(Error::NoInputs { datasets: missing }),
        }
    }

    /// Moves every input to exactly this version and then the application with them: to all or, after an error, to none.
    ///
    /// # Errors
    /// [`Error::Input`] names an input that cannot be brought there; [`Error::Application`].
    pub fn move_to(&mut self, versions: &BTreeMap<String, Version>) -> Result<Taken> {
        let moves: Vec<_> = (self.subscribed.par_iter().enumerate())
            .filter_map(|(at, subscribed)| {
                let version = *versions.get(subscribed.name)?;
                let moved = subscribed.subscriber.move_to(version);
                let dataset = subscribed.subscriber.dataset();
                Some(
                    moved
                        .map(|moved| (at, moved))
                        .map_err(|error| Error::input(dataset, error)),
                )
            })
            .collect();
        let moved = moves.into_iter().collect::<Result<Vec<_>>>()?;
        let taken = take(&mut self.application, &self.subscribed, moved.into_iter())?;
        Ok(self.settle(taken))
    }

    /// Notes what the application has taken.
    fn settle(&mut self, (taken, views): (Taken, Views)) -> Taken {
        let views = views.into_iter();
        let old = views.filter_map(|(at, view)| self.subscribed[at].view.replace(view));
        let old: Vec<_> = old.collect();
        // The memory of what nobody holds any more is given back beside what comes next.
        rayon::spawn(move || drop(old));
        taken
    }

    /// The application.
    pub fn application(&self) -> &A {
        &self.application
    }

    /// The application, to be changed.
    pub fn application_mut(&mut self) -> &mut A {
        &mut self.application
    }

    /// The inputs' names, without the environment.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.subscribed.iter().map(|subscribed| subscribed.name)
    }

    /// The versions in use, by name.
    pub fn versions(&self) -> BTreeMap<String, Version> {
        let version = |subscribed: &Subscribed| {
            let view = subscribed.view.as_ref()?;
            Some((subscribed.name.to_owned(), view.version()))
        };
        self.subscribed.iter().filter_map(version).collect()
    }

    /// What the application has taken of an input; `None` before the first refresh.
    pub fn view(&self, name: &str) -> Option<&Arc<View>> {
        let subscribed = self.subscribed.iter().find(|other| other.name == name)?;
        subscribed.view.as_ref()
    }

    /// How the inputs stand at an instant.
    ///
    /// # Errors
    /// [`Error::Registry`].
    pub fn status(&self, now_ms: i64) -> Result<Vec<InputStatus>> {
        let mut status = Vec::new();
        for subscribed in &self.subscribed {
            let Some(view) = &subscribed.view else {
                continue;
            };
            let dataset = subscribed.subscriber.dataset();
            let info = self.registry.dataset(dataset);
            let info = info.map_err(|source| Error::registry(dataset, source))?;
            let fresh_ms = info.map_or(view.info().accepted_at_ms, |info| info.now_floor_ms);
            status.push(InputStatus {
                dataset: subscribed.name.to_owned(),
                version: view.version().0,
                age_ms: now_ms.saturating_sub(fresh_ms).max(0),
                failure: subscribed.failure.clone(),
            });
        }
        Ok(status)
    }
}

/// Brings the application to where the subscribers are, and says what it was brought to.
fn take<A: Application>(
    application: &mut A,
    subscribed: &[Subscribed],
    moved: impl Iterator<Item = (usize, Moved)>,
) -> Result<(Taken, Views)> {
    let version = |view: &Option<Arc<View>>| view.as_ref().map(|view| view.version());
    let mut views = Views::new();
    let moves = moved.filter_map(|(at, moved)| {
        let subscribed = &subscribed[at];
        let before = version(&subscribed.view);
        if before == Some(moved.after.version()) {
            return None;
        }
        views.push((at, Arc::clone(&moved.after)));
        Some(Move {
            input: subscribed.name,
            before: subscribed.view.clone(),
            // The steps lead from where the subscriber was; the application may still be elsewhere.
            steps: moved.steps.filter(|_| version(&moved.before) == before),
            after: moved.after,
        })
    });
    let taken = application.take(moves).map_err(Error::Application)?;
    Ok((taken, views))
}

/// What comes; `None` where nothing will. A thread that others wait for for their work does of that meanwhile.
fn wait<T>(receiver: &Receiver<T>) -> Option<T> {
    loop {
        match receiver.try_recv() {
            Ok(received) => return Some(received),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                None => return receiver.recv().ok(),
                Some(Yield::Executed) => {}
                Some(Yield::Idle) => std::thread::yield_now(),
            },
        }
    }
}

/// The name of a dataset in an environment.
pub(super) fn in_environment(environment: &str, name: &str) -> Result<DatasetName> {
    let name = format!("{environment}/{name}");
    name.parse().map_err(|_| Error::Name { name })
}
