//! A store in a directory: one file per blob, under its key as path.
//!
//! Stock Hollow consumers read the files as they lie there, so a file must be whole from the moment it has its name. Every
//! write therefore goes to a temporary file first (`.tmp/` in the root, where neither [`list`](BlobStore::list) nor a
//! stock consumer looks), is synced, and only then gets its name: by `link`, which fails where the name is taken, or by
//! `rename`, which replaces. The directory that holds the name is synced before the call returns. Only
//! [`put_all_soon`](BlobStore::put_all_soon) names first and syncs then.
//!
//! Several processes may use one directory. Replacing, comparing and deleting happen under an advisory lock on a file in
//! the root, which the system releases when its holder dies. A temporary file is locked by its writer as long as that
//! lives; [`open`](DirectoryStore::open) removes those that nobody holds, which is what killed processes leave.
//!
//! The root must lie on one local file system (`link` and `rename` don't cross file systems, locks over NFS depend on the
//! server).

mod files;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use self::files::{Lock, Scratch, ScratchFile, make_directories, sync_directory, with_parents};
use crate::{
    Blob, BlobInfo, BlobStore, Created, Durably, Error, Etag, Result, Swapped, check_key,
    check_prefix,
};

/// A [`BlobStore`] in a directory of a local file system; see the [crate's page](crate) and the conformance suite.
///
/// An [`Etag`] of this store is a hash of the content: reading a blob costs one pass over it.
#[derive(Debug)]
pub struct DirectoryStore {
    root: PathBuf,
    scratch: Scratch,
}

impl DirectoryStore {
    /// Opens the store in `root`, creating the directory if need be, and removes what killed writers left half written.
    ///
    /// # Errors
    /// [`Error::Io`] where the directory can't be made or read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|source| Error::io("create directory", &root, source))?;
        let scratch = Scratch::open(&root)?;
        Ok(Self { root, scratch })
    }

    /// The directory that holds the blobs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the blob of `key` lies: what is handed to a stock consumer.
    ///
    /// # Errors
    /// [`Error::Key`] for a malformed key.
    pub fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        Ok(self.root.join(key))
    }

    fn lock(&self) -> Result<Lock> {
        self.scratch.lock()
    }
}

impl BlobStore for DirectoryStore {
    fn get(&self, key: &str) -> Result<Option<Blob>> {
        let path = self.path(key)?;
        Ok(read(&path)?.map(|bytes| Blob {
            etag: Etag::of_content(&bytes),
            bytes,
        }))
    }

    fn head(&self, key: &str) -> Result<Option<BlobInfo>> {
        let path = self.path(key)?;
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(BlobInfo {
                key: key.to_owned(),
                size: metadata.len(),
            })),
            Ok(_) => Ok(None),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(Error::io("read metadata of", &path, source)),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<Etag> {
        let path = self.path(key)?;
        let file = self.scratch.write(bytes)?;
        let _lock = self.lock()?;
        with_parents(&self.root, &path, || fs::rename(file.path(), &path))
            .map_err(|source| Error::io("rename a new blob to", &path, source))?;
        sync_directory(parent(&path))?;
        Ok(Etag::of_content(bytes))
    }

    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<()> {
        let new = NewBlobs::write(self, blobs)?;
        new.sync(&BTreeSet::new())?;
        new.name(self)?;
        new.folders()
            .iter()
            .try_for_each(|folder| sync_directory(folder))
    }

    fn put_all_soon(&self, blobs: &[(String, Vec<u8>)]) -> Result<Durably<'_>> {
        let new = NewBlobs::write(self, blobs)?;
        new.name(self)?;
        Ok(Box::new(move || new.sync(&new.folders())))
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created> {
        let path = self.path(key)?;
        // Saves writing a large blob only to find its name taken; `link` below is what decides.
        if path.is_file() {
            return Ok(Created::Exists);
        }
        let file = self.scratch.write(bytes)?;
        let created = self.link(file.path(), &path)?;
        // Also where it was there: the one who linked it may have died before its own sync.
        sync_directory(parent(&path))?;
        Ok(created)
    }

    fn create_from(&self, key: &str, source: &str) -> Result<Created> {
        let (path, source_path) = (self.path(key)?, self.path(source)?);
        if !source_path.is_file() {
            return Err(Error::Absent {
                key: source.to_owned(),
            });
        }
        self.link(&source_path, &path)
    }

    fn create_known(&self, key: &str, source: &str, _: &[u8]) -> Result<Created> {
        self.create_from(key, source)
    }

