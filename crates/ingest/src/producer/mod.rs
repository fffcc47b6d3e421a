//! The incremental producer of a dataset: what arrived in its topics since the last cycle becomes the next state.
//!
//! A cycle reads up to the ends of the topics that it finds at its start and folds record by record: the greatest source
//! version of a key wins, whatever the order of reading. What can't be folded becomes a dead letter before the position
//! passes it. Position and origins are published with the data, so a producer that dies anywhere is continued by the
//! next one with nothing lost and nothing folded twice.
//!
//! Records that say what the dataset says already change only the fold's memory. That alone is published within
//! [`ProducerOptions::publish_fold_after`] cycles; until then confirmations keep the position before it.

mod absent;
mod compare;
mod folder;
mod incoming;
mod ledger;
mod plans;
mod polls;
mod reader;
mod record;
mod runner;
mod sweeps;

pub use compare::{Comparison, compare};
pub use runner::ProducerThread;

use crate::avro::Violation;
use crate::error::{Error, Result};
use crate::fold::{Channel, FOLD_PART, FOLD_TYPE, fold_schema};
use crate::position::TopicPosition;
use crate::progress::{Ended, Progress, RecordCounts};
use crate::schemas::SchemaSource;
use crate::spec::DatasetSpec;
use blobstore::BlobStore;
use changelog::{ChangeLog, Refusal};
use dataset::{Cycle, CycleKind, CycleOutcome, Guard, Populated, Publisher, PublisherOptions};
use folder::Folder;
use hollow::write::WriteState;
use plans::Plans;
use polls::Marks;
use reader::{ChannelReader, Start};
use registry::Registry;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use sweeps::Sweeps;

/// What a producer works with.
#[derive(Clone)]
pub struct Components {
    /// Where change records come from and dead letters go.
    pub log: Arc<dyn ChangeLog>,
    /// Where states go.
    pub store: Arc<dyn BlobStore>,
    /// Which of them count.
    pub registry: Arc<dyn Registry>,
    /// What records are written with.
    pub schemas: Arc<dyn SchemaSource>,
}

/// How a producer works.
#[derive(Clone)]
pub struct ProducerOptions {
    /// How states are published. The part of the fold's memory is added to it.
    pub publisher: PublisherOptions,
    /// A cycle ends when it has read this many records, and the next goes on. The first state is always read whole.
    pub records_per_cycle: u64,
    /// After how many cycles newer origins are published that come with no change of data, at least 1.
    pub publish_fold_after: u32,
}

impl ProducerOptions {
    /// The defaults: at most a million records a cycle, origins after ten cycles.
    #[must_use]
    pub fn new(publisher: PublisherOptions) -> Self {
        Self {
            publisher,
            records_per_cycle: 1_000_000,
            publish_fold_after: 10,
        }
    }
}

/// Produces one dataset; see the [module](self). One thread drives it: [`cycle`](Self::cycle) by the caller's cadence, or
/// [`ProducerThread`].
pub struct IncrementalProducer {
    publisher: Publisher,
    folder: Folder,
    options: ProducerOptions,
    progress: Arc<Mutex<Progress>>,
    /// Cycles since there are pending origins.
    pending_cycles: u32,
    /// The position before the pending origins.
    settled: BTreeMap<String, String>,
    /// What the readers hold is not what was published: begin again from there.
    needs_reset: bool,
    now_floor_ms: i64,
    /// Of a first state: when its topics were first read up to the ends at the producer's start, and how long that took, in
    /// milliseconds.
    first_read: Option<(i64, i64)>,
}

