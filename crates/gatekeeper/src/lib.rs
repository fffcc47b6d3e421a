//! The evaluation cycle: pin inputs, evaluate every video in every country, publish liveness.
//!
//! It is the application [`Liveness`] of [`dataset::evaluate`], which owns the cycle: facts out of ten inputs, rules, and the
//! dataset `liveness`. A [`Gatekeeper`] uses one version of each of the ten inputs per cycle, mints `now` once, and
//! asks every rule about every video in all countries; what differs from the last verdicts is
//! published as the dataset `liveness` ([`output`]), tagged with its [`Basis`]. With a basis the
//! same verdicts can be had again, or those of another instant: to explain one ([`Explainer`]; while cycles run, [`Desk`]), to
//! tell what will launch ([`Launches`]), to prove a whole version ([`Replayer`]), or to hold other
//! rules against it, cycle by cycle ([`Follow`]).

mod application;
mod basis;
mod cycle;
mod desk;
mod error;
mod evaluation;
mod input;
mod launches;
pub mod output;
mod read;
mod replacement;
mod replay;
mod summary;
pub mod titles;
mod why;

pub use dataset::evaluate::{Follow, InputStatus, When};

pub use application::Liveness;
pub use basis::{Basis, Followed, tag};
pub use cycle::{Gatekeeper, GatekeeperOptions};
pub use desk::{Answer, Desk};
pub use error::{Error, Result};
pub use input::Input;
pub use launches::{Launch, LaunchBlocker, Launches};
pub use replacement::Replacement;
pub use replay::{Replayed, Replayer};
pub use summary::{BlockerCount, CycleEnd, CycleSummary, Phases};
pub use why::{DeadLetter, Explainer, NextChange, Origin, Why, WhyBlocker, WhyInput};
