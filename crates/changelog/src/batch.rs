//! Many records in one piece of memory. A poll fills a batch that the caller uses again and again, so that reading
//! costs no allocation per record; the encoded record is also what the embedded log stores and the socket carries.
//!
//! Encoding of a record (little-endian): timestamp i64; key length u32; value length u32 (both `u32::MAX` for none);
//! header bytes u32; headers (name length u16, name, value length u32, value)*; key; value.

use crate::error::{Error, Refusal, Result};
use crate::types::{MAX_RECORD_BYTES, NewRecord, Record};

const NONE: u32 = u32::MAX;
const FIXED_BYTES: usize = 8 + 4 + 4 + 4;

/// Records as they come out of a poll; see [`Consumer::poll`](crate::Consumer::poll).
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    partition: u32,
    offset: i64,
    start: usize,
    end: usize,
}

/// A record inside a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The partition it was read from.
    pub partition: u32,
    /// Its offset there.
    pub offset: i64,
    /// See [`NewRecord::timestamp_ms`].
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The bytes that the records take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records, in the order in which they were read.
    pub fn records(&self) -> impl ExactSizeIterator<Item = RecordRef<'_>> + DoubleEndedIterator {
        self.rows.iter().map(|row| self.view(row))
    }

    /// The record at `index`, if there are more than that.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<RecordRef<'_>> {
        self.rows.get(index).map(|row| self.view(row))
    }

    /// Appends a record that a back end read.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a part is too long for the encoding (4 GiB; header names 64 KiB).
    pub fn push(&mut self, partition: u32, offset: i64, record: &NewRecord) -> Result<()> {
        self.push_parts(
            partition,
            offset,
            record.timestamp_ms,
            record.key.as_deref(),
            record.value.as_deref(),
            headers(record),
        )
    }

    /// Appends a record from its parts, as a back end finds them in its own memory.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub(crate) fn push_parts<'a>(
        &mut self,
        partition: u32,
        offset: i64,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<()> {
        let start = self.bytes.len();
        if let Err(error) = encode_parts(timestamp_ms, key, value, headers, &mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.rows.push(Row {
            partition,
            offset,
            start,
            end: self.bytes.len(),
        });
        Ok(())
    }

    /// Appends a record in the encoding of this module, after checking it.
    pub(crate) fn push_encoded(
        &mut self,
        partition: u32,
        offset: i64,
        encoded: &[u8],
    ) -> Result<()> {
        check(encoded).map_err(|detail| Error::Corrupt {
            what: format!("the record at offset {offset} of partition {partition}"),
            detail: detail.to_owned(),
        })?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(encoded);
        self.rows.push(Row {
            partition,
            offset,
            start,
            end: self.bytes.len(),
        });
        Ok(())
    }

    /// (partition, offset, length) of each record, and the encoded records one after the other.
    pub(crate) fn parts(&self) -> (Vec<(u32, i64, u32)>, &[u8]) {
        let rows = self.rows.iter();
        // Records are at most MAX_RECORD_BYTES long, and start where the one before ends.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a record is at most MAX_RECORD_BYTES long"
        )]
        (
            rows.map(|row| (row.partition, row.offset, (row.end - row.start) as u32))
                .collect(),
            &self.bytes,
        )
    }

    fn view(&self, row: &Row) -> RecordRef<'_> {
        let bytes = &self.bytes[row.start..row.end];
        let (fixed, rest) = bytes.split_at(FIXED_BYTES);
        let (key_len, value_len) = (u32_at(fixed, 8), u32_at(fixed, 12));
        let (headers, rest) = rest.split_at(u32_at(fixed, 16) as usize);
        let (key, value) = rest.split_at(if key_len == NONE { 0 } else { key_len as usize });
        RecordRef {
            partition: row.partition,
            offset: row.offset,
            timestamp_ms: i64_at(fixed, 0),
            key: (key_len != NONE).then_some(key),
            value: (value_len != NONE).then_some(value),
            headers,
        }
    }
}