impl IncrementalProducer {
    /// Takes the ownership of the dataset, makes its topics where they are missing, and goes on where the newest state
    /// stands. With another schema than that state has, the dataset is folded anew from the beginning of its topics.
    ///
    /// `now_ms` is the time in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::Evolution`], [`Error::TopicRecreated`], [`Error::PartitionsAdded`], [`Error::Dataset`] (another producer has it, or the newest
    /// state can't be loaded), [`Error::Log`].
    pub fn open(
        spec: DatasetSpec,
        components: Components,
        options: ProducerOptions,
        now_ms: i64,
    ) -> Result<Self> {
        let Components {
            log,
            store,
            registry,
            schemas,
        } = components;
        let spec = Arc::new(spec);
        for topic in spec.topics() {
            if log.topic(&topic.name)?.is_none() {
                match log.create_topic(&topic) {
                    Err(error) if matches!(error.refusal(), Some(Refusal::TopicExists { .. })) => {}
                    made => drop(made?),
                }
            }
        }
        let types = Self::types(&spec);
        let mut publishing = options.publisher.clone();
        publishing
            .write
            .parts
            .insert(FOLD_TYPE.to_owned(), FOLD_PART.to_owned());
        publishing.allow_empty = spec.allow_empty;
        let publisher = Publisher::open(
            spec.name.clone(),
            store,
            registry,
            types,
            publishing,
            now_ms,
        )?;
        check_evolution(&spec, &*schemas)?;
        let plans = Plans::new(Arc::clone(&spec), schemas);
        let folder = Folder::new(spec, log, plans, Arc::new(AtomicBool::new(false)));
        let mut producer = Self {
            now_floor_ms: publisher.now_floor_ms()?,
            publisher,
            folder,
            options,
            progress: Arc::default(),
            pending_cycles: 0,
            settled: BTreeMap::new(),
            needs_reset: true,
            first_read: None,
        };
        producer.reset()?;
        Ok(producer)
    }

    /// The types of a dataset's states.
    fn types(spec: &DatasetSpec) -> Vec<hollow::Schema> {
        let mut types = spec.model.schemas().to_vec();
        types.push(fold_schema());
        types
    }

    /// Adds a guard; see [`Publisher::add_guard`].
    pub fn add_guard(&mut self, guard: Box<dyn Guard>) {
        self.publisher.add_guard(guard);
    }

    /// What is produced.
    #[must_use]
    pub fn spec(&self) -> &DatasetSpec {
        &self.folder.spec
    }

