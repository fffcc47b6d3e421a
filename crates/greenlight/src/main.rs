//! The `greenlight` binary: it parses, wires and prints; what happens inside is the business of the rooms below.

mod cli;
mod commands;
mod config;
mod connect;
mod error;
mod origins;
mod output;
mod popularity;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.globals.json;
    match commands::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error, json);
            ExitCode::from(error::EXIT_ERROR)
        }
    }
}
