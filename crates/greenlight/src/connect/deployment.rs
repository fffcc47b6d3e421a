//! Where everything is: a deployment, as a file and flags describe it together.

use std::path::{Path, PathBuf};

use blobstore::S3Options;
use changelog::KafkaOptions;
use ingest::RegistryOptions;
use registry::SharedCheckpoints;

use super::file;
use crate::config::{self, ConfigFiles};
use crate::error::{Error, Result};

/// The directory where nothing names another place.
const DIRECTORY: &str = "data";

/// Where log, blob store, registry, schemas and configuration are. By default all lie in one directory.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    /// The log and the registry.
    pub(crate) log: LogPlace,
    /// After how many commands the registry writes a checkpoint to the blob store, and truncates its log.
    pub(crate) checkpoint_every: u64,
    /// The blobs; default: in the embedded directory.
    pub(crate) blobs: Option<BlobPlace>,
    /// The schema registry; default: a directory of schemas.
    pub(crate) schemas: Option<RegistryOptions>,
    /// The files with datasets and rules; default: what the directory ran with before, or else those compiled in.
    pub(crate) config: Option<ConfigFiles>,
}

/// Where log and registry are.
#[derive(Clone, Debug)]
pub(crate) enum LogPlace {
    /// Embedded in a directory.
    Directory(PathBuf),
    /// On a Kafka cluster; each process has its own instance of the registry.
    Kafka {
        /// The cluster.
        options: Box<KafkaOptions>,
        /// Where instances keep their checkpoints, each in a directory of its process's name; without it they read all
        /// commands at their start.
        checkpoint: Option<PathBuf>,
    },
}

/// Where blobs are.
#[derive(Clone, Debug)]
pub(crate) enum BlobPlace {
    /// In a directory.
    Directory(PathBuf),
    /// In a bucket.
    S3 {
        /// The bucket that is written to.
        primary: Box<S3Options>,
        /// Copies of it to read from, nearest first.
        copies: Vec<S3Options>,
    },
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            log: LogPlace::Directory(DIRECTORY.into()),
            checkpoint_every: SharedCheckpoints::EVERY,
            blobs: None,
            schemas: None,
            config: None,
        }
    }
}

impl Deployment {
    /// Reads a deployment file. Paths in it are relative to its own directory.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file: file::File = config::load(path)?;
        file.deployment(path)
    }

    /// Everything in this directory instead, but for the configuration.
    pub(crate) fn in_directory(&mut self, dir: &Path) {
        self.log = LogPlace::Directory(dir.to_owned());
        self.blobs = None;
        self.schemas = None;
    }

    /// The log on the Kafka cluster that answers there, with the other settings of the file.
    pub(crate) fn on_kafka(&mut self, bootstrap: &str) {
        match &mut self.log {
            LogPlace::Kafka { options, .. } => bootstrap.clone_into(&mut options.bootstrap),
            LogPlace::Directory(_) => {
                self.log = LogPlace::Kafka {
                    options: Box::new(KafkaOptions::new(bootstrap)),
                    checkpoint: None,
                }
            }
        }
    }

    /// The blobs in this bucket, with the credentials and the encryption of the file.
    pub(crate) fn on_s3(&mut self, url: &str) -> Result<()> {
        let mut options = S3Options::from_url(url)?;
        if let Some(BlobPlace::S3 { primary, .. }) = &self.blobs {
            options.credentials.clone_from(&primary.credentials);
            options.encryption.clone_from(&primary.encryption);
        }
        self.blobs = Some(BlobPlace::S3 {
            primary: Box::new(options),
            copies: Vec::new(),
        });
        Ok(())
    }

    /// The embedded directory.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.log {
            LogPlace::Directory(dir) => Some(dir),
            LogPlace::Kafka { .. } => None,
        }
    }

    /// The directory for what a process keeps on its own machine.
    pub(crate) fn local(&self) -> &Path {
        match &self.log {
            LogPlace::Directory(dir) => dir,
            LogPlace::Kafka { checkpoint, .. } => {
                checkpoint.as_deref().unwrap_or(Path::new(DIRECTORY))
            }
        }
    }

    /// Where the blobs are.
    pub(crate) fn blobs(&self) -> Result<BlobPlace> {
        match (&self.blobs, &self.log) {
            (Some(blobs), _) => Ok(blobs.clone()),
            (None, LogPlace::Directory(dir)) => Ok(BlobPlace::Directory(dir.join("blobs"))),
            (None, LogPlace::Kafka { .. }) => Err(Error::NoBlobs),
        }
    }
}
