//! Snapshots of later versions of a chain: written beside the candidates, read back, then named.
//!
//! They cost by the dataset, so they are written in the background by default, while the next cycles go on. One that is lost
//! on the way (a kill, a full disk) is missed by nobody: a reader starts from the one before.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use blobstore::Created;
use hollow::sums::ChainSum;
use hollow::write::Sealed;
use hollow::{Filter, ReadState};
use registry::Version;

use super::{PublisherOptions, Snapshots};
use crate::chain::{Blobs, Source};
use crate::names::{blob_key, candidate_prefix, snapshot_name};
use crate::priority::lower_priority;
use crate::{Abort, Error, Result, Step, StepHook};

pub(super) struct Snapshotter {
    job: Job,
    mode: Snapshots,
    rest: u32,
    /// A pool of one thread, from the first snapshot in the background on: what a snapshot does in parallel stays out of the
    /// pool that all cycles share.
    pool: Option<rayon::ThreadPool>,
    running: Option<Receiver<Ended>>,
    last: Option<Ended>,
}

/// When a snapshot in the background ended, well or not.
struct Ended {
    at: Instant,
    took: Duration,
}

/// What a snapshot is written with, on whichever thread.
#[derive(Clone)]
struct Job {
    source: Source,
    hook: Option<StepHook>,
    /// The prefix that is being written to.
    busy: Arc<Mutex<Option<String>>>,
}

impl Snapshotter {
    pub(super) fn new(mut source: Source, options: &PublisherOptions) -> Self {
        if options.snapshots == Snapshots::Background
            && let Some(store) = source.store.in_background()
        {
            source.store = store;
        }
        let job = Job {
            source,
            hook: options.hook.clone(),
            busy: Arc::default(),
        };
        Self {
            job,
            mode: options.snapshots,
            rest: options.snapshot_rest,
            pool: None,
            running: None,
            last: None,
        }
    }

    /// Writes the snapshot of an announced version, or starts to. `false` where it has to be a later version: one is being
    /// written, or was a short while ago, or this one failed.
    pub(super) fn write(&mut self, sealed: &Sealed, version: Version, epoch: u64) -> bool {
        if self.is_busy() {
            return false;
        }
        let (job, sealed) = (self.job.clone(), sealed.clone());
        job.set_busy(Some(candidate_prefix(&job.source.dataset, version, epoch)));
        let run = move || {
            let result = job.write(&sealed, version, epoch);
            job.set_busy(None);
            if let Err(error) = &result {
                tracing::warn!(dataset = %job.source.dataset, %version, error = %error, "write a snapshot");
            }
            result.is_ok()
        };
        match self.mode {
            Snapshots::Inline => run(),
            Snapshots::Background => match self.pool() {
                Ok(pool) => {
                    let (end, running) = channel();
                    pool.spawn(move || {
                        let started = Instant::now();
                        run();
                        // Nobody waits any more where the publisher is gone.
                        let _ = end.send(Ended {
                            at: Instant::now(),
                            took: started.elapsed(),
                        });
                    });
                    self.running = Some(running);
                    true
                }
                Err(error) => {
                    self.job.set_busy(None);
                    tracing::warn!(dataset = %self.job.source.dataset, %error, "start a thread for snapshots");
                    false
                }
            },
        }
    }

    /// Whether one is being written, or the time after it has not passed yet.
    fn is_busy(&mut self) -> bool {
        if let Some(running) = &self.running {
            match running.try_recv() {
                Err(TryRecvError::Empty) => return true,
                ended => self.ended(ended.ok()),
            }
        }
        let rests = |ended: &Ended| ended.at.elapsed() < ended.took.saturating_mul(self.rest);
        self.last.as_ref().is_some_and(rests)
    }

    /// Waits for the snapshot that is being written.
    pub(super) fn wait(&mut self) {
        if let Some(running) = &self.running {
            let ended = running.recv().ok();
            self.ended(ended);
        }
    }

    /// `None`: it panicked, which was reported, and a lost snapshot is missed by nobody.
    fn ended(&mut self, ended: Option<Ended>) {
        self.running = None;
        self.last = ended;
    }

