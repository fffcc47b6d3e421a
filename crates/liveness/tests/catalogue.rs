//! The real catalogue (`replay/catalogue/`): on its own day every rule blocks something, and the
//! evaluator says what the plain definition says about a sample of its families.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the other tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::Random;
use common::oracle::{Oracle, Setup, parents};
use common::small::{Known, history};
use common::world::{Change, World};
use liveness::configuration::Value as Setting;
use liveness::record::*;
use liveness::{Configuration, Country, Evaluator, RULES, Scratch};
use serde_json::Value;

/// 8 March 2021, 00:00 UTC: the scenario's clock.
const CLOCK_MS: i64 = 1_615_161_600_000;
/// Families are compared whenever a window or hold begins or ends, a moment before, at the clock, and
/// a day, a month and a year around it.
const DAYS: [i64; 5] = [-30, 0, 1, 30, 365];
const DAY_MS: i64 = 86_400_000;
const SAMPLED_FAMILIES: usize = 60;
const SAMPLED_COUNTRIES: usize = 8;
/// Larger families say nothing more and take the plain evaluator long.
const FAMILY_LIMIT: usize = 40;

fn load() -> World {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../replay/catalogue");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("base"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.push(root.join("changes.jsonl.zst"));
    let mut world = World::default();
    for file in files {
        let lines = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
        for line in String::from_utf8(lines).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            world.apply(&change(&line));
        }
    }
    world
}

