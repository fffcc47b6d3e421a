//! Where a record came from: the change record that made it what it is, and whether a newer one lies among the dead letters.

use std::collections::BTreeSet;

use dataset::{SubscriberOptions, View};
use gatekeeper::{DeadLetter, Origin};
use hollow::{KeyValue, ReadState};
use ingest::DatasetSpec;
use liveness::KeyPart;
use registry::{DatasetName, Version};

use crate::connect::Connected;
use crate::error::Result;

/// The origins of one state. Datasets that are not folded from a topic have none.
pub(crate) struct Origins {
    state: ReadState,
    spec: Option<DatasetSpec>,
    letters: Vec<ingest::DeadLetter>,
}

impl Origins {
    /// The origins of a view, which must have been loaded with [`options`].
    pub(crate) fn of(connected: &Connected, dataset: &DatasetName, view: &View) -> Result<Self> {
        let spec = connected.spec(dataset).cloned();
        let letters = match &spec {
            Some(spec) => ingest::dead_letters(connected.log.as_ref(), spec)?,
            None => Vec::new(),
        };
        Ok(Self {
            state: view.state().clone(),
            spec,
            letters,
        })
    }

    /// The origins of a version.
    pub(crate) fn at(
        connected: &Connected,
        dataset: &DatasetName,
        version: Version,
    ) -> Result<Self> {
        let view = connected.subscriber(dataset, options()).open_at(version)?;
        Self::of(connected, dataset, &view)
    }

    /// The change record that made the record of a key what it is, or deleted it.
    pub(crate) fn origin(&self, key: &[KeyValue]) -> Option<Origin> {
        let spec = self.spec.as_ref()?;
        let origin = ingest::origin(&self.state, &canonical(key))?;
        Some(Origin {
            topic: spec.topic_of(origin.channel),
            partition: origin.partition,
            offset: origin.offset,
            source_version: origin.source_version,
            deleted: origin.deleted,
        })
    }

    /// The last dead letter of a key that may be newer than its record.
    pub(crate) fn dead_letter(&self, key: &[KeyValue]) -> Option<DeadLetter> {
        let spec = self.spec.as_ref()?;
        let key = canonical(key);
        let letters = || {
            self.letters
                .iter()
                .filter(|letter| letter.is_of(spec.model.key(), &key))
        };
        letters().next()?;
        let origin = ingest::origin(&self.state, &key);
        let newer = |letter: &&ingest::DeadLetter| match &origin {
            Some(origin) => letter.may_be_newer(origin, &spec.topic_of(origin.channel)),
            None => true,
        };
        let letter = letters().rfind(newer)?;
        Some(DeadLetter {
            topic: letter.topic.clone(),
            partition: letter.partition,
            offset: letter.offset,
            reason: letter.reason.clone(),
        })
    }
}

/// What to load so that origins are there.
pub(crate) fn options() -> SubscriberOptions {
    SubscriberOptions {
        parts: BTreeSet::from([ingest::FOLD_PART.to_owned()]),
        ..SubscriberOptions::default()
    }
}

/// A key as an explanation names it, as values to look it up with.
pub(crate) fn key_values(key: &[KeyPart]) -> Vec<KeyValue> {
    key.iter()
        .map(|part| match part {
            KeyPart::Number(number) => KeyValue::Long(*number),
            KeyPart::Text(text) => KeyValue::String(text.clone()),
        })
        .collect()
}

/// The key of a change record.
fn canonical(key: &[KeyValue]) -> Vec<u8> {
    insight::key_to_json(key).to_string().into_bytes()
}

/// An origin, in a sentence.
pub(crate) fn describe(origin: &Origin) -> String {
    let version = origin.source_version.map_or(String::new(), |version| {
        format!(", source version {version}")
    });
    let verb = if origin.deleted { "deleted by" } else { "from" };
    format!(
        "{verb} topic {}, partition {}, offset {}{version}",
        origin.topic, origin.partition, origin.offset
    )
}

/// A dead letter, in a sentence.
pub(crate) fn describe_dead(dead: &DeadLetter) -> String {
    format!(
        "A NEWER RECORD of this key could not be folded: topic {}, partition {}, offset {}: {}",
        dead.topic, dead.partition, dead.offset, dead.reason
    )
}
