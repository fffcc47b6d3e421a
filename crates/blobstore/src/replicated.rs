//! One bucket that is written, and copies of it near the readers.
//!
//! States are read in many regions and written in one. Buckets are replicated by the server (S3's cross-region replication,
//! a mirror of another kind); this store reads from the nearest copy and writes to the primary.
//!
//! **Consistency.** A copy lags by seconds to minutes, and objects reach it in any order.
//! - Blobs of states (snapshots, deltas) never change once they have their names: a copy has the right one or none. None
//!   makes the read go on to the next copy and at last to the primary, so every blob that was promoted is found, and "there
//!   is none" is always the primary's word.
//! - Contents that change (`announced.version`, checkpoints) can be read in an older version. Whoever replaces one does so
//!   by [`compare_and_swap`](BlobStore::compare_and_swap), which the primary decides; from the first swap of a key on, this
//!   store reads that key from the primary. So a loop of read and swap ends, and reads its own writes. Readers learn what
//!   is newest from the registry; those that watch a stale `announced.version` only learn it later.
//! - Lists come from the primary: a copy's might lack what is there. They come from a copy while the primary does not
//!   answer.
//!
//! A copy that fails (not: that has no such blob) is passed over for a while, so that a region that is down costs its
//! timeouts once and not with each read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Blob, BlobInfo, BlobStore, Created, Etag, Result, Swapped};

/// How long a copy that failed is passed over.
const REST: Duration = Duration::from_secs(30);

/// A [`BlobStore`] that writes to a primary and reads from the nearest copy that has the blob. Blobs that never change are
/// always found. Those that do may be read late, save by whoever swaps them: from the first
/// [`compare_and_swap`](BlobStore::compare_and_swap) of a key on, this store reads it from the primary.
pub struct ReplicatedStore {
    primary: Arc<dyn BlobStore>,
    copies: Vec<Copy>,
    /// Keys that were swapped through this store, and are read from the primary since.
    swapped: Arc<Mutex<BTreeSet<String>>>,
}

struct Copy {
    store: Arc<dyn BlobStore>,
    /// Until when it is passed over.
    resting: Mutex<Option<Instant>>,
}

impl ReplicatedStore {
    /// A store that writes to `primary` and reads from `copies`, nearest first, and then from `primary`. Where the primary
    /// is the nearest, there is nothing to gain from copies but their answers while it is down.
    ///
    /// Copies should have a small budget of attempts and time: another one can answer.
    pub fn new(
        primary: Arc<dyn BlobStore>,
        copies: impl IntoIterator<Item = Arc<dyn BlobStore>>,
    ) -> Self {
        let copies = copies.into_iter().map(|store| Copy {
            store,
            resting: Mutex::new(None),
        });
        Self {
            primary,
            copies: copies.collect(),
            swapped: Arc::default(),
        }
    }

    /// What the nearest copy that has something says, else the primary.
    fn read<T>(
        &self,
        key: &str,
        read: impl Fn(&dyn BlobStore) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        crate::check_key(key)?;
        if !lock(&self.swapped).contains(key) {
            for copy in self.awake() {
                if let Some(Some(found)) = copy.try_read(&read) {
                    return Ok(Some(found));
                }
            }
        }
        read(&*self.primary)
    }

    fn awake(&self) -> impl Iterator<Item = &Copy> {
        self.copies.iter().filter(|copy| {
            let mut resting = lock(&copy.resting);
            if resting.is_some_and(|until| until <= Instant::now()) {
                *resting = None;
            }
            resting.is_none()
        })
    }
}

impl Copy {
    /// What the copy answers; `None` where it fails, which lets it rest.
    fn try_read<T>(&self, read: impl Fn(&dyn BlobStore) -> Result<T>) -> Option<T> {
        match read(&*self.store) {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!(error = %error, "a copy of the store fails; it is passed over for a while");
                *lock(&self.resting) = Some(Instant::now() + REST);
                None
            }
        }
    }
}

impl BlobStore for ReplicatedStore {
    fn get(&self, key: &str) -> Result<Option<Blob>> {
        self.read(key, |store| store.get(key))
    }

