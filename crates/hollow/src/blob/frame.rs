//! One type state of a blob: schema, shards, populated ordinals (format sections 4 to 7).

use super::words::Words;
use crate::codec::{Cursor, varint};
use crate::error::{Error, Result};
use crate::read::{ORDINAL_LIMIT, Ordinal};
use crate::schema::Schema;

/// The sections of one type state, borrowed from the blob. Widths are equal in all shards, so they stand here once:
/// for OBJECT of each field; for LIST of pointer and element; for SET of pointer, size and element; for MAP of pointer,
/// size, key and value.
#[derive(Debug)]
pub(crate) struct TypeFrame<'a> {
    pub(crate) schema: Schema,
    pub(crate) num_shards: u32,
    pub(crate) max_ordinal: i32,
    pub(crate) widths: Vec<u8>,
    pub(crate) shards: Vec<Sections<'a>>,
    /// Of STRING and BYTES fields: all of the first shard in field order, then all of the second, ...
    pub(crate) variable: Vec<&'a [u8]>,
    /// Snapshots only.
    pub(crate) populated: Words<'a>,
    /// Byte position of the populated ordinals in the stream.
    pub(crate) populated_at: usize,
}

/// One shard of a type state.
#[derive(Debug)]
pub(crate) struct Sections<'a> {
    /// Byte position in the stream.
    pub(crate) at: usize,
    pub(crate) max_ordinal: i32,
    /// Fixed-length records: the fields, or end pointers (and sizes).
    pub(crate) records: Words<'a>,
    /// List elements or buckets.
    pub(crate) elements: Words<'a>,
    /// Shard ordinals; deltas only.
    pub(crate) removed: Vec<Ordinal>,
    pub(crate) added: Vec<Ordinal>,
}

impl<'a> TypeFrame<'a> {
    /// Bits of one fixed-length record.
    pub(crate) fn row_bits(&self) -> u64 {
        row_bits(&self.schema, &self.widths)
    }

    /// Removed and added ordinals of a delta, counted.
    pub(crate) fn changed_records(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.removed.len() + shard.added.len())
            .sum()
    }

    /// Widths of the values in a fixed-length record.
    pub(crate) fn slot_widths(&self) -> &[u8] {
        &self.widths[..slots(&self.schema)]
    }

    /// Widths of elements, or of key and value.
    pub(crate) fn element_widths(&self) -> [u8; 2] {
        match self.schema {
            Schema::Object(_) => [0, 0],
            Schema::List(_) => [self.widths[1], 0],
            Schema::Set(_) => [self.widths[2], 0],
            Schema::Map(_) => [self.widths[2], self.widths[3]],
        }
    }

    /// Reads what follows the schema, which has been read already so that errors can name the type.
    pub(crate) fn read(cursor: &mut Cursor<'a>, schema: Schema, snapshot: bool) -> Result<Self> {
        let num_shards = read_num_shards(cursor)?;
        let stated_max = if num_shards > 1 {
            Some(read_max_ordinal(cursor)?)
        } else {
            None
        };
        let mut frame = Self {
            schema,
            num_shards,
            max_ordinal: -1,
            widths: Vec::new(),
            shards: Vec::new(),
            variable: Vec::new(),
            populated: Words::default(),
            populated_at: 0,
        };
        let mut widths = Vec::new();
        let bytes_min = if snapshot { 2 } else { 4 };
        let shards_max = cursor.remaining() / bytes_min;
        frame
            .shards
            .reserve_exact(shards_max.min(num_shards as usize));
        for shard in 0..num_shards {
            widths.clear();
            let sections = frame.read_shard(cursor, &mut widths, snapshot)?;
            if shard == 0 {
                std::mem::swap(&mut frame.widths, &mut widths);
            } else if frame.widths != widths {
                return Err(Error::Malformed {
                    at: sections.at,
                    what: "widths that differ between shards",
                });
            }
            frame.shards.push(sections);
        }
        frame.max_ordinal = stated_max.unwrap_or(frame.shards[0].max_ordinal);
        if snapshot {
            frame.populated_at = cursor.at();
            let count = cursor.i32("populated ordinals")?;
            let count = u64::try_from(count).map_err(|_| Error::Malformed {
                at: frame.populated_at,
                what: "a negative number of words of populated ordinals",
            })?;
            frame.populated = Words::take(cursor, frame.populated_at, count, "populated ordinals")?;
        }
        Ok(frame)
    }

    fn read_shard(
        &mut self,
        cursor: &mut Cursor<'a>,
        widths: &mut Vec<u8>,
        snapshot: bool,
    ) -> Result<Sections<'a>> {
        let at = cursor.at();
        let max_ordinal = read_max_ordinal(cursor)?;
        let (removed, added) = if snapshot {
            (Vec::new(), Vec::new())
        } else {
            read_ordinals(cursor, max_ordinal)?
        };
        let rows = if snapshot {
            (i64::from(max_ordinal) + 1) as u64
        } else {
            added.len() as u64
        };
        let columns = match &self.schema {
            Schema::Object(object) => object.fields.len(),
            Schema::List(_) => 2,
            Schema::Set(_) => 3,
            Schema::Map(_) => 4,
        };
        for _ in 0..columns {
            widths.push(read_width(cursor)?);
        }
        if !matches!(self.schema, Schema::Object(_)) {
            check_collection_widths(&self.schema, widths, at)?;
            cursor.vlong()?;
        }
        let records_at = cursor.at();
        let records = Words::read(cursor, "fixed-length records")?;
        if records.bits() < rows * row_bits(&self.schema, widths) {
            return Err(Error::Malformed {
                at: records_at,
                what: "fewer fixed-length records than ordinals",
            });
        }
        let mut elements = Words::default();
        match &self.schema {
            Schema::Object(object) => {
                for field in &object.fields {
                    let at = cursor.at();
                    let what = "bytes of a field";
                    let length = usize::try_from(cursor.vlong()?)
                        .map_err(|_| Error::Truncated { at, what })?;
                    let bytes = cursor.take(length, what)?;
                    if field.field_type.is_variable_length() {
                        self.variable.push(bytes);
                    }
                }
            }
            _ => elements = Words::read(cursor, "elements")?,
        }
        Ok(Sections {
            at,
            max_ordinal,
            records,
            elements,
            removed,
            added,
        })
    }
}

