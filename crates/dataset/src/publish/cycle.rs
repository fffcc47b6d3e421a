//! One cycle: populate ▸ stage ▸ verify ▸ guard ▸ accept ▸ promote ▸ announce ▸ snapshot.
//!
//! Up to the acceptance everything can be taken back, and is when anything fails: the write state is as before, no reader saw
//! anything. The acceptance is one command in the registry's log; from there on everything can only be finished, now or by
//! [`recover`](Publisher::recover) or by the next owner.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use hollow::sums::{Digest, DigestMemory};
use hollow::write::{Sealed, WriteState};
use registry::{Acceptance, Action, Outcome, StateSums, Sum128, Version};

use super::candidate::Staged;
use super::finish::{Finishing, clean_candidate};
use super::guard::{Candidate, Veto};
use super::phases::{PhaseClock, Phases};
use super::{Head, Publisher, execute};
use crate::error::BoxError;
use crate::tags::{Before, header_tags};
use crate::{Error, Result, Step, random_tag};

/// Whether a cycle states everything or only what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleKind {
    /// All records are added; those that are not are removed.
    Total,
    /// Everything stays but what is upserted or deleted.
    Incremental,
}

/// What a cycle is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The cycle's `now`, in milliseconds since 1970 UTC: the version is minted from it and the state is tagged with it.
    pub now_ms: i64,
    /// How the write state is changed.
    pub kind: CycleKind,
}

/// What the closure that changed the write state has to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Populated {
    /// Header tags of the new state: the position, the input versions. Not published where nothing changed.
    pub tags: BTreeMap<String, String>,
    /// What to confirm where nothing changed; for most producers the same as `tags`.
    pub confirm_tags: BTreeMap<String, String>,
    /// Remarks for the announcement: ages of inputs, counts, timings. Not part of the state.
    pub metadata: BTreeMap<String, String>,
    /// Whether changes that touch internal types alone (the fold's memory) may wait: the cycle then ends
    /// [`Deferred`](CycleOutcome::Deferred), and the caller keeps them for a later one.
    pub defer_internal: bool,
    /// Whether the population goes on in the next cycle: nothing is published or confirmed, and what was changed stays in the
    /// write state. For a first state that takes more than one cycle to read.
    pub continues: bool,
}

/// How a cycle ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CycleOutcome {
    /// A new version is announced.
    Announced {
        /// The version.
        version: Version,
        /// How long it took.
        phases: Phases,
    },
    /// Nothing changed; no version was minted.
    Unchanged {
        /// The version that still is the newest; `None` where there is none (an empty first state that is not allowed).
        version: Option<Version>,
        /// Whether that was recorded this time (it is at most once a second).
        confirmed: bool,
    },
    /// Only internal types changed, and the caller agreed to keep that for a later cycle. Nothing was published.
    Deferred {
        /// Whether the version was confirmed this time.
        confirmed: bool,
    },
    /// The population goes on in the next cycle, with what was changed so far.
    Continues,
    /// The cycle failed before its version was accepted. The write state is as before; the caller keeps the changes for the
    /// next cycle.
    RolledBack {
        /// Why.
        reason: Error,
    },
}

