//! Type state frames: the schema again, the shard count, the shards, and in a snapshot the populated ordinals (format
//! section 4).

use super::rows::{Rows, Scratch};
use super::shard::{HashedShard, HashedWidths, ListShard, ObjectShard};
use crate::codec::varint::{write_gaps, write_vint};
use crate::schema::{FieldType, Schema};
use crate::write::layout::{Shards, TypeLayout, Widths};
use crate::{Ordinal, Result};

/// The ordinals that a delta lists, each ascending.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub(crate) removed: &'a [Ordinal],
    pub(crate) added: &'a [Ordinal],
}

/// Appends the type state of a snapshot; `populated` are the words of the populated ordinals.
pub(crate) fn write_snapshot_frame(
    schema: &Schema,
    layout: &TypeLayout,
    rows: Rows<'_>,
    populated: impl Iterator<Item = (usize, u64)>,
    out: &mut Vec<u8>,
) -> Result<()> {
    write_frame_head(schema, &layout.shards, layout.max_ordinal, out)?;
    for shard in 0..layout.shards.count {
        let shard_max = layout.shards.max_ordinal(shard, layout.max_ordinal);
        write_vint(out, shard_max as u32);
        let places = (shard_max + 1) as u64;
        let step = layout.shards.count;
        let ordinals = (0..places as u32).map(|place| place * step + shard);
        write_records(
            schema,
            layout,
            &layout.shards,
            shard,
            Room::Total,
            rows,
            ordinals,
            places,
            out,
        )?;
    }
    write_populated(layout.max_ordinal, populated, out);
    Ok(())
}

/// Appends the type state of a delta, or of a reverse delta, which has the shards of the state before.
pub(crate) fn write_delta_frame(
    schema: &Schema,
    layout: &TypeLayout,
    shards: &Shards,
    rows: Rows<'_>,
    listed: Listed<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    write_frame_head(schema, shards, layout.max_ordinal, out)?;
    let removed = by_shard(listed.removed, shards.count);
    let added = by_shard(listed.added, shards.count);
    let shift = shards.count.trailing_zeros();
    for shard in 0..shards.count {
        write_vint(out, shards.max_ordinal(shard, layout.max_ordinal) as u32);
        let removed = removed.shard(shard);
        let added = added.shard(shard);
        write_gaps(out, removed.iter().map(|ordinal| ordinal >> shift));
        write_gaps(out, added.iter().map(|ordinal| ordinal >> shift));
        let ordinals = added.iter().copied();
        write_records(
            schema,
            layout,
            shards,
            shard,
            Room::Exact,
            rows,
            ordinals,
            added.len() as u64,
            out,
        )?;
    }
    Ok(())
}

fn write_frame_head(
    schema: &Schema,
    shards: &Shards,
    max_ordinal: i32,
    out: &mut Vec<u8>,
) -> Result<()> {
    schema.write(out)?;
    // Bytes of the shard data: one for no forward-compatibility bytes, and the shard count.
    write_vint(
        out,
        1 + crate::codec::varint::vlong_len(u64::from(shards.count)) as u32,
    );
    write_vint(out, 0);
    write_vint(out, shards.count);
    if shards.count > 1 {
        write_vint(out, max_ordinal as u32);
    }
    Ok(())
}

/// How much room the element or bucket array of a shard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// For all live records: snapshots.
    Total,
    /// For what is in it: deltas.
    Exact,
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where the parts of a shard meet"
)]
fn write_records(
    schema: &Schema,
    layout: &TypeLayout,
    shards: &Shards,
    shard: u32,
    room: Room,
    rows: Rows<'_>,
    ordinals: impl Iterator<Item = Ordinal>,
    places: u64,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut scratch = Scratch::default();
    let total = shards.totals.get(shard as usize).copied().unwrap_or(0);
    let room = if room == Room::Total { total } else { 0 };
    match &layout.widths {
        Widths::Object { fields } => {
            let types = field_types(schema);
            let mut writer = ObjectShard::new(&types, fields, places);
            for ordinal in ordinals {
                rows.object(ordinal, &mut writer);
            }
            writer.finish(out);
        }
        Widths::List { element } => {
            let mut writer = ListShard::new(shards.pointer, *element, places);
            for ordinal in ordinals {
                rows.list(ordinal, &mut writer);
            }
            writer.finish(total, room, out);
        }
        &Widths::Set { size, element: key } => {
            let widths = HashedWidths {
                pointer: shards.pointer,
                size,
                key,
                value: None,
            };
            let mut writer = HashedShard::new(widths, places);
            for ordinal in ordinals {
                rows.hashed(schema.kind(), ordinal, &mut writer, &mut scratch)?;
            }
            writer.finish(total, room, out);
        }
        &Widths::Map { size, key, value } => {
            let widths = HashedWidths {
                pointer: shards.pointer,
                size,
                key,
                value: Some(value),
            };
            let mut writer = HashedShard::new(widths, places);
            for ordinal in ordinals {
                rows.hashed(schema.kind(), ordinal, &mut writer, &mut scratch)?;
            }
            writer.finish(total, room, out);
        }
    }
    Ok(())
}

fn field_types(schema: &Schema) -> Vec<FieldType> {
    schema.as_object().map_or_else(Vec::new, |object| {
        object.fields.iter().map(|field| field.field_type).collect()
    })
}

/// Ordinals grouped by shard, ascending in each.
struct ByShard {
    ordinals: Vec<Ordinal>,
    ends: Vec<usize>,
}

impl ByShard {
    fn shard(&self, shard: u32) -> &[Ordinal] {
        let start = if shard == 0 {
            0
        } else {
            self.ends[shard as usize - 1]
        };
        &self.ordinals[start..self.ends[shard as usize]]
    }
}

fn by_shard(ordinals: &[Ordinal], count: u32) -> ByShard {
    let mask = count - 1;
    let mut grouped = ordinals.to_vec();
    // The sort is stable, so each shard's ordinals go on ascending.
    grouped.sort_by_key(|ordinal| ordinal & mask);
    let ends = (0..count)
        .map(|shard| grouped.partition_point(|ordinal| ordinal & mask <= shard))
        .collect();
    ByShard {
        ordinals: grouped,
        ends,
    }
}

/// Words of one segment of Hollow's bit set of populated ordinals.
const SEGMENT_WORDS: usize = 256;

fn write_populated(max_ordinal: i32, words: impl Iterator<Item = (usize, u64)>, out: &mut Vec<u8>) {
    let places = (max_ordinal + 1) as usize;
    let count = SEGMENT_WORDS * places.div_ceil(SEGMENT_WORDS * 64).max(1);
    out.extend_from_slice(&(count as i32).to_be_bytes());
    let start = out.len();
    out.resize(start + count * 8, 0);
    for (at, word) in words {
        out[start + at * 8..start + at * 8 + 8].copy_from_slice(&word.to_be_bytes());
    }
}
