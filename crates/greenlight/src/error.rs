//! The errors of the commands, each with what to do next.

use std::io;
use std::path::PathBuf;

use registry::{DatasetName, Version};

/// Exit code of a command that failed.
pub(crate) const EXIT_ERROR: u8 = 2;

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no data in {}", .0.display())]
    NoData(PathBuf),
    #[error("there is no dataset {0}")]
    UnknownDataset(DatasetName),
    #[error("{0} has no announced version yet")]
    NothingAnnounced(DatasetName),
    #[error("{dataset} has no version {version}")]
    UnknownVersion { dataset: DatasetName, version: Version },
    #[error(transparent)]
    Name(#[from] registry::NameError),
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error("write JSON")]
    Json(#[source] serde_json::Error),
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl Error {
    /// What to do next, where the message alone doesn't say it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoData(_) => Some("run `greenlight demo` first, or name its directory with --dir".to_owned()),
            Self::UnknownDataset(_) => Some("`greenlight datasets` lists them".to_owned()),
            Self::NothingAnnounced(_) => {
                Some("its producer has not published anything: `greenlight demo` runs it, `greenlight status` shows how far it is".to_owned())
            }
            Self::UnknownVersion { dataset, .. } => Some(format!("`greenlight versions {dataset}` lists them")),
            _ => None,
        }
    }
}
