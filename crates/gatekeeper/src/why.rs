//! Why a video is or is not live in a country, at a version of `liveness`.
//!
//! The answer rests on what that version (or its newest confirmation) rests on: its inputs'
//! versions, its `now` and its rules, all read from the header tags, so it is the published
//! verdict and names the versions of the records that decided it.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::{DatasetName, Subscriber, SubscriberOptions, Version, View};
use liveness::{Country, Evaluator, Instant, KeyPart};
use registry::Registry;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::input::Input;
use crate::inputs::{Inputs, dataset_name};
use crate::{Error, Result, output};

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
}

/// Answers questions about published verdicts.
pub struct Explainer {
    registry: Arc<dyn Registry>,
    output: DatasetName,
    liveness: Subscriber,
    inputs: Inputs,
    /// The rules that were last asked, which keep what they said about the facts.
    evaluator: Option<Evaluator>,
}

impl Explainer {
    /// An explainer of an environment's `liveness`; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Name`] where the environment's name makes no dataset's name.
    pub fn new(
        environment: &str,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let output = dataset_name(environment, output::NAME)?;
        let liveness = Subscriber::new(
            output.clone(),
            Arc::clone(store),
            Arc::clone(registry),
            SubscriberOptions::default(),
        );
        Ok(Self {
            registry: Arc::clone(registry),
            output,
            liveness,
            inputs: Inputs::new(environment, store, registry)?,
            evaluator: None,
        })
    }

    /// Goes to a version of `liveness`, or to the latest with its newest confirmation, and returns
    /// the version and what it rests on.
    ///
    /// # Errors
    /// [`Error::Liveness`] where there is no such version, [`Error::Tag`] where it does not say
    /// what it rests on, [`Error::Refresh`] where an input cannot be brought there.
    pub fn go(&mut self, version: Option<Version>) -> Result<(Version, Basis)> {
        let view = match version {
            Some(version) => self.liveness.open_at(version),
            None => self.liveness.refresh().map(|moved| moved.after),
        };
        let view = view.map_err(Error::liveness)?;
        let basis = match version {
            Some(version) => Basis::from_tags(version, view.state().header_tags())?,
            None => self.newest_basis(&view)?,
        };
        self.inputs.move_to(&basis.inputs)?;
        let kept = self.evaluator.take();
        let kept = kept.filter(|kept| *kept.configuration() == basis.configuration);
        let mut evaluator = match kept {
            Some(evaluator) => evaluator,
            None => Evaluator::new(&basis.configuration)?,
        };
        evaluator.prepare(self.inputs.facts());
        self.evaluator = Some(evaluator);
        Ok((view.version(), basis))
    }

    /// The inputs, at the versions of the last [`Explainer::go`].
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Why a video is or is not live in a country at a version, or now.
    ///
    /// # Errors
    /// As [`Explainer::go`], and [`liveness::Error::UnknownVideo`].
    pub fn why(&mut self, video: i64, country: Country, version: Option<Version>) -> Result<Why> {
        let (version, basis) = self.go(version)?;
        let Some(evaluator) = &self.evaluator else {
            return Err(liveness::Error::UnknownVideo { video }.into());
        };
        let explained = evaluator.explain(self.inputs.facts(), video, country, basis.now_ms)?;
        let input_version = |dataset: &str| {
            let input = Input::from_name(dataset);
            input
                .and_then(|input| basis.inputs.get(&input))
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
        Ok(Why {
            video,
            title: self.inputs.title(video).unwrap_or_default(),
            country: explained.country,
            at: Instant(explained.now).to_string(),
            version: version.0,
            now: explained.now,
            live: explained.live,
            blockers: blockers.collect(),
            next_change: explained.next_change.map(|change| NextChange {
                at: Instant(change.at).to_string(),
                live: change.live,
            }),
        })
    }

    /// The basis of a version, or of its newest confirmation if it has one.
    fn newest_basis(&self, view: &View) -> Result<Basis> {
        let info = self
            .registry
            .dataset(&self.output)
            .map_err(Error::registry)?;
        let confirmation = info.and_then(|info| info.confirmation);
        let confirmed = confirmation.filter(|confirmed| confirmed.version == view.version());
        let tags = match &confirmed {
            Some(confirmed) => &confirmed.tags,
            None => view.state().header_tags(),
        };
        Basis::from_tags(view.version(), tags)
    }
}
