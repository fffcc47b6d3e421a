//! Reading serialized records: a checked reader, iterators over fields and entries, and the validation that each
//! new record passes once.

use crate::Ordinal;
use crate::codec::hash::{bucket_count, hash_int};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, string};
use crate::schema::{FieldType, Schema};
use crate::write::WriteError;

/// A position in a serialized record. Each read gives `None` at the end of the bytes or on a malformed number.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A variable-length integer of up to 64 bits in its shortest form.
    #[inline]
    pub fn vlong(&mut self) -> Option<u64> {
        let first = *self.bytes.get(self.at)?;
        self.at += 1;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        if first == 0x80 {
            return None; // the null mark, or a number with a leading zero group
        }
        let mut value = u64::from(first & 0x7f);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if value >> 57 != 0 {
                return None;
            }
            value = value << 7 | u64::from(byte & 0x7f);
            if byte < 0x80 {
                return Some(value);
            }
        }
    }

    /// A variable-length integer of up to 32 bits in its shortest form.
    #[inline]
    pub fn vint(&mut self) -> Option<u32> {
        u32::try_from(self.vlong()?).ok()
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Steps over the null mark if it is next.
    #[inline]
    pub fn null(&mut self) -> bool {
        let null = self.bytes.get(self.at) == Some(&0x80);
        self.at += usize::from(null);
        null
    }

    /// The value of a field of this type.
    #[inline]
    pub fn field(&mut self, field_type: FieldType) -> Option<Stored<'a>> {
        let fixed = match field_type {
            FieldType::Float => {
                let bits = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
                return Some(if bits == NULL_FLOAT_BITS {
                    Stored::Null
                } else {
                    Stored::Fixed(u64::from(bits))
                });
            }
            FieldType::Double => {
                let bits = u64::from_be_bytes(self.take(8)?.try_into().ok()?);
                return Some(if bits == NULL_DOUBLE_BITS {
                    Stored::Null
                } else {
                    Stored::Fixed(bits)
                });
            }
            _ if self.null() => return Some(Stored::Null),
            FieldType::Long => self.vlong().filter(|&stored| stored != u64::MAX)?,
            FieldType::Int => u64::from(self.vint().filter(|&stored| stored != u32::MAX)?),
            FieldType::Reference => u64::from(self.vint()?),
            FieldType::Boolean => u64::from(self.take(1)?[0]),
            FieldType::String | FieldType::Bytes => {
                let length = self.vint()? as usize;
                return Some(Stored::Variable(self.take(length)?));
            }
        };
        Some(Stored::Fixed(fixed))
    }
}

/// The value of an OBJECT field as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored<'a> {
    /// No value.
    Null,
    /// INT and LONG zig-zagged, BOOLEAN 0 or 1, FLOAT and DOUBLE as IEEE bits, REFERENCE as ordinal.
    Fixed(u64),
    /// BYTES as they are; STRING with each UTF-16 unit as a variable-length integer.
    Variable(&'a [u8]),
}

/// Iterates over the fields of a serialized OBJECT in the order of the schema; ends early on malformed bytes.
#[derive(Debug, Clone)]
pub struct Fields<'a, 's> {
    reader: Reader<'a>,
    types: std::slice::Iter<'s, FieldType>,
}

impl<'a, 's> Fields<'a, 's> {
    /// Fields of `record`, whose schema has fields of `types`.
    #[must_use]
    pub fn new(types: &'s [FieldType], record: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(record),
            types: types.iter(),
        }
    }
}

impl<'a> Iterator for Fields<'a, '_> {
    type Item = Stored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Stored<'a>> {
        let field_type = self.types.next()?;
        self.reader.field(*field_type)
    }
}

/// Iterates over the elements of a serialized LIST or SET, or the entries of a MAP, as (element or key, value or 0),
/// in the order of the record; ends early on malformed bytes.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    reader: Reader<'a>,
    left: u32,
    last: Ordinal,
    kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    List,
    Set,
    Map,
}