fn change(line: &Value) -> Change {
    let (key, value) = (&line["key"], &line["value"]);
    let there = !value.is_null();
    let video = key[0].as_i64().unwrap_or_default();
    match line["topic"].as_str().unwrap() {
        "titles" => Change::Title(video, there.then(|| title(value))),
        "rights" => Change::Rights(video, there.then(|| rights(value))),
        "ratings" => Change::Ratings(video, there.then(|| ratings(value))),
        "texts" => {
            let text_record = Text {
                video,
                language: text(&key[1]),
                title: value["title"]
                    .as_str()
                    .is_some_and(|title| !title.is_empty()),
                synopsis: value["synopsisLength"]
                    .as_i64()
                    .is_some_and(|length| length > 0),
                ready: ready(value),
            };
            Change::Text((video, text(&key[1])), there.then_some(text_record))
        }
        "assets" => {
            let kind = TrackKind::from_name(&text(&key[1])).unwrap();
            let language = text(&key[2]);
            let asset = Asset {
                video,
                kind,
                language: language.clone(),
                ready: ready(value),
            };
            Change::Asset((video, kind, language), there.then_some(asset))
        }
        "artwork" => {
            let artwork = Artwork {
                video,
                language: text(&key[1]),
                formats: texts(&value["formats"]).unwrap_or_default(),
                ready: ready(value),
            };
            Change::Artwork((video, text(&key[1])), there.then_some(artwork))
        }
        "streams" => {
            let streams = Streams {
                video,
                profiles: texts(&value["profiles"]).unwrap_or_default(),
                drm: texts(&value["drm"]).unwrap_or_default(),
                ready: ready(value),
            };
            Change::Streams(video, there.then_some(streams))
        }
        "policies" => Change::Policy(text(&key[0]), there.then(|| policy(value))),
        "holds" => Change::Hold(text(&key[0]), there.then(|| hold(value))),
        "popularity" => {
            let hours_viewed = value["hoursViewed"].as_i64().unwrap_or_default();
            let popularity = Popularity {
                video,
                hours_viewed,
            };
            Change::Popularity(video, there.then_some(popularity))
        }
        other => panic!("no topic {other}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Option<BTreeSet<String>> {
    Some(value.as_array()?.iter().map(text).collect())
}

fn ready(value: &Value) -> bool {
    value["status"] == READY
}

fn title(value: &Value) -> Title {
    Title {
        video: value["video"].as_i64().unwrap(),
        kind: Kind::from_name(&text(&value["kind"])).unwrap(),
        parent: value["parent"].as_i64(),
        original_language: value["originalLanguage"].as_str().map(str::to_owned),
        kids: value["kids"].as_bool().unwrap(),
    }
}

fn rights(value: &Value) -> Rights {
    let window = |window: &Value| Window {
        start: window["start"].as_i64().unwrap(),
        end: window["end"].as_i64(),
        countries: texts(&window["countries"]).unwrap(),
        languages: texts(&window["languages"]),
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
    let ratings = value["ratings"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(country, rating)| {
            let rating = Rating {
                system: text(&rating["system"]),
                minimum_age: rating["minimumAge"].as_i64().map(|age| age as i32),
            };
            (country.clone(), rating)
        });
    Ratings {
        video: value["video"].as_i64().unwrap(),
        ratings: ratings.collect(),
    }
}

fn policy(value: &Value) -> Policy {
    let need = |need: &Value| LanguageNeed {
        all: need["need"] == "all",
        languages: texts(&need["languages"]).unwrap(),
    };
    Policy {
        country: text(&value["country"]),
        rating_systems: texts(&value["ratingSystems"]).unwrap(),
        rating_required: value["ratingRequired"].as_bool().unwrap(),
        maximum_age: value["maximumAge"].as_i64().map(|age| age as i32),
        title: need(&value["title"]),
        synopsis: need(&value["synopsis"]),
        subtitles: need(&value["subtitles"]),
        kids_dub: need(&value["kidsDub"]),
        artwork_languages: value["artworkLanguages"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect(),
        track_languages: texts(&value["trackLanguages"]),
    }
}

fn hold(value: &Value) -> Hold {
    Hold {
        hold: text(&value["hold"]),
        video: value["video"].as_i64().unwrap(),
        countries: texts(&value["countries"]),
        reason: text(&value["reason"]),
        from: value["from"].as_i64().unwrap(),
        until: value["until"].as_i64(),
    }
}

/// The records of a title and all below it, and the policies of some countries.
fn family(world: &World, root: i64, countries: &BTreeSet<String>) -> World {
    let mut videos = BTreeSet::from([root]);
    for _ in 0..2 {
        let below = world
            .titles
            .values()
            .filter(|title| title.parent.is_some_and(|parent| videos.contains(&parent)));
        let below: Vec<i64> = below.map(|title| title.video).collect();
        videos.extend(below);
    }
    let holds = world
        .holds
        .iter()
        .filter(|(_, hold)| videos.contains(&hold.video));
    World {
        policies: of(&world.policies, |country| countries.contains(country)),
        titles: of(&world.titles, |video| videos.contains(video)),
        rights: of(&world.rights, |video| videos.contains(video)),
        ratings: of(&world.ratings, |video| videos.contains(video)),
        texts: of(&world.texts, |(video, _)| videos.contains(video)),
        assets: of(&world.assets, |(video, ..)| videos.contains(video)),
        artwork: of(&world.artwork, |(video, _)| videos.contains(video)),
        streams: of(&world.streams, |video| videos.contains(video)),
        holds: holds.map(|(id, hold)| (id.clone(), hold.clone())).collect(),
        popularity: BTreeMap::new(),
    }
}

fn of<K: Ord + Clone, V: Clone>(map: &BTreeMap<K, V>, keep: impl Fn(&K) -> bool) -> BTreeMap<K, V> {
    let kept = map.iter().filter(|(key, _)| keep(key));
    kept.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[test]
fn the_real_catalogue_on_its_day() {
    let world = load();
    let facts = world.facts();
    let mut evaluator = Evaluator::new(&Configuration::default()).unwrap();
    evaluator.prepare(&facts);
    assert_eq!(facts.videos(), world.titles.len());

    let (mut pairs, mut live) = (0, 0);
    let mut blocked: BTreeMap<&str, usize> = BTreeMap::new();
    let mut scratch = Scratch::default();
    evaluator.evaluate(
        &facts,
        facts.roots(),
        CLOCK_MS,
        &mut scratch,
        |_, outcome| {
            for group in &outcome.groups {
                pairs += group.countries.len();
                live += if group.live { group.countries.len() } else { 0 };
                for code in group.blockers.codes() {
                    *blocked.entry(code).or_default() += group.countries.len();
                }
            }
        },
    );
    println!("{live} of {pairs} pairs are live; blocked: {blocked:#?}");
    assert_eq!(pairs, world.titles.len() * world.policies.len());
    assert!(
        (pairs / 10..pairs * 9 / 10).contains(&live),
        "{live} of {pairs}"
    );
    for rule in RULES {
        assert!(
            blocked.contains_key(rule.code),
            "{} blocks nothing",
            rule.code
        );
    }

    let seed = 2021;
    let mut random = Random(seed);
    let setup = Setup {
        fallback: RULES
            .iter()
            .flat_map(|rule| {
                let fallback = rule.parameters.iter().find(|it| it.name == "fallback");
                fallback.map(|it| (rule.code.to_owned(), (it.default)() == Setting::Flag(true)))
            })
            .collect(),
        ..Setup::default()
    };
    let roots: Vec<i64> = facts
        .roots()
        .iter()
        .map(|&slot| facts.video(slot))
        .collect();
    let codes: Vec<&str> = world.policies.keys().map(String::as_str).collect();
    let every = Country::all().collect::<Vec<_>>();
    let (first, last) = (every[0], every[every.len() - 1]);
    let (mut compared, mut tracks) = (0, 0);
    for _ in 0..SAMPLED_FAMILIES {
        let mut countries = BTreeSet::new();
        while countries.len() < SAMPLED_COUNTRIES {
            countries.insert(random.pick(&codes).to_owned());
        }
        let root = random.pick(&roots);
        let family = family(&world, root, &countries);
        if family.titles.len() > FAMILY_LIMIT {
            continue;
        }
        let oracle = Oracle {
            world: &family,
            setup: &setup,
            parents: parents(),
        };
        let top = [facts.slot(root).unwrap()];
        let days = DAYS.map(|day| CLOCK_MS + day * DAY_MS);
        let mut instants = family.instants();
        instants.extend(days);
        instants.sort_unstable();
        instants.dedup();
        let mut known = BTreeMap::new();
        for &video in family.titles.keys() {
            for code in &countries {
                let country = Country::from_code(code).unwrap();
                let history = history(&oracle, video, code, &instants).unwrap();
                known.insert((video, country), history);
            }
        }
        for (at, &now) in instants.iter().enumerate() {
            let mut scratch = Scratch::default();
            evaluator.evaluate(&facts, &top, now, &mut scratch, |slot, outcome| {
                let video = facts.video(slot);
                for (&(_, country), history) in known.range((video, first)..=(video, last)) {
                    let found = Known::of(outcome.group(country).unwrap());
                    let wanted = &history[at];
                    assert_eq!(&found, wanted, "seed {seed}: {video} in {country} at {now}");
                    compared += 1;
                    tracks += found.tracks.len();
                }
            });
        }
    }
    println!("{compared} verdicts with {tracks} tracks are as the definition says");
    assert!(compared > 5_000, "only {compared} compared");
}
