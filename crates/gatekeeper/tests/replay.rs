//! Past cycles evaluated again, instants past and future, launches, and records that were otherwise.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the tests of liveness")]

#[path = "../../liveness/tests/common/mod.rs"]
mod common;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use common::Random;
use common::oracle::{Oracle, parents};
use common::world::{COUNTRIES, Change, World, random_change};
use dataset::Version;
use gatekeeper::{Error, Input, Replacement, When};
use hollow::write::WriteOptions;
use hollow::{KeyValue, Value};
use liveness::{Configuration, Country, CountrySet, RULES};
use support::model::{Pairs, expected, newest, published, setup};
use support::{START_MS, Station};

fn input_of(change: &Change) -> Input {
    match change {
        Change::Title(..) => Input::Titles,
        Change::Rights(..) => Input::Rights,
        Change::Ratings(..) => Input::Ratings,
        Change::Text(..) => Input::Texts,
        Change::Asset(..) => Input::Assets,
        Change::Artwork(..) => Input::Artwork,
        Change::Streams(..) => Input::Streams,
        Change::Policy(..) => Input::Policies,
        Change::Hold(..) => Input::Holds,
        Change::Popularity(..) => Input::Popularity,
    }
}

#[test]
fn every_version_of_a_long_history_comes_out_again() {
    const CYCLES: i64 = 300;
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let mut random = Random(300);
    let mut world = World::random(&mut random);
    station.publish_all(&world, START_MS);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    // By the instant of the cycle: what its verdicts are.
    let mut history: BTreeMap<i64, (Version, World)> = BTreeMap::new();
    for cycle in 0..CYCLES {
        // Half of the cycles share an instant with the one before.
        let now = cycle / 2;
        let change = random_change(&mut random);
        world.apply(&change);
        if random.chance(2) {
            station.break_chain(input_of(&change));
        }
        station.publish(&world, input_of(&change), START_MS + now);
        if random.chance(3) {
            drop(gatekeeper);
            gatekeeper = station.gatekeeper(&Configuration::default());
        }
        gatekeeper.cycle(START_MS + now).unwrap();
        history.insert(now, (gatekeeper.version().unwrap(), world.clone()));
    }
    let name = "liveness".parse().unwrap();
    let all = registry::Versions::all();
    let versions = station.registry().versions(&name, &all).unwrap();
    assert!(versions.len() > 60, "{} versions", versions.len());
    let mut replayer = station.replayer();
    for info in versions {
        let replayed = replayer.replay(info.version, None, &[]).unwrap();
        assert!(replayed.is_identical(), "version {}", info.version);
        assert_eq!(replayed.published_digest.0, info.sums.digest.0);
        let same = replayer.is_byte_identical(info.version, &WriteOptions::default());
        assert!(same.unwrap(), "version {}", info.version);
    }

    // At any instant: the state of then, by the clock of then; after the last, the last state.
    let mut explainer = station.explainer();
    for _ in 0..60 {
        let at = random.below(CYCLES as usize / 2 + 20) as i64;
        let (_, (version, world)) = history.range(..=at).next_back().unwrap();
        let pairs = expected(world, at, &[]);
        let keys: Vec<_> = pairs.keys().copied().collect();
        let (video, code) = random.pick(&keys);
        let country = Country::from_code(code).unwrap();
        let why = explainer
            .why(video, country, When::At(START_MS + at))
            .unwrap();
        assert_eq!((why.version, why.now), (version.0, START_MS + at));
        let found = why
            .blockers
            .into_iter()
            .map(|blocker| blocker.code)
            .collect();
        let (verdict, next) = &pairs[&(video, code)];
        assert_eq!(
            (why.live, &found),
            (verdict.live, &verdict.blockers),
            "{video} in {code} at {at}"
        );
        assert_eq!(why.next_change.is_some(), next.is_some());
    }
    let error = explainer.go(When::At(START_MS - 1)).unwrap_err();
    assert!(matches!(error, Error::NothingThen { .. }), "{error}");
}

/// The records of a world, by input and key.
fn keyed(world: &World) -> Vec<(Input, Vec<KeyValue>, Value)> {
    let text = |value: &Value, name: &str| match value.field(name) {
        Some(Value::String(text)) => KeyValue::String(text.clone()),
        Some(Value::Long(number)) => KeyValue::Long(*number),
        other => panic!("{name}: {other:?}"),
    };
    let mut all = Vec::new();
    for input in Input::ALL {
        let key: &[&str] = match input {
            Input::Texts | Input::Artwork => &["video", "language"],
            Input::Assets => &["video", "kind", "language"],
            Input::Policies => &["country"],
            Input::Holds => &["hold"],
            _ => &["video"],
        };
        for record in support::records(world, input) {
            let key = key.iter().map(|name| text(&record, name)).collect();
            all.push((input, key, record));
        }
    }
    all
}

