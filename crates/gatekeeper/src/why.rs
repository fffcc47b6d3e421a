//! Why a video is or is not live in a country, at a version of `liveness` or at an instant.
//!
//! The answer rests on what that version (or its newest confirmation) rests on: its inputs'
//! versions, its `now` and its rules, all read from the header tags, so it is the published
//! verdict and names the versions of the records that decided it. Of an instant, past or future,
//! it is the verdict by that clock.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLockReadGuard};

use blobstore::BlobStore;
use dataset::evaluate::{Past, When};
use dataset::{DatasetName, Version};
use liveness::{Configuration, Country, Explanation, Instant, KeyPart, Track, TrackVerdict};
use registry::Registry;
use serde::{Deserialize, Serialize};

use crate::application::{Liveness, Memory};
use crate::basis::Basis;
use crate::input::Input;
use crate::{Result, titles};

/// The answer; field names are fixed for programs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Why {
    /// The video's id.
    pub video: i64,
    /// Its original title.
    pub title: String,
    /// The country.
    pub country: String,
    /// The instant of the verdict, RFC 3339.
    pub at: String,
    /// The version of `liveness`.
    pub version: i64,
    /// The instant of the verdict, in milliseconds since 1970 UTC.
    pub now: i64,
    /// Whether the video is live.
    pub live: bool,
    /// What holds it back.
    pub blockers: Vec<WhyBlocker>,
    /// Its tracks: of a show or season those that are live, else all.
    pub tracks: Vec<TrackVerdict>,
    /// What will change by itself.
    pub next_change: Option<NextChange>,
}

/// One thing that holds a video back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WhyBlocker {
    /// The rule's code.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The team that can fix it.
    pub owner: String,
    /// What would fix it.
    pub fix: String,
    /// The records that decided.
    pub inputs: Vec<WhyInput>,
}

/// A record that decided, or whose absence did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WhyInput {
    /// The dataset.
    pub dataset: String,
    /// Its version.
    pub version: i64,
    /// The record's key.
    pub key: Vec<KeyPart>,
    /// Whether the dataset has the record.
    pub present: bool,
    /// The change record that made it so, for who knows the fold; `None` here.
    pub origin: Option<Origin>,
    /// A newer record of the key that could not be folded; `None` here.
    pub dead_letter: Option<DeadLetter>,
}

/// The change record that made a record what it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: i64,
    /// The source's own version of the row.
    pub source_version: Option<i64>,
    /// Whether it deleted the record.
    pub deleted: bool,
}

/// A change record that could not be folded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: i64,
    /// Why.
    pub reason: String,
}

/// A verdict to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NextChange {
    /// Its first instant, RFC 3339.
    pub at: String,
    /// Whether the video is live then.
    pub live: bool,
    /// The tracks that are live then and are not now.
    pub tracks_added: Vec<Track>,
    /// The tracks that are live now and are not then.
    pub tracks_removed: Vec<Track>,
}

impl Why {
    /// The answer of the rules, at versions of the output and its inputs.
    pub(crate) fn new(
        explained: Explanation,
        title: String,
        version: Version,
        inputs: &BTreeMap<Input, Version>,
    ) -> Self {
        let input_version = |dataset: &str| {
            let input = Input::from_name(dataset);
            input
                .and_then(|input| inputs.get(&input))
                .map_or(0, |version| version.0)
        };
        let blockers = explained.blockers.into_iter().map(|blocker| WhyBlocker {
            code: blocker.code,
            message: blocker.message,
            owner: blocker.owner,
            fix: blocker.fix,
            inputs: blocker
                .inputs
                .into_iter()
                .map(|input| WhyInput {
                    version: input_version(&input.dataset),
                    dataset: input.dataset,
                    key: input.key,
                    present: input.present,
                    origin: None,
                    dead_letter: None,
                })
                .collect(),
        });
        Self {
            video: explained.video,
            title,
            country: explained.country,
            at: Instant(explained.now).to_string(),
            version: version.0,
            now: explained.now,
            live: explained.live,
            blockers: blockers.collect(),
            tracks: explained.tracks,
            next_change: explained.next_change.map(|change| NextChange {
                at: Instant(change.at).to_string(),
                live: change.live,
                tracks_added: change.tracks_added,
                tracks_removed: change.tracks_removed,
            }),
        }
    }
}

/// Answers questions about published verdicts.
pub struct Explainer {
    pub(crate) past: Past<Liveness>,
}

impl Explainer {
    /// An explainer of an output; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) where its environment makes no dataset's name.
    pub fn new(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let liveness = Liveness::new(&Configuration::default(), "")?;
        Ok(Self {
            past: Past::new(output, liveness, store, registry)?,
        })
    }

    /// Goes to a state, and returns its version and what it rests on, with the instant asked about.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) where there is no such version or an input cannot be brought there,
    /// [`Error::NothingThen`](crate::Error::NothingThen) where there was none yet, [`Error::Tag`](crate::Error::Tag) where it
    /// does not say what it rests on.
    pub fn go(&mut self, when: When) -> Result<(Version, Basis)> {
        let (view, basis) = self.past.go(when)?;
        let version = view.version();
        Ok((version, Basis::new(version, basis)?))
    }

    /// Facts and rules of the last [`Explainer::go`].
    pub(crate) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.past.inputs().application().read_memory()
    }

    /// The original title of a video in the last state gone to; `None` where `titles` has no such record.
    pub fn title(&self, video: i64) -> Option<String> {
        self.memory().title(video)
    }

    /// The videos whose original title is the given one, case ignored, by id.
    pub fn videos_titled(&self, title: &str) -> Vec<i64> {
        let memory = self.memory();
        let view = memory.titles.as_ref();
        view.map_or_else(Vec::new, |view| titles::videos_titled(view, title))
    }

    /// Why a video is or is not live in a country in a state.
    ///
    /// # Errors
    /// As [`Explainer::go`], and [`liveness::Error::UnknownVideo`].
    pub fn why(&mut self, video: i64, country: Country, when: When) -> Result<Why> {
        let (version, basis) = self.go(when)?;
        let memory = self.memory();
        let explained = memory
            .evaluator
            .explain(&memory.facts, video, country, basis.now_ms)?;
        let title = memory.title(video).unwrap_or_default();
        Ok(Why::new(explained, title, version, &basis.inputs))
    }
}
