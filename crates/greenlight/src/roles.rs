//! The roles: processes that run until they are told to stop, one thread of work for each dataset.
//!
//! Every dataset stands on its own: its thread waits for its ownership, opens it, works by its cadence, and begins again when
//! something is wrong with it. What is stuck or broken delays nothing but itself. A process that is told to stop ends the
//! cycles under way and resigns, so that the next owner need not wait.

mod board;
mod http;
mod metrics;
mod questions;
mod settings;
mod worker;

pub(crate) mod evaluate;
pub(crate) mod produce;
pub(crate) mod sweep;

use std::time::{Duration, Instant};

use board::{Board, State};
use questions::Questions;
use settings::Process;
use worker::{Duty, Worker};

use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// How often the process looks whether it is still of use.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long the log may take to answer a process that is told to stop, before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until `is_done`, for `grace` at most. Where the log does not answer, or time gets short, calls that wait for it are
/// broken off: an outage may outlast any grace, and nothing is lost by not waiting for its end.
fn wind_down(connected: &Connected, grace: Duration, is_done: impl Fn() -> bool) {
    let started = Instant::now();
    let mut asked = started;
    let mut is_closed = false;
    while !is_done() && started.elapsed() < grace {
        if !is_closed && asked.elapsed() > PATIENCE / 2 {
            if started.elapsed() > grace.mul_f64(0.8) || !connected.answers(PATIENCE) {
                tracing::warn!("stop without the log, which does not answer in time");
                connected.close();
                is_closed = true;
            }
            asked = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a process with these duties until it is told to stop, or has nothing left to do. Where it can answer `questions`, its
/// pages do.
///
/// # Errors
/// [`Error::Lost`] where another process has taken a dataset over; [`Error::Busy`] where a cycle did not end in time.
fn run(
    process: &Process,
    connected: &Connected,
    duties: Vec<Duty>,
    questions: Option<Questions>,
) -> Result<()> {
    let stop = Stop::on_signals()?;
    let board = Board::new(process.stuck_after());
    for duty in &duties {
        board.set(&duty.dataset, State::Starting, None);
    }
    let metrics = metrics::install()?;
    let server = http::Server::start(process.listen(), board.clone(), metrics, questions)?;
    tracing::info!(name = process.name(), listen = %server.address(), datasets = duties.len(), "started");
    let workers = duties
        .into_iter()
        .map(|duty| Worker::start(duty, process, &board, stop.clone()))
        .collect::<Result<Vec<_>>>()?;
    let mut gone = Ok(());
    while !stop.is_set() && !workers.iter().all(Worker::is_finished) {
        stop.wait_until(Instant::now() + LOOK_EVERY);
        gone = connected.check_owner();
        if gone.is_err() {
            break;
        }
    }
    stop.set();
    workers.iter().for_each(Worker::interrupt);
    wind_down(connected, process.stop_grace(), || {
        workers.iter().all(Worker::is_finished)
    });
    gone?;
    let busy: Vec<String> = workers
        .iter()
        .filter(|worker| !worker.is_finished())
        .map(|worker| worker.dataset().to_string())
        .collect();
    if !busy.is_empty() {
        return Err(Error::Busy(busy));
    }
    let lost: Vec<String> = board
        .rows()
        .into_iter()
        .filter(|row| row.state == State::Lost)
        .filter_map(|row| row.detail)
        .collect();
    if lost.is_empty() {
        tracing::info!(name = process.name(), "stopped");
        Ok(())
    } else {
        Err(Error::Lost(lost))
    }
}
