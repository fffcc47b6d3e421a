//! The directory that a command works on, opened beside its owner or in its stead.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use blobstore::{BlobStore, DirectoryStore};
use changelog::ChangeLog;
use dataset::{Subscriber, SubscriberOptions};
use registry::embedded::{self, Role};
use registry::{DatasetInfo, DatasetName, Registry, Scope, Version};

use crate::error::{Error, Result};

/// An open directory with data in it.
pub(crate) struct Home {
    home: embedded::Home,
    store: Arc<dyn BlobStore>,
}

impl Home {
    /// Opens a directory that some producer has used before.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        if !dir.join("log").is_dir() {
            return Err(Error::NoData(dir.to_owned()));
        }
        let home = embedded::open(dir)?;
        let store = Arc::new(DirectoryStore::open(home.blobs_dir())?);
        Ok(Self { home, store })
    }

    /// The log.
    pub(crate) fn log(&self) -> &Arc<dyn ChangeLog> {
        self.home.log()
    }

    /// The blob store.
    pub(crate) fn store(&self) -> &Arc<dyn BlobStore> {
        &self.store
    }

    /// A subscriber of a dataset that loads what `options` say.
    pub(crate) fn subscriber(&self, name: &DatasetName, options: SubscriberOptions) -> Subscriber {
        Subscriber::new(
            name.clone(),
            Arc::clone(&self.store),
            Arc::clone(self.registry()),
            options,
        )
    }

    /// The registry.
    pub(crate) fn registry(&self) -> &Arc<dyn Registry> {
        self.home.registry()
    }

    /// The process that owns the directory; `None` where this command opened it itself.
    pub(crate) fn owner_pid(&self) -> Option<u32> {
        if self.home.role() == Role::Owner {
            return None;
        }
        std::fs::read_to_string(self.home.dir().join("greenlight.lock"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// What the registry knows of a dataset.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Result<DatasetInfo> {
        self.registry()
            .dataset(name)?
            .ok_or_else(|| Error::UnknownDataset(name.clone()))
    }

    /// The version to look at: the one asked for, or the latest for everybody.
    pub(crate) fn version(&self, name: &DatasetName, asked: Option<Version>) -> Result<Version> {
        let info = self.dataset(name)?;
        match asked {
            Some(version) => match self.registry().version(name, version)? {
                Some(_) => Ok(version),
                None => Err(Error::UnknownVersion {
                    dataset: name.clone(),
                    version,
                }),
            },
            None => match info.latest(&Scope::everybody()) {
                Some(latest) => Ok(latest.version),
                None => Err(Error::NothingAnnounced(name.clone())),
            },
        }
    }
}

/// The system's clock in milliseconds since 1970, UTC. Only for remarks such as when a pin was set, never for a state.
pub(crate) fn wall_clock_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
