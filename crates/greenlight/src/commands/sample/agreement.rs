//! `greenlight sample agreement`: do the verdicts agree with where titles really were?

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use dataset::SubscriberOptions;
use gatekeeper::output::{NAME, ROOT_TYPE, Verdicts};
use greenlight::sample::charts;
use hollow::KeyValue;
use liveness::{Country, Outcome};
use registry::DatasetName;
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::Globals;
use crate::error::Result;
use crate::output::{self, Instant, grouped};
use crate::titles::Titles;
use crate::verdicts::codes;

/// Arguments of `greenlight sample agreement`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where titles were seen.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "replay/catalogue/charted.csv.zst"
    )]
    pub(crate) charted: PathBuf,

    /// How many titles to name.
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
}

#[derive(Default, Serialize)]
struct Report {
    version: i64,
    now: Option<Instant>,
    /// Pairs of title and country that were seen live later.
    seen: u64,
    /// Of these, the pairs that are live: both agree.
    live: u64,
    not_live: u64,
    /// Pairs that the output has no verdict for.
    no_verdict: u64,
    /// By what holds pairs back that were seen live, the most frequent first.
    blockers: Vec<Blocked>,
    /// By where the contract for the country comes from: observed, derived, drawn, or none there.
    rights: Vec<ByRights>,
    /// Titles that are held back where they were seen, in most countries first.
    titles: Vec<Title>,
}

#[derive(Default, Serialize)]
struct Blocked {
    code: String,
    /// The pairs that it holds back.
    pairs: u64,
    /// Of these, the pairs that nothing else holds back.
    alone: u64,
}

#[derive(Default, Serialize)]
struct ByRights {
    provenance: String,
    seen: u64,
    live: u64,
    /// Pairs that are not live and lack nothing but a licence window.
    no_window_alone: u64,
}

#[derive(Serialize)]
struct Title {
    video: i64,
    title: String,
    not_live: Vec<String>,
    blockers: BTreeSet<&'static str>,
}

/// Compares, and explains what does not agree.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let charted = charts::read(&arguments.charted)?;
    let connected = globals.connect()?;
    let indexed = |type_name: &str| SubscriberOptions {
        indexes: BTreeSet::from([type_name.to_owned()]),
        ..SubscriberOptions::default()
    };
    let name: DatasetName = NAME.parse()?;
    let liveness = connected.subscriber(&name, indexed(ROOT_TYPE));
    let liveness = liveness.refresh()?.after;
    let rights = connected.subscriber(&"rights".parse()?, indexed("Rights"));
    let rights = rights.refresh()?.after;
    let contracts = |video: i64| -> Result<Option<Json>> {
        match rights.find("Rights", &[KeyValue::Long(video)]) {
            Some(ordinal) => Ok(insight::record(rights.state(), "Rights", ordinal)?),
            None => Ok(None),
        }
    };
    let verdicts = Verdicts::of(liveness.state());
    let outcome = |video: i64| -> Option<Outcome> {
        let ordinal = liveness.find(ROOT_TYPE, &[KeyValue::Long(video)])?;
        Some(verdicts.as_ref()?.at(ordinal)?.1)
    };

    let mut report = Report {
        version: liveness.version().0,
        now: gatekeeper::Basis::from_tags(liveness.version(), liveness.state().header_tags())
            .ok()
            .map(|basis| Instant(basis.now_ms)),
        ..Report::default()
    };
    let mut blockers: BTreeMap<&'static str, Blocked> = BTreeMap::new();
    let mut by_rights: BTreeMap<String, ByRights> = BTreeMap::new();
    let titles = Titles::load(&connected, name.environment());
    for pairs in charted.chunk_by(|a, b| a.video == b.video) {
        let video = pairs[0].video;
        let outcome = outcome(video);
        let contracts = contracts(video)?;
        let mut held = Title {
            video,
            title: titles.title(video),
            not_live: Vec::new(),
            blockers: BTreeSet::new(),
        };
        for pair in pairs {
            let row = by_rights.entry(provenance(contracts.as_ref(), &pair.country));
            let row = row.or_default();
            report.seen += 1;
            row.seen += 1;
            let country = Country::from_code(&pair.country);
            let groups = outcome.iter().flat_map(|outcome| &outcome.groups);
            let mut groups = groups.filter(|group| {
                country.is_some_and(|country| group.countries.iter().any(|it| it == country))
            });
            let Some(group) = groups.next() else {
                report.no_verdict += 1;
                continue;
            };
            if group.live {
                report.live += 1;
                row.live += 1;
                continue;
            }
            report.not_live += 1;
            held.not_live.push(pair.country.clone());
            let codes: Vec<&'static str> = group.blockers.codes().collect();
            for &code in &codes {
                let blocked = blockers.entry(code).or_default();
                blocked.pairs += 1;
                blocked.alone += u64::from(codes.len() == 1);
            }
            row.no_window_alone += u64::from(codes == ["rights.no-window"]);
            held.blockers.extend(codes);
        }
        if !held.not_live.is_empty() {
            report.titles.push(held);
        }
    }
    let named = |(code, blocked): (&str, Blocked)| Blocked {
        code: code.to_owned(),
        ..blocked
    };
    report.blockers = blockers.into_iter().map(named).collect();
    report.blockers.sort_by_key(|it| Reverse(it.pairs));
    let named = |(provenance, row)| ByRights { provenance, ..row };
    report.rights = by_rights.into_iter().map(named).collect();
    report.titles.sort_by_key(|it| Reverse(it.not_live.len()));
    report.titles.truncate(arguments.limit);
    if globals.json {
        return output::print_json(&report);
    }
    print(&report)
}

