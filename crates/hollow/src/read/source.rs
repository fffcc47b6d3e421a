//! The rows of a blob as a reader with its own schema sees them.

use super::layout::{ObjectShape, SlotKind, pattern_width};
use crate::blob::{Sections, TypeFrame};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, bits};
use crate::error::{Error, Result};
use crate::schema::{FieldType, ObjectSchema, Schema};
use hashbrown::HashMap;

/// Where a field of the reader lies in the blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Bits from the start of a fixed-length record.
    pub(super) offset: u64,
    pub(super) width: u32,
    /// For STRING and BYTES: which of the shard's byte sections.
    pub(super) section: usize,
}

/// Rows of an OBJECT type in a blob.
pub(super) struct ObjectSource<'a> {
    pub(super) frame: &'a TypeFrame<'a>,
    pub(super) shape: &'a ObjectShape,
    /// For each field of the reader, its place in the blob, if it has one.
    pub(super) columns: Vec<Option<Column>>,
    pub(super) row_bits: u64,
    /// Byte sections of a shard.
    sections: usize,
}

impl<'a> ObjectSource<'a> {
    /// Matches fields by name, as Java does, but refuses to read a field as another type. Widths that can't hold their
    /// type are refused if there are rows.
    pub(super) fn new(
        frame: &'a TypeFrame<'a>,
        theirs: &ObjectSchema,
        ours: &ObjectSchema,
        shape: &'a ObjectShape,
        has_rows: bool,
    ) -> Result<Self> {
        let mut offset = 0;
        let mut sections = 0;
        let places: Vec<Column> = theirs
            .fields
            .iter()
            .zip(&frame.widths)
            .map(|(field, &width)| {
                let column = Column {
                    offset,
                    width: u32::from(width),
                    section: sections,
                };
                offset += u64::from(width);
                sections += usize::from(field.field_type.is_variable_length());
                column
            })
            .collect();
        // Mostly the schemas are equal. If not, there can be thousands of fields on both sides.
        let by_name: HashMap<&str, usize> = if theirs.fields == ours.fields {
            HashMap::new()
        } else {
            let names = theirs.fields.iter().map(|field| &*field.name).enumerate();
            names.rev().map(|(index, name)| (name, index)).collect()
        };
        let columns = ours
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let index = match by_name.get(&*field.name) {
                    Some(index) => *index,
                    None if by_name.is_empty() && index < theirs.fields.len() => index,
                    None => return Ok(None),
                };
                if theirs.fields[index].field_type != field.field_type {
                    return Err(Error::IncompatibleSchemas {
                        type_name: ours.name.clone(),
                        reason: format!("field {} has another type in the blob", field.name),
                    });
                }
                let column = places[index];
                if has_rows && !is_possible(field.field_type, column.width) {
                    return Err(Error::Malformed {
                        at: frame.shards[0].at,
                        what: "a width that the field's type can't have",
                    });
                }
                Ok(Some(column))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            frame,
            shape,
            columns,
            row_bits: frame.row_bits(),
            sections,
        })
    }

    /// The widths that pages take from this blob, with `variable` bits for end offsets.
    pub(super) fn page_widths(&self, variable: u8) -> Vec<u8> {
        self.shape
            .kinds
            .iter()
            .zip(&self.columns)
            .map(|(kind, column)| match (kind, column) {
                (SlotKind::Variable(_), _) => variable,
                (SlotKind::Pattern(field_type), _) => pattern_width(*field_type),
                (_, Some(column)) => column.width as u8,
                (_, None) => 0,
            })
            .collect()
    }

    /// The value of a field that is not STRING or BYTES: a null number is `u64::MAX`, which cut to any width is its
    /// null; the others as stored.
    #[inline]
    pub(super) fn fixed(&self, field: usize, shard: &Sections<'_>, row: u64) -> u64 {
        let Some(column) = self.columns[field] else {
            return match self.shape.kinds[field] {
                SlotKind::Pattern(FieldType::Float) => u64::from(NULL_FLOAT_BITS),
                SlotKind::Pattern(FieldType::Double) => NULL_DOUBLE_BITS,
                _ => u64::MAX,
            };
        };
        let stored = shard
            .records
            .get(row * self.row_bits + column.offset, column.width);
        match self.shape.kinds[field] {
            SlotKind::Number(_) if stored == bits::mask(column.width) => u64::MAX,
            _ => stored,
        }
    }

    /// The bytes of a STRING or BYTES field; all rows of a shard must be asked for, so that offsets are known to ascend.
    pub(super) fn variable(
        &self,
        field: usize,
        shard_index: usize,
        row: u64,
    ) -> Result<Option<&'a [u8]>> {
        let Some(column) = self.columns[field] else {
            return Ok(None);
        };
        let (start, end, null) = self.extent(&column, shard_index, row);
        let bytes = self.bytes(&column, shard_index);
        let value = bytes
            .get(start..end)
            .ok_or_else(|| self.offsets(shard_index))?;
        Ok((!null).then_some(value))
    }

    /// All bytes of a field in a shard.
    #[inline]
    pub(super) fn bytes(&self, column: &Column, shard: usize) -> &'a [u8] {
        self.frame.variable[shard * self.sections + column.section]
    }

    /// Start and end of a field's bytes, unchecked, and whether it is null.
    #[inline]
    pub(super) fn extent(&self, column: &Column, shard: usize, row: u64) -> (usize, usize, bool) {
        let start = match row {
            0 => 0,
            row => self.end(column, shard, row - 1).0,
        };
        let (end, null) = self.end(column, shard, row);
        (start, end, null)
    }

    /// End of a field's bytes, unchecked, and whether it is null.
    #[inline]
    pub(super) fn end(&self, column: &Column, shard: usize, row: u64) -> (usize, bool) {
        let Some(offset_bits) = column.width.checked_sub(1) else {
            return (0, false);
        };
        let stored = self.frame.shards[shard]
            .records
            .get(row * self.row_bits + column.offset, column.width);
        (
            (stored & bits::mask(offset_bits)) as usize,
            stored >> offset_bits != 0,
        )
    }

    pub(super) fn offsets(&self, shard: usize) -> Error {
        Error::Malformed {
            at: self.frame.shards[shard].at,
            what: "end offsets of a field that do not ascend within its bytes",
        }
    }
}

