//! The state on disk, so that a restart reads only the log's tail.
//!
//! Written by change: each applied command rewrites the rows it touched and the offset, in one batch. Nothing is synced,
//! since the log has it all: after a crash the checkpoint is that of some earlier offset, and what follows is read again.
//! It belongs to one incarnation of the topic; beside another one it is thrown away.
//!
//! Keys: `a` holds topic id and offset; `d` + name a dataset; `v` + name + 0 + version (big-endian) a version. Values are
//! MessagePack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use changelog::TopicId;
use rocksdb::{DB, IteratorMode, Options, WriteBatch, WriteOptions};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{DatasetName, Error, Result, State, Version, VersionInfo};

/// The key of the row that says how far the checkpoint reaches.
const APPLIED: &[u8] = b"a";

#[derive(Serialize, Deserialize)]
struct Applied {
    format: u32,
    topic: TopicId,
    applied: i64,
}

/// Raised when rows change in a way that old programs or rows do not fit; the checkpoint is then built anew.
const FORMAT: u32 = 1;

pub(crate) struct Checkpoint {
    db: DB,
    dir: PathBuf,
    topic: TopicId,
    quick: WriteOptions,
}

impl Checkpoint {
    /// Opens the checkpoint in `dir` and returns the state it holds, which is the empty one where it is not of the topic
    /// `topic`, or ahead of its `end`.
    pub(crate) fn open(dir: &Path, topic: TopicId, end: i64) -> Result<(Self, State)> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(4 << 20);
        options.set_keep_log_file_num(2);
        let db = DB::open(&options, dir).map_err(|source| failed("open", dir, source))?;
        let checkpoint = Self {
            db,
            dir: dir.to_owned(),
            topic,
            quick: WriteOptions::default(),
        };
        match checkpoint.load() {
            Ok(Some(state)) if state.applied() <= end => Ok((checkpoint, state)),
            Ok(None) => Ok((checkpoint, State::new())),
            unfit => {
                let reason = unfit.err().map_or_else(
                    || "it is ahead of the log".to_owned(),
                    |error| error.to_string(),
                );
                tracing::warn!(dir = %dir.display(), reason, "build the registry's checkpoint anew from the log");
                checkpoint.clear()?;
                Ok((checkpoint, State::new()))
            }
        }
    }

    /// Writes the rows of `dirty` datasets and versions as they stand in `state`, and how far that reaches.
    pub(crate) fn write(
        &self,
        state: &State,
        dirty: &BTreeSet<(DatasetName, Option<Version>)>,
    ) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (name, version) in dirty {
            if let Some(info) = state.dataset(name) {
                batch.put(dataset_key(name), encode(info)?);
            }
            if let Some(info) = version.and_then(|version| state.version(name, version)) {
                batch.put(version_key(name, info.version), encode(info)?);
            }
        }
        let applied = Applied {
            format: FORMAT,
            topic: self.topic,
            applied: state.applied(),
        };
        batch.put(APPLIED, encode(&applied)?);
        self.db
            .write_opt(batch, &self.quick)
            .map_err(|source| failed("write", &self.dir, source))
    }

    /// Writes a whole state in the place of what is there.
    pub(crate) fn replace(&self, state: &State) -> Result<()> {
        self.clear()?;
        let rows = state.datasets().flat_map(|info| {
            let versions = state.versions(&info.name, Version(i64::MIN)..=Version(i64::MAX));
            let version = |version: &VersionInfo| (info.name.clone(), Some(version.version));
            std::iter::once((info.name.clone(), None)).chain(versions.map(version))
        });
        self.write(state, &rows.collect())
    }

    fn load(&self) -> Result<Option<State>> {
        let Some(applied) = self
            .db
            .get(APPLIED)
            .map_err(|source| failed("read", &self.dir, source))?
        else {
            return Ok(None);
        };
        let applied: Applied = decode(&applied)?;
        if applied.format != FORMAT || applied.topic != self.topic {
            return Err(unreadable("it is of another log or program"));
        }
        let (mut datasets, mut versions) = (Vec::new(), Vec::new());
        for row in self.db.iterator(IteratorMode::Start) {
            let (key, value) = row.map_err(|source| failed("read", &self.dir, source))?;
            match key.first() {
                Some(b'd') => datasets.push(decode(&value)?),
                Some(b'v') => {
                    let name = key[1..].split(|&byte| byte == 0).next().unwrap_or_default();
                    let name = std::str::from_utf8(name)
                        .ok()
                        .and_then(|name| name.parse::<DatasetName>().ok());
                    versions.push((
                        name.ok_or_else(|| unreadable("a key without a dataset's name"))?,
                        decode(&value)?,
                    ));
                }
                _ => {}
            }
        }
        let mut state = State::restore(applied.applied, datasets.into_iter());
        for (name, version) in versions {
            if !state.restore_version(&name, version) {
                return Err(unreadable("a version without its dataset"));
            }
        }
        Ok(Some(state))
    }

    fn clear(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.delete_range([0].as_slice(), [255].as_slice());
        self.db
            .write_opt(batch, &self.quick)
            .map_err(|source| failed("write", &self.dir, source))
    }
}

fn dataset_key(name: &DatasetName) -> Vec<u8> {
    [b"d", name.as_str().as_bytes()].concat()
}

fn version_key(name: &DatasetName, version: Version) -> Vec<u8> {
    [
        b"v",
        name.as_str().as_bytes(),
        &[0],
        &version.0.to_be_bytes(),
    ]
    .concat()
}

fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(row).map_err(|error| unreadable(error.to_string()))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(detail: impl Into<String>) -> Error {
    Error::Encoding {
        what: "a row of the registry's checkpoint".to_owned(),
        detail: detail.into(),
    }
}

fn failed(action: &'static str, dir: &Path, source: rocksdb::Error) -> Error {
    Error::Checkpoint {
        action,
        dir: dir.to_owned(),
        source,
    }
}
