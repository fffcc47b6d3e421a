//! What the demo prints after each cycle of the gatekeeper.

use gatekeeper::{BlockerCount, CycleEnd, CycleSummary, InputStatus, Phases};
use serde::Serialize;

use super::preprod::Word;
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
    preprod: Option<&'a Word>,
}

#[derive(Serialize)]
struct Phase {
    phase: &'static str,
    ms: f64,
}

/// Prints cycles, one after the other.
pub(super) struct Printer {
    json: bool,
    cycles: u64,
    /// What the follower said last.
    pub(super) preprod: Option<Word>,
}

impl Printer {
    /// Prints JSON lines, or paragraphs.
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            cycles: 0,
            preprod: None,
        }
    }

    /// Prints a cycle (a line where nothing changed), and what the follower has said since the cycle before.
    pub(super) fn cycle(&mut self, summary: &CycleSummary, said: Option<Word>) -> Result<()> {
        self.cycles += 1;
        let version = |word: &Option<Word>| word.as_ref().and_then(|word| word.version);
        let is_new = said.is_some() && version(&said) != version(&self.preprod);
        self.preprod = said.or_else(|| self.preprod.take());
        if self.json {
            return print_line(summary, self.preprod.as_ref());
        }
        print_paragraph(self.cycles, summary)?;
        if let Some(word) = self.preprod.as_ref().filter(|_| is_new) {
            print_preprod(summary, word)?;
        }
        match summary.end {
            CycleEnd::Announced => output::print_line(&""),
            _ => Ok(()),
        }
    }
}

fn print_line(summary: &CycleSummary, preprod: Option<&Word>) -> Result<()> {
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
        preprod,
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
    output::print_line(&format!("  phases    {} ms", phases.join(", ")))
}

fn print_preprod(summary: &CycleSummary, word: &Word) -> Result<()> {
    let text = |version: Option<i64>| version.map_or("none".to_owned(), |v| v.to_string());
    // While PROD goes on, the follower may be a version behind: then there is nothing to compare with.
    let beside = match summary.version == word.followed {
        true => {
            let more = word.live.cast_signed() - summary.live.cast_signed();
            let how = if more < 0 { "fewer" } else { "more" };
            format!(" ({} {how} than PROD)", grouped(more.unsigned_abs()))
        }
        false => String::new(),
    };
    output::print_line(&format!(
        "  preprod   {} {} followed {}: {} pairs live{beside}",
        word.dataset,
        text(word.version),
        text(word.followed),
        grouped(word.live)
    ))
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
