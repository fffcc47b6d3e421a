//! What a sweeper remembers of a dataset, in a file: how far a sweep has come that is not done, and how the last one went.

use super::source::Reads;
use super::sweeper::SweepReport;
use crate::error::{Error, Result};
use registry::DatasetName;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A sweep that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) sweep: String,
    pub(super) as_of: i64,
    pub(super) source: String,
    pub(super) filtered: bool,
    pub(super) partitions: u32,
    /// The last row that was delivered.
    pub(super) after: Option<String>,
    pub(super) rows: u64,
    pub(super) unfit: u64,
    pub(super) total: Option<u64>,
    /// By earlier attempts.
    pub(super) reads: Reads,
    pub(super) began_ms: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) running: Option<Checkpoint>,
    pub(super) last: Option<SweepReport>,
}

/// The file for one dataset. Without a directory nothing is remembered.
pub(super) struct StateFile {
    path: Option<PathBuf>,
}

impl StateFile {
    pub(super) fn new(dir: Option<&Path>, dataset: &DatasetName) -> Self {
        let name = format!("{}.json", dataset.as_str().replace('/', "."));
        Self {
            path: dir.map(|dir| dir.join(name)),
        }
    }

    pub(super) fn load(&self) -> Result<Remembered> {
        let Some(path) = &self.path else {
            return Ok(Remembered::default());
        };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Read {
                path: path.clone(),
                source: error.into(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Remembered::default()),
            Err(source) => Err(Error::Read {
                path: path.clone(),
                source,
            }),
        }
    }

    /// Replaces the file by a whole one. Losing the newest costs rows that are sent twice, which changes nothing.
    pub(super) fn save(&self, remembered: &Remembered) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let write = || {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            let next = path.with_extension("json.next");
            fs::write(&next, serde_json::to_vec_pretty(remembered)?)?;
            fs::rename(&next, path)
        };
        write().map_err(|source| Error::WriteFile {
            path: path.clone(),
            source,
        })
    }
}
