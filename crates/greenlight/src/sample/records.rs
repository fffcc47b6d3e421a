//! The change records as they are written: one struct per schema in `schemas/`, with the same
//! field names in the same order, so that a line of the scenario reads like its schema.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// How far a record can be trusted; ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provenance {
    Real,
    Derived,
    Synthesized,
}

/// What a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Movie,
    Show,
    Season,
    Episode,
}

/// Whether texts, tracks, pictures or encodes may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Pending,
    Ready,
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Title {
    pub(crate) video: i64,
    pub(crate) kind: Kind,
    pub(crate) parent: Option<i64>,
    pub(crate) number: Option<i32>,
    pub(crate) original_title: String,
    pub(crate) original_language: Option<String>,
    pub(crate) year: Option<i32>,
    pub(crate) runtime_minutes: Option<i32>,
    pub(crate) kids: bool,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Rights {
    pub(crate) video: i64,
    pub(crate) windows: Vec<Window>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Window {
    pub(crate) contract: String,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) countries: BTreeSet<String>,
    pub(crate) languages: Option<BTreeSet<String>>,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Ratings {
    pub(crate) video: i64,
    pub(crate) ratings: BTreeMap<String, Rating>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rating {
    pub(crate) system: String,
    pub(crate) label: String,
    pub(crate) minimum_age: Option<i32>,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Text {
    pub(crate) video: i64,
    pub(crate) language: String,
    pub(crate) title: Option<String>,
    pub(crate) synopsis_length: Option<i32>,
    pub(crate) status: Status,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asset {
    pub(crate) video: i64,
    pub(crate) kind: &'static str,
    pub(crate) language: String,
    pub(crate) status: Status,
    pub(crate) ready_since: Option<i64>,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Artwork {
    pub(crate) video: i64,
    pub(crate) language: String,
    pub(crate) formats: Vec<&'static str>,
    pub(crate) status: Status,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Streams {
    pub(crate) video: i64,
    pub(crate) profiles: Vec<&'static str>,
    pub(crate) drm: Vec<&'static str>,
    pub(crate) status: Status,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LanguageNeed {
    pub(crate) need: &'static str,
    pub(crate) languages: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    pub(crate) country: String,
    pub(crate) rating_systems: BTreeSet<String>,
    pub(crate) rating_required: bool,
    pub(crate) maximum_age: Option<i32>,
    pub(crate) title: LanguageNeed,
    pub(crate) synopsis: LanguageNeed,
    pub(crate) subtitles: LanguageNeed,
    pub(crate) kids_dub: LanguageNeed,
    pub(crate) artwork_languages: Vec<String>,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Hold {
    pub(crate) hold: String,
    pub(crate) video: i64,
    pub(crate) countries: Option<BTreeSet<String>>,
    pub(crate) reason: String,
    pub(crate) from: i64,
    pub(crate) until: Option<i64>,
    pub(crate) provenance: Provenance,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Popularity {
    pub(crate) video: i64,
    pub(crate) hours_viewed: i64,
    pub(crate) period: String,
    pub(crate) provenance: Provenance,
}
