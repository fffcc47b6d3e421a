//! Reports on datasets: records as JSON, keys as people type them, and what changed between two states.
//!
//! `hollow` answers in ordinals and views; people and programs ask in keys and read documents. This crate is the step
//! between, the same for every command and page; it does not know who asks.

mod comparison;
pub mod diff;
mod error;
mod json;
mod key;
pub mod verdicts;

pub use comparison::Comparison;
pub use diff::key_to_json;
pub use error::{Error, Result};
pub use json::{from_json, merge, record, to_json};
pub use key::{key_of, parse_key, root_type};
