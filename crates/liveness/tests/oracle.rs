//! The evaluator says what the plain definition says: for every video, country and instant at
//! which something begins or ends, and about what comes next.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::Random;
use common::oracle::{Oracle, Setup, Verdict, parents};
use common::world::{COUNTRIES, World, change_facts, random_change};
use liveness::configuration::{Configuration, RuleConfiguration, Value};
use liveness::{Country, Evaluator, Facts, RULES, Scratch};

type Verdicts = BTreeMap<(i64, &'static str), (Verdict, Option<(i64, bool)>)>;

fn verdicts(evaluator: &Evaluator, facts: &Facts, now: i64) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let mut scratch = Scratch::default();
    evaluator.evaluate(facts, facts.roots(), now, &mut scratch, |slot, outcome| {
        let firsts: Vec<_> = outcome
            .groups
            .iter()
            .map(|group| group.countries.first())
            .collect();
        assert!(firsts.is_sorted(), "groups are sorted by content");
        for group in &outcome.groups {
            for country in group.countries.iter() {
                let verdict = Verdict {
                    live: group.live,
                    blockers: group.blockers.codes().map(str::to_owned).collect(),
                };
                let next = group.next.map(|next| (next.at, next.live));
                let key = (facts.video(slot), country.code());
                assert!(
                    verdicts.insert(key, (verdict, next)).is_none(),
                    "{key:?} twice"
                );
            }
        }
    });
    verdicts
}

fn expected(oracle: &Oracle<'_>, now: i64) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for &video in oracle.world.titles.keys() {
        for country in COUNTRIES {
            if let Some(verdict) = oracle.verdict(video, country, now) {
                let next = oracle.next_change(video, country, now);
                verdicts.insert((video, country), (verdict, next));
            }
        }
    }
    verdicts
}

fn random_setup(random: &mut Random) -> (Setup, Configuration) {
    let mut setup = Setup::default();
    let mut configuration = Configuration::default();
    let list = |random: &mut Random, among: &[&str]| -> Vec<String> {
        random.some(among, 15).into_iter().collect()
    };
    setup.formats = list(random, &["poster", "still"]);
    setup.profiles = list(random, &["hd-avc", "uhd-hevc"]);
    setup.drm = list(random, &["widevine", "playready"]);
    for rule in RULES {
        let enabled = random.chance(95);
        if !enabled {
            setup.off.insert(rule.code.to_owned());
        }
        let mut parameters = BTreeMap::new();
        for parameter in rule.parameters {
            let value = match (parameter.name, (parameter.default)()) {
                ("fallback", Value::Flag(default)) => {
                    let flag = default ^ random.chance(30);
                    setup.fallback.insert(rule.code.to_owned(), flag);
                    Value::Flag(flag)
                }
                ("formats", _) => Value::Names(setup.formats.clone()),
                ("profiles", _) => Value::Names(setup.profiles.clone()),
                ("drm", _) => Value::Names(setup.drm.clone()),
                (name, _) => panic!("the oracle does not know the parameter {name}"),
            };
            parameters.insert(parameter.name.to_owned(), value);
        }
        let rule_configuration = RuleConfiguration {
            enabled,
            parameters,
        };
        configuration
            .rules
            .insert(rule.code.to_owned(), rule_configuration);
    }
    (setup, configuration)
}

fn agree(seed: u64, world: &World, setup: &Setup, evaluator: &Evaluator, facts: &Facts, now: i64) {
    let oracle = Oracle {
        world,
        setup,
        parents: parents(),
    };
    let (found, wanted) = (verdicts(evaluator, facts, now), expected(&oracle, now));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>(),
        "seed {seed}, at {now}: the pairs that are evaluated"
    );
    for (key, verdict) in &wanted {
        assert_eq!(
            &found[key], verdict,
            "seed {seed}, at {now}, {key:?}: left is ours"
        );
    }
}

#[test]
fn evaluator_agrees_with_the_plain_definition() {
    let mut blockers_seen = BTreeSet::new();
    let (mut pairs, mut live) = (0, 0);
    for seed in 0..CATALOGUES {
        let mut random = Random(seed);
        let world = World::random(&mut random);
        let (setup, configuration) = random_setup(&mut random);
        let facts = world.facts();
        let mut evaluator = Evaluator::new(&configuration).unwrap();
        evaluator.prepare(&facts);
        for now in world.instants() {
            agree(seed, &world, &setup, &evaluator, &facts, now);
            for (verdict, _) in verdicts(&evaluator, &facts, now).into_values() {
                pairs += 1;
                live += usize::from(verdict.live);
                blockers_seen.extend(verdict.blockers);
            }
        }
    }
    let all: BTreeSet<String> = RULES.iter().map(|rule| rule.code.to_owned()).collect();
    assert_eq!(blockers_seen, all, "every rule has blocked something");
    assert!(live * 33 > pairs, "only {live} of {pairs} pairs were live");
}

