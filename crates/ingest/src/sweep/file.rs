//! Files as sources: Avro object containers, JSON Lines, CSV; plain, or compressed with gzip or Zstandard.
//!
//! A file is read twice: the first time for `as-of`, which is the greatest version in it (unless it is told), and for the number
//! of rows; so a file that is cut off is refused before the sweep begins. It may not change in between.

use super::source::{Raw, Reads, Row, RowEncoder, Source};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::UNIX_EPOCH;

/// What rows look like in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// An Avro object container file; deflate, Snappy and Zstandard blocks are understood.
    Avro,
    /// A JSON object on each line.
    JsonLines,
    /// Comma-separated values under a header line. Lists, maps and records are JSON in their cell; an empty cell is null where
    /// that is allowed.
    Csv,
}

/// A file as a source.
pub struct FileSource {
    path: PathBuf,
    format: FileFormat,
    encoder: RowEncoder,
    as_of: Option<i64>,
    stamp: Option<Stamp>,
    reader: Option<RowReader>,
    /// Rows read by `reader`.
    at: u64,
    total: Option<u64>,
    reads: Reads,
}

/// What tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified_us: u128,
}

impl FileFormat {
    /// The format that a file's name says, compressed or not.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let name = name
            .strip_suffix(".gz")
            .or_else(|| name.strip_suffix(".zst"))
            .unwrap_or(name);
        match name.rsplit_once('.')?.1 {
            "avro" => Some(Self::Avro),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

impl FileSource {
    /// A file whose rows `encoder` understands. `as_of` where it is known from elsewhere; else it is the greatest version in the
    /// file.
    #[must_use]
    pub fn new(path: PathBuf, format: FileFormat, encoder: RowEncoder, as_of: Option<i64>) -> Self {
        Self {
            path,
            format,
            encoder,
            as_of,
            stamp: None,
            reader: None,
            at: 0,
            total: None,
            reads: Reads::default(),
        }
    }

    fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::Source {
            name: self.path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    fn stamp_now(&self) -> Result<Stamp> {
        let read = || {
            let metadata = std::fs::metadata(&self.path)?;
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
            io::Result::Ok(Stamp {
                bytes: metadata.len(),
                modified_us: modified.unwrap_or_default().as_micros(),
            })
        };
        read().map_err(|error| self.failed(error))
    }

    /// Fails where the file is not what it was.
    fn check_stamp(&self) -> Result<()> {
        match self.stamp {
            Some(stamp) if stamp != self.stamp_now()? => {
                Err(self.failed("the file changed while it was read"))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self) -> Result<RowReader> {
        self.reads.requests += 1;
        RowReader::open(
            &self.path,
            self.format,
            self.encoder.schema(),
            self.encoder.version_field(),
        )
        .map_err(|error| self.failed(error))
    }

    fn next(&mut self, reader: &mut RowReader) -> Result<Option<Raw>> {
        let raw = reader.next(self.encoder.schema());
        let raw = raw.map_err(|error| self.failed(format_args!("row {}: {error}", self.at + 1)))?;
        self.at += u64::from(raw.is_some());
        self.reads.rows += u64::from(raw.is_some());
        Ok(raw)
    }
}

impl Source for FileSource {
    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn as_of(&mut self) -> Result<i64> {
        self.stamp = Some(self.stamp_now()?);
        if let Some(as_of) = self.as_of {
            return Ok(as_of);
        }
        let mut reader = self.start()?;
        self.at = 0;
        let mut greatest = None;
        while let Some(raw) = self.next(&mut reader)? {
            greatest = greatest.max(self.encoder.version(&raw));
        }
        self.total = Some(self.at);
        self.check_stamp()?;
        greatest.ok_or_else(|| {
            let field = self.encoder.version_field();
            self.failed(format_args!(
                "no row has a source version (a number of at least 0 in the field {field:?}), so there is nothing to sweep"
            ))
        })
    }

    fn open(&mut self, after: Option<&str>, _as_of: i64) -> Result<()> {
        let now = self.stamp_now()?;
        let mut skip = 0;
        if let Some(token) = after {
            let (rows, stamp) = Stamp::parse(token)
                .ok_or_else(|| self.failed(format_args!("{token:?} is no place in a file")))?;
            if stamp != now {
                return Err(self.failed(
                    "the file is not the one that the sweep began with; begin a new sweep",
                ));
            }
            skip = rows;
        }
        self.stamp = Some(now);
        let mut reader = self.start()?;
        self.at = 0;
        while self.at < skip {
            if self.next(&mut reader)?.is_none() {
                return Err(self.failed("the file is shorter than it was"));
            }
        }
        self.reader = Some(reader);
        Ok(())
    }

    fn read(&mut self, max: usize, rows: &mut Vec<Row>) -> Result<Option<String>> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(None);
        };
        let before = rows.len();
        while rows.len() - before < max.max(1) {
            let Some(raw) = self.next(&mut reader)? else {
                break;
            };
            let row = self.encoder.row(raw);
            let row = row.map_err(|reason| {
                self.failed(format_args!("row {} has no key: {reason}", self.at))
            })?;
            rows.push(row);
        }
        self.check_stamp()?;
        self.reader = Some(reader);
        let stamp = self.stamp.filter(|_| rows.len() > before);
        Ok(stamp.map(|stamp| stamp.token(self.at)))
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    fn reads(&self) -> Reads {
        self.reads
    }
}

impl Stamp {
    fn token(self, rows: u64) -> String {
        format!("{rows} {} {}", self.bytes, self.modified_us)
    }

    fn parse(token: &str) -> Option<(u64, Self)> {
        let mut parts = token.split(' ');
        let rows = parts.next()?.parse().ok()?;
        let bytes = parts.next()?.parse().ok()?;
        let modified_us = parts.next()?.parse().ok()?;
        Some((rows, Self { bytes, modified_us }))
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Input = Box<dyn Read + Send>;

enum RowReader {
    Avro(Box<apache_avro::Reader<'static, Input>>),
    JsonLines(BufReader<Input>, Vec<u8>),
    Csv {
        reader: Box<csv::Reader<LastByte>>,
        columns: Vec<String>,
        last: Arc<AtomicU8>,
    },
}

const CUT_OFF: &str =
    "the file ends in the middle of a line: it is cut off, or its last line lacks the newline";

impl RowReader {
    fn open(
        path: &Path,
        format: FileFormat,
        schema: &crate::avro::AvroSchema,
        version_field: &str,
    ) -> std::result::Result<Self, BoxError> {
        let file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let extension = path.extension().and_then(|extension| extension.to_str());
        let input: Input = match extension {
            Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Some("zst") => Box::new(zstd::Decoder::with_buffer(file)?),
            _ => Box::new(file),
        };
        Ok(match format {
            FileFormat::Avro => Self::Avro(Box::new(apache_avro::Reader::new(input)?)),
            FileFormat::JsonLines => Self::JsonLines(BufReader::new(input), Vec::new()),
            FileFormat::Csv => {
                let last = Arc::new(AtomicU8::new(b'\n'));
                let input = LastByte {
                    input,
                    last: Arc::clone(&last),
                };
                let mut reader = csv::Reader::from_reader(input);
                let columns: Vec<_> = reader.headers()?.iter().map(str::to_owned).collect();
                let is_known =
                    |name: &&String| name.as_str() == version_field || schema.has_field(name);
                if let Some(unknown) = columns.iter().find(|name| !is_known(name)) {
                    return Err(format!("the dataset has no field {unknown:?}").into());
                }
                Self::Csv {
                    reader: Box::new(reader),
                    columns,
                    last,
                }
            }
        })
    }

    fn next(
        &mut self,
        schema: &crate::avro::AvroSchema,
    ) -> std::result::Result<Option<Raw>, BoxError> {
        match self {
            Self::Avro(reader) => match reader.next().transpose()? {
                None => Ok(None),
                Some(apache_avro::types::Value::Record(fields)) => Ok(Some(Raw::Avro(fields))),
                Some(_) => Err("it is no record".into()),
            },
            Self::JsonLines(input, line) => loop {
                line.clear();
                if input.read_until(b'\n', line)? == 0 {
                    return Ok(None);
                }
                if line.last() != Some(&b'\n') {
                    return Err(CUT_OFF.into());
                }
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(Raw::Json(serde_json::from_slice(line)?)));
                }
            },
            Self::Csv {
                reader,
                columns,
                last,
            } => {
                let mut record = csv::StringRecord::new();
                if !reader.read_record(&mut record)? {
                    let is_whole = last.load(Ordering::Relaxed) == b'\n';
                    return if is_whole {
                        Ok(None)
                    } else {
                        Err(CUT_OFF.into())
                    };
                }
                let mut row = Map::new();
                for (column, cell) in columns.iter().zip(&record) {
                    let value = if schema.has_field(column) {
                        schema
                            .cell(column, cell)
                            .map_err(|reason| format!("{column}: {reason}"))?
                    } else {
                        Value::from(cell)
                    };
                    row.insert(column.clone(), value);
                }
                Ok(Some(Raw::Json(row)))
            }
        }
    }
}

/// Remembers the last byte that was read.
struct LastByte {
    input: Input,
    last: Arc<AtomicU8>,
}

impl Read for LastByte {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Some(&last) = buffer[..read].last() {
            self.last.store(last, Ordering::Relaxed);
        }
        Ok(read)
    }
}
