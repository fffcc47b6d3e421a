//! A follower over random histories: inputs that move, are rolled back, pinned and begin new chains,
//! a PROD that dies, is pinned and comes back. Every state of a follower is what its rules give on
//! exactly the inputs and at exactly the `now` of the version that it names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the tests of liveness")]

#[path = "../../liveness/tests/common/mod.rs"]
mod common;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::Random;
use common::world::World;
use dataset::{Abort, DatasetName, Step, StepHook, Version};
use gatekeeper::{Basis, CycleEnd, Followed, Gatekeeper, Input};
use hollow::sums::Digest;
use liveness::Configuration;
use registry::{Action, DatasetInfo, Scope, Versions};
use support::model::{expected, mutate, newest, published};
use support::{START_MS, Station};

const PROD: &str = "prod/liveness";
const SAME: &str = "preprod/liveness";
const OTHER: &str = "preprod/liveness-without-holds";
const SWITCHED_OFF: &str = "hold.active";

fn name(dataset: &str) -> DatasetName {
    dataset.parse().unwrap()
}

fn without(code: &str) -> Configuration {
    serde_json::from_str(&format!(
        r#"{{"rules": {{"{code}": {{"enabled": false}}}}}}"#
    ))
    .unwrap()
}

/// A history with everything that may happen to it.
struct History {
    station: Station,
    random: Random,
    world: World,
    /// The world that each version of each input was published from.
    published: BTreeMap<(Input, Version), World>,
    now: i64,
    prod: Gatekeeper,
    dies: Arc<AtomicBool>,
}

impl History {
    fn new(station: Station, seed: u64) -> Self {
        let mut random = Random(seed);
        let dies = Arc::new(AtomicBool::new(false));
        let mut history = Self {
            prod: prod(&station, &dies),
            world: World::random(&mut random),
            published: BTreeMap::new(),
            now: 0,
            station,
            random,
            dies,
        };
        for input in Input::ALL {
            history.publish(input);
        }
        history
    }

    fn info(&self, dataset: &str) -> DatasetInfo {
        let info = self.station.registry().dataset(&name(dataset)).unwrap();
        info.unwrap()
    }

    fn publish(&mut self, input: Input) {
        let now_ms = START_MS + self.now;
        self.station.publish(&self.world, input, now_ms);
        let head = self.info(input.name()).head.unwrap();
        self.published
            .entry((input, head))
            .or_insert_with(|| self.world.clone());
    }

    fn pin(&mut self, dataset: &str) {
        let name = name(dataset);
        let versions = self
            .station
            .registry()
            .versions(&name, &Versions::all())
            .unwrap();
        let version = self.random.pick(&versions).version;
        let action = Action::Pin {
            scope: Scope::everybody(),
            version,
            by: "test".to_owned(),
            reason: String::new(),
        };
        self.execute(&name, action);
    }

    fn unpin(&mut self, dataset: &str) {
        if self.info(dataset).pins.is_empty() {
            return;
        }
        let scope = Scope::everybody();
        self.execute(&name(dataset), Action::Unpin { scope });
    }

    fn execute(&self, name: &DatasetName, action: Action) {
        let registry = self.station.registry();
        registry.execute(name, START_MS + self.now, action).unwrap();
    }

    /// Something happens.
    fn step(&mut self) {
        let input = self.random.pick(&Input::ALL);
        match self.random.below(14) {
            0..4 => {
                let changes = 1 + self.random.below(5);
                mutate(&mut self.world, &mut self.random, changes);
                for input in Input::ALL {
                    if self.random.chance(60) {
                        self.publish(input);
                    }
                }
            }
            4 => self.pin(input.name()),
            5 | 10 | 11 => self.unpin(input.name()),
            6 => {
                self.station.break_chain(input);
                self.publish(input);
            }
            7 => self.pin(PROD),
            8 => self.unpin(PROD),
            9 => {
                // PROD is killed: at a cycle's end, or between the acceptance and the announcement.
                self.dies.store(self.random.chance(50), Ordering::Relaxed);
                self.cycle_prod();
                self.dies.store(false, Ordering::Relaxed);
                self.prod = prod(&self.station, &self.dies);
            }
            _ => {
                self.now += self.random.below(3) as i64;
                self.cycle_prod();
            }
        }
    }

