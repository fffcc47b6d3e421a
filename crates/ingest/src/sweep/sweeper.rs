//! Sends a source to `D.sweep`: begin markers, rows, end markers, in that order whatever happens.
//!
//! Rows that the log has acknowledged are noted, and a sweep that was broken off goes on after them, with the same id and the
//! same `as-of`. If the begin markers are not known to be there, a new sweep begins: the old one has no end and deletes nothing.

use super::marker::{Marker, MarkerKind, SWEEP_HEADER};
use super::source::{Reads, Row, Source};
use super::state::{Checkpoint, Remembered, StateFile};
use crate::dead::SOURCE_VERSION_HEADER;
use crate::error::{Error, Result};
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::{ChangeLog, NewRecord, Refusal};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Gives the time in milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a dataset is swept.
#[derive(Clone)]
pub struct SweepOptions {
    /// Rows that are sent with one call, at least 1.
    pub batch_rows: usize,
    /// The most rows a second; `None` for as fast as it goes.
    pub rows_per_second: Option<f64>,
    /// Whether the source yields only a part of the dataset: the sweep deletes nothing then.
    pub filtered: bool,
    /// Where to remember how far a sweep has come; `None` for nowhere.
    pub state_dir: Option<PathBuf>,
    /// Whether to begin a new sweep where an old one could go on.
    pub anew: bool,
    /// Set to true to stop. The sweep can go on later.
    pub stop: Arc<AtomicBool>,
    /// The time, for the records' timestamps and the sweep's id.
    pub clock: Clock,
}

impl SweepOptions {
    /// The defaults: 1000 rows a call, as fast as it goes, whole, nothing remembered.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            batch_rows: 1000,
            rows_per_second: None,
            filtered: false,
            state_dir: None,
            anew: false,
            stop: Arc::default(),
            clock,
        }
    }
}

/// How far a sweep is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepRun {
    /// Its id.
    pub sweep: String,
    /// The source version up to which the source was known when it began.
    pub as_of: i64,
    /// Rows that are delivered.
    pub rows: u64,
    /// How many there will be, about, where that is known.
    pub total: Option<u64>,
    /// Whether it goes on where an earlier attempt ended.
    pub resumed: bool,
}

/// How a sweep went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Its id.
    pub sweep: String,
    /// The source version up to which the source was known when it began.
    pub as_of: i64,
    /// Rows that were delivered.
    pub rows: u64,
    /// Of these, rows that do not fit the dataset's schema or lack a source version, and become dead letters.
    pub unfit: u64,
    /// What it cost the source, earlier attempts included.
    pub reads: Reads,
    /// When its begin markers were sent, in milliseconds since 1970 UTC.
    pub began_ms: i64,
    /// When its end markers were there.
    pub ended_ms: i64,
}

/// Sweeps one dataset.
pub struct Sweeper {
    spec: DatasetSpec,
    log: Arc<dyn ChangeLog>,
    options: SweepOptions,
    state: StateFile,
}

/// Attempts to append before a sweep gives up, with pauses that double.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long to wait before looking again whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(50);

impl Sweeper {
    /// A sweeper for a dataset.
    ///
    /// # Errors
    /// [`Error::Sweep`] where the dataset has no source versions.
    pub fn new(spec: DatasetSpec, log: Arc<dyn ChangeLog>, options: SweepOptions) -> Result<Self> {
        if spec.source_versions == SourceVersions::None {
            return Err(Error::Sweep {
                dataset: spec.name,
                reason: "its records have no source versions, so a sweep could undo newer changes"
                    .to_owned(),
            });
        }
        Ok(Self {
            state: StateFile::new(options.state_dir.as_deref(), &spec.name),
            spec,
            log,
            options,
        })
    }

