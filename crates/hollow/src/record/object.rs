//! Builder of OBJECT records.

use crate::Ordinal;
use crate::codec::varint::{write_null, write_vint, write_vlong, zigzag_int, zigzag_long};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, double_bits, float_bits, short, string};
use crate::record::{Fields, Stored};
use crate::schema::{FieldType, ObjectSchema};

/// Builds the serialized form of OBJECT records of one type; reusable, without allocation once warm.
///
/// Fields are addressed by their position in the schema and may be set in any order; a field that is not set is null.
/// Java's `HollowObjectWriteRecord`, but for its `setNull`, which stores a one-byte value in STRING and BYTES fields:
/// here null is null.
///
/// ```
/// use hollow::record::ObjectRecord;
/// use hollow::schema::Schema;
///
/// let schema: Schema = "A @PrimaryKey(id) { int id; string s; }".parse()?;
/// let mut record = ObjectRecord::new(schema.as_object().ok_or("not an OBJECT")?);
/// record.set_int(0, -3);
/// assert_eq!(record.bytes(), [0x05, 0x80]); // zig-zag of -3, then null
/// record.reset();
/// record.set_int(0, 1);
/// record.set_str(1, "hi");
/// assert_eq!(record.bytes(), [0x02, 0x02, b'h', b'i']);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// The setters panic when the field does not exist or has another type: that is a mistake in the program, not in its
/// data.
#[derive(Debug, Clone)]
pub struct ObjectRecord {
    types: Vec<FieldType>,
    /// The record as far as it was set in the order of the schema; whole after [`bytes`](Self::bytes).
    serialized: Vec<u8>,
    /// Fields that are in `serialized`.
    next: usize,
    /// Whether a field was set out of order: `values` and `variable` hold all fields then.
    is_scattered: bool,
    values: Vec<Value>,
    variable: Vec<u8>,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Null,
    Fixed(u64),
    Variable { start: usize, end: usize },
}

