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
  greenlight evaluate --follow prod/liveness --output preprod/liveness --rules new-rules.toml
                                                                    what would these rules decide, cycle by cycle
SIGTERM and Ctrl-C end the cycle under way and hand liveness over at once.")]
pub(crate) struct Arguments {
    /// The role's file.
    #[arg(long, value_name = "FILE", default_value = "config/gatekeeper.toml")]
    pub(crate) config: PathBuf,

    /// Evaluate on exactly the inputs, and at exactly the instant, of each newest version of this output.
    #[arg(long, value_name = "NAME")]
    pub(crate) follow: Option<String>,

    /// The dataset to publish; default: that of the file.
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,

    /// The rules; default: those of the file, or else of the deployment.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
}

/// Runs until told to stop.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<()> {
    roles::evaluate::run(globals, arguments)
}