    /// The last sweep that was finished, where something is remembered.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn last(&self) -> Result<Option<SweepReport>> {
        Ok(self.state.load()?.last)
    }

    /// Whether a sweep was broken off and can go on.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn is_unfinished(&self) -> Result<bool> {
        Ok(self.state.load()?.running.is_some())
    }

    /// Sweeps the source, or goes on with a sweep of it that was broken off. `progress` is told after each call to the log.
    ///
    /// # Errors
    /// Those of the source and the log, [`Error::Stopped`]: the sweep has no end then, and deletes nothing. Calling again goes on
    /// with it.
    pub fn run(
        &self,
        source: &mut dyn Source,
        progress: &mut dyn FnMut(&SweepRun),
    ) -> Result<SweepReport> {
        let partitions = self.partitions()?;
        let mut remembered = self.state.load()?;
        let (mut running, resumed) = self.begin(&mut remembered, source, partitions)?;
        let mut pace = Pace::new(self.options.rows_per_second);
        let reads_before = running.reads;
        let mut rows = Vec::new();
        loop {
            progress(&SweepRun {
                sweep: running.sweep.clone(),
                as_of: running.as_of,
                rows: running.rows,
                total: running.total,
                resumed,
            });
            self.check_stop()?;
            rows.clear();
            let after = source.read(self.options.batch_rows.max(1), &mut rows)?;
            if rows.is_empty() {
                break;
            }
            pace.wait(rows.len(), &self.options.stop)?;
            self.send(&running.sweep, &rows)?;
            running.rows += rows.len() as u64;
            running.unfit += rows.iter().filter(|row| row.is_unfit()).count() as u64;
            running.after = after;
            running.reads = reads_before.plus(source.reads());
            remembered.running = Some(running.clone());
            self.state.save(&remembered)?;
        }
        if self.partitions()? != partitions {
            remembered.running = None;
            self.state.save(&remembered)?;
            return Err(self.failed("partitions were added to its topic: begin a new sweep"));
        }
        self.mark(&running.sweep, &MarkerKind::End, partitions)?;
        let report = SweepReport {
            sweep: running.sweep,
            as_of: running.as_of,
            rows: running.rows,
            unfit: running.unfit,
            reads: reads_before.plus(source.reads()),
            began_ms: running.began_ms,
            ended_ms: (self.options.clock)(),
        };
        let remembered = Remembered {
            running: None,
            last: Some(report.clone()),
        };
        self.state.save(&remembered)?;
        Ok(report)
    }

    fn begin(
        &self,
        remembered: &mut Remembered,
        source: &mut dyn Source,
        partitions: u32,
    ) -> Result<(Checkpoint, bool)> {
        if let Some(running) = remembered.running.take() {
            let is_same = running.source == source.describe()
                && running.filtered == self.options.filtered
                && running.partitions == partitions;
            if is_same && !self.options.anew {
                match source.open(running.after.as_deref(), running.as_of) {
                    Ok(()) => return Ok((running, true)),
                    Err(error) => tracing::warn!(
                        dataset = %self.spec.name, sweep = running.sweep, %error,
                        "a sweep can't go on; a new one begins"
                    ),
                }
            }
        }
        let as_of = source.as_of()?;
        let began_ms = (self.options.clock)();
        // Two sweepers may begin in the same millisecond.
        let random = RandomState::new().hash_one(std::process::id()) & 0xffff_ffff;
        let running = Checkpoint {
            sweep: format!("{began_ms}-{random:08x}"),
            as_of,
            source: source.describe(),
            filtered: self.options.filtered,
            partitions,
            after: None,
            rows: 0,
            unfit: 0,
            total: source.total(),
            reads: Reads::default(),
            began_ms,
        };
        let begin = MarkerKind::Begin {
            as_of,
            filtered: self.options.filtered,
        };
        self.mark(&running.sweep, &begin, partitions)?;
        remembered.running = Some(running.clone());
        self.state.save(remembered)?;
        source.open(None, as_of)?;
        Ok((running, false))
    }

    fn mark(&self, sweep: &str, kind: &MarkerKind, partitions: u32) -> Result<()> {
        let now_ms = (self.options.clock)();
        let marker = Marker {
            sweep: sweep.to_owned(),
            kind: kind.clone(),
        };
        let records: Vec<_> = (0..partitions)
            .map(|partition| marker.record(now_ms, partition))
            .collect();
        if matches!(kind, MarkerKind::Begin { .. }) {
            // Once only: a begin that comes again is another begin.
            self.log.append(&self.spec.sweep_topic(), &records)?;
            return Ok(());
        }
        self.append(&records)
    }

    fn send(&self, sweep: &str, rows: &[Row]) -> Result<()> {
        let now_ms = (self.options.clock)();
        let records: Vec<_> = rows.iter().map(|row| row.record(sweep, now_ms)).collect();
        self.append(&records)
    }

    /// Appends, and tries again for a while: rows that are there twice change nothing.
    fn append(&self, records: &[NewRecord]) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.log.append(&self.spec.sweep_topic(), records) {
                Ok(_) => break,
                Err(error) if attempt == ATTEMPTS || error.refusal().is_some() => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(dataset = %self.spec.name, %error, "the log took no rows; trying again");
                    wait(pause, &self.options.stop)?;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }

    fn partitions(&self) -> Result<u32> {
        let topic = self.spec.sweep_topic();
        let found = self.log.topic(&topic)?;
        let found = found.ok_or_else(|| changelog::Error::from(Refusal::UnknownTopic { topic }))?;
        Ok(found.partitions)
    }

    fn check_stop(&self) -> Result<()> {
        match self.options.stop.load(Ordering::Acquire) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    fn failed(&self, reason: &str) -> Error {
        Error::Sweep {
            dataset: self.spec.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl Row {
    /// Whether it becomes a dead letter.
    #[must_use]
    pub fn is_unfit(&self) -> bool {
        self.unfit.is_some() || self.source_version.is_none()
    }

    /// The row as a record of a sweep.
    pub(crate) fn record(&self, sweep: &str, timestamp_ms: i64) -> NewRecord {
        let record = NewRecord::new(timestamp_ms, self.key.clone(), self.value.clone())
            .with_header(SWEEP_HEADER, sweep);
        match self.source_version {
            Some(version) => record.with_header(SOURCE_VERSION_HEADER, version.to_string()),
            None => record,
        }
    }
}

impl Reads {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            requests: self.requests + other.requests,
        }
    }
}

/// Keeps to a rate. Time that was lost is not made up for.
struct Pace {
    per_row: Option<Duration>,
    next: Instant,
}

impl Pace {
    fn new(rows_per_second: Option<f64>) -> Self {
        let rate = rows_per_second.filter(|rate| *rate > 0.0);
        Self {
            per_row: rate.map(|rate| Duration::from_secs_f64((1.0 / rate).min(3600.0))),
            next: Instant::now(),
        }
    }

    fn wait(&mut self, rows: usize, stop: &AtomicBool) -> Result<()> {
        let Some(per_row) = self.per_row else {
            return Ok(());
        };
        wait(self.next.saturating_duration_since(Instant::now()), stop)?;
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.next = self.next.max(Instant::now()) + per_row * rows;
        Ok(())
    }
}

/// Waits, unless it is told to stop.
pub(super) fn wait(time: Duration, stop: &AtomicBool) -> Result<()> {
    let until = Instant::now() + time;
    loop {
        if stop.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(STOP_CHECK));
    }
}