#[test]
fn a_record_that_was_otherwise_changes_what_the_definition_says() {
    for seed in 0..6 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut station = Station::open(dir.path());
        let world = World::random(&mut random);
        station.publish_all(&world, START_MS);
        station
            .gatekeeper(&Configuration::default())
            .cycle(START_MS + 4)
            .unwrap();
        let version = newest(&station, "liveness").version();
        let mut replayer = station.replayer();
        let mut seen = BTreeSet::new();
        for _ in 0..30 {
            let mut other = world.clone();
            let change = random_change(&mut random);
            other.apply(&change);
            let (before, after) = (keyed(&world), keyed(&other));
            let find = |among: &[(Input, Vec<KeyValue>, Value)], input, key: &[KeyValue]| {
                let found = among
                    .iter()
                    .find(|(other, known, _)| (*other, &known[..]) == (input, key));
                found.map(|(_, _, record)| record.clone())
            };
            let changed = before
                .iter()
                .chain(&after)
                .find(|(input, key, _)| find(&before, *input, key) != find(&after, *input, key));
            let Some((input, key, _)) = changed else {
                continue;
            };
            let replacement = Replacement {
                input: *input,
                key: key.clone(),
                record: find(&after, *input, key),
            };
            let replayed = replayer.replay(version, None, &[replacement]).unwrap();
            let (then, was) = (expected(&other, 4, &[]), expected(&world, 4, &[]));
            assert_eq!(published(&replayed.again), then, "{input} {key:?}");
            assert_eq!(replayed.is_identical(), then == was);
            seen.insert(*input);
        }
        assert!(seen.len() > 4, "{seen:?}");
        // What was tried leaves no trace.
        assert!(replayer.replay(version, None, &[]).unwrap().is_identical());

        let (input, _, record) = keyed(&world).into_iter().next().unwrap();
        let wrong = Replacement {
            input,
            key: vec![KeyValue::Long(999)],
            record: Some(record),
        };
        let error = replayer
            .replay(version, None, &[wrong])
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, Error::Replacement { .. }), "{error}");
    }
}

/// Video, country and instant.
type Opening = (i64, &'static str, i64);

/// When videos go live within a time, without rules that are off.
fn openings(world: &World, now: i64, until: i64, off: &[&str]) -> BTreeSet<Opening> {
    let mut instants: Vec<i64> = world.instants();
    instants.retain(|&at| at > now && at <= until);
    let (mut before, mut found): (Pairs, _) = (expected(world, now, off), BTreeSet::new());
    for at in instants.into_iter().collect::<BTreeSet<_>>() {
        let after = expected(world, at, off);
        for (&(video, country), (verdict, _)) in &after {
            if verdict.live && !before[&(video, country)].0.live {
                found.insert((video, country, at));
            }
        }
        before = after;
    }
    found
}

/// Without what goes live with something that it belongs to.
fn topmost(world: &World, openings: &BTreeSet<Opening>) -> BTreeSet<Opening> {
    let above = |&(video, country, at): &Opening| {
        // One of the wrong kind, or the video itself, is no parent.
        let parent = |video: i64| {
            let title = world.titles.get(&video)?;
            let parent = world.titles.get(&title.parent?)?;
            (Some(parent.kind) == title.kind.parent()).then_some(parent.video)
        };
        let lineage = std::iter::successors(parent(video), |&video| parent(video)).take(3);
        lineage
            .into_iter()
            .any(|video| openings.contains(&(video, country, at)))
    };
    openings
        .iter()
        .filter(|opening| !above(opening))
        .copied()
        .collect()
}

#[test]
fn launches_are_what_the_definition_says_will_go_live_or_should() {
    let rights_alone: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.code)
        .filter(|&code| code != "rights.no-window")
        .collect();
    let (mut by_itself, mut held) = (0, 0);
    for seed in 0..60 {
        println!("seed {seed}");
        let mut random = Random(100 + seed);
        let dir = tempfile::tempdir().unwrap();
        let mut station = Station::open(dir.path());
        let world = World::random(&mut random);
        station.publish_all(&world, START_MS);
        let now = random.below(8) as i64;
        station
            .gatekeeper(&Configuration::default())
            .cycle(START_MS + now)
            .unwrap();
        let within = random.below(25) as i64;
        let mut explainer = station.explainer();
        let launches = explainer.launches(within, CountrySet::all()).unwrap();

        let all = openings(&world, now, now + within, &[]);
        let mut blocked = openings(&world, now, now + within, &rights_alone);
        let setup = setup(&[]);
        let oracle = Oracle {
            world: &world,
            setup: &setup,
            parents: parents(),
        };
        blocked.retain(|&(video, country, at)| {
            let launches = |opening: &Opening| (opening.0, opening.1) == (video, country);
            !all.iter().any(launches) && !oracle.verdict(video, country, at).unwrap().live
        });
        let mut found = (BTreeSet::new(), BTreeSet::new());
        for launch in &launches.launches {
            let at = launch.at_ms - START_MS;
            for &country in &launch.countries {
                let opening = (launch.video, country, at);
                let is_blocked = !launch.blockers.is_empty();
                let told = if is_blocked {
                    &mut found.1
                } else {
                    &mut found.0
                };
                assert!(told.insert(opening), "told twice: {opening:?}");
                let codes: BTreeSet<String> = launch
                    .blockers
                    .iter()
                    .filter(|blocker| blocker.countries.contains(&country))
                    .map(|blocker| blocker.code.to_owned())
                    .collect();
                let then = oracle.verdict(launch.video, country, at).unwrap();
                assert_eq!((then.live, then.blockers), (!is_blocked, codes));
            }
        }
        assert_eq!(found.0, topmost(&world, &all));
        assert_eq!(found.1, topmost(&world, &blocked));
        by_itself += found.0.len();
        held += found.1.len();
        let hours: Vec<i64> = launches
            .launches
            .iter()
            .map(|launch| launch.hours_viewed)
            .collect();
        assert!(hours.is_sorted_by(|a, b| a >= b), "{hours:?}");

        let only: CountrySet = Country::from_code(COUNTRIES[0]).into_iter().collect();
        let some = explainer.launches(within, only).unwrap();
        let there = |launches: &gatekeeper::Launches| -> usize {
            let told = launches
                .launches
                .iter()
                .flat_map(|launch| &launch.countries);
            told.filter(|&&country| country == COUNTRIES[0]).count()
        };
        assert_eq!(there(&some), there(&launches));
    }
    assert!(
        by_itself > 20 && held > 20,
        "{by_itself} launches, {held} held"
    );
}
