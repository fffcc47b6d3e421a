//! Which verdicts flipped between two states of `liveness`: totals, by blocker, by country, and the titles that matter most.
//!
//! A field-by-field diff of liveness says which groups moved; title operations ask which pairs of video and country went live
//! or dark, why, and how much they weigh.

use std::collections::BTreeMap;

use hollow::diff::Diff;
use hollow::{KeyValue, Ordinal, ReadState, Value};
use serde::Serialize;

use crate::{Error, Result, root_type, to_json};

/// Verdicts that flipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerdictReport {
    /// Pairs that were not live (or not there) before and are now.
    pub went_live: u64,
    /// Pairs that were live before and are not (or not there) now.
    pub went_dark: u64,
    /// By blocker: what held pairs that are live now, and what holds pairs that went dark; the most frequent first.
    pub blockers: Vec<Flips>,
    /// By country, the most flips first.
    pub countries: Vec<Flips>,
    /// By video, the greatest weight first, at most as many as were asked for.
    pub videos: Vec<VideoFlips>,
}

/// Flips under one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flips {
    /// The blocker's code or the country's.
    pub name: String,
    /// Pairs that went live.
    pub went_live: u64,
    /// Pairs that went dark.
    pub went_dark: u64,
}

/// Flips of one video.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoFlips {
    /// Its id.
    pub video: i64,
    /// What it weighs, by the caller's measure.
    pub weight: u64,
    /// Countries where it went live, in order.
    pub went_live: Vec<String>,
    /// Countries where it went dark, in order.
    pub went_dark: Vec<String>,
}

/// The verdict on one video in one country.
struct Verdict {
    live: bool,
    blockers: Vec<String>,
}

/// The flips between two states of `liveness`; `weight` says how much a video matters (hours viewed, say), and `limit` how many
/// videos to name. The cost follows what differs within a chain.
///
/// # Errors
/// [`Error::NotLiveness`] for states of another dataset, and those of reading records.
pub fn report(
    before: &ReadState,
    after: &ReadState,
    weight: impl Fn(i64) -> u64,
    limit: usize,
) -> Result<VerdictReport> {
    let type_name = root_type(after)?.name.clone();
    let Diff {
        added,
        removed,
        changed,
        ..
    } = hollow::diff::diff(before, after, &type_name)?;
    let mut flips = Collector::default();
    for record in &added {
        flips.video(
            &record.key,
            BTreeMap::new(),
            verdicts(after, &type_name, record.ordinal)?,
        )?;
    }
    for record in &removed {
        flips.video(
            &record.key,
            verdicts(before, &type_name, record.ordinal)?,
            BTreeMap::new(),
        )?;
    }
    for record in &changed {
        flips.video(
            &record.key,
            verdicts(before, &type_name, record.before)?,
            verdicts(after, &type_name, record.after)?,
        )?;
    }
    Ok(flips.finish(weight, limit))
}

/// The verdicts of one record, by country.
fn verdicts(
    state: &ReadState,
    type_name: &str,
    ordinal: Ordinal,
) -> Result<BTreeMap<String, Verdict>> {
    let record = Value::read(state, type_name, ordinal)?.unwrap_or(Value::Null);
    let missing = |what: &str| Error::NotLiveness(format!("{type_name} has no {what}"));
    let Some(Value::List(groups)) = record.field("groups") else {
        return Err(missing("list of groups"));
    };
    let mut verdicts = BTreeMap::new();
    for group in groups {
        let Some(Value::Boolean(live)) = group.field("live") else {
            return Err(missing("groups.live"));
        };
        let names = |field: &str| match group.field(field) {
            Some(Value::Set(values)) => Ok(values.iter().map(text).collect::<Vec<_>>()),
            Some(Value::List(values)) => Ok(values.iter().map(text).collect()),
            _ => Err(missing(field)),
        };
        let blockers = names("blockers")?;
        for country in names("countries")? {
            verdicts.insert(
                country,
                Verdict {
                    live: *live,
                    blockers: blockers.clone(),
                },
            );
        }
    }
    Ok(verdicts)
}

/// A name that may be shared as a record of its own, or a record whose first text is its name.
fn text(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .first()
            .map(|(_, value)| text(value))
            .unwrap_or_default(),
        other => match to_json(other) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
    }
}

#[derive(Default)]
struct Collector {
    report: VerdictReport,
    blockers: BTreeMap<String, (u64, u64)>,
    countries: BTreeMap<String, (u64, u64)>,
}

impl Collector {
    fn video(
        &mut self,
        key: &[KeyValue],
        before: BTreeMap<String, Verdict>,
        after: BTreeMap<String, Verdict>,
    ) -> Result<()> {
        let [KeyValue::Long(video)] = key else {
            return Err(Error::NotLiveness("its key is not a video id".to_owned()));
        };
        let mut flips = VideoFlips {
            video: *video,
            weight: 0,
            went_live: Vec::new(),
            went_dark: Vec::new(),
        };
        for (country, verdict) in &after {
            let was = before.get(country);
            if verdict.live && !was.is_some_and(|was| was.live) {
                flips.went_live.push(country.clone());
                self.countries.entry(country.clone()).or_default().0 += 1;
                for blocker in was.iter().flat_map(|was| &was.blockers) {
                    self.blockers.entry(blocker.clone()).or_default().0 += 1;
                }
            }
        }
        for (country, _) in before.iter().filter(|(_, was)| was.live) {
            let is = after.get(country);
            if !is.is_some_and(|is| is.live) {
                flips.went_dark.push(country.clone());
                self.countries.entry(country.clone()).or_default().1 += 1;
                for blocker in is.iter().flat_map(|is| &is.blockers) {
                    self.blockers.entry(blocker.clone()).or_default().1 += 1;
                }
            }
        }
        self.report.went_live += flips.went_live.len() as u64;
        self.report.went_dark += flips.went_dark.len() as u64;
        if !flips.went_live.is_empty() || !flips.went_dark.is_empty() {
            self.report.videos.push(flips);
        }
        Ok(())
    }

    fn finish(self, weight: impl Fn(i64) -> u64, limit: usize) -> VerdictReport {
        let mut report = self.report;
        report.blockers = most_frequent(self.blockers);
        report.countries = most_frequent(self.countries);
        for flips in &mut report.videos {
            flips.weight = weight(flips.video);
        }
        report
            .videos
            .sort_by_key(|flips| (std::cmp::Reverse(flips.weight), flips.video));
        report.videos.truncate(limit);
        report
    }
}

fn most_frequent(counts: BTreeMap<String, (u64, u64)>) -> Vec<Flips> {
    let mut flips: Vec<Flips> = counts
        .into_iter()
        .map(|(name, (went_live, went_dark))| Flips {
            name,
            went_live,
            went_dark,
        })
        .collect();
    flips.sort_by(|a, b| {
        (b.went_live + b.went_dark)
            .cmp(&(a.went_live + a.went_dark))
            .then_with(|| a.name.cmp(&b.name))
    });
    flips
}
