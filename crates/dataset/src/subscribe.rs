//! The subscriber: one version of a dataset, whole, in memory.
//!
//! Readers hold a [`View`] (a state with its key indexes) as long as they like; moving to another version makes a new view
//! beside it and swaps the pointer. Nothing a reader holds ever changes, and a failed move leaves the old view in place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use blobstore::BlobStore;
use hollow::index::PrimaryKeyIndex;
use hollow::{Changes, Filter, KeyValue, Ordinal, ReadState};
use registry::{DatasetName, Registry, Scope, Version, VersionInfo};

use crate::chain::{PartsWanted, Selection, Source};
use crate::{Error, Result};

/// What a subscriber loads and for whom.
#[derive(Clone, Debug)]
pub struct SubscriberOptions {
    /// Where the consumer runs: decides which pins and rollouts apply to it.
    pub scope: Scope,
    /// Which types and fields to load; all by default.
    pub filter: Filter,
    /// Which optional parts to load, where the dataset has them; none by default.
    pub parts: BTreeSet<String>,
    /// The types to keep an index of by their primary key.
    pub indexes: BTreeSet<String>,
}

impl Default for SubscriberOptions {
    fn default() -> Self {
        Self {
            scope: Scope::everybody(),
            filter: Filter::all(),
            parts: BTreeSet::new(),
            indexes: BTreeSet::new(),
        }
    }
}

/// One version of a dataset with its indexes; immutable.
#[derive(Clone)]
pub struct View {
    info: VersionInfo,
    state: ReadState,
    indexes: BTreeMap<String, PrimaryKeyIndex>,
}

impl View {
    /// The version.
    pub fn version(&self) -> Version {
        self.info.version
    }

    /// What the registry knew of the version when it was loaded.
    pub fn info(&self) -> &VersionInfo {
        &self.info
    }

    /// The records.
    pub fn state(&self) -> &ReadState {
        &self.state
    }

    /// The index of a type by its primary key, if the options asked for it and the state has the type.
    pub fn index(&self, type_name: &str) -> Option<&PrimaryKeyIndex> {
        self.indexes.get(type_name)
    }

    /// The ordinal of the record of that key; `None` where there is no such record or no such index.
    pub fn find(&self, type_name: &str, key: &[KeyValue]) -> Option<Ordinal> {
        self.index(type_name)?.get(key)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("version", &self.info.version)
            .finish_non_exhaustive()
    }
}

/// How a subscriber came from one version to another.
#[derive(Clone, Debug)]
pub struct Moved {
    /// What it held before; `None` the first time.
    pub before: Option<Arc<View>>,
    /// What it holds now. The same as `before` where it did not move.
    pub after: Arc<View>,
    /// What changed, step by step along the chain; `None` where the new state was loaded from a snapshot and shares nothing
    /// with the old one (empty where it did not move).
    pub steps: Option<Vec<Changes>>,
}

impl Moved {
    /// Whether the version is another one.
    pub fn is_moved(&self) -> bool {
        self.before.as_ref().map(|view| view.version()) != Some(self.after.version())
    }
}

/// A total cache of one dataset. Shared by threads: readers take [`current`](Self::current), anybody may move it.
pub struct Subscriber {
    source: Source,
    selection: Selection,
    options: SubscriberOptions,
    current: RwLock<Option<Arc<View>>>,
    /// Held while moving: one move at a time.
    moving: Mutex<()>,
}

impl Subscriber {
    /// A subscriber that holds nothing yet: call [`refresh`](Self::refresh) or [`move_to`](Self::move_to).
    pub fn new(
        dataset: DatasetName,
        store: Arc<dyn BlobStore>,
        registry: Arc<dyn Registry>,
        options: SubscriberOptions,
    ) -> Self {
        let selection = Selection {
            filter: options.filter.clone(),
            parts: PartsWanted::Only(options.parts.clone()),
        };
        Self {
            source: Source {
                dataset,
                store,
                registry,
            },
            selection,
            options,
            current: RwLock::new(None),
            moving: Mutex::new(()),
        }
    }

    /// The dataset.
    pub fn dataset(&self) -> &DatasetName {
        &self.source.dataset
    }

