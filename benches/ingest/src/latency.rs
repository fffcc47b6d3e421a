//! From the append of a change to the announcement of the state that holds it, while changes keep coming.

use crate::java::PHASES;
use crate::world::{World, bucket, now_ms};
use crate::{Error, Result, quantile, setting};
use bench_table::Line;
use changelog::{ChangeLog, Position};
use dataset::{Phases, Step};
use ingest::ProducerThread;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tests_servers::SeaweedFs;

const KEYS: u64 = 250_000;
const PER_SECOND: u64 = 1_000;
const CADENCE: Duration = Duration::from_millis(100);
/// Changes come in small groups, as upstreams send them.
const GROUP: u64 = 10;

/// When which positions were announced.
type Announced = Vec<(Instant, Vec<Position>)>;

/// Emits changes for a while beside a running producer.
pub fn lines(world: &World) -> Result<Vec<Line>> {
    let seconds = setting("GREENLIGHT_BENCH_LATENCY_S", 20);
    let spec = world.spec("latency")?;
    let topic = spec.topic.clone();
    let records = world.records(KEYS)?;
    world.make_topics(&spec)?;
    world.fill(&topic, KEYS, |i| records.record(i, 0, 1))?;
    let watch = Arc::new(OnceLock::new());
    let announced: Arc<Mutex<Announced>> = Arc::default();
    let hook = {
        let (watch, announced, topic) = (Arc::clone(&watch), Arc::clone(&announced), topic.clone());
        move |step| {
            if matches!(step, Step::Announced)
                && let Some(watch) = watch.get()
            {
                let watch: &Arc<crate::watched::Watch> = watch;
                let mut announced = announced.lock().unwrap_or_else(PoisonError::into_inner);
                announced.push((Instant::now(), watch.positions(&topic)));
            }
            Ok(())
        }
    };
    let server = SeaweedFs::start_large()?;
    let store = bucket(&server, "latency")?;
    let mut producing = world.producer(spec, 1_000_000, Some(Arc::new(hook)), Some(store))?;
    producing.announce()?;
    let _ = watch.set(Arc::clone(&producing.watch));
    let thread = ProducerThread::start(producing.producer, CADENCE, Arc::new(now_ms))?;
    let (mut emitted, mut appends, mut phases) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = thread.progress().announced;
    let started = Instant::now();
    for group in 0..seconds * PER_SECOND / GROUP {
        let due = Duration::from_micros(group * GROUP * 1_000_000 / PER_SECOND);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        // Every record changes something.
        let changes: Vec<_> = (0..GROUP)
            .map(|i| records.update((group * GROUP + i) * 10))
            .collect();
        let at = Instant::now();
        let positions = world.log.append(&topic, &changes)?;
        appends.push(at.elapsed().as_secs_f64() * 1e3);
        emitted.extend(positions.into_iter().map(|position| (at, position)));
        let progress = thread.progress();
        if progress.announced != std::mem::replace(&mut seen, progress.announced) {
            phases.push(progress.phases);
        }
    }
    std::thread::sleep(Duration::from_secs(3));
    drop(thread.stop()?);
    let announced = announced.lock().unwrap_or_else(PoisonError::into_inner);
    let mut latencies: Vec<f64> = Vec::with_capacity(emitted.len());
    for (at, position) in &emitted {
        let holds = |positions: &[Position]| {
            positions
                .iter()
                .any(|p| p.partition == position.partition && p.offset > position.offset)
        };
        let when = announced.iter().find(|(_, positions)| holds(positions));
        let (when, _) =
            when.ok_or_else(|| Error::Wrong(format!("{position:?} was not announced")))?;
        latencies.push((*when - *at).as_secs_f64() * 1e3);
    }
    let line = |name: &str, millis: f64| Line {
        row: format!("change to announced state, {name}"),
        ours: millis,
        peer: millis,
        unit: "ms",
        goal: 0.0,
    };
    let mut lines = vec![
        line("p50", quantile(latencies.clone(), 0.5)),
        line("p99", quantile(latencies, 0.99)),
        line("the longest: append", quantile(appends, 1.0)),
    ];
    for (name, of) in PHASES {
        let of = |phases: &Phases| of(phases) as f64 / 1e3;
        let millis = phases.iter().map(of).collect();
        lines.push(line(&format!("the longest: {name}"), quantile(millis, 1.0)));
    }
    Ok(lines)
}
