//! Reading a scenario's files, line by line.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Error, Result};

/// What `scenario.toml` says. All instants are milliseconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The scenario's name.
    pub name: String,
    /// The default clock.
    pub clock_ms: i64,
    /// The instant up to which the base reaches.
    pub base_ms: i64,
    /// The parts in which the changes are fed, in order.
    pub rounds: Vec<Round>,
    /// Records of the base, by topic.
    pub base_records: BTreeMap<String, u64>,
    /// Records of the changes, by topic.
    pub change_records: BTreeMap<String, u64>,
    /// Counts that describe the scenario, such as `movies` and `countries`.
    pub statistics: BTreeMap<String, u64>,
}

/// A part of the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its name, for people.
    pub name: String,
    /// The instant before which its records were delivered.
    pub until_ms: i64,
    /// How many records it has.
    pub records: u64,
}

#[derive(Deserialize)]
struct RawManifest {
    name: String,
    clock: String,
    base: String,
    #[serde(default)]
    statistics: BTreeMap<String, u64>,
    records: RawRecords,
    #[serde(default)]
    round: Vec<RawRound>,
}

#[derive(Deserialize)]
struct RawRecords {
    base: BTreeMap<String, u64>,
    changes: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct RawRound {
    name: String,
    until: String,
    records: u64,
}

/// A recorded scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    dir: PathBuf,
    manifest: Manifest,
}

impl Scenario {
    /// Opens the scenario in `dir`; only the manifest is read.
    ///
    /// # Errors
    /// When there is no manifest, or it is not one.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("scenario.toml");
        let text = fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let raw: RawManifest = toml::from_str(&text).map_err(|source| Error::Manifest {
            path: path.clone(),
            source: Box::new(source),
        })?;
        let instant = |text: &str| {
            text.parse::<jiff::Timestamp>()
                .map(|at| at.as_millisecond())
                .map_err(|_| Error::Instant {
                    path: path.clone(),
                    text: text.to_owned(),
                })
        };
        let rounds = raw
            .round
            .iter()
            .map(|round| {
                Ok(Round {
                    name: round.name.clone(),
                    until_ms: instant(&round.until)?,
                    records: round.records,
                })
            })
            .collect::<Result<_>>()?;
        let manifest = Manifest {
            clock_ms: instant(&raw.clock)?,
            base_ms: instant(&raw.base)?,
            name: raw.name,
            rounds,
            base_records: raw.records.base,
            change_records: raw.records.changes,
            statistics: raw.statistics,
        };
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
        })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The records of a topic's base, in order.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn base(&self, topic: &str) -> Result<Lines> {
        Lines::open(self.dir.join("base").join(format!("{topic}.jsonl.zst")))
    }

    /// The changes, in the order of their delivery.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn changes(&self) -> Result<Lines> {
        Lines::open(self.dir.join("changes.jsonl.zst"))
    }
}

/// One change record.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The topic it goes to.
    pub topic: String,
    /// The key fields, in order.
    pub key: Vec<serde_json::Value>,
    /// The instant of the update in microseconds since 1970 (UTC); grows with every record of a key.
    pub source_version: i64,
    /// The value, by the topic's schema; `None` deletes.
    pub value: Option<serde_json::Value>,
}

impl Change {
    /// The record's timestamp in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.source_version / 1_000
    }

    /// The key's canonical form: a JSON array without spaces.
    #[must_use]
    pub fn key_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![b'['];
        for (number, field) in self.key.iter().enumerate() {
            if number > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(field.to_string().as_bytes());
        }
        bytes.push(b']');
        bytes
    }
}

/// The records of a file, read as they are asked for.
pub struct Lines {
    path: PathBuf,
    reader: BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>,
    buffer: Vec<u8>,
    line: u64,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self> {
        match File::open(&path).and_then(zstd::stream::read::Decoder::new) {
            Ok(decoder) => Ok(Self {
                path,
                reader: BufReader::with_capacity(1 << 18, decoder),
                buffer: Vec::new(),
                line: 0,
            }),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// The next line's bytes without its end, or `None` at the end of the file.
    fn next_bytes(&mut self) -> Result<Option<&[u8]>> {
        self.buffer.clear();
        let read = self
            .reader
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| Error::Io {
                path: self.path.clone(),
                source,
            })?;
        self.line += 1;
        Ok((read > 0).then_some(self.buffer.as_slice()))
    }
}

impl Iterator for Lines {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_bytes() {
            Ok(None) => None,
            Ok(Some(bytes)) => {
                let change = serde_json::from_slice(bytes);
                Some(change.map_err(|source| Error::Line {
                    path: self.path.clone(),
                    line: self.line,
                    source,
                }))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