    /// What the subscriber holds; `None` before the first successful move.
    pub fn current(&self) -> Option<Arc<View>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Moves to the latest version for the subscriber's scope. It goes back to an older version only where it is pinned
    /// there. Where nothing is announced (any more), a subscriber that holds something keeps it.
    ///
    /// # Errors
    /// [`Error::NotAnnounced`] where there is nothing to hold yet; otherwise those of [`move_to`](Self::move_to), after
    /// which the subscriber holds what it held before.
    pub fn refresh(&self) -> Result<Moved> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = self
            .source
            .registry
            .latest(&self.source.dataset, &self.options.scope)
            .map_err(|source| self.source.registry_failed(source))?;
        let current = self.current();
        match (latest, &current) {
            (None, None) => Err(Error::NotAnnounced {
                dataset: self.source.dataset.clone(),
            }),
            (None, Some(view)) => Ok(stayed(view)),
            (Some(latest), Some(view)) if latest.version < view.version() && !latest.pinned => {
                Ok(stayed(view))
            }
            (Some(latest), _) => self.go(current, latest.version),
        }
    }

    /// Moves to exactly this accepted version, forward or back, whatever is announced or pinned.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`], [`Error::NoSnapshot`], [`Error::Damaged`], and those of store, registry and blobs; the
    /// subscriber holds what it held before.
    pub fn move_to(&self, version: Version) -> Result<Moved> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        self.go(self.current(), version)
    }

    /// A view of this accepted version beside the current one, which stays. Versions near the current one share their
    /// records with it.
    ///
    /// # Errors
    /// As for [`move_to`](Self::move_to).
    pub fn open_at(&self, version: Version) -> Result<Arc<View>> {
        self.way(self.current(), version).map(|moved| moved.after)
    }

    fn go(&self, current: Option<Arc<View>>, version: Version) -> Result<Moved> {
        let moved = self.way(current, version)?;
        if moved.is_moved() {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::clone(&moved.after));
        }
        Ok(moved)
    }

    /// Makes the view of `version`: along the chain where the current view is on it, else from a snapshot.
    fn way(&self, current: Option<Arc<View>>, version: Version) -> Result<Moved> {
        let Some(current) = current else {
            return Ok(Moved {
                before: None,
                after: self.load(version)?,
                steps: None,
            });
        };
        if current.version() == version {
            return Ok(stayed(&current));
        }
        let target = self.source.version(version)?;
        if target.chain == current.info.chain {
            match self.walk(&current, &target) {
                Ok((after, steps)) => {
                    return Ok(Moved {
                        before: Some(current),
                        after,
                        steps: Some(steps),
                    });
                }
                // The way along the chain is blocked; a snapshot may lie behind the obstacle.
                Err(error @ (Error::Damaged { .. } | Error::Hollow { .. })) => {
                    let (dataset, from) = (&self.source.dataset, current.version());
                    tracing::warn!(%dataset, %from, to = %version, error = %error, "leave the chain, load a snapshot");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Moved {
            after: self.load(version)?,
            before: Some(current),
            steps: None,
        })
    }

    fn load(&self, version: Version) -> Result<Arc<View>> {
        let info = self.source.version(version)?;
        let state = self.source.load(version, &self.selection)?;
        let mut indexes = BTreeMap::new();
        for type_name in &self.options.indexes {
            if state.type_state(type_name).is_some() {
                let index = PrimaryKeyIndex::build(&state, type_name, None).map_err(
                    self.source
                        .hollow_failed(format!("index {type_name} of version {version}")),
                )?;
                indexes.insert(type_name.clone(), index);
            }
        }
        Ok(Arc::new(View {
            info,
            state,
            indexes,
        }))
    }

    fn walk(&self, from: &View, target: &VersionInfo) -> Result<(Arc<View>, Vec<Changes>)> {
        let mut view = from.clone();
        let mut steps = Vec::new();
        let is_forward = from.version() < target.version;
        let way = if is_forward {
            self.source
                .versions(Version(from.version().0 + 1), target.version)?
        } else {
            let mut way = self
                .source
                .versions(Version(target.version.0 + 1), from.version())?;
            way.reverse();
            way
        };
        for step in way {
            let (state, changes) = if is_forward {
                self.source.forward(&view.state, &step, &self.selection)?
            } else {
                self.source.back(&view.state, &step, &self.selection)?
            };
            for (type_name, index) in &mut view.indexes {
                *index = index.updated(&view.state, &state, &changes).map_err(
                    self.source
                        .hollow_failed(format!("keep up the index of {type_name}")),
                )?;
            }
            view.state = state;
            steps.push(changes);
        }
        view.info = target.clone();
        Ok((Arc::new(view), steps))
    }
}

fn stayed(view: &Arc<View>) -> Moved {
    Moved {
        before: Some(Arc::clone(view)),
        after: Arc::clone(view),
        steps: Some(Vec::new()),
    }
}
