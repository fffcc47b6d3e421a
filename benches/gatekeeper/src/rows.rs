//! The rows of the table.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bench_hollow::median;
use bench_table::Line;
use gatekeeper::{CycleSummary, Phases};
use hollow::ReadState;

use crate::java::Java;
use crate::ours::{At, Ours, read_snapshot};
use crate::published::{Run, Size, cache};
use crate::{Error, Result, io};

/// Alternating runs of which the median counts.
const RUNS: usize = 5;
/// Runs of each side before: a JVM compiles first.
const WARM_UPS: usize = 12;
const MIB: f64 = (1 << 20) as f64;

/// Where lines go.
pub type Report<'a> = &'a mut dyn FnMut(Line);

/// A row with a limit in the place of a peer.
pub(crate) fn limit(row: String, ours: f64, limit: f64, unit: &'static str) -> Line {
    Line {
        row,
        ours,
        peer: limit,
        unit,
        goal: 1.0,
    }
}

/// A row that is only reported.
pub(crate) fn reported(row: String, ours: f64, unit: &'static str) -> Line {
    Line {
        row,
        ours,
        peer: ours,
        unit,
        goal: 0.0,
    }
}

pub(crate) fn copy(size: Size) -> Result<Run> {
    Run::new(&cache()?, size)
}

/// The Java side, as `benches/gatekeeper/run` builds it.
fn jar() -> PathBuf {
    let jar = std::env::var("GREENLIGHT_BENCH_JAR");
    jar.unwrap_or_else(|_| "interop/target/interop.jar".to_owned())
        .into()
}

fn heap(videos: usize) -> &'static str {
    if videos > 500_000 { "10g" } else { "6g" }
}

/// The outputs of both sides are equal, on the real catalogue and on three drawn ones, at the first versions and after steps
/// forth and back.
///
/// # Errors
/// [`Error::Wrong`] where they are not.
pub fn equal(_: &[usize], report: Report<'_>) -> Result<()> {
    let drawn = |(videos, seed)| Size::Drawn { videos, seed };
    let sizes = [(5_000, 1), (10_000, 2), (20_000, 3)].map(drawn);
    for size in std::iter::once(Size::Real).chain(sizes) {
        let pairs = equal_on(copy(size)?, &jar())?;
        report(reported(
            format!("equal output, {}", size.name()),
            pairs as f64,
            "pairs",
        ));
    }
    Ok(())
}

/// Compares the outputs of both sides on one catalogue; how many pairs there are.
///
/// # Errors
/// [`Error::Wrong`] where they are not equal.
pub fn equal_on(run: Run, jar: &Path) -> Result<u64> {
    let mut ours = Ours::new(run)?;
    let mut java = Java::start(jar, ours.run(), "2g", true)?;
    let mut pairs = 0;
    for cycle in 0..=7 {
        let at = match cycle {
            7 => At::policy_cycle(7),
            cycle => At::cycle(cycle),
        };
        pairs = ours.cycle(at)?.1.pairs;
        java.cycle(ours.run(), at)?;
        java.check(&ours.state()?)
            .map_err(|error| Error::Wrong(format!("cycle {cycle}: {error}")))?;
    }
    Ok(pairs)
}