impl<'a> Entries<'a> {
    fn new(record: &'a [u8], kind: EntryKind) -> Self {
        let mut reader = Reader::new(record);
        let left = reader.vint().unwrap_or(0);
        Self {
            reader,
            left,
            last: 0,
            kind,
        }
    }

    /// Elements of a LIST.
    #[must_use]
    pub fn list(record: &'a [u8]) -> Self {
        Self::new(record, EntryKind::List)
    }

    /// Elements of a SET, ascending.
    #[must_use]
    pub fn set(record: &'a [u8]) -> Self {
        Self::new(record, EntryKind::Set)
    }

    /// Entries of a MAP, ascending by key.
    #[must_use]
    pub fn map(record: &'a [u8]) -> Self {
        Self::new(record, EntryKind::Map)
    }

    /// Number of entries not yet read.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.left
    }
}

impl Iterator for Entries<'_> {
    type Item = (Ordinal, Ordinal);

    #[inline]
    fn next(&mut self) -> Option<(Ordinal, Ordinal)> {
        self.left = self.left.checked_sub(1)?;
        let number = self.reader.vint()?;
        if self.kind == EntryKind::List {
            return Some((number, 0));
        }
        self.last = self.last.wrapping_add(number);
        let value = if self.kind == EntryKind::Map {
            self.reader.vint()?
        } else {
            0
        };
        self.reader.vint()?;
        Some((self.last, value))
    }
}

/// Checks that `record` is the one serialized form of a record of this type.
///
/// # Errors
/// [`WriteError::MalformedRecord`] with the offset at which the bytes stop making sense.
pub fn validate(schema: &Schema, record: &[u8]) -> Result<(), WriteError> {
    let mut reader = Reader::new(record);
    let checked = match schema {
        Schema::Object(object) => object.fields.iter().try_for_each(|field| {
            match (reader.field(field.field_type)?, field.field_type) {
                (Stored::Fixed(boolean), FieldType::Boolean) if boolean > 1 => None,
                (Stored::Fixed(ordinal), FieldType::Reference) => below_limit(ordinal),
                (Stored::Variable(stored), FieldType::String) => {
                    string::is_valid(stored).then_some(())
                }
                _ => Some(()),
            }
        }),
        Schema::List(_) => validate_list(&mut reader),
        Schema::Set(_) => validate_hashed(&mut reader, false),
        Schema::Map(_) => validate_hashed(&mut reader, true),
    };
    if checked.is_some() && reader.remaining() == 0 {
        return Ok(());
    }
    Err(WriteError::MalformedRecord {
        type_name: schema.name().to_owned(),
        offset: reader.position(),
    })
}

fn below_limit(ordinal: u64) -> Option<()> {
    (ordinal < u64::from(crate::write::ORDINAL_LIMIT)).then_some(())
}

fn validate_list(reader: &mut Reader<'_>) -> Option<()> {
    let size = reader.vint()?;
    (0..size).try_for_each(|_| below_limit(reader.vlong()?))
}

