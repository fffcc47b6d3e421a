//! Typed access to one OBJECT record, without allocation.

use super::Ordinal;
use super::layout::{ObjectShape, Slot};
use super::page::PageView;
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, bits, string, varint};
use crate::schema::{FieldType, ObjectSchema};
use std::fmt;

/// One record of an OBJECT type. Fields are addressed by their position in the schema, which a caller looks up once
/// with [`field_index`](ObjectView::field_index). A field that does not exist or is of another type than asked for
/// reads as null.
#[derive(Clone, Copy)]
pub struct ObjectView<'a> {
    pub(crate) shape: &'a ObjectShape,
    pub(crate) page: PageView<'a>,
    pub(crate) row: u32,
}

impl<'a> ObjectView<'a> {
    /// The schema of the record's type.
    pub fn schema(&self) -> &'a ObjectSchema {
        &self.shape.schema
    }

    /// Position of the field of that name.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.schema().field_index(name)
    }

    #[inline]
    fn slot_of(&self, field: usize, field_type: FieldType) -> Option<&'a Slot> {
        let slot = self.page.layout.slots.get(field)?;
        (slot.field_type == Some(field_type)).then_some(slot)
    }

    /// BOOLEAN, FLOAT and DOUBLE.
    #[inline]
    fn pattern(&self, field: usize, field_type: FieldType) -> Option<u64> {
        let slot = self.slot_of(field, field_type)?;
        let at = self.row * self.page.layout.row_bits + slot.offset;
        Some(bits::get(
            self.page.words,
            at as usize,
            u32::from(slot.width),
        ))
    }

    /// INT, LONG and REFERENCE.
    #[inline]
    fn number(&self, field: usize, field_type: FieldType) -> Option<u64> {
        let slot = self.slot_of(field, field_type)?;
        let value = self.page.number(self.row, slot);
        (value != slot.null).then_some(value)
    }

    /// An INT field; `None` is null.
    #[inline]
    pub fn int(&self, field: usize) -> Option<i32> {
        let stored = self.number(field, FieldType::Int)?;
        Some(varint::unzigzag_int(stored as u32))
    }

    /// A LONG field; `None` is null.
    #[inline]
    pub fn long(&self, field: usize) -> Option<i64> {
        self.number(field, FieldType::Long)
            .map(varint::unzigzag_long)
    }

    /// The ordinal that a REFERENCE field holds; `None` is null. There need be no record of that ordinal.
    #[inline]
    pub fn reference(&self, field: usize) -> Option<Ordinal> {
        self.number(field, FieldType::Reference)
            .map(|stored| stored as Ordinal)
    }

    /// A BOOLEAN field; `None` is null.
    #[inline]
    pub fn boolean(&self, field: usize) -> Option<bool> {
        match self.pattern(field, FieldType::Boolean)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// A FLOAT field; `None` is null.
    #[inline]
    pub fn float(&self, field: usize) -> Option<f32> {
        let stored = self.pattern(field, FieldType::Float)? as u32;
        (stored != NULL_FLOAT_BITS).then(|| f32::from_bits(stored))
    }

    /// A DOUBLE field; `None` is null.
    #[inline]
    pub fn double(&self, field: usize) -> Option<f64> {
        let stored = self.pattern(field, FieldType::Double)?;
        (stored != NULL_DOUBLE_BITS).then(|| f64::from_bits(stored))
    }

    /// A STRING field; `None` is null.
    #[inline]
    pub fn string(&self, field: usize) -> Option<HollowStr<'a>> {
        self.variable_of(field, FieldType::String).map(HollowStr)
    }

    /// A BYTES field; `None` is null.
    #[inline]
    pub fn bytes(&self, field: usize) -> Option<&'a [u8]> {
        self.variable_of(field, FieldType::Bytes)
    }

    #[inline]
    fn variable_of(&self, field: usize, field_type: FieldType) -> Option<&'a [u8]> {
        self.slot_of(field, field_type)?;
        self.page.variable(self.shape, self.row, field)
    }

    /// Whether a field, which is an INT, LONG or REFERENCE, holds this stored value.
    #[inline]
    pub(crate) fn is_number(&self, field: usize, stored: u64) -> bool {
        let Some(slot) = self.page.layout.slots.get(field) else {
            return false;
        };
        self.page.number(self.row, slot) == stored && stored != slot.null
    }

    /// Whether a field is null, whatever its type.
    pub fn is_null(&self, field: usize) -> bool {
        matches!(self.raw(field), Raw::Null)
    }

    /// The stored value of a field, whatever its type.
    #[inline]
    pub(crate) fn raw(&self, field: usize) -> Raw<'a> {
        let Some(slot) = self.page.layout.slots.get(field) else {
            return Raw::Null;
        };
        if slot.is_variable() {
            return self.raw_variable(field);
        }
        let at = self.row * self.page.layout.row_bits + slot.offset;
        let value = bits::get(self.page.words, at as usize, u32::from(slot.width));
        if value == slot.null {
            Raw::Null
        } else {
            Raw::Fixed(value)
        }
    }

    /// Apart, so that reading a field of fixed length is short enough to be inlined.
    #[inline(never)]
    fn raw_variable(&self, field: usize) -> Raw<'a> {
        match self.page.variable(self.shape, self.row, field) {
            Some(bytes) => Raw::Variable(bytes),
            None => Raw::Null,
        }
    }
}

