//! A store in a bucket of S3, or of any server that speaks its API and keeps its conditions.
//!
//! What the [trait](BlobStore) asks for is what S3 gives: an object appears whole, is durable when the answer comes, and is
//! written under a condition (`If-None-Match: *`, `If-Match`) or not at all. What remains for us is the network between:
//! answers that are late, lost or refused for a while (`attempt`), and what a lost answer means for a write that had a
//! condition (`write`).
//!
//! **Checksums, end to end.** The client sends a CRC32 with every write, which the server checks, and checks the server's
//! own on whole reads. Beside that every object carries a hash of its whole content (128 bits of XXH3) in its metadata, and
//! what is read must have it: whatever the server and whether in parts or not.
//!
//! **A server that ignores conditions** would let two producers overwrite each other in silence, and some do:
//! [`S3Store::check`] asks.
//!
//! The client is async; it runs on two threads of its own behind the blocking trait. So this store can't be called from
//! inside an async task (as no blocking call should be).

mod attempt;
mod bucket;
mod client;
mod options;
mod write;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::runtime::Runtime;

pub use self::options::{Encryption, S3Credentials, S3Options};

use self::bucket::Bucket;
use self::write::{Condition, Written};
use crate::{
    Blob, BlobInfo, BlobStore, Created, Error, Etag, Result, Swapped, check_key, check_prefix,
};

/// Threads that the client's sockets and timers need.
const THREADS: usize = 2;
/// In the background a quarter of the time is spent on requests at most.
const BACKGROUND_REST: u32 = 3;

/// A [`BlobStore`] in a bucket of S3 or the like; see the [crate's page](crate) and the conformance suite.
pub struct S3Store {
    bucket: Bucket,
    threads: Arc<Threads>,
}

/// What the client runs on.
struct Threads {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl S3Store {
    /// Sets up a store. Nothing is asked of the server yet: [`check`](Self::check) does.
    ///
    /// # Errors
    /// [`Error::Options`] for options that can't work.
    pub fn new(options: S3Options) -> Result<Self> {
        options.validate()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("s3")
            .enable_all()
            .build()
            .map_err(|error| Error::Options {
                what: options.url(),
                reason: format!("can't have threads: {error}"),
            })?;
        let client = runtime.block_on(client::client(&options));
        Ok(Self {
            bucket: Bucket {
                client,
                options,
                rest: 0,
            },
            threads: Arc::new(Threads {
                runtime: Some(runtime),
            }),
        })
    }

    /// The options it was made from.
    pub fn options(&self) -> &S3Options {
        &self.bucket.options
    }

    /// Finds out whether the bucket is there, may be read and written, and **keeps conditions**: a second create of a key
    /// must be refused, and so must a swap of a content that is not there any more. Leaves nothing behind. For producers
    /// at their start; readers have no use for it.
    ///
    /// # Errors
    /// [`Error::Options`] where a condition was ignored: such a server can't hold states. Otherwise as
    /// [`BlobStore::put`].
    pub fn check(&self) -> Result<()> {
        let key = format!("check/{:016x}", attempt::random());
        let outcome = self.check_with(&key);
        self.delete(&key)?;
        outcome
    }

    fn check_with(&self, key: &str) -> Result<()> {
        let ignored = |condition: &str| Error::Options {
            what: self.options().url(),
            reason: format!(
                "is on a server that ignores {condition}: two producers would overwrite each other there (docs/s3.md \
                 lists servers that do not)"
            ),
        };
        self.create(key, b"first")?;
        if self.create(key, b"second")? == Created::Created {
            return Err(ignored("If-None-Match"));
        }
        let first = self.get(key)?.ok_or_else(|| Error::Absent {
            key: key.to_owned(),
        })?;
        let Swapped::Swapped(_) = self.compare_and_swap(key, Some(&first.etag), b"third")? else {
            return Err(Error::Options {
                what: self.options().url(),
                reason: "is on a server that refuses If-Match with the ETag it gave".to_owned(),
            });
        };
        match self.compare_and_swap(key, Some(&first.etag), b"fourth")? {
            Swapped::Conflict => Ok(()),
            Swapped::Swapped(_) => Err(ignored("If-Match")),
        }
    }

    /// Makes the bucket, for tests and demos; `false` where it is there and ours.
    ///
    /// # Errors
    /// [`Error::Backend`] where the server refuses.
    pub fn create_bucket(&self) -> Result<bool> {
        self.block_on(self.bucket.create())
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.threads.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(Error::Options {
                what: self.options().url(),
                reason: "is closed".to_owned(),
            }),
        }
    }

    fn write(&self, key: &str, bytes: &[u8], condition: Condition<'_>) -> Result<Written> {
        check_key(key)?;
        self.block_on(self.bucket.write(key, bytes, condition))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Also where the store is dropped by an async task, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl BlobStore for S3Store {
    fn get(&self, key: &str) -> Result<Option<Blob>> {
        check_key(key)?;
        self.block_on(self.bucket.get(key))
    }

    fn head(&self, key: &str) -> Result<Option<BlobInfo>> {
        check_key(key)?;
        let head = self.block_on(self.bucket.head(key))?;
        Ok(head.map(|head| BlobInfo {
            key: key.to_owned(),
            size: head.size,
        }))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<Etag> {
        match self.write(key, bytes, Condition::None)? {
            Written::Done(etag) => Ok(etag),
            // Not without a condition.
            Written::Refused => Err(Error::Absent {
                key: key.to_owned(),
            }),
        }
    }

    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<()> {
        blobs.iter().try_for_each(|(key, _)| check_key(key))?;
        let writes = blobs
            .iter()
            .map(|(key, bytes)| self.bucket.write(key, bytes, Condition::None));
        self.block_on(
            stream::iter(writes)
                .buffer_unordered(self.options().parallel_max)
                .try_for_each(|_| std::future::ready(Ok(()))),
        )
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created> {
        self.write(key, bytes, Condition::Absent).map(created)
    }

    fn create_from(&self, key: &str, source: &str) -> Result<Created> {
        check_key(key)?;
        check_key(source)?;
        self.block_on(self.bucket.create_from(key, source))
            .map(created)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> Result<Swapped> {
        let condition = expected.map_or(Condition::Absent, Condition::Is);
        Ok(match self.write(key, bytes, condition)? {
            Written::Done(etag) => Swapped::Swapped(etag),
            Written::Refused => Swapped::Conflict,
        })
    }

    /// One request at a time, of the smallest parts, with pauses: what shares the server then waits for a small part at most,
    /// and rarely.
    fn in_background(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(Self {
            bucket: Bucket {
                client: self.bucket.client.clone(),
                options: S3Options {
                    part_bytes: S3Options::PART_BYTES_MIN,
                    parallel_max: 1,
                    ..self.options().clone()
                },
                rest: BACKGROUND_REST,
            },
            threads: Arc::clone(&self.threads),
        }))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>> {
        check_prefix(prefix)?;
        self.block_on(self.bucket.list(prefix))
    }

    /// Removes the blob; always `true`, since S3 does not tell whether there was one.
    fn delete(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        self.block_on(self.bucket.delete(key))?;
        Ok(true)
    }
}

fn created(written: Written) -> Created {
    match written {
        Written::Done(_) => Created::Created,
        Written::Refused => Created::Exists,
    }
}
