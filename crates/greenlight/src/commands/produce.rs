//! `greenlight produce`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Globals;
use crate::error::Result;
use crate::roles;

/// Arguments of `greenlight produce`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight produce --config config/producer.toml
  greenlight produce --config config/producer.toml --dir data    everything in one directory, without any server
SIGTERM and Ctrl-C end the cycles under way and hand the datasets over at once.")]
pub(crate) struct Arguments {
    /// The role's file.
    #[arg(long, value_name = "FILE", default_value = "config/producer.toml")]
    pub(crate) config: PathBuf,
}

/// Runs until told to stop.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    roles::produce::run(globals, &arguments.config)
}
