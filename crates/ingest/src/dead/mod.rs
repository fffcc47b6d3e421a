//! Dead letters: records that can't be folded, kept in `D.dead` with where they came from and why.
//!
//! A dead letter is the record as it was, with headers that begin with `gl-dead-`; any Kafka tool can read it. Its key is its
//! origin (`["titles",0,17]`), so that a restart which meets the record again writes the same letter again, and compaction
//! leaves one.

mod notices;
mod retry;

pub(crate) use notices::Notices;
pub use retry::{RETRY_COUNT_HEADER, RETRY_OF_HEADER, Retried, retry_dead_letters};

use crate::error::Result;
use crate::fold::Origin;
use crate::key::KeyShape;
use crate::poison::Poison;
use crate::spec::DatasetSpec;
use changelog::{
    Batch, ChangeLog, Header, MAX_RECORD_BYTES, NewRecord, PollLimit, Position, RecordRef,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// The header of the source's version of a row.
pub const SOURCE_VERSION_HEADER: &str = "gl-source-version";
const TOPIC_HEADER: &str = "gl-dead-topic";
const PARTITION_HEADER: &str = "gl-dead-partition";
const OFFSET_HEADER: &str = "gl-dead-offset";
const REASON_HEADER: &str = "gl-dead-reason";
const KEY_HEADER: &str = "gl-dead-key";
/// Present where the key is spelled otherwise: its canonical form.
const CANONICAL_KEY_HEADER: &str = "gl-dead-canonical-key";
/// Present where the record had no value: as a value, null would delete the letter.
const TOMBSTONE_HEADER: &str = "gl-dead-tombstone";
/// Present where the value was too large to be kept whole: its size in bytes.
const CUT_HEADER: &str = "gl-dead-cut";

/// A record that could not be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic it came from.
    pub topic: String,
    /// Its partition there.
    pub partition: u32,
    /// Its offset there.
    pub offset: i64,
    /// The record's own timestamp, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// Why it could not be folded.
    pub reason: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The canonical form of its key, where it had another and could be parsed.
    pub parsed_key: Option<Vec<u8>>,
    /// Its value, as far as it was kept.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Where the value was too large to be kept whole: its size in bytes.
    pub cut_from: Option<u64>,
}

/// The letter for a record of `topic`; `canonical_key` is its parsed key, where there is one.
pub(crate) fn dead_letter(
    topic: &str,
    record: &RecordRef<'_>,
    canonical_key: Option<&[u8]>,
    poison: &Poison,
) -> NewRecord {
    /// Room for what is added to the record.
    const ROOM: usize = 64 << 10;
    let (partition, offset) = (record.partition, record.offset);
    let mut letter = NewRecord::new(
        record.timestamp_ms,
        place(topic, partition, offset),
        record.value.unwrap_or_default(),
    )
    .with_header(TOPIC_HEADER, topic)
    .with_header(PARTITION_HEADER, partition.to_string())
    .with_header(OFFSET_HEADER, offset.to_string())
    .with_header(REASON_HEADER, poison.to_string());
    if let Some(key) = record.key {
        letter = letter.with_header(KEY_HEADER, key);
    }
    if let Some(canonical_key) = canonical_key.filter(|&key| record.key != Some(key)) {
        letter = letter.with_header(CANONICAL_KEY_HEADER, canonical_key);
    }
    if record.value.is_none() {
        letter = letter.with_header(TOMBSTONE_HEADER, "");
    }
    letter.headers.extend(
        record
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_vec())),
    );
    let size = |letter: &NewRecord| {
        letter
            .headers
            .iter()
            .map(|(n, v)| n.len() + v.len() + 6)
            .sum::<usize>()
    };
    let room = MAX_RECORD_BYTES.saturating_sub(size(&letter) + ROOM);
    if let Some(value) = letter.value.as_mut().filter(|value| value.len() > room) {
        let whole = value.len().to_string();
        value.truncate(room);
        letter = letter.with_header(CUT_HEADER, whole);
    }
    letter
}

