//! A catalogue as facts, without datasets in between: for rows about the evaluation alone.

use std::collections::{BTreeMap, BTreeSet};

use gatekeeper::Input;
use liveness::record::{
    Artwork, Asset, Hold, Kind, LanguageNeed, Policy, Popularity, READY, Rating, Ratings, Rights,
    Streams, Text, Title, TrackKind, Window,
};
use liveness::{Facts, Fallback};
use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::donors::{number, text};

/// The facts of all records of a catalogue.
#[must_use]
pub fn facts(catalogue: &Catalogue) -> Facts {
    let mut facts = Facts::new(Fallback::cldr());
    for input in Input::ALL {
        for record in catalogue.of_none(input) {
            put(&mut facts, input, &record);
        }
        for family in 0..catalogue.families() {
            for record in catalogue.of_family(input, family) {
                put(&mut facts, input, &record);
            }
        }
        facts.refresh();
    }
    facts
}

/// Sets a record; one that names no video, or nothing known, is left out, as the gatekeeper does.
pub fn put(facts: &mut Facts, input: Input, record: &Value) {
    let video = number(record, "video").unwrap_or_default();
    let ready = text(record, "status") == READY;
    let language = || text(record, "language");
    match input {
        Input::Titles => {
            let Some(kind) = Kind::from_name(&text(record, "kind")) else {
                return;
            };
            facts.put_title(&Title {
                video,
                kind,
                parent: number(record, "parent"),
                original_language: maybe(record, "originalLanguage"),
                kids: flag(record, "kids"),
            });
        }
        Input::Rights => facts.put_rights(&Rights {
            video,
            windows: list(record, "windows")
                .iter()
                .map(|window| Window {
                    start: number(window, "start").unwrap_or_default(),
                    end: number(window, "end"),
                    countries: set(window, "countries").unwrap_or_default(),
                    languages: set(window, "languages"),
                })
                .collect(),
        }),
        Input::Ratings => {
            let ratings = record["ratings"].as_object();
            let ratings = ratings.into_iter().flatten().map(|(country, rating)| {
                let rating = Rating {
                    system: text(rating, "system"),
                    minimum_age: int(rating, "minimumAge"),
                };
                (country.clone(), rating)
            });
            facts.put_ratings(&Ratings {
                video,
                ratings: ratings.collect::<BTreeMap<_, _>>(),
            });
        }
        Input::Texts => facts.put_text(&Text {
            video,
            language: language(),
            title: !text(record, "title").is_empty(),
            synopsis: number(record, "synopsisLength").is_some_and(|length| length > 0),
            ready,
        }),
        Input::Assets => {
            let Some(kind) = TrackKind::from_name(&text(record, "kind")) else {
                return;
            };
            facts.put_asset(&Asset {
                video,
                kind,
                language: language(),
                ready,
            });
        }
        Input::Artwork => facts.put_artwork(&Artwork {
            video,
            language: language(),
            formats: set(record, "formats").unwrap_or_default(),
            ready,
        }),
        Input::Streams => facts.put_streams(&Streams {
            video,
            profiles: set(record, "profiles").unwrap_or_default(),
            drm: set(record, "drm").unwrap_or_default(),
            ready,
        }),
        Input::Policies => facts.put_policy(&Policy {
            country: text(record, "country"),
            rating_systems: set(record, "ratingSystems").unwrap_or_default(),
            rating_required: flag(record, "ratingRequired"),
            maximum_age: int(record, "maximumAge"),
            title: need(&record["title"]),
            synopsis: need(&record["synopsis"]),
            subtitles: need(&record["subtitles"]),
            kids_dub: need(&record["kidsDub"]),
            artwork_languages: list(record, "artworkLanguages")
                .iter()
                .filter_map(|tag| Some(tag.as_str()?.to_owned()))
                .collect(),
            track_languages: set(record, "trackLanguages"),
        }),
        Input::Holds => facts.put_hold(&Hold {
            hold: text(record, "hold"),
            video,
            countries: set(record, "countries"),
            reason: text(record, "reason"),
            from: number(record, "from").unwrap_or_default(),
            until: number(record, "until"),
        }),
        Input::Popularity => facts.put_popularity(&Popularity {
            video,
            hours_viewed: number(record, "hoursViewed").unwrap_or_default(),
        }),
    }
}

fn maybe(record: &Value, field: &str) -> Option<String> {
    record.get(field)?.as_str().map(str::to_owned)
}

fn flag(record: &Value, field: &str) -> bool {
    record
        .get(field)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

fn int(record: &Value, field: &str) -> Option<i32> {
    number(record, field).and_then(|number| i32::try_from(number).ok())
}

fn list<'a>(record: &'a Value, field: &str) -> &'a [Value] {
    let list = record.get(field).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A set of texts; `None` where it is null.
fn set(record: &Value, field: &str) -> Option<BTreeSet<String>> {
    let members = record.get(field)?.as_array()?;
    Some(
        members
            .iter()
            .filter_map(|member| Some(member.as_str()?.to_owned()))
            .collect(),
    )
}

fn need(need: &Value) -> LanguageNeed {
    LanguageNeed {
        all: text(need, "need") == "all",
        languages: set(need, "languages").unwrap_or_default(),
    }
}
