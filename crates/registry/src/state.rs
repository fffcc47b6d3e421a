//! The state machine: pure, deterministic, without a clock or any IO.
//!
//! Every instance applies the same commands in the same order and holds the same state, so a question may be put to any of
//! them. What the commands promise together:
//!
//! * A chain never forks: of all acceptances that name one previous version at most one is granted, and only to the owner
//!   of the present epoch.
//! * Versions grow, whatever the clocks of producers say.
//! * At most one version is accepted and not announced; whoever takes over finds it at the chain's end.
//! * Without a pin, the latest version of a consumer never goes back.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::{
    Acceptance, Action, Command, Confirmation, DatasetInfo, DatasetName, Lease, Outcome, Ownership,
    Pin, Refusal, Scope, Version, VersionInfo,
};

/// All that the commands so far amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    applied: i64,
    datasets: BTreeMap<DatasetName, Dataset>,
}

/// One dataset: its row and its accepted versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dataset {
    pub(crate) info: DatasetInfo,
    pub(crate) versions: BTreeMap<Version, VersionInfo>,
}

/// Which version's row a granted command wrote, if any. (It always writes the dataset's.)
type Touched = Option<Version>;

impl State {
    /// The state before the first command.
    pub fn new() -> Self {
        Self::default()
    }

    /// A state as a checkpoint holds it.
    pub(crate) fn restore(applied: i64, datasets: impl Iterator<Item = DatasetInfo>) -> Self {
        let datasets = datasets
            .map(|info| {
                (
                    info.name.clone(),
                    Dataset {
                        info,
                        versions: BTreeMap::new(),
                    },
                )
            })
            .collect();
        Self { applied, datasets }
    }

    /// A state as its rows tell it.
    pub(crate) fn of_rows(applied: i64, rows: Vec<(DatasetInfo, Vec<VersionInfo>)>) -> Self {
        let dataset = |(info, versions): (DatasetInfo, Vec<VersionInfo>)| {
            let versions = versions.into_iter();
            let versions = versions.map(|info| (info.version, info)).collect();
            (info.name.clone(), Dataset { info, versions })
        };
        let datasets = rows.into_iter().map(dataset).collect();
        Self { applied, datasets }
    }

    /// Adds a version's row while restoring; `false` where the checkpoint has no such dataset.
    pub(crate) fn restore_version(&mut self, name: &DatasetName, version: VersionInfo) -> bool {
        let dataset = self.datasets.get_mut(name);
        dataset
            .map(|dataset| dataset.versions.insert(version.version, version))
            .is_some()
    }

    /// The offset after the last command applied.
    pub fn applied(&self) -> i64 {
        self.applied
    }

    /// Passes over offsets that hold no command (a log may have gaps): the next command is at `offset` or later.
    pub fn advance(&mut self, offset: i64) {
        self.applied = self.applied.max(offset);
    }

    /// Applies the command at `offset` of the log. Commands are given in the order of their offsets; one below
    /// [`applied`](Self::applied) was applied before and must not be given again.
    pub fn apply(&mut self, offset: i64, command: &Command) -> Outcome {
        self.apply_traced(offset, command).0
    }

    /// As [`apply`](Self::apply); also says which version's row was written.
    pub(crate) fn apply_traced(&mut self, offset: i64, command: &Command) -> (Outcome, Touched) {
        debug_assert!(offset >= self.applied, "command {offset} applied twice");
        self.applied = offset + 1;
        let result = match self.datasets.get_mut(&command.dataset) {
            Some(dataset) => dataset.apply(command),
            None => {
                // A dataset begins to exist with the first command that is granted.
                let info = DatasetInfo::new(command.dataset.clone());
                let mut dataset = Dataset {
                    info,
                    versions: BTreeMap::new(),
                };
                let result = dataset.apply(command);
                if result.is_ok() {
                    self.datasets.insert(command.dataset.clone(), dataset);
                }
                result
            }
        };
        result.unwrap_or_else(|refusal| (Outcome::Refused(refusal), None))
    }

    /// All datasets by name.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetInfo> {
        self.datasets.values().map(|dataset| &dataset.info)
    }

    /// The dataset of that name, once anybody acquired it.
    pub fn dataset(&self, name: &DatasetName) -> Option<&DatasetInfo> {
        self.datasets.get(name).map(|dataset| &dataset.info)
    }

    /// An accepted version.
    pub fn version(&self, name: &DatasetName, version: Version) -> Option<&VersionInfo> {
        self.datasets.get(name)?.versions.get(&version)
    }

    /// The accepted versions in `range`, oldest first (and reversible).
    pub fn versions(
        &self,
        name: &DatasetName,
        range: RangeInclusive<Version>,
    ) -> impl DoubleEndedIterator<Item = &VersionInfo> {
        let range = if range.start() <= range.end() {
            Some(range)
        } else {
            None
        };
        let versions = self.datasets.get(name).zip(range);
        versions
            .into_iter()
            .flat_map(|(dataset, range)| dataset.versions.range(range))
            .map(|(_, version)| version)
    }
}

