//! What an evaluation says about a video: groups of countries with one and the same verdict.
//!
//! Countries agree more often than not, so a verdict for 250 countries is a handful of groups.
//! They are disjoint, cover the markets, and are sorted by content (by their first country), so
//! that equal verdicts are equal in every bit.

use std::fmt;
use std::sync::Arc;

use crate::country::CountrySet;
use crate::rules::ALL;
use crate::tracks::TrackSet;

/// A set of blockers: one bit per rule, by its place in [`ALL`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BlockerSet(pub(crate) u32);

impl BlockerSet {
    /// No blocker.
    pub const EMPTY: Self = Self(0);

    /// The set of the rules with these codes; a code without a rule is left out.
    pub fn from_codes<'a>(codes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::EMPTY;
        for code in codes {
            if let Some(bit) = ALL.iter().position(|rule| rule.code == code) {
                set.0 |= 1 << bit;
            }
        }
        set
    }

    /// Whether there is no blocker.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places of the rules in [`ALL`], ascending.
    pub fn places(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let place = rest.trailing_zeros() as usize;
            rest &= rest.checked_sub(1)?;
            Some(place)
        })
    }

    /// The codes, in the order of [`ALL`].
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        self.places().map(|bit| ALL[bit].code)
    }
}

impl fmt::Debug for BlockerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.codes()).finish()
    }
}

/// A change that will come by itself, as nothing but time passes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NextChange {
    /// The first instant of the other verdict, ms.
    pub at: i64,
    /// Whether the video is live then.
    pub live: bool,
    /// The tracks that are live then.
    pub tracks: TrackSet,
}

/// Countries with one and the same verdict.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Group {
    /// Whether the video is live.
    pub live: bool,
    /// The countries.
    pub countries: CountrySet,
    /// What holds the video back.
    pub blockers: BlockerSet,
    /// The tracks that are live; none where the video is not.
    pub tracks: TrackSet,
    /// When the video will go live, stop being live or be live with other tracks; `None`: never, as
    /// far as the facts say.
    pub next: Option<NextChange>,
}

/// What an evaluation says about a video. Two are equal when their groups are.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The groups, by their first country.
    pub groups: Vec<Group>,
    /// Where the video is live.
    pub live: CountrySet,
    /// What will be live: from each instant on, ascending; the first is the evaluation's.
    pub(crate) timeline: Arc<[Moment]>,
}

/// Where a video and its tracks are live from an instant on.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The first instant, ms.
    pub at: i64,
    /// Where the video is live.
    pub live: CountrySet,
    /// Where which tracks are: disjoint, sorted by first country, without those that have none.
    pub tracks: Vec<(TrackSet, CountrySet)>,
}

impl Moment {
    /// Whether nothing is live elsewhere or otherwise.
    fn is_like(&self, other: &Self) -> bool {
        self.live == other.live && self.tracks == other.tracks
    }
}

/// Leaves out the moments at which everything is as before.
pub(crate) fn drop_like(timeline: &mut Vec<Moment>) {
    timeline.dedup_by(|later, earlier| later.is_like(earlier));
}

impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        self.groups == other.groups
    }
}

impl Outcome {
    /// An outcome of groups that were evaluated before, as they are read back from a state.
    pub fn from_groups(mut groups: Vec<Group>) -> Self {
        groups.sort_by_key(|group| group.countries.first());
        let mut live = CountrySet::EMPTY;
        for group in groups.iter().filter(|group| group.live) {
            live |= group.countries;
        }
        Self {
            groups,
            live,
            timeline: Arc::default(),
        }
    }

    /// What will be live from each instant on, ascending; the first is the evaluation's. Empty for an
    /// outcome that was read back from a state.
    pub fn timeline(&self) -> &[Moment] {
        &self.timeline
    }

    /// The group that a country is in; `None` for a country that is no market.
    pub fn group(&self, country: crate::Country) -> Option<&Group> {
        self.groups
            .iter()
            .find(|group| group.countries.contains(country))
    }

    /// The countries that each rule blocks, by its place in [`ALL`].
    pub(crate) fn blocked(&self) -> [CountrySet; ALL.len()] {
        let mut blocked = [CountrySet::EMPTY; ALL.len()];
        for group in &self.groups {
            for place in group.blockers.places() {
                blocked[place] |= group.countries;
            }
        }
        blocked
    }

    /// Where the video is live at an instant that is not before the evaluation's.
    pub fn live_at(&self, at: i64) -> CountrySet {
        self.moment(at).map_or(self.live, |moment| moment.live)
    }

    /// What is live at an instant that is not before the evaluation's.
    pub(crate) fn moment(&self, at: i64) -> Option<&Moment> {
        let after = self.timeline.partition_point(|moment| moment.at <= at);
        self.timeline.get(after.checked_sub(1)?)
    }
}
