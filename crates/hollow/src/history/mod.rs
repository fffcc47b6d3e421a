//! The history of keys: what became of a record from version to version, from the blobs alone and on disk.
//!
//! For each step of a chain a *segment* is written: the records of keyed types that the step added, removed or changed,
//! before and after, with all that they refer to. It costs by the change, like the delta that it is made from, and it is
//! read in place from its bytes: a look-up is a binary search over sorted hashes of keys. Hollow's history explorer keeps
//! all of this in the heap of one process.
//!
//! ## Form of a segment
//!
//! All numbers are little-endian.
//!
//! | Bytes | What |
//! | --- | --- |
//! | 8 | `HOLLOWH1` |
//! | 8, 8 | version that the step leads from, and to (`i64`) |
//! | 4, 4, 4 | lengths of schemas, nodes and changes in bytes (`u32`) |
//! | 4, 4 | number n of nodes, number m of changes |
//! | | schemas: the blob form of each, one after the other |
//! | | nodes: a record each, children first |
//! | | changes: type (position among the schemas), key, node before and after |
//! | 4 n | where in *nodes* each begins |
//! | 12 m | hash of type and key (`u64`) and where in *changes* it begins (`u32`), ascending |
//!
//! A node is the position of its schema (`vint`) and the values: in an OBJECT `80` for null, a `vlong` for what a row
//! stores in fixed width, length and bytes for STRING and BYTES; in collections the number of elements and the elements. A
//! node refers to another one by its number plus 1; 0 stands for a record that is not there. Equal subtrees are one node,
//! so the unchanged parts of a record take no room twice.

mod build;
mod segment;

pub use build::SegmentBuilder;
pub use segment::{Change, Segment};

use crate::codec::varint::{write_vlong, zigzag_long};
use crate::codec::{double_bits, float_bits, string};
use crate::error::Result;
use crate::key::KeyValue;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"HOLLOWH1";
/// Length of the part in front of the schemas.
const HEADER_BYTES: usize = 8 + 8 + 8 + 4 * 5;

/// What the segments say about one key, in their order.
///
/// # Errors
/// [`Error::Malformed`](crate::Error::Malformed) and [`Error::Truncated`](crate::Error::Truncated) for a damaged segment.
pub fn history<'s, 'a: 's>(
    segments: impl IntoIterator<Item = &'s Segment<'a>>,
    type_name: &str,
    key: &[KeyValue],
) -> Result<Vec<Change>> {
    segments
        .into_iter()
        .filter_map(|segment| segment.change_of(type_name, key).transpose())
        .collect()
}

/// The form in which keys are stored and hashed: a number is the same whether it is an INT or a LONG.
fn key_bytes(key: &[KeyValue], out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        write_vlong(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    };
    for value in key {
        match value {
            KeyValue::Null => sized(0, &[]),
            KeyValue::Int(value) => number(&mut sized, i64::from(*value)),
            KeyValue::Long(value) => number(&mut sized, *value),
            KeyValue::Boolean(value) => sized(2, &[u8::from(*value)]),
            KeyValue::Float(value) => sized(3, &float_bits(*value).to_le_bytes()),
            KeyValue::Double(value) => sized(4, &double_bits(*value).to_le_bytes()),
            KeyValue::String(value) => {
                let mut stored = Vec::new();
                string::write_str(&mut stored, value);
                sized(5, &stored);
            }
            KeyValue::Bytes(value) => sized(6, value),
        }
    }
}

fn number(sized: &mut impl FnMut(u8, &[u8]), value: i64) {
    sized(1, &zigzag_long(value).to_le_bytes());
}

fn key_hash(type_name: &str, key: &[u8]) -> u64 {
    let mut bytes = Vec::with_capacity(type_name.len() + 1 + key.len());
    bytes.extend_from_slice(type_name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(key);
    xxh3_64(&bytes)
}
