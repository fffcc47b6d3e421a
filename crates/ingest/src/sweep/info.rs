//! What is told of a dataset's sweeps: in the producer's progress, and in a tag of its states and confirmations, so that any
//! process can show it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The header tag that lists the sweeps which are open, as JSON.
pub const SWEEPS_TAG: &str = "gl.sweeps";

/// A sweep that has begun and is not done with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepInfo {
    /// Its id.
    pub sweep: String,
    /// The source version up to which the source was known when it began.
    pub as_of: i64,
    /// Whether only a part of the source is swept, so that it deletes nothing.
    pub filtered: bool,
    /// Its begin, in milliseconds since 1970 UTC, by the sweeper's clock.
    pub began_ms: i64,
    /// How far it is.
    #[serde(flatten)]
    pub stage: SweepStage,
}

/// How far a sweep is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum SweepStage {
    /// Rows may still come.
    Open,
    /// All end markers are in; the topics are read up to where they ended then.
    Ended,
    /// It would delete more than may be without an operator's word.
    Held {
        /// Keys that it did not find.
        deletes: u64,
        /// Keys that the dataset has.
        keys: u64,
    },
}

/// How sweeps of a dataset ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepTotals {
    /// They were whole, and what they did not find is deleted.
    pub applied: u64,
    /// They were filtered, and deleted nothing.
    pub filtered: u64,
    /// A record whose key can't be decoded, or markers that contradict each other, cancelled their deletes.
    pub cancelled: u64,
    /// An operator said that they delete nothing.
    pub rejected: u64,
    /// A later sweep ended while they had not, or was as good while they were held.
    pub abandoned: u64,
}

/// The sweeps of a dataset, as its producer sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Those that are not done with, oldest first.
    pub open: Vec<SweepInfo>,
    /// The others, since the producer was opened or had to begin anew.
    pub ended: SweepTotals,
    /// Whether a first state waits for a full sweep: without, it could bring back what was deleted.
    pub is_awaited: bool,
}

impl SweepProgress {
    /// Those that wait for an operator.
    pub fn held(&self) -> impl Iterator<Item = &SweepInfo> {
        self.open.iter().filter(|sweep| sweep.is_held())
    }
}

impl SweepInfo {
    /// Whether it waits for an operator.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.stage, SweepStage::Held { .. })
    }
}

/// The sweeps that the tags of a state or confirmation tell of. Tags without any, or of a later release, tell of none.
#[must_use]
pub fn sweeps_of_tags(tags: &BTreeMap<String, String>) -> Vec<SweepInfo> {
    let text = tags.get(SWEEPS_TAG).map_or("[]", String::as_str);
    serde_json::from_str(text).unwrap_or_default()
}

pub(crate) fn sweeps_tag(sweeps: &[SweepInfo]) -> String {
    // Strings, numbers and booleans always have a form in JSON.
    serde_json::to_string(sweeps).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_of_sweeps() {
        let info = |stage| SweepInfo {
            sweep: "s\"1".to_owned(),
            as_of: 7,
            filtered: false,
            began_ms: 5,
            stage,
        };
        let held = SweepStage::Held {
            deletes: 3,
            keys: 10,
        };
        let sweeps = [SweepStage::Open, SweepStage::Ended, held].map(info);
        let tags = BTreeMap::from([(SWEEPS_TAG.to_owned(), sweeps_tag(&sweeps))]);
        assert!(tags[SWEEPS_TAG].contains(r#""stage":"held","deletes":3"#));
        assert_eq!(sweeps_of_tags(&tags), sweeps);
        assert!(sweeps_of_tags(&BTreeMap::new()).is_empty());
    }
}
