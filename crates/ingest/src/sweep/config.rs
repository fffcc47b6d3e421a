//! Sources as they are configured.

use super::file::{FileFormat, FileSource};
use super::postgres::{PostgresConfig, PostgresSource};
use super::source::{RowEncoder, Source};
use crate::error::{Error, Result};
use crate::schemas::SchemaSource;
use crate::spec::DatasetSpec;
use serde::Deserialize;
use std::path::PathBuf;

/// A source of a dataset: a file or a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The file.
    pub file: Option<FileConfig>,
    /// Or the table.
    pub postgres: Option<PostgresConfig>,
    /// The field or column with the source version of a row, a number that grows with each change of the row. A field that the
    /// dataset does not have is left out of its records.
    #[serde(default = "version_field")]
    pub version: String,
}

fn version_field() -> String {
    "version".to_owned()
}

/// A file as a source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// `NAME.avro`, `NAME.jsonl`, `NAME.ndjson` or `NAME.csv`, with `.gz` or `.zst` after it where it is compressed.
    pub path: PathBuf,
    /// The source version up to which the file is known, where it is not the greatest version in it.
    pub as_of: Option<i64>,
    /// Whether the file holds only a part of the dataset; a sweep of it deletes nothing.
    #[serde(default)]
    pub filtered: bool,
}

impl SourceConfig {
    /// A file with the version of rows in the field `version`.
    #[must_use]
    pub fn of_file(path: PathBuf) -> Self {
        Self {
            file: Some(FileConfig {
                path,
                as_of: None,
                filtered: false,
            }),
            postgres: None,
            version: version_field(),
        }
    }

    /// Whether the source yields only a part of the dataset.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        let file = self.file.as_ref().is_some_and(|file| file.filtered);
        file || self
            .postgres
            .as_ref()
            .is_some_and(|postgres| postgres.filter.is_some())
    }

    /// The source. Its rows are written with the dataset's schema, under the id that `schemas` has for it.
    ///
    /// # Errors
    /// [`Error::Source`] where the configuration contradicts itself; where the schema has no id.
    pub fn open(&self, spec: &DatasetSpec, schemas: &dyn SchemaSource) -> Result<Box<dyn Source>> {
        let schema_id = schemas.id_of(&spec.subject(), &spec.schema)?;
        let encoder = RowEncoder::new(spec, schema_id, &self.version)?;
        match (&self.file, &self.postgres) {
            (Some(file), None) => {
                let format = FileFormat::of(&file.path).ok_or_else(|| Error::Source {
                    name: file.path.display().to_string(),
                    reason: "expected a name that ends in .avro, .jsonl, .ndjson or .csv, with .gz or .zst after it where it \
                             is compressed"
                        .to_owned(),
                })?;
                let source = FileSource::new(file.path.clone(), format, encoder, file.as_of);
                Ok(Box::new(source))
            }
            (None, Some(postgres)) => {
                let shape = spec.model.key().clone();
                Ok(Box::new(PostgresSource::new(
                    postgres.clone(),
                    encoder,
                    shape,
                )?))
            }
            _ => Err(Error::Source {
                name: format!("the source of {}", spec.name),
                reason: "say either file or postgres".to_owned(),
            }),
        }
    }
}
