//! The ten inputs' records in plain form.
//!
//! One struct per dataset with the fields that decide anything, named as in `schemas/`. They are
//! the common ground of the facts and of whoever checks them: a plain evaluator can be written
//! against these types alone. Times are milliseconds since 1970 in UTC; an interval holds its
//! start and not its end.

use std::collections::{BTreeMap, BTreeSet};

/// What a video is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Played; stands alone.
    Movie,
    /// Collects seasons.
    Show,
    /// Collects episodes; belongs to a show.
    Season,
    /// Played; belongs to a season.
    Episode,
}

impl Kind {
    /// The kind of the name used in the records.
    pub fn from_name(name: &str) -> Option<Self> {
        [Kind::Movie, Kind::Show, Kind::Season, Kind::Episode]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The name used in the records.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Movie => "movie",
            Kind::Show => "show",
            Kind::Season => "season",
            Kind::Episode => "episode",
        }
    }

    /// Whether it is played itself, instead of collecting what is.
    pub fn is_playable(self) -> bool {
        matches!(self, Kind::Movie | Kind::Episode)
    }

    /// The kind of its parent; `None` for what stands alone.
    pub fn parent(self) -> Option<Kind> {
        match self {
            Kind::Movie | Kind::Show => None,
            Kind::Season => Some(Kind::Show),
            Kind::Episode => Some(Kind::Season),
        }
    }
}

/// What kind of track an asset is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TrackKind {
    /// Written translation.
    Subtitles,
    /// Spoken translation.
    Dub,
    /// Subtitles for the deaf.
    Captions,
    /// Audio description.
    Description,
}

impl TrackKind {
    /// Every kind.
    pub const ALL: [TrackKind; 4] = [
        TrackKind::Subtitles,
        TrackKind::Dub,
        TrackKind::Captions,
        TrackKind::Description,
    ];

    /// The kind of the name used in the records.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name used in the records.
    pub fn name(self) -> &'static str {
        match self {
            TrackKind::Subtitles => "subtitles",
            TrackKind::Dub => "dub",
            TrackKind::Captions => "captions",
            TrackKind::Description => "description",
        }
    }
}

/// The status of a text, an asset, artwork or streams that counts; every other does not.
pub const READY: &str = "ready";

/// A record of `titles`.
#[derive(Clone, PartialEq, Debug)]
pub struct Title {
    /// The id.
    pub video: i64,
    /// What it is.
    pub kind: Kind,
    /// The show of a season, the season of an episode.
    pub parent: Option<i64>,
    /// The language it was made in.
    pub original_language: Option<String>,
    /// Whether it is made for children.
    pub kids: bool,
}

/// A record of `rights`.
#[derive(Clone, PartialEq, Debug)]
pub struct Rights {
    /// The video's id.
    pub video: i64,
    /// Its licence windows.
    pub windows: Vec<Window>,
}

/// One licence window.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// The first instant of the window.
    pub start: i64,
    /// The first instant after it; `None`: open.
    pub end: Option<i64>,
    /// Where it holds.
    pub countries: BTreeSet<String>,
    /// The languages licensed for tracks, each with its variants; `None`: all.
    pub languages: Option<BTreeSet<String>>,
}

/// A record of `ratings`.
#[derive(Clone, PartialEq, Debug)]
pub struct Ratings {
    /// The video's id.
    pub video: i64,
    /// The rating by country.
    pub ratings: BTreeMap<String, Rating>,
}

/// What one country's rating system says.
#[derive(Clone, PartialEq, Debug)]
pub struct Rating {
    /// The system.
    pub system: String,
    /// The age in years from which the video is meant.
    pub minimum_age: Option<i32>,
}

/// A record of `texts`.
#[derive(Clone, PartialEq, Debug)]
pub struct Text {
    /// The video's id.
    pub video: i64,
    /// The language of the texts.
    pub language: String,
    /// Whether there is a title.
    pub title: bool,
    /// Whether there is a synopsis.
    pub synopsis: bool,
    /// Whether they may be shown.
    pub ready: bool,
}

/// A record of `assets`.
#[derive(Clone, PartialEq, Debug)]
pub struct Asset {
    /// The video's id.
    pub video: i64,
    /// What kind of track it is.
    pub kind: TrackKind,
    /// The track's language.
    pub language: String,
    /// Whether it may be played.
    pub ready: bool,
}

/// A record of `artwork`.
#[derive(Clone, PartialEq, Debug)]
pub struct Artwork {
    /// The video's id.
    pub video: i64,
    /// The language of the words on the pictures.
    pub language: String,
    /// What there is.
    pub formats: BTreeSet<String>,
    /// Whether the pictures may be shown.
    pub ready: bool,
}

/// A record of `streams`.
#[derive(Clone, PartialEq, Debug)]
pub struct Streams {
    /// The video's id.
    pub video: i64,
    /// The encode profiles at hand.
    pub profiles: BTreeSet<String>,
    /// The protection systems they are packaged for.
    pub drm: BTreeSet<String>,
    /// Whether they may be played.
    pub ready: bool,
}

/// A record of `holds`.
#[derive(Clone, PartialEq, Debug)]
pub struct Hold {
    /// The hold's id.
    pub hold: String,
    /// The video it is on.
    pub video: i64,
    /// Where; `None`: everywhere.
    pub countries: Option<BTreeSet<String>>,
    /// Why, in a sentence.
    pub reason: String,
    /// The first instant at which it holds.
    pub from: i64,
    /// The first instant at which it no longer does; `None`: open.
    pub until: Option<i64>,
}

/// A record of `popularity`.
#[derive(Clone, PartialEq, Debug)]
pub struct Popularity {
    /// The video's id.
    pub video: i64,
    /// Hours viewed in the period.
    pub hours_viewed: i64,
}

/// Languages that are needed: one of them, or all. No language needs nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LanguageNeed {
    /// Whether all are needed instead of one.
    pub all: bool,
    /// The languages.
    pub languages: BTreeSet<String>,
}

/// A record of `policies`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Policy {
    /// The country.
    pub country: String,
    /// The rating systems that count there.
    pub rating_systems: BTreeSet<String>,
    /// Whether a rating by one of them is required.
    pub rating_required: bool,
    /// The highest minimum age that may be shown, in years.
    pub maximum_age: Option<i32>,
    /// Languages of which the title is needed.
    pub title: LanguageNeed,
    /// Languages of which a synopsis is needed.
    pub synopsis: LanguageNeed,
    /// Languages in which viewers must be able to follow.
    pub subtitles: LanguageNeed,
    /// Languages that a video for children must speak.
    pub kids_dub: LanguageNeed,
    /// Languages of artwork that will do; none: none is needed.
    pub artwork_languages: Vec<String>,
    /// Languages of the tracks that are offered, each with its variants; `None`: all.
    pub track_languages: Option<BTreeSet<String>>,
}
