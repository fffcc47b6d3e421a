//! Temporary files, the store's lock, and syncing of directories.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// How often a name is tried again whose folder another process removed (because it was empty) just before.
const ATTEMPTS_MAX: usize = 100;

/// Counts temporary files of this process, over all stores it has open, so that no two share a name.
static FILES: AtomicU64 = AtomicU64::new(0);

/// Where blobs are written before they get their names, and the lock beside it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
}

/// The store's exclusive lock, over processes and threads; released when dropped or when its holder dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// A complete, not yet named blob. Its temporary name is removed on drop; a link to it stays.
#[derive(Debug)]
pub(super) struct ScratchFile {
    path: PathBuf,
    /// Held locked, so that nobody sweeps the file away.
    file: File,
}

impl ScratchFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content durable, whatever name it has by now.
    pub(super) fn sync(&self) -> Result<()> {
        self.file
            .sync_all()
            .map_err(|source| Error::io("sync", &self.path, source))
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        // After a rename it is gone already; what can't be removed now is swept at the next open.
        let _ = fs::remove_file(&self.path);
    }
}

impl Scratch {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let folder = root.join(".tmp");
        fs::create_dir_all(&folder)
            .map_err(|source| Error::io("create directory", &folder, source))?;
        sync_directory(root)?;
        let scratch = Self {
            folder,
            lock: root.join(".lock"),
        };
        scratch.sweep()?;
        Ok(scratch)
    }

    pub(super) fn lock(&self) -> Result<Lock> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.lock)
            .map_err(|source| Error::io("open", &self.lock, source))?;
        file.lock()
            .map_err(|source| Error::io("lock", &self.lock, source))?;
        Ok(Lock { _file: file })
    }

    /// Writes `bytes` to a new temporary file and syncs it. On any error nothing is left.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<ScratchFile> {
        let file = self.write_unsynced(bytes)?;
        file.sync()?;
        Ok(file)
    }

    /// Writes `bytes` to a new temporary file. On any error nothing is left.
    pub(super) fn write_unsynced(&self, bytes: &[u8]) -> Result<ScratchFile> {
        let mut file = self.create()?;
        file.file
            .write_all(bytes)
            .map_err(|source| Error::io("write", &file.path, source))?;
        Ok(file)
    }

    /// Creates a temporary file and locks it. Both happen under the store's lock, which the sweeper holds too: it never
    /// meets a file whose writer lives but has not locked it yet.
    fn create(&self) -> Result<ScratchFile> {
        let _lock = self.lock()?;
        let (path, file) = loop {
            let number = FILES.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("{}-{number}", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => break (path, file),
                // Of a dead process with the same id, or of a living one in another container.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::io("create", &path, source)),
            }
        };
        let scratch = ScratchFile { path, file };
        scratch
            .file
            .lock()
            .map_err(|source| Error::io("lock", &scratch.path, source))?;
        Ok(scratch)
    }

    /// Removes the temporary files that no living process holds.
    fn sweep(&self) -> Result<()> {
        let _lock = self.lock()?;
        let entries = fs::read_dir(&self.folder)
            .map_err(|source| Error::io("list directory", &self.folder, source))?;
        for entry in entries {
            let path = entry
                .map_err(|source| Error::io("list directory", &self.folder, source))?
                .path();
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::io("open", &path, source)),
            };
            match file.try_lock() {
                Ok(()) => {
                    tracing::debug!(path = %path.display(), "remove half-written blob");
                    match fs::remove_file(&path) {
                        Ok(()) => {}
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(source) => return Err(Error::io("delete", &path, source)),
                    }
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
            }
        }
        Ok(())
    }
}

/// Gives a blob its name by `name`; where the folder of `path` is missing, makes it (durably) and tries again.
pub(super) fn with_parents(
    root: &Path,
    path: &Path,
    name: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    let mut attempts = 1;
    loop {
        match name() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS_MAX => {
                attempts += 1;
                let missing = path.parent().unwrap_or(path);
                match create_directories(root, missing) {
                    // Removed again by another process between two steps of this one.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    done => done?,
                }
            }
            done => return done,
        }
    }
}

/// Makes `folder` and what is missing between it and `root`, syncing the parent of each new one.
fn create_directories(root: &Path, folder: &Path) -> io::Result<()> {
    let mut parents = BTreeSet::new();
    make_directories(root, folder, &mut parents)?;
    let sync = |parent: &PathBuf| File::open(parent)?.sync_all();
    parents.iter().try_for_each(sync)
}

/// Makes `folder` and what is missing between it and `root`. The parents of new ones, which are to be synced, go to `parents`.
pub(super) fn make_directories(
    root: &Path,
    folder: &Path,
    parents: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    make_directories(root, parent, parents)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        done => done?,
    }
    parents.insert(parent.to_owned());
    Ok(())
}

/// Makes the names in `folder` durable.
pub(super) fn sync_directory(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| Error::io("sync directory", folder, source))
}
