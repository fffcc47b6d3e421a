//! The fold alone, and the fold while it reads beside a consumer that does nothing with what it reads.

use crate::watched::cpu_time;
use crate::world::World;
use crate::{Error, Result, median, rate, setting};
use bench_table::Line;
use dataset::Step;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const KEYS: u64 = 250_000;
const RUNS: u64 = 3;
/// What a core has to fold.
const LIMIT: f64 = 1_000_000.0;
/// The part of a bare consumer's rate that has to be reached.
const SHARE: f64 = 0.6;

/// Folds cycles of records of which nine of ten say what is known.
pub fn lines(world: &World) -> Result<Vec<Line>> {
    let per_cycle = setting("GREENLIGHT_BENCH_FOLD", 500_000);
    let spec = world.spec("fold")?;
    let topic = spec.topic.clone();
    let records = world.records(KEYS)?;
    world.make_topics(&spec)?;
    world.fill(&topic, KEYS, |i| records.record(i, 0, 1))?;
    let populated = Arc::new(Mutex::new((Instant::now(), Duration::ZERO)));
    let hook = {
        let populated = Arc::clone(&populated);
        move |step| {
            if matches!(step, Step::Populated) {
                let now = (Instant::now(), cpu_time());
                *populated.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
            Ok(())
        }
    };
    let mut producing = world.producer(spec, per_cycle, Some(Arc::new(hook)), None)?;
    producing.announce()?;
    let (mut fold, mut whole, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    // Every other cycle finds its records fetched: what the cores spend then is the fold's alone.
    for run in 0..2 * RUNS {
        let first = run * per_cycle;
        world.fill(&topic, per_cycle, |i| records.update(first + i))?;
        let from = producing.watch.positions(&topic);
        let is_fetched = run % 2 == 0;
        if is_fetched {
            let records = usize::try_from(per_cycle).unwrap_or(usize::MAX);
            producing.watch.fetch_first(records);
        }
        let started = Instant::now();
        producing.announce()?;
        let (at, cpu) = *populated.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = producing.producer.progress().last_records;
        if counts.read != per_cycle || counts.confirmed != per_cycle / 10 * 9 {
            return Err(Error::Wrong(format!("a cycle counted {counts:?}")));
        }
        let per_second = |time: Duration| per_cycle as f64 / time.as_secs_f64();
        if is_fetched {
            fold.push(per_second(cpu - producing.watch.cpu_fetched()));
        } else {
            whole.push(per_second(at - started));
            bare.push(per_second(read_bare(world, &topic, &from, per_cycle)?));
        }
    }
    Ok(vec![
        rate(
            "fold, from fetched bytes, per core",
            median(fold),
            LIMIT,
            1.0,
        ),
        rate(
            "fold with reading, against a bare consumer",
            median(whole),
            bare.into_iter().fold(0.0, f64::max),
            SHARE,
        ),
    ])
}

/// Reads the same records with rdkafka's own consumer as it comes, and looks at nothing but their lengths.
fn read_bare(
    world: &World,
    topic: &str,
    from: &[changelog::Position],
    count: u64,
) -> Result<Duration> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", world.bootstrap())
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut list = TopicPartitionList::new();
    for position in from {
        let partition = i32::try_from(position.partition).unwrap_or(0);
        list.add_partition_offset(topic, partition, Offset::Offset(position.offset))?;
    }
    let started = Instant::now();
    consumer.assign(&list)?;
    let (mut read, mut bytes) = (0, 0);
    while read < count {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            bytes += message?.payload().map_or(0, <[u8]>::len);
            read += 1;
        }
    }
    let took = started.elapsed();
    if bytes == 0 {
        return Err(Error::Wrong("the records are empty".to_owned()));
    }
    Ok(took)
}
