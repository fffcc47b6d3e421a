//! What a command or a role works on: log, blob store, registry, schemas and configuration, wherever they are.
//!
//! Everybody goes through here, so that a command does the same on an embedded directory, beside its owner or in its stead,
//! as it does on servers.

mod deployment;
mod file;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blobstore::{BlobStore, DirectoryStore, ReplicatedStore, S3Store};
use changelog::{ChangeLog, KafkaLog};
use dataset::{Subscriber, SubscriberOptions};
use ingest::{DatasetSpec, RegistrySchemas, SchemaSource};
use liveness::Configuration;
use registry::embedded::{self, HomeOptions, Role};
use registry::{
    DatasetInfo, DatasetName, LogRegistry, Registry, Scope, SharedCheckpoints, Version,
};
use serde::Serialize;
use tempfile::TempDir;

use deployment::{BlobPlace, LogPlace};

pub(crate) use deployment::Deployment;
pub(crate) use text::Text;

use crate::config::{Config, ConfigFiles};
use crate::error::{Error, Result};

/// What somebody connects for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To ask: something must be there already.
    Look,
    /// To run a role under this name: what is missing is made.
    Run(String),
    /// To run the demo: even the bucket is made.
    Demo,
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
    /// Where log and blobs are, for people.
    pub(crate) place: Place,
    /// The directory for what this process keeps on its own machine.
    pub(crate) local: PathBuf,
    /// Last, so that a directory is free only when nothing above uses it any more.
    base: Base,
}

/// Where log and blobs are, for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Place {
    /// The embedded directory, if there is one.
    pub(crate) directory: Option<PathBuf>,
    /// The log: a directory, or the brokers.
    pub(crate) log: String,
    /// The blobs: a directory, or a bucket's URL.
    pub(crate) blobs: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.directory {
            Some(directory) => write!(f, "{}", directory.display()),
            None => write!(f, "{} and {}", self.log, self.blobs),
        }
    }
}

/// What a deployment is made of.
type Parts = (
    Arc<dyn ChangeLog>,
    Arc<dyn Registry>,
    Arc<dyn BlobStore>,
    Base,
);

/// What log and registry stand on.
enum Base {
    /// The embedded directory.
    Directory(embedded::Home),
    /// A cluster, and the directory of a checkpoint that nobody needs afterwards.
    Kafka {
        log: Arc<KafkaLog>,
        _scratch: Option<TempDir>,
    },
}

impl Connected {
    /// Connects to a deployment.
    pub(crate) fn open(deployment: &Deployment, purpose: &Use) -> Result<Self> {
        let files = match (&deployment.config, deployment.directory()) {
            (Some(files), _) => Some(files.clone()),
            (None, Some(dir)) => ConfigFiles::remembered(dir),
            (None, None) => None,
        };
        // Before anything is made: a mistake in it must leave no trace.
        let config = match &files {
            Some(files) => Config::load(files)?,
            None => Config::embedded()?,
        };
        let schemas: Arc<dyn SchemaSource> = match &deployment.schemas {
            Some(options) => {
                let mut options = options.clone();
                options.register |= *purpose == Use::Demo;
                Arc::new(RegistrySchemas::new(options)?)
            }
            None => Arc::new(config.schemas),
        };
        let blobs = deployment.blobs()?;
        let place = Place {
            directory: deployment.directory().map(Path::to_owned),
            log: match &deployment.log {
                LogPlace::Directory(dir) => dir.display().to_string(),
                LogPlace::Kafka { options, .. } => options.bootstrap.clone(),
            },
            blobs: match &blobs {
                BlobPlace::Directory(dir) => dir.display().to_string(),
                BlobPlace::S3 { primary, .. } => primary.url(),
            },
        };
        let checkpoint_every = deployment.checkpoint_every;
        let (log, registry, store, base): Parts = match &deployment.log {
            LogPlace::Directory(dir) => {
                if *purpose == Use::Look && !dir.join("log").is_dir() {
                    return Err(Error::NoData(dir.clone()));
                }
                let options = HomeOptions {
                    checkpoint_every,
                    ..HomeOptions::default()
                };
                let home = embedded::open_with(dir, &options)?;
                if let Some(files) =
                    files.filter(|_| *purpose != Use::Look && home.role() == Role::Owner)
                {
                    files.remember(dir)?;
                }
                (
                    Arc::clone(home.log()),
                    Arc::clone(home.registry()),
                    store(blobs, purpose)?,
                    Base::Directory(home),
                )
            }
            LogPlace::Kafka {
                options,
                checkpoint,
            } => {
                let log = Arc::new(KafkaLog::connect(*options.clone())?);
                if *purpose == Use::Look && log.topic(registry::COMMANDS_TOPIC)?.is_none() {
                    return Err(Error::NothingRan(options.bootstrap.clone()));
                }
                let store = store(blobs, purpose)?;
                let shared = match purpose {
                    Use::Look => SharedCheckpoints::read(Arc::clone(&store)),
                    _ => SharedCheckpoints::keep(Arc::clone(&store), checkpoint_every),
                };
                let (registry, base) = on_kafka(&log, checkpoint.as_deref(), shared, purpose)?;
                (log, registry, store, base)
            }
        };
        Ok(Self {
            log,
            store,
            registry,
            schemas,
            specs: config.datasets,
            rules: config.rules,
            place,
            local: deployment.local().to_owned(),
            base,
        })
    }