    fn cycle_prod(&mut self) {
        // One that dies half-way finds out in its next cycle what became of the last.
        let _ = self.prod.cycle(START_MS + self.now);
    }

    /// The world that a basis was read from.
    fn world_of(&self, basis: &Basis) -> World {
        let at = |input: Input| self.published[&(input, basis.inputs[&input])].clone();
        World {
            titles: at(Input::Titles).titles,
            rights: at(Input::Rights).rights,
            ratings: at(Input::Ratings).ratings,
            texts: at(Input::Texts).texts,
            assets: at(Input::Assets).assets,
            artwork: at(Input::Artwork).artwork,
            streams: at(Input::Streams).streams,
            policies: at(Input::Policies).policies,
            holds: at(Input::Holds).holds,
            popularity: at(Input::Popularity).popularity,
        }
    }

    /// What the newest output of a dataset, or its newest confirmation, rests on.
    fn basis(&self, dataset: &str) -> (Version, Basis) {
        let info = self.info(dataset);
        let view = newest(&self.station, dataset);
        assert_eq!(Some(view.version()), info.newest_announced());
        let tags = match info.confirmation {
            Some(confirmation) => confirmation.tags,
            None => view.state().header_tags().clone(),
        };
        (
            view.version(),
            Basis::from_tags(view.version(), &tags).unwrap(),
        )
    }

    /// The leases that a follower holds.
    fn leases(&self, holder: &str) -> BTreeSet<(DatasetName, Version)> {
        let datasets = self.station.registry().datasets().unwrap();
        datasets
            .iter()
            .flat_map(|info| info.leases.iter().map(move |lease| (info, lease)))
            .filter(|(_, lease)| lease.holder == holder)
            .map(|(info, lease)| (info.name.clone(), lease.version))
            .collect()
    }

    /// A follower's cycle, and whether what it published is right.
    fn follow(&self, follower: &mut Gatekeeper, output: &str, off: &[&str]) {
        let summary = follower.cycle(START_MS + self.now).unwrap();
        let (version, prod) = self.basis(PROD);
        let followed = Followed {
            dataset: name(PROD),
            version,
        };
        assert_eq!(summary.followed, Some(followed.clone()));

        // Announced or confirmed: the newest tags name PROD's version, inputs and now.
        let (own, basis) = self.basis(output);
        assert_eq!(summary.version, Some(own.0));
        assert_eq!(basis.followed, Some(followed));
        assert_eq!((&basis.inputs, basis.now_ms), (&prod.inputs, prod.now_ms));

        let view = newest(&self.station, output);
        let now = prod.now_ms - START_MS;
        assert_eq!(
            published(view.state()),
            expected(&self.world_of(&prod), now, off)
        );
        if off.is_empty() {
            let of_prod = newest(&self.station, PROD);
            let digests = [&view, &of_prod].map(|view| Digest::of(view.state()).unwrap());
            assert_eq!(digests[0], digests[1]);
        }

        let mut needed = BTreeSet::from([(name(PROD), version)]);
        for (input, &version) in &prod.inputs {
            needed.insert((name(input.name()), version));
        }
        assert_eq!(self.leases(output), needed);

        // There is nothing new to follow: nothing is evaluated, and nothing confirmed.
        let before = self.station.registry().wait(0, Default::default()).unwrap();
        let idle = follower.cycle(START_MS + self.now).unwrap();
        assert_eq!(idle.end, CycleEnd::Idle);
        assert_eq!(
            self.station.registry().wait(0, Default::default()).unwrap(),
            before
        );
    }
}

