//! The sweeper: every source by its interval, each in a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ingest::sweep::{Clock, JobStatus, SweepJob, SweepScheduler};
use serde::Deserialize;

use super::board::{Board, State};
use super::settings::{self, Process};
use super::{LOOK_EVERY, http, metrics, wind_down};
use crate::cli::Globals;
use crate::config;
use crate::connect::{Connected, Text, Use, wall_clock_ms};
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::sweeping::{self, Entry, Swept};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deployment: Option<Text>,
    process: Process,
    /// Where it is remembered how far sweeps have come; default: in the deployment's directory.
    state_dir: Option<Text>,
    #[serde(default, rename = "sweep")]
    sweeps: Vec<Entry>,
}

/// Runs the sweeper that the file asks for.
pub(crate) fn run(globals: &Globals, path: &Path) -> Result<()> {
    let file: File = config::load(path)?;
    let deployment = settings::deployment(globals, path, file.deployment.as_ref())?;
    let connected = Connected::open(&deployment, &Use::Run(file.process.name().to_owned()))?;
    let base = path.parent().unwrap_or(Path::new(""));
    let state_dir = file
        .state_dir
        .as_ref()
        .map_or_else(|| sweeping::state_dir(&connected), |dir| dir.path(base));
    let swept = sweeping::check(&file.sweeps, path, &state_dir, &connected)?;

    let stop = Stop::on_signals()?;
    let stopping = Arc::new(AtomicBool::new(false));
    let board = Board::new(file.process.stuck_after());
    for swept in &swept {
        board.set(&swept.spec.name, State::Starting, None);
    }
    let metrics = metrics::install()?;
    let server = http::Server::start(file.process.listen(), board.clone(), metrics, None)?;
    tracing::info!(name = file.process.name(), listen = %server.address(), datasets = swept.len(), "started");
    let jobs = swept
        .iter()
        .map(|swept| job(swept, &connected, &stopping))
        .collect::<Result<Vec<_>>>()?;
    let clock: Clock = Arc::new(wall_clock_ms);
    let scheduler = SweepScheduler::start(jobs, &clock, &stopping)?;
    let mut gone = Ok(());
    while !stop.is_set() && gone.is_ok() {
        for (swept, status) in swept.iter().zip(scheduler.status()) {
            let (state, detail) = state(&status);
            board.set(&swept.spec.name, state, detail);
        }
        stop.wait_until(Instant::now() + LOOK_EVERY);
        gone = connected.check_owner();
    }
    let stopper = std::thread::Builder::new()
        .name("stop-sweeps".to_owned())
        .spawn(move || scheduler.stop())
        .map_err(Error::Spawn)?;
    wind_down(&connected, file.process.stop_grace(), || {
        stopper.is_finished()
    });
    gone?;
    if !stopper.is_finished() {
        let swept = swept.iter().map(|swept| swept.spec.name.to_string());
        return Err(Error::Busy(swept.collect()));
    }
    tracing::info!(name = file.process.name(), "stopped");
    Ok(())
}

fn job(swept: &Swept, connected: &Connected, stop: &Arc<AtomicBool>) -> Result<SweepJob> {
    let sweeper = swept.sweeper(connected, false, stop)?;
    let last_ms = match sweeper.is_unfinished()? {
        // What was broken off goes on now.
        true => None,
        false => sweeper.last()?.map(|last| last.began_ms),
    };
    let (spec, source) = (swept.spec.clone(), swept.source.clone());
    let schemas = Arc::clone(&connected.schemas);
    Ok(SweepJob {
        name: swept.spec.name.to_string(),
        every_ms: i64::try_from(swept.every.as_millis()).unwrap_or(i64::MAX),
        last_ms,
        run: Box::new(move || {
            let mut source = source.open(&spec, &*schemas)?;
            sweeper.run(&mut *source, &mut |_| {})
        }),
    })
}

fn state(status: &JobStatus) -> (State, Option<String>) {
    match (&status.error, status.is_running, &status.last) {
        (Some(error), _, _) => (State::Failing, Some(error.clone())),
        (None, true, _) => (State::Producing, Some("a sweep is under way".to_owned())),
        (None, false, Some(last)) => {
            let detail = format!("sweep {} sent {} rows", last.sweep, last.rows);
            (State::Producing, Some(detail))
        }
        (None, false, None) => (State::Producing, None),
    }
}
