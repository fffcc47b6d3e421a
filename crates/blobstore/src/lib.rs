//! Blobs by name with conditional writes: S3 or a directory.
//!
//! States outlive processes as blobs: snapshots, deltas, and the small objects that say which of them count. What the
//! rest of the system needs from the place that keeps them is little, and every back end can give it: a blob appears
//! whole or not at all, is durable when the call returns, and can be written *only if it is not there* ([`create`]) or
//! *only if it is still what I read* ([`compare_and_swap`]). With these two, producers that know nothing of each other
//! can't overwrite each other's work.
//!
//! The trait blocks. Callers that want to go on meanwhile (a snapshot in the background, many datasets in one process)
//! own a thread for it; no caller needs thousands of requests at once.
//!
//! What every back end must keep is written down as tests in [`conformance`].
//!
//! [`create`]: BlobStore::create
//! [`compare_and_swap`]: BlobStore::compare_and_swap

pub mod conformance;
mod directory;
mod error;
mod key;
mod replicated;
mod s3;

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

pub use directory::DirectoryStore;
pub use error::{Error, Result};
pub use key::{KEY_BYTES_MAX, check_key, check_prefix};
pub use replicated::ReplicatedStore;
pub use s3::{Encryption, S3Credentials, S3Options, S3Store};

/// A mark of one content of a blob, for [`BlobStore::compare_and_swap`].
///
/// Opaque: equal marks of one key mean equal content, nothing else may be read from them. Two stores may mark the same
/// bytes differently.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Etag(String);

impl Etag {
    /// A mark in the words of a back end (S3's `ETag` header).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The mark of `content` for stores that have none of their own: 128 bits of XXH3. It tells accidental changes
    /// apart; it is no defence against forged content.
    pub fn of_content(content: &[u8]) -> Self {
        Self(format!("{:032x}", xxh3_128(content)))
    }

    /// The mark as the back end spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A blob's content with the mark of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The whole content.
    pub bytes: Vec<u8>,
    /// What [`BlobStore::compare_and_swap`] expects to replace exactly this content.
    pub etag: Etag,
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobInfo {
    /// The whole key, not only what follows the prefix that was listed.
    pub key: String,
    /// Length of the content in bytes.
    pub size: u64,
}

/// How a conditional create ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The blob is there, with the bytes given.
    Created,
    /// A blob of that key was there before and is unchanged. With a store behind a network it may be the caller's own,
    /// written by an attempt whose answer was lost: compare contents before calling it a conflict.
    Exists,
}

/// How a compare-and-swap ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The new content is in place, marked so.
    Swapped(Etag),
    /// The blob was not what was expected (changed, created or deleted by another); nothing was written.
    Conflict,
}

/// Makes durable what can be read already; see [`BlobStore::put_all_soon`].
pub type Durably<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Blobs by key. See the [crate's page](crate) for what it is for and [`conformance`] for the fine print.
///
/// Keys are relative paths with `/` between segments ([`check_key`]); a key must not be the beginning of another up to a
/// `/` (`a` and `a/b` can't both exist), which a directory could not hold.
///
/// Every method fails with [`Error::Key`] for a malformed key, before anything is touched.
pub trait BlobStore: Send + Sync {
    /// The blob's content, or `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Backend`] where the store can't be read.
    fn get(&self, key: &str) -> Result<Option<Blob>>;

    /// What is known of the blob without reading its content, or `None` where there is none.
    ///
    /// # Errors
    /// As [`BlobStore::get`].
    fn head(&self, key: &str) -> Result<Option<BlobInfo>>;

    /// Writes the blob, whether it was there or not. Readers see the old content or the new, never a mixture; the new is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`Error::Full`] where no space is left, [`Error::Io`] or [`Error::Backend`] otherwise. After an error the blob is
    /// the old one or, where the answer was lost on the way, the new one.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<Etag>;

    /// Writes several blobs as [`put`](Self::put) does, for less than one by one where a back end can share work between
    /// them. Each becomes visible by itself, in any order.
    ///
    /// # Errors
    /// As [`BlobStore::put`]; any of the blobs may have been written.
    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<()> {
        blobs.iter().try_for_each(|(key, _)| check_key(key))?;
        blobs
            .iter()
            .try_for_each(|(key, bytes)| self.put(key, bytes).map(drop))
    }

    /// As [`put_all`](Self::put_all), but returns as soon as the blobs can be read. They are durable when what it returns was
    /// called and has returned, and up to then a power failure may leave any part of them: for blobs that nobody goes by yet.
    ///
    /// # Errors
    /// As [`BlobStore::put`], also of what it returns.
    fn put_all_soon(&self, blobs: &[(String, Vec<u8>)]) -> Result<Durably<'_>> {
        self.put_all(blobs)?;
        Ok(Box::new(|| Ok(())))
    }

    /// Writes the blob only if there is none of that key; of racing creators exactly one wins.
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created>;

    /// Gives the content of the blob `source` a second name, only if there is no blob of that name yet. `source` stays.
    /// A directory links, so that nothing is written twice; the default reads and creates. The new name is visible when
    /// this returns, and durable after [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`Error::Absent`] where there is no blob `source`; as [`BlobStore::put`].
    fn create_from(&self, key: &str, source: &str) -> Result<Created> {
        check_key(key)?;
        match self.get(source)? {
            Some(blob) => self.create(key, &blob.bytes),
            None => Err(Error::Absent {
                key: source.to_owned(),
            }),
        }
    }

    /// As [`create_from`](Self::create_from), by a caller who has the content at hand: `bytes` are those of the blob `source`.
    /// Stores that can't give a name without writing again need not read it first. May fail with [`Error::Absent`] where
    /// there is no blob `source`, or create the blob all the same.
    ///
    /// # Errors
    /// As [`create_from`](Self::create_from).
    fn create_known(&self, key: &str, source: &str, bytes: &[u8]) -> Result<Created> {
        check_key(source)?;
        self.create(key, bytes)
    }

    /// Makes the names that [`create_from`](Self::create_from) and [`create_known`](Self::create_known) gave durable, all at once: a directory is synced once for
    /// all of its names.
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    fn sync(&self, keys: &[String]) -> Result<()> {
        keys.iter().try_for_each(|key| check_key(key))
    }

    /// The same store for work that nobody waits for: slower, so that requests made meanwhile through this one are not.
    /// `None` where that makes no difference, or the store does not know how.
    fn in_background(&self) -> Option<Arc<dyn BlobStore>> {
        None
    }

    /// Writes the blob only if its content is still the one marked `expected` (`None`: only if there is no blob).
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    fn compare_and_swap(&self, key: &str, expected: Option<&Etag>, bytes: &[u8])
    -> Result<Swapped>;

    /// All blobs whose keys begin with `prefix` (any text, not only whole segments), ascending by the bytes of the key.
    ///
    /// # Errors
    /// As [`BlobStore::get`].
    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>>;

    /// Removes the blob; `true` if there was one. Stores that can't tell answer `true`. After a power failure a blob that
    /// was removed just before may be there again.
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    fn delete(&self, key: &str) -> Result<bool>;
}
