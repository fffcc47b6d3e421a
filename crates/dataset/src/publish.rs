//! The publisher: the one writer of a dataset, from a change in memory to a version that everybody may load.

mod candidate;
mod cycle;
mod finish;
mod guard;
mod options;
mod phases;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use hollow::schema::Schema;
use hollow::sums::{ChainSum, Digest, DigestMemory};
use hollow::write::{WriteError, WriteState};
use hollow::{Filter, ReadState};
use registry::{
    Action, DatasetInfo, DatasetName, Outcome, Refusal, Registry, Version, VersionInfo,
};

use crate::chain::{PartsWanted, Selection, Source};
use crate::ownership::Renewals;
use crate::{Abort, Error, Result, Step};

pub use cycle::{Cycle, CycleKind, CycleOutcome, Populated};
pub use guard::{Candidate, Guard, Veto};
pub use options::{PublisherOptions, Snapshots};
pub use phases::Phases;
use snapshot::Snapshotter;

/// The producer's side of one dataset. One thread drives it; see [`cycle`](Self::cycle).
///
/// Opening one takes the ownership; who had it before is refused from then on and stops. Everything it needs to go on lies
/// in the store and the registry, so a publisher can be dropped (or its process killed) at any point and opened anew, here
/// or on another machine.
pub struct Publisher {
    source: Source,
    schemas: Vec<Schema>,
    options: PublisherOptions,
    epoch: u64,
    renewals: Option<Renewals>,
    write: WriteState,
    /// The newest accepted version, with the digest of its state. Announced, unless `is_broken`.
    head: Option<Head>,
    /// What digests of one version after the other share, where that is remembered.
    digests: Option<DigestMemory>,
    /// The last state of the chain before, as long as the first of the new chain is not accepted.
    before_break: Option<ReadState>,
    guards: Vec<Box<dyn Guard>>,
    snapshots: Snapshotter,
    /// `now` of the last confirmation by this publisher.
    confirmed_ms: Option<i64>,
    /// Versions since the last snapshot, the snapshot's own not counted.
    since_snapshot: u32,
    /// A cycle failed after its version may have been accepted.
    is_broken: bool,
    /// The kind of the cycle whose population goes on in the next one.
    continues: Option<CycleKind>,
}

/// Where the chain ends.
#[derive(Clone, Copy, Debug)]
struct Head {
    version: Version,
    digest: Digest,
}

impl Publisher {
    /// Takes the ownership of `dataset`, announces what was accepted and not announced yet, and restores the newest state with
    /// all its optional parts. With other `schemas` than that state has, the next cycle starts a new chain.
    ///
    /// `now_ms` is the time in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::Lost`] where another process owns the dataset; [`Error::Damaged`] and [`Error::NoSnapshot`] where the newest
    /// state can't be loaded; those of store, registry and blobs.
    pub fn open(
        dataset: DatasetName,
        store: Arc<dyn BlobStore>,
        registry: Arc<dyn Registry>,
        schemas: Vec<Schema>,
        options: PublisherOptions,
        now_ms: i64,
    ) -> Result<Self> {
        let source = Source {
            dataset,
            store,
            registry,
        };
        let expected_epoch = dataset_info(&source)?.map_or(0, |info| info.epoch);
        let acquire = Action::Acquire {
            owner: options.owner.clone(),
            expected_epoch,
        };
        let Outcome::Acquired { epoch } = execute(&source, now_ms, acquire)? else {
            return Err(unexpected_answer(&source));
        };
        // Restoring a large state takes long enough for a standby to lose patience.
        let renewals = match options.renew_every {
            Some(every) => Some(Renewals::start(
                source.dataset.clone(),
                Arc::clone(&source.registry),
                epoch,
                every,
                now_ms,
            )?),
            None => None,
        };
        run_hook(&source, &options, Step::Acquired)?;
        let write = WriteState::new(schemas.clone(), options.write.clone())
            .map_err(source.hollow_failed("make a write state"))?;
        let mut publisher = Self {
            snapshots: Snapshotter::new(source.clone(), &options),
            source,
            schemas,
            options,
            epoch,
            renewals,
            write,
            head: None,
            digests: None,
            before_break: None,
            guards: Vec::new(),
            confirmed_ms: None,
            since_snapshot: 0,
            is_broken: false,
            continues: None,
        };
        publisher.finish_newest(now_ms)?;
        publisher.restore()?;
        publisher.clean_candidates();
        Ok(publisher)
    }

    /// Adds a guard. Guards are asked in the order in which they were added.
    pub fn add_guard(&mut self, guard: Box<dyn Guard>) {
        self.guards.push(guard);
    }

