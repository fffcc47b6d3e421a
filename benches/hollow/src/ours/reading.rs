//! Loading, delta application, lookups and diffs, on the blobs that the peer wrote.

use std::path::Path;
use std::time::Instant;

use hollow::diff::FieldChange;
use hollow::index::PrimaryKeyIndex;
use hollow::read::{Filter, ReadState};

use super::millis;
use crate::draws::{below, draw};
use crate::model::Model;
use crate::{Error, Measured, Result};

/// Deltas of the chain with 0.1 % changed.
pub const DELTAS: usize = 8;
const LOOKUPS: usize = 1_000_000;
/// Keys that a batched lookup takes at a time.
const BATCH: usize = 128;
/// The field that a lookup reads: `Video.subtitles`.
const FIELD: usize = 3;

/// What the runs of one row share.
#[derive(Debug)]
pub struct Reading {
    row: String,
    videos: usize,
    snapshot: Vec<u8>,
    deltas: Vec<Vec<u8>>,
    state: Option<(ReadState, PrimaryKeyIndex)>,
    other: Option<ReadState>,
    keys: Vec<i64>,
    order: Vec<u32>,
}

/// Reads one of the peer's blobs.
pub fn read_blob(blobs: &Path, name: &str) -> Result<Vec<u8>> {
    let path = blobs.join(name);
    std::fs::read(&path).map_err(|source| Error::Io {
        what: format!("read {}", path.display()),
        source,
    })
}

fn load(bytes: &[u8]) -> Result<(ReadState, PrimaryKeyIndex)> {
    let state = ReadState::from_snapshot(bytes, &Filter::all())?;
    let index = PrimaryKeyIndex::build(&state, "Video", None)?;
    Ok((state, index))
}

impl Reading {
    /// Reads the blobs that the row needs.
    pub fn new(row: &str, videos: usize, blobs: &Path) -> Result<Self> {
        let mut reading = Self {
            row: row.to_owned(),
            videos,
            snapshot: Vec::new(),
            deltas: Vec::new(),
            state: None,
            other: None,
            keys: Vec::new(),
            order: Vec::new(),
        };
        let blob = |name: &str| read_blob(blobs, name);
        match row {
            "load" => reading.snapshot = blob("tenth/snapshot-0")?,
            "delta" => {
                reading.state = Some(load(&blob("tenth/snapshot-0")?)?);
                for i in 0..DELTAS {
                    reading
                        .deltas
                        .push(blob(&format!("tenth/delta-{i}-{}", i + 1))?);
                }
            }
            "delta-quarter" => {
                reading.state = Some(load(&blob("quarter/snapshot-0")?)?);
                for i in 0..DELTAS {
                    reading
                        .deltas
                        .push(blob(&format!("quarter/delta-{i}-{}", i + 1))?);
                }
            }
            "delta-percent" => {
                reading.state = Some(load(&blob("percent/snapshot-0")?)?);
                reading.deltas.push(blob("percent/delta-0-1")?);
            }
            "lookup-independent" | "lookup-dependent" | "lookup-batched" => {
                reading.state = Some(load(&blob("tenth/snapshot-0")?)?);
                reading.keys = (0..videos).map(Model::id).collect();
                reading.order = (0..LOOKUPS as u64)
                    .map(|i| below(draw(30, i, 0), videos) as u32)
                    .collect();
            }
            "diff-within" | "diff-within-values" => {
                let (state, index) = load(&blob("percent/snapshot-0")?)?;
                reading.other = Some(state.apply(&blob("percent/delta-0-1")?[..])?.0);
                reading.state = Some((state, index));
            }
            "diff-across" => {
                reading.state = Some(load(&blob("percent/snapshot-0")?)?);
                reading.other = Some(ReadState::from_snapshot(
                    &blob("other/snapshot-1")?[..],
                    &Filter::all(),
                )?);
            }
            _ => return Err(Error::Data(format!("no row {row}"))),
        }
        Ok(reading)
    }

    /// The row that it was made for.
    #[must_use]
    pub fn row(&self) -> &str {
        &self.row
    }

