//! Where everything is: a deployment, as a file and flags describe it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::text::Text;
use crate::config::{self, ConfigFiles};
use crate::error::Result;

/// Where log, blob store, registry, schemas and configuration are. By default all lie in one directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    /// The embedded directory.
    pub(crate) directory: Option<PathBuf>,
    /// The files with datasets and rules; default: what the directory ran with before, or else those compiled in.
    pub(crate) config: Option<ConfigFiles>,
}

/// The directory where nothing names another.
const DIRECTORY: &str = "data";

impl Deployment {
    /// Reads a deployment file. Paths in it are relative to its own directory.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file: File = config::load(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            directory: file.directory.map(|directory| directory.path(base)),
            config: file.datasets.map(|datasets| ConfigFiles {
                datasets: datasets.config.path(base),
                schemas: datasets.schemas.path(base),
                rules: datasets.rules.path(base),
            }),
        })
    }

    /// The embedded directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_deref().unwrap_or(Path::new(DIRECTORY))
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    directory: Option<Text>,
    datasets: Option<Datasets>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Datasets {
    config: Text,
    schemas: Text,
    rules: Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn paths_are_relative_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deployment.toml");
        std::fs::write(
            &path,
            "directory = \"${GREENLIGHT_TEST_UNSET:-data}\"\n\
             [datasets]\nconfig = \"datasets.toml\"\nschemas = \"../schemas\"\nrules = \"/etc/rules.toml\"\n",
        )
        .unwrap();
        let deployment = Deployment::load(&path).unwrap();
        assert_eq!(deployment.directory(), dir.path().join("data"));
        let config = deployment.config.unwrap();
        assert_eq!(config.schemas, dir.path().join("../schemas"));
        assert_eq!(config.rules, Path::new("/etc/rules.toml"));
    }

    #[test]
    fn mistakes_are_refused_with_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deployment.toml");
        for (text, line, words) in [
            ("directory = 1", 1, "string"),
            ("\nkafka = \"k:9092\"", 2, "unknown field `kafka`"),
            ("[datasets]\nconfig = \"d.toml\"\n", 1, "missing field"),
            (
                "# here\ndirectory = \"${GREENLIGHT_TEST_UNSET}\"",
                2,
                "is not set",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            match Deployment::load(&path) {
                Err(Error::Config {
                    line: Some(found),
                    message,
                    ..
                }) => {
                    assert!(
                        found == line && message.contains(words),
                        "{text}: {found}: {message}"
                    );
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