    /// Whether another process owns the embedded directory.
    pub(crate) fn is_client(&self) -> bool {
        matches!(&self.base, Base::Directory(home) if home.role() == Role::Client)
    }

    /// Whether the log answers within `patience`, which is waited for; an embedded one always does.
    pub(crate) fn answers(&self, patience: Duration) -> bool {
        match &self.base {
            Base::Directory(_) => true,
            Base::Kafka { log, .. } => log.answers(patience),
        }
    }

    /// Makes calls that wait for an unreachable cluster fail, now and later.
    pub(crate) fn close(&self) {
        if let Base::Kafka { log, .. } = &self.base {
            log.close();
        }
    }

    /// Fails where another process served the embedded directory and is gone.
    pub(crate) fn check_owner(&self) -> Result<()> {
        if !self.is_client() {
            return Ok(());
        }
        match self.registry.datasets() {
            Err(error) if error.is_owner_gone() => Err(Error::OwnerGone(self.place.to_string())),
            _ => Ok(()),
        }
    }

    /// The process that owns the embedded directory; `None` where this process opened it itself.
    pub(crate) fn owner_pid(&self) -> Option<u32> {
        let Base::Directory(home) = &self.base else {
            return None;
        };
        if home.role() == Role::Owner {
            return None;
        }
        std::fs::read_to_string(home.dir().join("greenlight.lock"))
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

/// An instance of the registry over a log on a cluster.
fn on_kafka(
    log: &Arc<KafkaLog>,
    checkpoint: Option<&Path>,
    shared: SharedCheckpoints,
    purpose: &Use,
) -> Result<(Arc<LogRegistry>, Base)> {
    let scratch = |error| Error::Scratch(error);
    let (dir, kept) = match (checkpoint, purpose) {
        (Some(checkpoint), Use::Run(name)) => {
            let dir = checkpoint.join(name);
            std::fs::create_dir_all(&dir).map_err(scratch)?;
            (dir, None)
        }
        _ => {
            let dir = tempfile::tempdir().map_err(scratch)?;
            (dir.path().to_owned(), Some(dir))
        }
    };
    let registry = LogRegistry::open_with(Arc::clone(log) as Arc<dyn ChangeLog>, &dir, shared)?;
    let base = Base::Kafka {
        log: Arc::clone(log),
        _scratch: kept,
    };
    Ok((Arc::new(registry), base))
}

/// The blob store. Whoever writes finds out first whether it keeps its promises.
fn store(place: BlobPlace, purpose: &Use) -> Result<Arc<dyn BlobStore>> {
    match place {
        BlobPlace::Directory(dir) => Ok(Arc::new(DirectoryStore::open(&dir)?)),
        BlobPlace::S3 { primary, copies } => {
            let primary = S3Store::new(*primary)?;
            if *purpose == Use::Demo {
                primary.create_bucket()?;
            }
            if *purpose != Use::Look {
                primary.check()?;
            }
            if copies.is_empty() {
                return Ok(Arc::new(primary));
            }
            let copies = copies
                .into_iter()
                .map(|copy| Ok(Arc::new(S3Store::new(copy)?) as Arc<dyn BlobStore>))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(ReplicatedStore::new(Arc::new(primary), copies)))
        }
    }
}

/// The system's clock in milliseconds since 1970, UTC. Only for remarks such as when a pin was set, never for a state.
pub(crate) fn wall_clock_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