impl Publisher {
    /// Runs one cycle. `populate` changes the write state, in which a cycle of the given kind is open.
    ///
    /// # Errors
    /// [`Error::Lost`] where another producer has taken over: stop. [`Error::NeedsRecovery`] after an earlier error. Any
    /// other error came after the version was accepted, or it is unknown whether it was: the state may be the new one. Call
    /// [`recover`](Self::recover), or open a new publisher, and read state and tags before going on.
    pub fn cycle(
        &mut self,
        cycle: Cycle,
        populate: impl FnOnce(&mut WriteState) -> Result<Populated, BoxError>,
    ) -> Result<CycleOutcome> {
        if self.is_broken {
            return Err(Error::NeedsRecovery {
                dataset: self.source.dataset.clone(),
            });
        }
        if self.continues != Some(cycle.kind) {
            match cycle.kind {
                CycleKind::Total => self.write.begin_total(),
                CycleKind::Incremental => self.write.begin_incremental(),
            }
        }
        self.continues = None;
        let mut clock = PhaseClock::start();
        let ready = match self.prepare(cycle, populate, &mut clock) {
            Ok(Prepared::Ready(ready)) => ready,
            Ok(Prepared::Ended(CycleOutcome::Continues)) => {
                self.continues = Some(cycle.kind);
                return Ok(CycleOutcome::Continues);
            }
            Ok(Prepared::Ended(outcome)) => {
                self.write.rollback();
                return Ok(outcome);
            }
            Err(error) => {
                self.write.rollback();
                let error = self.or_lost(error);
                return if error.is_lost() {
                    Err(error)
                } else {
                    Ok(CycleOutcome::RolledBack { reason: error })
                };
            }
        };
        self.conclude(cycle, *ready, clock)
            .map_err(|error| self.or_lost(error))
            .inspect_err(|error| self.is_broken |= !error.is_lost())
    }

    /// Everything that can be taken back.
    fn prepare(
        &mut self,
        cycle: Cycle,
        populate: impl FnOnce(&mut WriteState) -> Result<Populated, BoxError>,
        clock: &mut PhaseClock,
    ) -> Result<Prepared> {
        self.check_ownership()?;
        let populated = populate(&mut self.write).map_err(|source| Error::Populate {
            dataset: self.source.dataset.clone(),
            source,
        })?;
        clock.phases.populate_us = clock.lap();
        self.hook(Step::Populated)?;
        if populated.continues {
            return Ok(Prepared::Ended(CycleOutcome::Continues));
        }

        let (changed, minted) = self.resolve(cycle, !populated.defer_internal);
        let changed = changed.map_err(
            self.source
                .hollow_failed("resolve the changes of the cycle"),
        )?;
        let version = self.version();
        if self.write.state().is_none() {
            if changed.is_empty() && !self.options.allow_empty {
                if self.before_break.is_some() {
                    return Err(Error::Empty {
                        dataset: self.source.dataset.clone(),
                    });
                }
                return Ok(Prepared::Ended(CycleOutcome::Unchanged {
                    version,
                    confirmed: false,
                }));
            }
        } else if changed.is_empty() {
            let confirmed = self.confirm(cycle, &populated)?;
            return Ok(Prepared::Ended(CycleOutcome::Unchanged {
                version,
                confirmed,
            }));
        } else if populated.defer_internal && changed.iter().all(|name| name.starts_with('_')) {
            let confirmed = self.confirm(cycle, &populated)?;
            return Ok(Prepared::Ended(CycleOutcome::Deferred { confirmed }));
        }

        let minted = minted.unwrap_or_else(|| self.mint(cycle));
        let Outcome::Staged { version } = minted? else {
            return Err(self.unexpected_answer());
        };
        self.hook(Step::Minted)?;
        let sealed = self.seal(cycle, &populated, version)?;
        let prefix = crate::names::candidate_prefix(&self.source.dataset, version, self.epoch);
        match self.stage_and_check(&sealed, version, clock) {
            Ok((staged, digest)) => Ok(Prepared::Ready(Box::new(Ready {
                version,
                populated,
                sealed,
                staged,
                digest,
            }))),
            Err(error) => {
                self.clean_rolled_back(&prefix);
                Err(error)
            }
        }
    }

    /// Resolves the cycle and returns the types that change. Where that some do is known before, and the caller publishes
    /// whatever does, the version is minted meanwhile.
    fn resolve(
        &mut self,
        cycle: Cycle,
        publishes_any: bool,
    ) -> (hollow::Result<Vec<String>>, Option<Result<Outcome>>) {
        if !publishes_any || !self.write.is_sure_to_change() {
            return (self.write.resolve(), None);
        }
        let (source, write, epoch) = (&self.source, &mut self.write, self.epoch);
        thread::scope(|scope| {
            let minting =
                scope.spawn(move || execute(source, cycle.now_ms, Action::Stage { epoch }));
            let changed = write.resolve();
            let minted = minting.join();
            let minted = minted.unwrap_or_else(|panic| resume_unwind(panic));
            (changed, Some(minted))
        })
    }

