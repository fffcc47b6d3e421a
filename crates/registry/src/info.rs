//! What the registry answers: rows of its state, as they are stored and as they travel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BlobSum, DatasetName, Scope, StateSums, Version};

/// What is known of a dataset as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Its name.
    pub name: DatasetName,
    /// The newest epoch that was acquired; 0 before the first.
    pub epoch: u64,
    /// Who owns it in that epoch, unless it resigned or was expired.
    pub owner: Option<Ownership>,
    /// The greatest version minted so far.
    pub minted: Version,
    /// The candidate that may be accepted, if its version was minted in the present epoch.
    pub staged: Option<Version>,
    /// The newest accepted version: where the chain ends.
    pub head: Option<Version>,
    /// The newest announced version by scope.
    pub announced: BTreeMap<Scope, Version>,
    /// The pins by scope.
    pub pins: BTreeMap<Scope, Pin>,
    /// The newest confirmation of the newest announced version; `None` where nothing was confirmed since.
    pub confirmation: Option<Confirmation>,
    /// Who needs which version, ordered by version and holder.
    pub leases: Vec<Lease>,
    /// The greatest time at which a version was accepted or confirmed, in milliseconds since 1970 UTC: the `now` of a cycle
    /// must not fall below it.
    pub now_floor_ms: i64,
}

impl DatasetInfo {
    pub(crate) fn new(name: DatasetName) -> Self {
        Self {
            name,
            epoch: 0,
            owner: None,
            minted: Version(0),
            staged: None,
            head: None,
            announced: BTreeMap::new(),
            pins: BTreeMap::new(),
            confirmation: None,
            leases: Vec::new(),
            now_floor_ms: 0,
        }
    }

    /// What a consumer at `scope` is to load: the version of the closest pin that covers it, else the newest announced to
    /// it; `None` where there is none of either.
    pub fn latest(&self, scope: &Scope) -> Option<Latest> {
        let pin = self
            .pins
            .iter()
            .filter(|(pinned, _)| pinned.covers(scope))
            .max_by_key(|(pinned, _)| pinned.closeness());
        if let Some((_, pin)) = pin {
            return Some(Latest {
                version: pin.version,
                pinned: true,
            });
        }
        let announced = self
            .announced
            .iter()
            .filter(|(announced, _)| announced.covers(scope));
        announced
            .map(|(_, &version)| Latest {
                version,
                pinned: false,
            })
            .max_by_key(|latest| latest.version)
    }

    /// The newest version announced to everybody, whatever is pinned.
    pub fn newest_announced(&self) -> Option<Version> {
        self.announced.get(&Scope::everybody()).copied()
    }
}

/// An ownership that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Who.
    pub owner: String,
    /// How often it was renewed in this epoch.
    pub renewal: u64,
}

/// A forced version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version.
    pub version: Version,
    /// Who pinned it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// The newest proof that the newest announced version still is the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The version confirmed.
    pub version: Version,
    /// The epoch of who confirmed it.
    pub epoch: u64,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The position up to which nothing changed, or the input versions and `now` that gave the same result.
    pub tags: BTreeMap<String, String>,
}

/// A wish to keep what is needed to load a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The version.
    pub version: Version,
    /// Who needs it.
    pub holder: String,
    /// Until when, in milliseconds since 1970 UTC, by the clock of whoever honours it.
    pub until_ms: i64,
}

/// An accepted version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// The version.
    pub version: Version,
    /// The version accepted before it.
    pub previous: Option<Version>,
    /// The first version of its chain. Equal to `version` where no delta leads from `previous`.
    pub chain: Version,
    /// The epoch of the producer that staged it.
    pub epoch: u64,
    /// The time of its cycle, in milliseconds since 1970 UTC.
    pub accepted_at_ms: i64,
    /// When it was first announced to anybody, in milliseconds since 1970 UTC.
    pub announced_at_ms: Option<i64>,
    /// The blobs it was accepted with.
    pub blobs: Vec<BlobSum>,
    /// The sums of its state.
    pub sums: StateSums,
    /// The producer's remarks at its first announcement.
    pub metadata: BTreeMap<String, String>,
}

impl VersionInfo {
    /// The sum of the blob of that name (without the dataset's prefix), if the version was accepted with one.
    pub fn blob(&self, name: &str) -> Option<&BlobSum> {
        self.blobs.iter().find(|blob| blob.name == name)
    }
}

/// What a consumer is to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The version.
    pub version: Version,
    /// Whether a pin says so; only then it may be older than what the consumer has.
    pub pinned: bool,
}
