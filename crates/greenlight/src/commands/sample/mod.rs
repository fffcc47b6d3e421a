//! `greenlight sample`.

mod agreement;

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::Globals;
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
    /// Keep beside the scenario where its titles were seen in later weeks, from the public charts.
    Charts {
        /// The directory with the source files.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// The scenario.
        #[arg(long, value_name = "DIR", default_value = "replay/catalogue")]
        scenario: PathBuf,
    },
    /// Whether the demo's verdicts agree with where titles were really seen in later weeks, and what explains where not.
    Agreement(agreement::Arguments),
}

/// Runs a command on the recorded scenario.
pub(crate) fn run(globals: &Globals, command: &Sample) -> Result<()> {
    match command {
        Sample::Build { data, out } => {
            let summary = greenlight::sample::build(data, out)?;
            output::print_line(&format!("{summary:#?}"))
        }
        Sample::Charts { data, scenario } => {
            let joined = greenlight::sample::charts::build(data, scenario)?;
            output::print_line(&format!("{joined:#?}"))
        }
        Sample::Agreement(arguments) => agreement::run(globals, arguments),
    }
}
