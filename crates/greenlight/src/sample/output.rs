//! Collecting the change records and writing them: the last record of every key up to the base
//! day makes the base, all later ones are the changes, in the order of their delivery.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{BASE_MS, Error, Result};

/// One key and what becomes of it.
struct Timeline {
    /// The title it belongs to; 0 for none.
    root: i64,
    key: String,
    /// Instants and values; `None` deletes.
    events: Vec<(i64, Option<String>)>,
}

/// The records collected so far.
#[derive(Default)]
pub(crate) struct Output {
    topics: BTreeMap<&'static str, Vec<Timeline>>,
    places: BTreeMap<(&'static str, String), usize>,
    /// The title that records are put for.
    root: i64,
    gone: BTreeMap<i64, i64>,
    failed: Option<serde_json::Error>,
}

/// How many records were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The topics, in the order in which they are written and fed.
    pub topics: Vec<String>,
    /// Records of the base, by topic.
    pub base: BTreeMap<String, u64>,
    /// Records of the changes, by topic.
    pub changes: BTreeMap<String, u64>,
    /// Deletions among the changes.
    pub deletes: u64,
    /// Records of the changes before each of the given ends of rounds.
    pub rounds: Vec<u64>,
}

impl Output {
    /// What is put from now on belongs to this title.
    pub(crate) fn root(&mut self, id: i64) {
        self.root = id;
    }

    /// A record of a video; the title it belongs to is the one being written.
    pub(crate) fn put<K: Serialize, V: Serialize>(
        &mut self,
        topic: &'static str,
        at: i64,
        key: &K,
        value: &V,
    ) {
        match (serde_json::to_string(key), serde_json::to_string(value)) {
            (Ok(key), Ok(value)) => self.event(topic, key, at, Some(value)),
            (Err(error), _) | (_, Err(error)) => self.failed = Some(error),
        }
    }

    /// The deletion of a key.
    pub(crate) fn delete<K: Serialize>(&mut self, topic: &'static str, at: i64, key: &K) {
        match serde_json::to_string(key) {
            Ok(key) => self.event(topic, key, at, None),
            Err(error) => self.failed = Some(error),
        }
    }

    fn event(&mut self, topic: &'static str, key: String, at: i64, value: Option<String>) {
        let timelines = self.topics.entry(topic).or_default();
        let place = *self.places.entry((topic, key.clone())).or_insert_with(|| {
            timelines.push(Timeline {
                root: self.root,
                key,
                events: Vec::new(),
            });
            timelines.len() - 1
        });
        timelines[place].events.push((at, value));
    }

    /// The title being written is deleted with all it has at this instant.
    pub(crate) fn gone(&mut self, at: i64) {
        self.gone.insert(self.root, at);
    }

    /// Sorts every key's events, drops those that change nothing, and splits them at the base.
    fn settle(&mut self) {
        for timeline in self.topics.values_mut().flatten() {
            let end = self.gone.get(&timeline.root).filter(|_| timeline.root != 0);
            timeline.events.sort_by_key(|(at, _)| *at);
            if let Some(end) = end {
                timeline.events.retain(|(at, _)| at < end);
                if !timeline.events.is_empty() {
                    timeline.events.push((*end, None));
                }
            }
            timeline.events.dedup_by(|next, kept| next.1 == kept.1);
            if timeline
                .events
                .first()
                .is_some_and(|(_, value)| value.is_none())
            {
                timeline.events.remove(0);
            }
        }
    }

    /// Writes `base/TOPIC.jsonl.zst` and `changes.jsonl.zst` under `out`; `rounds` are the ends of
    /// the rounds in which the changes will be fed, ascending.
    pub(crate) fn write(mut self, out: &Path, rounds: &[i64], level: i32) -> Result<Counts> {
        if let Some(source) = self.failed.take() {
            return Err(Error::Json {
                name: "a record".to_owned(),
                source,
            });
        }
        self.settle();
        let topics: Vec<String> = ingest::embedded_specs()?
            .into_iter()
            .map(|spec| spec.topic)
            .collect();
        let mut counts = Counts {
            rounds: vec![0; rounds.len()],
            ..Counts::default()
        };
        let base = out.join("base");
        create_dir(&base)?;
        let mut changes = Vec::new();
        for topic in &topics {
            let mut lines = Lines::create(&base.join(format!("{topic}.jsonl.zst")), level)?;
            for timeline in self.topics.get(topic.as_str()).into_iter().flatten() {
                let before = timeline
                    .events
                    .iter()
                    .take_while(|(at, _)| *at <= BASE_MS)
                    .count();
                let mut version = i64::MIN;
                for (number, (at, value)) in timeline.events.iter().enumerate() {
                    // Two deliveries of one key in one instant still have an order.
                    version = (at * 1_000).max(version.saturating_add(1));
                    if number + 1 == before && value.is_some() {
                        lines.line(topic, &timeline.key, version, value.as_deref())?;
                        *counts.base.entry(topic.clone()).or_default() += 1;
                    } else if number >= before {
                        changes.push((*at, topic, &timeline.key, version, value.as_deref()));
                    }
                }
            }
            lines.finish()?;
        }
        // The sort is stable: what is delivered at one instant goes by topic and title.
        changes.sort_by_key(|(at, ..)| *at);
        let mut lines = Lines::create(&out.join("changes.jsonl.zst"), level)?;
        for (at, topic, key, version, value) in changes {
            lines.line(topic, key, version, value)?;
            *counts.changes.entry(topic.clone()).or_default() += 1;
            counts.deletes += u64::from(value.is_none());
            if let Some(round) = rounds.iter().position(|end| at < *end) {
                counts.rounds[round] += 1;
            }
        }
        lines.finish()?;
        counts.topics = topics;
        Ok(counts)
    }
}

fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// A compressed file of lines.
struct Lines<'a> {
    path: std::path::PathBuf,
    encoder: zstd::stream::write::Encoder<'a, BufWriter<File>>,
}

impl Lines<'_> {
    fn create(path: &Path, level: i32) -> Result<Self> {
        let failed = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::create(path).map_err(failed)?;
        let mut encoder =
            zstd::stream::write::Encoder::new(BufWriter::new(file), level).map_err(failed)?;
        encoder.long_distance_matching(true).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            encoder,
        })
    }

    fn line(
        &mut self,
        topic: &str,
        key: &str,
        source_version: i64,
        value: Option<&str>,
    ) -> Result<()> {
        // Key and value are JSON already.
        let value = value.unwrap_or("null");
        writeln!(
            self.encoder,
            r#"{{"topic":"{topic}","key":{key},"sourceVersion":{source_version},"value":{value}}}"#
        )
        .map_err(|source| Error::Io {
            path: self.path.clone(),
            source,
        })
    }

    fn finish(self) -> Result<()> {
        let failed = |source| Error::Io {
            path: self.path.clone(),
            source,
        };
        let mut file = self.encoder.finish().map_err(failed)?;
        file.flush().map_err(failed)
    }
}
