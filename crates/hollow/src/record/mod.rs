//! Serialized records (format 9.1): the identity of a record inside a writer.
//!
//! A record reaches the write state as a byte string, built by [`ObjectRecord`], [`ListRecord`], [`SetRecord`] or
//! [`MapRecord`] or by whoever knows the format. Two records of a type are the same exactly when these bytes are, so
//! there is one byte string per content: [`validate`] refuses every other spelling. The bytes never reach a blob, but
//! everything that is additive over records (sums, widths, reference counts) is computed from them.

mod collections;
mod decode;
mod object;

pub(crate) use collections::write_set;
pub use collections::{ListRecord, MapRecord, SetRecord};
pub use decode::{Entries, Fields, Reader, Stored, validate};
pub use object::ObjectRecord;
pub(crate) use object::put_field;

/// The mask that takes a hash to its bucket in a SET or MAP of `size` elements. A size beyond the format's limit gets
/// the largest table; [`validate`] refuses the record.
fn home_mask(size: u32) -> u32 {
    crate::codec::hash::bucket_count(size).map_or(u32::MAX >> 2, |buckets| buckets - 1)
}
