//! The domain: facts about a video, country policy, rules, verdicts. Pure functions.
//!
//! [`Facts`] takes the ten inputs' records and keeps a row per video; an [`Evaluator`] asks every
//! rule of a [`Configuration`] about every row, for all countries at once, and gives an
//! [`Outcome`] per video: groups of countries with one verdict, what blocks them, which tracks are
//! live, and when that changes by itself. A [`Survey`] does so cycle after cycle, on all cores, and
//! keeps what still holds. [`Evaluator::explain`] says for one video and country which records
//! decided.
//! Nothing here reads a clock, a file or a network: time is an argument.

mod collection;
pub mod configuration;
mod country;
mod error;
mod evaluate;
mod explain;
pub mod facts;
mod grouping;
mod language;
mod licence;
mod passing;
pub mod record;
mod records;
mod rule;
mod rules;
mod survey;
mod time;
mod tracks;
mod verdict;

pub use configuration::Configuration;
pub use country::{CODES, Country, CountrySet};
pub use error::{Error, Result};
pub use evaluate::{Evaluator, Scratch};
pub use explain::{
    Blocker, Case, Change, Explanation, Finding, Input, KeyPart, NO_POLICY, Records, Track,
    TrackVerdict,
};
pub use facts::Facts;
pub use language::{Fallback, Language, Languages};
pub use rule::{Applies, Check, Children, Heard, Rule, Terms};
pub use rules::ALL as RULES;
pub use survey::{Masks, Survey};
pub use time::Instant;
pub use tracks::{Obstacle, TrackName, TrackSet};
pub use verdict::{BlockerSet, Group, Moment, NextChange, Outcome};
