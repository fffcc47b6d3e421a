//! Following another output: which of its versions, on exactly which inputs, at which `now`.
//!
//! A follower decides nothing but the outcome. What the leader used is read from its newest output (or the newest
//! confirmation of it), pins on either side ignored, and is used exactly or not at all: a follower may skip versions, and
//! never takes one that is merely near. While it needs versions, it holds leases on them, so that nobody cleans them away
//! under its hands.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use registry::{Action, DatasetName, Registry, Version};

use super::basis::{Basis, Followed};
use super::inputs::in_environment;
use super::past::{newest_announced, newest_basis, tags_alone};
use crate::{Error, Result, Subscriber};

/// Whom to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The output to follow: `prod/liveness`. The inputs are those of its environment.
    pub dataset: DatasetName,
    /// How long a lease lasts unless it is renewed, in milliseconds: longer than the follower may be away without losing its
    /// place.
    pub lease_ms: i64,
}

impl Follow {
    /// Follows a dataset with leases of ten minutes.
    pub fn new(dataset: DatasetName) -> Self {
        Self {
            dataset,
            lease_ms: 600_000,
        }
    }
}

/// What is followed, seen from the follower.
pub(super) struct Leader {
    follow: Follow,
    /// Who holds the leases: the follower's output, so that whoever continues it takes them over.
    holder: String,
    /// The inputs by name.
    inputs: BTreeMap<&'static str, DatasetName>,
    /// For the header tags alone; it loads no record.
    subscriber: Subscriber,
    registry: Arc<dyn Registry>,
    /// The leases and until when each lasts, in milliseconds since 1970 UTC.
    leases: BTreeMap<(DatasetName, Version), i64>,
}

impl Leader {
    /// Looks at a dataset, and takes over the leases that an earlier follower of the same output left.
    pub(super) fn new(
        follow: Follow,
        output: &DatasetName,
        inputs: impl Iterator<Item = &'static str>,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let environment = follow.dataset.environment();
        let inputs = inputs.map(|name| Ok((name, in_environment(environment, name)?)));
        let mut leader = Self {
            subscriber: tags_alone(&follow.dataset, store, registry),
            holder: output.to_string(),
            inputs: inputs.collect::<Result<_>>()?,
            registry: Arc::clone(registry),
            leases: BTreeMap::new(),
            follow,
        };
        for dataset in leader.inputs.values().chain([&leader.follow.dataset]) {
            let info = leader.registry.dataset(dataset);
            let info = info.map_err(|source| Error::registry(dataset, source))?;
            let leases = info.into_iter().flat_map(|info| info.leases);
            for lease in leases.filter(|lease| lease.holder == leader.holder) {
                let key = (dataset.clone(), lease.version);
                leader.leases.insert(key, lease.until_ms);
            }
        }
        Ok(leader)
    }

    /// What the newest announced or confirmed output rests on. Its versions are leased from here on.
    pub(super) fn newest(&mut self, clock_ms: i64) -> Result<(Followed, Basis)> {
        let dataset = self.follow.dataset.clone();
        let info = self.registry.dataset(&dataset);
        let info = info.map_err(|source| Error::registry(&dataset, source))?;
        let version = newest_announced(&dataset, info.as_ref())?;
        self.lease(&dataset, version, clock_ms)?;
        let names = self.inputs.keys().copied();
        let basis = newest_basis(&self.subscriber, version, info.as_ref(), names)?;
        for (name, dataset) in self.inputs.clone() {
            if let Some(&version) = basis.inputs.get(name) {
                self.lease(&dataset, version, clock_ms)?;
            }
        }
        Ok((Followed { dataset, version }, basis))
    }

    /// Ends the leases on all but what a basis needs; `None`: on everything. One that can't be ended now is tried again next
    /// time, and runs out at the latest.
    pub(super) fn release_all_but(&mut self, needed: Option<&Basis>, clock_ms: i64) {
        let is_needed = |dataset: &DatasetName, version: Version| {
            needed.is_some_and(|basis| {
                let followed = basis.followed.as_ref();
                followed.is_some_and(|it| it.dataset == *dataset && it.version == version)
                    || self.inputs.get(dataset.name()) == Some(dataset)
                        && basis.inputs.get(dataset.name()) == Some(&version)
            })
        };
        let (registry, holder) = (&self.registry, &self.holder);
        self.leases.retain(|(dataset, version), _| {
            if is_needed(dataset, *version) {
                return true;
            }
            let release = Action::Release {
                version: *version,
                holder: holder.clone(),
            };
            match registry.execute(dataset, clock_ms, release) {
                // A version that is gone needs no lease.
                Ok(_) | Err(registry::Error::Refused { .. }) => false,
                Err(error) => {
                    tracing::warn!(%dataset, %version, %error, "end a lease");
                    true
                }
            }
        });
    }

    /// Leases a version, or prolongs the lease once half of it has passed.
    fn lease(&mut self, dataset: &DatasetName, version: Version, clock_ms: i64) -> Result<()> {
        let key = (dataset.clone(), version);
        let left_ms = self.leases.get(&key).map(|until| until - clock_ms);
        if left_ms.is_some_and(|left| left > self.follow.lease_ms / 2) {
            return Ok(());
        }
        let until_ms = clock_ms.saturating_add(self.follow.lease_ms);
        let lease = Action::Lease {
            version,
            holder: self.holder.clone(),
            until_ms,
        };
        self.registry
            .execute(dataset, clock_ms, lease)
            .map_err(|source| Error::registry(dataset, source))?;
        self.leases.insert(key, until_ms);
        Ok(())
    }
}
