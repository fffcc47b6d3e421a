//! Schemas by the id that the wire format names them with.
//!
//! The ids of [`DirectorySchemas`] come from the schemas themselves, so nothing has to be handed out or kept. A client of a
//! schema registry would be another [`SchemaSource`].

use crate::avro::AvroSchema;
use crate::error::{Error, Result};
use crate::spec::EMBEDDED_SCHEMAS;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The first byte of a value in the registry wire format.
pub const WIRE_MAGIC: u8 = 0;

/// Finds the schema that a value was written with.
pub trait SchemaSource: Send + Sync {
    /// The schema of that id, or `None` where there is none. Asked once per id that is found.
    ///
    /// # Errors
    /// Where the source can't be asked now.
    fn schema(&self, id: u32) -> Result<Option<Arc<AvroSchema>>>;
}

/// The schemas of a directory, or those compiled in. To let records of an older schema be read, its file stays in the
/// directory under any other name.
#[derive(Debug, Default)]
pub struct DirectorySchemas {
    by_id: BTreeMap<u32, (String, Arc<AvroSchema>)>,
}

impl DirectorySchemas {
    /// The schemas that are compiled in.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn embedded() -> Result<Self> {
        let mut schemas = Self::default();
        for (name, text) in EMBEDDED_SCHEMAS {
            schemas.add(name, text)?;
        }
        Ok(schemas)
    }

    /// All files `*.avsc` in `dir`.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Schema`], [`Error::SchemaIdTwice`].
    pub fn open(dir: &Path) -> Result<Self> {
        let read = |source| Error::Read {
            path: dir.to_owned(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(read)? {
            paths.push(entry.map_err(read)?.path());
        }
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "avsc")
        });
        paths.sort();
        let mut schemas = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?;
            schemas.add(&path.display().to_string(), &text)?;
        }
        Ok(schemas)
    }

    /// Adds a schema; `source` names it in errors.
    ///
    /// # Errors
    /// [`Error::Schema`], [`Error::SchemaIdTwice`].
    pub fn add(&mut self, source: &str, text: &str) -> Result<Arc<AvroSchema>> {
        let schema = Arc::new(AvroSchema::parse(text, source)?);
        if let Some((first, known)) = self.by_id.get(&schema.id()) {
            let same = |text: &str| {
                apache_avro::Schema::parse_str(text)
                    .map(|schema| schema.canonical_form())
                    .ok()
            };
            if same(known.text()) != same(text) {
                let (first, second) = (first.clone(), source.to_owned());
                return Err(Error::SchemaIdTwice {
                    id: schema.id(),
                    first,
                    second,
                });
            }
        }
        self.by_id
            .insert(schema.id(), (source.to_owned(), Arc::clone(&schema)));
        Ok(schema)
    }
}

impl SchemaSource for DirectorySchemas {
    fn schema(&self, id: u32) -> Result<Option<Arc<AvroSchema>>> {
        Ok(self.by_id.get(&id).map(|(_, schema)| Arc::clone(schema)))
    }
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
