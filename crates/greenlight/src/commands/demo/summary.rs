//! What the demo prints after each cycle of the gatekeeper.

use gatekeeper::{BlockerCount, CycleEnd, CycleSummary, InputStatus, Phases};
use serde::Serialize;

use crate::error::Result;
use crate::output::{self, Instant, duration, grouped};

/// Blockers to name; the rest is in `--json`.
const TOP_BLOCKERS: usize = 5;

#[derive(Serialize)]
struct Line<'a> {
    version: Option<i64>,
    now: Instant,
    unchanged: bool,
    inputs: &'a [InputStatus],
    videos: u64,
    titles: u64,
    countries: u64,
    pairs: u64,
    live: u64,
    not_live: u64,
    went_live: u64,
    went_dark: u64,
    records_changed: u64,
    blockers: &'a [BlockerCount],
    phases: Vec<Phase>,
}

#[derive(Serialize)]
struct Phase {
    phase: &'static str,
    ms: f64,
}

/// Prints one cycle: a JSON line, or a paragraph (a line where nothing changed).
pub(super) fn print(cycle: u64, summary: &CycleSummary, json: bool) -> Result<()> {
    if json {
        print_line(summary)
    } else {
        print_paragraph(cycle, summary)
    }
}

fn print_line(summary: &CycleSummary) -> Result<()> {
    let line = Line {
        version: summary.version,
        now: Instant(summary.now_ms),
        unchanged: summary.end != CycleEnd::Announced,
        inputs: &summary.inputs,
        videos: summary.videos,
        titles: summary.titles,
        countries: summary.countries,
        pairs: summary.pairs,
        live: summary.live,
        not_live: summary.not_live,
        went_live: summary.went_live,
        went_dark: summary.went_dark,
        records_changed: summary.records_changed,
        blockers: &summary.blockers,
        phases: phases(&summary.phases),
    };
    output::print_line(&serde_json::to_string(&line).map_err(crate::error::Error::Json)?)
}

fn print_paragraph(cycle: u64, summary: &CycleSummary) -> Result<()> {
    let now = Instant(summary.now_ms);
    let evaluated = format!(
        "{} videos × {} countries in {:.0} ms",
        grouped(summary.videos),
        summary.countries,
        milliseconds(summary.phases.evaluate_us)
    );
    let version = summary
        .version
        .map_or("none".to_owned(), |version| version.to_string());
    let head = format!("cycle {cycle:<4} {now}");
    match &summary.end {
        CycleEnd::Unchanged | CycleEnd::Idle => {
            return output::print_line(&format!(
                "{head}  unchanged: liveness {version}, {evaluated}"
            ));
        }
        CycleEnd::RolledBack { reason } => {
            return output::print_line(&format!(
                "{head}  rolled back, liveness stays {version}: {reason}"
            ));
        }
        CycleEnd::Announced => {}
    }
    output::print_line(&format!(
        "{head}  announced liveness {version}, {evaluated}"
    ))?;
    let share = summary.live as f64 * 100.0 / (summary.pairs.max(1)) as f64;
    output::print_line(&format!(
        "  live      {} pairs ({share:.1} %), not live {}; since the last cycle {} went live, {} went dark, {} records changed",
        grouped(summary.live),
        grouped(summary.not_live),
        grouped(summary.went_live),
        grouped(summary.went_dark),
        grouped(summary.records_changed)
    ))?;
    let blockers: Vec<String> = summary
        .blockers
        .iter()
        .take(TOP_BLOCKERS)
        .map(|blocker| format!("{} {}", blocker.code, grouped(blocker.pairs)))
        .collect();
    output::print_line(&format!("  blockers  {}", blockers.join(", ")))?;
    let inputs: Vec<String> = summary
        .inputs
        .iter()
        .map(|input| {
            let failure = input.failure.as_ref().map_or(String::new(), |failure| {
                format!(", NOT REFRESHED: {failure}")
            });
            format!(
                "{} {} ({}{failure})",
                input.dataset,
                input.version,
                duration(input.age_ms)
            )
        })
        .collect();
    for (index, row) in inputs.chunks(3).enumerate() {
        let title = if index == 0 { "inputs" } else { "" };
        output::print_line(&format!("  {title:<8}  {}", row.join(", ")))?;
    }
    let phases: Vec<String> = phases(&summary.phases)
        .iter()
        .map(|phase| format!("{} {:.1}", phase.phase, phase.ms))
        .collect();
    output::print_line(&format!("  phases    {} ms\n", phases.join(", ")))
}

fn phases(phases: &Phases) -> Vec<Phase> {
    [
        ("refresh", phases.refresh_us),
        ("prepare", phases.prepare_us),
        ("evaluate", phases.evaluate_us),
        ("compare", phases.compare_us),
        ("populate", phases.populate_us),
        ("stage", phases.stage_us),
        ("verify", phases.verify_us),
        ("guard", phases.guard_us),
        ("accept", phases.accept_us),
        ("announce", phases.announce_us),
        ("total", phases.total_us),
    ]
    .map(|(phase, us)| Phase {
        phase,
        ms: milliseconds(us),
    })
    .into()
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}
