//! `greenlight completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Result;
use crate::output;

/// Arguments of `greenlight completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  greenlight completions bash > /etc/bash_completion.d/greenlight"
)]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints the completion script of a shell.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "greenlight",
        &mut script,
    );
    output::print_line(&String::from_utf8_lossy(&script))
}