    /// The publisher, to look at.
    #[must_use]
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// How the producer is doing, as of the last cycle.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.lock_progress().clone()
    }

    /// Runs one cycle: folds what lies in the topics when it begins. Returns how it ended; [`Progress`] has the rest.
    /// `now_ms` is the time in milliseconds since 1970 UTC; one that is before that of an earlier cycle is raised to it.
    ///
    /// # Errors
    /// [`Error::is_lost`]: another producer has taken over, stop. [`Error::TopicRecreated`] and [`Error::PartitionsAdded`]:
    /// an operator must decide. Anything else may be over at the next cycle, which finds out where it stands by itself.
    pub fn cycle(&mut self, now_ms: i64) -> Result<Ended> {
        self.now_floor_ms = self.now_floor_ms.max(now_ms);
        let outcome = self.run_cycle(self.now_floor_ms);
        let ended = match &outcome {
            Ok(ended) => ended.clone(),
            Err(error) => Ended::Failed(error.to_string()),
        };
        self.report(ended);
        outcome
    }

    /// Set it, from any thread, to let a cycle that still reads stop and roll back.
    #[must_use]
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.folder.stop)
    }

    /// Gives up the ownership, so that the next owner need not wait. `now_ms` as in [`cycle`](Self::cycle).
    ///
    /// # Errors
    /// [`Error::Dataset`]: the ownership was lost before, or the registry can't be reached.
    pub fn resign(self, now_ms: i64) -> Result<()> {
        Ok(self.publisher.resign(now_ms)?)
    }

    fn run_cycle(&mut self, now_ms: i64) -> Result<Ended> {
        self.publisher.recover(now_ms)?;
        let is_first = self.publisher.state().is_none();
        // A first state keeps the marks of the producer's start, however long it takes to get there.
        let mut marks = match is_first {
            true => Marks::Known,
            false => Marks::Wanted,
        };
        if self.needs_reset {
            self.reset()?;
            marks = Marks::Known;
        }
        let outcome = loop {
            self.needs_reset = true;
            let outcome = self.publish(now_ms, is_first, &mut marks)?;
            match marks {
                Marks::Failed(error) => return Err(error),
                Marks::Grown => {
                    self.reset()?;
                    marks = Marks::Known;
                }
                Marks::Known | Marks::Wanted => break outcome,
            }
        };
        let ended = match outcome {
            CycleOutcome::Announced { version, phases } => {
                self.folder.settle_news();
                self.pending_cycles = 0;
                self.settled = self.folder.position_tags();
                self.lock_progress().phases = phases;
                Ended::Announced(version)
            }
            CycleOutcome::Unchanged { version: None, .. } | CycleOutcome::Continues => {
                Ended::Waiting
            }
            CycleOutcome::Unchanged { .. } | CycleOutcome::Deferred { .. } => {
                self.pending_cycles = if self.folder.ledger.news().len() == 0 {
                    0
                } else {
                    self.pending_cycles + 1
                };
                Ended::Unchanged
            }
            CycleOutcome::RolledBack { reason } => return Ok(Ended::RolledBack(chain_of(&reason))),
            other => return Ok(Ended::RolledBack(format!("{other:?}"))),
        };
        self.needs_reset = false;
        if is_first {
            self.needs_reset = self.folder.mark_ends()?;
        }
        Ok(ended)
    }

    /// Populates and publishes.
    fn publish(&mut self, now_ms: i64, is_first: bool, marks: &mut Marks) -> Result<CycleOutcome> {
        let mut publishing = Publishing {
            is_first,
            records_max: if is_first {
                u64::MAX
            } else {
                self.options.records_per_cycle
            },
            marks,
            fold_is_due: self.pending_cycles + 1 >= self.options.publish_fold_after,
            settled: &mut self.settled,
            first_read: &mut self.first_read,
            now_ms,
            progress: &self.progress,
        };
        let folder = &mut self.folder;
        let cycle = Cycle {
            now_ms,
            kind: CycleKind::Incremental,
        };
        let populate = |write: &mut WriteState| publishing.populate(folder, write);
        Ok(self.publisher.cycle(cycle, populate)?)
    }

    /// Goes back to what is published: whatever was read beyond that is read again.
    fn reset(&mut self) -> Result<()> {
        let tags;
        let start = if self.publisher.state().is_some() {
            tags = self.publisher.newest_tags()?;
            Start::Tags(&tags)
        } else {
            Start::Begin
        };
        let folder = &mut self.folder;
        folder.high = match start {
            Start::Tags(tags) => TopicPosition::high_from_tags(tags, &folder.spec.name)?
                .map_or_else(Vec::new, |high| high.next),
            Start::Begin => Vec::new(),
        };
        folder.readers = ChannelReader::open_all(&*folder.log, &folder.spec, start)?;
        let swept = folder
            .readers
            .iter()
            .find(|reader| reader.channel == Channel::Sweep);
        folder.sweeps = Sweeps::new(swept.map_or(0, |reader| reader.position().next.len()));
        folder.ledger.clear();
        self.publisher.drop_population();
        self.first_read = None;
        self.pending_cycles = 0;
        self.settled = self.folder.position_tags();
        self.folder.mark_ends()?;
        self.needs_reset = false;
        Ok(())
    }

    fn report(&mut self, ended: Ended) {
        let failed = matches!(ended, Ended::RolledBack(_) | Ended::Failed(_));
        let counts = std::mem::take(&mut self.folder.counts);
        let is_first = self.publisher.state().is_none();
        let awaited = self.first_read.filter(|_| is_first);
        let awaited = awaited.is_some_and(|first| self.folder.awaits_sweep(first));
        let sweeps = self.folder.sweeps.progress(awaited);
        let mut progress = self.lock_progress();
        progress.version = self.publisher.version();
        if !failed {
            progress.records.add(&counts);
            progress.last_records = counts;
        }
        progress.cycles += 1;
        progress.announced += u64::from(matches!(ended, Ended::Announced(_)));
        progress.failed += u64::from(failed);
        progress.ended = ended;
        progress.now_ms = self.now_floor_ms;
        progress.behind = self.folder.behind();
        progress.loading = None;
        progress.pending = self.folder.ledger.news().len();
        let position = |reader: &ChannelReader| (reader.channel, reader.position().next);
        progress.sweeps = sweeps;
        progress.position = self.folder.readers.iter().map(position).collect();
    }

    fn lock_progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses schemas of the dataset's topics that no value could be read of, and warns of those that some values could not.
