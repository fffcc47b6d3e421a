//! Builder of OBJECT records.

use crate::Ordinal;
use crate::codec::varint::{write_null, write_vint, write_vlong, zigzag_int, zigzag_long};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, double_bits, float_bits, string};
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
    values: Vec<Value>,
    /// The bytes of STRING and BYTES fields, in the order in which they were set.
    variable: Vec<u8>,
    serialized: Vec<u8>,
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
            variable: Vec::new(),
            serialized: Vec::new(),
        }
    }

    /// Makes every field null again.
    pub fn reset(&mut self) {
        self.values.fill(Value::Null);
        self.variable.clear();
    }

    /// Makes `field` null.
    pub fn set_null(&mut self, field: usize) {
        self.values[field] = Value::Null;
    }

    /// Sets an INT. [`i32::MIN`] is the format's null and cannot be told from it.
    pub fn set_int(&mut self, field: usize, value: i32) {
        let stored = if value == i32::MIN {
            Value::Null
        } else {
            Value::Fixed(u64::from(zigzag_int(value)))
        };
        self.set(field, FieldType::Int, stored);
    }

    /// Sets a LONG. [`i64::MIN`] is the format's null and cannot be told from it.
    pub fn set_long(&mut self, field: usize, value: i64) {
        let stored = if value == i64::MIN {
            Value::Null
        } else {
            Value::Fixed(zigzag_long(value))
        };
        self.set(field, FieldType::Long, stored);
    }

    /// Sets a BOOLEAN.
    pub fn set_boolean(&mut self, field: usize, value: bool) {
        self.set(field, FieldType::Boolean, Value::Fixed(u64::from(value)));
    }

    /// Sets a FLOAT; every NaN is stored as the one that Java writes.
    pub fn set_float(&mut self, field: usize, value: f32) {
        self.set(
            field,
            FieldType::Float,
            Value::Fixed(u64::from(float_bits(value))),
        );
    }

    /// Sets a DOUBLE; every NaN is stored as the one that Java writes.
    pub fn set_double(&mut self, field: usize, value: f64) {
        self.set(field, FieldType::Double, Value::Fixed(double_bits(value)));
    }

    /// Sets a REFERENCE to the record with `ordinal` in the field's referenced type.
    pub fn set_reference(&mut self, field: usize, ordinal: Ordinal) {
        self.set(
            field,
            FieldType::Reference,
            Value::Fixed(u64::from(ordinal)),
        );
    }

    /// Sets a STRING.
    pub fn set_str(&mut self, field: usize, value: &str) {
        let start = self.variable.len();
        string::write_str(&mut self.variable, value);
        self.set(
            field,
            FieldType::String,
            Value::Variable {
                start,
                end: self.variable.len(),
            },
        );
    }

    /// Sets a STRING from UTF-16 units, which need not be well-formed: Java strings can hold lone surrogates.
    pub fn set_utf16(&mut self, field: usize, units: impl IntoIterator<Item = u16>) {
        let start = self.variable.len();
        string::write_units(&mut self.variable, units);
        self.set(
            field,
            FieldType::String,
            Value::Variable {
                start,
                end: self.variable.len(),
            },
        );
    }

    /// Sets a STRING from its stored bytes (each UTF-16 unit as a variable-length integer, format section 5).
    pub fn set_string_bytes(&mut self, field: usize, stored: &[u8]) {
        let start = self.variable.len();
        self.variable.extend_from_slice(stored);
        self.set(
            field,
            FieldType::String,
            Value::Variable {
                start,
                end: self.variable.len(),
            },
        );
    }

    /// Sets a BYTES field.
    pub fn set_bytes(&mut self, field: usize, value: &[u8]) {
        let start = self.variable.len();
        self.variable.extend_from_slice(value);
        self.set(
            field,
            FieldType::Bytes,
            Value::Variable {
                start,
                end: self.variable.len(),
            },
        );
    }

    /// Sets a field from a stored value of its own type.
    pub(crate) fn set_stored(&mut self, field: usize, value: super::Stored<'_>) {
        self.values[field] = match value {
            super::Stored::Null => Value::Null,
            super::Stored::Fixed(stored) => Value::Fixed(stored),
            super::Stored::Variable(bytes) => {
                let start = self.variable.len();
                self.variable.extend_from_slice(bytes);
                Value::Variable {
                    start,
                    end: self.variable.len(),
                }
            }
        };
    }

    fn set(&mut self, field: usize, expected: FieldType, value: Value) {
        let actual = self.types[field];
        assert!(
            actual == expected,
            "field {field} is {actual:?}, not {expected:?}"
        );
        self.values[field] = value;
    }

    /// The serialized record (format 9.1), for [`WriteState::add`](crate::write::WriteState::add).
    pub fn bytes(&mut self) -> &[u8] {
        self.serialized.clear();
        let out = &mut self.serialized;
        for (value, field_type) in self.values.iter().zip(&self.types) {
            match (*value, field_type) {
                (Value::Fixed(stored), FieldType::Long) => write_vlong(out, stored),
                (Value::Fixed(stored), FieldType::Float) => {
                    out.extend_from_slice(&(stored as u32).to_be_bytes())
                }
                (Value::Fixed(stored), FieldType::Double) => {
                    out.extend_from_slice(&stored.to_be_bytes())
                }
                (Value::Fixed(stored), FieldType::Boolean) => out.push(stored as u8),
                (Value::Fixed(stored), _) => write_vint(out, stored as u32),
                (Value::Variable { start, end }, _) => {
                    write_vint(out, (end - start) as u32);
                    out.extend_from_slice(&self.variable[start..end]);
                }
                (Value::Null, FieldType::Float) => {
                    out.extend_from_slice(&NULL_FLOAT_BITS.to_be_bytes())
                }
                (Value::Null, FieldType::Double) => {
                    out.extend_from_slice(&NULL_DOUBLE_BITS.to_be_bytes())
                }
                (Value::Null, _) => write_null(out),
            }
        }
        &self.serialized
    }
}