impl<'a> RecordRef<'a> {
    /// The headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut rest = self.headers;
        std::iter::from_fn(move || {
            let (name, value, after) = split_header(rest).ok()?;
            rest = after;
            Some((name, value))
        })
    }

    /// The value of the last header of that name, as Kafka's `lastHeader`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        if self.headers.is_empty() {
            return None;
        }
        self.headers()
            .filter(|(n, _)| *n == name)
            .last()
            .map(|(_, value)| value)
    }

    /// The record on its own.
    #[must_use]
    pub fn to_record(&self) -> Record {
        Record {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers: self
                .headers()
                .map(|(n, v)| (n.to_owned(), v.to_vec()))
                .collect(),
        }
    }
}

/// The size of a record as the limits count it.
pub(crate) fn record_bytes(record: &NewRecord) -> usize {
    let part = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers: usize = record
        .headers
        .iter()
        .map(|(name, value)| 6 + name.len() + value.len())
        .sum();
    part(&record.key) + part(&record.value) + headers
}

/// Refuses a record that is larger than any reader must be ready for.
pub(crate) fn check_size(topic: &str, index: usize, record: &NewRecord) -> Result<()> {
    let bytes = record_bytes(record);
    if bytes > MAX_RECORD_BYTES {
        return Err(Refusal::RecordTooLarge {
            topic: topic.to_owned(),
            index,
            bytes,
            limit: MAX_RECORD_BYTES,
        }
        .into());
    }
    Ok(())
}

/// Appends the encoding of `record` to `out`.
pub(crate) fn encode(record: &NewRecord, out: &mut Vec<u8>) -> Result<()> {
    encode_parts(
        record.timestamp_ms,
        record.key.as_deref(),
        record.value.as_deref(),
        headers(record),
        out,
    )
}

fn headers(record: &NewRecord) -> impl Iterator<Item = (&str, &[u8])> {
    let headers = record.headers.iter();
    headers.map(|(name, value)| (name.as_str(), value.as_slice()))
}

fn encode_parts<'a>(
    timestamp_ms: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&timestamp_ms.to_le_bytes());
    out.extend_from_slice(&optional_length(key, "key")?.to_le_bytes());
    out.extend_from_slice(&optional_length(value, "value")?.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for (name, value) in headers {
        let name_len = u16::try_from(name.len()).map_err(|_| too_long("header name"))?;
        out.extend_from_slice(&name_len.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&optional_length(Some(value), "header")?.to_le_bytes());
        out.extend_from_slice(value);
    }
    let headers = out.len() - start - FIXED_BYTES;
    let headers = u32::try_from(headers).map_err(|_| too_long("headers"))?;
    out[start + FIXED_BYTES - 4..start + FIXED_BYTES].copy_from_slice(&headers.to_le_bytes());
    out.extend_from_slice(key.unwrap_or_default());
    out.extend_from_slice(value.unwrap_or_default());
    Ok(())
}

fn optional_length(part: Option<&[u8]>, what: &str) -> Result<u32> {
    match part {
        None => Ok(NONE),
        Some(bytes) => u32::try_from(bytes.len())
            .ok()
            .filter(|&n| n != NONE)
            .ok_or_else(|| too_long(what)),
    }
}

fn too_long(what: &str) -> Error {
    Error::Corrupt {
        what: format!("a record's {what}"),
        detail: "too long".to_owned(),
    }
}

/// The key and whether there is a value, without copying: what compaction needs of a stored record.
pub(crate) fn key_and_has_value(
    encoded: &[u8],
) -> std::result::Result<(Option<&[u8]>, bool), &'static str> {
    check(encoded)?;
    let key_len = u32_at(encoded, 8);
    let start = FIXED_BYTES + u32_at(encoded, 16) as usize;
    let key = (key_len != NONE).then(|| &encoded[start..start + key_len as usize]);
    Ok((key, u32_at(encoded, 12) != NONE))
}