impl ObjectRecord {
    /// An empty record: every field is null.
    #[must_use]
    pub fn new(schema: &ObjectSchema) -> Self {
        let types: Vec<FieldType> = schema.fields.iter().map(|field| field.field_type).collect();
        Self {
            values: vec![Value::Null; types.len()],
            types,
            serialized: Vec::new(),
            next: 0,
            is_scattered: false,
            variable: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Makes every field null again.
    pub fn reset(&mut self) {
        self.serialized.clear();
        self.next = 0;
        self.is_scattered = false;
    }

    /// Makes `field` null.
    pub fn set_null(&mut self, field: usize) {
        self.set_stored(field, Stored::Null);
    }

    /// Sets an INT. [`i32::MIN`] is the format's null and cannot be told from it.
    #[inline]
    pub fn set_int(&mut self, field: usize, value: i32) {
        let stored = match value {
            i32::MIN => Stored::Null,
            _ => Stored::Fixed(u64::from(zigzag_int(value))),
        };
        self.set(field, FieldType::Int, stored);
    }

    /// Sets a LONG. [`i64::MIN`] is the format's null and cannot be told from it.
    #[inline]
    pub fn set_long(&mut self, field: usize, value: i64) {
        let stored = match value {
            i64::MIN => Stored::Null,
            _ => Stored::Fixed(zigzag_long(value)),
        };
        self.set(field, FieldType::Long, stored);
    }

    /// Sets a BOOLEAN.
    #[inline]
    pub fn set_boolean(&mut self, field: usize, value: bool) {
        self.set(field, FieldType::Boolean, Stored::Fixed(u64::from(value)));
    }

    /// Sets a FLOAT; every NaN is stored as the one that Java writes.
    #[inline]
    pub fn set_float(&mut self, field: usize, value: f32) {
        let bits = u64::from(float_bits(value));
        self.set(field, FieldType::Float, Stored::Fixed(bits));
    }

    /// Sets a DOUBLE; every NaN is stored as the one that Java writes.
    #[inline]
    pub fn set_double(&mut self, field: usize, value: f64) {
        self.set(field, FieldType::Double, Stored::Fixed(double_bits(value)));
    }

    /// Sets a REFERENCE to the record with `ordinal` in the field's referenced type.
    #[inline]
    pub fn set_reference(&mut self, field: usize, ordinal: Ordinal) {
        self.set(
            field,
            FieldType::Reference,
            Stored::Fixed(u64::from(ordinal)),
        );
    }

    /// Sets a STRING.
    #[inline]
    pub fn set_str(&mut self, field: usize, value: &str) {
        if value.is_ascii() {
            self.set(field, FieldType::String, Stored::Variable(value.as_bytes()));
        } else {
            self.set_utf16(field, value.encode_utf16());
        }
    }

    /// Sets a STRING from UTF-16 units, which need not be well-formed: Java strings can hold lone surrogates.
    pub fn set_utf16(&mut self, field: usize, units: impl IntoIterator<Item = u16>) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        string::write_units(&mut text, units);
        self.set(field, FieldType::String, Stored::Variable(&text));
        self.text = text;
    }

    /// Sets a STRING from its stored bytes (each UTF-16 unit as a variable-length integer, format section 5).
    pub fn set_string_bytes(&mut self, field: usize, stored: &[u8]) {
        self.set(field, FieldType::String, Stored::Variable(stored));
    }

    /// Sets a BYTES field.
    pub fn set_bytes(&mut self, field: usize, value: &[u8]) {
        self.set(field, FieldType::Bytes, Stored::Variable(value));
    }

    #[inline]
    fn set(&mut self, field: usize, expected: FieldType, value: Stored<'_>) {
        let actual = self.types[field];
        assert!(
            actual == expected,
            "field {field} is {actual:?}, not {expected:?}"
        );
        self.set_stored(field, value);
    }

    /// Sets a field from a stored value of its own type.
    #[inline]
    pub(crate) fn set_stored(&mut self, field: usize, value: Stored<'_>) {
        if self.is_scattered || field < self.next {
            self.scatter();
            self.values[field] = match value {
                Stored::Null => Value::Null,
                Stored::Fixed(stored) => Value::Fixed(stored),
                Stored::Variable(bytes) => push_variable(&mut self.variable, bytes),
            };
            return;
        }
        self.fill(field);
        put_field(&mut self.serialized, self.types[field], value);
        self.next = field + 1;
    }

    /// Puts null into the fields up to `field`.
    #[inline]
    fn fill(&mut self, field: usize) {
        for field_type in &self.types[self.next..field] {
            put_field(&mut self.serialized, *field_type, Stored::Null);
        }
        self.next = field;
    }

    /// Takes the record apart, so that fields can be set in any order.
    fn scatter(&mut self) {
        if self.is_scattered {
            return;
        }
        self.is_scattered = true;
        self.variable.clear();
        self.values.fill(Value::Null);
        let set = Fields::new(&self.types[..self.next], &self.serialized);
        for (value, stored) in self.values.iter_mut().zip(set) {
            *value = match stored {
                Stored::Null => Value::Null,
                Stored::Fixed(stored) => Value::Fixed(stored),
                Stored::Variable(bytes) => push_variable(&mut self.variable, bytes),
            };
        }
    }

    /// The serialized record (format 9.1), for [`WriteState::add`](crate::write::WriteState::add).
    pub fn bytes(&mut self) -> &[u8] {
        if !self.is_scattered {
            self.fill(self.types.len());
            return &self.serialized;
        }
        self.serialized.clear();
        for (value, field_type) in self.values.iter().zip(&self.types) {
            let stored = match *value {
                Value::Null => Stored::Null,
                Value::Fixed(stored) => Stored::Fixed(stored),
                Value::Variable { start, end } => Stored::Variable(&self.variable[start..end]),
            };
            put_field(&mut self.serialized, *field_type, stored);
        }
        &self.serialized
    }
}

fn push_variable(variable: &mut Vec<u8>, bytes: &[u8]) -> Value {
    let start = variable.len();
    variable.extend_from_slice(bytes);
    Value::Variable {
        start,
        end: variable.len(),
    }
}

/// Appends the serialized form of a field.
#[inline]
pub(crate) fn put_field(out: &mut Vec<u8>, field_type: FieldType, value: Stored<'_>) {
    match (value, field_type) {
        (Stored::Fixed(stored), FieldType::Float) => {
            out.extend_from_slice(&(stored as u32).to_be_bytes());
        }
        (Stored::Fixed(stored), FieldType::Double) => {
            out.extend_from_slice(&stored.to_be_bytes());
        }
        (Stored::Fixed(stored), _) => write_vlong(out, stored),
        (Stored::Variable(bytes), _) => {
            write_vint(out, bytes.len() as u32);
            short::append(out, bytes);
        }
        (Stored::Null, FieldType::Float) => out.extend_from_slice(&NULL_FLOAT_BITS.to_be_bytes()),
        (Stored::Null, FieldType::Double) => out.extend_from_slice(&NULL_DOUBLE_BITS.to_be_bytes()),
        (Stored::Null, _) => write_null(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_of_setting_does_not_matter(
            sets in proptest::collection::vec((0_usize..4, any::<i32>(), ".{0,4}"), 0..12),
            again in any::<bool>(),
        ) {
            let schema: Schema = "T { int a; string b; double c; bytes d; }".parse().unwrap();
            let object = schema.as_object().unwrap();
            let set = |record: &mut ObjectRecord, (field, number, text): &(usize, i32, String)| match field {
                _ if number % 5 == 0 => record.set_null(*field),
                0 => record.set_int(0, *number),
                1 => record.set_str(1, text),
                2 => record.set_double(2, f64::from(*number)),
                _ => record.set_bytes(3, text.as_bytes()),
            };
            let mut any_order = ObjectRecord::new(object);
            if again {
                sets.iter().rev().for_each(|one| set(&mut any_order, one));
                any_order.bytes();
                any_order.reset();
            }
            for one in &sets {
                set(&mut any_order, one);
                if again {
                    any_order.bytes();
                }
            }
            let mut in_order = ObjectRecord::new(object);
            for field in 0..4 {
                if let Some(last) = sets.iter().rfind(|one| one.0 == field) {
                    set(&mut in_order, last);
                }
            }
            let bytes = in_order.bytes().to_vec();
            prop_assert_eq!(any_order.bytes(), &bytes[..]);
            prop_assert!(crate::record::validate(&schema, &bytes).is_ok());
        }
    }
}
