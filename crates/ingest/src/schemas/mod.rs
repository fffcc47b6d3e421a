//! Schemas by the id that the wire format names them with, from a directory or from a schema registry.

mod directory;
mod registry;

pub use directory::DirectorySchemas;
pub use registry::{RegistryAuth, RegistryOptions, RegistrySchemas};

use crate::avro::AvroSchema;
use crate::error::Result;
use std::sync::Arc;

/// The first byte of a value in the registry wire format.
pub const WIRE_MAGIC: u8 = 0;

/// Finds the schema that a value was written with, and the id to write with.
pub trait SchemaSource: Send + Sync {
    /// The schema of that id, or `None` where there is none. Asked once per id that is found.
    ///
    /// # Errors
    /// [`Error::Schema`](crate::Error::Schema) where it is there but no schema of records; anything else where the source
    /// can't be asked now.
    fn schema(&self, id: u32) -> Result<Option<Arc<AvroSchema>>>;

    /// The schemas that values of a topic may be written with: the versions of its subject, `TOPIC-value`, where the source
    /// keeps subjects, else all that describe records of the name `record`. Oldest first.
    ///
    /// # Errors
    /// Where the source can't be asked now.
    fn versions(&self, subject: &str, record: &str) -> Result<Vec<SchemaVersion>> {
        let _ = (subject, record);
        Ok(Vec::new())
    }

    /// The id to write values of `schema` with. A schema registry that does not know the schema yet is asked to take it as
    /// the subject's next version, if the source may do that.
    ///
    /// # Errors
    /// [`Error::Incompatible`](crate::Error::Incompatible) where the registry refuses it, [`Error::Schema`](crate::Error::Schema)
    /// where nobody could look it up; anything else where the source can't be asked now.
    fn id_of(&self, subject: &str, schema: &AvroSchema) -> Result<u32> {
        let _ = subject;
        Ok(schema.id())
    }
}

/// A schema that values of a topic may have been written with.
#[derive(Clone, Debug)]
pub struct SchemaVersion {
    /// What names it in messages: a file, or a subject and a version.
    pub name: String,
    /// The schema.
    pub schema: Arc<AvroSchema>,
}

/// Appends the wire format's header for values of that schema.
pub fn write_wire_header(schema_id: u32, out: &mut Vec<u8>) {
    out.push(WIRE_MAGIC);
    out.extend_from_slice(&schema_id.to_be_bytes());
}

/// Splits a value in the wire format into schema id and body; `None` where it is not one.
#[must_use]
pub fn split_wire(value: &[u8]) -> Option<(u32, &[u8])> {
    let (&[magic, a, b, c, d], body) = value.split_first_chunk::<5>()?;
    (magic == WIRE_MAGIC).then(|| (u32::from_be_bytes([a, b, c, d]), body))
}