fn validate_hashed(reader: &mut Reader<'_>, is_map: bool) -> Option<()> {
    let size = reader.vint()?;
    // Each entry takes at least two bytes, which also keeps the number of buckets in range.
    if size as usize > reader.remaining() {
        return None;
    }
    let mask = bucket_count(size)? - 1;
    let mut last = 0_u64;
    (0..size).try_for_each(|_| {
        last += reader.vlong()?;
        below_limit(last)?;
        if is_map {
            below_limit(reader.vlong()?)?;
        }
        (reader.vint()? == hash_int(last as i32) as u32 & mask).then_some(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};

    fn schema(text: &str) -> Schema {
        text.parse().expect("a schema")
    }

    fn refused(schema: &Schema, record: &[u8]) -> usize {
        match validate(schema, record) {
            Err(WriteError::MalformedRecord { offset, .. }) => offset,
            other => panic!("{record:02x?}: {other:?}"),
        }
    }

    #[test]
    fn every_field_type_comes_back() {
        let schema = schema(
            "T { int i; long l; boolean b; float f; double d; string s; bytes y; U r; int n; }",
        );
        let object = schema.as_object().expect("an OBJECT");
        let mut record = ObjectRecord::new(object);
        record.set_int(0, -7);
        record.set_long(1, i64::MAX);
        record.set_boolean(2, true);
        record.set_float(3, f32::NAN);
        record.set_double(4, -0.5);
        record.set_str(5, "é!");
        record.set_bytes(6, &[0, 128, 255]);
        record.set_reference(7, 300);
        let bytes = record.bytes().to_vec();
        validate(&schema, &bytes).expect("valid");
        let types: Vec<FieldType> = object.fields.iter().map(|field| field.field_type).collect();
        let values: Vec<Stored<'_>> = Fields::new(&types, &bytes).collect();
        assert_eq!(
            values,
            [
                Stored::Fixed(13),
                Stored::Fixed(u64::MAX - 1),
                Stored::Fixed(1),
                Stored::Fixed(0x7fc0_0000),
                Stored::Fixed((-0.5_f64).to_bits()),
                Stored::Variable(&[0x81, 0x69, 0x21]),
                Stored::Variable(&[0, 128, 255]),
                Stored::Fixed(300),
                Stored::Null,
            ]
        );
        for cut in 0..bytes.len() {
            refused(&schema, &bytes[..cut]);
        }
    }

    #[test]
    fn the_smallest_numbers_are_null() {
        let schema = schema("T { int i; long l; float f; double d; }");
        let mut record = ObjectRecord::new(schema.as_object().expect("an OBJECT"));
        let nulls = record.bytes().to_vec();
        record.set_int(0, i32::MIN);
        record.set_long(1, i64::MIN);
        assert_eq!(record.bytes(), nulls);
        validate(&schema, &nulls).expect("valid");
    }

    #[test]
    fn collections_come_back() {
        let mut list = ListRecord::new();
        [300, 1, 300].iter().for_each(|&o| list.push(o));
        assert_eq!(
            Entries::list(list.bytes())
                .map(|(o, _)| o)
                .collect::<Vec<_>>(),
            [300, 1, 300]
        );
        validate(&schema("L List<E>;"), list.bytes()).expect("valid");
        let mut set = SetRecord::new();
        [300, 1, 300].iter().for_each(|&o| set.insert(o));
        assert_eq!(
            Entries::set(set.bytes())
                .map(|(o, _)| o)
                .collect::<Vec<_>>(),
            [1, 300]
        );
        validate(&schema("S Set<E>;"), set.bytes()).expect("valid");
        let mut map = MapRecord::new();
        [(5, 1), (2, 2), (5, 3), (5, 4)]
            .iter()
            .for_each(|&(k, v)| map.insert(k, v));
        assert_eq!(
            Entries::map(map.bytes()).collect::<Vec<_>>(),
            [(2, 2), (5, 4)]
        );
        validate(&schema("M Map<E,E>;"), map.bytes()).expect("valid");
    }

    #[test]
    fn only_one_spelling_is_accepted() {
        let object = schema("T { int i; boolean b; string s; }");
        validate(&object, &[2, 1, 1, b'a']).expect("valid");
        assert_eq!(refused(&object, &[2, 1, 1, b'a', 0]), 4, "a byte too many");
        refused(&object, &[0x80, 2, 0x80]); // a BOOLEAN of 2
        refused(&object, &[0x8f, 0xff, 0xff, 0xff, 0x7f, 1, 0x80]); // the smallest INT, not as null
        refused(&object, &[0x80, 0x80, 3, 0x8f, 0xff, 0x7f]); // a unit above 16 bits
        refused(&schema("L List<E>;"), &[0x81]);
        refused(&schema("S Set<E>;"), &[3, 2, 1, 3, 3, 4, 3]); // another bucket
        refused(&schema("S Set<E>;"), &[0x87, 0xff, 0xff, 0xff, 0x7f]); // a size beyond the bytes
        refused(&schema("M Map<E,E>;"), &[1, 2, 0x80, 1]); // a null value
    }
}
