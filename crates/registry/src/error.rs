//! What can go wrong with the registry: refusals are for the submitter's program, the rest for the operator.

use std::io;
use std::path::PathBuf;

use crate::{DatasetName, Refusal};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A call on the registry that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command changed nothing.
    #[error("{dataset}: {refusal}")]
    Refused {
        /// The dataset it was about.
        dataset: DatasetName,
        /// Why.
        refusal: Refusal,
    },
    /// The log failed, or the process that serves it can't be reached.
    #[error(transparent)]
    Log(#[from] changelog::Error),
    /// The log holds a command that this program does not understand. Going on without it would give another state than
    /// all others have.
    #[error(
        "command {offset} in the registry's log is not understood ({detail}); run the newest version of the program that wrote it"
    )]
    Command {
        /// Its offset.
        offset: i64,
        /// What is wrong.
        detail: String,
    },
    /// The instance does not get on in its log. A command that was being submitted may have been appended.
    #[error("the registry can't read on in its log, and tries again: {detail}")]
    Behind {
        /// What the log says.
        detail: String,
    },
    /// What the log no longer holds is in no checkpoint either.
    #[error(
        "the registry's log begins at command {begin}, and no checkpoint in the blob store reaches that far; \
         bring back the blobs under registry.commands/, or the log"
    )]
    Truncated {
        /// Where the log begins.
        begin: i64,
    },
    /// There is a state of commands that the log does not hold.
    #[error(
        "the registry's log ends at command {end}, but a checkpoint in the blob store holds {applied} commands: \
         the log has lost some; bring it back"
    )]
    Lost {
        /// Where the log ends.
        end: i64,
        /// How many commands the checkpoint holds.
        applied: i64,
    },
    /// The instance was behind a truncation of its log and went on from a checkpoint, so that it did not see what became of
    /// a command. It is done or refused: ask.
    #[error("what became of command {offset} in the registry's log was not seen; ask the registry")]
    Skipped {
        /// The command's offset.
        offset: i64,
    },
    /// Checkpoints in the blob store can't be read or written.
    #[error(transparent)]
    Store(#[from] blobstore::Error),
    /// The checkpoint can't be used.
    #[error("{action} the registry's checkpoint in {}", dir.display())]
    Checkpoint {
        /// What was being done.
        action: &'static str,
        /// Its directory.
        dir: PathBuf,
        /// What RocksDB says.
        #[source]
        source: rocksdb::Error,
    },
    /// A message or row could not be encoded or decoded.
    #[error("{what}: {detail}")]
    Encoding {
        /// What it was.
        what: String,
        /// What is wrong.
        detail: String,
    },
    /// A file or directory could not be used.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A process holds the directory and does not answer.
    #[error(
        "process {owner} holds {} but does not answer on its socket; stop that process, or wait until it has started",
        dir.display()
    )]
    OwnerSilent {
        /// The directory.
        dir: PathBuf,
        /// The owner's process id, as its lock file says.
        owner: String,
    },
}

impl Error {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Whether the process that served the registry is gone: opening the directory again may find a new owner, or become
    /// it.
    pub fn is_owner_gone(&self) -> bool {
        matches!(
            self,
            Self::Log(
                changelog::Error::NotServed { .. }
                    | changelog::Error::Io { .. }
                    | changelog::Error::Closed
            )
        )
    }
}
