//! Beside Java: the stock Kafka client, Avro and `HollowProducer.Incremental`, on the same topic.

use crate::world::World;
use crate::{Error, Result, io, median, rate};
use bench_table::Line;
use dataset::Phases;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const KEYS: u64 = 250_000;
const PER_CYCLE: u64 = 10_000;
const CYCLES: u64 = 20;
/// Cycles that don't count: a JVM compiles first.
const WARM_UPS: usize = 8;

/// How long a phase took, in microseconds.
type PhaseTime = fn(&Phases) -> u64;

/// The phases of a cycle in words.
pub(crate) const PHASES: [(&str, PhaseTime); 6] = [
    ("read, fold, populate", |phases| phases.populate_us),
    ("seal, write the blobs", |phases| phases.stage_us),
    ("read them back", |phases| phases.verify_us),
    ("accept", |phases| phases.accept_us),
    ("promote, announce", |phases| phases.announce_us),
    ("start a snapshot", |phases| phases.snapshot_us),
];

/// Both fold cycles of records of which one in ten changes something, the last but for the warm-ups count.
pub fn lines(world: &World) -> Result<Vec<Line>> {
    let spec = world.spec("java")?;
    let topic = spec.topic.clone();
    let records = world.records(KEYS)?;
    world.make_topics(&spec)?;
    world.fill(&topic, KEYS, |i| records.record(i, 0, 1))?;
    let mut producing = world.producer(spec, PER_CYCLE, None, None)?;
    producing.announce()?;
    world.fill(&topic, PER_CYCLE * CYCLES, |i| records.update(i))?;
    let (mut ours, mut phases) = (Vec::new(), Vec::new());
    for _ in 0..CYCLES {
        let started = Instant::now();
        producing.announce()?;
        ours.push(started.elapsed().as_secs_f64() * 1e3);
        phases.push(producing.producer.progress().phases);
    }
    let java = java(world, &topic)?;
    let per_second = |millis: Vec<f64>| {
        let counted = millis.get(WARM_UPS..).unwrap_or_default().to_vec();
        PER_CYCLE as f64 / median(counted) * 1e3
    };
    let mut lines = vec![rate(
        "cycles of 10,000 records, against Java",
        per_second(ours),
        per_second(java),
        10.0,
    )];
    let phases = phases.get(WARM_UPS..).unwrap_or_default();
    for (name, of) in PHASES {
        let of = |phases: &Phases| of(phases) as f64 / 1e3;
        let millis = median(phases.iter().map(of).collect());
        lines.push(Line {
            row: format!("of such a cycle: {name}"),
            ours: millis,
            peer: millis,
            unit: "ms",
            goal: 0.0,
        });
    }
    Ok(lines)
}

/// The time of each cycle of the peer, in milliseconds.
fn java(world: &World, topic: &str) -> Result<Vec<f64>> {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let blobs = tempfile::tempdir().map_err(io("make a directory"))?;
    let output = Command::new(variable("GREENLIGHT_BENCH_JAVA", "java"))
        .args(["-Xms4g", "-Xmx4g", "-XX:+UseParallelGC", "-jar"])
        .arg(variable(
            "GREENLIGHT_BENCH_JAR",
            "interop/target/interop.jar",
        ))
        .args(["ingest", world.bootstrap(), topic])
        .arg(schemas.join("rights.avsc"))
        .arg(blobs.path())
        .args([KEYS, CYCLES, PER_CYCLE].map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .map_err(io("start the Java peer"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let millis: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    if millis.len() as u64 != CYCLES {
        return Err(Error::Wrong(format!("the Java peer said {text:?}")));
    }
    Ok(millis)
}