/// Where the schemas can't be asked for now, each is met with its first record.
fn check_evolution(spec: &DatasetSpec, schemas: &dyn SchemaSource) -> Result<()> {
    let versions = match schemas.versions(&spec.subject(), spec.model.root_type()) {
        Ok(versions) => versions,
        Err(error @ Error::SchemaRegistry { .. }) => {
            tracing::warn!(dataset = %spec.name, %error, "the rules of schema evolution are not checked");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for version in versions {
        let (all, some): (Vec<_>, Vec<_>) = spec
            .violations(&version.schema)
            .into_iter()
            .partition(Violation::concerns_all);
        for violation in some {
            tracing::warn!(
                dataset = %spec.name, version = version.name, %violation,
                "some values written with this schema will become dead letters"
            );
        }
        if !all.is_empty() {
            return Err(Error::Evolution {
                dataset: spec.name.clone(),
                version: version.name,
                violations: all.iter().map(Violation::to_string).collect(),
            });
        }
    }
    Ok(())
}

/// How one cycle populates.
struct Publishing<'a> {
    is_first: bool,
    records_max: u64,
    marks: &'a mut Marks,
    fold_is_due: bool,
    settled: &'a mut BTreeMap<String, String>,
    first_read: &'a mut Option<(i64, i64)>,
    now_ms: i64,
    progress: &'a Mutex<Progress>,
}

impl Publishing<'_> {
    fn populate(
        &mut self,
        folder: &mut Folder,
        write: &mut WriteState,
    ) -> std::result::Result<Populated, dataset::BoxError> {
        let progress = self.progress;
        let is_first = self.is_first;
        let started = Instant::now();
        let is_marked = folder.fold(write, self.records_max, self.marks, &mut |read, left| {
            if is_first {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.loading = Some((read, read + left));
            }
        })?;
        if !is_marked {
            return Err("the ends of the topics are not known".into());
        }
        if is_first {
            let first_read = *self.first_read.get_or_insert_with(|| {
                let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
                (self.now_ms.saturating_add(took_ms), took_ms)
            });
            if folder.awaits_sweep(first_read) {
                return Ok(Populated {
                    continues: true,
                    ..Populated::default()
                });
            }
        }
        let position = folder.position_tags();
        let has_news = folder.ledger.news().len() > 0;
        let publishes = if self.is_first {
            // Deletes alone are no content.
            let mut news = folder.ledger.news();
            news.any(|(_, entry)| !entry.origin().deleted) || folder.spec.allow_empty
        } else {
            let changed = folder.counts.changed + folder.counts.swept;
            changed > 0 || (self.fold_is_due && has_news)
        };
        if publishes {
            folder.write_news(write)?;
        } else if !has_news {
            self.settled.clone_from(&position);
        }
        let sweeps = folder.sweeps_tag();
        let with_sweeps = |mut tags: BTreeMap<_, _>| {
            tags.extend(sweeps.clone());
            tags
        };
        Ok(Populated {
            tags: with_sweeps(position),
            confirm_tags: with_sweeps(self.settled.clone()),
            metadata: with_sweeps(metadata(&folder.counts)),
            ..Populated::default()
        })
    }
}

fn metadata(counts: &RecordCounts) -> BTreeMap<String, String> {
    [
        ("records.read", counts.read),
        ("records.changed", counts.changed),
        ("records.dead", counts.dead),
        ("records.swept", counts.swept),
    ]
    .map(|(name, count)| (name.to_owned(), count.to_string()))
    .into()
}

/// An error with what caused it, on one line.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