    fn mint(&self, cycle: Cycle) -> Result<Outcome> {
        self.execute(cycle.now_ms, Action::Stage { epoch: self.epoch })
    }

    fn stage_and_check(
        &mut self,
        sealed: &Sealed,
        version: Version,
        clock: &mut PhaseClock,
    ) -> Result<(Staged, Digest)> {
        let head = self.head;
        let mut memory = self.digests.as_mut().map(std::mem::take);
        // The digest is wanted at the acceptance only, and costs as much as writing or verifying.
        let (staged, read, digest, memory) = thread::scope(|scope| {
            let digest = scope.spawn(move || {
                let digest = digest_of(head, sealed, memory.as_mut());
                (digest, memory)
            });
            let (staged, durably) = self.stage(sealed, version)?;
            clock.phases.stage_us = clock.lap();
            // Reading back needs them in the store, the acceptance needs them to stay there.
            let durably = scope.spawn(durably);
            let read = self.verify(sealed, version, &staged)?;
            let durable = durably.join().unwrap_or_else(|panic| resume_unwind(panic));
            durable.map_err(|error| self.source.store_failed(error))?;
            self.hook(Step::Verified)?;
            let (digest, memory) = digest.join().unwrap_or_else(|panic| resume_unwind(panic));
            let digest = digest.map_err(self.source.hollow_failed("compute the digest"))?;
            clock.phases.verify_us = clock.lap();
            Ok::<_, Error>((staged, read, digest, memory))
        })?;
        self.digests = memory;
        let candidate = Candidate {
            dataset: &self.source.dataset,
            version,
            before: sealed.state_before(),
            after: &read,
            changes: sealed.changes(),
            store: &self.source.store,
            prefix: &staged.prefix,
        };
        for guard in &mut self.guards {
            guard
                .check(&candidate)
                .map_err(|Veto(reason)| Error::Vetoed {
                    dataset: self.source.dataset.clone(),
                    guard: guard.name().to_owned(),
                    version,
                    reason,
                })?;
        }
        self.hook(Step::Guarded)?;
        clock.phases.guard_us = clock.lap();
        Ok((staged, digest))
    }

    /// From the acceptance on: what can only be finished.
    fn conclude(
        &mut self,
        cycle: Cycle,
        ready: Ready,
        mut clock: PhaseClock,
    ) -> Result<CycleOutcome> {
        let Ready {
            version,
            populated,
            sealed,
            staged,
            digest,
        } = ready;
        let acceptance = Acceptance {
            epoch: self.epoch,
            version,
            previous: self.version(),
            chain_start: sealed.is_first(),
            blobs: staged.blobs,
            sums: StateSums {
                chain: Sum128(sealed.chain_sum().0),
                digest: Sum128(digest.0),
            },
        };
        match self.execute(cycle.now_ms, Action::Accept(acceptance)) {
            Ok(_) => {}
            Err(error) => {
                if error.is_lost() {
                    self.write.rollback();
                    self.clean_rolled_back(&staged.prefix);
                }
                return Err(error);
            }
        }
        clock.phases.accept_us = clock.lap();

        // The write state moves on while names are given and the registry is waited for.
        let finishing = Finishing {
            source: &self.source,
            options: &self.options,
            epoch: self.epoch,
        };
        let write = &mut self.write;
        let mut metadata = populated.metadata;
        metadata.extend(clock.phases.metadata());
        let (committed, finished) = thread::scope(|scope| {
            let committing = scope.spawn(|| write.commit().map(|_| ()));
            let finished = finishing.finish(version, &staged.contents, metadata, cycle.now_ms);
            let committed = committing.join();
            (
                committed.unwrap_or_else(|panic| resume_unwind(panic)),
                finished,
            )
        });
        committed.map_err(self.source.hollow_failed("commit"))?;
        self.head = Some(Head { version, digest });
        self.before_break = None;
        self.confirmed_ms = None;
        finished?;
        clock.phases.announce_us = clock.lap();

        self.since_snapshot = if sealed.is_first() {
            0
        } else {
            self.since_snapshot.saturating_add(1)
        };
        if self.since_snapshot >= self.options.snapshot_every.max(1)
            && self.snapshots.write(&sealed, version, self.epoch)
        {
            self.since_snapshot = 0;
        }
        // The last to hold the state before: what only that has is let go beside what comes next.
        rayon::spawn(move || drop((sealed, staged.contents)));
        clock.phases.snapshot_us = clock.lap();
        Ok(CycleOutcome::Announced {
            version,
            phases: clock.phases,
        })
    }