type Phase = (&'static str, fn(&Phases) -> u64);

const PHASES: [Phase; 9] = [
    ("refresh", |phases| phases.refresh_us),
    ("prepare", |phases| phases.prepare_us),
    ("evaluate", |phases| phases.evaluate_us),
    ("compare", |phases| phases.compare_us),
    ("populate", |phases| phases.populate_us),
    ("stage", |phases| phases.stage_us),
    ("verify", |phases| phases.verify_us),
    ("accept", |phases| phases.accept_us),
    ("announce", |phases| phases.announce_us),
];
const THEIR_PHASES: [&str; 4] = ["refresh with facts", "derive", "evaluate", "publish"];

fn median_of(summaries: &[CycleSummary], value: impl Fn(&CycleSummary) -> f64) -> f64 {
    let values: Vec<f64> = summaries.iter().map(value).collect();
    median(&values)
}

/// Alternating cycles of both sides.
#[derive(Default)]
struct Cycles {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    summaries: Vec<CycleSummary>,
    phases: Vec<[f64; 4]>,
}

impl Cycles {
    /// Runs cycles from the `first` on, of which those after `warm_ups` count.
    fn run(
        ours: &mut Ours,
        java: &mut Java,
        first: usize,
        warm_ups: usize,
        at: fn(usize) -> At,
    ) -> Result<Self> {
        let mut cycles = Self::default();
        for cycle in first..first + warm_ups + RUNS {
            let theirs = java.cycle(ours.run(), at(cycle))?.value;
            let (millis, summary) = ours.cycle(at(cycle))?;
            if cycle >= first + warm_ups {
                cycles.ours.push(millis);
                cycles.theirs.push(theirs);
                cycles.summaries.push(summary);
                cycles.phases.push(java.phases()?);
            }
        }
        java.check(&ours.state()?)?;
        Ok(cycles)
    }

    fn line(&self, row: String, goal: f64) -> Line {
        Line {
            row,
            ours: median(&self.ours),
            peer: median(&self.theirs),
            unit: "ms",
            goal,
        }
    }
}

/// Where our cycles went, and how many verdicts changed in them.
fn phases(summaries: &[CycleSummary], size: &str, report: Report<'_>) {
    for (phase, micros) in PHASES {
        let millis = median_of(summaries, |summary| micros(&summary.phases) as f64 / 1e3);
        report(reported(format!("  of it, {phase}, {size}"), millis, "ms"));
    }
    let changed = median_of(summaries, |summary| summary.records_changed as f64);
    report(reported(
        format!("  videos changed, {size}"),
        changed,
        "videos",
    ));
}

/// Whole cycles of our side alone, for a profiler.
///
/// # Errors
/// Those of the cycles.
pub fn alone(videos: usize, count: usize, report: Report<'_>) -> Result<()> {
    let size = Size::drawn(videos);
    let mut ours = Ours::new(copy(size)?)?;
    ours.cycle(At::start())?;
    let mut millis = Vec::with_capacity(count);
    let mut summaries = Vec::with_capacity(count);
    for cycle in 1..=3 + count {
        let (took, summary) = ours.cycle(At::cycle(cycle))?;
        if cycle > 3 {
            millis.push(took);
            summaries.push(summary);
        }
    }
    let size = size.name();
    report(reported(
        format!("whole cycle, 0.1 % changed, {size}"),
        median(&millis),
        "ms",
    ));
    phases(&summaries, &size, report);
    Ok(())
}

/// Both sides on one catalogue, with everything loaded and published.
fn start(videos: usize, verifies: bool) -> Result<(Ours, Java)> {
    let mut ours = Ours::new(copy(Size::drawn(videos))?)?;
    let mut java = Java::start(&jar(), ours.run(), heap(videos), verifies)?;
    ours.cycle(At::start())?;
    java.cycle(ours.run(), At::start())?;
    Ok((ours, java))
}

/// Whole cycles after changes of 0.1 % of every input, beside the Java peer, and after a change of one policy.
///
/// # Errors
/// Those of either side; [`Error::Wrong`] where the outputs are not equal.
pub fn cycle(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let (mut ours, mut java) = start(videos, true)?;
        let name = Size::drawn(videos).name();
        let cycles = Cycles::run(&mut ours, &mut java, 1, WARM_UPS, At::cycle)?;
        let goal = if videos == 250_000 { 20.0 } else { 0.0 };
        report(cycles.line(format!("whole cycle, 0.1 % changed, {name}"), goal));
        phases(&cycles.summaries, &name, report);
        for (at, phase) in THEIR_PHASES.iter().enumerate() {
            let millis: Vec<f64> = cycles.phases.iter().map(|phases| phases[at]).collect();
            report(reported(
                format!("  the peer's {phase}, {name}"),
                median(&millis),
                "ms",
            ));
        }
        // The gatekeeper's clock never goes back.
        let next = 1 + WARM_UPS + RUNS;
        let cycles = Cycles::run(&mut ours, &mut java, next, 3, At::policy_cycle)?;
        report(cycles.line(format!("whole cycle, one policy changed, {name}"), 0.0));
    }
    Ok(())
}

/// Whole cycles beside a peer that does not read back what it publishes.
///
/// # Errors
/// Those of either side; [`Error::Wrong`] where the outputs are not equal.
pub fn unverified(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let (mut ours, mut java) = start(videos, false)?;
        let cycles = Cycles::run(&mut ours, &mut java, 1, WARM_UPS, At::cycle)?;
        let name = Size::drawn(videos).name();
        let row = format!("whole cycle, the peer unverified, {name}");
        report(cycles.line(row, 0.0));
    }
    Ok(())
}

/// Four times the videos, alternating.
///
/// # Errors
/// Those of our cycles.
pub fn growth(sizes: &[usize], report: Report<'_>) -> Result<()> {
    let [small, large] = sizes[..] else {
        return Ok(());
    };
    let mut sides = Vec::new();
    for videos in [small, large] {
        let mut ours = Ours::new(copy(Size::drawn(videos))?)?;
        ours.cycle(At::start())?;
        sides.push((ours, Vec::new(), Vec::new()));
    }
    for cycle in 1..=3 + RUNS {
        for (ours, cycles, evaluations) in &mut sides {
            let (millis, summary) = ours.cycle(At::cycle(cycle))?;
            if cycle > 3 {
                cycles.push(millis);
                let phases = summary.phases;
                evaluations.push((phases.evaluate_us + phases.compare_us) as f64);
            }
        }
    }
    let allowed = 1.1 * large as f64 / small as f64;
    if let [small, large] = &sides[..] {
        let whole = median(&large.1) / median(&small.1);
        let evaluation = median(&large.2) / median(&small.2);
        report(limit(
            "growth, whole cycle".to_owned(),
            whole,
            allowed,
            "x (limit)",
        ));
        report(limit(
            "growth, evaluation".to_owned(),
            evaluation,
            allowed,
            "x (limit)",
        ));
    }
    Ok(())
}

