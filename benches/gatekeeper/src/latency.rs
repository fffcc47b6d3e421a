//! From a record's emission to the verdict at a subscriber, on Kafka and S3, while changes keep coming.
//!
//! Nine inputs are published once. `assets` is a topic, and a producer folds it; the gatekeeper evaluates everything as
//! often as it can; a subscriber follows the output. A record is visible with the first version at the subscriber whose
//! header tags name a version of `assets` that was announced with the record in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bench_ingest::watched::Watch;
use bench_ingest::world::{World, bucket, now_ms};
use bench_ingest::{quantile, setting};
use changelog::{ChangeLog, NewRecord, Position};
use dataset::{
    PublisherOptions, Snapshots, Step, StepHook, Subscriber, SubscriberOptions, Version,
};
use gatekeeper::{Gatekeeper, GatekeeperOptions, Input};
use ingest::{
    DatasetSpec, DirectorySchemas, ProducerThread, SOURCE_VERSION_HEADER, write_wire_header,
};
use liveness::Configuration;
use registry::{DatasetName, LogRegistry, Registry, Scope};
use serde_json::Value;
use tests_servers::SeaweedFs;

use crate::catalogue::key;
use crate::ours::OUTPUT;
use crate::published::{NOW_MS, Size, publish_inputs, spec};
use crate::rows::{Report, limit, reported};
use crate::{Error, Result, io};

const PER_SECOND: usize = 1_000;
/// Changes come in small groups, as upstreams send them.
const GROUP: usize = 10;
/// How often the producer looks for records.
const CADENCE: Duration = Duration::from_millis(50);
/// How often the subscriber looks for a version.
const LOOK: Duration = Duration::from_millis(5);
/// Records of one append when the topic is filled.
const CHUNK: usize = 20_000;
/// How long the last verdicts may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was announced or seen, and when.
type Seen<T> = Arc<Mutex<Vec<(Instant, T)>>>;

/// Where the producer's consumers stand, and its registry; known once the producer runs.
type Watched = Arc<OnceLock<(Arc<Watch>, Arc<dyn Registry>)>>;

/// Emits changes for `GREENLIGHT_BENCH_LATENCY_S` seconds (60: with snapshots of producer and gatekeeper).
///
/// # Errors
/// Where anything fails, or a record never becomes visible.
pub fn lines(sizes: &[usize], report: Report<'_>) -> Result<()> {
    let seconds = setting("GREENLIGHT_BENCH_LATENCY_S", 60);
    let seconds = usize::try_from(seconds).unwrap_or(60);
    for &videos in sizes {
        let size = Size::drawn(videos);
        let millis = measure(size, seconds)?;
        let row = |what: &str| format!("emitted to visible, {what}, {}", size.name());
        let of = |share| quantile(millis.clone(), share);
        report(reported(row("p50"), of(0.5), "ms"));
        report(limit(row("p99"), of(0.99), 1_000.0, "ms"));
    }
    Ok(())
}

/// How long each record took, in milliseconds.
fn measure(size: Size, seconds: usize) -> Result<Vec<f64>> {
    let world = World::start()?;
    let server = SeaweedFs::start_large()?;
    let store = bucket(&server, "latency")?;
    let directory = tempfile::tempdir().map_err(io("make a directory"))?;
    // As processes of their own would, everybody has his own copy of the registry.
    let registry = |name: &str| -> Result<Arc<dyn Registry>> {
        let log = Arc::clone(&world.log) as Arc<dyn ChangeLog>;
        let registry = LogRegistry::open(log, &directory.path().join(name))?;
        Ok(Arc::new(registry))
    };
    let catalogue = size.catalogue()?;
    let others: Vec<Input> = Input::ALL
        .into_iter()
        .filter(|&input| input != Input::Assets)
        .collect();
    publish_inputs(&catalogue, &others, 0, &registry("inputs")?, &store)?;

    let assets = Assets::new()?;
    let topic = assets.spec.topic.clone();
    world.make_topics(&assets.spec)?;
    let mut chunk = Vec::new();
    for family in 0..catalogue.families() {
        for record in catalogue.of_family(Input::Assets, family) {
            chunk.push(assets.record(&record, 1)?);
        }
        if chunk.len() >= CHUNK || family + 1 == catalogue.families() {
            world.log.append(&topic, &chunk)?;
            chunk.clear();
        }
    }

    let announced: Seen<(Version, Vec<Position>)> = Arc::default();
    let watched: Watched = Arc::default();
    let hook = hook(&assets.spec, &announced, &watched);
    let name = assets.spec.name.clone();
    let mut producing = world.producer(
        assets.spec.clone(),
        u64::MAX,
        Some(hook),
        Some(Arc::clone(&store)),
    )?;
    producing.announce()?;
    let _ = watched.set((
        Arc::clone(&producing.watch),
        Arc::clone(&producing.registry),
    ));

    let output: DatasetName = OUTPUT
        .parse()
        .map_err(|_| Error::Wrong(format!("{OUTPUT} is no dataset")))?;
    let options = GatekeeperOptions {
        output: output.clone(),
        follow: None,
        configuration: Configuration::default(),
        code_revision: "bench".to_owned(),
        publisher: PublisherOptions {
            snapshots: Snapshots::Background,
            ..PublisherOptions::new("bench")
        },
    };
    let mut gatekeeper = Gatekeeper::open(options, &store, &registry("gatekeeper")?, NOW_MS)?;
    gatekeeper.cycle(NOW_MS)?;
    let subscriber = Subscriber::new(
        output,
        Arc::clone(&store),
        registry("subscriber")?,
        SubscriberOptions::default(),
    );
    subscriber.refresh()?;

    let changes = catalogue.changes(Input::Assets, 1, seconds * PER_SECOND);
    let changes = changes.iter().map(|change| assets.record(change, 2));
    let changes = changes.collect::<Result<Vec<_>>>()?;
    let thread = ProducerThread::start(producing.producer, CADENCE, Arc::new(now_ms))?;
    let visible: Seen<Version> = Arc::default();
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let mut emitted: Vec<(Instant, Position)> = Vec::with_capacity(changes.len());
    std::thread::scope(|scope| -> Result<()> {
        let evaluating = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let passed = i64::try_from(started.elapsed().as_millis()).unwrap_or(0);
                gatekeeper.cycle(NOW_MS + passed)?;
            }
            Ok(())
        });
        let following = scope.spawn(|| follow(&subscriber, &name, &visible, &stop));
        let mut emit = || -> Result<()> {
            for (group, changes) in changes.chunks(GROUP).enumerate() {
                let due = Duration::from_secs_f64((group * GROUP) as f64 / PER_SECOND as f64);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
                let at = Instant::now();
                let positions = world.log.append(&topic, changes)?;
                emitted.extend(positions.into_iter().map(|position| (at, position)));
            }
            let start = Instant::now();
            while start.elapsed() < PATIENCE && !all_visible(&emitted, &announced, &visible) {
                std::thread::sleep(LOOK);
            }
            Ok(())
        };
        let ended = emit();
        stop.store(true, Ordering::Relaxed);
        let joined = [evaluating.join(), following.join()];
        ended?;
        for joined in joined {
            joined.map_err(|_| Error::Wrong("a thread of the bench panicked".to_owned()))??;
        }
        Ok(())
    })?;
    drop(thread.stop()?);
    drop(server);
    let announced = lock(&announced);
    let visible = lock(&visible);
    let latencies = emitted.iter().map(|(at, position)| {
        let seen = visible_at(position, &announced, &visible);
        let seen = seen.ok_or_else(|| Error::Wrong(format!("{position:?} was never visible")))?;
        Ok((seen - *at).as_secs_f64() * 1e3)
    });
    latencies.collect()
}

