//! The demo's second gatekeeper: PREPROD, which follows PROD with a rule changed.
//!
//! It says what the change would do while PROD runs, and at the end of the demo the difference is told as `greenlight diff`
//! tells it. What goes wrong with it is no reason for PROD to stop.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use dataset::PublisherOptions;
use gatekeeper::{CycleEnd, CycleSummary, Follow, Gatekeeper, GatekeeperOptions};
use liveness::Configuration;
use registry::DatasetName;
use serde::Serialize;

use super::clock::Clock;
use super::roles;
use crate::commands::diff;
use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::output;
use crate::roles::evaluate::CODE_REVISION;
use crate::stop::Stop;

/// How many titles the difference names at the end of the demo.
const TITLES: usize = 10;

/// The follower.
pub(super) struct Preprod {
    gatekeeper: Gatekeeper,
    output: DatasetName,
    changed_rules: Vec<String>,
}

/// What a cycle of the follower has to tell.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Word {
    /// Its output.
    pub(super) dataset: DatasetName,
    /// The version that holds after the cycle.
    pub(super) version: Option<i64>,
    /// The version of PROD's output that was followed.
    pub(super) followed: Option<i64>,
    /// The codes of the rules that are set otherwise than PROD's.
    pub(super) changed_rules: Vec<String>,
    /// The pairs that are live under its rules.
    pub(super) live: u64,
}

impl Preprod {
    /// Opens the follower of `followed`, where it stood; its rules are PROD's but for `changed_rules`.
    pub(super) fn open(
        connected: &Connected,
        followed: &DatasetName,
        changed_rules: Configuration,
        publisher: PublisherOptions,
        now_ms: i64,
    ) -> Result<Self> {
        let output: DatasetName = "preprod/liveness".parse()?;
        let mut rules = connected.rules.clone();
        let codes = changed_rules.rules.keys().cloned().collect();
        rules.rules.extend(changed_rules.rules);
        let options = GatekeeperOptions {
            output: output.clone(),
            follow: Some(Follow::new(followed.clone())),
            configuration: rules,
            code_revision: CODE_REVISION.to_owned(),
            publisher,
        };
        let gatekeeper = Gatekeeper::open(options, &connected.store, &connected.registry, now_ms)?;
        Ok(Self {
            gatekeeper,
            output,
            changed_rules: codes,
        })
    }

    /// Evaluates PROD's newest version with the other rules; `None` where there is nothing new to follow.
    pub(super) fn cycle(&mut self, now_ms: i64) -> Result<Option<Word>> {
        match self.gatekeeper.cycle(now_ms) {
            Ok(summary) if summary.end == CycleEnd::Idle => Ok(None),
            Ok(summary) => Ok(Some(self.word(&summary))),
            Err(error) if error.is_nothing_to_follow() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Follows by `cadence` until told to stop, and says what came of it.
    pub(super) fn follow(
        mut self,
        clock: &Clock,
        cadence: Duration,
        stop: &Stop,
        said: &Sender<Word>,
    ) {
        while !stop.is_set() {
            let due = Instant::now() + cadence;
            match self.cycle(clock.now_ms()) {
                // Nobody listens where the demo is about to end.
                Ok(word) => word.into_iter().for_each(|word| drop(said.send(word))),
                Err(error) => {
                    let reason = error.with_causes();
                    tracing::warn!(dataset = %self.output, reason, "follow PROD; PROD goes on without");
                    if error.is_lost() {
                        return;
                    }
                }
            }
            stop.wait_until(due);
        }
        self.resign(clock.now_ms());
    }

    /// Gives up the dataset.
    pub(super) fn resign(self, now_ms: i64) {
        let resigned = self.gatekeeper.resign(now_ms).map_err(Error::from);
        roles::resigned(&self.output, resigned);
    }

    fn word(&self, summary: &CycleSummary) -> Word {
        Word {
            dataset: self.output.clone(),
            version: summary.version,
            followed: (summary.followed.as_ref()).map(|followed| followed.version.0),
            changed_rules: self.changed_rules.clone(),
            live: summary.live,
        }
    }
}

/// Prints what the changed rules do to PROD's newest version that was followed, and how to find out why.
pub(super) fn print_difference(
    connected: &Connected,
    followed: &DatasetName,
    word: &Word,
) -> Result<()> {
    output::print_line(&format!(
        "PREPROD, with other rules ({}), decides otherwise than PROD on the same inputs at the same instant:\n",
        word.changed_rules.join(", ")
    ))?;
    let verdicts = diff::print_followed(connected, followed, &word.dataset, TITLES)?;
    let Some(first) = verdicts.videos.first() else {
        return Ok(());
    };
    let country = first.went_live.iter().chain(&first.went_dark).next();
    let (video, country) = (first.video, country.map_or("US", String::as_str));
    let dir = match &connected.place.directory {
        Some(dir) if dir.as_os_str() != "data" => format!(" --dir {}", dir.display()),
        _ => String::new(),
    };
    output::print_line(&format!(
        "To find out why:\n  \
         greenlight why {video} {country}{dir}\n  \
         greenlight why {video} {country} --dataset {}{dir}\n  \
         greenlight diff liveness {} --video {video}{dir}",
        word.dataset, word.dataset
    ))
}
