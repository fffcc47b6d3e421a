//! What a world's verdicts are, as published and by their plain definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataset::{DatasetName, Subscriber, SubscriberOptions, View};
use gatekeeper::output::Verdicts;
use liveness::{Outcome, RULES};

use super::{START_MS, Station};
use crate::common::oracle::{Next, Oracle, Setup, Verdict, parents};
use crate::common::world::{COUNTRIES, World, random_change};
use crate::common::{Random, next_of, verdict_of};

/// Video and country to the verdict and what comes next.
pub(crate) type Pairs = BTreeMap<(i64, &'static str), (Verdict, Option<Next>)>;

/// Adds the verdicts of an outcome, in a world's time.
pub(crate) fn add(pairs: &mut Pairs, video: i64, outcome: &Outcome) {
    for group in &outcome.groups {
        let next = next_of(group).map(|next| Next {
            at: next.at - START_MS,
            ..next
        });
        for country in group.countries.iter() {
            pairs.insert((video, country.code()), (verdict_of(group), next.clone()));
        }
    }
}

pub(crate) fn published(state: &hollow::ReadState) -> Pairs {
    let mut pairs = Pairs::new();
    for (video, outcome) in Verdicts::of(state).unwrap().all() {
        add(&mut pairs, video, &outcome);
    }
    pairs
}

/// The default rules, with some of them off.
pub(crate) fn setup(off: &[&str]) -> Setup {
    let fallbacks = RULES.iter().flat_map(|rule| {
        let fallback = rule
            .parameters
            .iter()
            .find(|other| other.name == "fallback");
        let is_on = |fallback: &liveness::configuration::Parameter| {
            (fallback.default)() == liveness::configuration::Value::Flag(true)
        };
        fallback.map(|fallback| (rule.code.to_owned(), is_on(fallback)))
    });
    Setup {
        off: off.iter().map(|&code| code.to_owned()).collect(),
        fallback: fallbacks.collect(),
        ..Setup::default()
    }
}

/// What the plain definition says of a world, with some rules off.
pub(crate) fn expected(world: &World, now: i64, off: &[&str]) -> Pairs {
    let setup = setup(off);
    let oracle = Oracle {
        world,
        setup: &setup,
        parents: parents(),
    };
    let mut pairs = Pairs::new();
    for &video in world.titles.keys() {
        for country in COUNTRIES {
            if let Some(verdict) = oracle.verdict(video, country, now) {
                let next = oracle.next_change(video, country, now);
                pairs.insert((video, country), (verdict, next));
            }
        }
    }
    pairs
}

/// The newest announced state, whatever is pinned.
pub(crate) fn newest(station: &Station, dataset: &str) -> Arc<View> {
    let name: DatasetName = dataset.parse().unwrap();
    let subscriber = Subscriber::new(
        name.clone(),
        Arc::clone(&station.store),
        Arc::clone(station.registry()),
        SubscriberOptions::default(),
    );
    let info = station.registry().dataset(&name).unwrap().unwrap();
    let version = info.newest_announced().unwrap();
    subscriber.move_to(version).unwrap().after
}

pub(crate) fn mutate(world: &mut World, random: &mut Random, changes: usize) {
    for _ in 0..changes {
        world.apply(&random_change(random));
    }
}
