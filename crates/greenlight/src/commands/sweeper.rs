//! `greenlight sweeper`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Globals;
use crate::error::Result;
use crate::roles;

/// Arguments of `greenlight sweeper`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight sweeper --config config/sweeper.toml
SIGTERM and Ctrl-C break the sweeps off; they go on where they were at the next start.")]
pub(crate) struct Arguments {
    /// The role's file.
    #[arg(long, value_name = "FILE", default_value = "config/sweeper.toml")]
    pub(crate) config: PathBuf,
}

/// Runs until told to stop.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    roles::sweep::run(globals, &arguments.config)
}