    /// Runs the row once.
    pub fn run(&mut self) -> Result<Measured> {
        match self.row.as_str() {
            "load" => self.load(),
            "delta" | "delta-quarter" | "delta-percent" => self.apply(),
            "lookup-independent" => self.independent(),
            "lookup-dependent" => self.dependent(),
            "lookup-batched" => self.batched(),
            "diff-within-values" => self.diff(|field| {
                let values = (field.before()?, field.after()?);
                std::hint::black_box((field.path(), &values));
                Ok(values.0 != values.1)
            }),
            // Every change is looked at, as the peer does.
            _ => self.diff(|field| Ok(field.record_before() != field.record_after())),
        }
    }

    fn load(&mut self) -> Result<Measured> {
        self.state = None;
        let start = Instant::now();
        let (state, index) = load(&self.snapshot)?;
        let value = millis(start);
        let check = ordinal(&index, Model::id(self.videos - 1))?;
        self.state = Some((state, index));
        Ok(Measured { value, check })
    }

    /// The mean over the chain's deltas.
    fn apply(&mut self) -> Result<Measured> {
        let (mut state, mut index) = self.start()?.clone();
        let start = Instant::now();
        for delta in &self.deltas {
            let (next, changes) = state.apply(&delta[..])?;
            index = index.updated(&state, &next, &changes)?;
            state = next;
        }
        let value = millis(start) / self.deltas.len() as f64;
        Ok(Measured {
            value,
            check: ordinal(&index, Model::id(self.videos / 2))?,
        })
    }

    fn independent(&self) -> Result<Measured> {
        let (_, index) = self.start()?;
        let mut sum = 0;
        let start = Instant::now();
        for &i in &self.order {
            let record = index.find_long(self.keys[i as usize]);
            sum += u64::from(
                record
                    .and_then(|record| record.reference(FIELD))
                    .unwrap_or(u32::MAX),
            );
        }
        Ok(Measured {
            value: nanos(start),
            check: sum,
        })
    }

    /// Each key follows from the field just read.
    fn dependent(&self) -> Result<Measured> {
        let (_, index) = self.start()?;
        let mut sum = 0;
        let mut next = 0;
        let start = Instant::now();
        for &i in &self.order {
            let record = index.find_long(self.keys[next]);
            let value = record
                .and_then(|record| record.reference(FIELD))
                .unwrap_or(u32::MAX);
            sum += u64::from(value);
            next = (i as usize + value as usize) % self.videos;
        }
        Ok(Measured {
            value: nanos(start),
            check: sum,
        })
    }

    fn batched(&self) -> Result<Measured> {
        let (_, index) = self.start()?;
        let mut sum = 0;
        let mut keys = Vec::with_capacity(BATCH);
        let start = Instant::now();
        for order in self.order.chunks(BATCH) {
            keys.clear();
            keys.extend(order.iter().map(|&i| self.keys[i as usize]));
            index.find_longs(&keys, |_, found| {
                let value = found
                    .and_then(|(_, record)| record.reference(FIELD))
                    .unwrap_or(u32::MAX);
                sum += u64::from(value);
            });
        }
        Ok(Measured {
            value: nanos(start),
            check: sum,
        })
    }

    fn diff(&self, look: impl Fn(FieldChange<'_>) -> Result<bool>) -> Result<Measured> {
        let (state, _) = self.start()?;
        let other = self
            .other
            .as_ref()
            .ok_or_else(|| Error::Data(format!("{} has no other state", self.row)))?;
        let start = Instant::now();
        let diff = hollow::diff::diff(state, other, "Video")?;
        let mut places = 0;
        for field in diff.changed.iter().flat_map(|record| record.fields()) {
            places += usize::from(look(field)?);
        }
        std::hint::black_box(places);
        Ok(Measured {
            value: millis(start),
            check: diff.changed.len() as u64,
        })
    }

    fn start(&self) -> Result<&(ReadState, PrimaryKeyIndex)> {
        self.state
            .as_ref()
            .ok_or_else(|| Error::Data(format!("{} has no state", self.row)))
    }
}

fn nanos(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / LOOKUPS as f64
}

fn ordinal(index: &PrimaryKeyIndex, key: i64) -> Result<u64> {
    index
        .get_long(key)
        .map(u64::from)
        .ok_or_else(|| Error::Data(format!("no video {key}")))
}
