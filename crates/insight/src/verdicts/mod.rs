//! Which verdicts differ between two states of `liveness`: totals, by blocker and country, by rule, and the titles that
//! matter most.
//!
//! A field-by-field diff of liveness says which groups moved; title operations ask which pairs of video and country went live
//! or dark, why, and how much they weigh, and whoever changes a rule asks whether anything else changed. [`changes`] walks
//! the pairs that differ, and everything else counts them.

mod read;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use hollow::KeyValue;

use crate::{Comparison, Error, Result};
use read::{Blockers, ByCountry, Names, Reader, TrackSet, numbers};

pub use report::{Cell, Count, Flips, RuleChange, TrackChange, VerdictReport, VideoFlips, report};

/// A video and a country whose verdicts differ.
pub struct PairChange<'a> {
    /// The video.
    pub video: i64,
    /// The country's code.
    pub country: &'a str,
    /// The verdict of the first state; `None` where it has none for the pair.
    pub before: Option<Verdict<'a>>,
    /// That of the second.
    pub after: Option<Verdict<'a>>,
    names: &'a Names,
}

/// A verdict on one video in one country.
#[derive(Clone, Copy)]
pub struct Verdict<'a> {
    /// Whether the video is live.
    pub live: bool,
    blockers: Blockers,
    tracks: TrackSet,
    names: &'a Names,
}

impl<'a> Verdict<'a> {
    /// The codes of what holds the video back.
    pub fn blockers(self) -> impl Iterator<Item = &'a str> {
        numbers(self.blockers).map(move |number| self.names.blockers.text(number))
    }
}

impl<'a> PairChange<'a> {
    /// Whether the pair is live in the second state and was not in the first.
    pub fn went_live(&self) -> bool {
        is_live(self.after) && !is_live(self.before)
    }

    /// Whether the pair was live in the first state and is not in the second.
    pub fn went_dark(&self) -> bool {
        is_live(self.before) && !is_live(self.after)
    }

    /// Whether the pair is live in both states, with other tracks.
    pub fn has_other_tracks(&self) -> bool {
        is_live(self.before) && is_live(self.after) && tracks(self.before) != tracks(self.after)
    }

    /// The tracks (kind and language, as `dub fr`) that the first state had not.
    pub fn tracks_added(&self) -> impl Iterator<Item = &'a str> {
        self.names.without(tracks(self.after), tracks(self.before))
    }

    /// The tracks that the second state has no more.
    pub fn tracks_removed(&self) -> impl Iterator<Item = &'a str> {
        self.names.without(tracks(self.before), tracks(self.after))
    }

    /// The blockers that the second state has no more.
    pub fn lifted(&self) -> impl Iterator<Item = &'a str> {
        self.codes(blockers(self.before) & !blockers(self.after))
    }

    /// The blockers that the first state had not.
    pub fn placed(&self) -> impl Iterator<Item = &'a str> {
        self.codes(blockers(self.after) & !blockers(self.before))
    }

    fn codes(&self, blockers: Blockers) -> impl Iterator<Item = &'a str> {
        let names = self.names;
        numbers(blockers).map(move |number| names.blockers.text(number))
    }
}

fn is_live(verdict: Option<Verdict<'_>>) -> bool {
    verdict.is_some_and(|verdict| verdict.live)
}

fn blockers(verdict: Option<Verdict<'_>>) -> Blockers {
    verdict.map_or(0, |verdict| verdict.blockers)
}

fn tracks(verdict: Option<Verdict<'_>>) -> TrackSet {
    verdict.map_or_else(TrackSet::default, |verdict| verdict.tracks)
}

/// Which pairs a report is about; all of them by default.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These countries only, unless there are none.
    pub countries: BTreeSet<String>,
    /// Pairs that one of these blockers came to or went from only, unless there are none.
    pub blockers: BTreeSet<String>,
    /// These videos only, unless there are none.
    pub videos: BTreeSet<i64>,
    /// Only pairs that went live, or only those that went dark.
    pub only: Option<Direction>,
}

