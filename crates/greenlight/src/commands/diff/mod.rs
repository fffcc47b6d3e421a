//! `greenlight diff`: what differs between two versions of a dataset, or between an output and the follower that evaluates
//! the same inputs with other rules.

mod csv;
mod pair;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use hollow::KeyValue;
use insight::Comparison;
use insight::diff::{Change, DiffReport};
use insight::verdicts::{self, Direction, Filter, VerdictReport};
use registry::{DatasetName, Version};
use serde::Serialize;

use pair::{Asked, Pair};

use crate::cli::Globals;
use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::output::{self, grouped};
use crate::popularity::Popularity;
use crate::titles::Titles;

/// Arguments of `greenlight diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight diff liveness                                   what the newest version changed
  greenlight diff liveness --from V --to V                   any two versions of one dataset
  greenlight diff liveness preprod/liveness                  PROD and the follower, on one and the same inputs and instant
  greenlight diff liveness preprod/liveness --country FR --only live --csv
  greenlight diff liveness preprod/liveness --fail-unless-only hold.active family.none-live
Exit code 0: done; 1: something changed that --fail-unless-only does not name; 2: the command failed.")]
pub(crate) struct Arguments {
    /// The dataset, or the first of two.
    pub(crate) dataset: String,

    /// The second dataset, such as the output of a follower.
    pub(crate) other: Option<String>,

    /// The version of the first; default: the one that the other follows, or the one before --to.
    #[arg(long, value_name = "V")]
    pub(crate) from: Option<Version>,

    /// The version of the second; default: the newest.
    #[arg(long, value_name = "V")]
    pub(crate) to: Option<Version>,

    /// How many records or videos to show (totals always cover everything).
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,

    /// Only these countries.
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub(crate) country: Vec<String>,

    /// Only pairs that one of these blockers came to or went from.
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub(crate) blocker: Vec<String>,

    /// Only these videos: ids or titles.
    #[arg(long, value_name = "VIDEO", num_args = 1..)]
    pub(crate) video: Vec<String>,

    /// Only pairs that went live, or only those that went dark.
    #[arg(long)]
    pub(crate) only: Option<Only>,

    /// Show for `liveness`, too, which fields of the records differ.
    #[arg(long)]
    pub(crate) fields: bool,

    /// Print every difference as a line of CSV: pairs for `liveness`, else fields.
    #[arg(long, conflicts_with_all = ["fields", "json"])]
    pub(crate) csv: bool,

    /// Fail with exit code 1 if blockers other than these came or went anywhere, or pairs were added or removed.
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub(crate) fail_unless_only: Vec<String>,
}

/// Which flips to show.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Only {
    /// Pairs that went live.
    Live,
    /// Pairs that went dark.
    Dark,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    other: DatasetName,
    from: Version,
    to: Version,
    digest_from: String,
    digest_to: String,
    #[serde(flatten)]
    diff: DiffReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<VerdictReport>,
    /// What `--fail-unless-only` did not name, by code in pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    unexpected: Option<BTreeMap<String, u64>>,
}

/// Compares; the exit code says whether only the expected changed.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<ExitCode> {
    let connected = globals.connect()?;
    let dataset: DatasetName = arguments.dataset.parse()?;
    let other = arguments.other.as_ref().map(|other| other.parse());
    let asked = Asked {
        other: other.transpose()?.unwrap_or_else(|| dataset.clone()),
        dataset,
        from: arguments.from,
        to: arguments.to,
    };
    let pair = pair::find(&connected, asked)?;
    let titles = Titles::load(&connected, &pair.environment);
    let filter = filter(arguments, &titles)?;
    let is_liveness = pair.is_liveness();
    if !is_liveness && (is_filtered(arguments) || !arguments.fail_unless_only.is_empty()) {
        return Err(Error::NotLiveness(pair.dataset.clone()));
    }
    let comparison = pair.compare()?;
    let popularity = Popularity::load(&connected, &pair.environment);
    let unexpected = match arguments.fail_unless_only.as_slice() {
        [] => None,
        codes => Some(verdicts::unexpected(&comparison, &set(codes))?),
    };
    let exit = ExitCode::from(u8::from(
        unexpected.as_ref().is_some_and(|found| !found.is_empty()),
    ));
    if arguments.csv {
        if is_liveness {
            csv::pairs(&comparison, &filter, &titles, &popularity)?;
        } else {
            csv::fields(&comparison)?;
        }
        print_unexpected(unexpected.as_ref(), true)?;
        return Ok(exit);
    }
    let verdicts = match is_liveness {
        true => Some(verdicts::report(
            &comparison,
            &filter,
            |video| popularity.hours(video),
            arguments.limit,
        )?),
        false => None,
    };
    let shown = match is_liveness && is_filtered(arguments) {
        true => Some(videos(&comparison, &filter)?),
        false => None,
    };
    let is_shown = |key: &[KeyValue]| match (&shown, key) {
        (Some(shown), [KeyValue::Long(video)]) => shown.contains(video),
        _ => true,
    };
    let diff = DiffReport::of(&comparison, arguments.limit, is_shown)?;
    let report = Report::new(&pair, &comparison, diff, verdicts, unexpected);
    if globals.json {
        output::print_json(&report)?;
    } else {
        print(&report, &titles, arguments.fields)?;
        print_unexpected(report.unexpected.as_ref(), false)?;
    }
    Ok(exit)
}

