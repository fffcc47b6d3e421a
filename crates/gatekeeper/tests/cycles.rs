//! Cycles over random histories of all ten inputs: what is published is what the plain definition
//! says, whichever way the inputs moved; past versions can be evaluated again and explained.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the tests of liveness")]

#[path = "../../liveness/tests/common/mod.rs"]
mod common;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use common::Random;
use common::world::World;
use dataset::Version;
use dataset::evaluate::{Application, Inputs};
use gatekeeper::{CycleEnd, Gatekeeper, Input, Liveness, When, titles};
use liveness::{Configuration, Country};
use support::model::{Pairs, add, expected, mutate, newest, published};
use support::{START_MS, Station};

#[test]
fn every_cycle_publishes_what_the_plain_definition_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let mut random = Random(42);
    let mut world = World::random(&mut random);
    let configuration = Configuration::default();
    let mut gatekeeper = station.gatekeeper(&configuration);
    let mut past: BTreeMap<i64, (Pairs, i64)> = BTreeMap::new();
    let mut before = Pairs::new();
    station.publish_all(&world, START_MS);
    for round in 0..30_i64 {
        let now = round - round % 3;
        if round > 0 {
            let changes = random.below(6);
            mutate(&mut world, &mut random, changes);
            // Inputs move apart: several versions of one between two cycles.
            for _ in 0..random.below(3) {
                station.publish_all(&world, START_MS + now);
                mutate(&mut world, &mut random, 2);
            }
            station.publish_all(&world, START_MS + now);
        }
        if round % 7 == 6 {
            drop(gatekeeper);
            gatekeeper = station.gatekeeper(&configuration);
        }
        let summary = gatekeeper.cycle(START_MS + now).unwrap();
        let view = newest(&station, "prod/liveness");
        let (found, wanted) = (published(view.state()), expected(&world, now, &[]));
        assert_eq!(found, wanted, "round {round}: left is published");

        assert_eq!(summary.version, Some(view.version().0));
        assert_eq!(summary.pairs as usize, wanted.len());
        assert_eq!(summary.live as usize, live(&wanted));
        assert_eq!(summary.live + summary.not_live, summary.pairs);
        assert_eq!(summary.videos as usize, world.titles.len());
        let flips = |to: bool| {
            let is = |pairs: &Pairs, key| {
                pairs
                    .get(key)
                    .is_some_and(|(verdict, _)| verdict.live == to)
            };
            let keys: BTreeSet<_> = before.keys().chain(wanted.keys()).copied().collect();
            let was_other = |key| match to {
                true => !is(&before, key),
                false => before.get(key).is_some_and(|(verdict, _)| verdict.live),
            };
            let is_now = |key| match to {
                true => is(&wanted, key),
                false => !wanted.get(key).is_some_and(|(verdict, _)| verdict.live),
            };
            keys.iter()
                .filter(|key| was_other(key) && is_now(key))
                .count() as u64
        };
        assert_eq!(summary.went_live, flips(true), "round {round}");
        assert_eq!(summary.went_dark, flips(false), "round {round}");
        for input in &summary.inputs {
            assert_eq!(input.failure, None);
            assert_eq!(input.age_ms, 0, "{}", input.dataset);
        }
        if summary.end == CycleEnd::Announced {
            past.insert(view.version().0, (wanted.clone(), now));
        }
        before = wanted;
    }
    assert!(past.len() > 15, "only {} versions", past.len());

    let mut replayer = station.replayer();
    for (&version, (wanted, now)) in &past {
        let replayed = replayer.replay(Version(version), None, &[]);
        let replayed = replayed.unwrap();
        assert!(replayed.is_identical(), "version {version}");
        assert_eq!(published(&replayed.again), *wanted);
        assert_eq!(replayed.basis.now_ms, START_MS + now);
    }
    questions(&station, &past, &mut random);
}

fn live(pairs: &Pairs) -> usize {
    pairs.values().filter(|(verdict, _)| verdict.live).count()
}

/// Asks about random pairs of random versions, back and forth.
fn questions(station: &Station, past: &BTreeMap<i64, (Pairs, i64)>, random: &mut Random) {
    let mut explainer = station.explainer();
    let versions: Vec<i64> = past.keys().copied().collect();
    for _ in 0..40 {
        let version = random.pick(&versions);
        let (pairs, now) = &past[&version];
        let keys: Vec<_> = pairs.keys().copied().collect();
        let (video, code) = random.pick(&keys);
        let country = Country::from_code(code).unwrap();
        let why = explainer
            .why(video, country, When::Version(Version(version)))
            .unwrap();
        let (verdict, next) = &pairs[&(video, code)];
        assert_eq!((why.version, why.now), (version, START_MS + now));
        assert_eq!(why.title, format!("Video {video}"));
        assert_eq!(why.live, verdict.live);
        let told: BTreeSet<String> = why.blockers.iter().map(|it| it.code.clone()).collect();
        assert_eq!(told, verdict.blockers);
        assert_eq!(why.next_change.is_some(), next.is_some());
        for input in why.blockers.iter().flat_map(|blocker| &blocker.inputs) {
            assert!(input.version > 0, "{input:?}");
        }
    }
}