    fn sync(&self, keys: &[String]) -> Result<()> {
        let paths = keys
            .iter()
            .map(|key| self.path(key))
            .collect::<Result<Vec<_>>>()?;
        let folders: BTreeSet<&Path> = paths.iter().map(|path| parent(path)).collect();
        folders.into_iter().try_for_each(sync_directory)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> Result<Swapped> {
        let Some(expected) = expected else {
            return Ok(match self.create(key, bytes)? {
                Created::Created => Swapped::Swapped(Etag::of_content(bytes)),
                Created::Exists => Swapped::Conflict,
            });
        };
        let path = self.path(key)?;
        let file = self.scratch.write(bytes)?;
        let _lock = self.lock()?;
        if read(&path)?.is_none_or(|present| Etag::of_content(&present) != *expected) {
            return Ok(Swapped::Conflict);
        }
        fs::rename(file.path(), &path)
            .map_err(|source| Error::io("rename a new blob to", &path, source))?;
        sync_directory(parent(&path))?;
        Ok(Swapped::Swapped(Etag::of_content(bytes)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>> {
        check_prefix(prefix)?;
        let folder = prefix.rfind('/').map_or("", |end| &prefix[..end]);
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            self.list_folder(&folder, prefix, &mut folders, &mut found)?;
        }
        found.sort_unstable();
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        let path = self.path(key)?;
        let _lock = self.lock()?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if is_absence(&error) => return Ok(false),
            Err(source) => return Err(Error::io("delete", &path, source)),
        }
        // Folders that became empty go too, up to the root. Removing one fails where a blob is left or appears in between;
        // that is what is wanted.
        let mut folder = parent(&path);
        while folder != self.root && fs::remove_dir(folder).is_ok() {
            folder = parent(folder);
        }
        Ok(true)
    }
}

/// Blobs that are written together.
struct NewBlobs {
    paths: Vec<PathBuf>,
    files: Vec<ScratchFile>,
    /// Folders that have a new folder in them.
    parents: BTreeSet<PathBuf>,
}

impl NewBlobs {
    /// Makes the folders and writes the temporary files. Nothing is synced.
    fn write(store: &DirectoryStore, blobs: &[(String, Vec<u8>)]) -> Result<Self> {
        let paths = blobs
            .iter()
            .map(|(key, _)| store.path(key))
            .collect::<Result<Vec<_>>>()?;
        let files = blobs
            .iter()
            .map(|(_, bytes)| store.scratch.write_unsynced(bytes))
            .collect::<Result<Vec<_>>>()?;
        let mut new = Self {
            paths,
            files,
            parents: BTreeSet::new(),
        };
        for folder in new.folders() {
            make_directories(&store.root, &folder, &mut new.parents)
                .map_err(|source| Error::io("create directory", &folder, source))?;
        }
        Ok(new)
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let folders = self.paths.iter().map(|path| parent(path).to_owned());
        folders.collect()
    }

    fn name(&self, store: &DirectoryStore) -> Result<()> {
        let _lock = store.lock()?;
        self.files
            .iter()
            .zip(&self.paths)
            .try_for_each(|(file, path)| {
                with_parents(&store.root, path, || fs::rename(file.path(), path))
                    .map_err(|source| Error::io("rename a new blob to", path, source))
            })
    }

    /// Syncs the files, what their folders lie in, and `folders`: side by side, since file systems write what is to be synced
    /// at one time in one go.
    fn sync(&self, folders: &BTreeSet<PathBuf>) -> Result<()> {
        thread::scope(|scope| {
            let folders = self.parents.iter().chain(folders);
            let folders = folders.map(|folder| scope.spawn(|| sync_directory(folder)));
            let files = self.files.iter().map(|file| scope.spawn(|| file.sync()));
            let syncing: Vec<_> = folders.chain(files).collect();
            // All are joined before any error is looked at.
            let synced: Vec<Result<()>> = syncing.into_iter().map(join).collect();
            synced.into_iter().collect()
        })
    }
}

impl DirectoryStore {
    /// Gives the file at `source` the name `path` as well, unless the name is taken. Nothing is synced.
    fn link(&self, source: &Path, path: &Path) -> Result<Created> {
        match with_parents(&self.root, path, || fs::hard_link(source, path)) {
            Ok(()) => Ok(Created::Created),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_file() => {
                Ok(Created::Exists)
            }
            Err(source) => Err(Error::io("link a new blob to", path, source)),
        }
    }

    /// Adds what lies in one folder to `found`, and its subfolders to `folders`.
    fn list_folder(
        &self,
        folder: &str,
        prefix: &str,
        folders: &mut Vec<String>,
        found: &mut Vec<BlobInfo>,
    ) -> Result<()> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_absence(&error) => return Ok(()),
            Err(source) => return Err(Error::io("list directory", &path, source)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| Error::io("list directory", &path, source))?;
            let name = entry.file_name();
            // What is no key (dot files, names that others put here) is no blob.
            let Some(name) = name.to_str().filter(|name| check_key(name).is_ok()) else {
                continue;
            };
            let key = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            let metadata = match fs::metadata(entry.path()) {
                Ok(metadata) => metadata,
                Err(error) if is_absence(&error) => continue,
                Err(source) => return Err(Error::io("read metadata of", &entry.path(), source)),
            };
            if metadata.is_dir() {
                // Only folders on the way to the prefix or below it.
                let inside = format!("{key}/");
                if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                    folders.push(key);
                }
            } else if key.starts_with(prefix) {
                found.push(BlobInfo {
                    key,
                    size: metadata.len(),
                });
            }
        }
        Ok(())
    }
}

/// The folder of a path below the root; the root itself has no parent asked for.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// What a thread came to; its panic goes on here.
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The content of the file at `path`, `None` where there is no file.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => Ok(None),
        Err(source) => Err(Error::io("read", path, source)),
    }
}

/// Whether the error says that there is nothing of that name (`NotADirectory`: a beginning of the key is a blob).
fn is_absence(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
    )
}
