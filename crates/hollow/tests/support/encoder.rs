//! A plain model of a data set, and blobs written from it by the letter of the format with arbitrary room in the widths:
//! independent of the crate's writer, so that the reader meets what other writers may do.

use super::numbers::Numbers;
use hollow::codec::{bits, hash, varint};
use hollow::{FieldType, Schema};
use std::collections::BTreeMap;

/// A stored value: numbers zig-zagged, IEEE bits, ordinals, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    Null,
    Fixed(u64),
    Bytes(Vec<u8>),
}

/// A record; sets and maps as their buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Object(Vec<Stored>),
    List(Vec<u32>),
    Buckets(Vec<Option<(u32, u32)>>),
}

/// The records of a type.
pub type Records = BTreeMap<u32, Record>;

pub fn hash_table(entries: &BTreeMap<u32, u32>) -> Record {
    let count = hash::bucket_count(entries.len() as u32).unwrap();
    let mut buckets = vec![None; count as usize];
    for (&key, &value) in entries {
        let mut at = hash::hash_int(key as i32) as u32 & (count - 1);
        while buckets[at as usize].is_some() {
            at = (at + 1) & (count - 1);
        }
        buckets[at as usize] = Some((key, value));
    }
    Record::Buckets(buckets)
}

/// Packs values at increasing offsets.
#[derive(Default)]
struct Packed {
    words: Vec<u64>,
    at: usize,
}

impl Packed {
    fn push(&mut self, value: u64, width: u32) {
        self.words
            .resize((self.at + width as usize).div_ceil(64), 0);
        bits::set(&mut self.words, self.at, width, value);
        self.at += width as usize;
    }

    fn write(&self, out: &mut Vec<u8>) {
        varint::write_vlong(out, self.words.len() as u64);
        out.extend(self.words.iter().flat_map(|word| word.to_be_bytes()));
    }
}

/// The header of a main blob.
pub fn header(origin: i64, destination: i64, schemas: &[&Schema]) -> Vec<u8> {
    let mut envelope = Vec::new();
    varint::write_vint(&mut envelope, schemas.len() as u32);
    for schema in schemas {
        schema.write(&mut envelope).unwrap();
    }
    envelope.push(0);
    let mut out = 1030i32.to_be_bytes().to_vec();
    out.extend(origin.to_be_bytes());
    out.extend(destination.to_be_bytes());
    varint::write_vint(&mut out, envelope.len() as u32);
    out.extend(envelope);
    out.extend([0, 0]);
    varint::write_vint(&mut out, schemas.len() as u32);
    out
}

/// What a type state says of one type.
pub struct TypeBlob<'a> {
    pub schema: &'a Schema,
    pub shards: u32,
    pub max_ordinal: i32,
    /// In a snapshot every record, in a delta the added ones.
    pub records: &'a Records,
    /// `None` in a snapshot.
    pub removed: Option<&'a [u32]>,
}