/// Parses an encoded record into its owned form for appending.
pub(crate) fn decode(encoded: &[u8]) -> std::result::Result<NewRecord, &'static str> {
    check(encoded)?;
    let batch = Batch {
        bytes: encoded.to_vec(),
        rows: vec![Row {
            partition: 0,
            offset: 0,
            start: 0,
            end: encoded.len(),
        }],
    };
    let Some(record) = batch.get(0).map(|r| r.to_record()) else {
        return Err("empty");
    };
    let Record {
        timestamp_ms,
        key,
        value,
        headers,
        ..
    } = record;
    Ok(NewRecord {
        partition: None,
        timestamp_ms,
        key,
        value,
        headers,
    })
}

fn check(encoded: &[u8]) -> std::result::Result<(), &'static str> {
    if encoded.len() < FIXED_BYTES {
        return Err("it is shorter than its fixed part");
    }
    let size = |n: u32| if n == NONE { 0 } else { u64::from(n) };
    let headers_len = u32_at(encoded, 16);
    let expected = FIXED_BYTES as u64
        + size(u32_at(encoded, 8))
        + size(u32_at(encoded, 12))
        + u64::from(headers_len);
    if encoded.len() as u64 != expected {
        return Err("its length is not the sum of its parts");
    }
    let mut headers = &encoded[FIXED_BYTES..FIXED_BYTES + headers_len as usize];
    while !headers.is_empty() {
        headers = split_header(headers)?.2;
    }
    Ok(())
}

fn split_header(bytes: &[u8]) -> std::result::Result<(&str, &[u8], &[u8]), &'static str> {
    const CUT: &str = "a header is cut off";
    let (len, rest) = bytes.split_first_chunk::<2>().ok_or(CUT)?;
    let (name, rest) = rest
        .split_at_checked(usize::from(u16::from_le_bytes(*len)))
        .ok_or(CUT)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
    let (value, rest) = rest
        .split_at_checked(u32::from_le_bytes(*len) as usize)
        .ok_or(CUT)?;
    Ok((
        std::str::from_utf8(name).map_err(|_| "a header's name is not UTF-8")?,
        value,
        rest,
    ))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = NewRecord> {
        let part = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
        let headers = proptest::collection::vec(
            ("[a-z-]{0,8}", proptest::collection::vec(any::<u8>(), 0..9)),
            0..4,
        );
        (any::<i64>(), part(), part(), headers).prop_map(|(timestamp_ms, key, value, headers)| {
            NewRecord {
                partition: None,
                timestamp_ms,
                key,
                value,
                headers,
            }
        })
    }

    proptest! {
        #[test]
        fn records_come_back(records in proptest::collection::vec(record(), 0..8)) {
            let mut batch = Batch::new();
            for (i, record) in (0..).zip(&records) {
                batch.push(7, i, record).unwrap();
            }
            prop_assert_eq!(batch.len(), records.len());
            for (got, want) in batch.records().zip(&records) {
                let got = got.to_record();
                prop_assert_eq!((got.key, got.value, got.headers, got.timestamp_ms),
                    (want.key.clone(), want.value.clone(), want.headers.clone(), want.timestamp_ms));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut batch = Batch::new();
            if batch.push_encoded(0, 0, &bytes).is_ok() {
                let _ = batch.get(0).unwrap().to_record();
            }
        }

        #[test]
        fn cut_records_are_refused(record in record(), cut in 0_usize..100) {
            let mut bytes = Vec::new();
            encode(&record, &mut bytes).unwrap();
            bytes.truncate(cut.min(bytes.len() - 1));
            prop_assert!(Batch::new().push_encoded(0, 0, &bytes).is_err());
        }
    }

    #[test]
    fn the_last_header_of_a_name_counts() {
        let mut batch = Batch::new();
        let record = NewRecord::new(5, "k", "v")
            .with_header("a", "1")
            .with_header("b", "2")
            .with_header("a", "3");
        batch.push(0, 9, &record).unwrap();
        let read = batch.get(0).unwrap();
        assert_eq!(
            (read.header("a"), read.header("b"), read.header("c")),
            (Some(&b"3"[..]), Some(&b"2"[..]), None)
        );
    }
}