    fn seal(&mut self, cycle: Cycle, populated: &Populated, version: Version) -> Result<Sealed> {
        let before = match (self.write.state(), self.head) {
            (Some(state), _) => Before::SameChain(state),
            (None, Some(_)) => Before::OtherSchemas,
            (None, None) => Before::Nothing,
        };
        let tags = header_tags(
            populated.tags.clone(),
            cycle.now_ms,
            version,
            self.schemas.iter(),
            self.options.write.partitioned,
            before,
        );
        let tag = random_tag(
            &self.source.dataset,
            version,
            self.write.state().map(|state| state.tag()),
        );
        self.write
            .seal(tag, tags)
            .map_err(self.source.hollow_failed("seal the cycle"))
    }

    /// Records that nothing changed, unless that was done within the last second. Like everything before an acceptance it may
    /// fail without harm.
    fn confirm(&mut self, cycle: Cycle, populated: &Populated) -> Result<bool> {
        let Some(version) = self.version() else {
            return Ok(false);
        };
        let is_recent = self.confirmed_ms.is_some_and(|confirmed_ms| {
            cycle.now_ms.abs_diff(confirmed_ms) < self.options.confirm_interval_ms.unsigned_abs()
        });
        if is_recent {
            return Ok(false);
        }
        let confirm = Action::Confirm {
            epoch: self.epoch,
            version,
            tags: populated.confirm_tags.clone(),
        };
        self.execute(cycle.now_ms, confirm)?;
        self.confirmed_ms = Some(cycle.now_ms);
        self.hook(Step::Confirmed)?;
        Ok(true)
    }

    fn clean_rolled_back(&self, prefix: &str) {
        match self.source.store.list(prefix) {
            Ok(listed) => {
                clean_candidate(
                    &self.source,
                    prefix,
                    listed
                        .iter()
                        .filter_map(|info| info.key.strip_prefix(prefix)),
                );
            }
            Err(error) => {
                tracing::warn!(dataset = %self.source.dataset, %error, "list a candidate to remove")
            }
        }
    }
}

/// The digest of a sealed state, by the change where the one before is known.
fn digest_of(
    head: Option<Head>,
    sealed: &Sealed,
    memory: Option<&mut DigestMemory>,
) -> hollow::Result<Digest> {
    let (Some(head), Some(before)) = (head, sealed.state_before()) else {
        return Digest::of(sealed.state());
    };
    let (after, changes) = (sealed.state(), sealed.changes());
    match memory {
        Some(memory) => head.digest.updated_with(before, after, changes, memory),
        None => head.digest.updated(before, after, changes),
    }
}

/// How far a cycle came before anything final happened.
enum Prepared {
    /// It ends here, as it should.
    Ended(CycleOutcome),
    /// The candidate only waits to be accepted.
    Ready(Box<Ready>),
}

struct Ready {
    version: Version,
    populated: Populated,
    sealed: Sealed,
    staged: Staged,
    digest: Digest,
}
