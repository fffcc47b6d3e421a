//! The changed pairs counted: totals, by blocker × country, by rule, by video.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Filter, PairChange, changes};
use crate::{Comparison, Error, Result};

/// Verdicts that differ. Weights are sums over pairs of what the video weighs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerdictReport {
    /// Pairs that were not live (or not there) before and are now.
    pub went_live: u64,
    /// Pairs that were live before and are not (or not there) now.
    pub went_dark: u64,
    /// What the pairs that went live weigh.
    pub weight_live: u64,
    /// What the pairs that went dark weigh.
    pub weight_dark: u64,
    /// Pairs that did not flip, but are held back by other blockers now.
    pub other_blockers: u64,
    /// Pairs that are live in both, with other tracks.
    pub other_tracks: u64,
    /// By track, in pairs that are live in both: the most frequent first.
    pub tracks: Vec<TrackChange>,
    /// By rule: where it blocks no longer, or does now, the most frequent first.
    pub rules: Vec<RuleChange>,
    /// By blocker: what held pairs that are live now, and what holds pairs that went dark; the most frequent first.
    pub blockers: Vec<Flips>,
    /// By country, the most flips first.
    pub countries: Vec<Flips>,
    /// By blocker and country, the most flips first.
    pub cells: Vec<Cell>,
    /// By video, the greatest weight first, at most as many as were asked for.
    pub videos: Vec<VideoFlips>,
    /// How many videos have pairs that flipped.
    pub videos_flipped: u64,
}

/// Flips under one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flips {
    /// The blocker's code or the country's.
    pub name: String,
    /// The counts.
    #[serde(flatten)]
    pub count: Count,
}

/// Flips of one blocker in one country.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// The blocker's code.
    pub blocker: String,
    /// The country's.
    pub country: String,
    /// The counts.
    #[serde(flatten)]
    pub count: Count,
}

/// How many pairs flipped, and what they weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Pairs that went live.
    pub went_live: u64,
    /// Pairs that went dark.
    pub went_dark: u64,
    /// What the former weigh.
    pub weight_live: u64,
    /// What the latter weigh.
    pub weight_dark: u64,
}

/// What one rule does otherwise, in pairs that flipped and others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleChange {
    /// The blocker's code.
    pub code: String,
    /// Pairs that it blocked and does not block now.
    pub lifted: u64,
    /// Pairs that it did not block and blocks now.
    pub placed: u64,
}

/// In how many pairs one track came or went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrackChange {
    /// Its kind and language, as `dub fr`.
    pub track: String,
    /// Pairs that have it now.
    pub added: u64,
    /// Pairs that have it no more.
    pub removed: u64,
}

/// Flips of one video.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VideoFlips {
    /// Its id.
    pub video: i64,
    /// What it weighs, by the caller's measure.
    pub weight: u64,
    /// Countries where it went live, in order.
    pub went_live: Vec<String>,
    /// Countries where it went dark, in order.
    pub went_dark: Vec<String>,
    /// The blockers that came or went there, in order.
    pub blockers: Vec<String>,
}

impl Count {
    fn add(&mut self, is_live: bool, weight: u64) {
        let (pairs, sum) = if is_live {
            (&mut self.went_live, &mut self.weight_live)
        } else {
            (&mut self.went_dark, &mut self.weight_dark)
        };
        *pairs += 1;
        *sum = sum.saturating_add(weight);
    }

    fn pairs(&self) -> u64 {
        self.went_live + self.went_dark
    }
}

/// Counts the pairs that pass the filter; `weight` says how much a video matters (hours viewed, say), and `limit` how many
/// videos to name.
///
/// # Errors
/// [`Error::NotLiveness`] for states of another dataset, and those of reading records.
pub fn report(
    comparison: &Comparison<'_>,
    filter: &Filter,
    weight: impl Fn(i64) -> u64,
    limit: usize,
) -> Result<VerdictReport> {
    let mut counter = Counter::default();
    changes(comparison, filter, |pair| {
        counter.pair(pair, &weight);
        Ok::<(), Error>(())
    })?;
    Ok(counter.finish(limit))
}

