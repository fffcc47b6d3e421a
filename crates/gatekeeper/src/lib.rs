//! The evaluation cycle: pin inputs, evaluate every video in every country, publish liveness.
//!
//! A [`Gatekeeper`] uses one version of each of the ten inputs per cycle, mints `now` once, and
//! asks every rule about every video in all countries; what differs from the last verdicts is
//! published as the dataset `liveness` ([`output`]), tagged with its [`Basis`]. With a basis the
//! same verdicts can be had again, or those of another instant: to explain one ([`Explainer`]), to
//! tell what will launch ([`Launches`]), to prove a whole version ([`Replayer`]), or to hold other
//! rules against it, cycle by cycle ([`Follow`]).

mod basis;
mod cycle;
mod error;
mod evaluation;
mod follow;
mod input;
mod inputs;
mod launches;
pub mod output;
mod past;
mod read;
mod replacement;
mod replay;
mod summary;
pub mod titles;
mod why;

pub use basis::{Basis, Followed, tag};
pub use cycle::{Gatekeeper, GatekeeperOptions};
pub use error::{Error, Result};
pub use follow::Follow;
pub use input::Input;
pub use inputs::{InputStatus, Inputs};
pub use launches::{Launch, LaunchBlocker, Launches};
pub use past::When;
pub use replacement::Replacement;
pub use replay::{Replayed, Replayer};
pub use summary::{BlockerCount, CycleEnd, CycleSummary, Phases};
pub use why::{DeadLetter, Explainer, NextChange, Origin, Why, WhyBlocker, WhyInput};
