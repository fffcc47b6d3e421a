//! One file per command: its arguments, what it does, what it prints.

pub(crate) mod completions;
mod datasets;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod emit;
pub(crate) mod evaluate;
pub(crate) mod launches;
pub(crate) mod pin;
pub(crate) mod produce;
mod progress;
pub(crate) mod replay;
pub(crate) mod sample;
pub(crate) mod show;
mod status;
pub(crate) mod sweep;
pub(crate) mod sweeper;
pub(crate) mod versions;
pub(crate) mod why;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Result;

/// Runs the command of the command line; the exit code where it did not fail.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode> {
    let globals = &cli.globals;
    match &cli.command {
        Command::Demo(arguments) => demo::run(globals, arguments)?,
        Command::Produce(arguments) => produce::run(globals, arguments)?,
        Command::Evaluate(arguments) => evaluate::run(globals, arguments)?,
        Command::Sweep(arguments) => sweep::run(globals, arguments)?,
        Command::Sweeper(arguments) => sweeper::run(globals, arguments)?,
        Command::Status => status::run(globals)?,
        Command::Datasets => datasets::run(globals)?,
        Command::Versions(arguments) => versions::run(globals, arguments)?,
        Command::Show(arguments) => show::run(globals, arguments)?,
        Command::Why(arguments) => return why::run(globals, arguments),
        Command::Emit(arguments) => return emit::run(globals, arguments).map(exit_code),
        Command::DeadLetters(arguments) => {
            return dead_letters::run(globals, arguments).map(exit_code);
        }
        Command::Diff(arguments) => return diff::run(globals, arguments),
        Command::Launches(arguments) => launches::run(globals, arguments)?,
        Command::Replay(arguments) => return replay::run(globals, arguments),
        Command::Pin(arguments) => pin::pin(globals, arguments)?,
        Command::Unpin(arguments) => pin::unpin(globals, arguments)?,
        Command::Sample(command) => sample::run(globals, command)?,
        Command::Completions(arguments) => completions::run(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of a command that did what it could, which may not be all.
fn exit_code(all: bool) -> ExitCode {
    if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
