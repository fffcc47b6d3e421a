//! `greenlight sample`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::error::Result;
use crate::output;

/// Commands on the recorded scenario.
#[derive(Debug, Subcommand)]
pub(crate) enum Sample {
    /// Build the scenario from the public source files, byte for byte as it is checked in.
    Build {
        /// The directory with the source files.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Where to write the scenario.
        #[arg(long, value_name = "DIR", default_value = "replay/catalogue")]
        out: PathBuf,
    },
}

/// Builds the scenario and prints what is in it.
pub(crate) fn run(command: &Sample) -> Result<()> {
    let Sample::Build { data, out } = command;
    let summary = greenlight::sample::build(data, out)?;
    output::print_line(&format!("{summary:#?}"))
}