fn is_possible(field_type: FieldType, width: u32) -> bool {
    match field_type {
        FieldType::Int | FieldType::Reference => width <= 32,
        FieldType::Long | FieldType::String | FieldType::Bytes => true,
        _ => width == u32::from(pattern_width(field_type)),
    }
}

/// Rows of a LIST, SET or MAP type in a blob.
pub(super) struct CollectionSource<'a> {
    pub(super) frame: &'a TypeFrame<'a>,
    /// Widths of end pointer and size.
    pub(super) end_width: u32,
    pub(super) size_width: u32,
    /// Widths of elements, or of key and value.
    pub(super) elements: [u8; 2],
    pub(super) element_bits: u32,
    is_list: bool,
}

impl<'a> CollectionSource<'a> {
    pub(super) fn new(frame: &'a TypeFrame<'a>) -> Self {
        let slots = frame.slot_widths();
        let elements = frame.element_widths();
        Self {
            frame,
            end_width: u32::from(slots[0]),
            size_width: slots.get(1).copied().map_or(0, u32::from),
            elements,
            element_bits: u32::from(elements[0]) + u32::from(elements[1]),
            is_list: matches!(frame.schema, Schema::List(_)),
        }
    }

    /// End of a row's elements, unchecked.
    #[inline]
    pub(super) fn end(&self, shard: usize, row: u64) -> u64 {
        let row_bits = u64::from(self.end_width + self.size_width);
        self.frame.shards[shard]
            .records
            .get(row * row_bits, self.end_width)
    }

    /// Start and end of a row's elements, which lie within the shard's.
    #[inline]
    pub(super) fn extent(&self, shard: usize, row: u64) -> Result<(u64, u64)> {
        let start = match row {
            0 => 0,
            row => self.end(shard, row - 1),
        };
        let end = self.end(shard, row);
        self.check_extent(shard, start, end)?;
        Ok((start, end))
    }

    #[inline]
    pub(super) fn check_extent(&self, shard: usize, start: u64, end: u64) -> Result<()> {
        let capacity = self.frame.shards[shard].elements.bits();
        let fits = start <= end
            && (self.elements[0] > 0 || end == 0)
            && end
                .checked_mul(u64::from(self.element_bits))
                .is_some_and(|bits| bits <= capacity);
        if fits {
            Ok(())
        } else {
            Err(self.pointers(shard))
        }
    }

    pub(super) fn pointers(&self, shard: usize) -> Error {
        Error::Malformed {
            at: self.frame.shards[shard].at,
            what: "end pointers of collections that do not ascend within the elements",
        }
    }

    /// The stored size of a row (of a list, its length), checked against its buckets.
    pub(super) fn size(&self, shard: usize, row: u64, start: u64, end: u64) -> Result<u64> {
        if self.is_list {
            return Ok(end - start);
        }
        let row_bits = u64::from(self.end_width + self.size_width);
        let size = self.frame.shards[shard]
            .records
            .get(row * row_bits + u64::from(self.end_width), self.size_width);
        self.check_size(shard, size, start, end)?;
        Ok(size)
    }

    /// Checks the size of a set or map against its buckets.
    #[inline]
    pub(super) fn check_size(&self, shard: usize, size: u64, start: u64, end: u64) -> Result<()> {
        if self.is_list {
            return Ok(());
        }
        let used = (start..end)
            .filter(|&bucket| self.key(shard, bucket).is_some())
            .count() as u64;
        let what = if !(end - start).is_power_of_two() {
            "a number of buckets that is no power of two"
        } else if size != used {
            "a size that is not the number of buckets in use"
        } else {
            return Ok(());
        };
        Err(Error::Malformed {
            at: self.frame.shards[shard].at,
            what,
        })
    }

    /// The element at `index`, or the key of that bucket if it is in use.
    #[inline]
    pub(super) fn key(&self, shard: usize, index: u64) -> Option<u64> {
        let width = u32::from(self.elements[0]);
        let key = self.frame.shards[shard]
            .elements
            .get(index * u64::from(self.element_bits), width);
        (self.is_list || key != bits::mask(width)).then_some(key)
    }

    /// The value in a bucket of a map.
    #[inline]
    pub(super) fn value(&self, shard: usize, index: u64) -> u64 {
        let [key, value] = self.elements;
        self.frame.shards[shard].elements.get(
            index * u64::from(self.element_bits) + u64::from(key),
            u32::from(value),
        )
    }
}