/// Two outputs of the same inputs, one without a rule that about 1 % of the pairs fail.
struct Outputs {
    ours: Ours,
    snapshots: [PathBuf; 2],
    states: [ReadState; 2],
    /// The rule, with the share of the pairs that fail it.
    what: String,
}

impl Outputs {
    fn make(size: Size) -> Result<Self> {
        let mut ours = Ours::new(copy(size)?)?;
        let summary = ours.cycle(At::start())?.1;
        let percent = summary.pairs / 100;
        let rule = summary
            .blockers
            .iter()
            .min_by_key(|blocker| blocker.pairs.abs_diff(percent))
            .ok_or_else(|| Error::Wrong("nothing is blocked".to_owned()))?;
        let snapshots = ours.without_rule(&rule.code)?;
        let [before, after] = snapshots.each_ref().map(|path| read_snapshot(path));
        let share = 100.0 * rule.pairs as f64 / summary.pairs as f64;
        Ok(Self {
            ours,
            snapshots,
            states: [before?, after?],
            what: format!("{share:.1} % of pairs ({})", rule.code),
        })
    }

    /// Finds every change and looks at it, as the peer does: how long it took, in milliseconds, and how many videos changed.
    fn diff(&self) -> Result<(f64, u64)> {
        let [before, after] = &self.states;
        let start = Instant::now();
        let diff = hollow::diff::diff(before, after, "Liveness")?;
        let fields = diff.changed.iter().flat_map(|record| record.fields());
        let places = fields.filter(|field| field.record_before() != field.record_after());
        std::hint::black_box(places.count());
        let millis = start.elapsed().as_secs_f64() * 1e3;
        Ok((millis, diff.changed.len() as u64))
    }
}

/// The diff of two outputs of the same inputs, one without a rule that about 1 % of the pairs fail.
///
/// # Errors
/// Those of either side; [`Error::Wrong`] where they count another number of videos.
pub fn diff(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let size = Size::drawn(videos);
        let outputs = Outputs::make(size)?;
        let mut java = Java::start(&jar(), outputs.ours.run(), heap(videos), true)?;
        let [one, other] = outputs.snapshots.each_ref().map(|path| path.display());
        java.run(&format!("load {one} {other}"))?;
        let mut sides = (Vec::new(), Vec::new());
        for run in 0..4 + RUNS {
            let theirs = java.run("diff")?;
            let (millis, changed) = outputs.diff()?;
            if changed != theirs.check {
                return Err(Error::Wrong(format!(
                    "our diff has {changed} videos, the peer's {}",
                    theirs.check
                )));
            }
            if run >= 4 {
                sides.0.push(millis);
                sides.1.push(theirs.value);
            }
        }
        report(Line {
            row: format!("diff, {}, {}", outputs.what, size.name()),
            ours: median(&sides.0),
            peer: median(&sides.1),
            unit: "ms",
            goal: 20.0,
        });
    }
    Ok(())
}

/// Our side of that alone.
///
/// # Errors
/// Those of the cycles.
pub fn diff_alone(videos: usize, runs: usize, report: Report<'_>) -> Result<()> {
    let size = Size::drawn(videos);
    let outputs = Outputs::make(size)?;
    let runs = (0..runs).map(|_| Ok(outputs.diff()?.0));
    let millis = runs.collect::<Result<Vec<f64>>>()?;
    let row = format!("diff, {}, {}", outputs.what, size.name());
    report(reported(row, median(&millis), "ms"));
    Ok(())
}

/// The whole process after some cycles, beside the live heap of the peer after as many and a full collection.
///
/// # Errors
/// Those of either side.
pub fn memory(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let size = Size::drawn(videos);
        let run = copy(size)?;
        let mut java = Java::start(&jar(), &run, heap(videos), true)?;
        for cycle in 0..=4 {
            java.cycle(&run, At::cycle(cycle))?;
        }
        let theirs = java.run("memory")?.value / MIB;
        drop(java);
        let program = std::env::current_exe()
            .map_err(io("find this program"))?
            .with_file_name("bench-gatekeeper-memory");
        let output = Command::new(&program)
            .arg(videos.to_string())
            .output()
            .map_err(io(format!("run {}", program.display())))?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = answer
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [live, resident] = numbers[..] else {
            return Err(Error::Wrong(format!(
                "bench-gatekeeper-memory said {answer:?} {}",
                String::from_utf8_lossy(&output.stderr)
            )));
        };
        let line = |what: &str, ours: f64, goal: f64| Line {
            row: format!("memory, {what}, {}", size.name()),
            ours: ours / MIB,
            peer: theirs,
            unit: "MiB",
            goal,
        };
        report(line("live bytes", live, 1.0 / 0.7));
        report(line("resident set", resident, 0.0));
    }
    Ok(())
}
