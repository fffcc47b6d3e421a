//! What follows the acceptance, in the cycle that was accepted and in the recovery of one that died.
//!
//! Every step can be done twice: a name that is taken is success where the content is the accepted one, announcing an
//! announced version changes nothing, and the projection is read before it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use blobstore::Created;
use registry::{Action, BlobSum, Scope, Version, VersionInfo};

use super::{Publisher, PublisherOptions, execute, run_hook};
use crate::chain::{Source, sha256};
use crate::names::{blob_key, candidate_of, candidate_prefix, is_part};
use crate::{Result, Step};

/// What it takes to finish a version: all of a publisher but its write state, which has work of its own meanwhile.
pub(super) struct Finishing<'a> {
    pub(super) source: &'a Source,
    pub(super) options: &'a PublisherOptions,
    pub(super) epoch: u64,
}

impl Finishing<'_> {
    /// Gives the blobs of an accepted version their public names, those of the optional parts before the main ones. What
    /// `contents` has of them need not be read.
    pub(super) fn promote(&self, info: &VersionInfo, contents: &[(String, Vec<u8>)]) -> Result<()> {
        let (parts, main): (Vec<_>, Vec<_>) =
            info.blobs.iter().partition(|blob| is_part(&blob.name));
        for blobs in [&parts, &main] {
            // Side by side, since each waits for the store.
            let promote = |blob| {
                promote_blob(self.source, info, blob, contents)?;
                self.hook(Step::BlobPromoted)
            };
            let Some((last, others)) = blobs.split_last() else {
                continue;
            };
            let promoted: Vec<Result<()>> = thread::scope(|scope| {
                let promote = &promote;
                let threads: Vec<_> = others
                    .iter()
                    .map(|blob| scope.spawn(move || promote(blob)))
                    .collect();
                let last = promote(last);
                let joined = threads.into_iter().map(|thread| thread.join());
                joined
                    .map(|promoted| promoted.unwrap_or_else(|panic| resume_unwind(panic)))
                    .chain([last])
                    .collect()
            });
            promoted.into_iter().collect::<Result<()>>()?;
        }
        let name = |blob: &BlobSum| blob_key(&self.source.dataset, &blob.name);
        let keys: Vec<String> = info.blobs.iter().map(name).collect();
        self.source
            .store
            .sync(&keys)
            .map_err(|source| self.source.store_failed(source))
    }

    /// Makes the version the latest in the registry.
    pub(super) fn announce(
        &self,
        info: &VersionInfo,
        metadata: BTreeMap<String, String>,
        now_ms: i64,
    ) -> Result<()> {
        let action = Action::Announce {
            epoch: self.epoch,
            version: info.version,
            scope: Scope::everybody(),
            metadata,
        };
        execute(self.source, now_ms, action)?;
        self.hook(Step::Announced)
    }

    /// Brings `announced.version` in line.
    pub(super) fn project(&self) -> Result<()> {
        self.source.project()?;
        self.hook(Step::Projected)
    }

    /// Gives the blobs of a version that was just accepted their names, makes it the latest, and removes the candidate, which is
    /// not needed any more then.
    pub(super) fn finish(
        &self,
        version: Version,
        contents: &[(String, Vec<u8>)],
        metadata: BTreeMap<String, String>,
        now_ms: i64,
    ) -> Result<()> {
        self.hook(Step::Accepted)?;
        let info = self.source.version(version)?;
        let (projection, promoted) = thread::scope(|scope| {
            let projection = scope.spawn(|| self.source.projection());
            let promoted = self.promote(&info, contents);
            (projection.join(), promoted)
        });
        promoted?;
        let projection = projection.unwrap_or_else(|panic| resume_unwind(panic));
        self.announce(&info, metadata, now_ms)?;
        thread::scope(|scope| {
            let prefix = candidate_prefix(&self.source.dataset, version, self.epoch);
            let names = info.blobs.iter().map(|blob| blob.name.as_str());
            scope.spawn(move || clean_candidate(self.source, &prefix, names));
            // Subscribers of the registry need no projection, so whatever is wrong with it does not keep the version from them.
            self.source.project_after_command(projection?)?;
            self.hook(Step::Projected)
        })?;
        self.hook(Step::Cleaned)
    }

    pub(super) fn hook(&self, step: Step) -> Result<()> {
        run_hook(self.source, self.options, step)
    }
}

impl Publisher {
    pub(super) fn finishing(&self) -> Finishing<'_> {
        Finishing {
            source: &self.source,
            options: &self.options,
            epoch: self.epoch,
        }
    }

    /// Removes the blobs of candidates: accepted ones (they have their public names by now) and those that nobody can accept
    /// any more. What can't be removed now is left for the next time.
    pub(super) fn clean_candidates(&self) {
        if let Err(error) = self.try_clean_candidates() {
            tracing::warn!(dataset = %self.source.dataset, error = %error, "remove candidates");
        }
    }

    fn try_clean_candidates(&self) -> Result<()> {
        let prefix = blob_key(&self.source.dataset, "candidates/");
        let listed = self
            .source
            .store
            .list(&prefix)
            .map_err(|source| self.source.store_failed(source))?;
        // One that a newer owner staged is that owner's.
        let is_ours = |key: &str| {
            candidate_of(&self.source.dataset, key).is_some_and(|(_, epoch)| epoch <= self.epoch)
        };
        let keys: BTreeSet<String> = listed
            .into_iter()
            .map(|info| info.key)
            .filter(|key| is_ours(key))
            .collect();
        let busy = self.snapshots.busy_prefix();
        for key in keys {
            if busy.as_ref().is_none_or(|busy| !key.starts_with(busy)) {
                delete(&self.source, &key)?;
            }
        }
        Ok(())
    }
}

/// Removes the candidate's blobs of a version that was promoted, or rolled back.
pub(super) fn clean_candidate<'a>(
    source: &Source,
    prefix: &str,
    names: impl Iterator<Item = &'a str>,
) {
    for name in names {
        if let Err(error) = delete(source, &format!("{prefix}{name}")) {
            tracing::warn!(dataset = %source.dataset, error = %error, "remove a candidate");
        }
    }
}

fn delete(source: &Source, key: &str) -> Result<()> {
    let deleted = source.store.delete(key);
    deleted
        .map(drop)
        .map_err(|error| source.store_failed(error))
}

/// Gives a blob its public name.
fn promote_blob(
    source: &Source,
    info: &VersionInfo,
    blob: &BlobSum,
    contents: &[(String, Vec<u8>)],
) -> Result<()> {
    let store = &source.store;
    let key = blob_key(&source.dataset, &blob.name);
    let prefix = candidate_prefix(&source.dataset, info.version, info.epoch);
    let staged = format!("{prefix}{}", blob.name);
    let created = match contents.iter().find(|(key, _)| *key == staged) {
        Some((_, bytes)) => store.create_known(&key, &staged, bytes),
        None => store.create_from(&key, &staged),
    };
    match created {
        Ok(Created::Created) => Ok(()),
        // Promoted before; by an attempt that died, most often.
        Ok(Created::Exists) | Err(blobstore::Error::Absent { .. }) => {
            let present = store.get(&key);
            let present = present.map_err(|error| source.store_failed(error))?;
            let present =
                present.ok_or_else(|| source.damaged(info.version, &blob.name, "missing"))?;
            if sha256(&present.bytes) == blob.sha256 {
                return Ok(());
            }
            let what = "another one than was accepted";
            Err(source.damaged(info.version, &blob.name, what))
        }
        Err(error) => Err(source.store_failed(error)),
    }
}
