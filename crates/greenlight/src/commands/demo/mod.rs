//! `greenlight demo`: the whole system in one process, everything embedded, on the recorded scenario.
//!
//! It is the same system that runs on many machines: records go through the log, producers fold them, the gatekeeper reads
//! what they announce. Only the wiring is here.

mod clock;
mod feed;
mod live;
mod progress;
mod roles;
mod rounds;
mod summary;

use std::path::Path;
use std::time::Duration;

use changelog::EmbeddedOptions;
use greenlight::scenario::Scenario;
use registry::embedded::{self, Role};

use clock::Clock;
use feed::Feed;
use roles::{Roles, Stop};

use crate::cli;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::output::{self, Instant};

/// Runs the demo until it is done (`--once`) or stopped.
pub(crate) fn run(dir: &Path, json: bool, arguments: &cli::Demo) -> Result<()> {
    let config = match &arguments.config {
        Some(dir) => Config::load(dir, &arguments.schemas)?,
        None => Config::embedded()?,
    };
    let scenario = Scenario::open(&arguments.scenario)?;
    let home = embedded::open_with(dir, &EmbeddedOptions::default())?;
    if home.role() != Role::Owner {
        let owner = std::fs::read_to_string(dir.join("greenlight.lock"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        return Err(Error::Owned {
            dir: dir.to_owned(),
            owner,
        });
    }
    let stop = Stop::on_signals()?;
    // A second start goes on where the first one's clock stood.
    let floor_ms = home
        .registry()
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
            dir.display(),
            Instant(clock.now_ms())
        ))?;
        output::print_line(
            &"greenlight status, why, show and diff work beside this process; Ctrl-C stops it\n",
        )?;
    }
    let mut feed = Feed::new(&scenario, home.log().as_ref(), &config.datasets)?;
    // What lies in the log when the producers open is their first state.
    feed.base()?;
    let in_rounds = arguments.once;
    let mut roles = Roles::open(&home, config, clock, in_rounds)?;
    let cadence = Duration::from_millis(arguments.cadence_ms);
    if in_rounds {
        rounds::run(&mut roles, &mut feed, json, &stop)
    } else {
        live::run(&mut roles, &mut feed, cadence, json, &stop)
    }
}
