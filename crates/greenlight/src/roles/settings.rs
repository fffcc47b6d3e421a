//! The files of the roles: what is the same in all of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dataset::PublisherOptions;
use serde::Deserialize;

use crate::cli::Globals;
use crate::connect::{Deployment, Text};
use crate::error::Result;

/// The process: who it is, and how it lives and dies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Process {
    /// The owner's name of its datasets: the same after a restart, another than that of any other process.
    name: Text,
    /// Where health and metrics are served, `HOST:PORT`.
    #[serde(default = "listen")]
    listen: Text,
    /// How often ownerships are renewed.
    #[serde(default = "renew_ms")]
    renew_ms: u64,
    /// After how long a silence another owner is expired.
    #[serde(default = "silence_ms")]
    silence_ms: u64,
    /// How long a cycle under way may take to end when the process is told to stop.
    #[serde(default = "stop_grace_ms")]
    stop_grace_ms: u64,
    /// After how long a dataset that does not come to the end of a step counts as stuck.
    #[serde(default = "stuck_after_ms")]
    stuck_after_ms: u64,
}

fn listen() -> Text {
    Text::from("127.0.0.1:0")
}

fn renew_ms() -> u64 {
    milliseconds(dataset::RENEW_EVERY)
}

fn silence_ms() -> u64 {
    milliseconds(dataset::SILENCE)
}

fn stop_grace_ms() -> u64 {
    25_000
}

fn stuck_after_ms() -> u64 {
    120_000
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Process {
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn listen(&self) -> &str {
        self.listen.as_str()
    }

    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    pub(super) fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }

    pub(super) fn stuck_after(&self) -> Duration {
        Duration::from_millis(self.stuck_after_ms)
    }

    /// How its datasets are published.
    pub(super) fn publisher(&self, snapshot_every: u32) -> PublisherOptions {
        PublisherOptions {
            snapshot_every,
            renew_every: Some(Duration::from_millis(self.renew_ms)),
            ..PublisherOptions::new(self.name())
        }
    }
}

/// How often cycles begin and snapshots are written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cycles {
    /// How often a cycle begins.
    every_ms: u64,
    /// Every how many versions a snapshot is written.
    pub(super) snapshot_every: u32,
}

impl Default for Cycles {
    fn default() -> Self {
        Self {
            every_ms: 30_000,
            snapshot_every: 20,
        }
    }
}

impl Cycles {
    pub(super) fn every(self) -> Duration {
        Duration::from_millis(self.every_ms.max(100))
    }
}

/// The deployment that a role's file names, unless the command line names another.
pub(super) fn deployment(
    globals: &Globals,
    file: &Path,
    named: Option<&Text>,
) -> Result<Deployment> {
    let base = file.parent().unwrap_or(Path::new(""));
    let named: Option<PathBuf> = named.map(|named| named.path(base));
    globals.deployment_or(named.as_deref())
}
