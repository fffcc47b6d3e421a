//! What the `greenlight` binary is made of, as a library, so that tests and examples can call it.

pub mod sample;
pub mod scenario;
