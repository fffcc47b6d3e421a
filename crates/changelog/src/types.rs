//! The values that cross the traits: topics, positions and records, with the meaning that Kafka gives them.

use crate::error::Refusal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The greatest size of a record (key, value and headers together) in bytes: 64 MiB.
///
/// Change records of 20 MB must pass; above that a limit keeps one record from exhausting the memory of every reader.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// Identifies one incarnation of a topic: deleting and recreating gives another id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// Parses the 32 hex digits that `Display` writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(|id| Self(id.to_be_bytes()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

/// What a topic is asked to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// 1 to 249 of the characters `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`, as in Kafka.
    pub name: String,
    /// The number of partitions, at least 1.
    pub partitions: u32,
    /// Whether only the last record of each key is kept (after a while). Records then need a key.
    pub compacted: bool,
    /// How long a record without value (a tombstone) stays readable after compaction first met it, in milliseconds.
    pub delete_retention_ms: i64,
}

impl TopicSpec {
    /// Kafka's own default of `delete.retention.ms`: a day.
    pub const DEFAULT_DELETE_RETENTION_MS: i64 = 86_400_000;

    /// A topic that keeps every record until it is truncated.
    #[must_use]
    pub fn new(name: &str, partitions: u32) -> Self {
        Self {
            name: name.to_owned(),
            partitions,
            compacted: false,
            delete_retention_ms: Self::DEFAULT_DELETE_RETENTION_MS,
        }
    }

    /// Refuses what can't be made, as Kafka does.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let reason = if self.partitions == 0 || self.partitions > 10_000 {
            "a topic has 1 to 10000 partitions"
        } else if self.delete_retention_ms < 0 {
            "the retention of deletes is not negative"
        } else {
            return check_topic_name(&self.name);
        };
        Err(invalid(&self.name, reason))
    }

    /// A topic that keeps the last record of each key.
    #[must_use]
    pub fn compacted(name: &str, partitions: u32) -> Self {
        Self {
            compacted: true,
            ..Self::new(name, partitions)
        }
    }
}

/// Refuses a name that no topic can have.
pub(crate) fn check_topic_name(name: &str) -> Result<(), Refusal> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=249).contains(&name.len()) && name.bytes().all(legal) && !matches!(name, "." | "..") {
        return Ok(());
    }
    let reason =
        "a name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is neither \".\" nor \"..\"";
    Err(invalid(name, reason))
}

fn invalid(name: &str, reason: &str) -> Refusal {
    Refusal::InvalidTopic {
        topic: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// What a topic is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicInfo {
    /// The incarnation.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// The number of partitions; they are numbered from 0.
    pub partitions: u32,
    /// Whether only the last record of each key is kept.
    pub compacted: bool,
    /// How long tombstones stay, in milliseconds; see [`TopicSpec::delete_retention_ms`].
    pub delete_retention_ms: i64,
}

/// Where a topic ends, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicEnd {
    /// The incarnation.
    pub id: TopicId,
    /// The number of partitions.
    pub partitions: u32,
    /// The offset after the last record of each partition, as [`ChangeLog::end_offsets`](crate::ChangeLog::end_offsets).
    pub offsets: Vec<i64>,
}

/// A place in a topic. As a reader's position: the next offset to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The partition, from 0.
    pub partition: u32,
    /// The offset in it, from 0.
    pub offset: i64,
}

impl Position {
    /// The place at `offset` of `partition`.
    #[must_use]
    pub fn new(partition: u32, offset: i64) -> Self {
        Self { partition, offset }
    }

    /// One position per partition, numbered from 0, as `begin_offsets` and `end_offsets` list them.
    #[must_use]
    pub fn of_all(offsets: &[i64]) -> Vec<Self> {
        (0..)
            .zip(offsets)
            .map(|(partition, &offset)| Self { partition, offset })
            .collect()
    }
}

/// A header: a name and bytes. Kafka's null header value reads as no bytes.
pub type Header = (String, Vec<u8>);

/// A record to append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// The partition, or `None` for the one that the key decides.
    pub partition: Option<u32>,
    /// When it happened, in milliseconds since 1970 UTC, as the writer says (Kafka: `CreateTime`).
    pub timestamp_ms: i64,
    /// The key; compacted topics need one.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone: the key's last value is no more.
    pub value: Option<Vec<u8>>,
    /// Headers, in order; names may repeat.
    pub headers: Vec<Header>,
}

impl NewRecord {
    /// A record with key and value, for the partition that the key decides.
    #[must_use]
    pub fn new(timestamp_ms: i64, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            timestamp_ms,
            key: Some(key.into()),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// A record that says that the key has no value any more.
    #[must_use]
    pub fn tombstone(timestamp_ms: i64, key: impl Into<Vec<u8>>) -> Self {
        Self {
            timestamp_ms,
            key: Some(key.into()),
            ..Self::default()
        }
    }

    /// The same record with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same record addressed to a partition.
    #[must_use]
    pub fn to_partition(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// A record as read. Batches hold records in one piece; this is the owned form, for those who keep a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The partition it was read from.
    pub partition: u32,
    /// Its offset there.
    pub offset: i64,
    /// See [`NewRecord::timestamp_ms`].
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<Header>,
}

/// How much one poll may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollLimit {
    /// The greatest number of records, at least 1.
    pub records: usize,
    /// About how many bytes; the record that passes this limit is the last one.
    pub bytes: usize,
}

impl PollLimit {
    /// At most `records` records and 16 MiB (or one larger record).
    #[must_use]
    pub fn records(records: usize) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }
}

impl Default for PollLimit {
    fn default() -> Self {
        Self {
            records: 10_000,
            bytes: 16 << 20,
        }
    }
}
