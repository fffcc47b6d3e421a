//! `greenlight diff`.

use clap::Args;
use dataset::SubscriberOptions;
use hollow::sums::Digest;
use insight::Comparison;
use insight::diff::{Change, DiffReport};
use insight::verdicts::{Filter, VerdictReport};
use registry::{DatasetName, Version};
use serde::Serialize;

use crate::cli::Globals;
use crate::error::Result;
use crate::output::{self, grouped};
use crate::popularity::Popularity;

/// Arguments of `greenlight diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight diff liveness --from 20210308000000000 --to 20210308000000004
  greenlight diff ratings --from V --to V --limit 5 --json")]
pub(crate) struct Arguments {
    /// The dataset.
    pub(crate) dataset: String,

    /// The earlier version.
    #[arg(long, value_name = "V")]
    pub(crate) from: Version,

    /// The later version.
    #[arg(long, value_name = "V")]
    pub(crate) to: Version,

    /// How many records to show in full (totals always cover everything).
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    from: Version,
    to: Version,
    #[serde(flatten)]
    diff: DiffReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<VerdictReport>,
}

/// Compares two versions of a dataset.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let name: DatasetName = arguments.dataset.parse()?;
    let connected = globals.connect()?;
    let from = connected.version(&name, Some(arguments.from))?;
    let to = connected.version(&name, Some(arguments.to))?;
    let subscriber = connected.subscriber(&name, SubscriberOptions::default());
    // The second view is reached from the first along the chain, so that both share what did not change.
    let before = subscriber.move_to(from)?.after;
    let after = subscriber.open_at(to)?;
    let comparison = if before.info().chain == after.info().chain {
        let digest = Digest(before.info().sums.digest.0);
        Comparison::within_chain(before.state(), after.state(), digest)?
    } else {
        Comparison::new(before.state(), after.state())?
    };
    let verdicts = if name.name() == "liveness" {
        let popularity = Popularity::load(&connected, name.environment());
        Some(insight::verdicts::report(
            &comparison,
            &Filter::default(),
            |video| popularity.hours(video),
            arguments.limit,
        )?)
    } else {
        None
    };
    let report = Report {
        diff: DiffReport::of(&comparison, arguments.limit, |_| true)?,
        dataset: name,
        from,
        to,
        verdicts,
    };
    if globals.json {
        return output::print_json(&report);
    }
    print(&report)
}

fn print(report: &Report) -> Result<()> {
    let DiffReport {
        equal,
        added,
        removed,
        changed,
        records,
    } = &report.diff;
    if *equal {
        return output::print_line(&format!(
            "{}: {} and {} hold the same records (equal digests)",
            report.dataset, report.from, report.to
        ));
    }
    output::print_line(&format!(
        "{}: {} records added, {} removed, {} changed from {} to {}",
        report.dataset,
        grouped(*added as u64),
        grouped(*removed as u64),
        grouped(*changed as u64),
        report.from,
        report.to
    ))?;
    if let Some(verdicts) = &report.verdicts {
        return print_verdicts(verdicts);
    }
    for record in records {
        let sign = match record.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        output::print_line(&format!("{sign} {}", record.key))?;
        for field in &record.fields {
            output::print_line(&format!(
                "    {}: {} -> {}",
                field.path, field.before, field.after
            ))?;
        }
    }
    let rest = (added + removed + changed).saturating_sub(records.len());
    if rest > 0 {
        output::print_line(&format!(
            "... and {} more records (--limit shows more)",
            grouped(rest as u64)
        ))?;
    }
    Ok(())
}

fn print_verdicts(verdicts: &VerdictReport) -> Result<()> {
    output::print_line(&format!(
        "verdicts: {} pairs went live, {} went dark\n",
        grouped(verdicts.went_live),
        grouped(verdicts.went_dark)
    ))?;
    for (title, flips) in [
        ("blocker", &verdicts.blockers),
        ("country", &verdicts.countries),
    ] {
        let mut table = output::table(
            &[title, "went live", "went dark"],
            &["went live", "went dark"],
        );
        for row in flips.iter().take(10) {
            table.add_row([
                row.name.clone(),
                grouped(row.count.went_live),
                grouped(row.count.went_dark),
            ]);
        }
        output::print_line(&format!("{table}\n"))?;
    }
    let mut table = output::table(
        &["video", "hours viewed", "went live in", "went dark in"],
        &["hours viewed"],
    );
    for row in &verdicts.videos {
        table.add_row([
            row.video.to_string(),
            grouped(row.weight),
            countries(&row.went_live),
            countries(&row.went_dark),
        ]);
    }
    output::print_line(&table)
}

/// The first few countries and how many more there are.
fn countries(codes: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = codes
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    if codes.len() > SHOWN {
        text.push_str(&format!(" +{}", codes.len() - SHOWN));
    }
    text
}
