//! `greenlight evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Globals;
use crate::error::Result;
use crate::roles;

/// Arguments of `greenlight evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight evaluate --config config/gatekeeper.toml
  greenlight evaluate --config config/gatekeeper.toml --dir data    beside producers in the same directory
SIGTERM and Ctrl-C end the cycle under way and hand liveness over at once.")]
pub(crate) struct Arguments {
    /// The role's file.
    #[arg(long, value_name = "FILE", default_value = "config/gatekeeper.toml")]
    pub(crate) config: PathBuf,
}

/// Runs until told to stop.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    roles::evaluate::run(globals, &arguments.config)
}
