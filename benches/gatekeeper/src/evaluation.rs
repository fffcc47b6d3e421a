//! The evaluation alone: facts in, verdicts out, no datasets.
//!
//! `now` moves in every measured iteration and every verdict enters a checksum. What holds until a window or hold begins or
//! ends is kept from one iteration to the next, as in the gatekeeper's cycles; so there are rows for a clock that moves by a
//! minute and by a day, and one for an evaluation that remembers nothing.

use std::hint::black_box;
use std::time::Instant;

use bench_hollow::median;
use liveness::{Configuration, Evaluator, Facts, Survey};

use crate::facts::facts;
use crate::kernel::Kernel;
use crate::published::{NOW_MS, Size};
use crate::rows::{Report, limit, reported};
use crate::{Error, Result};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1_440 * MINUTE_MS;
/// Runs that count, and those before.
const RUNS: usize = 9;
const WARM_UPS: usize = 3;
/// What the title masks may take, in times of the kernel.
const KERNELS: f64 = 4.0;
/// Nanoseconds for a pair of video and country: 500 million pairs in a second.
const PAIR_NANOS: f64 = 2.0;

/// The steps of an evaluation, and the verdicts' way into a checksum.
const STEPS: [&str; 6] = ["masks", "drafts", "tracks", "groups", "families", "collect"];

/// Milliseconds by step.
type Steps = [f64; 6];

/// The rows at all sizes.
///
/// # Errors
/// Where the real catalogue can't be read.
pub fn lines(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let size = Size::drawn(videos);
        let facts = facts(&size.catalogue()?);
        masks(&facts, videos, &size.name(), report)?;
        for kind in ["a minute later", "a day later", "from nothing"] {
            phases(
                &runs(&facts, kind, RUNS)?,
                kind,
                pairs(&facts, videos),
                &size.name(),
                report,
            );
        }
    }
    Ok(())
}

/// The steps of evaluations alone, for a profiler: `a minute later`, `a day later` or `from nothing`.
///
/// # Errors
/// Where the real catalogue can't be read.
pub fn alone(videos: usize, kind: &str, count: usize, report: Report<'_>) -> Result<()> {
    let size = Size::drawn(videos);
    let facts = facts(&size.catalogue()?);
    let runs = runs(&facts, kind, count)?;
    phases(&runs, kind, pairs(&facts, videos), &size.name(), report);
    Ok(())
}

fn pairs(facts: &Facts, videos: usize) -> usize {
    videos * facts.policies().markets().len()
}

/// Evaluations by one survey while the clock moves, or each by a new one.
fn runs(facts: &Facts, kind: &str, count: usize) -> Result<Vec<Steps>> {
    let step = match kind {
        "a day later" => DAY_MS,
        _ => MINUTE_MS,
    };
    let mut now = NOW_MS;
    if kind == "from nothing" {
        return repeat(count, || {
            now += step;
            let (evaluator, mut survey) = prepared(facts)?;
            Ok(evaluate(&evaluator, &mut survey, facts, now))
        });
    }
    let (evaluator, mut survey) = prepared(facts)?;
    survey.evaluate(&evaluator, facts, now);
    repeat(count, || {
        now += step;
        Ok(evaluate(&evaluator, &mut survey, facts, now))
    })
}

/// The title masks beside the kernel, alternating, on one core and on all.
fn masks(facts: &Facts, videos: usize, size: &str, report: Report<'_>) -> Result<()> {
    let mut kernel = Kernel::new(videos);
    let (evaluator, mut survey) = prepared(facts)?;
    let mut now = NOW_MS;
    survey.evaluate(&evaluator, facts, now);
    for threads in [1, rayon::current_num_threads()] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Error::Wrong(error.to_string()))?;
        let mut sides = (Vec::new(), Vec::new());
        for run in 0..WARM_UPS + 3 * RUNS {
            now += MINUTE_MS;
            let nanos = |start: Instant| start.elapsed().as_secs_f64() * 1e9 / videos as f64;
            let start = Instant::now();
            black_box(pool.install(|| survey.masks(&evaluator, facts, now)));
            let ours = nanos(start);
            let start = Instant::now();
            black_box(pool.install(|| kernel.run(500 + run as i64, threads)));
            let floor = nanos(start);
            if run >= WARM_UPS {
                sides.0.push(ours);
                sides.1.push(floor);
            }
        }
        let (ours, floor) = (median(&sides.0), median(&sides.1));
        let cores = if threads == 1 {
            "one core"
        } else {
            "all cores"
        };
        report(reported(
            format!("kernel, {cores}, {size}"),
            floor,
            "ns/video",
        ));
        report(reported(
            format!("title masks, {cores}, {size}"),
            ours,
            "ns/video",
        ));
        let row = format!("title masks in kernels, {cores}, {size}");
        report(limit(row, ours / floor, KERNELS, "x (limit)"));
    }
    Ok(())
}

fn prepared(facts: &Facts) -> Result<(Evaluator, Survey)> {
    let mut evaluator = Evaluator::new(&Configuration::default())?;
    evaluator.prepare(facts);
    let mut survey = Survey::new();
    survey.prepare(facts);
    Ok((evaluator, survey))
}

fn repeat(count: usize, mut run: impl FnMut() -> Result<Steps>) -> Result<Vec<Steps>> {
    let mut runs = Vec::new();
    for at in 0..WARM_UPS + count {
        let steps = run()?;
        if at >= WARM_UPS {
            runs.push(steps);
        }
    }
    Ok(runs)
}

/// Evaluates everything at an instant, step by step.
fn evaluate(evaluator: &Evaluator, survey: &mut Survey, facts: &Facts, now: i64) -> Steps {
    let mut steps = Steps::default();
    let mut lap = Instant::now();
    let mut measure = |step: usize| {
        let before = std::mem::replace(&mut lap, Instant::now());
        steps[step] = lap.duration_since(before).as_secs_f64() * 1e3;
    };
    let masks = survey.masks(evaluator, facts, now);
    measure(0);
    survey.drafts(evaluator, facts);
    measure(1);
    survey.tracks(facts);
    measure(2);
    survey.groups(evaluator, facts);
    measure(3);
    survey.families(evaluator, facts);
    measure(4);
    let mut checksum = masks.live;
    for (_, outcome) in survey.outcomes(facts) {
        checksum = checksum.rotate_left(3) ^ outcome.live.len() as u64;
        checksum ^= outcome.groups.len() as u64;
    }
    black_box(checksum);
    measure(5);
    steps
}

fn phases(runs: &[Steps], name: &str, pairs: usize, size: &str, report: Report<'_>) {
    for (step, phase) in STEPS.iter().enumerate() {
        let millis: Vec<f64> = runs.iter().map(|steps| steps[step]).collect();
        report(reported(
            format!("{name}: {phase}, {size}"),
            median(&millis),
            "ms",
        ));
    }
    let nanos: Vec<f64> = runs
        .iter()
        .map(|steps| steps.iter().sum::<f64>() * 1e6 / pairs as f64)
        .collect();
    let nanos = median(&nanos);
    let row = format!("{name}: {:.0} million pairs/s, {size}", 1e3 / nanos);
    report(limit(row, nanos, PAIR_NANOS, "ns/pair"));
}
