//! `announced.version`: what stock consumers watch.
//!
//! The truth is in the registry; this blob is a projection of it. It is written only over the content that was read *before*
//! the registry was asked, so a process that sleeps between question and write loses the compare-and-swap instead of turning
//! the version back. And the registry is asked when it knows all that was announced before: on Kafka every process has an
//! instance of its own, and that of one that was suspended knows nothing of what happened meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;

use blobstore::{Blob, BlobStore, Swapped};
use registry::{DatasetName, Registry, Scope, Version};

use crate::Result;
use crate::chain::Source;
use crate::names::{ANNOUNCED_NAME, blob_key};

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
    Source {
        dataset: dataset.clone(),
        store: Arc::clone(store),
        registry: Arc::clone(registry),
    }
    .project()
}

impl Source {
    /// [`project_announcement`].
    pub(crate) fn project(&self) -> Result<Option<Version>> {
        loop {
            let present = self.projection()?;
            self.catch_up()?;
            if let ControlFlow::Break(version) = self.project_over(present)? {
                return Ok(version);
            }
        }
    }

    /// [`project_announcement`] by one who read the projection `before` it submitted a command, and has the outcome: the
    /// instance that answered knows all that was announced before the command.
    pub(crate) fn project_after_command(&self, before: Option<Blob>) -> Result<()> {
        match self.project_over(before)? {
            ControlFlow::Break(_) => Ok(()),
            ControlFlow::Continue(()) => self.project().map(drop),
        }
    }

    /// What the projection says now.
    pub(crate) fn projection(&self) -> Result<Option<Blob>> {
        let present = self.store.get(&blob_key(&self.dataset, ANNOUNCED_NAME));
        present.map_err(|error| self.store_failed(error))
    }

    /// Writes the projection over what it was before the registry was asked. Goes on where it is not that any more.
    fn project_over(&self, before: Option<Blob>) -> Result<ControlFlow<Option<Version>>> {
        let Some(latest) = self.latest_for_everybody()? else {
            return Ok(ControlFlow::Break(None));
        };
        let text = latest.to_string();
        if before
            .as_ref()
            .is_some_and(|before| before.bytes == text.as_bytes())
        {
            return Ok(ControlFlow::Break(Some(latest)));
        }
        let key = blob_key(&self.dataset, ANNOUNCED_NAME);
        let expected = before.map(|before| before.etag);
        let swapped = self
            .store
            .compare_and_swap(&key, expected.as_ref(), text.as_bytes())
            .map_err(|error| self.store_failed(error))?;
        if let Swapped::Conflict = swapped {
            return Ok(ControlFlow::Continue(()));
        }
        // Who pinned meanwhile what it said before had nothing to write, and this instance need not know of it yet.
        self.catch_up()?;
        let is_latest = self.latest_for_everybody()? == Some(latest);
        Ok(match is_latest {
            true => ControlFlow::Break(Some(latest)),
            false => ControlFlow::Continue(()),
        })
    }

    fn catch_up(&self) -> Result<()> {
        let caught_up = self.registry.catch_up();
        caught_up.map_err(|error| self.registry_failed(error))
    }

    fn latest_for_everybody(&self) -> Result<Option<Version>> {
        let latest = self.registry.latest(&self.dataset, &Scope::everybody());
        let latest = latest.map_err(|error| self.registry_failed(error))?;
        Ok(latest.map(|latest| latest.version))
    }
}
