//! Reading along a chain: a state from a snapshot and deltas, one delta forward, one reverse delta back.
//!
//! Which versions there are and how they hang together is the registry's word, never a listing's: blobs of candidates that
//! lost, or that somebody left behind, lead nowhere. A delta counts only with the SHA-256 it was accepted with.

use std::collections::BTreeSet;
use std::sync::Arc;

use blobstore::BlobStore;
use hollow::{BlobSet, Changes, Filter, ReadState};
use registry::{DatasetName, Registry, Sha256Sum, Version, VersionInfo, Versions};
use sha2::{Digest, Sha256};

use crate::names::{
    blob_key, delta_name, part_of, reverse_delta_name, snapshot_name, versions_in_snapshot_names,
};
use crate::{Error, Result};

/// Which optional parts to load beside the main blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartsWanted {
    /// Those of these names, where the dataset has them.
    Only(BTreeSet<String>),
    /// All that the dataset has.
    All,
}

/// Where a dataset's states come from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) dataset: DatasetName,
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) registry: Arc<dyn Registry>,
}

/// What to load of a state.
#[derive(Clone)]
pub(crate) struct Selection {
    pub(crate) filter: Filter,
    pub(crate) parts: PartsWanted,
}

/// Loads one version of a dataset with all its optional parts: for a producer that goes on from it, for tools.
///
/// # Errors
/// [`Error::UnknownVersion`], [`Error::NoSnapshot`], [`Error::Damaged`], and those of store, registry and blobs.
pub fn load_state(
    store: &Arc<dyn BlobStore>,
    registry: &Arc<dyn Registry>,
    dataset: &DatasetName,
    version: Version,
) -> Result<ReadState> {
    let source = Source {
        dataset: dataset.clone(),
        store: Arc::clone(store),
        registry: Arc::clone(registry),
    };
    source.load(
        version,
        &Selection {
            filter: Filter::all(),
            parts: PartsWanted::All,
        },
    )
}

impl Source {
    pub(crate) fn store_failed(&self, source: blobstore::Error) -> Error {
        Error::Store {
            dataset: self.dataset.clone(),
            source,
        }
    }

    pub(crate) fn registry_failed(&self, source: registry::Error) -> Error {
        Error::Registry {
            dataset: self.dataset.clone(),
            source: Box::new(source),
        }
    }

    pub(crate) fn hollow_failed(
        &self,
        action: impl Into<String>,
    ) -> impl FnOnce(hollow::Error) -> Error {
        let dataset = self.dataset.clone();
        let action = action.into();
        move |source| Error::Hollow {
            dataset,
            action,
            source: Box::new(source),
        }
    }

    pub(crate) fn blob_failed(&self, version: Version, source: std::io::Error) -> Error {
        Error::Blob {
            dataset: self.dataset.clone(),
            version,
            source,
        }
    }

    /// What the registry knows of an accepted version.
    pub(crate) fn version(&self, version: Version) -> Result<VersionInfo> {
        let info = self
            .registry
            .version(&self.dataset, version)
            .map_err(|source| self.registry_failed(source))?;
        info.ok_or_else(|| Error::UnknownVersion {
            dataset: self.dataset.clone(),
            version,
        })
    }

    /// The accepted versions from `from` to `to`, ascending.
    pub(crate) fn versions(&self, from: Version, to: Version) -> Result<Vec<VersionInfo>> {
        self.registry
            .versions(&self.dataset, &Versions::between(from, to))
            .map_err(|source| self.registry_failed(source))
    }

    /// The versions that have a main snapshot under its public name, ascending; some may be no accepted ones.
    pub(crate) fn snapshots(&self) -> Result<Vec<Version>> {
        let prefix = blob_key(&self.dataset, "snapshot-");
        let listed = self
            .store
            .list(&prefix)
            .map_err(|source| self.store_failed(source))?;
        Ok(versions_in_snapshot_names(
            &self.dataset,
            listed.iter().map(|info| info.key.as_str()),
        ))
    }

