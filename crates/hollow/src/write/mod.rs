//! The write side: records in, blobs out.
//!
//! A [`WriteState`] goes from state to state of a chain in cycles:
//!
//! 1. [`begin_total`](WriteState::begin_total) or [`begin_incremental`](WriteState::begin_incremental);
//! 2. [`add`](WriteState::add), [`upsert`](WriteState::upsert), [`delete`](WriteState::delete);
//! 3. [`seal`](WriteState::seal): the changes are checked, the delta is written and read back; the [`Sealed`] outcome
//!    writes all blobs;
//! 4. [`commit`](WriteState::commit), or [`rollback`](WriteState::rollback), which undoes everything since 1.
//!
//! The committed state is a [`ReadState`](crate::read::ReadState), made by the reader's code from the writer's own
//! blobs. So the writer keeps no second copy of the records, every cycle proves that its delta can be read, and readers
//! in the same process share the state. Beside it the writer keeps what costs by the change to keep up: tables from
//! content and from key to ordinal, counters for the widths of blobs, counts of references.
//!
//! ```
//! use std::collections::BTreeMap;
//! use hollow::KeyValue;
//! use hollow::record::ObjectRecord;
//! use hollow::schema::parse_schemas;
//! use hollow::write::{WriteOptions, WriteState};
//!
//! let schemas = parse_schemas("Movie @PrimaryKey(id) { long id; Title title; } Title { string value; }")?;
//! let mut writer = WriteState::new(schemas, WriteOptions::default())?;
//! let (movie, title) = (writer.type_id("Movie").unwrap(), writer.type_id("Title").unwrap());
//! let mut movie_record = ObjectRecord::new(writer.schema(movie).as_object().unwrap());
//! let mut title_record = ObjectRecord::new(writer.schema(title).as_object().unwrap());
//!
//! // The first state of the chain has a snapshot.
//! writer.begin_total();
//! for (id, name) in [(1, "The Matrix"), (2, "Memento")] {
//!     title_record.set_str(0, name);
//!     movie_record.set_long(0, id);
//!     movie_record.set_reference(1, writer.add(title, title_record.bytes())?);
//!     writer.add(movie, movie_record.bytes())?;
//! }
//! let sealed = writer.seal(0x5a00_0001_0000_0001, BTreeMap::new())?;
//! let mut snapshot = Vec::new();
//! sealed.write_snapshot(None, &mut snapshot)?;
//! writer.commit()?;
//!
//! // The next one is told what changes, and has a delta and a reverse delta.
//! writer.begin_incremental();
//! writer.delete(movie, &[KeyValue::Long(2)])?;
//! let sealed = writer.seal(0x5a00_0002_0000_0002, BTreeMap::new())?;
//! let (mut delta, mut reverse) = (Vec::new(), Vec::new());
//! sealed.write_delta(None, &mut delta)?;
//! sealed.write_reverse_delta(None, &mut reverse)?;
//! let state = writer.commit()?;
//! assert_eq!(state.type_state("Title").unwrap().count(), 1); // the orphaned title went with its movie
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod blob;
mod changes;
mod compare;
mod error;
mod evolve;
mod layout;
mod links;
mod marks;
mod options;
mod ordinals;
mod parallel;
mod references;
mod resolve;
mod restore;
mod seal;
mod sealed;
mod shared;
mod staged;
mod state;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod upserts;

pub use batch::RecordBatch;
pub use changes::Upserted;
pub use error::WriteError;
pub use options::WriteOptions;
pub(crate) use ordinals::ORDINAL_LIMIT;
pub use ordinals::OrdinalOrder;
pub use sealed::Sealed;
pub use state::{TypeId, WriteState};

/// The values of a primary key.
type RecordKey = Vec<crate::KeyValue>;
