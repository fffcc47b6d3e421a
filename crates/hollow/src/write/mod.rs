//! The write side: records in, blobs out.

mod blob;
mod error;
mod layout;
mod ordinals;
mod staged;
mod stats;
mod table;

pub use error::WriteError;
pub(crate) use ordinals::ORDINAL_LIMIT;
pub use ordinals::OrdinalOrder;
