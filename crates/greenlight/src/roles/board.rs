//! How every dataset of a process stands: written by its thread, read by the health pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use registry::{DatasetName, Version};
use serde::Serialize;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It asks who owns the dataset.
    Starting,
    /// Another process owns the dataset; this one takes over when it is silent.
    StandingBy,
    /// The dataset is this process's; its newest state is being loaded.
    Opening,
    /// It works.
    Producing,
    /// There is nothing to make a first state of.
    Waiting,
    /// Something is wrong; it is tried again.
    Failing,
    /// Another process has taken over; this one has stopped for good.
    Lost,
    /// It was told to stop.
    Stopped,
}

impl State {
    fn is_ready(self) -> bool {
        matches!(self, Self::StandingBy | Self::Producing)
    }
}

/// How a dataset stands.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) dataset: DatasetName,
    pub(super) state: State,
    /// The newest version, once this process has opened it.
    pub(super) version: Option<Version>,
    /// Who owns it, what is wrong, what is missing.
    pub(super) detail: Option<String>,
    /// How long the present step has been going on, in milliseconds; null between cycles.
    pub(super) busy_ms: Option<u64>,
    /// Whether that is longer than it should take.
    pub(super) stuck: bool,
}

struct Entry {
    state: State,
    version: Option<Version>,
    detail: Option<String>,
    busy_since: Option<Instant>,
}

/// All datasets of a process.
#[derive(Clone)]
pub(super) struct Board {
    entries: Arc<Mutex<BTreeMap<DatasetName, Entry>>>,
    stuck_after: Duration,
}

impl Board {
    pub(super) fn new(stuck_after: Duration) -> Self {
        Self {
            entries: Arc::default(),
            stuck_after,
        }
    }

    /// Says what the thread of a dataset does now.
    pub(super) fn set(&self, dataset: &DatasetName, state: State, detail: Option<String>) {
        let mut entries = self.lock();
        match entries.get_mut(dataset) {
            Some(entry) => {
                entry.state = state;
                entry.detail = detail;
            }
            None => {
                let entry = Entry {
                    state,
                    version: None,
                    detail,
                    busy_since: None,
                };
                entries.insert(dataset.clone(), entry);
            }
        }
    }

    /// Says which version a dataset has.
    pub(super) fn version(&self, dataset: &DatasetName, version: Option<Version>) {
        if let Some(entry) = self.lock().get_mut(dataset) {
            entry.version = version;
        }
    }

    /// Says that the thread does something that may take long, or has done it.
    pub(super) fn busy(&self, dataset: &DatasetName, is_busy: bool) {
        if let Some(entry) = self.lock().get_mut(dataset) {
            entry.busy_since = is_busy.then(Instant::now);
        }
    }

    /// How every dataset stands, by name.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |(dataset, entry): (&DatasetName, &Entry)| {
            let busy = entry.busy_since.map(|since| since.elapsed());
            Row {
                dataset: dataset.clone(),
                state: entry.state,
                version: entry.version,
                detail: entry.detail.clone(),
                busy_ms: busy.map(|busy| u64::try_from(busy.as_millis()).unwrap_or(u64::MAX)),
                stuck: busy.is_some_and(|busy| busy > self.stuck_after),
            }
        };
        self.lock().iter().map(row).collect()
    }

    /// Whether every dataset is produced here, or stood by for, and none is stuck.
    pub(super) fn is_ready(rows: &[Row]) -> bool {
        !rows.is_empty() && rows.iter().all(|row| row.state.is_ready() && !row.stuck)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DatasetName, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