impl Dataset {
    fn apply(&mut self, command: &Command) -> Result<(Outcome, Touched), Refusal> {
        let at_ms = command.at_ms;
        match &command.action {
            Action::Acquire {
                owner,
                expected_epoch,
            } => self.acquire(owner, *expected_epoch),
            Action::Resign { epoch } => {
                self.owned_in(*epoch)?;
                self.info.owner = None;
                Ok((Outcome::Done, None))
            }
            Action::Renew { epoch } => {
                let ownership = self.owned_in(*epoch)?;
                ownership.renewal += 1;
                Ok((
                    Outcome::Renewed {
                        renewal: ownership.renewal,
                    },
                    None,
                ))
            }
            Action::Expire { epoch, renewal } => self.expire(*epoch, *renewal),
            Action::Stage { epoch } => self.stage(*epoch, at_ms),
            Action::Accept(acceptance) => self.accept(acceptance, at_ms),
            Action::Announce {
                epoch,
                version,
                scope,
                metadata,
            } => {
                self.owned_in(*epoch)?;
                self.announce(*version, scope, metadata, at_ms)
            }
            Action::Confirm {
                epoch,
                version,
                tags,
            } => self.confirm(*epoch, *version, tags, at_ms),
            Action::Pin {
                scope,
                version,
                by,
                reason,
            } => {
                self.announced(*version)?;
                let pin = Pin {
                    version: *version,
                    by: by.clone(),
                    reason: reason.clone(),
                    at_ms,
                };
                self.info.pins.insert(scope.clone(), pin);
                Ok((Outcome::Done, None))
            }
            Action::Unpin { scope } => match self.info.pins.remove(scope) {
                Some(_) => Ok((Outcome::Done, None)),
                None => Err(Refusal::NoPin {
                    scope: scope.clone(),
                }),
            },
            Action::Lease {
                version,
                holder,
                until_ms,
            } => self.lease(*version, holder, *until_ms),
            Action::Release { version, holder } => {
                if let Ok(at) = self.find_lease(*version, holder) {
                    self.info.leases.remove(at);
                } else if !self.versions.contains_key(version) {
                    return Err(Refusal::UnknownVersion {
                        version: *version,
                        announced: false,
                    });
                }
                Ok((Outcome::Done, None))
            }
        }
    }

    fn owned_in(&mut self, epoch: u64) -> Result<&mut Ownership, Refusal> {
        let newest = self.info.epoch;
        match &mut self.info.owner {
            Some(ownership) if newest == epoch => Ok(ownership),
            _ => Err(Refusal::NotOwner { epoch: newest }),
        }
    }

    fn announced(&self, version: Version) -> Result<&VersionInfo, Refusal> {
        self.versions
            .get(&version)
            .filter(|info| info.announced_at_ms.is_some())
            .ok_or(Refusal::UnknownVersion {
                version,
                announced: true,
            })
    }

    fn acquire(&mut self, owner: &str, expected_epoch: u64) -> Result<(Outcome, Touched), Refusal> {
        let info = &mut self.info;
        if info.epoch != expected_epoch {
            return Err(Refusal::OtherEpoch { epoch: info.epoch });
        }
        match &info.owner {
            Some(present) if present.owner != owner => {
                return Err(Refusal::Owned {
                    owner: present.owner.clone(),
                    epoch: info.epoch,
                });
            }
            _ => {}
        }
        info.epoch += 1;
        info.owner = Some(Ownership {
            owner: owner.to_owned(),
            renewal: 0,
        });
        // A candidate of the epoch before can't be accepted any more.
        info.staged = None;
        Ok((Outcome::Acquired { epoch: info.epoch }, None))
    }

    fn expire(&mut self, epoch: u64, renewal: u64) -> Result<(Outcome, Touched), Refusal> {
        let ownership = self.owned_in(epoch)?;
        if ownership.renewal != renewal {
            return Err(Refusal::Renewed {
                renewal: ownership.renewal,
            });
        }
        self.info.owner = None;
        Ok((Outcome::Done, None))
    }

    fn stage(&mut self, epoch: u64, at_ms: i64) -> Result<(Outcome, Touched), Refusal> {
        self.owned_in(epoch)?;
        let version = Version::after(self.info.minted, at_ms).ok_or(Refusal::Clock)?;
        self.info.minted = version;
        self.info.staged = Some(version);
        Ok((Outcome::Staged { version }, None))
    }

