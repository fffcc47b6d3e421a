//! Every metric that the roles export, with its unit and what it says; and how they are set.

use std::time::Duration;

use dataset::Phases;
use gatekeeper::CycleSummary;
use ingest::Progress;
use metrics::{Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::{Error, Result};

const PRODUCING: &str = "greenlight_producing";
const TAKEOVERS: &str = "greenlight_takeovers_total";
const LOSSES: &str = "greenlight_losses_total";
const OPEN_FAILURES: &str = "greenlight_open_failures_total";
const CYCLES: &str = "greenlight_cycles_total";
const CYCLE_SECONDS: &str = "greenlight_cycle_duration_seconds";
const PHASE_SECONDS: &str = "greenlight_phase_duration_seconds";
const FRESH_TIMESTAMP: &str = "greenlight_fresh_timestamp_seconds";
const ANNOUNCED_TIMESTAMP: &str = "greenlight_announced_timestamp_seconds";
const RECORDS: &str = "greenlight_records_total";
const BEHIND_RECORDS: &str = "greenlight_behind_records";
const PENDING_KEYS: &str = "greenlight_pending_keys";
const HELD_SWEEPS: &str = "greenlight_held_sweeps";
const VIDEOS: &str = "greenlight_videos";
const PAIRS: &str = "greenlight_pairs";
const VERDICT_CHANGES: &str = "greenlight_verdict_changes_total";
const BLOCKED_PAIRS: &str = "greenlight_blocked_pairs";
const INPUT_AGE_SECONDS: &str = "greenlight_input_age_seconds";
const LIVE_BYTES: &str = "greenlight_live_bytes";

/// What kind of value a metric has.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const METRICS: &[(&str, Kind, Unit, &str)] = &[
    (
        PRODUCING,
        Kind::Gauge,
        Unit::Count,
        "1 where this process owns the dataset and produces it, 0 where it stands by or has stopped",
    ),
    (
        TAKEOVERS,
        Kind::Counter,
        Unit::Count,
        "Times that this process took over the dataset",
    ),
    (
        LOSSES,
        Kind::Counter,
        Unit::Count,
        "Times that this process lost the dataset to another",
    ),
    (
        OPEN_FAILURES,
        Kind::Counter,
        Unit::Count,
        "Times that this process owned the dataset but could not begin to produce it",
    ),
    (
        CYCLES,
        Kind::Counter,
        Unit::Count,
        "Cycles by how they ended: announced, unchanged, waiting, rolled_back, failed",
    ),
    (
        CYCLE_SECONDS,
        Kind::Histogram,
        Unit::Seconds,
        "How long cycles took",
    ),
    (
        PHASE_SECONDS,
        Kind::Histogram,
        Unit::Seconds,
        "How long the phases of announced cycles took",
    ),
    (
        FRESH_TIMESTAMP,
        Kind::Gauge,
        Unit::Seconds,
        "The newest time up to which the newest version is known to be right; the dataset's age is the time since",
    ),
    (
        ANNOUNCED_TIMESTAMP,
        Kind::Gauge,
        Unit::Seconds,
        "The time of the newest version that this process announced",
    ),
    (
        RECORDS,
        Kind::Counter,
        Unit::Count,
        "Change records by what became of them: changed, confirmed, older, again, dead, control, swept",
    ),
    (
        BEHIND_RECORDS,
        Kind::Gauge,
        Unit::Count,
        "Records in the topics that were not folded yet when the last cycle ended (about: offsets have gaps)",
    ),
    (
        PENDING_KEYS,
        Kind::Gauge,
        Unit::Count,
        "Keys whose newer source version waits to be published",
    ),
    (
        HELD_SWEEPS,
        Kind::Gauge,
        Unit::Count,
        "Sweeps whose deletes wait for an operator",
    ),
    (
        VIDEOS,
        Kind::Gauge,
        Unit::Count,
        "Videos evaluated in the last cycle",
    ),
    (
        PAIRS,
        Kind::Gauge,
        Unit::Count,
        "Pairs of video and country by verdict: live, not_live",
    ),
    (
        VERDICT_CHANGES,
        Kind::Counter,
        Unit::Count,
        "Pairs whose verdict changed, by what they became: live, dark",
    ),
    (
        BLOCKED_PAIRS,
        Kind::Gauge,
        Unit::Count,
        "Pairs of video and country that a blocker holds back",
    ),
    (
        INPUT_AGE_SECONDS,
        Kind::Gauge,
        Unit::Seconds,
        "How old the state of an input was in the last cycle",
    ),
    (
        LIVE_BYTES,
        Kind::Gauge,
        Unit::Bytes,
        "Memory that this process has allocated and not freed",
    ),
];

/// From a millisecond to ten minutes.
const SECONDS_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0,
];

/// Makes the metrics of this process, once.
pub(super) fn install() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error::Metrics)?;
    for &(name, kind, unit, text) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, text),
            Kind::Gauge => metrics::describe_gauge!(name, unit, text),
            Kind::Histogram => metrics::describe_histogram!(name, unit, text),
        }
    }
    Ok(handle)
}