#[derive(Default)]
struct Counter {
    total: Count,
    other_blockers: u64,
    other_tracks: u64,
    tracks: BTreeMap<String, TrackChange>,
    rules: BTreeMap<String, RuleChange>,
    blockers: BTreeMap<String, Count>,
    countries: BTreeMap<String, Count>,
    cells: BTreeMap<(String, String), Count>,
    videos: BTreeMap<i64, VideoFlips>,
}

impl Counter {
    fn pair(&mut self, pair: &PairChange<'_>, weight: &impl Fn(i64) -> u64) {
        for code in pair.lifted() {
            self.rules.entry(code.to_owned()).or_default().lifted += 1;
        }
        for code in pair.placed() {
            self.rules.entry(code.to_owned()).or_default().placed += 1;
        }
        let is_live = pair.went_live();
        if pair.has_other_tracks() {
            self.other_tracks += 1;
            for track in pair.tracks_added() {
                self.tracks.entry(track.to_owned()).or_default().added += 1;
            }
            for track in pair.tracks_removed() {
                self.tracks.entry(track.to_owned()).or_default().removed += 1;
            }
            return;
        }
        if !is_live && !pair.went_dark() {
            self.other_blockers += 1;
            return;
        }
        let weight = weight(pair.video);
        self.total.add(is_live, weight);
        let country = pair.country.to_owned();
        let count = self.countries.entry(country.clone()).or_default();
        count.add(is_live, weight);
        // What held it back while it was dark.
        let dark = if is_live { pair.before } else { pair.after };
        for code in dark.into_iter().flat_map(|verdict| verdict.blockers()) {
            let count = self.blockers.entry(code.to_owned()).or_default();
            count.add(is_live, weight);
            let cell = (code.to_owned(), country.clone());
            self.cells.entry(cell).or_default().add(is_live, weight);
        }
        let flips = self.videos.entry(pair.video).or_default();
        flips.weight = weight;
        for code in pair.lifted().chain(pair.placed()) {
            if !flips.blockers.iter().any(|known| known == code) {
                flips.blockers.push(code.to_owned());
            }
        }
        match is_live {
            true => flips.went_live.push(country),
            false => flips.went_dark.push(country),
        }
    }

    fn finish(self, limit: usize) -> VerdictReport {
        let mut rules: Vec<RuleChange> = self
            .rules
            .into_iter()
            .map(|(code, change)| RuleChange { code, ..change })
            .collect();
        rules.sort_by_key(|rule| Reverse(rule.lifted + rule.placed));
        let mut tracks: Vec<TrackChange> = self
            .tracks
            .into_iter()
            .map(|(track, change)| TrackChange { track, ..change })
            .collect();
        tracks.sort_by_key(|track| Reverse(track.added + track.removed));
        let mut cells: Vec<Cell> = self
            .cells
            .into_iter()
            .map(|((blocker, country), count)| Cell {
                blocker,
                country,
                count,
            })
            .collect();
        cells.sort_by_key(|cell| Reverse(cell.count.pairs()));
        let videos_flipped = self.videos.len() as u64;
        let mut videos: Vec<VideoFlips> = self
            .videos
            .into_iter()
            .map(|(video, flips)| VideoFlips { video, ..flips })
            .collect();
        videos.sort_by_key(|flips| (Reverse(flips.weight), flips.video));
        videos.truncate(limit);
        for flips in &mut videos {
            flips.went_live.sort_unstable();
            flips.went_dark.sort_unstable();
            flips.blockers.sort_unstable();
        }
        VerdictReport {
            went_live: self.total.went_live,
            went_dark: self.total.went_dark,
            weight_live: self.total.weight_live,
            weight_dark: self.total.weight_dark,
            other_blockers: self.other_blockers,
            other_tracks: self.other_tracks,
            tracks,
            rules,
            blockers: most_frequent(self.blockers),
            countries: most_frequent(self.countries),
            cells,
            videos,
            videos_flipped,
        }
    }
}

/// Most flips first, then by name (sorting is stable).
fn most_frequent(counts: BTreeMap<String, Count>) -> Vec<Flips> {
    let mut flips: Vec<Flips> = counts
        .into_iter()
        .map(|(name, count)| Flips { name, count })
        .collect();
    flips.sort_by_key(|flips| Reverse(flips.count.pairs()));
    flips
}