/// Which way a verdict flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It is live in the second state only.
    Live,
    /// It is live in the first state only.
    Dark,
}

impl Filter {
    fn passes(&self, pair: &PairChange<'_>) -> bool {
        let blocks = |code: &str| self.blockers.contains(code);
        (self.countries.is_empty() || self.countries.contains(pair.country))
            && (self.videos.is_empty() || self.videos.contains(&pair.video))
            && (self.blockers.is_empty() || pair.lifted().chain(pair.placed()).any(blocks))
            && match self.only {
                None => true,
                Some(Direction::Live) => pair.went_live(),
                Some(Direction::Dark) => pair.went_dark(),
            }
    }
}

/// Calls `each` with every pair whose verdicts differ, in being live, in blockers or in live tracks, and which passes the filter. The cost
/// follows the videos that differ.
///
/// # Errors
/// [`Error::NotLiveness`] for states of another dataset, and those of `each`.
pub fn changes<E: From<Error>>(
    comparison: &Comparison<'_>,
    filter: &Filter,
    mut each: impl FnMut(&PairChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut names = Names::default();
    let mut old = Reader::new(comparison.before)?;
    let mut new = Reader::new(comparison.after)?;
    let Some(diff) = &comparison.diff else {
        return Ok(());
    };
    let added = (diff.added.iter()).map(|record| (&record.key, None, Some(record.ordinal)));
    let removed = (diff.removed.iter()).map(|record| (&record.key, Some(record.ordinal), None));
    let changed =
        (diff.changed.iter()).map(|record| (&record.key, Some(record.before), Some(record.after)));
    let (mut before, mut after) = (ByCountry::new(), ByCountry::new());
    for (key, old_ordinal, new_ordinal) in added.chain(removed).chain(changed) {
        let [KeyValue::Long(video)] = key.as_slice() else {
            return Err(Error::NotLiveness("its key is not a video id".to_owned()).into());
        };
        if !filter.videos.is_empty() && !filter.videos.contains(video) {
            continue;
        }
        before.fill(None);
        after.fill(None);
        if let Some(ordinal) = old_ordinal {
            old.verdicts(ordinal, &mut names, &mut before)?;
        }
        if let Some(ordinal) = new_ordinal {
            new.verdicts(ordinal, &mut names, &mut after)?;
        }
        for number in 0..names.countries.len() {
            let verdict = |groups: &ByCountry| {
                let group = groups.get(number)?.as_deref()?;
                Some((group.live, group.blockers, group.tracks))
            };
            let (was, is) = (verdict(&before), verdict(&after));
            if was == is {
                continue;
            }
            let names = &names;
            let verdict = |(live, blockers, tracks)| Verdict {
                live,
                blockers,
                tracks,
                names,
            };
            let pair = PairChange {
                video: *video,
                country: names.countries.text(number),
                before: was.map(verdict),
                after: is.map(verdict),
                names,
            };
            if filter.passes(&pair) {
                each(&pair)?;
            }
        }
    }
    Ok(())
}

/// What [`unexpected`] calls a change of tracks alone.
pub const TRACKS: &str = "tracks";

/// What changed besides the blockers with these codes: by code (or `pair added`, `pair removed`, and [`TRACKS`] of pairs that
/// are live in both with other tracks), in how many pairs. Empty where nothing else did, so that a script can fail otherwise.
///
/// # Errors
/// As [`changes`].
pub fn unexpected(
    comparison: &Comparison<'_>,
    expected: &BTreeSet<String>,
) -> Result<BTreeMap<String, u64>> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    changes(comparison, &Filter::default(), |pair| {
        let whole = match (pair.before, pair.after) {
            (None, _) => Some("pair added"),
            (_, None) => Some("pair removed"),
            _ => None,
        };
        let tracks = pair.has_other_tracks().then_some(TRACKS);
        let codes = pair.lifted().chain(pair.placed()).chain(tracks);
        for code in codes.filter(|&code| !expected.contains(code)).chain(whole) {
            *found.entry(code.to_owned()).or_default() += 1;
        }
        Ok::<(), Error>(())
    })?;
    Ok(found)
}
