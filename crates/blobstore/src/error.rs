//! What can go wrong with a store, with the path or key it went wrong on.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation on a store that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key (or prefix) is malformed: a mistake of the caller; nothing was touched.
    #[error("blob key {key:?}: {reason}")]
    Key {
        /// The key as given.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A blob that had to be there is not.
    #[error("there is no blob {key:?}")]
    Absent {
        /// The key asked for.
        key: String,
    },
    /// A store was asked for that can't work: a malformed URL, an option out of range, a server that ignores conditions.
    #[error("{what} {reason}")]
    Options {
        /// Which store.
        what: String,
        /// What is wrong with it, as the end of the sentence.
        reason: String,
    },
    /// No space (or quota) is left. Nothing of the blob is visible; the call can be repeated once there is space.
    #[error("{action} {}: no space left", path.display())]
    Full {
        /// What was being done.
        action: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A store behind a network refused or did not answer.
    #[error("{action} {key:?}")]
    Backend {
        /// What was being done.
        action: &'static str,
        /// The blob's key or the prefix listed.
        key: String,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// The client's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody changing the program or its input.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Key { .. } | Self::Absent { .. } | Self::Options { .. } => false,
            Self::Full { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ),
            Self::Backend { retryable, .. } => *retryable,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full {
                action,
                path,
                source,
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}
