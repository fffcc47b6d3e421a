//! Schemas that lie in a directory, or are compiled in. Their ids come from the schemas themselves, so nothing has to be
//! handed out or kept.

use super::{SchemaSource, SchemaVersion};
use crate::avro::AvroSchema;
use crate::error::{Error, Result};
use crate::spec::EMBEDDED_SCHEMAS;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

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

    /// A directory knows no subjects: all schemas that describe records of that name.
    fn versions(&self, _subject: &str, record: &str) -> Result<Vec<SchemaVersion>> {
        let of_record = |(_, schema): &&(String, Arc<AvroSchema>)| schema.root_type() == record;
        let version = |(name, schema): &(String, Arc<AvroSchema>)| SchemaVersion {
            name: name.clone(),
            schema: Arc::clone(schema),
        };
        Ok(self.by_id.values().filter(of_record).map(version).collect())
    }

    fn id_of(&self, _subject: &str, schema: &AvroSchema) -> Result<u32> {
        match self.by_id.get(&schema.id()) {
            Some(_) => Ok(schema.id()),
            None => Err(Error::Schema {
                source_name: schema.root_type().to_owned(),
                reason: "it does not lie in the directory of schemas, so nobody could read what it writes; put its file there"
                    .to_owned(),
            }),
        }
    }
}
