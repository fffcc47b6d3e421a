//! Read states: immutable data sets in memory that share what did not change.
//!
//! [`ReadState::from_snapshot`] loads a state; [`ReadState::apply`] makes the next one (or, from a reverse delta, the one
//! before) at a cost that follows the change, while the old one stays readable for as long as anyone holds it. The
//! storage below is described in the modules: pages of 64 records, layouts, a directory.

mod agree;
mod apply;
mod changed;
mod checksum;
mod collections;
mod directory;
mod edit;
mod filter;
mod layout;
mod object;
mod page;
mod serialize;
mod snapshot;
mod source;
mod state;
mod type_state;
mod unpack;

pub use apply::TypeChanges;
pub use changed::Changed;
pub use collections::{ListView, MapView, SetView};
pub(crate) use directory::await_counts;
pub use filter::Filter;
pub(crate) use object::Raw;
pub use object::{HollowStr, ObjectView};
pub(crate) use page::{PAGE_ROWS, rows};
pub use state::{Changes, ReadState};
pub use type_state::TypeState;

/// The index of a record within its type: dense, below [`ORDINAL_LIMIT`], given by the writer and reused after the record
/// is gone.
pub type Ordinal = u32;

/// Ordinals are smaller than this.
pub const ORDINAL_LIMIT: Ordinal = 1 << 29;