impl TypeBlob<'_> {
    /// Appends the type state; `room` widens widths at random.
    pub fn write(&self, out: &mut Vec<u8>, room: &mut Numbers) {
        self.schema.write(out).unwrap();
        let mut count = Vec::new();
        varint::write_vint(&mut count, self.shards);
        varint::write_vint(out, count.len() as u32 + 1);
        out.push(0);
        out.extend(count);
        if self.shards > 1 {
            varint::write_vint(out, self.max_ordinal as u32);
        }
        let widths = self.widths(room);
        for shard in 0..self.shards {
            self.write_shard(shard, &widths, out);
        }
        if self.removed.is_none() {
            let mut words = vec![0u64; (self.max_ordinal + 1) as usize / 64 + 1 + room.below(3)];
            for &ordinal in self.records.keys() {
                words[ordinal as usize / 64] |= 1 << (ordinal % 64);
            }
            out.extend((words.len() as i32).to_be_bytes());
            out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
    }

    fn widths(&self, room: &mut Numbers) -> Vec<u32> {
        let extra = |width: u32, limit: u32, room: &mut Numbers| {
            (width + room.below(3) as u32 * room.below(2) as u32).min(limit)
        };
        let all = |record: &dyn Fn(&Record) -> u64| self.records.values().map(record).max();
        let buckets = |record: &Record| match record {
            Record::Buckets(buckets) => buckets.clone(),
            Record::List(list) => list.iter().map(|&element| Some((element, 0))).collect(),
            Record::Object(_) => Vec::new(),
        };
        if let Schema::Object(object) = self.schema {
            let width = |index: usize, field_type: FieldType, room: &mut Numbers| match field_type {
                FieldType::Boolean => 2,
                FieldType::Float => 32,
                FieldType::Double => 64,
                FieldType::String | FieldType::Bytes => {
                    let total: usize = self.records.values().map(|r| value(r, index).1.len()).sum();
                    extra(bits::bits(total as u64 + 1) + 1, 40, room)
                }
                _ => {
                    let max = all(&|r| value(r, index).0.map_or(1, |v| v + 1)).unwrap_or(0);
                    let limit = if field_type == FieldType::Long {
                        64
                    } else {
                        32
                    };
                    extra(bits::bits(max), limit, room)
                }
            };
            return object
                .fields
                .iter()
                .enumerate()
                .map(|(index, field)| width(index, field.field_type, room))
                .collect();
        }
        let total: u64 = self.records.values().map(|r| buckets(r).len() as u64).sum();
        let keys = |r: &Record| {
            buckets(r)
                .iter()
                .flatten()
                .map(|e| u64::from(e.0) + 1)
                .max()
                .unwrap_or(1)
        };
        let values = |r: &Record| {
            buckets(r)
                .iter()
                .flatten()
                .map(|e| u64::from(e.1))
                .max()
                .unwrap_or(0)
        };
        let sizes = |r: &Record| buckets(r).iter().flatten().count() as u64;
        let mut widths = vec![extra(bits::bits(total).max(1), 40, room)];
        if !matches!(self.schema, Schema::List(_)) {
            widths.push(extra(bits::bits(all(&sizes).unwrap_or(0)), 32, room));
        }
        widths.push(extra(bits::bits(all(&keys).unwrap_or(1)), 32, room));
        if matches!(self.schema, Schema::Map(_)) {
            widths.push(extra(
                bits::bits(all(&values).unwrap_or(0)).max(1),
                32,
                room,
            ));
        }
        widths
    }

    fn write_shard(&self, shard: u32, widths: &[u32], out: &mut Vec<u8>) {
        let shift = self.shards.trailing_zeros();
        let here = |ordinal: &u32| ordinal & (self.shards - 1) == shard;
        let rows = self.max_ordinal + 1;
        let max =
            rows / self.shards as i32 - 1 + i32::from((shard as i32) < rows % self.shards as i32);
        varint::write_vint(out, max as u32);
        let added: Vec<u32> = self.records.keys().copied().filter(here).collect();
        // In a snapshot each shard ordinal has a place, in a delta each added record.
        let places: Vec<Option<&Record>> = match self.removed {
            None => (0..=max)
                .map(|o| self.records.get(&((o as u32) << shift | shard)))
                .collect(),
            Some(removed) => {
                let removed: Vec<u32> = removed
                    .iter()
                    .copied()
                    .filter(here)
                    .map(|o| o >> shift)
                    .collect();
                varint::write_gaps(out, removed.iter().copied());
                varint::write_gaps(out, added.iter().map(|o| o >> shift));
                added
                    .iter()
                    .map(|ordinal| self.records.get(ordinal))
                    .collect()
            }
        };
        for &width in widths {
            varint::write_vint(out, width);
        }
        let mut fixed = Packed::default();
        if let Schema::Object(object) = self.schema {
            let mut sections = vec![Vec::new(); object.fields.len()];
            for record in places {
                for (index, (field, &width)) in object.fields.iter().zip(widths).enumerate() {
                    let (number, bytes) = record.map_or((Some(0), &[][..]), |r| value(r, index));
                    let stored = match field.field_type {
                        FieldType::String | FieldType::Bytes => {
                            sections[index].extend_from_slice(bytes);
                            let null = u64::from(number.is_none()) << (width - 1);
                            sections[index].len() as u64 | null
                        }
                        FieldType::Float => number.unwrap_or(0x7fc0_0001),
                        FieldType::Double => number.unwrap_or(0x7ff8_0000_0000_0001),
                        _ => number.unwrap_or(u64::MAX),
                    };
                    fixed.push(stored, width);
                }
            }
            fixed.write(out);
            for bytes in sections {
                varint::write_vlong(out, bytes.len() as u64);
                out.extend(bytes);
            }
            return;
        }
        let mut elements = Packed::default();
        let mut end = 0;
        for record in places {
            let key_width = widths[widths.len()
                - if matches!(self.schema, Schema::Map(_)) {
                    2
                } else {
                    1
                }];
            let mut size = 0;
            match record {
                Some(Record::List(list)) => {
                    list.iter()
                        .for_each(|&element| elements.push(element.into(), key_width));
                    end += list.len() as u64;
                }
                Some(Record::Buckets(buckets)) => {
                    for bucket in buckets {
                        let (key, value) =
                            bucket.map_or((u64::MAX, 0), |(k, v)| (k.into(), v.into()));
                        elements.push(key, key_width);
                        if matches!(self.schema, Schema::Map(_)) {
                            elements.push(value, widths[3]);
                        }
                        size += u64::from(bucket.is_some());
                    }
                    end += buckets.len() as u64;
                }
                _ => {}
            }
            fixed.push(end, widths[0]);
            if !matches!(self.schema, Schema::List(_)) {
                fixed.push(size, widths[1]);
            }
        }
        varint::write_vlong(out, end);
        fixed.write(out);
        elements.write(out);
    }
}

/// A field's number (`None` for null, 0 beside bytes) and bytes.
fn value(record: &Record, index: usize) -> (Option<u64>, &[u8]) {
    match record {
        Record::Object(values) => match &values[index] {
            Stored::Null => (None, &[]),
            Stored::Fixed(number) => (Some(*number), &[]),
            Stored::Bytes(bytes) => (Some(0), bytes),
        },
        _ => (Some(0), &[]),
    }
}
