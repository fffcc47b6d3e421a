//! Sweeps: full re-emissions of a source, so that an event that was never emitted heals by itself.
//!
//! * [`Source`] is what can be swept; [`SourceConfig`] names one: files ([`FileSource`]) and PostgreSQL ([`PostgresSource`]).
//! * [`Sweeper`] sends one to `D.sweep`; [`SweepScheduler`] does so by the clock; [`compare`] only tells what would change.
//! * [`SweepProgress`] and [`sweeps_of_tags`] tell what the dataset's producer makes of the sweeps, [`Marker`] is what the two
//!   tell each other, and how an operator decides about deletes that are held.

mod config;
mod file;
mod info;
mod marker;
mod postgres;
mod schedule;
mod source;
mod state;
mod sweeper;

pub use crate::producer::{Comparison, compare};
pub use config::{FileConfig, SourceConfig};
pub use file::{FileFormat, FileSource};
pub(crate) use info::sweeps_tag;
pub use info::{SWEEPS_TAG, SweepInfo, SweepProgress, SweepStage, SweepTotals, sweeps_of_tags};
pub use marker::{CONTROL_HEADER, Marker, MarkerKind, SWEEP_HEADER};
pub use postgres::{PostgresAsOf, PostgresConfig, PostgresSource};
pub use schedule::{JobStatus, SweepJob, SweepScheduler};
pub use source::{Reads, Row, RowEncoder, Source};
pub use sweeper::{Clock, SweepOptions, SweepReport, SweepRun, Sweeper};