/// Number of values in a fixed-length record.
fn slots(schema: &Schema) -> usize {
    match schema {
        Schema::Object(object) => object.fields.len(),
        Schema::List(_) => 1,
        Schema::Set(_) | Schema::Map(_) => 2,
    }
}

fn row_bits(schema: &Schema, widths: &[u8]) -> u64 {
    widths[..slots(schema)]
        .iter()
        .map(|&width| u64::from(width))
        .sum()
}

/// Removed and added ordinals of a delta's shard.
fn read_ordinals(
    cursor: &mut Cursor<'_>,
    max_ordinal: i32,
) -> Result<(Vec<Ordinal>, Vec<Ordinal>)> {
    let removed = varint::read_gaps(cursor)?;
    let at = cursor.at();
    let added = varint::read_gaps(cursor)?;
    if added
        .last()
        .is_some_and(|&last| i64::from(last) > i64::from(max_ordinal))
    {
        return Err(Error::Malformed {
            at,
            what: "an added ordinal above the maximum",
        });
    }
    Ok((removed, added))
}

fn read_width(cursor: &mut Cursor<'_>) -> Result<u8> {
    let at = cursor.at();
    let width = cursor.vint()?;
    if width > 64 {
        return Err(Error::Malformed {
            at,
            what: "a width above 64 bits",
        });
    }
    Ok(width as u8)
}

/// Ordinals and sizes have at most 32 bits.
fn check_collection_widths(schema: &Schema, widths: &[u8], at: usize) -> Result<()> {
    let end = slots(schema);
    if widths[end..]
        .iter()
        .chain(&widths[1..end])
        .any(|&width| width > 32)
    {
        return Err(Error::Malformed {
            at,
            what: "an element, key, value or size of more than 32 bits",
        });
    }
    Ok(())
}

fn read_num_shards(cursor: &mut Cursor<'_>) -> Result<u32> {
    if cursor.vint()? == 0 {
        return Ok(1);
    }
    let forward = cursor.vint()? as usize;
    cursor.skip(forward, "forward-compatibility bytes")?;
    let at = cursor.at();
    let count = cursor.vint()?;
    if !count.is_power_of_two() || count > ORDINAL_LIMIT {
        return Err(Error::Malformed {
            at,
            what: "a number of shards that is no power of two",
        });
    }
    Ok(count)
}

fn read_max_ordinal(cursor: &mut Cursor<'_>) -> Result<i32> {
    let at = cursor.at();
    let max = cursor.vint()? as i32;
    if max < -1 || max >= ORDINAL_LIMIT as i32 {
        return Err(Error::Malformed {
            at,
            what: "a maximal ordinal out of range",
        });
    }
    Ok(max)
}