/// Notes which positions of the topic every announced version of `assets` holds.
fn hook(
    spec: &DatasetSpec,
    announced: &Seen<(Version, Vec<Position>)>,
    watched: &Watched,
) -> StepHook {
    let (topic, name) = (spec.topic.clone(), spec.name.clone());
    let (announced, watched) = (Arc::clone(announced), Arc::clone(watched));
    Arc::new(move |step| {
        if matches!(step, Step::Announced)
            && let Some((watch, registry)) = watched.get()
            && let Ok(Some(latest)) = registry.latest(&name, &Scope::default())
        {
            let held = (latest.version, watch.positions(&topic));
            lock(&announced).push((Instant::now(), held));
        }
        Ok(())
    })
}

/// Follows the output, and notes the version of `assets` behind every version that is new.
fn follow(
    subscriber: &Subscriber,
    input: &DatasetName,
    visible: &Seen<Version>,
    stop: &AtomicBool,
) -> Result<()> {
    let tag = format!("{}{}", gatekeeper::tag::INPUT_PREFIX, input.name());
    while !stop.load(Ordering::Relaxed) {
        let moved = subscriber.refresh()?;
        if moved.is_moved() {
            let tags = moved.after.state().header_tags();
            let version = tags.get(&tag).and_then(|version| version.parse().ok());
            let version = version.ok_or_else(|| Error::Wrong(format!("{tag} is missing")))?;
            lock(visible).push((Instant::now(), version));
        } else {
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

fn all_visible(
    emitted: &[(Instant, Position)],
    announced: &Seen<(Version, Vec<Position>)>,
    visible: &Seen<Version>,
) -> bool {
    let (announced, visible) = (lock(announced), lock(visible));
    let last = emitted.iter().rev().take(GROUP);
    last.into_iter()
        .all(|(_, position)| visible_at(position, &announced, &visible).is_some())
}

fn visible_at(
    position: &Position,
    announced: &[(Instant, (Version, Vec<Position>))],
    visible: &[(Instant, Version)],
) -> Option<Instant> {
    let holds = |positions: &[Position]| {
        positions
            .iter()
            .any(|p| p.partition == position.partition && p.offset > position.offset)
    };
    let (_, (version, _)) = announced.iter().find(|(_, (_, held))| holds(held))?;
    let seen = visible.iter().find(|(_, seen)| seen >= version);
    seen.map(|(at, _)| *at)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Change records of `assets`.
struct Assets {
    spec: DatasetSpec,
    schema_id: u32,
}

impl Assets {
    fn new() -> Result<Self> {
        let text = include_str!("../../../schemas/assets.avsc");
        let schema_id = DirectorySchemas::default().add("assets.avsc", text)?.id();
        Ok(Self {
            spec: spec(Input::Assets)?,
            schema_id,
        })
    }

    fn record(&self, record: &Value, source_version: u64) -> Result<NewRecord> {
        let mut value = Vec::new();
        write_wire_header(self.schema_id, &mut value);
        self.spec.schema.encode_json(record, &mut value)?;
        Ok(NewRecord::new(now_ms(), key(Input::Assets, record), value)
            .with_header(SOURCE_VERSION_HEADER, source_version.to_string()))
    }
}
