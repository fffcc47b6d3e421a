//! Sweeps: full re-emissions of a source, so that an event that was never emitted heals by itself.
//!
//! The half that reads sources is here; what the producer makes of a sweep is in `producer::sweeps`. The two meet only in the
//! log, through [`Marker`]s and rows.

mod info;
mod marker;

pub(crate) use info::sweeps_tag;
pub use info::{SWEEPS_TAG, SweepInfo, SweepProgress, SweepStage, SweepTotals, sweeps_of_tags};
pub use marker::{CONTROL_HEADER, Marker, MarkerKind, SWEEP_HEADER};
