//! The dataset engine: compact, versioned, in-memory states, byte-compatible with Netflix Hollow.

pub mod codec;
mod error;

pub use error::{Error, Result};