/// Where the newest contract of a country comes from.
fn provenance(contracts: Option<&Json>, country: &str) -> String {
    let windows = contracts.and_then(|record| record["windows"].as_array());
    let covers = |window: &&Json| {
        let countries = window["countries"].as_array();
        countries.is_some_and(|countries| countries.iter().any(|it| it == country))
    };
    let newest = windows
        .into_iter()
        .flatten()
        .filter(covers)
        .max_by_key(|window| window["start"].as_i64());
    let text = newest.and_then(|window| window["provenance"].as_str());
    text.unwrap_or("none there").to_owned()
}

fn print(report: &Report) -> Result<()> {
    let share = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
    output::print_line(&format!(
        "liveness {} and the weekly top ten of later weeks: {} of {} pairs agree ({:.1} %); {} are held back, {} have no verdict\n",
        report.version,
        grouped(report.live),
        grouped(report.seen),
        share(report.live, report.seen),
        grouped(report.not_live),
        grouped(report.no_verdict)
    ))?;
    let header = ["held back by", "pairs", "by it alone"];
    let mut table = output::table(&header, &header[1..]);
    for row in &report.blockers {
        table.add_row([row.code.clone(), grouped(row.pairs), grouped(row.alone)]);
    }
    output::print_line(&format!("{table}\n"))?;
    let header = [
        "contracts are",
        "pairs seen",
        "live",
        "%",
        "no window alone",
    ];
    let mut table = output::table(&header, &header[1..]);
    for row in &report.rights {
        table.add_row([
            row.provenance.clone(),
            grouped(row.seen),
            grouped(row.live),
            format!("{:.1}", share(row.live, row.seen)),
            grouped(row.no_window_alone),
        ]);
    }
    output::print_line(&format!("{table}\n"))?;
    let header = ["held back where it was seen", "countries", "", "by"];
    let mut table = output::table(&header, &header[1..2]);
    for row in &report.titles {
        table.add_row([
            format!("{} ({})", row.title, row.video),
            grouped(row.not_live.len() as u64),
            codes(&row.not_live),
            row.blockers.iter().copied().collect::<Vec<_>>().join(" "),
        ]);
    }
    output::print_line(&table)
}
