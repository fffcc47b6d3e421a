//! The shards of a type state: records appended one after the other, then written out (format sections 5 to 7).
//!
//! The same writers serve snapshots and deltas. A snapshot has a place for each ordinal up to the largest, so the
//! places of ghosts and holes are pushed as well; a delta has the added records alone.

use super::words::Words;
use crate::Ordinal;
use crate::codec::bits::mask;
use crate::codec::hash::bucket_count;
use crate::codec::varint::{write_vint, write_vlong};
use crate::read::{ObjectView, Raw, SetView};
use crate::record::{Fields, Stored};
use crate::schema::FieldType;

/// An OBJECT shard.
#[derive(Debug)]
pub(super) struct ObjectShard<'a> {
    types: &'a [FieldType],
    widths: &'a [u32],
    records: Words,
    /// Bytes of each field; stays empty but for STRING and BYTES.
    variable: Vec<Vec<u8>>,
}

impl<'a> ObjectShard<'a> {
    /// A shard of about `places` records.
    pub(super) fn new(types: &'a [FieldType], widths: &'a [u32], places: u64) -> Self {
        let record_bits: u64 = widths.iter().copied().map(u64::from).sum();
        Self {
            types,
            widths,
            records: Words::with_capacity(record_bits * places),
            variable: vec![Vec::new(); types.len()],
        }
    }

    /// Appends a serialized record.
    pub(super) fn push(&mut self, record: &[u8]) {
        for (field, value) in Fields::new(self.types, record).enumerate() {
            self.push_field(field, value);
        }
    }

    /// Appends a record of a state.
    pub(super) fn push_view(&mut self, view: &ObjectView<'_>) {
        for field in 0..self.types.len() {
            let value = match view.raw(field) {
                Raw::Null => Stored::Null,
                Raw::Fixed(stored) if self.types[field] == FieldType::Boolean => {
                    Stored::Fixed(u64::from(stored == 1))
                }
                Raw::Fixed(stored) => Stored::Fixed(stored),
                Raw::Variable(bytes) => Stored::Variable(bytes),
            };
            self.push_field(field, value);
        }
    }

    /// Appends one field of a record; fields are pushed in the order of the schema.
    #[inline]
    pub(super) fn push_field(&mut self, field: usize, value: Stored<'_>) {
        let width = self.widths[field];
        let stored = match self.types[field] {
            FieldType::String | FieldType::Bytes => {
                let bytes = &mut self.variable[field];
                let null = match value {
                    Stored::Variable(value) => {
                        bytes.extend_from_slice(value);
                        0
                    }
                    _ => 1 << (width - 1),
                };
                bytes.len() as u64 | null
            }
            FieldType::Float => fixed_or(value, u64::from(crate::codec::NULL_FLOAT_BITS)),
            FieldType::Double => fixed_or(value, crate::codec::NULL_DOUBLE_BITS),
            _ => fixed_or(value, mask(width)),
        };
        self.records.push(stored, width);
    }

