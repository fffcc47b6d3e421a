//! What is configured: the datasets and the rules, as compiled in or from a directory.

use std::fs;
use std::path::{Path, PathBuf};

use ingest::{DatasetSpec, DirectorySchemas};
use liveness::Configuration;

use crate::error::{Error, Result};

/// The configuration of all roles of the demo.
pub(crate) struct Config {
    /// The datasets that are folded from change records.
    pub(crate) datasets: Vec<DatasetSpec>,
    /// The schemas that their records are written with.
    pub(crate) schemas: DirectorySchemas,
    /// The rules.
    pub(crate) rules: Configuration,
}

impl Config {
    /// `config/` and `schemas/` as they were when the program was built.
    pub(crate) fn embedded() -> Result<Self> {
        Ok(Self {
            datasets: ingest::embedded_specs()?,
            schemas: DirectorySchemas::embedded()?,
            rules: rules(
                Path::new("config/rules.toml"),
                include_str!("../../../config/rules.toml"),
            )?,
        })
    }

    /// `datasets.toml` and `rules.toml` of a directory, with the schemas of another.
    pub(crate) fn load(dir: &Path, schemas: &Path) -> Result<Self> {
        let path = dir.join("rules.toml");
        let text = fs::read_to_string(&path).map_err(|error| config_error(&path, &error))?;
        Ok(Self {
            datasets: ingest::load_specs(&dir.join("datasets.toml"), schemas)?,
            schemas: DirectorySchemas::open(schemas)?,
            rules: rules(&path, &text)?,
        })
    }
}

fn rules(path: &Path, text: &str) -> Result<Configuration> {
    let configuration: Configuration =
        toml::from_str(text).map_err(|error| config_error(path, &error))?;
    configuration
        .complete()
        .map_err(|error| config_error(path, &error))
}

fn config_error(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::Config {
        path: PathBuf::from(path),
        message: error.to_string().trim_end().to_owned(),
    }
}