/// What is true of the process at the moment that it is asked.
pub(super) fn process() {
    if let Some(bytes) = allocator::live_bytes() {
        gauge!(LIVE_BYTES).set(bytes as f64);
    }
}

/// This process produces the dataset now.
pub(super) fn took_over(dataset: &str) {
    counter!(TAKEOVERS, "dataset" => dataset.to_owned()).increment(1);
    producing(dataset, true);
}

/// Another process has taken the dataset.
pub(super) fn lost(dataset: &str) {
    counter!(LOSSES, "dataset" => dataset.to_owned()).increment(1);
    producing(dataset, false);
}

/// Whether this process produces the dataset.
pub(super) fn producing(dataset: &str, is_producing: bool) {
    gauge!(PRODUCING, "dataset" => dataset.to_owned()).set(f64::from(u8::from(is_producing)));
}

/// The dataset is this process's but could not be opened.
pub(super) fn open_failed(dataset: &str) {
    counter!(OPEN_FAILURES, "dataset" => dataset.to_owned()).increment(1);
}

/// A cycle ended.
pub(super) fn cycle(dataset: &str, ended: &'static str, took: Duration, now_ms: i64) {
    let dataset = dataset.to_owned();
    counter!(CYCLES, "dataset" => dataset.clone(), "ended" => ended).increment(1);
    histogram!(CYCLE_SECONDS, "dataset" => dataset.clone()).record(took);
    if matches!(ended, "announced" | "unchanged") {
        gauge!(FRESH_TIMESTAMP, "dataset" => dataset.clone()).set(seconds(now_ms));
    }
    if ended == "announced" {
        gauge!(ANNOUNCED_TIMESTAMP, "dataset" => dataset).set(seconds(now_ms));
    }
}

/// What a cycle of a producer did.
pub(super) fn folded(dataset: &str, progress: &Progress, announced: bool) {
    let counts = &progress.last_records;
    for (outcome, count) in [
        ("changed", counts.changed),
        ("confirmed", counts.confirmed),
        ("older", counts.older),
        ("again", counts.again),
        ("dead", counts.dead),
        ("control", counts.control),
        ("swept", counts.swept),
    ] {
        counter!(RECORDS, "dataset" => dataset.to_owned(), "outcome" => outcome).increment(count);
    }
    gauge!(BEHIND_RECORDS, "dataset" => dataset.to_owned()).set(progress.behind as f64);
    gauge!(PENDING_KEYS, "dataset" => dataset.to_owned()).set(progress.pending as f64);
    gauge!(HELD_SWEEPS, "dataset" => dataset.to_owned()).set(progress.sweeps.held().count() as f64);
    if announced {
        let Phases {
            populate_us,
            stage_us,
            verify_us,
            guard_us,
            accept_us,
            announce_us,
            snapshot_us,
        } = progress.phases;
        phases(
            dataset,
            &[
                ("populate", populate_us),
                ("stage", stage_us),
                ("verify", verify_us),
                ("guard", guard_us),
                ("accept", accept_us),
                ("announce", announce_us),
                ("snapshot", snapshot_us),
            ],
        );
    }
}

/// What a cycle of the gatekeeper said.
pub(super) fn evaluated(dataset: &str, summary: &CycleSummary) {
    gauge!(VIDEOS).set(summary.videos as f64);
    gauge!(PAIRS, "verdict" => "live").set(summary.live as f64);
    gauge!(PAIRS, "verdict" => "not_live").set(summary.not_live as f64);
    counter!(VERDICT_CHANGES, "became" => "live").increment(summary.went_live);
    counter!(VERDICT_CHANGES, "became" => "dark").increment(summary.went_dark);
    for rule in liveness::RULES {
        let blocked = summary
            .blockers
            .iter()
            .find(|blocker| blocker.code == rule.code);
        gauge!(BLOCKED_PAIRS, "blocker" => rule.code)
            .set(blocked.map_or(0, |blocker| blocker.pairs) as f64);
    }
    for input in &summary.inputs {
        gauge!(INPUT_AGE_SECONDS, "input" => input.dataset.clone()).set(seconds(input.age_ms));
    }
    let took = &summary.phases;
    phases(
        dataset,
        &[
            ("refresh", took.refresh_us),
            ("prepare", took.prepare_us),
            ("evaluate", took.evaluate_us),
            ("compare", took.compare_us),
            ("populate", took.populate_us),
            ("stage", took.stage_us),
            ("verify", took.verify_us),
            ("guard", took.guard_us),
            ("accept", took.accept_us),
            ("announce", took.announce_us),
        ],
    );
}

fn phases(dataset: &str, took: &[(&'static str, u64)]) {
    for &(phase, us) in took {
        histogram!(PHASE_SECONDS, "dataset" => dataset.to_owned(), "phase" => phase)
            .record(Duration::from_micros(us));
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