#[test]
fn facts_kept_up_are_the_facts_built_anew() {
    for seed in 0..HISTORIES {
        let mut random = Random(seed + 1_000_000);
        let mut world = World::random(&mut random);
        let (setup, configuration) = random_setup(&mut random);
        let mut facts = world.facts();
        let mut evaluator = Evaluator::new(&configuration).unwrap();
        for _ in 0..12 {
            for _ in 0..1 + random.below(8) {
                let change = random_change(&mut random);
                world.apply(&change);
                change_facts(&mut facts, &change);
            }
            facts.refresh();
            evaluator.prepare(&facts);
            let now = random.below(30) as i64;
            agree(seed, &world, &setup, &evaluator, &facts, now);

            let anew = world.facts();
            let mut other = Evaluator::new(&configuration).unwrap();
            other.prepare(&anew);
            assert_eq!(
                verdicts(&evaluator, &facts, now),
                verdicts(&other, &anew, now),
                "seed {seed}"
            );
            assert_eq!(facts.videos(), anew.videos());
            for &video in world.titles.keys() {
                let country = Country::from_code(random.pick(&COUNTRIES)).unwrap();
                let kept = evaluator.explain(&facts, video, country, now).unwrap();
                let built = other.explain(&anew, video, country, now).unwrap();
                assert_eq!(kept, built, "seed {seed}");
            }
        }
    }
}

#[test]
fn an_explanation_is_the_verdict_with_true_grounds() {
    for seed in 0..HISTORIES {
        let mut random = Random(seed + 2_000_000);
        let world = World::random(&mut random);
        let facts = world.facts();
        let mut evaluator = Evaluator::new(&Configuration::default()).unwrap();
        evaluator.prepare(&facts);
        let now = random.below(30) as i64;
        for ((video, code), (verdict, next)) in verdicts(&evaluator, &facts, now) {
            let country = Country::from_code(code).unwrap();
            let why = evaluator.explain(&facts, video, country, now).unwrap();
            let told: BTreeSet<String> = why
                .blockers
                .iter()
                .map(|blocker| blocker.code.clone())
                .collect();
            assert_eq!(why.live, verdict.live);
            assert_eq!(told, verdict.blockers, "seed {seed}, {video} in {code}");
            assert_eq!(why.next_change.map(|next| (next.at, next.live)), next);
            for blocker in &why.blockers {
                assert!(!blocker.inputs.is_empty(), "seed {seed}: {blocker:?}");
                assert!(!blocker.message.is_empty());
                for input in &blocker.inputs {
                    let key = serde_json::to_string(&input.key).unwrap();
                    let present = is_present(&world, &input.dataset, &key);
                    assert_eq!(
                        input.present, present,
                        "seed {seed}, {video} in {code}: {input:?}"
                    );
                }
            }
        }
    }
}

fn is_present(world: &World, dataset: &str, key: &str) -> bool {
    let keys: Vec<String> = match dataset {
        "titles" => world.titles.keys().map(|key| format!("[{key}]")).collect(),
        "rights" => world.rights.keys().map(|key| format!("[{key}]")).collect(),
        "ratings" => world.ratings.keys().map(|key| format!("[{key}]")).collect(),
        "streams" => world.streams.keys().map(|key| format!("[{key}]")).collect(),
        "holds" => world
            .holds
            .keys()
            .map(|key| format!("[\"{key}\"]"))
            .collect(),
        "policies" => world
            .policies
            .keys()
            .map(|key| format!("[\"{key}\"]"))
            .collect(),
        "texts" => world
            .texts
            .keys()
            .map(|(video, tag)| format!("[{video},\"{tag}\"]"))
            .collect(),
        "artwork" => world
            .artwork
            .keys()
            .map(|(video, tag)| format!("[{video},\"{tag}\"]"))
            .collect(),
        "assets" => world
            .assets
            .keys()
            .map(|(video, kind, tag)| format!("[{video},\"{}\",\"{tag}\"]", kind.name()))
            .collect(),
        other => panic!("no input dataset {other}"),
    };
    keys.iter().any(|there| there == key)
}

const CATALOGUES: u64 = 60;
const HISTORIES: u64 = 30;
