//! What crosses crates, on the embedded log and the directory store: the demo, the commands, and stock Hollow beside them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
mod bad_input;
mod commands;
mod crash;
mod determinism;
mod directory;
mod emitting;
mod follow;
mod independence;
mod preprod;
mod readme;
mod recorded;
mod role;
mod roles;
mod scenario;
mod stock_hollow;
mod support;
mod sweeps;
mod what_if;

/// The back end of this target: a directory.
fn servers() -> Option<support::Servers> {
    None
}
