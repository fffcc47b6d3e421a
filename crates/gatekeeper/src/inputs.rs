//! The ten inputs as subscribed, and the facts that are kept up with them.
//!
//! Each input is at exactly one version at a time, and the facts are those of these versions: an
//! input moves only here. An input that fails to move keeps its last state.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use dataset::{DatasetName, Moved, Subscriber, SubscriberOptions, Version, View};
use liveness::{Facts, Fallback};
use rayon::prelude::*;
use registry::Registry;

use crate::error::reasons;
use crate::input::Input;
use crate::read::bring;
use crate::replacement::Replacement;
use crate::{Error, Result, titles};

/// The ten inputs of one environment and their facts.
pub struct Inputs {
    subscribed: Vec<Subscribed>,
    facts: Facts,
    registry: Arc<dyn Registry>,
}

struct Subscribed {
    input: Input,
    subscriber: Subscriber,
    /// What the facts were read from.
    view: Option<Arc<View>>,
    /// Why the last refresh failed.
    failure: Option<String>,
}

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

impl Inputs {
    /// The inputs of an environment (`prod`), not loaded yet.
    ///
    /// # Errors
    /// [`Error::Name`] where the environment's name makes no dataset's name.
    pub fn new(
        environment: &str,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let mut subscribed = Vec::new();
        for input in Input::ALL {
            let dataset = dataset_name(environment, input.name())?;
            let mut options = SubscriberOptions::default();
            if matches!(input, Input::Titles) {
                options.indexes.insert(input.type_name().to_owned());
            }
            let subscriber =
                Subscriber::new(dataset, Arc::clone(store), Arc::clone(registry), options);
            subscribed.push(Subscribed {
                input,
                subscriber,
                view: None,
                failure: None,
            });
        }
        Ok(Self {
            subscribed,
            facts: Facts::new(Fallback::cldr()),
            registry: Arc::clone(registry),
        })
    }

    /// Moves every input to its latest version and the facts with them. Returns how many records
    /// were read. An input that fails to move keeps what it has.
    ///
    /// # Errors
    /// [`Error::NotAnnounced`] names all inputs without any announced state; [`Error::Refresh`]
    /// and [`Error::Schema`] name an input that has nothing to keep, or that cannot be read.
    pub fn refresh(&mut self) -> Result<usize> {
        let moves: Vec<_> = self
            .subscribed
            .par_iter()
            .map(|subscribed| subscribed.subscriber.refresh().map_err(Box::new))
            .collect();
        let mut moved = Vec::new();
        let mut not_announced = Vec::new();
        for (subscribed, result) in self.subscribed.iter_mut().zip(moves) {
            subscribed.failure = None;
            match result {
                Ok(step) => moved.push((subscribed.input, step)),
                Err(error) if matches!(*error, dataset::Error::NotAnnounced { .. }) => {
                    not_announced.push(subscribed.input);
                }
                Err(error) => {
                    let input = subscribed.input;
                    tracing::warn!(%input, %error, "refresh an input; it keeps its last state");
                    if subscribed.view.is_none() {
                        return Err(Error::Refresh {
                            input,
                            source: error,
                        });
                    }
                    subscribed.failure = Some(reasons(&error));
                }
            }
        }
        if !not_announced.is_empty() {
            return Err(Error::NotAnnounced {
                inputs: not_announced,
            });
        }
        self.take(moved)
    }

    /// Moves every input to exactly this version and the facts with them.
    ///
    /// # Errors
    /// [`Error::Refresh`] names an input that cannot be brought there, [`Error::Schema`] one that
    /// cannot be read.
    pub fn move_to(&mut self, versions: &BTreeMap<Input, Version>) -> Result<usize> {
        let moves: Vec<_> = self
            .subscribed
            .par_iter()
            .filter_map(|subscribed| {
                let input = subscribed.input;
                let version = *versions.get(&input)?;
                let moved = subscribed.subscriber.move_to(version);
                Some(
                    moved
                        .map(|moved| (input, moved))
                        .map_err(|source| Error::refresh(input, source)),
                )
            })
            .collect();
        let moved = moves.into_iter().collect::<Result<Vec<_>>>()?;
        self.take(moved)
    }

    /// Brings the facts to where the subscribers are.
    fn take(&mut self, moved: Vec<(Input, Moved)>) -> Result<usize> {
        let mut records = 0;
        for (input, moved) in moved {
            let Some(subscribed) = self
                .subscribed
                .iter_mut()
                .find(|other| other.input == input)
            else {
                continue;
            };
            let version = |view: &Option<Arc<View>>| view.as_ref().map(|view| view.version());
            let before = subscribed.view.clone();
            if version(&before) == Some(moved.after.version()) {
                continue;
            }
            // The steps lead from where the subscriber was; the facts may still be elsewhere.
            let steps = match version(&moved.before) == version(&before) {
                true => moved.steps.as_deref(),
                false => None,
            };
            let from = before.as_ref().map(|view| view.state());
            records += bring(input, &mut self.facts, from, moved.after.state(), steps)?;
            subscribed.view = Some(moved.after);
        }
        self.facts.refresh();
        Ok(records)
    }

    /// Puts a record in the place of one, in the facts alone: what if it had been so? The facts are not
    /// those of the versions in use from then on.
    ///
    /// # Errors
    /// [`Error::Replacement`] for a record with another key; [`Error::Output`] for one that does not
    /// fit the input's schemas.
    pub(crate) fn replace(&mut self, replacement: &Replacement) -> Result<()> {
        let input = replacement.input;
        let Some(view) = self.view(input).cloned() else {
            return Err(Error::NotAnnounced {
                inputs: vec![input],
            });
        };
        let states = replacement.states(view.state()).map_err(Error::output)?;
        let Some((before, after)) = states else {
            return Err(Error::Replacement {
                input,
                key: format!("{:?}", replacement.key),
            });
        };
        bring(input, &mut self.facts, Some(&before), &after, None)?;
        self.facts.refresh();
        Ok(())
    }

    /// The facts of the versions in use.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The versions in use.
    pub fn versions(&self) -> BTreeMap<Input, Version> {
        self.subscribed
            .iter()
            .filter_map(|subscribed| Some((subscribed.input, subscribed.view.as_ref()?.version())))
            .collect()
    }

    /// What an input's facts were read from; `None` before the first refresh.
    pub fn view(&self, input: Input) -> Option<&Arc<View>> {
        let subscribed = self.subscribed.iter().find(|other| other.input == input)?;
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
            let info = self
                .registry
                .dataset(subscribed.subscriber.dataset())
                .map_err(Error::registry)?;
            let fresh_ms = info.map_or(view.info().accepted_at_ms, |info| info.now_floor_ms);
            status.push(InputStatus {
                dataset: subscribed.input.name().to_owned(),
                version: view.version().0,
                age_ms: now_ms.saturating_sub(fresh_ms).max(0),
                failure: subscribed.failure.clone(),
            });
        }
        Ok(status)
    }

    /// The original title of a video; `None` where `titles` has no such record.
    pub fn title(&self, video: i64) -> Option<String> {
        titles::title(self.view(Input::Titles)?, video)
    }

    /// The videos whose original title is the given one, case ignored, by id.
    pub fn videos_titled(&self, title: &str) -> Vec<i64> {
        let view = self.view(Input::Titles);
        view.map_or_else(Vec::new, |view| titles::videos_titled(view, title))
    }
}

/// The name of a dataset in an environment.
pub(crate) fn dataset_name(environment: &str, name: &str) -> Result<DatasetName> {
    let name = format!("{environment}/{name}");
    name.parse().map_err(|_| Error::Name { name })
}