/// Prints what a follower decides otherwise than the output that it follows, on the newest two that belong together.
pub(crate) fn print_followed(
    connected: &Connected,
    dataset: &DatasetName,
    follower: &DatasetName,
    limit: usize,
) -> Result<VerdictReport> {
    let asked = Asked {
        dataset: dataset.clone(),
        other: follower.clone(),
        from: None,
        to: None,
    };
    let pair = pair::find(connected, asked)?;
    let comparison = pair.compare()?;
    let popularity = Popularity::load(connected, &pair.environment);
    let hours = |video| popularity.hours(video);
    let verdicts = verdicts::report(&comparison, &Filter::default(), hours, limit)?;
    let diff = DiffReport::of(&comparison, 0, |_| true)?;
    let report = Report::new(&pair, &comparison, diff, Some(verdicts), None);
    print(&report, &Titles::load(connected, &pair.environment), false)?;
    Ok(report.verdicts.unwrap_or_default())
}

impl Report {
    fn new(
        pair: &Pair,
        comparison: &Comparison<'_>,
        diff: DiffReport,
        verdicts: Option<VerdictReport>,
        unexpected: Option<BTreeMap<String, u64>>,
    ) -> Self {
        Self {
            dataset: pair.dataset.clone(),
            other: pair.other.clone(),
            from: pair.before.version(),
            to: pair.after.version(),
            digest_from: comparison.before_digest.to_string(),
            digest_to: comparison.after_digest.to_string(),
            diff,
            verdicts,
            unexpected,
        }
    }
}

fn is_filtered(arguments: &Arguments) -> bool {
    let Arguments {
        country,
        blocker,
        video,
        only,
        ..
    } = arguments;
    !country.is_empty() || !blocker.is_empty() || !video.is_empty() || only.is_some()
}

fn filter(arguments: &Arguments, titles: &Titles) -> Result<Filter> {
    let videos = arguments.video.iter().map(|text| titles.video(text));
    Ok(Filter {
        countries: arguments
            .country
            .iter()
            .map(|code| code.to_uppercase())
            .collect(),
        blockers: set(&arguments.blocker),
        videos: videos.collect::<Result<_>>()?,
        only: arguments.only.map(|only| match only {
            Only::Live => Direction::Live,
            Only::Dark => Direction::Dark,
        }),
    })
}

fn set(codes: &[String]) -> BTreeSet<String> {
    codes.iter().cloned().collect()
}

/// The videos with pairs that pass the filter.
fn videos(comparison: &Comparison<'_>, filter: &Filter) -> Result<BTreeSet<i64>> {
    let mut videos = BTreeSet::new();
    verdicts::changes(comparison, filter, |pair| {
        videos.insert(pair.video);
        Ok::<(), Error>(())
    })?;
    Ok(videos)
}

fn print(report: &Report, titles: &Titles, with_fields: bool) -> Result<()> {
    let DiffReport {
        equal,
        added,
        removed,
        changed,
        ..
    } = &report.diff;
    let (dataset, from, to) = (&report.dataset, report.from, report.to);
    let ways = match report.dataset == report.other {
        true => format!("from {from} to {to}"),
        false => format!("from {from} to {} {to}", report.other),
    };
    if *equal {
        return output::print_line(&format!(
            "{dataset} {ways}: no difference; both have the digest {}",
            report.digest_to
        ));
    }
    output::print_line(&format!(
        "{dataset}: {} records added, {} removed, {} changed {ways}",
        grouped(*added as u64),
        grouped(*removed as u64),
        grouped(*changed as u64),
    ))?;
    if let Some(verdicts) = &report.verdicts {
        crate::verdicts::print(verdicts, titles)?;
    }
    if report.verdicts.is_none() || with_fields {
        print_records(&report.diff)?;
    }
    Ok(())
}

fn print_records(diff: &DiffReport) -> Result<()> {
    for record in &diff.records {
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
    let rest = (diff.added + diff.removed + diff.changed).saturating_sub(diff.records.len());
    if rest > 0 {
        output::print_line(&format!(
            "... and {} more records (--limit shows more)",
            grouped(rest as u64)
        ))?;
    }
    Ok(())
}

/// Tells what else changed; beside CSV to standard error.
fn print_unexpected(unexpected: Option<&BTreeMap<String, u64>>, beside: bool) -> Result<()> {
    let Some(unexpected) = unexpected else {
        return Ok(());
    };
    let found: Vec<String> = unexpected
        .iter()
        .map(|(code, pairs)| format!("{code} in {} pairs", grouped(*pairs)))
        .collect();
    let line = match found.as_slice() {
        [] => "nothing else changed".to_owned(),
        found => format!("changed as well: {}", found.join(", ")),
    };
    if beside {
        eprintln!("{line}");
        return Ok(());
    }
    output::print_line(&line)
}
