//! `announced.version`: what stock consumers watch.
//!
//! The truth is in the registry; this blob is a projection of it. It is written only over the content that was read *before*
//! the registry was asked, so a process that sleeps between question and write loses the compare-and-swap instead of turning
//! the version back. And the registry is asked when it knows all that was announced before: on Kafka every process has an
//! instance of its own, and that of one that was suspended knows nothing of what happened meanwhile.

use std::sync::Arc;

use blobstore::{BlobStore, Swapped};
use registry::{DatasetName, Registry, Scope, Version};

use crate::names::{ANNOUNCED_NAME, blob_key};
use crate::{Error, Result};

/// Brings `announced.version` of the dataset in line with the registry: the latest version for everybody, pins included.
/// To be called after every announcement and after every pin or unpin. Returns the version it says now, `None` where
/// nothing is announced to everybody.
///
/// # Errors
/// Those of store and registry.
pub fn project_announcement(
    store: &Arc<dyn BlobStore>,
    registry: &Arc<dyn Registry>,
    dataset: &DatasetName,
) -> Result<Option<Version>> {
    let key = blob_key(dataset, ANNOUNCED_NAME);
    let store_failed = |source| Error::Store {
        dataset: dataset.clone(),
        source,
    };
    loop {
        let present = store.get(&key).map_err(store_failed)?;
        let latest = registry
            .catch_up()
            .and_then(|()| registry.latest(dataset, &Scope::everybody()))
            .map_err(|source| Error::Registry {
                dataset: dataset.clone(),
                source: Box::new(source),
            })?;
        let Some(latest) = latest else {
            return Ok(None);
        };
        let text = latest.version.to_string();
        if present
            .as_ref()
            .is_some_and(|present| present.bytes == text.as_bytes())
        {
            return Ok(Some(latest.version));
        }
        let expected = present.map(|present| present.etag);
        if let Swapped::Swapped(_) = store
            .compare_and_swap(&key, expected.as_ref(), text.as_bytes())
            .map_err(store_failed)?
        {
            return Ok(Some(latest.version));
        }
    }
}
