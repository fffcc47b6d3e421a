//! Our side of the rows, under the same names as the peer's.

mod cycles;
mod reading;
mod writer;

use std::path::{Path, PathBuf};

pub use cycles::Cycles;
pub use reading::{DELTAS, Reading, read_blob};
pub use writer::Writer;

use crate::{Measured, Result};

/// Runs rows; keeps what a row needs between its runs.
#[derive(Debug)]
pub struct Ours {
    videos: usize,
    blobs: PathBuf,
    cycles: Option<Cycles>,
    reading: Option<Reading>,
}

impl Ours {
    /// For `videos` videos, with the blobs that the peer wrote to `blobs`.
    #[must_use]
    pub fn new(videos: usize, blobs: &Path) -> Self {
        Self {
            videos,
            blobs: blobs.to_owned(),
            cycles: None,
            reading: None,
        }
    }

    /// Runs a command of the peer's language, `ROW` or `ROW CHANGES`, once.
    pub fn run(&mut self, command: &str) -> Result<Measured> {
        let (row, argument) = command.split_once(' ').unwrap_or((command, "0"));
        let changes = argument.parse().unwrap_or(0);
        if row.starts_with("write-") {
            self.reading = None;
            if self
                .cycles
                .as_ref()
                .is_none_or(|cycles| cycles.row() != row)
            {
                self.cycles = None;
                self.cycles = Some(Cycles::new(row, self.videos)?);
            }
            return self
                .cycles
                .as_mut()
                .map_or_else(|| unknown(row), |cycles| cycles.run(changes));
        }
        self.cycles = None;
        if self
            .reading
            .as_ref()
            .is_none_or(|reading| reading.row() != row)
        {
            self.reading = None;
            self.reading = Some(Reading::new(row, self.videos, &self.blobs)?);
        }
        self.reading
            .as_mut()
            .map_or_else(|| unknown(row), Reading::run)
    }
}

fn unknown<T>(row: &str) -> Result<T> {
    Err(crate::Error::Data(format!("no row {row}")))
}

fn millis(start: std::time::Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
