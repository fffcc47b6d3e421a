//! Where a fold stands, as header tags of the state: `gl.position.changes` and `gl.position.sweep`, each
//! `TOPIC-ID:OFFSET,OFFSET,…` with the next offset of every partition. While a sweep is open, `gl.position.sweep` stays at its
//! begin marker, and `gl.position.sweep.high` says how far the topic was read.

use crate::error::{Error, Result};
use crate::fold::Channel;
use changelog::{Position, TopicId, TopicInfo};
use registry::DatasetName;
use std::collections::BTreeMap;

/// Where the fold stands in one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPosition {
    /// The topic's incarnation.
    pub id: TopicId,
    /// The next offset of each partition.
    pub next: Vec<i64>,
}

/// How far `D.sweep` was read, where the position stays at the begin of an open sweep.
pub(crate) const SWEEP_HIGH_TAG: &str = "gl.position.sweep.high";

/// The tag for a channel.
pub(crate) fn tag_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Changes => "gl.position.changes",
        Channel::Sweep => "gl.position.sweep",
    }
}

impl TopicPosition {
    /// Reads the position from the tags of a state or confirmation; `None` where they have none.
    ///
    /// # Errors
    /// [`Error::Position`] where the tag is not one.
    pub fn from_tags(
        tags: &BTreeMap<String, String>,
        channel: Channel,
        dataset: &DatasetName,
    ) -> Result<Option<Self>> {
        Self::from_tag(tags, tag_of(channel), dataset)
    }

    /// As [`from_tags`](Self::from_tags), of the mark that has to be passed before anything is published.
    pub(crate) fn high_from_tags(
        tags: &BTreeMap<String, String>,
        dataset: &DatasetName,
    ) -> Result<Option<Self>> {
        Self::from_tag(tags, SWEEP_HIGH_TAG, dataset)
    }

    fn from_tag(
        tags: &BTreeMap<String, String>,
        tag: &'static str,
        dataset: &DatasetName,
    ) -> Result<Option<Self>> {
        let Some(text) = tags.get(tag) else {
            return Ok(None);
        };
        let parsed = Self::parse(text).ok_or_else(|| Error::Position {
            dataset: dataset.clone(),
            tag,
            text: text.clone(),
        })?;
        Ok(Some(parsed))
    }

    fn parse(text: &str) -> Option<Self> {
        let (id, offsets) = text.split_once(':')?;
        let next: Option<Vec<i64>> = offsets
            .split(',')
            .map(|offset| offset.parse().ok().filter(|&offset| offset >= 0))
            .collect();
        Some(Self {
            id: TopicId::parse(id)?,
            next: next?,
        })
    }

    /// The tag's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let offsets: Vec<_> = self.next.iter().map(ToString::to_string).collect();
        format!("{}:{}", self.id, offsets.join(","))
    }

    /// The position to go on from in `topic` as it is now: the same one, with the begin of partitions that were added.
    ///
    /// # Errors
    /// [`Error::TopicRecreated`]; [`Error::PartitionsAdded`] where `may_grow` is false.
    pub(crate) fn resume(
        mut self,
        topic: &TopicInfo,
        begin: &[i64],
        may_grow: bool,
    ) -> Result<Self> {
        if self.id != topic.id {
            return Err(Error::TopicRecreated {
                topic: topic.name.clone(),
                expected: self.id,
                found: topic.id,
            });
        }
        let (known, now) = (self.next.len(), topic.partitions as usize);
        if now != known && !(may_grow && now > known) {
            return Err(Error::PartitionsAdded {
                topic: topic.name.clone(),
                known,
                now,
            });
        }
        self.next.extend(begin.iter().take(now).skip(known));
        Ok(self)
    }

    /// The same as the log's readers take it.
    #[must_use]
    pub fn as_start(&self) -> Vec<Position> {
        Position::of_all(&self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_from_their_tags() {
        let position = TopicPosition {
            id: TopicId([7; 16]),
            next: vec![0, 12, i64::MAX],
        };
        let dataset: DatasetName = "titles".parse().unwrap();
        let mut tags = BTreeMap::from([(tag_of(Channel::Changes).to_owned(), position.to_text())]);
        assert_eq!(
            TopicPosition::from_tags(&tags, Channel::Changes, &dataset).unwrap(),
            Some(position)
        );
        assert_eq!(
            TopicPosition::from_tags(&tags, Channel::Sweep, &dataset).unwrap(),
            None
        );
        for wrong in [
            "",
            "x",
            "07:1",
            &format!("{}:", TopicId([7; 16])),
            &format!("{}:-1", TopicId([7; 16])),
        ] {
            tags.insert(tag_of(Channel::Changes).to_owned(), wrong.to_owned());
            let error = TopicPosition::from_tags(&tags, Channel::Changes, &dataset).unwrap_err();
            assert!(error.to_string().contains("gl.position.changes"), "{error}");
        }
    }

    #[test]
    fn a_recreated_topic_and_unwelcome_partitions_are_refused() {
        let position = TopicPosition {
            id: TopicId([7; 16]),
            next: vec![5, 6],
        };
        let topic = |id, partitions| TopicInfo {
            id: TopicId(id),
            name: "titles".to_owned(),
            partitions,
            compacted: true,
            delete_retention_ms: 0,
        };
        let resume = |id, partitions, may_grow| {
            position
                .clone()
                .resume(&topic(id, partitions), &[1, 1, 3], may_grow)
        };
        assert_eq!(resume([7; 16], 2, false).unwrap(), position);
        assert_eq!(resume([7; 16], 3, true).unwrap().next, [5, 6, 3]);
        assert!(matches!(
            resume([7; 16], 3, false),
            Err(Error::PartitionsAdded {
                known: 2,
                now: 3,
                ..
            })
        ));
        assert!(matches!(
            resume([8; 16], 2, true),
            Err(Error::TopicRecreated { .. })
        ));
    }
}
