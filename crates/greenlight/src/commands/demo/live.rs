//! The demo as a service: every producer in a thread of its own, the gatekeeper on its cadence, the follower behind it, the
//! changes fed meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use ingest::ProducerThread;

use super::feed::Feed;
use super::preprod::Word;
use super::roles::Roles;
use super::summary::Printer;
use crate::commands::progress;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// Runs until asked to stop.
pub(super) fn run(
    roles: &mut Roles,
    feed: &mut Feed<'_>,
    cadence: Duration,
    printer: &mut Printer,
    stop: &Stop,
) -> Result<()> {
    let producers = roles.start_producers(cadence)?;
    let (preprod, clock) = (roles.preprod.take(), Arc::clone(&roles.clock));
    let (said, words) = mpsc::channel();
    let ran = thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let fed = feed.changes_slowly(cadence, stop);
            if fed.is_err() {
                stop.set();
            }
            fed
        });
        if let Some(preprod) = preprod {
            scope.spawn(move || preprod.follow(&clock, cadence, stop, &said));
        }
        let evaluated = evaluate(roles, &producers, cadence, printer, &words, stop);
        stop.set();
        evaluated.and(feeder.join().map_err(|_| Error::Thread("feeder"))?)
    });
    for producer in &producers {
        producer.request_stop();
    }
    let mut stopped = Ok(());
    for producer in producers {
        match producer.stop() {
            Ok(producer) => roles.take_back(producer),
            Err(error) => stopped = stopped.and(Err(error.into())),
        }
    }
    ran.and(stopped)
}

fn evaluate(
    roles: &mut Roles,
    producers: &[ProducerThread],
    cadence: Duration,
    printer: &mut Printer,
    words: &Receiver<Word>,
    stop: &Stop,
) -> Result<()> {
    let waiting = progress::steps("waiting for first states", producers.len() as u64);
    let mut due = Instant::now();
    // A producer ends by itself only when another has taken over; what it says is reported when it is joined.
    while !stop.is_set() && !producers.iter().any(ProducerThread::is_finished) {
        match roles.gatekeeper.cycle(roles.clock.now_ms()) {
            Ok(outcome) => {
                waiting.finish_and_clear();
                printer.cycle(&outcome, words.try_iter().last())?;
            }
            Err(error) => match error.missing() {
                Some(inputs) => {
                    waiting.set_position(producers.len().saturating_sub(inputs.len()) as u64);
                }
                None => return Err(error.into()),
            },
        }
        due = (due + cadence).max(Instant::now());
        stop.wait_until(due);
    }
    Ok(())
}
