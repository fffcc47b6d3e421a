//! The primitive encodings of the blob format, shared by its readers and its writers.
//!
//! Everything above this module speaks of schemas and records; everything about bytes and bits (the order of groups in
//! a variable-length integer, the order of bits in a packed word, Java's idea of UTF-8 and of a string's hash) is said
//! here once. Sections of the format description are cited by number.

pub mod bits;
mod cursor;
pub mod hash;
pub(crate) mod short;
pub mod string;
pub mod utf;
pub mod varint;

pub use cursor::Cursor;

/// The bit pattern that stands for a null FLOAT (section 5).
pub const NULL_FLOAT_BITS: u32 = 0x7fc0_0001;
/// The bit pattern that stands for a null DOUBLE (section 5).
pub const NULL_DOUBLE_BITS: u64 = 0x7ff8_0000_0000_0001;

/// The bits under which a FLOAT is stored: Java's `floatToIntBits`, which knows one NaN only, so that no NaN of ours
/// can be taken for the null pattern.
#[inline]
pub fn float_bits(value: f32) -> u32 {
    if value.is_nan() {
        0x7fc0_0000
    } else {
        value.to_bits()
    }
}

/// The bits under which a DOUBLE is stored: Java's `doubleToLongBits`.
#[inline]
pub fn double_bits(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else {
        value.to_bits()
    }
}
