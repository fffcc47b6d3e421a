//! What is configured: the datasets and the rules, as compiled in or from files; and how files are read.

use std::fs;
use std::path::{Path, PathBuf};

use ingest::{DatasetSpec, DirectorySchemas};
use liveness::Configuration;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The files of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigFiles {
    /// The datasets: `datasets.toml`.
    pub(crate) datasets: PathBuf,
    /// The directory with their schemas.
    pub(crate) schemas: PathBuf,
    /// The rules: `rules.toml`.
    pub(crate) rules: PathBuf,
}

impl ConfigFiles {
    /// `datasets.toml` and `rules.toml` of a directory, with the schemas of another.
    pub(crate) fn of(dir: &Path, schemas: &Path) -> Self {
        Self {
            datasets: dir.join("datasets.toml"),
            schemas: schemas.to_owned(),
            rules: dir.join("rules.toml"),
        }
    }

    /// The copies that an embedded directory keeps of what it last ran with, so that every command reads it alike.
    pub(crate) fn remembered(directory: &Path) -> Option<Self> {
        let dir = directory.join("config");
        dir.is_dir().then(|| Self::of(&dir, &dir.join("schemas")))
    }

    /// Copies the files into the embedded directory.
    pub(crate) fn remember(&self, directory: &Path) -> Result<()> {
        let kept = Self::of(
            &directory.join("config"),
            &directory.join("config").join("schemas"),
        );
        if *self == kept {
            return Ok(());
        }
        let failed = |path: &Path, error: &dyn std::error::Error| config_error(path, error);
        fs::create_dir_all(&kept.schemas).map_err(|error| failed(&kept.schemas, &error))?;
        let copy = |from: &Path, to: &Path| {
            fs::copy(from, to)
                .map(drop)
                .map_err(|error| failed(from, &error))
        };
        copy(&self.datasets, &kept.datasets)?;
        copy(&self.rules, &kept.rules)?;
        let entries = fs::read_dir(&self.schemas).map_err(|error| failed(&self.schemas, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| failed(&self.schemas, &error))?.path();
            if let Some(name) = path.file_name()
                && path
                    .extension()
                    .is_some_and(|extension| extension == "avsc")
            {
                copy(&path, &kept.schemas.join(name))?;
            }
        }
        Ok(())
    }
}

/// The datasets and the rules.
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
        let path = Path::new("config/rules.toml");
        let rules = parse(path, include_str!("../../../config/rules.toml"))?;
        Ok(Self {
            datasets: ingest::embedded_specs()?,
            schemas: DirectorySchemas::embedded()?,
            rules: complete(path, &rules)?,
        })
    }

    /// What the files say.
    pub(crate) fn load(files: &ConfigFiles) -> Result<Self> {
        Ok(Self {
            datasets: ingest::load_specs(&files.datasets, &files.schemas)?,
            schemas: DirectorySchemas::open(&files.schemas)?,
            rules: rules(&files.rules)?,
        })
    }
}

/// The rules in a file, complete.
pub(crate) fn rules(path: &Path) -> Result<Configuration> {
    complete(path, &load(path)?)
}

/// Rules that are to be set otherwise than PROD's: those in a file, or `config/preprod/rules.toml` as compiled in.
pub(crate) fn changed_rules(file: Option<&Path>) -> Result<Configuration> {
    let embedded = Path::new("config/preprod/rules.toml");
    let changes: Configuration = match file {
        Some(path) => load(path)?,
        None => parse(embedded, include_str!("../../../config/preprod/rules.toml"))?,
    };
    complete(file.unwrap_or(embedded), &changes)?;
    Ok(changes)
}

fn complete(path: &Path, rules: &Configuration) -> Result<Configuration> {
    rules.complete().map_err(|error| config_error(path, &error))
}

/// Reads a configuration file.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(|error| config_error(path, &error))?;
    parse(path, &text)
}

/// The line of a place in a configuration file.
pub(crate) fn line_of(path: &Path, place: usize) -> Option<usize> {
    let text = fs::read_to_string(path).ok()?;
    Some(line_at(&text, place))
}

fn line_at(text: &str, place: usize) -> usize {
    text.bytes()
        .take(place)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1
}

/// Parses the text of a configuration file; mistakes are told with file and line.
fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| Error::Config {
        path: path.to_owned(),
        line: error.span().map(|span| line_at(text, span.start)),
        message: error.message().to_owned(),
    })
}

fn config_error(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::Config {
        path: path.to_owned(),
        line: None,
        message: error.to_string().trim_end().to_owned(),
    }
}
