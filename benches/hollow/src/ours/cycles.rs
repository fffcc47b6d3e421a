//! Full and incremental cycles.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Writer, millis};
use crate::model::Model;
use crate::{Error, Measured, Result};

/// What a cycle does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Add all, shared sets once; write snapshot and delta.
    Full,
    /// Add all with every record that they refer to; write snapshot and delta.
    FullTree,
    /// Upsert what changed; write delta and reverse delta.
    Incremental,
}

/// A chain of cycles of one kind.
#[derive(Debug)]
pub struct Cycles {
    row: String,
    kind: Kind,
    model: Model,
    writer: Writer,
    cycle: u64,
    snapshot: Vec<u8>,
    delta: Vec<u8>,
    reverse_delta: Vec<u8>,
}

impl Cycles {
    /// Brings a write state to its first version, not measured.
    pub fn new(row: &str, videos: usize) -> Result<Self> {
        let kind = match row {
            "write-full" => Kind::Full,
            "write-full-tree" => Kind::FullTree,
            "write-incremental" => Kind::Incremental,
            _ => return Err(Error::Data(format!("no row {row}"))),
        };
        let mut cycles = Self {
            row: row.to_owned(),
            kind,
            model: Model::new(videos),
            writer: Writer::new()?,
            cycle: 0,
            snapshot: Vec::new(),
            delta: Vec::new(),
            reverse_delta: Vec::new(),
        };
        cycles.writer.state.begin_total();
        cycles.writer.add_all(&cycles.model)?;
        let sealed = cycles.writer.state.seal(tag(0), BTreeMap::new())?;
        sealed
            .write_snapshot(None, &mut cycles.snapshot)
            .map_err(writing)?;
        cycles.writer.state.commit()?;
        Ok(cycles)
    }

    /// The row that it was made for.
    #[must_use]
    pub fn row(&self) -> &str {
        &self.row
    }

    /// Runs one cycle that changes `changes` videos.
    pub fn run(&mut self, changes: usize) -> Result<Measured> {
        self.cycle += 1;
        let changed = self.model.advance(self.cycle, changes);
        self.snapshot.clear();
        self.delta.clear();
        self.reverse_delta.clear();

        let start = Instant::now();
        match self.kind {
            Kind::Full => {
                self.writer.state.begin_total();
                self.writer.add_all(&self.model)?;
            }
            Kind::FullTree => {
                self.writer.state.begin_total();
                self.writer.add_all_trees(&self.model)?;
            }
            Kind::Incremental => {
                self.writer.state.begin_incremental();
                self.writer.change(&self.model, &changed)?;
            }
        }
        let sealed = self.writer.state.seal(tag(self.cycle), BTreeMap::new())?;
        sealed.write_delta(None, &mut self.delta).map_err(writing)?;
        if self.kind == Kind::Incremental {
            sealed
                .write_reverse_delta(None, &mut self.reverse_delta)
                .map_err(writing)?;
        } else {
            sealed
                .write_snapshot(None, &mut self.snapshot)
                .map_err(writing)?;
        }
        self.writer.state.commit()?;
        let value = millis(start);

        if !sealed.has_changes() {
            return Err(Error::Data(format!(
                "cycle {} of {} changed nothing",
                self.cycle, self.row
            )));
        }
        let written = self.snapshot.len() + self.delta.len() + self.reverse_delta.len();
        Ok(Measured {
            value,
            check: written as u64,
        })
    }
}

fn tag(cycle: u64) -> i64 {
    ((cycle + 2) << 32) as i64
}

fn writing(source: std::io::Error) -> Error {
    Error::Io {
        what: "write a blob to memory".to_owned(),
        source,
    }
}