    /// Appends a place without a record.
    pub(super) fn push_empty(&mut self) {
        for ((field_type, &width), bytes) in self.types.iter().zip(self.widths).zip(&self.variable)
        {
            let variable = matches!(field_type, FieldType::String | FieldType::Bytes);
            self.records
                .push(if variable { bytes.len() as u64 } else { 0 }, width);
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        for &width in self.widths {
            write_vint(out, width);
        }
        self.records.finish(0, out);
        for bytes in self.variable {
            write_vlong(out, bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
    }
}

#[inline]
fn fixed_or(value: Stored<'_>, null: u64) -> u64 {
    if let Stored::Fixed(stored) = value {
        stored
    } else {
        null
    }
}

/// A LIST shard.
#[derive(Debug)]
pub(super) struct ListShard {
    pointer_width: u32,
    element_width: u32,
    pointers: Words,
    elements: Words,
    end: u64,
}

impl ListShard {
    pub(super) fn new(pointer_width: u32, element_width: u32, places: u64) -> Self {
        Self {
            pointer_width,
            element_width,
            pointers: Words::with_capacity(u64::from(pointer_width) * places),
            elements: Words::default(),
            end: 0,
        }
    }

    /// Appends a list.
    pub(super) fn push(&mut self, elements: impl Iterator<Item = Ordinal>) {
        let counted = elements.map(|element| {
            self.end += 1;
            u64::from(element)
        });
        self.elements.push_all(counted, self.element_width);
        self.push_empty();
    }

    /// Appends a place without a record.
    pub(super) fn push_empty(&mut self) {
        self.pointers.push(self.end, self.pointer_width);
    }

    /// Writes the shard, whose live lists have `total` elements; `room` is the number of elements to leave room for.
    pub(super) fn finish(self, total: u64, room: u64, out: &mut Vec<u8>) {
        write_vint(out, self.pointer_width);
        write_vint(out, self.element_width);
        write_vlong(out, total);
        self.pointers.finish(0, out);
        self.elements
            .finish(room * u64::from(self.element_width), out);
    }
}

/// Widths of a SET or MAP shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct HashedWidths {
    pub(super) pointer: u32,
    pub(super) size: u32,
    pub(super) key: u32,
    /// `None` for a SET.
    pub(super) value: Option<u32>,
}

/// A SET or MAP shard.
#[derive(Debug)]
pub(super) struct HashedShard {
    widths: HashedWidths,
    fixed: Words,
    buckets: Words,
    end: u64,
}

/// A bucket of a SET or MAP: key or element, and value (0 in a SET).
pub(super) type Bucket = Option<(Ordinal, Ordinal)>;

impl HashedShard {
    pub(super) fn new(widths: HashedWidths, places: u64) -> Self {
        let fixed = Words::with_capacity(u64::from(widths.pointer + widths.size) * places);
        Self {
            widths,
            fixed,
            buckets: Words::default(),
            end: 0,
        }
    }

    /// Appends a record of `size` elements with its buckets in order.
    pub(super) fn push(&mut self, size: u32, buckets: impl Iterator<Item = Bucket>) {
        let HashedWidths {
            key: key_width,
            value: value_width,
            ..
        } = self.widths;
        for bucket in buckets {
            let (key, value) = bucket.map_or((mask(key_width), 0), |(key, value)| {
                (u64::from(key), u64::from(value))
            });
            self.buckets.push(key, key_width);
            if let Some(value_width) = value_width {
                self.buckets.push(value, value_width);
            }
            self.end += 1;
        }
        self.push_fixed(size);
    }

    /// Appends a SET of `size` elements with its buckets in order; all ones are a free one.
    pub(super) fn push_keys(&mut self, size: u32, keys: &[Ordinal]) {
        let width = self.widths.key;
        let keys = keys.iter().map(|&key| u64::from(key) & mask(width));
        self.end += keys.len() as u64;
        self.buckets.push_all(keys, width);
        self.push_fixed(size);
    }

    /// Appends a SET of a state, bucket by bucket as it is there; `false` where buckets are of another width or number here.
    pub(super) fn push_set(&mut self, set: &SetView<'_>) -> bool {
        let (size, count) = (set.len() as u32, set.bucket_count());
        let is_same = set.bucket_bits() == self.widths.key && self.widths.value.is_none();
        if !is_same || bucket_count(size) != Some(count) {
            return false;
        }
        set.bucket_words()
            .for_each(|(word, width)| self.buckets.push(word, width));
        self.end += u64::from(count);
        self.push_fixed(size);
        true
    }

    /// Appends a record of `size` elements, of which `placed` gives the filled buckets in order.
    pub(super) fn push_placed(
        &mut self,
        size: u32,
        placed: impl Iterator<Item = (u32, (Ordinal, Ordinal))>,
    ) {
        let count = bucket_count(size).unwrap_or(1);
        let mut placed = placed.peekable();
        self.push(
            size,
            (0..count).map(|at| {
                placed
                    .next_if(|&(bucket, _)| bucket == at)
                    .map(|(_, entry)| entry)
            }),
        );
    }

    /// Appends a place without a record.
    pub(super) fn push_empty(&mut self) {
        self.push_fixed(0);
    }

    fn push_fixed(&mut self, size: u32) {
        self.fixed.push(self.end, self.widths.pointer);
        self.fixed.push(u64::from(size), self.widths.size);
    }

    /// Writes the shard, whose live records have `total` buckets; `room` is the number of buckets to leave room for.
    pub(super) fn finish(self, total: u64, room: u64, out: &mut Vec<u8>) {
        let HashedWidths {
            pointer,
            size,
            key,
            value,
        } = self.widths;
        write_vint(out, pointer);
        write_vint(out, size);
        write_vint(out, key);
        if let Some(value) = value {
            write_vint(out, value);
        }
        write_vlong(out, total);
        self.fixed.finish(0, out);
        self.buckets
            .finish(room * u64::from(key + value.unwrap_or(0)), out);
    }
}

/// Puts elements, ascending, into the buckets that their hashes ask for, and goes on to the next `free` one (format
/// section 7). `table` is reused and must have a length that is a power of two and above the number of elements.
pub(super) fn place<B: Copy + PartialEq>(
    table: &mut [B],
    free: B,
    entries: impl Iterator<Item = (B, u32)>,
) {
    table.fill(free);
    let mask = table.len() - 1;
    for (entry, hash) in entries {
        let mut at = hash as usize & mask;
        while table[at] != free {
            at = (at + 1) & mask;
        }
        table[at] = entry;
    }
}
