//! The state in the blob store, so that the log need not be kept for ever.
//!
//! An instance that comes to a log whose beginning is gone starts from such a checkpoint. It is the state at one offset of
//! one incarnation of the topic, so two instances that write it at the same offset write the same: blobs are created under
//! names that say both and never change, and racing writers need no more than that. What makes truncating safe is an order:
//!
//! 1. the state at the present offset is created as a blob, and read back;
//! 2. all but the two newest are removed;
//! 3. the log is truncated to the older of these two.
//!
//! Dying between any two of them leaves more than is needed, never less: at all times the two newest checkpoints can be
//! read, and the log holds what follows the older one. So one that turns out to be damaged costs nothing, and an instance
//! that was suspended for less than a whole interval reads on as if nothing had happened.
//!
//! Key: `registry.commands/TOPIC-ID/checkpoint-OFFSET`; no dataset can have that prefix, whose environment has no dots.
//! Content: MessagePack in a zstd frame with its checksum.

use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;

use blobstore::BlobStore;
use changelog::TopicId;
use serde::{Deserialize, Serialize};

use crate::instance::COMMANDS_TOPIC;
use crate::{DatasetInfo, Error, Result, State, Version, VersionInfo};

/// Raised when rows change in a way that older programs must not read over.
const FORMAT: u32 = 1;

const ALL: RangeInclusive<Version> = Version(i64::MIN)..=Version(i64::MAX);

/// How many digits an offset has in a key, so that keys sort as offsets do.
const DIGITS: usize = 20;

/// Where instances of a registry find and leave checkpoints for each other.
#[derive(Clone)]
pub struct SharedCheckpoints {
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) every: Option<u64>,
}

impl SharedCheckpoints {
    /// After how many commands a checkpoint is written where nothing else is said. A deployment with a dozen datasets writes
    /// about seven commands a second, renewals most of them: two hours, and at most some tens of MB of log.
    pub const EVERY: u64 = 50_000;

    /// Starts from checkpoints in `store`, and writes none: for those who only ask.
    pub fn read(store: Arc<dyn BlobStore>) -> Self {
        Self { store, every: None }
    }

    /// Also writes one after each `every` commands (at least 1), and truncates the log behind it.
    pub fn keep(store: Arc<dyn BlobStore>, every: u64) -> Self {
        Self {
            store,
            every: Some(every.max(1)),
        }
    }
}

/// The checkpoints of one incarnation of the topic.
#[derive(Clone)]
pub(crate) struct Shelf {
    store: Arc<dyn BlobStore>,
    topic: TopicId,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    topic: TopicId,
    applied: i64,
    datasets: Vec<(&'a DatasetInfo, Vec<&'a VersionInfo>)>,
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    topic: TopicId,
    applied: i64,
    datasets: Vec<(DatasetInfo, Vec<VersionInfo>)>,
}

impl Shelf {
    pub(crate) fn new(store: Arc<dyn BlobStore>, topic: TopicId) -> Self {
        Self { store, topic }
    }

    fn prefix(&self) -> String {
        format!("{COMMANDS_TOPIC}/{}/checkpoint-", self.topic)
    }

    fn key(&self, offset: i64) -> String {
        format!("{}{offset:0DIGITS$}", self.prefix())
    }

    /// The offsets of the checkpoints, ascending.
    pub(crate) fn offsets(&self) -> Result<Vec<i64>> {
        let prefix = self.prefix();
        let offset = |key: &str| {
            let digits = key.strip_prefix(&prefix)?;
            (digits.len() == DIGITS).then(|| digits.parse().ok())?
        };
        let blobs = self.store.list(&prefix)?;
        Ok(blobs.iter().filter_map(|blob| offset(&blob.key)).collect())
    }

    /// The state as bytes that a checkpoint holds.
    pub(crate) fn encode(&self, state: &State) -> Result<Vec<u8>> {
        let datasets = state
            .datasets()
            .map(|info| (info, state.versions(&info.name, ALL).collect()))
            .collect();
        let written = Written {
            format: FORMAT,
            topic: self.topic,
            applied: state.applied(),
            datasets,
        };
        let rows = rmp_serde::to_vec_named(&written)
            .map_err(|error| unreadable(state.applied(), error.to_string()))?;
        compress(&rows).map_err(|error| unreadable(state.applied(), error.to_string()))
    }

    /// Makes the checkpoint at `offset`, unless it is there, and reads it back.
    pub(crate) fn create(&self, offset: i64, bytes: &[u8]) -> Result<()> {
        let _ = self.store.create(&self.key(offset), bytes)?;
        match self.read(offset)? {
            Some(_) => Ok(()),
            None => Err(unreadable(offset, "it is gone after it was written")),
        }
    }

    /// The state of the checkpoint at `offset`; `None` where that was removed.
    fn read(&self, offset: i64) -> Result<Option<State>> {
        let Some(blob) = self.store.get(&self.key(offset))? else {
            return Ok(None);
        };
        let unreadable = |detail: String| unreadable(offset, detail);
        let rows = zstd::decode_all(&blob.bytes[..]).map_err(|e| unreadable(e.to_string()))?;
        let read: Read = rmp_serde::from_slice(&rows).map_err(|e| unreadable(e.to_string()))?;
        if read.format != FORMAT {
            return Err(unreadable(format!("it is in format {}", read.format)));
        }
        if (read.topic, read.applied) != (self.topic, offset) {
            return Err(unreadable(
                "it holds another state than its name says".to_owned(),
            ));
        }
        Ok(Some(State::of_rows(read.applied, read.datasets)))
    }

    /// The newest checkpoint that can be read, at `begin` or behind it: where the log holds all that follows.
    pub(crate) fn newest(&self, begin: i64) -> Result<Option<State>> {
        for offset in self.offsets()?.into_iter().rev() {
            if offset < begin {
                break;
            }
            match self.read(offset) {
                Ok(Some(state)) => return Ok(Some(state)),
                Ok(None) => {}
                Err(error @ Error::Encoding { .. }) => {
                    tracing::warn!(%error, "use the checkpoint before it");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Removes the checkpoint at `offset`.
    pub(crate) fn remove(&self, offset: i64) -> Result<()> {
        self.store.delete(&self.key(offset))?;
        Ok(())
    }
}

fn compress(rows: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
    encoder.include_checksum(true)?;
    encoder.write_all(rows)?;
    encoder.finish()
}

fn unreadable(offset: i64, detail: impl Into<String>) -> Error {
    Error::Encoding {
        what: format!("the registry's checkpoint at command {offset}"),
        detail: detail.into(),
    }
}
