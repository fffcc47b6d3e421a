//! The rules' configuration, `config/rules.toml`, compiled in.

use std::path::PathBuf;

use liveness::Configuration;

use crate::error::{Error, Result};

/// The configuration of the rules.
pub(crate) fn configuration() -> Result<Configuration> {
    let path = PathBuf::from("config/rules.toml");
    let configuration: Configuration = toml::from_str(include_str!("../../../config/rules.toml"))
        .map_err(|error| Error::Config {
        path: path.clone(),
        message: error.to_string(),
    })?;
    configuration.complete().map_err(|error| Error::Config {
        path,
        message: error.to_string(),
    })
}
