//! The crate against real servers: `make test-real`.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

#[path = "real/java_emitter.rs"]
mod java_emitter;
#[path = "real/schema_registry.rs"]
mod schema_registry;
#[path = "real/sweeps.rs"]
mod sweeps;
