//! What the rules make of the scenario: at its clock a fair part of the catalogue is live, every
//! blocker that a rule can raise occurs, and the minutes that follow change verdicts by themselves.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use greenlight::scenario::Scenario;
use liveness::record::{
    Artwork, Asset, Hold, Kind, LanguageNeed, Policy, Rating, Ratings, Rights, Streams, Text,
    Title, TrackKind, Window,
};
use liveness::{Configuration, Country, Evaluator, Facts, Fallback, Scratch};
use serde_json::Value;

/// The newest value of every key, by topic.
type Records = BTreeMap<String, BTreeMap<Vec<u8>, Value>>;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn optional_set(value: &Value) -> Option<BTreeSet<String>> {
    (!value.is_null()).then(|| set(value))
}

fn ready(value: &Value) -> bool {
    value["status"] == "ready"
}

fn age(value: &Value) -> Option<i32> {
    value.as_i64().map(|age| i32::try_from(age).unwrap())
}

fn need(value: &Value) -> LanguageNeed {
    LanguageNeed {
        all: value["need"] == "all",
        languages: set(&value["languages"]),
    }
}

fn rights(value: &Value) -> Rights {
    let window = |window: &Value| Window {
        start: window["start"].as_i64().unwrap(),
        end: window["end"].as_i64(),
        countries: set(&window["countries"]),
        languages: optional_set(&window["languages"]),
    };
    Rights {
        video: value["video"].as_i64().unwrap(),
        windows: value["windows"]
            .as_array()
            .unwrap()
            .iter()
            .map(window)
            .collect(),
    }
}

fn ratings(value: &Value) -> Ratings {
    let rating = |(country, rating): (&String, &Value)| {
        let rating = Rating {
            system: text(&rating["system"]),
            minimum_age: age(&rating["minimumAge"]),
        };
        (country.clone(), rating)
    };
    Ratings {
        video: value["video"].as_i64().unwrap(),
        ratings: value["ratings"]
            .as_object()
            .unwrap()
            .iter()
            .map(rating)
            .collect(),
    }
}

fn policy(value: &Value) -> Policy {
    let artwork = value["artworkLanguages"].as_array().unwrap();
    Policy {
        country: text(&value["country"]),
        rating_systems: set(&value["ratingSystems"]),
        rating_required: value["ratingRequired"].as_bool().unwrap(),
        maximum_age: age(&value["maximumAge"]),
        title: need(&value["title"]),
        synopsis: need(&value["synopsis"]),
        subtitles: need(&value["subtitles"]),
        kids_dub: need(&value["kidsDub"]),
        artwork_languages: artwork.iter().map(text).collect(),
        track_languages: optional_set(&value["trackLanguages"]),
    }
}

fn put(facts: &mut Facts, topic: &str, value: &Value) {
    let video = value["video"].as_i64().unwrap_or_default();
    let language = || text(&value["language"]);
    match topic {
        "titles" => facts.put_title(&Title {
            video,
            kind: Kind::from_name(&text(&value["kind"])).unwrap(),
            parent: value["parent"].as_i64(),
            original_language: value["originalLanguage"].as_str().map(str::to_owned),
            kids: value["kids"].as_bool().unwrap(),
        }),
        "rights" => facts.put_rights(&rights(value)),
        "ratings" => facts.put_ratings(&ratings(value)),
        "texts" => facts.put_text(&Text {
            video,
            language: language(),
            title: !value["title"].is_null(),
            synopsis: !value["synopsisLength"].is_null(),
            ready: ready(value),
        }),
        "assets" => facts.put_asset(&Asset {
            video,
            kind: TrackKind::from_name(&text(&value["kind"])).unwrap(),
            language: language(),
            ready: ready(value),
        }),
        "artwork" => facts.put_artwork(&Artwork {
            video,
            language: language(),
            formats: set(&value["formats"]),
            ready: ready(value),
        }),
        "streams" => facts.put_streams(&Streams {
            video,
            profiles: set(&value["profiles"]),
            drm: set(&value["drm"]),
            ready: ready(value),
        }),
        "policies" => facts.put_policy(&policy(value)),
        "holds" => facts.put_hold(&Hold {
            hold: text(&value["hold"]),
            video,
            countries: optional_set(&value["countries"]),
            reason: text(&value["reason"]),
            from: value["from"].as_i64().unwrap(),
            until: value["until"].as_i64(),
        }),
        _ => {}
    }
}

