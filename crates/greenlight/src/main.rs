//! The `greenlight` binary: it parses, wires and prints; what happens inside is the business of the rooms below.

mod cli;
mod commands;
mod config;
mod connect;
mod error;
mod origins;
mod output;
mod popularity;
mod roles;
mod stop;
mod sweeping;
mod titles;
mod verdicts;

use std::process::ExitCode;

use allocator as _;
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.globals.json;
    logs(&cli.command);
    match commands::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error, json);
            ExitCode::from(error::EXIT_ERROR)
        }
    }
}

/// Sends what happens to standard error: all of it that matters for a role, only warnings for a command. `RUST_LOG` says
/// otherwise.
fn logs(command: &cli::Command) {
    let default = if command.is_role() { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
    // There is no other: this is the first line of the program.
    drop(logs);
}
