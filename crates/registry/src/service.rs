//! The registry on the socket of the directory's owner, and the registry of another process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use changelog::socket::{Call, Client, Handler, from_bytes, to_bytes};
use serde::{Deserialize, Serialize};

use crate::{
    Command, DatasetInfo, DatasetName, Error, Outcome, Registry, Result, Version, VersionInfo,
    Versions,
};

/// How often a waiting call looks whether the server stops.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How long the owner lets one call wait before it answers and the client asks again.
const WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
enum Question {
    Submit(Command),
    CatchUp,
    Datasets,
    Dataset(DatasetName),
    Version(DatasetName, Version),
    Versions(DatasetName, Versions),
    Wait { seen: i64, timeout_ms: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Outcome(Outcome),
    CaughtUp,
    Datasets(Vec<DatasetInfo>),
    Dataset(Option<DatasetInfo>),
    Versions(Vec<VersionInfo>),
    Applied(i64),
}

/// Serves a registry to other processes; see [`changelog::socket::Server`].
pub struct RegistryService {
    registry: Arc<dyn Registry>,
}

impl RegistryService {
    /// The name under which the service is registered with the server.
    pub const NAME: &'static str = "registry";

    /// A service over `registry`.
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry }
    }

    fn answer(&self, call: &Call<'_>, question: &Question) -> Result<Answer> {
        let registry = &self.registry;
        Ok(match question {
            Question::Submit(command) => Answer::Outcome(registry.submit(command)?),
            Question::CatchUp => {
                registry.catch_up()?;
                Answer::CaughtUp
            }
            Question::Datasets => Answer::Datasets(registry.datasets()?),
            Question::Dataset(name) => Answer::Dataset(registry.dataset(name)?),
            Question::Version(name, version) => {
                Answer::Versions(registry.version(name, *version)?.into_iter().collect())
            }
            Question::Versions(name, selection) => {
                Answer::Versions(registry.versions(name, selection)?)
            }
            Question::Wait { seen, timeout_ms } => {
                let started = Instant::now();
                let timeout = Duration::from_millis(*timeout_ms).min(WAIT_MAX);
                loop {
                    let left = timeout.saturating_sub(started.elapsed());
                    let applied = registry.wait(*seen, left.min(STOP_CHECK))?;
                    if applied > *seen || left.is_zero() || call.stopping() {
                        break Answer::Applied(applied);
                    }
                }
            }
        })
    }
}

impl Handler for RegistryService {
    fn handle(&self, call: &Call<'_>, body: &[u8]) -> std::result::Result<Vec<u8>, String> {
        let answer = self
            .answer(call, &from_bytes(body)?)
            .map_err(|error| with_sources(&error))?;
        to_bytes(&answer)
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}

/// The registry of the process that serves it on a socket.
pub struct RemoteRegistry {
    client: Arc<Client>,
}

impl RemoteRegistry {
    /// Uses a client that others may use as well.
    pub fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    fn ask(&self, question: &Question) -> Result<Answer> {
        Ok(self.client.call(RegistryService::NAME, question)?)
    }

    fn unexpected<T>(&self, answer: &Answer) -> Result<T> {
        let path = self.client.path().display();
        Err(Error::Encoding {
            what: format!("the answer of {path}"),
            detail: format!("unexpected {answer:?}"),
        })
    }
}

impl Registry for RemoteRegistry {
    fn submit(&self, command: &Command) -> Result<Outcome> {
        match self.ask(&Question::Submit(command.clone()))? {
            Answer::Outcome(outcome) => Ok(outcome),
            other => self.unexpected(&other),
        }
    }

    fn catch_up(&self) -> Result<()> {
        match self.ask(&Question::CatchUp)? {
            Answer::CaughtUp => Ok(()),
            other => self.unexpected(&other),
        }
    }

    fn datasets(&self) -> Result<Vec<DatasetInfo>> {
        match self.ask(&Question::Datasets)? {
            Answer::Datasets(datasets) => Ok(datasets),
            other => self.unexpected(&other),
        }
    }

    fn dataset(&self, name: &DatasetName) -> Result<Option<DatasetInfo>> {
        match self.ask(&Question::Dataset(name.clone()))? {
            Answer::Dataset(dataset) => Ok(dataset),
            other => self.unexpected(&other),
        }
    }

    fn version(&self, name: &DatasetName, version: Version) -> Result<Option<VersionInfo>> {
        match self.ask(&Question::Version(name.clone(), version))? {
            Answer::Versions(versions) => Ok(versions.into_iter().next()),
            other => self.unexpected(&other),
        }
    }

    fn versions(&self, name: &DatasetName, selection: &Versions) -> Result<Vec<VersionInfo>> {
        match self.ask(&Question::Versions(name.clone(), selection.clone()))? {
            Answer::Versions(versions) => Ok(versions),
            other => self.unexpected(&other),
        }
    }

    fn wait(&self, seen: i64, timeout: Duration) -> Result<i64> {
        let started = Instant::now();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            match self.ask(&Question::Wait { seen, timeout_ms })? {
                Answer::Applied(applied) if applied > seen || left.is_zero() => return Ok(applied),
                Answer::Applied(_) => {}
                other => return self.unexpected(&other),
            }
        }
    }
}