fn prod(station: &Station, dies: &Arc<AtomicBool>) -> Gatekeeper {
    let dies = Arc::clone(dies);
    let hook: StepHook = Arc::new(move |step| {
        let stop = step == Step::Accepted && dies.load(Ordering::Relaxed);
        if stop { Err(Abort) } else { Ok(()) }
    });
    station.gatekeeper_with(PROD, None, &Configuration::default(), Some(hook))
}

fn follower(station: &Station, output: &str) -> Gatekeeper {
    let configuration = match output {
        OTHER => without(SWITCHED_OFF),
        _ => Configuration::default(),
    };
    station.gatekeeper_with(output, Some(PROD), &configuration, None)
}

#[test]
fn a_follower_is_what_its_rules_make_of_exactly_what_prod_used() {
    for seed in [11, 12] {
        println!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::new(Station::open(dir.path()), seed);
        history.cycle_prod();
        let mut same = follower(&history.station, SAME);
        let mut other = follower(&history.station, OTHER);
        let mut states = BTreeSet::new();
        for round in 0..40 {
            for _ in 0..history.random.below(5) {
                history.step();
            }
            if history.random.chance(80) {
                history.now += 1;
                history.cycle_prod();
            }
            if round % 9 == 8 {
                (same, other) = (
                    follower(&history.station, SAME),
                    follower(&history.station, OTHER),
                );
            }
            history.follow(&mut same, SAME, &[]);
            // This one skips versions.
            if history.random.chance(60) {
                history.follow(&mut other, OTHER, &[SWITCHED_OFF]);
            }
            states.insert(same.version());
        }
        assert!(
            states.len() > 10,
            "only {} states were followed",
            states.len()
        );
        same.resign(START_MS + history.now).unwrap();
        assert_eq!(history.leases(SAME), BTreeSet::new());
        assert!(!history.leases(OTHER).is_empty());
    }
}

#[test]
fn a_follower_says_why_it_cannot_follow() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    let world = World::random(&mut Random(3));
    station.publish_all(&world, START_MS);
    let mut early = follower(&station, SAME);
    let error = early.cycle(START_MS).unwrap_err();
    assert!(error.is_nothing_to_follow(), "{error}");
    assert!(error.to_string().contains("prod/liveness"), "{error}");

    // An output that was evaluated later than what is to be followed can't go back in time.
    let mut own = station.gatekeeper_with(OTHER, None, &Configuration::default(), None);
    let error = own.cycle(START_MS + 50).unwrap_err();
    assert!(error.missing().is_some(), "{error}");
    drop(own);
    let mut prod = station.gatekeeper(&Configuration::default());
    prod.cycle(START_MS + 10).unwrap();
    early.cycle(START_MS).unwrap();
    let mut ahead = station.gatekeeper_with("prod/ahead", None, &Configuration::default(), None);
    ahead.cycle(START_MS + 90).unwrap();
    drop(ahead);
    let mut behind = follower(&station, "prod/ahead");
    let error = behind.cycle(START_MS + 95).unwrap_err().to_string();
    assert!(error.contains("prod/ahead has a state of"), "{error}");
}

#[test]
fn leases_are_renewed_before_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut station = Station::open(dir.path());
    station.publish_all(&World::random(&mut Random(4)), START_MS);
    station
        .gatekeeper(&Configuration::default())
        .cycle(START_MS)
        .unwrap();
    let mut follower = follower(&station, SAME);
    let until = |station: &Station| {
        let info = station
            .registry()
            .dataset(&name("rights"))
            .unwrap()
            .unwrap();
        info.leases
            .iter()
            .map(|lease| lease.until_ms)
            .max()
            .unwrap()
    };
    let mut clock = START_MS;
    for _ in 0..10 {
        follower.cycle(clock).unwrap();
        assert!(
            until(&station) > clock + 200_000,
            "{}",
            until(&station) - clock
        );
        clock += 90_000;
    }
}