    /// The state of `version`: from the nearest snapshot of its chain before it, else after it. A snapshot that can't be read
    /// is passed over while there is another one.
    pub(crate) fn load(&self, version: Version, selection: &Selection) -> Result<ReadState> {
        let target = self.version(version)?;
        let snapshots = self.snapshots()?;
        let before = snapshots
            .iter()
            .rev()
            .filter(|&&snapshot| snapshot <= version && snapshot >= target.chain);
        let after = snapshots.iter().filter(|&&snapshot| snapshot > version);
        let mut failure = None;
        for &snapshot in before.chain(after) {
            let Some(info) = self
                .registry
                .version(&self.dataset, snapshot)
                .map_err(|source| self.registry_failed(source))?
            else {
                continue;
            };
            if info.chain != target.chain {
                continue;
            }
            match self.load_from(&info, &target, selection) {
                Ok(state) => return Ok(state),
                Err(error @ (Error::Hollow { .. } | Error::Damaged { .. })) => {
                    tracing::warn!(dataset = %self.dataset, %version, %snapshot, error = %error, "try another snapshot");
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::NoSnapshot {
            dataset: self.dataset.clone(),
            version,
        }))
    }

    fn load_from(
        &self,
        snapshot: &VersionInfo,
        target: &VersionInfo,
        selection: &Selection,
    ) -> Result<ReadState> {
        let mut state = self.read_snapshot(snapshot, selection)?;
        if snapshot.version <= target.version {
            for step in self.versions(Version(snapshot.version.0 + 1), target.version)? {
                state = self.forward(&state, &step, selection)?.0;
            }
        } else {
            for step in self
                .versions(Version(target.version.0 + 1), snapshot.version)?
                .iter()
                .rev()
            {
                state = self.back(&state, step, selection)?.0;
            }
        }
        Ok(state)
    }

    fn read_snapshot(&self, info: &VersionInfo, selection: &Selection) -> Result<ReadState> {
        let version = info.version;
        let blobs = self.read_blobs(info, selection, |part| snapshot_name(part, version), false)?;
        blobs
            .with(|blobs| ReadState::from_snapshot(blobs, &selection.filter))
            .map_err(self.hollow_failed(format!("read the snapshot of version {version}")))
    }

    /// The state of `step` from that of the version before it.
    pub(crate) fn forward(
        &self,
        state: &ReadState,
        step: &VersionInfo,
        selection: &Selection,
    ) -> Result<(ReadState, Changes)> {
        let from = self.previous_in_chain(step)?;
        let blobs = self.read_blobs(
            step,
            selection,
            |part| delta_name(part, from, step.version),
            true,
        )?;
        blobs
            .with(|blobs| state.apply(blobs))
            .map_err(self.hollow_failed(format!("apply the delta to version {}", step.version)))
    }

    /// The state of the version before `step` from that of `step`.
    pub(crate) fn back(
        &self,
        state: &ReadState,
        step: &VersionInfo,
        selection: &Selection,
    ) -> Result<(ReadState, Changes)> {
        let to = self.previous_in_chain(step)?;
        let blobs = self.read_blobs(
            step,
            selection,
            |part| reverse_delta_name(part, step.version, to),
            true,
        )?;
        blobs
            .with(|blobs| state.apply(blobs))
            .map_err(self.hollow_failed(format!("apply the reverse delta to version {to}")))
    }

    fn previous_in_chain(&self, step: &VersionInfo) -> Result<Version> {
        let previous = step.previous.filter(|_| step.chain != step.version);
        previous.ok_or_else(|| {
            self.damaged(step.version, "delta", "missing: the version starts a chain")
        })
    }

    fn read_blobs(
        &self,
        info: &VersionInfo,
        selection: &Selection,
        name: impl Fn(Option<&str>) -> String,
        is_accepted_blob: bool,
    ) -> Result<Blobs> {
        let read = |part: Option<&str>| {
            let name = name(part);
            let sum = if is_accepted_blob {
                let accepted = info.blob(&name);
                Some(
                    accepted
                        .ok_or_else(|| {
                            self.damaged(info.version, &name, "not among those accepted")
                        })?
                        .sha256,
                )
            } else {
                None
            };
            self.read_blob(info.version, &blob_key(&self.dataset, &name), sum)
        };
        let parts: BTreeSet<&str> = info
            .blobs
            .iter()
            .filter_map(|blob| part_of(&blob.name))
            .collect();
        let wanted = parts.into_iter().filter(|&part| match &selection.parts {
            PartsWanted::All => true,
            PartsWanted::Only(names) => names.contains(part),
        });
        let parts = wanted
            .map(|part| Ok((part.to_owned(), read(Some(part))?)))
            .collect::<Result<_>>()?;
        Ok(Blobs {
            main: read(None)?,
            parts,
        })
    }

    /// The bytes of a blob that must be there, and have the sum `expected` where one is known.
    pub(crate) fn read_blob(
        &self,
        version: Version,
        key: &str,
        expected: Option<Sha256Sum>,
    ) -> Result<Vec<u8>> {
        let blob = self
            .store
            .get(key)
            .map_err(|source| self.store_failed(source))?;
        let bytes = blob
            .ok_or_else(|| self.damaged(version, key, "missing"))?
            .bytes;
        if expected.is_some_and(|expected| sha256(&bytes) != expected) {
            return Err(self.damaged(version, key, "another one than was accepted"));
        }
        Ok(bytes)
    }

    pub(crate) fn damaged(&self, version: Version, name: &str, what: &'static str) -> Error {
        Error::Damaged {
            dataset: self.dataset.clone(),
            version,
            name: name.to_owned(),
            what,
        }
    }
}

/// A main blob with optional parts, as read.
pub(crate) struct Blobs {
    pub(crate) main: Vec<u8>,
    pub(crate) parts: Vec<(String, Vec<u8>)>,
}

impl Blobs {
    /// As the dataset engine takes them.
    pub(crate) fn with<T>(&self, take: impl FnOnce(BlobSet<'_>) -> T) -> T {
        let parts: Vec<(&str, &[u8])> = self
            .parts
            .iter()
            .map(|(name, bytes)| (name.as_str(), &bytes[..]))
            .collect();
        take(BlobSet {
            main: &self.main,
            parts: &parts,
        })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Sha256Sum {
    Sha256Sum(Sha256::digest(bytes).into())
}
