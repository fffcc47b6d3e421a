//! Questions to a running gatekeeper: answered from the facts that its cycles keep up, while they run.
//!
//! A question waits only while facts change, which costs by the change, never for an evaluation. In between the facts may be
//! newer than what is published; the answer says so.

use std::sync::{Arc, RwLock};

use dataset::Version;
use liveness::Country;
use serde::{Deserialize, Serialize};

use crate::application::{Liveness, Memory, read};
use crate::why::Why;
use crate::{Error, Result, titles};

/// Answers questions; shared by as many threads as ask.
#[derive(Clone)]
pub struct Desk(Arc<RwLock<Memory>>);

/// An answer of a running gatekeeper.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The verdict and what decided it.
    #[serde(flatten)]
    pub why: Why,
    /// Whether `version` says so: `false` while a cycle that has newer inputs is still under way, or was rolled back.
    pub published: bool,
}

impl Desk {
    pub(crate) fn of(liveness: &Liveness) -> Self {
        Self(Arc::clone(liveness.memory()))
    }

    /// Why a video is or is not live in a country, by the facts of the newest cycle at its instant.
    ///
    /// # Errors
    /// [`Error::NothingYet`] before the first cycle has ended, [`liveness::Error::UnknownVideo`].
    pub fn why(&self, video: i64, country: Country) -> Result<Answer> {
        let memory = read(&self.0);
        let (version, published) = memory.published.ok_or(Error::NothingYet)?;
        let explained = memory
            .evaluator
            .explain(&memory.facts, video, country, memory.now_ms)?;
        let title = memory.title(video).unwrap_or_default();
        Ok(Answer {
            why: Why::new(explained, title, version, &memory.inputs),
            published,
        })
    }

    /// The newest version of `liveness`; `None` before the first cycle has ended.
    pub fn version(&self) -> Option<Version> {
        read(&self.0).published.map(|(version, _)| version)
    }

    /// The videos of an id or an original title, case ignored.
    pub fn videos(&self, text: &str) -> Vec<i64> {
        // A long look through all titles must not hold up a cycle.
        let view = read(&self.0).titles.clone();
        let Some(view) = view else {
            return Vec::new();
        };
        match text.parse() {
            Ok(id) if titles::title(&view, id).is_some() => vec![id],
            _ => titles::videos_titled(&view, text),
        }
    }
}
