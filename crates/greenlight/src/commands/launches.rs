//! `greenlight launches`: what will go live by itself, and what is held back although its rights begin.

use clap::Args;
use gatekeeper::{Explainer, Launches, output::NAME};
use jiff::{Span, SpanRelativeTo, Unit};
use liveness::{Country, CountrySet};
use registry::DatasetName;

use crate::cli::Globals;
use crate::error::{Error, Result};
use crate::output::{self, grouped};
use crate::verdicts::codes;

/// Arguments of `greenlight launches`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight launches --next 14d
  greenlight launches --next 36h --country JP KR
  greenlight launches --next 2w --blocked --limit 100 --json
The most viewed titles come first. A launch that is told of a show is not told again of its seasons and episodes.")]
pub(crate) struct Arguments {
    /// How far to look ahead: `14d`, `36h`, `2w 3d`.
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = span)]
    pub(crate) next: Milliseconds,

    /// Only these countries.
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub(crate) country: Vec<String>,

    /// Only what is held back.
    #[arg(long)]
    pub(crate) blocked: bool,

    /// How many launches to list.
    #[arg(long, default_value_t = 40)]
    pub(crate) limit: usize,

    /// The output whose rules decide.
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub(crate) dataset: String,
}

/// A time to look ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Milliseconds(i64);

fn span(text: &str) -> std::result::Result<Milliseconds, String> {
    let span: Span = text
        .parse()
        .map_err(|_| format!("{text:?} is no time such as 14d, 36h or 2w"))?;
    let total = span
        .total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()))
        .map_err(|error| error.to_string())?;
    match total {
        ..0.0 => Err("it must not lie in the past".to_owned()),
        total => Ok(Milliseconds(total as i64)),
    }
}

/// Lists the launches.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let countries = arguments.country.iter().map(|code| {
        let country = Country::from_code(&code.to_uppercase());
        country.ok_or_else(|| Error::UnknownCountry(code.clone()))
    });
    let countries = match arguments.country.is_empty() {
        true => CountrySet::all(),
        false => countries.collect::<Result<_>>()?,
    };
    let connected = globals.connect()?;
    let dataset: DatasetName = arguments.dataset.parse()?;
    connected.version(&dataset, None)?;
    let mut explainer = Explainer::new(&dataset, &connected.store, &connected.registry)?;
    let mut launches = explainer.launches(arguments.next.0, countries)?;
    if arguments.blocked {
        launches
            .launches
            .retain(|launch| !launch.blockers.is_empty());
    }
    let all = launches.launches.len();
    launches.launches.truncate(arguments.limit);
    if globals.json {
        return output::print_json(&launches);
    }
    print(&launches, all)
}

fn print(launches: &Launches, all: usize) -> Result<()> {
    output::print_line(&format!(
        "from {} to {} (liveness {}): {} launches, by themselves or held back\n",
        launches.now,
        launches.until,
        launches.version,
        grouped(all as u64)
    ))?;
    let mut table = output::table(
        &["at", "video", "hours viewed", "countries", "held back by"],
        &["hours viewed"],
    );
    for launch in &launches.launches {
        let name = match &launch.of {
            Some(of) => format!("{} ({}) of {of}", launch.title, launch.video),
            None => format!("{} ({})", launch.title, launch.video),
        };
        let everywhere = launch.countries.len();
        let blockers = launch.blockers.iter().map(|blocker| {
            let place = match blocker.countries.len() == everywhere {
                true => String::new(),
                false => format!(" in {}", codes(&blocker.countries)),
            };
            format!("{}{place} ({})", blocker.code, blocker.owner)
        });
        table.add_row([
            launch.at.clone(),
            name,
            grouped(u64::try_from(launch.hours_viewed).unwrap_or(0)),
            codes(&launch.countries),
            match launch.blockers.is_empty() {
                true => "nothing: launches by itself".to_owned(),
                false => blockers.collect::<Vec<_>>().join(", "),
            },
        ]);
    }
    output::print_line(&table)?;
    let rest = all - launches.launches.len();
    if rest > 0 {
        output::print_line(&format!(
            "... and {} more (--limit shows more)",
            grouped(rest as u64)
        ))?;
    }
    Ok(())
}