    fn head(&self, key: &str) -> Result<Option<BlobInfo>> {
        self.read(key, |store| store.head(key))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<Etag> {
        self.primary.put(key, bytes)
    }

    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<()> {
        self.primary.put_all(blobs)
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created> {
        self.primary.create(key, bytes)
    }

    fn create_from(&self, key: &str, source: &str) -> Result<Created> {
        self.primary.create_from(key, source)
    }

    fn create_known(&self, key: &str, source: &str, bytes: &[u8]) -> Result<Created> {
        self.primary.create_known(key, source, bytes)
    }

    fn sync(&self, keys: &[String]) -> Result<()> {
        self.primary.sync(keys)
    }

    fn in_background(&self) -> Option<Arc<dyn BlobStore>> {
        let of = |store: &Arc<dyn BlobStore>| store.in_background();
        let primary = of(&self.primary)?;
        let copies = self.copies.iter().map(|copy| &copy.store);
        let copies = copies.map(|copy| of(copy).unwrap_or_else(|| Arc::clone(copy)));
        Some(Arc::new(Self {
            swapped: Arc::clone(&self.swapped),
            ..Self::new(primary, copies)
        }))
    }

    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> Result<Swapped> {
        let outcome = self.primary.compare_and_swap(key, expected, bytes)?;
        lock(&self.swapped).insert(key.to_owned());
        Ok(outcome)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>> {
        match self.primary.list(prefix) {
            Err(error) if error.is_retryable() => self
                .awake()
                .find_map(|copy| copy.try_read(|store| store.list(prefix)))
                .ok_or(error),
            answer => answer,
        }
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.primary.delete(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DirectoryStore, Error, conformance};

    /// A region that is down.
    struct Down;

    impl Down {
        fn error<T>() -> Result<T> {
            Err(Error::Backend {
                action: "reach",
                key: "a region".to_owned(),
                retryable: true,
                source: "it is down".into(),
            })
        }
    }

    impl BlobStore for Down {
        fn get(&self, _: &str) -> Result<Option<Blob>> {
            Self::error()
        }
        fn head(&self, _: &str) -> Result<Option<BlobInfo>> {
            Self::error()
        }
        fn put(&self, _: &str, _: &[u8]) -> Result<Etag> {
            Self::error()
        }
        fn create(&self, _: &str, _: &[u8]) -> Result<Created> {
            Self::error()
        }
        fn compare_and_swap(&self, _: &str, _: Option<&Etag>, _: &[u8]) -> Result<Swapped> {
            Self::error()
        }
        fn list(&self, _: &str) -> Result<Vec<BlobInfo>> {
            Self::error()
        }
        fn delete(&self, _: &str) -> Result<bool> {
            Self::error()
        }
    }

    fn directory() -> (tempfile::TempDir, Arc<dyn BlobStore>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(DirectoryStore::open(dir.path()).unwrap());
        (dir, store)
    }

    fn content(store: &dyn BlobStore, key: &str) -> Option<Vec<u8>> {
        store.get(key).unwrap().map(|blob| blob.bytes)
    }

    #[test]
    fn conformance_suite_with_copies_that_lag_or_are_down() {
        let ((_a, primary), (_b, empty)) = (directory(), directory());
        let copies: [Arc<dyn BlobStore>; 2] = [Arc::new(Down), empty];
        let store = ReplicatedStore::new(primary, copies);
        conformance::run(&store, "suite").unwrap();
    }

    #[test]
    fn the_nearest_copy_that_has_a_blob_answers() {
        let ((_a, primary), (_b, near), (_c, far)) = (directory(), directory(), directory());
        for (store, keys) in [
            (&primary, &["1", "2", "3"][..]),
            (&far, &["1", "2"]),
            (&near, &["1"]),
        ] {
            for key in keys {
                store.put(key, b"the same everywhere").unwrap();
            }
        }
        let down: Arc<dyn BlobStore> = Arc::new(Down);
        let copies = [down, near.clone(), far.clone()];
        let store = ReplicatedStore::new(primary.clone(), copies);
        for key in ["1", "2", "3"] {
            assert!(content(&store, key).is_some(), "{key}");
        }
        assert_eq!(content(&store, "4"), None);
        near.put("1", b"seen to be near").unwrap();
        far.put("2", b"seen to be far").unwrap();
        assert_eq!(content(&store, "1").unwrap(), b"seen to be near");
        assert_eq!(content(&store, "2").unwrap(), b"seen to be far");
    }

    #[test]
    fn copies_answer_while_the_primary_is_down_but_never_deny() {
        let (_a, copy) = directory();
        copy.put("a/1", b"there").unwrap();
        let store = ReplicatedStore::new(Arc::new(Down), [copy]);
        assert_eq!(content(&store, "a/1").unwrap(), b"there");
        assert_eq!(store.list("a/").unwrap().len(), 1);
        assert!(store.get("a/2").is_err(), "only the primary can deny");
        assert!(store.put("a/2", b"x").is_err());
    }

    #[test]
    fn a_swap_over_a_stale_copy_ends() {
        let ((_a, primary), (_b, copy)) = (directory(), directory());
        copy.put("announced", b"6").unwrap();
        primary.put("announced", b"7").unwrap();
        let store = ReplicatedStore::new(primary, [copy]);
        let stale = store.get("announced").unwrap().unwrap();
        assert_eq!(stale.bytes, b"6");
        let swapped = store.compare_and_swap("announced", Some(&stale.etag), b"8");
        assert_eq!(swapped.unwrap(), Swapped::Conflict);
        let fresh = store.get("announced").unwrap().unwrap();
        assert_eq!(fresh.bytes, b"7");
        let swapped = store.compare_and_swap("announced", Some(&fresh.etag), b"8");
        assert!(matches!(swapped.unwrap(), Swapped::Swapped(_)));
        assert_eq!(content(&store, "announced").unwrap(), b"8");
    }
}
