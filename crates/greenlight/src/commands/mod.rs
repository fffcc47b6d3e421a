//! One file per command.

mod completions;
mod datasets;
mod demo;
mod diff;
mod pin;
mod sample;
mod show;
mod status;
mod versions;
mod why;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Result;

/// Runs the command of the command line; the exit code where it did not fail.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { dir, json, command } = cli;
    match command {
        Command::Demo(arguments) => demo::run(&dir, json, &arguments)?,
        Command::Status => status::run(&dir, json)?,
        Command::Datasets => datasets::run(&dir, json)?,
        Command::Versions(arguments) => versions::run(&dir, json, &arguments)?,
        Command::Show(arguments) => show::run(&dir, json, &arguments)?,
        Command::Why(arguments) => return why::run(&dir, json, &arguments),
        Command::Diff(arguments) => diff::run(&dir, json, &arguments)?,
        Command::Pin(arguments) => pin::pin(&dir, json, &arguments)?,
        Command::Unpin(arguments) => pin::unpin(&dir, json, &arguments)?,
        Command::Sample(command) => sample::run(&command)?,
        Command::Completions { shell } => completions::run(shell)?,
    }
    Ok(ExitCode::SUCCESS)
}
