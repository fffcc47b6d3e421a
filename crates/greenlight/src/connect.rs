//! What a command or a role works on: log, blob store, registry, schemas and configuration, wherever they are.
//!
//! Everybody goes through here, so that a command does the same on an embedded directory, beside its owner or in its stead,
//! as it does on servers.

mod deployment;
mod text;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use blobstore::{BlobStore, DirectoryStore};
use changelog::ChangeLog;
use dataset::{Subscriber, SubscriberOptions};
use ingest::{DatasetSpec, SchemaSource};
use liveness::Configuration;
use registry::embedded::{self, Role};
use registry::{DatasetInfo, DatasetName, Registry, Scope, Version};

pub(crate) use deployment::Deployment;
pub(crate) use text::Text;

use crate::config::{Config, ConfigFiles};
use crate::error::{Error, Result};

/// What somebody connects for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To ask: something must be there already.
    Look,
    /// To run a role: what is missing is made.
    Run,
}

/// An open deployment. Dropping it ends the ownership of an embedded directory; nothing taken from it may be used after that.
pub(crate) struct Connected {
    /// The log.
    pub(crate) log: Arc<dyn ChangeLog>,
    /// The blob store.
    pub(crate) store: Arc<dyn BlobStore>,
    /// The registry.
    pub(crate) registry: Arc<dyn Registry>,
    /// The schemas that records are written with.
    pub(crate) schemas: Arc<dyn SchemaSource>,
    /// The datasets that are folded from change records.
    pub(crate) specs: Vec<DatasetSpec>,
    /// The rules.
    pub(crate) rules: Configuration,
    /// Last, so that the directory is free only when nothing above uses it any more.
    home: embedded::Home,
}

impl Connected {
    /// Connects to a deployment.
    pub(crate) fn open(deployment: &Deployment, purpose: Use) -> Result<Self> {
        let dir = deployment.directory();
        if purpose == Use::Look && !dir.join("log").is_dir() {
            return Err(Error::NoData(dir.to_owned()));
        }
        let files = match &deployment.config {
            Some(files) => Some(files.clone()),
            None => ConfigFiles::remembered(dir),
        };
        // Before anything is made: a mistake in it must leave no trace.
        let config = match &files {
            Some(files) => Config::load(files)?,
            None => Config::embedded()?,
        };
        let home = embedded::open(dir)?;
        if let Some(files) = files.filter(|_| purpose == Use::Run && home.role() == Role::Owner) {
            files.remember(dir)?;
        }
        Ok(Self {
            log: Arc::clone(home.log()),
            store: Arc::new(DirectoryStore::open(home.blobs_dir())?),
            registry: Arc::clone(home.registry()),
            schemas: Arc::new(config.schemas),
            specs: config.datasets,
            rules: config.rules,
            home,
        })
    }

    /// Whether another process owns the embedded directory.
    pub(crate) fn is_client(&self) -> bool {
        self.home.role() == Role::Client
    }

    /// Fails where another process served the embedded directory and is gone.
    pub(crate) fn check_owner(&self) -> Result<()> {
        if !self.is_client() {
            return Ok(());
        }
        match self.registry.datasets() {
            Err(error) if error.is_owner_gone() => {
                Err(Error::OwnerGone(self.directory().to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The embedded directory.
    pub(crate) fn directory(&self) -> &Path {
        self.home.dir()
    }

    /// The process that owns the embedded directory; `None` where this process opened it itself.
    pub(crate) fn owner_pid(&self) -> Option<u32> {
        if !self.is_client() {
            return None;
        }
        std::fs::read_to_string(self.home.dir().join("greenlight.lock"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// A subscriber of a dataset that loads what `options` say.
    pub(crate) fn subscriber(&self, name: &DatasetName, options: SubscriberOptions) -> Subscriber {
        Subscriber::new(
            name.clone(),
            Arc::clone(&self.store),
            Arc::clone(&self.registry),
            options,
        )
    }

    /// How a dataset is folded from its topics; `None` for one that is not, such as `liveness`.
    pub(crate) fn spec(&self, name: &DatasetName) -> Option<&DatasetSpec> {
        self.specs.iter().find(|spec| &spec.name == name)
    }

    /// How a dataset is folded from its topics, for commands that need one that is.
    pub(crate) fn folded(&self, name: &DatasetName) -> Result<&DatasetSpec> {
        self.spec(name)
            .ok_or_else(|| Error::NotFolded(name.clone()))
    }

    /// What the registry knows of a dataset.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Result<DatasetInfo> {
        self.registry
            .dataset(name)?
            .ok_or_else(|| Error::UnknownDataset(name.clone()))
    }

    /// The version to look at: the one asked for, or the latest for everybody.
    pub(crate) fn version(&self, name: &DatasetName, asked: Option<Version>) -> Result<Version> {
        let info = self.dataset(name)?;
        match asked {
            Some(version) => match self.registry.version(name, version)? {
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
