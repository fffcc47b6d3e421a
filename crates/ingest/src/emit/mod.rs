//! Emitting change records, for upstream systems that are written in Rust.
//!
//! Any Kafka client will do (docs/emitting.md); what is here beside one is that a record is checked *before* it is sent, by
//! the schema, the codes and the intervals that the producer would refuse it for, and that its key, headers and partition
//! are right by construction.
//!
//! [`Emitter::emit`] puts a record into a queue of bounded size and returns; one thread appends what waits, batch by batch
//! and in order. A record counts as emitted when its [`Delivery`] says so: it is durable then. A batch that fails is
//! appended again, as source versions make repetition harmless; a dataset without them is told at once.

mod record;

pub use record::{Emission, RecordBuilder};

use crate::error::{Error, Result};
use crate::schemas::SchemaSource;
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::{ChangeLog, NewRecord, Position, Refusal};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What became of a record.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What [`Emitter::emit`] returned for it: records are numbered from 0.
    pub sequence: u64,
    /// Where it lies, durable; or why it could not be appended, and whether it was is not known then.
    pub result: std::result::Result<Position, String>,
}

/// Is told of every record, by the emitter's thread and in order. It should be quick.
pub type DeliveryReport = Arc<dyn Fn(Delivery) + Send + Sync>;

/// How an emitter works.
#[derive(Clone)]
pub struct EmitterOptions {
    /// A batch has at most this many records, at least 1.
    pub batch_records: usize,
    /// About how many bytes a batch has at most.
    pub batch_bytes: usize,
    /// How long a record waits for others at most.
    pub linger: Duration,
    /// How many bytes may wait or be under way before [`Emitter::emit`] waits. One record always may.
    pub bytes_in_flight: usize,
    /// For how long a batch that fails is tried again.
    pub give_up_after: Duration,
    /// Is told what became of each record.
    pub report: Option<DeliveryReport>,
}

impl Default for EmitterOptions {
    /// Batches of 5,000 records or 4 MiB, after 10 ms at most; 64 MiB in flight; 2 minutes of trying.
    fn default() -> Self {
        Self {
            batch_records: 5_000,
            batch_bytes: 4 << 20,
            linger: Duration::from_millis(10),
            bytes_in_flight: 64 << 20,
            give_up_after: Duration::from_secs(120),
            report: None,
        }
    }
}

/// How many records came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmitterCounts {
    /// Records that are durable.
    pub delivered: u64,
    /// Records that were given up.
    pub failed: u64,
}

/// Emits the records of one dataset; see the [module](self). It is shared by threads; the records of each come in the order
/// of its calls.
pub struct Emitter {
    builder: Mutex<RecordBuilder>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    spec: Arc<DatasetSpec>,
    log: Arc<dyn ChangeLog>,
    options: EmitterOptions,
    state: Mutex<State>,
    /// There is something to append, or the end.
    work: Condvar,
    /// Records were settled.
    settled: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(NewRecord, usize)>,
    queued_bytes: usize,
    /// Queued or under way.
    bytes: usize,
    /// The sequence of the next record.
    next: u64,
    /// All before are delivered or failed.
    settled: u64,
    /// Whoever waits for records before this one does not want to linger.
    wanted: u64,
    oldest: Option<Instant>,
    counts: EmitterCounts,
    /// Why the first record failed that no flush has told of yet.
    failure: Option<String>,
    closing: bool,
    /// The thread is gone: in good order, or because a delivery report panicked.
    ended: bool,
}