#[test]
fn inputs_without_a_state_stop_the_cycle_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let world = World::random(&mut Random(7));
    for input in Input::ALL {
        if !matches!(input, Input::Holds | Input::Texts) {
            station.publish(&world, input, START_MS);
        }
    }
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    let error = gatekeeper.cycle(START_MS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not evaluated: no state is announced of texts, holds"
    );
    assert!(error.missing().is_some(), "{error}");
    assert_eq!(gatekeeper.version(), None);

    station.publish(&world, Input::Holds, START_MS);
    station.publish(&world, Input::Texts, START_MS);
    let summary = gatekeeper.cycle(START_MS).unwrap();
    assert_eq!(
        published(newest(&station, "prod/liveness").state()),
        expected(&world, 0, &[])
    );
    assert_eq!(summary.end, CycleEnd::Announced);
}

#[test]
fn an_unchanged_cycle_confirms_and_the_clock_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let world = World::random(&mut Random(8));
    station.publish_all(&world, START_MS);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    let far = START_MS + 1_000_000;
    let first = gatekeeper.cycle(far).unwrap();
    assert_eq!((first.end, first.now_ms), (CycleEnd::Announced, far));
    let second = gatekeeper.cycle(far + 5000).unwrap();
    assert_eq!(
        (second.end, second.version),
        (CycleEnd::Unchanged, first.version)
    );
    assert_eq!(
        (second.went_live, second.went_dark, second.records_changed),
        (0, 0, 0)
    );
    assert_eq!(second.records_read, 0);
    let back = gatekeeper.cycle(START_MS).unwrap();
    assert_eq!(back.now_ms, far + 5000);
    drop(gatekeeper);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    let restarted = gatekeeper.cycle(START_MS).unwrap();
    assert_eq!(
        (restarted.end, restarted.now_ms),
        (CycleEnd::Unchanged, far + 5000)
    );

    let mut explainer = station.explainer();
    let (version, basis) = explainer.go(When::Newest).unwrap();
    assert_eq!((Some(version.0), basis.now_ms), (first.version, far + 5000));
}

#[test]
fn facts_moved_back_and_forth_are_the_facts_loaded_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let mut random = Random(9);
    let mut world = World::random(&mut random);
    let mut history: Vec<(BTreeMap<String, Version>, World)> = Vec::new();
    let inputs = |station: &Station| {
        let liveness = Liveness::new(&Configuration::default(), "").unwrap();
        Inputs::new(liveness, "prod", &station.store, station.registry()).unwrap()
    };
    for round in 0..12 {
        station.publish_all(&world, START_MS + round);
        let mut inputs = inputs(&station);
        inputs.refresh().unwrap();
        history.push((inputs.versions(), world.clone()));
        mutate(&mut world, &mut random, 4);
    }
    let mut inputs = inputs(&station);
    for _ in 0..25 {
        let (versions, world) = random.pick(&history);
        inputs.move_to(&versions).unwrap();
        assert_eq!(inputs.versions(), versions);
        let mut found = Pairs::new();
        for (video, outcome) in inputs.application_mut().evaluate(START_MS + 9).unwrap() {
            add(&mut found, video, &outcome);
        }
        assert_eq!(found, expected(&world, 9, &[]));
    }
    let view = inputs.view("titles").unwrap();
    assert_eq!(titles::videos_titled(view, "video 5").len(), 1);
}

#[test]
fn other_rules_give_other_verdicts_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let world = World::random(&mut Random(10));
    station.publish_all(&world, START_MS);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    gatekeeper.cycle(START_MS + 5).unwrap();
    let version = Version(gatekeeper.version().unwrap().0);
    let json = r#"{"rules": {"rights.no-window": {"enabled": false}}}"#;
    let other: Configuration = serde_json::from_str(json).unwrap();
    let replayed = station.replayer().replay(version, Some(&other), &[]);
    let replayed = replayed.unwrap();
    assert!(!replayed.is_identical());
    let without = published(&replayed.again);
    assert!(
        without
            .values()
            .all(|(verdict, _)| !verdict.blockers.contains("rights.no-window"))
    );
    drop(gatekeeper);
    let gatekeeper: Gatekeeper = station.gatekeeper(&other);
    assert_ne!(gatekeeper.fingerprint(), replayed.basis.fingerprint);
}
