//! Headers of main blobs and of optional parts (format section 2).

use crate::Result;
use crate::codec::utf;
use crate::codec::varint::{vlong_len, write_vint};
use crate::schema::Schema;
use crate::write::WriteError;

/// The version of main blobs.
const MAIN_VERSION: i32 = 1030;
/// The version of optional parts.
const PART_VERSION: i32 = 1031;

/// What the header of a blob says, but for its types.
#[derive(Debug, Clone)]
pub(crate) struct Head<'a> {
    pub(crate) origin_tag: i64,
    pub(crate) destination_tag: i64,
    /// In the order in which they are written.
    pub(crate) header_tags: &'a [(String, String)],
}

/// Appends the header of a main blob with type states of `schemas`.
pub(crate) fn write_main_header<'a>(
    head: &Head<'_>,
    schemas: impl Iterator<Item = &'a Schema>,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend_from_slice(&MAIN_VERSION.to_be_bytes());
    out.extend_from_slice(&head.origin_tag.to_be_bytes());
    out.extend_from_slice(&head.destination_tag.to_be_bytes());
    let (count, bytes) = schema_list(schemas)?;
    // The envelope: the number of schemas, the schemas, and one byte for no forward-compatibility bytes.
    write_vint(out, (vlong_len(u64::from(count)) + bytes.len() + 1) as u32);
    write_vint(out, count);
    out.extend_from_slice(&bytes);
    write_vint(out, 0);
    let tags =
        i16::try_from(head.header_tags.len()).map_err(|_| WriteError::TooManyHeaderTags {
            count: head.header_tags.len(),
        })?;
    out.extend_from_slice(&tags.to_be_bytes());
    for (key, value) in head.header_tags {
        utf::write(out, key)?;
        utf::write(out, value)?;
    }
    write_vint(out, count);
    Ok(())
}

/// Appends the header of an optional part with type states of `schemas`.
pub(crate) fn write_part_header<'a>(
    head: &Head<'_>,
    part: &str,
    schemas: impl Iterator<Item = &'a Schema>,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend_from_slice(&PART_VERSION.to_be_bytes());
    utf::write(out, part)?;
    out.extend_from_slice(&head.origin_tag.to_be_bytes());
    out.extend_from_slice(&head.destination_tag.to_be_bytes());
    let (count, bytes) = schema_list(schemas)?;
    write_vint(out, count);
    out.extend_from_slice(&bytes);
    write_vint(out, 0);
    write_vint(out, count);
    Ok(())
}

fn schema_list<'a>(schemas: impl Iterator<Item = &'a Schema>) -> Result<(u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for schema in schemas {
        schema.write(&mut bytes)?;
        count += 1;
    }
    Ok((count, bytes))
}