impl fmt::Debug for ObjectView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(&self.schema().name);
        for (index, field) in self.schema().fields.iter().enumerate() {
            match self.raw(index) {
                Raw::Null => out.field(&field.name, &"null"),
                Raw::Variable(bytes) if field.field_type == FieldType::String => {
                    out.field(&field.name, &string::to_string(bytes))
                }
                Raw::Variable(bytes) => out.field(&field.name, &bytes),
                Raw::Fixed(value) => match field.field_type {
                    FieldType::Int => out.field(&field.name, &self.int(index)),
                    FieldType::Long => out.field(&field.name, &self.long(index)),
                    FieldType::Float => out.field(&field.name, &self.float(index)),
                    FieldType::Double => out.field(&field.name, &self.double(index)),
                    _ => out.field(&field.name, &value),
                },
            };
        }
        out.finish()
    }
}

/// The stored value of an OBJECT field: numbers zig-zagged, IEEE bits, ordinals as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Null,
    Fixed(u64),
    Variable(&'a [u8]),
}

/// The text of a STRING field as it is stored. Comparing, iterating and printing allocate nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HollowStr<'a>(pub(crate) &'a [u8]);

impl<'a> HollowStr<'a> {
    /// The stored bytes: each UTF-16 unit as a variable-length integer, so the text itself where it is ASCII.
    #[inline]
    pub fn stored(&self) -> &'a [u8] {
        self.0
    }

    /// The text itself if it is ASCII.
    #[inline]
    pub fn as_ascii(&self) -> Option<&'a str> {
        string::as_ascii(self.0)
    }

    /// The UTF-16 units.
    pub fn units(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        string::units(self.0)
    }

    /// The characters; a lone surrogate becomes U+FFFD.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + 'a {
        char::decode_utf16(string::units(self.0)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Whether there are no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq<str> for HollowStr<'_> {
    fn eq(&self, other: &str) -> bool {
        string::eq_str(self.0, other)
    }
}

impl PartialEq<&str> for HollowStr<'_> {
    fn eq(&self, other: &&str) -> bool {
        string::eq_str(self.0, other)
    }
}

impl fmt::Display for HollowStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        match self.as_ascii() {
            Some(text) => f.pad(text),
            None => self.chars().try_for_each(|c| f.write_char(c)),
        }
    }
}

impl fmt::Debug for HollowStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&string::to_string(self.0), f)
    }
}
