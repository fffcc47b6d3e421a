//! Our gatekeeper on a copy of a published catalogue.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dataset::{PublisherOptions, Snapshots, Version, load_state};
use gatekeeper::{CycleEnd, CycleSummary, Follow, Gatekeeper, GatekeeperOptions};
use hollow::ReadState;
use liveness::Configuration;

use crate::published::{NOW_MS, Run, STEPS};
use crate::{Error, Result, io};

const MINUTE_MS: i64 = 60_000;
/// What is published.
pub const OUTPUT: &str = "prod/liveness";

/// Where a gatekeeper is: the steps of its inputs, and the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Steps from the first version of all inputs but policies.
    pub step: usize,
    /// The same of policies.
    pub policies: usize,
    /// The clock.
    pub now_ms: i64,
}

impl At {
    /// The first versions, at the catalogue's instant.
    #[must_use]
    pub fn start() -> Self {
        Self {
            step: 0,
            policies: 0,
            now_ms: NOW_MS,
        }
    }

    /// The `cycle`-th cycle, from 1, of those that change all inputs: along the steps and back, again and again, a minute each.
    #[must_use]
    pub fn cycle(cycle: usize) -> Self {
        let steps = STEPS as usize;
        let place = cycle % (2 * steps);
        Self {
            step: if place <= steps {
                place
            } else {
                2 * steps - place
            },
            now_ms: NOW_MS + cycle as i64 * MINUTE_MS,
            ..Self::start()
        }
    }

    /// The same, in which one policy changes and nothing else.
    #[must_use]
    pub fn policy_cycle(cycle: usize) -> Self {
        Self {
            policies: cycle % 2,
            now_ms: NOW_MS + cycle as i64 * MINUTE_MS,
            ..Self::start()
        }
    }

    /// The same, in which no input changes.
    #[must_use]
    pub fn idle(cycle: usize) -> Self {
        Self {
            now_ms: NOW_MS + cycle as i64 * MINUTE_MS,
            ..Self::start()
        }
    }
}

/// A gatekeeper of ours, and what it reads and writes.
pub struct Ours {
    /// Dropped before the directory that it uses.
    gatekeeper: Gatekeeper,
    run: Run,
}

impl Ours {
    /// Opens one on a copy; nothing is loaded yet.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub fn new(run: Run) -> Result<Self> {
        let gatekeeper = open(&run, OUTPUT, None, &Configuration::default())?;
        Ok(Self { gatekeeper, run })
    }

    /// The copy.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Runs a cycle; how long it took, in milliseconds, and what it says. Pinning the inputs' versions is not part of it.
    ///
    /// # Errors
    /// Those of the cycle.
    pub fn cycle(&mut self, at: At) -> Result<(f64, CycleSummary)> {
        self.run
            .pin(&self.run.contents().at(at.step, at.policies))?;
        let start = Instant::now();
        let summary = self.gatekeeper.cycle(at.now_ms)?;
        let millis = start.elapsed().as_secs_f64() * 1e3;
        match summary.end {
            _ if summary.now_ms != at.now_ms => Err(Error::Wrong(format!(
                "evaluated at {}, not at {}",
                summary.now_ms, at.now_ms
            ))),
            CycleEnd::RolledBack { ref reason } => Err(Error::Wrong(reason.clone())),
            _ => Ok((millis, summary)),
        }
    }

    /// The output's newest state.
    ///
    /// # Errors
    /// Where there is none.
    pub fn state(&self) -> Result<ReadState> {
        let version = self.gatekeeper.version();
        state(&self.run, OUTPUT, version)
    }

    /// The outputs of the default rules and of rules that lack one, as two snapshots of different chains.
    ///
    /// # Errors
    /// Those of the cycles.
    pub fn without_rule(&mut self, code: &str) -> Result<[PathBuf; 2]> {
        const OTHER: &str = "preprod/liveness";
        let configuration = format!(r#"{{"rules":{{"{code}":{{"enabled":false}}}}}}"#);
        let configuration = serde_json::from_str(&configuration)
            .map_err(|error| Error::Wrong(error.to_string()))?;
        let mut follower = open(&self.run, OTHER, Some(OUTPUT), &configuration)?;
        follower.cycle(NOW_MS)?;
        let snapshot = |dataset: &str, version: Option<Version>| {
            let version = version.map_or(0, |version| version.0);
            let blobs = self.run.blobs("liveness");
            let blobs = match dataset == OTHER {
                true => blobs.join("../../preprod/liveness"),
                false => blobs,
            };
            let path = blobs.join(format!("snapshot-{version}"));
            fs::metadata(&path)
                .map(|_| path.clone())
                .map_err(io(format!("find {}", path.display())))
        };
        Ok([
            snapshot(OUTPUT, self.gatekeeper.version())?,
            snapshot(OTHER, follower.version())?,
        ])
    }
}

fn open(
    run: &Run,
    output: &str,
    follow: Option<&str>,
    configuration: &Configuration,
) -> Result<Gatekeeper> {
    let name = |name: &str| {
        name.parse()
            .map_err(|_| Error::Wrong(format!("{name} is no dataset")))
    };
    let options = GatekeeperOptions {
        output: name(output)?,
        follow: follow.map(name).transpose()?.map(Follow::new),
        configuration: configuration.clone(),
        code_revision: "bench".to_owned(),
        publisher: PublisherOptions {
            snapshots: Snapshots::Background,
            ..PublisherOptions::new("bench")
        },
    };
    Ok(Gatekeeper::open(
        options,
        run.store(),
        run.registry(),
        NOW_MS,
    )?)
}

fn state(run: &Run, dataset: &str, version: Option<Version>) -> Result<ReadState> {
    let dataset = dataset
        .parse()
        .map_err(|_| Error::Wrong(format!("{dataset} is no dataset")))?;
    let version = version.ok_or_else(|| Error::Wrong(format!("{dataset} has no version")))?;
    Ok(load_state(run.store(), run.registry(), &dataset, version)?)
}

/// A state from the blob of a snapshot.
///
/// # Errors
/// Where it can't be read.
pub fn read_snapshot(path: &Path) -> Result<ReadState> {
    let bytes = fs::read(path).map_err(io(format!("read {}", path.display())))?;
    Ok(ReadState::from_snapshot(
        &bytes[..],
        &hollow::Filter::all(),
    )?)
}
