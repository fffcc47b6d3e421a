//! Headers of main blobs, header blobs and optional parts (format section 2).

use crate::codec::Cursor;
use crate::error::{Error, Result};
use crate::schema::Schema;
use std::collections::BTreeMap;

/// Version number of main blobs.
pub(crate) const MAIN_VERSION: i32 = 1030;
/// Version number of optional parts.
pub(crate) const PART_VERSION: i32 = 1031;

/// What stands before the type states of a main blob, and all of a header blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobHeader {
    /// Randomized tag of the state before: the one that a delta applies to.
    pub origin_tag: i64,
    /// Randomized tag of the state that the blob leads to.
    pub destination_tag: i64,
    /// The schemas of the type states that follow; empty in blobs of old writers.
    pub schemas: Vec<Schema>,
    /// The header tags of the state that the blob leads to.
    pub tags: BTreeMap<String, String>,
    /// Number of type states that follow.
    pub type_count: usize,
}

impl BlobHeader {
    /// Reads the header of a snapshot, delta or reverse delta, or a header blob. The type states may be missing.
    ///
    /// # Errors
    /// [`Error::Version`] for anything but version 1030, and [`Error::InBlob`] for bytes that are no header.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        read_header(&mut Cursor::new(bytes))
    }
}

/// What stands before the type states of an optional part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// The part's name.
    pub name: String,
    /// As in the main blob.
    pub origin_tag: i64,
    /// As in the main blob.
    pub destination_tag: i64,
    /// The schemas of the type states that follow.
    pub schemas: Vec<Schema>,
    /// Number of type states that follow.
    pub type_count: usize,
}

impl PartHeader {
    /// Reads the header of an optional part.
    ///
    /// # Errors
    /// [`Error::Version`] for anything but version 1031, and [`Error::Truncated`] or [`Error::Malformed`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        read_part_header(&mut Cursor::new(bytes))
    }
}

pub(crate) fn read_header(cursor: &mut Cursor<'_>) -> Result<BlobHeader> {
    header(cursor).map_err(|error| match error {
        error @ Error::Version { .. } => error,
        error => error.in_blob(None, None),
    })
}

fn header(cursor: &mut Cursor<'_>) -> Result<BlobHeader> {
    version(cursor, MAIN_VERSION)?;
    let origin_tag = cursor.i64("origin tag")?;
    let destination_tag = cursor.i64("destination tag")?;
    let envelope = cursor.vint()?;
    let schemas = if envelope == 0 {
        Vec::new()
    } else {
        read_schemas(cursor)?
    };
    let at = cursor.at();
    let count = cursor.i16("number of header tags")?;
    let count = u16::try_from(count).map_err(|_| Error::Malformed {
        at,
        what: "a negative number of header tags",
    })?;
    let mut tags = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.utf("key of a header tag")?;
        tags.insert(key, cursor.utf("value of a header tag")?);
    }
    Ok(BlobHeader {
        origin_tag,
        destination_tag,
        schemas,
        tags,
        type_count: cursor.vint()? as usize,
    })
}

pub(crate) fn read_part_header(cursor: &mut Cursor<'_>) -> Result<PartHeader> {
    version(cursor, PART_VERSION)?;
    Ok(PartHeader {
        name: cursor.utf("name of the part")?,
        origin_tag: cursor.i64("origin tag")?,
        destination_tag: cursor.i64("destination tag")?,
        schemas: read_schemas(cursor)?,
        type_count: cursor.vint()? as usize,
    })
}

fn version(cursor: &mut Cursor<'_>, expected: i32) -> Result<()> {
    let found = cursor.i32("version")?;
    if found != expected {
        return Err(Error::Version { expected, found });
    }
    Ok(())
}

/// The schemas and the forward-compatibility bytes behind them.
fn read_schemas(cursor: &mut Cursor<'_>) -> Result<Vec<Schema>> {
    let count = cursor.count(3, "schemas")?;
    let schemas = (0..count)
        .map(|_| Schema::read(cursor))
        .collect::<Result<_>>()?;
    let forward = cursor.vint()? as usize;
    cursor.skip(forward, "forward-compatibility bytes")?;
    Ok(schemas)
}
