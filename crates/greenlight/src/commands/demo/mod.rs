//! `greenlight demo`: the whole system in one process, everything embedded, on the recorded scenario.
//!
//! It is the same system that runs on many machines: records go through the log, producers fold them, the gatekeeper reads
//! what they announce, and a second one follows it with a rule changed. Only the wiring is here.

mod clock;
mod feed;
mod live;
mod preprod;
mod roles;
mod rounds;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use greenlight::scenario::Scenario;

use clock::Clock;
use feed::Feed;
use roles::Roles;
use summary::Printer;

use crate::cli::Globals;
use crate::config::{self, ConfigFiles};
use crate::connect::{Connected, Use};
use crate::error::{Error, Result};
use crate::output::{self, Instant};
use crate::stop::Stop;

/// Arguments of `greenlight demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight demo                                   run until Ctrl-C; a second start goes on from disk
  greenlight demo --once                            everything once, then exit 0
  greenlight demo --once --now 2021-03-08T00:00:00Z a fixed clock: two such runs write byte-identical blobs")]
pub(crate) struct Arguments {
    /// Load everything, run every round, then exit.
    #[arg(long)]
    pub(crate) once: bool,

    /// Stop the clock at this instant (RFC 3339) and run in rounds; default: a running clock that starts on the scenario's day.
    #[arg(long, value_name = "T")]
    pub(crate) now: Option<Instant>,

    /// How often producers and gatekeeper run, in milliseconds (100 to 600000).
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub(crate) cadence_ms: u64,

    /// How many times faster than real time the demo's clock runs (1 to 86400).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) clock_speed: u32,

    /// The directory with datasets.toml and rules.toml; default: those that the directory ran with before,
    /// or else those of `config/`, as compiled in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,

    /// The directory with the Avro schemas that --config names.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "schemas",
        requires = "config"
    )]
    pub(crate) schemas: PathBuf,

    /// The rules that PREPROD changes, a file like rules.toml; default: config/preprod/rules.toml as compiled in.
    #[arg(long, value_name = "FILE")]
    pub(crate) preprod_rules: Option<PathBuf>,

    /// The scenario's directory.
    #[arg(long, value_name = "DIR", default_value = "replay/catalogue")]
    pub(crate) scenario: PathBuf,
}

/// Runs the demo until it is done (`--once`) or stopped.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    let json = globals.json;
    let mut deployment = globals.deployment()?;
    if let Some(config) = &arguments.config {
        deployment.config = Some(ConfigFiles::of(config, &arguments.schemas));
    }
    let scenario = Scenario::open(&arguments.scenario)?;
    let changed_rules = config::changed_rules(arguments.preprod_rules.as_deref())?;
    let connected = Connected::open(&deployment, &Use::Demo)?;
    if connected.is_client() {
        return Err(Error::Owned {
            dir: connected.place.to_string(),
            owner: connected.owner_pid(),
        });
    }
    let stop = Stop::on_signals()?;
    // A second start goes on where the first one's clock stood.
    let floor_ms = connected
        .registry
        .datasets()?
        .iter()
        .map(|info| info.now_floor_ms)
        .max()
        .unwrap_or(0);
    let clock = match arguments.now {
        Some(now) => Clock::stopped(now.0),
        None => Clock::running(
            scenario.manifest().clock_ms.max(floor_ms),
            arguments.clock_speed,
        ),
    };
    if !json {
        output::print_line(&format!(
            "scenario {}, data in {}, clock at {}",
            scenario.manifest().name,
            connected.place,
            Instant(clock.now_ms())
        ))?;
        output::print_line(
            &"greenlight status, why, show and diff work beside this process; Ctrl-C stops it\n",
        )?;
    }
    let mut feed = Feed::new(&scenario, &connected)?;
    // What lies in the log when the producers open is their first state.
    feed.base()?;
    let in_rounds = arguments.once;
    let mut roles = Roles::open(&connected, clock, changed_rules, in_rounds)?;
    let mut printer = Printer::new(json);
    let ran = if in_rounds {
        rounds::run(&mut roles, &mut feed, &mut printer, &stop)
    } else {
        let cadence = Duration::from_millis(arguments.cadence_ms);
        live::run(&mut roles, &mut feed, cadence, &mut printer, &stop)
    };
    let output = roles.output.clone();
    roles.resign();
    ran?;
    match printer.preprod {
        Some(word) if !json => preprod::print_difference(&connected, &output, &word),
        _ => Ok(()),
    }
}