    fn pool(&mut self) -> std::result::Result<&rayon::ThreadPool, rayon::ThreadPoolBuildError> {
        let pool = match self.pool.take() {
            Some(pool) => pool,
            None => rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(|_| "snapshot".to_owned())
                .start_handler(|_| lower_priority())
                // The panic itself is reported by the thread; without this it would end the process.
                .panic_handler(|_| ())
                .build()?,
        };
        Ok(self.pool.insert(pool))
    }

    /// The prefix of candidates that a snapshot is being written to.
    pub(super) fn busy_prefix(&self) -> Option<String> {
        self.job
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Snapshotter {
    fn drop(&mut self) {
        self.wait();
    }
}

impl Job {
    fn set_busy(&self, prefix: Option<String>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = prefix;
    }

    fn write(&self, sealed: &Sealed, version: Version, epoch: u64) -> Result<()> {
        let prefix = candidate_prefix(&self.source.dataset, version, epoch);
        let parts: Vec<Option<&str>> = sealed.parts().map(Some).chain([None]).collect();
        let written = self.stage_and_promote(sealed, version, &prefix, &parts);
        for &part in &parts {
            let key = format!("{prefix}{}", snapshot_name(part, version));
            if let Err(error) = self.source.store.delete(&key) {
                tracing::warn!(dataset = %self.source.dataset, %error, "remove a staged snapshot");
            }
        }
        written
    }

    fn stage_and_promote(
        &self,
        sealed: &Sealed,
        version: Version,
        prefix: &str,
        parts: &[Option<&str>],
    ) -> Result<()> {
        let source = &self.source;
        let mut blobs = Vec::with_capacity(parts.len());
        for &part in parts {
            let mut bytes = Vec::new();
            sealed
                .write_snapshot(part, &mut bytes)
                .map_err(|error| source.blob_failed(version, error))?;
            blobs.push((format!("{prefix}{}", snapshot_name(part, version)), bytes));
        }
        source
            .store
            .put_all(&blobs)
            .map_err(|error| source.store_failed(error))?;
        drop(blobs);
        self.verify(sealed, version, |part| {
            format!("{prefix}{}", snapshot_name(part, version))
        })?;
        self.hook(Step::SnapshotStaged)?;
        let mut keys = Vec::with_capacity(parts.len());
        for &part in parts {
            let name = snapshot_name(part, version);
            let (staged, key) = (format!("{prefix}{name}"), blob_key(&source.dataset, &name));
            let created = source
                .store
                .create_from(&key, &staged)
                .map_err(|error| source.store_failed(error))?;
            if created == Created::Exists && part.is_none() {
                // Somebody wrote one before; it may have another layout, but must hold the same records.
                self.verify(sealed, version, |part| {
                    blob_key(&source.dataset, &snapshot_name(part, version))
                })?;
            }
            keys.push(key);
            self.hook(Step::SnapshotPromoted)?;
        }
        source
            .store
            .sync(&keys)
            .map_err(|error| source.store_failed(error))
    }

    /// Reads a snapshot and compares its records with the sealed state's.
    fn verify(
        &self,
        sealed: &Sealed,
        version: Version,
        key: impl Fn(Option<&str>) -> String,
    ) -> Result<()> {
        let source = &self.source;
        let read = |part: Option<&str>| source.read_blob(version, &key(part), None);
        let parts = sealed
            .parts()
            .map(|part| Ok((part.to_owned(), read(Some(part))?)))
            .collect::<Result<_>>()?;
        let state = Blobs {
            main: read(None)?,
            parts,
        }
        .with(|blobs| ReadState::from_snapshot(blobs, &Filter::all()))
        .map_err(source.hollow_failed("read back a snapshot"))?;
        let is_equal =
            ChainSum::of(&state) == sealed.chain_sum() && state.tag() == sealed.random_tag();
        if is_equal && state.checksum() == sealed.state().checksum() {
            Ok(())
        } else {
            Err(self.differs(version, "the snapshot's records differ"))
        }
    }

    fn differs(&self, version: Version, what: &'static str) -> Error {
        Error::Verification {
            dataset: self.source.dataset.clone(),
            version,
            what,
        }
    }

    fn hook(&self, step: Step) -> Result<()> {
        match &self.hook {
            Some(hook) => hook(step).map_err(|Abort| Error::Aborted {
                dataset: self.source.dataset.clone(),
                step,
            }),
            None => Ok(()),
        }
    }
}
