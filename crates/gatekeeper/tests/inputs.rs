//! What becomes of a cycle when inputs lag, fail, or are not there: the others go on, and the cycle says so.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the tests of liveness")]

#[path = "../../liveness/tests/common/mod.rs"]
mod common;
mod support;

use std::collections::BTreeMap;

use common::Random;
use common::world::World;
use dataset::{DatasetName, Version, blob_key, delta_name};
use gatekeeper::{CycleEnd, CycleSummary, Input, InputStatus};
use liveness::Configuration;
use registry::VersionInfo;
use support::model::{expected, newest, published};
use support::{START_MS, Station};

fn info(station: &Station, dataset: &str, version: Version) -> VersionInfo {
    let dataset: DatasetName = dataset.parse().unwrap();
    let info = station.registry().version(&dataset, version).unwrap();
    info.unwrap()
}

fn of(summary: &CycleSummary, input: Input) -> &InputStatus {
    let all = &summary.inputs;
    all.iter().find(|it| it.dataset == input.name()).unwrap()
}

/// What an announcement says besides the state.
fn metadata(station: &Station, summary: &CycleSummary) -> BTreeMap<String, String> {
    assert_eq!(summary.end, CycleEnd::Announced);
    let version = Version(summary.version.unwrap());
    info(station, "liveness", version).metadata
}

#[test]
fn an_input_that_fails_keeps_its_last_state_and_the_cycle_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let mut world = World::random(&mut Random(11));
    station.publish_all(&world, START_MS);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    gatekeeper.cycle(START_MS + 1).unwrap();
    let before = newest(&station, "rights").version();

    // The newest delta of rights is lost; holds and texts go on.
    let old_rights = world.rights.clone();
    world.rights.clear();
    world.holds.clear();
    world.titles.pop_last();
    for input in [Input::Rights, Input::Holds, Input::Titles] {
        assert!(station.publish(&world, input, START_MS + 2), "{input}");
    }
    let after = newest(&station, "rights").version();
    let lost = blob_key(&"rights".parse().unwrap(), &delta_name(None, before, after));
    let bytes = station.store.get(&lost).unwrap().unwrap().bytes;
    station.store.delete(&lost).unwrap();
    let summary = gatekeeper.cycle(START_MS + 3).unwrap();
    let rights = of(&summary, Input::Rights);
    assert_eq!(rights.version, before.0);
    let failure = rights.failure.as_ref().unwrap();
    assert!(failure.contains("missing"), "{failure}");
    for input in Input::ALL
        .into_iter()
        .filter(|&input| input != Input::Rights)
    {
        assert_eq!(of(&summary, input).failure, None, "{input}");
    }
    assert_eq!(
        of(&summary, Input::Holds).version,
        newest(&station, "holds").version().0
    );
    let mut mixed = world.clone();
    mixed.rights = old_rights;
    let found = published(newest(&station, "liveness").state());
    assert_eq!(found, expected(&mixed, 3, &[]));
    let told = metadata(&station, &summary);
    assert_eq!(told.get("input.rights.failure"), Some(failure));
    assert!(!told.contains_key("input.holds.failure"), "{told:?}");

    // It is back, and so is everything.
    station.store.put(&lost, &bytes).unwrap();
    let summary = gatekeeper.cycle(START_MS + 4).unwrap();
    assert_eq!(of(&summary, Input::Rights).version, after.0);
    assert_eq!(of(&summary, Input::Rights).failure, None);
    let found = published(newest(&station, "liveness").state());
    assert_eq!(found, expected(&world, 4, &[]));
    let told = metadata(&station, &summary);
    assert!(!told.contains_key("input.rights.failure"), "{told:?}");
}

#[test]
fn ages_and_phases_go_with_the_announcement_and_not_into_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let mut world = World::random(&mut Random(12));
    station.publish_all(&world, START_MS);
    let mut gatekeeper = station.gatekeeper(&Configuration::default());
    gatekeeper.cycle(START_MS).unwrap();

    // The producer of texts is silent; titles change, and all others confirm what they have.
    let later = START_MS + 5_000;
    world.titles.pop_last();
    for input in Input::ALL
        .into_iter()
        .filter(|&input| input != Input::Texts)
    {
        station.publish(&world, input, later - 200);
    }
    let summary = gatekeeper.cycle(later).unwrap();
    let told = metadata(&station, &summary);
    for input in Input::ALL {
        let age_ms = if input == Input::Texts { 5_000 } else { 200 };
        assert_eq!(of(&summary, input).age_ms, age_ms, "{input}");
        assert_eq!(told[&format!("input.{input}.age_ms")], age_ms.to_string());
    }
    let phases = [
        "refresh", "prepare", "evaluate", "compare", "stage", "verify",
    ];
    for phase in phases.map(|phase| format!("phase.{phase}_us")) {
        assert!(told[&phase].parse::<u64>().is_ok(), "{phase} in {told:?}");
    }
    assert_eq!(told["pairs"], summary.pairs.to_string());
    assert_eq!(told["live"], summary.live.to_string());
    assert_eq!(told["went_dark"], summary.went_dark.to_string());
    let view = newest(&station, "liveness");
    let tags = view.state().header_tags();
    let names = tags.keys().filter(|name| !name.starts_with("hollow."));
    for name in names {
        assert!(name.starts_with("greenlight."), "{name}");
        assert!(!name.contains("age") && !name.contains("phase"), "{name}");
    }
}
