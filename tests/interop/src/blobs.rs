//! Blobs in a directory under the names of stock Hollow's file store.

use std::io;
use std::path::{Path, PathBuf};

/// What a blob leads from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The whole state of a version.
    Snapshot(u64),
    /// From a version to a later one.
    Delta(u64, u64),
    /// From a version to an earlier one.
    ReverseDelta(u64, u64),
}

impl Step {
    /// The file name of the main blob, or of an optional part.
    #[must_use]
    pub fn file_name(self, part: Option<&str>) -> String {
        let part = part.map(|part| format!("_{part}")).unwrap_or_default();
        match self {
            Self::Snapshot(to) => format!("snapshot{part}-{to}"),
            Self::Delta(from, to) => format!("delta{part}-{from}-{to}"),
            Self::ReverseDelta(from, to) => format!("reversedelta{part}-{from}-{to}"),
        }
    }
}

/// A directory of blobs.
#[derive(Debug)]
pub struct Blobs {
    path: PathBuf,
}

impl Blobs {
    /// The blobs in `path`, which must exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Writes a blob.
    pub fn write(&self, step: Step, part: Option<&str>, bytes: &[u8]) -> io::Result<()> {
        std::fs::write(self.path.join(step.file_name(part)), bytes)
    }

    /// Reads a blob; the error names the file.
    pub fn read(&self, step: Step, part: Option<&str>) -> io::Result<Vec<u8>> {
        let path = self.path.join(step.file_name(part));
        std::fs::read(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("read {}: {error}", path.display()))
        })
    }
}
