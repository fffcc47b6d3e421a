//! A directory that holds everything: log, registry and (for others to open) blobs.
//!
//! RocksDB lets one process in. So the first process that opens the directory owns it, until it ends, and serves log and
//! registry on a Unix socket in it; whoever comes later uses the socket. Which of the two a process is makes no difference
//! to what it can do.
//!
//! | path | what |
//! | --- | --- |
//! | `log/` | the embedded log |
//! | `registry/` | the registry's checkpoint |
//! | `blobs/` | the blob store, with the checkpoints behind which the registry truncates its log |
//! | `greenlight.sock` | where the owner serves log and registry |
//! | `greenlight.lock` | locked by the owner as long as it lives; holds its process id |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use blobstore::DirectoryStore;
use changelog::socket::{Client, Handler, Server};
use changelog::{ChangeLog, EmbeddedLog, EmbeddedOptions, LogService, RemoteLog};

use crate::{
    Error, LogRegistry, Registry, RegistryService, RemoteRegistry, Result, SharedCheckpoints,
};

/// How long to wait for an owner that holds the directory but does not answer yet (it reads its log), or no longer (it is
/// shutting down).
const OWNER_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait between two looks at a silent owner.
const OWNER_RETRY: Duration = Duration::from_millis(20);

/// Whether this process owns a directory or uses its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Log and registry are open in this process, which serves them to others.
    Owner,
    /// Another process serves them.
    Client,
}

/// An open directory. Dropping it ends the ownership; nothing taken from it may be used after that.
pub struct Home {
    // Dropped in this order: first nobody is served any more, then log and registry close, then the lock is released.
    server: Option<Server>,
    registry: Arc<dyn Registry>,
    log: Arc<dyn ChangeLog>,
    lock: Option<File>,
    dir: PathBuf,
}

impl Home {
    /// The log.
    pub fn log(&self) -> &Arc<dyn ChangeLog> {
        &self.log
    }

    /// The registry.
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.registry
    }

    /// Whether this process owns the directory.
    pub fn role(&self) -> Role {
        if self.lock.is_some() {
            Role::Owner
        } else {
            Role::Client
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the blobs lie: to be opened as a directory store, by owner and clients alike.
    pub fn blobs_dir(&self) -> PathBuf {
        blobs_path(&self.dir)
    }

    /// Stops serving other processes. Their calls under way are answered first.
    pub fn shutdown(&mut self) {
        if let Some(server) = &mut self.server {
            server.shutdown();
        }
    }
}

/// How a directory's owner runs what is in it.
#[derive(Clone)]
pub struct HomeOptions {
    /// The log.
    pub log: EmbeddedOptions,
    /// After how many commands the registry writes a checkpoint and truncates the log behind it.
    pub checkpoint_every: u64,
}

impl Default for HomeOptions {
    fn default() -> Self {
        Self {
            log: EmbeddedOptions::default(),
            checkpoint_every: SharedCheckpoints::EVERY,
        }
    }
}

/// Opens the directory, which is made if it is not there: as its owner, or as a client of the process that is.
///
/// # Errors
/// [`Error::OwnerSilent`] where a process holds the directory for more than ten seconds without answering; [`Error::Io`],
/// [`Error::Log`], [`Error::Store`] and [`Error::Checkpoint`] where the directory can't be used.
pub fn open(dir: &Path) -> Result<Home> {
    open_with(dir, &HomeOptions::default())
}

/// As [`open`], with options, which count only where this process becomes the owner.
///
/// # Errors
/// As for [`open`].
pub fn open_with(dir: &Path, options: &HomeOptions) -> Result<Home> {
    fs::create_dir_all(dir).map_err(|source| Error::Io {
        action: "create directory",
        path: dir.to_owned(),
        source,
    })?;
    let started = Instant::now();
    loop {
        if let Some(lock) = try_lock(dir)? {
            return own(dir, lock, options);
        }
        match Client::connect(&socket_path(dir)) {
            Ok(client) => {
                let client = Arc::new(client);
                return Ok(Home {
                    server: None,
                    registry: Arc::new(RemoteRegistry::new(Arc::clone(&client))),
                    log: Arc::new(RemoteLog::new(client)),
                    lock: None,
                    dir: dir.to_owned(),
                });
            }
            Err(changelog::Error::NotServed { .. }) if started.elapsed() < OWNER_PATIENCE => {
                thread::sleep(OWNER_RETRY)
            }
            Err(changelog::Error::NotServed { .. }) => {
                return Err(Error::OwnerSilent {
                    dir: dir.to_owned(),
                    owner: owner_of(dir),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn own(dir: &Path, lock: File, options: &HomeOptions) -> Result<Home> {
    let log: Arc<dyn ChangeLog> = Arc::new(EmbeddedLog::open_with(
        &dir.join("log"),
        options.log.clone(),
    )?);
    let checkpoints = SharedCheckpoints::keep(
        Arc::new(DirectoryStore::open(blobs_path(dir))?),
        options.checkpoint_every,
    );
    let registry: Arc<dyn Registry> = Arc::new(LogRegistry::open_with(
        Arc::clone(&log),
        &dir.join("registry"),
        checkpoints,
    )?);
    let handlers: Vec<(String, Arc<dyn Handler>)> = vec![
        (
            LogService::NAME.to_owned(),
            Arc::new(LogService::new(Arc::clone(&log))),
        ),
        (
            RegistryService::NAME.to_owned(),
            Arc::new(RegistryService::new(Arc::clone(&registry))),
        ),
    ];
    let server = Server::serve(&socket_path(dir), handlers)?;
    Ok(Home {
        server: Some(server),
        registry,
        log,
        lock: Some(lock),
        dir: dir.to_owned(),
    })
}

/// The lock of the directory, with this process's id in it; `None` where another process has it.
fn try_lock(dir: &Path) -> Result<Option<File>> {
    let path = lock_path(dir);
    let failed = |action| {
        let path = path.clone();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    };
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
    }
    file.set_len(0).map_err(failed("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(failed("write"))?;
    Ok(Some(file))
}

/// The owner's process id, as text for an error message.
fn owner_of(dir: &Path) -> String {
    let mut text = String::new();
    let read = File::open(lock_path(dir)).and_then(|mut file| file.read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "(of unknown id)".to_owned(),
    }
}

fn blobs_path(dir: &Path) -> PathBuf {
    dir.join("blobs")
}

fn lock_path(dir: &Path) -> PathBuf {
    dir.join("greenlight.lock")
}

fn socket_path(dir: &Path) -> PathBuf {
    dir.join("greenlight.sock")
}
