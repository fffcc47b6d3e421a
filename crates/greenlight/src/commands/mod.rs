//! One file per command.

mod completions;
mod pin;
mod versions;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Result;

/// Runs the command of the command line; the exit code where it did not fail.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { dir, json, command } = cli;
    match command {
        Command::Versions(arguments) => versions::run(&dir, json, &arguments)?,
        Command::Pin(arguments) => pin::pin(&dir, json, &arguments)?,
        Command::Unpin(arguments) => pin::unpin(&dir, json, &arguments)?,
        Command::Completions { shell } => completions::run(shell),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}