/// Pairs of movies and shows with countries, and what was said of them.
#[derive(Debug, Default)]
struct Tally {
    titles: usize,
    live: BTreeSet<(i64, Country)>,
    dark: usize,
    blockers: BTreeMap<&'static str, usize>,
    alone: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn live_percent(&self) -> usize {
        100 * self.live.len() / (self.live.len() + self.dark)
    }
}

fn evaluate(records: &Records, instants: &[i64]) -> Vec<Tally> {
    let mut facts = Facts::new(Fallback::cldr());
    for (topic, values) in records {
        for value in values.values() {
            put(&mut facts, topic, value);
        }
    }
    facts.refresh();
    let mut evaluator = Evaluator::new(&Configuration::default()).unwrap();
    evaluator.prepare(&facts);
    let tally = |now: &i64| {
        let mut tally = Tally::default();
        let mut scratch = Scratch::default();
        evaluator.evaluate(
            &facts,
            facts.roots(),
            *now,
            &mut scratch,
            |slot, outcome| {
                let blockers = outcome
                    .groups
                    .iter()
                    .map(|group| (group.countries.len(), group.blockers));
                for (countries, blockers) in blockers {
                    for code in blockers.codes() {
                        *tally.blockers.entry(code).or_default() += countries;
                        if blockers.codes().count() == 1 {
                            *tally.alone.entry(code).or_default() += countries;
                        }
                    }
                }
                if !matches!(facts.kind(slot), Some(Kind::Movie | Kind::Show)) {
                    return;
                }
                tally.titles += 1;
                for group in &outcome.groups {
                    if group.live {
                        let countries = group.countries.iter();
                        tally
                            .live
                            .extend(countries.map(|country| (facts.video(slot), country)));
                    } else {
                        tally.dark += group.countries.len();
                    }
                }
            },
        );
        tally
    };
    instants.iter().map(tally).collect()
}

#[test]
fn a_fair_part_is_live_every_blocker_occurs_and_the_clock_alone_changes_verdicts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay/catalogue");
    let scenario = Scenario::open(&dir).unwrap();
    let clock = scenario.manifest().clock_ms;
    let mut records = Records::new();
    let topics: Vec<String> = scenario.manifest().base_records.keys().cloned().collect();
    for topic in &topics {
        for change in scenario.base(topic).unwrap() {
            let change = change.unwrap();
            let values = records.entry(change.topic.clone()).or_default();
            values.insert(change.key_bytes(), change.value.unwrap());
        }
    }
    let base = &evaluate(&records, &[clock])[0];
    for change in scenario.changes().unwrap() {
        let change = change.unwrap();
        let values = records.entry(change.topic.clone()).or_default();
        match change.value.clone() {
            Some(value) => values.insert(change.key_bytes(), value),
            None => values.remove(&change.key_bytes()),
        };
    }
    let later = evaluate(&records, &[clock, clock + 15 * 60_000]);
    for (name, tally) in [("base", base), ("clock", &later[0])] {
        println!(
            "{name}: {} titles, {} % live; blockers {:?}; alone {:?}",
            tally.titles,
            tally.live_percent(),
            tally.blockers,
            tally.alone
        );
        assert!((10..=90).contains(&tally.live_percent()), "{name}");
    }
    for code in [
        "rights.no-window",
        "rating.missing",
        "text.no-title",
        "text.no-synopsis",
        "subtitles.missing",
        "dub.missing",
        "artwork.missing",
        "streams.missing",
        "hold.active",
    ] {
        let alone = |tally: &Tally| tally.alone.get(code).copied().unwrap_or(0);
        assert!(
            alone(base) > 0 && alone(&later[0]) > 0,
            "{code} never decides"
        );
    }
    for rule in liveness::RULES {
        assert!(
            later[0].blockers.contains_key(rule.code),
            "{} never occurs",
            rule.code
        );
    }
    let flips = base.live.symmetric_difference(&later[0].live).count();
    assert!(flips > 10_000, "the changes flip {flips} verdicts");
    let (on, off) = (
        &later[1].live - &later[0].live,
        &later[0].live - &later[1].live,
    );
    println!(
        "in a quarter of an hour {} go live and {} leave",
        on.len(),
        off.len()
    );
    assert!(on.len() > 100 && off.len() > 100);
}