impl DeadLetter {
    fn read(record: &RecordRef<'_>) -> Option<Self> {
        let text = |name: &str| std::str::from_utf8(record.header(name)?).ok();
        let headers = record
            .headers()
            .filter(|(name, _)| !name.starts_with("gl-dead-"));
        Some(Self {
            topic: text(TOPIC_HEADER)?.to_owned(),
            partition: text(PARTITION_HEADER)?.parse().ok()?,
            offset: text(OFFSET_HEADER)?.parse().ok()?,
            timestamp_ms: record.timestamp_ms,
            reason: text(REASON_HEADER)?.to_owned(),
            key: record.header(KEY_HEADER).map(<[u8]>::to_vec),
            parsed_key: record.header(CANONICAL_KEY_HEADER).map(<[u8]>::to_vec),
            value: record
                .value
                .filter(|_| record.header(TOMBSTONE_HEADER).is_none())
                .map(<[u8]>::to_vec),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            cut_from: text(CUT_HEADER).and_then(|size| size.parse().ok()),
        })
    }

    /// The place that the record had, as the JSON array of topic, partition and offset; the letter's own key.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.topic, self.partition, self.offset)
    }

    /// The source version in its headers, where there is one that is a number.
    #[must_use]
    pub fn source_version(&self) -> Option<i64> {
        let (_, value) = self
            .headers
            .iter()
            .rfind(|(name, _)| name == SOURCE_VERSION_HEADER)?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }

    /// The canonical form of its key; `None` where it can't be parsed.
    #[must_use]
    pub fn canonical_key(&self, shape: &KeyShape) -> Option<Vec<u8>> {
        if let Some(parsed) = &self.parsed_key {
            return Some(parsed.clone());
        }
        let key = shape.parse(self.key.as_deref()?).ok()?;
        Some(key.canonical().to_vec())
    }

    /// Whether it is a record of the key with that canonical form.
    #[must_use]
    pub fn is_of(&self, shape: &KeyShape, canonical_key: &[u8]) -> bool {
        self.canonical_key(shape).as_deref() == Some(canonical_key)
    }

    /// Whether the letter may be newer than what made its key, by source version where both have one, else by offset in the
    /// same partition. What can't be compared counts as newer: somebody should look.
    #[must_use]
    pub fn may_be_newer(&self, origin: &Origin, origin_topic: &str) -> bool {
        match (self.source_version(), origin.source_version) {
            (Some(ours), Some(stored)) => ours > stored,
            _ if self.topic == origin_topic && self.partition == origin.partition => {
                self.offset > origin.offset
            }
            _ => true,
        }
    }
}

fn place(topic: &str, partition: u32, offset: i64) -> String {
    serde_json::json!([topic, partition, offset]).to_string()
}