    fn accept(
        &mut self,
        acceptance: &Acceptance,
        at_ms: i64,
    ) -> Result<(Outcome, Touched), Refusal> {
        let &Acceptance {
            epoch,
            version,
            previous,
            chain_start,
            ..
        } = acceptance;
        self.owned_in(epoch)?;
        if let Some(accepted) = self.versions.get(&version) {
            // The same command once more, after its answer was lost.
            let is_same = accepted.epoch == epoch
                && accepted.previous == previous
                && accepted.sums == acceptance.sums
                && accepted.blobs == acceptance.blobs;
            return if is_same {
                Ok((Outcome::Done, None))
            } else {
                Err(Refusal::NotStaged { version })
            };
        }
        if self.info.staged != Some(version) {
            return Err(Refusal::NotStaged { version });
        }
        if self.info.head != previous {
            return Err(Refusal::OtherHead {
                head: self.info.head,
            });
        }
        let before = previous.and_then(|previous| self.versions.get(&previous));
        if let Some(before) = before
            && before.announced_at_ms.is_none()
        {
            return Err(Refusal::Unannounced {
                version: before.version,
            });
        }
        let chain = match before {
            _ if chain_start => version,
            Some(before) => before.chain,
            None => return Err(Refusal::NoChain { version }),
        };
        let accepted = VersionInfo {
            version,
            previous,
            chain,
            epoch,
            accepted_at_ms: at_ms,
            announced_at_ms: None,
            blobs: acceptance.blobs.clone(),
            sums: acceptance.sums,
            metadata: BTreeMap::new(),
        };
        self.versions.insert(version, accepted);
        self.info.staged = None;
        self.info.head = Some(version);
        self.info.now_floor_ms = self.info.now_floor_ms.max(at_ms);
        Ok((Outcome::Done, Some(version)))
    }

    fn announce(
        &mut self,
        version: Version,
        scope: &Scope,
        metadata: &BTreeMap<String, String>,
        at_ms: i64,
    ) -> Result<(Outcome, Touched), Refusal> {
        let Some(accepted) = self.versions.get_mut(&version) else {
            return Err(Refusal::UnknownVersion {
                version,
                announced: false,
            });
        };
        match self.info.announced.get(scope) {
            Some(&newest) if newest == version => return Ok((Outcome::Done, None)),
            Some(&newest) if newest > version => return Err(Refusal::Superseded { newest }),
            _ => {}
        }
        if accepted.announced_at_ms.is_none() {
            accepted.announced_at_ms = Some(at_ms);
            accepted.metadata = metadata.clone();
        }
        self.info.announced.insert(scope.clone(), version);
        // What was announced to a part of those who now have this one or a newer says nothing any more.
        self.info
            .announced
            .retain(|part, &mut older| part == scope || !scope.covers(part) || older > version);
        if self
            .info
            .confirmation
            .as_ref()
            .is_some_and(|confirmation| confirmation.version < version)
        {
            self.info.confirmation = None;
        }
        Ok((Outcome::Done, Some(version)))
    }

    fn confirm(
        &mut self,
        epoch: u64,
        version: Version,
        tags: &BTreeMap<String, String>,
        at_ms: i64,
    ) -> Result<(Outcome, Touched), Refusal> {
        self.owned_in(epoch)?;
        self.announced(version)?;
        if self.info.head != Some(version) {
            return Err(Refusal::OtherHead {
                head: self.info.head,
            });
        }
        self.info.confirmation = Some(Confirmation {
            version,
            epoch,
            at_ms,
            tags: tags.clone(),
        });
        self.info.now_floor_ms = self.info.now_floor_ms.max(at_ms);
        Ok((Outcome::Done, None))
    }

    fn lease(
        &mut self,
        version: Version,
        holder: &str,
        until_ms: i64,
    ) -> Result<(Outcome, Touched), Refusal> {
        if !self.versions.contains_key(&version) {
            return Err(Refusal::UnknownVersion {
                version,
                announced: false,
            });
        }
        match self.find_lease(version, holder) {
            Ok(at) => self.info.leases[at].until_ms = self.info.leases[at].until_ms.max(until_ms),
            Err(at) => self.info.leases.insert(
                at,
                Lease {
                    version,
                    holder: holder.to_owned(),
                    until_ms,
                },
            ),
        }
        Ok((Outcome::Done, None))
    }

    fn find_lease(&self, version: Version, holder: &str) -> Result<usize, usize> {
        self.info.leases.binary_search_by(|lease| {
            (lease.version, lease.holder.as_str()).cmp(&(version, holder))
        })
    }
}
