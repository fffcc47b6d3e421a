//! The facts themselves: what the records say, with codes and tags already turned into numbers.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::country::{Country, CountrySet};
use crate::facts::names::Name;
use crate::language::Language;
use crate::record::{Kind, TrackKind};

/// The end of what has none.
pub const OPEN: i64 = i64::MAX;

/// What a video is and where it belongs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TitleFact {
    /// Movie, show, season or episode.
    pub kind: Kind,
    /// The show of a season, the season of an episode.
    pub parent: Option<i64>,
    /// The language it was made in.
    pub original: Option<Language>,
    /// Whether it is made for children.
    pub kids: bool,
}

/// One licence window: from `start`, until before `end`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Window {
    /// First instant, ms.
    pub start: i64,
    /// First instant after it, ms; [`OPEN`] if there is none.
    pub end: i64,
    /// Where it holds.
    pub countries: Countries,
    /// The languages licensed for tracks, each with its variants, sorted; `None`: all.
    pub languages: Option<Arc<[Language]>>,
}

/// A country set that sorts, so that facts have one order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Countries(pub CountrySet);

impl PartialOrd for Countries {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Countries {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().cmp(other.0.iter())
    }
}

impl Window {
    /// Whether the window is in force at an instant.
    pub fn is_open(&self, at: i64) -> bool {
        self.start <= at && at < self.end
    }
}

/// One country's rating.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Rating {
    /// The country.
    pub country: Country,
    /// The rating system.
    pub system: Name,
    /// The age in years from which the video is meant.
    pub minimum_age: Option<i32>,
}

/// What is written about a video in one language; what is not ready has neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Text {
    /// The language.
    pub language: Language,
    /// Whether a title is ready.
    pub title: bool,
    /// Whether a synopsis is ready.
    pub synopsis: bool,
}

/// One track.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Track {
    /// Subtitles, dub, captions or description.
    pub kind: TrackKind,
    /// The language.
    pub language: Language,
    /// Whether it may be played.
    pub ready: bool,
}

/// The pictures in one language; what is not ready has no formats.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Artwork {
    /// The language of the words on them.
    pub language: Language,
    /// The formats that are ready, sorted.
    pub formats: Arc<[Name]>,
}

/// The encodes; what is not ready has no profiles.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Streams {
    /// The profiles that are ready, sorted.
    pub profiles: Arc<[Name]>,
    /// The protection systems they are packaged for, sorted.
    pub drm: Arc<[Name]>,
}

/// A hold: from `from`, until before `until`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Hold {
    /// The hold's id.
    pub hold: Arc<str>,
    /// Where.
    pub countries: Countries,
    /// First instant, ms.
    pub from: i64,
    /// First instant after it, ms; [`OPEN`] if there is none.
    pub until: i64,
    /// Why, in a sentence.
    pub reason: Arc<str>,
}

impl Hold {
    /// Whether it holds at an instant.
    pub fn is_active(&self, at: i64) -> bool {
        self.from <= at && at < self.until
    }
}

/// What a video says and shows in which languages, for the rules about subtitles and dubs.
///
/// Two are equal whose tracks are the same in memory: facts hold each set of tracks once.
#[derive(Clone, Debug)]
pub struct Speech {
    /// The tracks, sorted by kind and language.
    pub tracks: Arc<[Track]>,
    /// The original language.
    pub original: Option<Language>,
    /// Whether the video is made for children.
    pub kids: bool,
}

impl Speech {
    fn identity(&self) -> (*const Track, Option<Language>, bool) {
        (self.tracks.as_ptr(), self.original, self.kids)
    }
}

impl PartialEq for Speech {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Speech {}

impl Hash for Speech {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Languages that are needed: one of them, or all.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Need {
    /// Whether all are needed instead of one.
    pub all: bool,
    /// The languages, sorted; none: nothing is needed.
    pub languages: Arc<[Language]>,
}

/// What one country asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Policy {
    /// The rating systems that count there, sorted.
    pub rating_systems: Vec<Name>,
    /// Whether a rating by one of them is required.
    pub rating_required: bool,
    /// The highest minimum age that may be shown, in years.
    pub maximum_age: Option<i32>,
    /// Languages of which the title is needed.
    pub title: Need,
    /// Languages of which a synopsis is needed.
    pub synopsis: Need,
    /// Languages in which viewers must be able to follow.
    pub subtitles: Need,
    /// Languages that a video for children must speak.
    pub kids_dub: Need,
    /// Languages of artwork that will do, best first; none: none is needed.
    pub artwork: Vec<Language>,
    /// Languages of the tracks that are offered, each with its variants, sorted; `None`: all.
    pub offered: Option<Arc<[Language]>>,
}