/// All dead letters of a dataset, by topic, partition and offset; none where the topic is not there yet.
///
/// # Errors
/// Those of the log.
pub fn dead_letters(log: &dyn ChangeLog, spec: &DatasetSpec) -> Result<Vec<DeadLetter>> {
    let topic = spec.dead_topic();
    let mut letters = BTreeMap::new();
    if log.topic(&topic)?.is_none() {
        return Ok(Vec::new());
    }
    let ends = log.end_offsets(&topic)?;
    let mut consumer = log.consumer(&topic, &Position::of_all(&log.begin_offsets(&topic)?))?;
    let mut batch = Batch::new();
    let is_behind = |positions: &[Position]| {
        positions.iter().any(|p| {
            ends.get(p.partition as usize)
                .is_some_and(|&end| p.offset < end)
        })
    };
    while is_behind(consumer.positions()) {
        consumer.poll(&mut batch, PollLimit::default(), Duration::from_millis(100))?;
        for record in batch.records() {
            let Some(key) = record.key else { continue };
            match DeadLetter::read(&record) {
                Some(letter) => letters.insert(key.to_vec(), letter),
                None => letters.remove(key),
            };
        }
    }
    let mut letters: Vec<_> = letters.into_values().collect();
    letters
        .sort_by(|a, b| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
    Ok(letters)
}

/// The dead letters of a key that may be newer than what made it (`origin`, if anything did).
///
/// # Errors
/// Those of the log.
pub fn newer_dead_letters(
    log: &dyn ChangeLog,
    spec: &DatasetSpec,
    canonical_key: &[u8],
    origin: Option<&Origin>,
) -> Result<Vec<DeadLetter>> {
    let mut letters = dead_letters(log, spec)?;
    letters.retain(|letter| letter.is_of(spec.model.key(), canonical_key));
    if let Some(origin) = origin {
        let topic = spec.topic_of(origin.channel);
        letters.retain(|letter| letter.may_be_newer(origin, &topic));
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Channel;

    fn letter_of(record: &NewRecord) -> (NewRecord, DeadLetter) {
        let mut batch = Batch::new();
        batch.push(2, 17, record).unwrap();
        let letter = dead_letter("titles", &batch.get(0).unwrap(), None, &Poison::NoKey);
        batch.clear();
        batch.push(0, 0, &letter).unwrap();
        let read = DeadLetter::read(&batch.get(0).unwrap()).unwrap();
        (letter, read)
    }

    #[test]
    fn letters_hold_the_record_as_it_was() {
        let record = NewRecord::new(5, "[1]", "v")
            .with_header("gl-source-version", "9")
            .with_header("x", "y");
        let (letter, read) = letter_of(&record);
        assert_eq!(letter.key.as_deref(), Some(&br#"["titles",2,17]"#[..]));
        let expected = DeadLetter {
            topic: "titles".to_owned(),
            partition: 2,
            offset: 17,
            timestamp_ms: 5,
            reason: Poison::NoKey.to_string(),
            key: record.key.clone(),
            parsed_key: None,
            value: record.value.clone(),
            headers: record.headers.clone(),
            cut_from: None,
        };
        assert_eq!(read, expected);
        assert_eq!(read.source_version(), Some(9));
        // A delete is told from an empty value, and a missing key from an empty one.
        let (letter, read) = letter_of(&NewRecord::tombstone(5, "[1]"));
        assert_eq!((letter.value, read.value), (Some(Vec::new()), None));
        let (_, read) = letter_of(&NewRecord {
            key: None,
            ..NewRecord::new(5, "", "")
        });
        assert_eq!((read.key, read.value), (None, Some(Vec::new())));
    }

    #[test]
    fn the_largest_record_still_fits() {
        let record = NewRecord::new(5, "[1]", vec![7; MAX_RECORD_BYTES - 3]);
        let (letter, read) = letter_of(&record);
        assert!(letter.value.as_ref().unwrap().len() < MAX_RECORD_BYTES - (32 << 10));
        let (_, cut) = letter
            .headers
            .iter()
            .find(|(name, _)| name == CUT_HEADER)
            .unwrap();
        assert_eq!(*cut, (MAX_RECORD_BYTES - 3).to_string().into_bytes());
        assert_eq!(read.cut_from, u64::try_from(MAX_RECORD_BYTES - 3).ok());
        assert!(read.value.unwrap().iter().all(|&byte| byte == 7));
    }

    #[test]
    fn what_cannot_be_compared_may_be_newer() {
        let letter = |source_version: Option<&str>, topic: &str, partition, offset| DeadLetter {
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp_ms: 0,
            reason: String::new(),
            key: None,
            parsed_key: None,
            value: None,
            headers: source_version
                .map(|v| (SOURCE_VERSION_HEADER.to_owned(), v.into()))
                .into_iter()
                .collect(),
            cut_from: None,
        };
        let origin = Origin {
            source_version: Some(10),
            deleted: false,
            channel: Channel::Changes,
            partition: 1,
            offset: 100,
            swept: None,
        };
        for (letter, newer) in [
            (letter(Some("11"), "t", 1, 1), true),
            (letter(Some("10"), "t", 1, 999), false),
            (letter(Some("x"), "t", 1, 101), true),
            (letter(None, "t", 1, 99), false),
            (letter(None, "t", 2, 99), true),
            (letter(None, "t.sweep", 1, 99), true),
        ] {
            assert_eq!(letter.may_be_newer(&origin, "t"), newer, "{letter:?}");
        }
    }
}