impl Emitter {
    /// An emitter of a dataset whose topics are there.
    ///
    /// # Errors
    /// Where the topic is missing, or the schema has no id to write with; see [`SchemaSource::id_of`].
    pub fn open(
        spec: DatasetSpec,
        log: Arc<dyn ChangeLog>,
        schemas: &dyn SchemaSource,
        options: EmitterOptions,
    ) -> Result<Self> {
        let spec = Arc::new(spec);
        if log.topic(&spec.topic)?.is_none() {
            let topic = spec.topic.clone();
            return Err(changelog::Error::from(Refusal::UnknownTopic { topic }).into());
        }
        let builder = RecordBuilder::new(Arc::clone(&spec), schemas)?;
        let shared = Arc::new(Shared {
            spec,
            log,
            options,
            state: Mutex::default(),
            work: Condvar::new(),
            settled: Condvar::new(),
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("emit-{}", shared.spec.name.name()))
            .spawn(move || ours.run())
            .map_err(Error::Thread)?;
        Ok(Self {
            builder: Mutex::new(builder),
            shared,
            thread: Some(thread),
        })
    }

    /// Checks a record and queues it, and returns its sequence number. Waits while too much is in flight.
    ///
    /// # Errors
    /// [`Error::Encode`] and [`Error::Emission`] where the producer would refuse it; nothing is queued then.
    pub fn emit(&self, emission: &Emission) -> Result<u64> {
        // Held until the record is queued, so that records come in the order of the calls.
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        let record = builder.build(emission, now_ms())?;
        Ok(self.shared.queue(record))
    }

    /// Waits until everything that was emitted before is delivered or given up.
    ///
    /// # Errors
    /// [`Error::Undelivered`] where records were given up since the last flush.
    pub fn flush(&self) -> Result<EmitterCounts> {
        self.shared.flush()
    }

    /// Flushes and ends the thread. Dropping an emitter does the same, but tells nobody what failed.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(mut self) -> Result<EmitterCounts> {
        let flushed = self.shared.flush();
        self.end();
        flushed
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Emitter {
    fn drop(&mut self) {
        self.end();
    }
}

/// The system's clock; it stamps records, and no fold looks at it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Tells those who wait that nobody will settle anything any more.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.settled.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, record: NewRecord) -> u64 {
        let headers = record.headers.iter();
        let bytes = 64
            + record.key.as_ref().map_or(0, Vec::len)
            + record.value.as_ref().map_or(0, Vec::len)
            + headers.map(|(n, v)| n.len() + v.len()).sum::<usize>();
        let mut state = self.lock();
        while !state.ended && state.bytes > 0 && state.bytes + bytes > self.options.bytes_in_flight
        {
            state = self
                .settled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let sequence = state.next;
        state.next += 1;
        state.bytes += bytes;
        state.queued_bytes += bytes;
        state.queue.push_back((record, bytes));
        state.oldest.get_or_insert_with(Instant::now);
        if state.queue.len() == 1 || self.is_due(&state) {
            self.work.notify_one();
        }
        sequence
    }

    fn flush(&self) -> Result<EmitterCounts> {
        let mut state = self.lock();
        let until = state.next;
        state.wanted = state.wanted.max(until);
        self.work.notify_one();
        while state.settled < until && !state.ended {
            state = self
                .settled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let lost = state.settled < until;
        let lost = lost.then(|| "the emitter's thread has ended".to_owned());
        match state.failure.take().or(lost) {
            Some(reason) => Err(Error::Undelivered {
                topic: self.spec.topic.clone(),
                failed: state.counts.failed,
                reason,
            }),
            None => Ok(state.counts.clone()),
        }
    }

    /// Whether a batch should go now.
    fn is_due(&self, state: &State) -> bool {
        let waited = state
            .oldest
            .is_some_and(|at| at.elapsed() >= self.options.linger);
        !state.queue.is_empty()
            && (state.closing
                || state.settled < state.wanted
                || state.queue.len() >= self.options.batch_records
                || state.queued_bytes >= self.options.batch_bytes
                || state.bytes >= self.options.bytes_in_flight / 2
                || waited)
    }

    /// The thread: appends until told to end, and then what is left.
    fn run(&self) {
        let _ended = Ended(self);
        loop {
            let mut state = self.lock();
            while !self.is_due(&state) {
                if state.closing {
                    return;
                }
                let left = state.oldest.map_or(Duration::MAX, |oldest| {
                    self.options.linger.saturating_sub(oldest.elapsed())
                });
                // An hour, since some systems can't wait forever.
                let left = left.min(Duration::from_secs(3600));
                let waited = self.work.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let first = state.settled;
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < self.options.batch_records.max(1)
                && bytes < self.options.batch_bytes
            {
                let Some((record, size)) = state.queue.pop_front() else {
                    break;
                };
                batch.push(record);
                bytes += size;
            }
            state.queued_bytes -= bytes;
            state.oldest = (!state.queue.is_empty()).then(Instant::now);
            drop(state);
            let appended = self.append(&batch);
            let count = batch.len() as u64;
            if let Some(report) = &self.options.report {
                for (i, sequence) in (first..first + count).enumerate() {
                    let result = match &appended {
                        Ok(positions) => positions
                            .get(i)
                            .copied()
                            .ok_or_else(|| "the log told no position".to_owned()),
                        Err(reason) => Err(reason.clone()),
                    };
                    report(Delivery { sequence, result });
                }
            }
            let mut state = self.lock();
            match appended {
                Ok(_) => state.counts.delivered += count,
                Err(reason) => {
                    state.counts.failed += count;
                    state.failure.get_or_insert(reason);
                }
            }
            state.settled += count;
            state.bytes -= bytes;
            drop(state);
            self.settled.notify_all();
        }
    }

    fn append(&self, batch: &[NewRecord]) -> std::result::Result<Vec<Position>, String> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            let error = match self.log.append(&self.spec.topic, batch) {
                Ok(positions) => return Ok(positions),
                Err(error) => error,
            };
            let may_repeat = self.spec.source_versions == SourceVersions::Required;
            let has_time = began.elapsed() + pause < self.options.give_up_after;
            if error.refusal().is_some() || !may_repeat || !has_time {
                return Err(error.to_string());
            }
            tracing::warn!(dataset = %self.spec.name, %error, "a batch is appended again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