    /// Remembers from version to version the hashes of what records share: worth its memory, 16 bytes for each such record,
    /// where every cycle changes many records that share most of what they refer to.
    pub fn remember_digests(&mut self) {
        self.digests.get_or_insert_default();
    }

    /// The dataset.
    pub fn dataset(&self) -> &DatasetName {
        &self.source.dataset
    }

    /// The epoch of this ownership.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The newest accepted version.
    pub fn version(&self) -> Option<Version> {
        self.head.map(|head| head.version)
    }

    /// The state of the newest version; `None` before the first version of a chain.
    pub fn state(&self) -> Option<&ReadState> {
        self.write.state()
    }

    /// The last state before a chain break, until the first version of the new chain is accepted: what the new chain's
    /// records may be taken over from.
    pub fn state_before_break(&self) -> Option<&ReadState> {
        self.before_break.as_ref()
    }

    /// The digest of the newest version's state.
    pub fn digest(&self) -> Option<Digest> {
        self.head.map(|head| head.digest)
    }

    /// The writer between cycles, e.g. to look up type ids for records to be prepared.
    pub fn write_state(&self) -> &WriteState {
        &self.write
    }

    /// The tags that say where the producer stands: the header tags of the newest state, with those of the newest
    /// confirmation over them.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn newest_tags(&self) -> Result<BTreeMap<String, String>> {
        let state = self.state().or(self.before_break.as_ref());
        let mut tags = state
            .map(|state| state.header_tags().clone())
            .unwrap_or_default();
        let confirmation = dataset_info(&self.source)?.and_then(|info| info.confirmation);
        if let Some(confirmation) =
            confirmation.filter(|confirmation| Some(confirmation.version) == self.version())
        {
            tags.extend(confirmation.tags);
        }
        Ok(tags)
    }

    /// The time below which the `now` of a cycle must not fall: that of the newest accepted version or confirmation, in
    /// milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn now_floor_ms(&self) -> Result<i64> {
        Ok(dataset_info(&self.source)?.map_or(0, |info| info.now_floor_ms))
    }

    /// Shows that the owner lives. To be called every few seconds where a standby may be waiting, unless the options say how
    /// often that is done anyway.
    ///
    /// # Errors
    /// [`Error::Lost`], and those of the registry.
    pub fn renew(&self, now_ms: i64) -> Result<()> {
        self.execute(now_ms, Action::Renew { epoch: self.epoch })
            .map(drop)
    }

    /// Fails once the ownership is known to be lost.
    ///
    /// # Errors
    /// [`Error::Lost`].
    fn check_ownership(&self) -> Result<()> {
        match self.renewals.as_ref().and_then(Renewals::lost_to) {
            Some(epoch) => Err(Error::Lost {
                dataset: self.source.dataset.clone(),
                refusal: Refusal::NotOwner { epoch },
            }),
            None => Ok(()),
        }
    }

    /// What went wrong, or the loss of the ownership, which may be the reason for it: a new owner removes the candidates of
    /// those before.
    fn or_lost(&self, error: Error) -> Error {
        match dataset_info(&self.source) {
            Ok(Some(info)) if info.epoch != self.epoch && !error.is_lost() => Error::Lost {
                dataset: self.source.dataset.clone(),
                refusal: Refusal::NotOwner { epoch: info.epoch },
            },
            _ => error,
        }
    }

    /// Waits for a snapshot that is being written in the background.
    pub fn wait_for_snapshot(&mut self) {
        self.snapshots.wait();
    }

    /// Gives up the ownership, so that another process need not wait for it to expire. A snapshot in the background is
    /// finished first.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn resign(mut self, now_ms: i64) -> Result<()> {
        self.snapshots.wait();
        self.renewals = None;
        self.execute(now_ms, Action::Resign { epoch: self.epoch })
            .map(drop)
    }

    /// Drops a population that was to go on in the next cycle ([`Populated::continues`]); the next one starts afresh.
    pub fn drop_population(&mut self) {
        if self.continues.take().is_some() {
            self.write.rollback();
        }
    }

    /// Finds out what became of a cycle that failed half-way, finishes it where its version was accepted, and makes the
    /// publisher ready for the next one. The state and its tags may be newer than before the failed cycle: read them again.
    /// Without a failed cycle this does nothing.
    ///
    /// # Errors
    /// As for [`open`](Self::open); the publisher still needs to recover then.
    pub fn recover(&mut self, now_ms: i64) -> Result<()> {
        if !self.is_broken {
            return Ok(());
        }
        // Also the proof that the dataset is still this publisher's.
        self.renew(now_ms)?;
        self.finish_newest(now_ms)?;
        self.continues = None;
        self.write.rollback();
        self.restore()?;
        self.is_broken = false;
        self.clean_candidates();
        Ok(())
    }

    /// Announces the newest accepted version, if that was not done yet, and brings the projection in line.
    fn finish_newest(&mut self, now_ms: i64) -> Result<()> {
        let Some(head) = dataset_info(&self.source)?.and_then(|info| info.head) else {
            return Ok(());
        };
        let info = self.source.version(head)?;
        let finishing = self.finishing();
        if info.announced_at_ms.is_none() {
            tracing::info!(dataset = %self.source.dataset, version = %head, "finish a version that was accepted only");
            finishing.promote(&info, &[])?;
            finishing.announce(&info, BTreeMap::new(), now_ms)?;
        }
        finishing.project()
    }

    /// Takes over the newest accepted version, unless the writer holds it already.
    fn restore(&mut self) -> Result<()> {
        let Some(version) = dataset_info(&self.source)?.and_then(|info| info.head) else {
            return Ok(());
        };
        if self.version() == Some(version) {
            return Ok(());
        }
        let info = self.source.version(version)?;
        let state = self.source.load(
            version,
            &Selection {
                filter: Filter::all(),
                parts: PartsWanted::All,
            },
        )?;
        if ChainSum::of(&state).0 != info.sums.chain.0 {
            return Err(self
                .source
                .damaged(version, "state", "another one than was accepted"));
        }
        self.head = Some(Head {
            version,
            digest: Digest(info.sums.digest.0),
        });
        self.since_snapshot = self.versions_since_snapshot(&info)?;
        match WriteState::restore(&state, self.schemas.clone(), self.options.write.clone()) {
            Ok(write) => {
                self.write = write;
                self.before_break = None;
            }
            Err(hollow::Error::Write(WriteError::EndsChain { type_name })) => {
                tracing::info!(dataset = %self.source.dataset, type_name, "the schemas changed: a new chain begins");
                self.write = WriteState::new(self.schemas.clone(), self.options.write.clone())
                    .map_err(self.source.hollow_failed("make a write state"))?;
                self.before_break = Some(state);
            }
            Err(source) => {
                return Err(self.source.hollow_failed("restore the newest state")(
                    source,
                ));
            }
        }
        Ok(())
    }

    /// Versions of the chain of `head` after its last snapshot.
    fn versions_since_snapshot(&self, head: &VersionInfo) -> Result<u32> {
        let snapshots = self.source.snapshots()?;
        let newest = snapshots
            .into_iter()
            .rfind(|snapshot| (head.chain..=head.version).contains(snapshot));
        let since = self
            .source
            .versions(newest.unwrap_or(head.chain), head.version)?;
        Ok(u32::try_from(since.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    fn execute(&self, now_ms: i64, action: Action) -> Result<Outcome> {
        execute(&self.source, now_ms, action)
    }

    fn unexpected_answer(&self) -> Error {
        unexpected_answer(&self.source)
    }

    fn hook(&self, step: Step) -> Result<()> {
        run_hook(&self.source, &self.options, step)
    }
}

fn dataset_info(source: &Source) -> Result<Option<DatasetInfo>> {
    source
        .registry
        .dataset(&source.dataset)
        .map_err(|error| source.registry_failed(error))
}

/// Submits a command. A refusal says that another has the dataset, or will have: all that a publisher asks for is its right
/// as long as it is the owner.
fn execute(source: &Source, now_ms: i64, action: Action) -> Result<Outcome> {
    source
        .registry
        .execute(&source.dataset, now_ms, action)
        .map_err(|error| match error.refusal() {
            None | Some(Refusal::Clock) => source.registry_failed(error),
            Some(refusal) => Error::Lost {
                dataset: source.dataset.clone(),
                refusal: refusal.clone(),
            },
        })
}

fn run_hook(source: &Source, options: &PublisherOptions, step: Step) -> Result<()> {
    match &options.hook {
        Some(hook) => hook(step).map_err(|Abort| Error::Aborted {
            dataset: source.dataset.clone(),
            step,
        }),
        None => Ok(()),
    }
}

/// The registry answered a command with the outcome of another kind of command.
fn unexpected_answer(source: &Source) -> Error {
    source.registry_failed(registry::Error::Encoding {
        what: "the outcome of a command".to_owned(),
        detail: "it is that of another kind of command".to_owned(),
    })
}
