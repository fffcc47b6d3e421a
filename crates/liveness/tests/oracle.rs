//! The evaluator says what the plain definition says: for every video, country and instant at
//! which something begins or ends, and about what comes next.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use common::oracle::{Next, Oracle, Setup, Tracks, Verdict, parents};
use common::small::{Known, Small, random_setup};
use common::world::{COUNTRIES, World, change_facts, change_of_kind, random_change};
use common::{Random, next_of, verdict_of};
use liveness::Configuration;
use liveness::record::TrackKind;
use liveness::{Country, Evaluator, Explanation, Facts, Outcome, RULES, Scratch, Survey, Track};

type Verdicts = BTreeMap<(i64, &'static str), (Verdict, Option<Next>)>;

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
        insert(&mut verdicts, facts.video(slot), outcome);
    });
    verdicts
}

fn insert(verdicts: &mut Verdicts, video: i64, outcome: &Outcome) {
    for (at, group) in outcome.groups.iter().enumerate() {
        let mut others = outcome.groups[..at].iter();
        assert!(
            !others.any(|other| Known::of(other) == Known::of(group)),
            "{video} has two groups of one verdict"
        );
        for country in group.countries.iter() {
            let (verdict, next) = (verdict_of(group), next_of(group));
            let key = (video, country.code());
            assert!(
                verdicts.insert(key, (verdict, next)).is_none(),
                "{key:?} twice"
            );
        }
    }
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
fn ten_thousand_small_catalogues_agree_whenever_something_begins_or_ends() {
    let started = std::time::Instant::now();
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let counts: Vec<Counts> = std::thread::scope(|scope| {
        let work = || {
            let mut counts = Counts::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= SMALL_CATALOGUES {
                    return counts;
                }
                let case = Small::of(seed);
                if let Err(difference) = case.compare(&case.world.facts(), case.evaluator(), |_| {})
                {
                    panic!("seed {seed}: {difference}");
                }
                // Not for all: small catalogues are no work for many threads.
                if seed.is_multiple_of(10)
                    && let Err(difference) = case.compare_survey(&case.world.facts())
                {
                    panic!("seed {seed}, by a survey: {difference}");
                }
                counts.add(&case);
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let counts = counts.into_iter().reduce(Counts::plus).unwrap();
    println!(
        "seeds 0 to {}: {counts:?} in {:?}",
        SMALL_CATALOGUES - 1,
        started.elapsed()
    );
    assert!(counts.live * 50 > counts.verdicts, "{counts:?}");
    assert!(counts.with_tracks * 3 > counts.live, "{counts:?}");
    assert!(counts.only_tracks_change > 10_000, "{counts:?}");
}

/// What the comparison has seen.
#[derive(Default, Debug)]
struct Counts {
    verdicts: usize,
    live: usize,
    with_tracks: usize,
    /// Verdicts that are followed by one that differs in tracks alone.
    only_tracks_change: usize,
}

impl Counts {
    fn add(&mut self, case: &Small) {
        for known in case.expected.values().flatten() {
            self.verdicts += 1;
            self.live += usize::from(known.live);
            self.with_tracks += usize::from(!known.tracks.is_empty());
            let next = known.next.as_ref();
            self.only_tracks_change += usize::from(known.live && next.is_some_and(|it| it.live));
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            verdicts: self.verdicts + other.verdicts,
            live: self.live + other.live,
            with_tracks: self.with_tracks + other.with_tracks,
            only_tracks_change: self.only_tracks_change + other.only_tracks_change,
        }
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
    assert!(live * 60 > pairs, "only {live} of {pairs} pairs were live");
}

#[test]
fn facts_kept_up_are_the_facts_built_anew() {
    for seed in 0..HISTORIES {
        let mut random = Random(seed + 1_000_000);
        let mut world = World::random(&mut random);
        let (setup, configuration) = random_setup(&mut random);
        let mut facts = world.facts();
        let mut evaluator = Evaluator::new(&configuration).unwrap();
        let mut survey = Survey::new();
        for _ in 0..12 {
            // Whoever looks before the refresh sees none of the changes.
            let before = facts.clone();
            for _ in 0..1 + random.below(8) {
                let change = match random.chance(10) {
                    true => change_of_kind(&world, &mut random),
                    false => None,
                };
                let change = change.unwrap_or_else(|| random_change(&mut random));
                world.apply(&change);
                change_facts(&mut facts, &change);
            }
            let now = random.below(30) as i64;
            let seen = verdicts(&evaluator, &facts, now);
            assert_eq!(seen, verdicts(&evaluator, &before, now), "seed {seed}");
            facts.refresh();
            evaluator.prepare(&facts);
            agree(seed, &world, &setup, &evaluator, &facts, now);

            // A survey that was kept up agrees too, wherever its clock goes.
            survey.prepare(&facts);
            for now in [now, now + 1, random.below(30) as i64, now] {
                survey.evaluate(&evaluator, &facts, now);
                let mut kept = Verdicts::new();
                for (video, outcome) in survey.outcomes(&facts) {
                    insert(&mut kept, video, &outcome);
                }
                assert_eq!(kept, verdicts(&evaluator, &facts, now), "seed {seed}");
            }

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
            assert_tracks(&world, &why, &verdict, next.as_ref());
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

/// The tracks of an explanation are those of the verdicts, with the obstacles of the definition.
fn assert_tracks(world: &World, why: &Explanation, verdict: &Verdict, next: Option<&Next>) {
    let named = |tracks: &[Track]| -> Tracks {
        let tracks = tracks.iter();
        tracks
            .map(|it| (TrackKind::from_name(&it.kind).unwrap(), it.language.clone()))
            .collect()
    };
    let setup = Setup::default();
    let oracle = Oracle {
        world,
        setup: &setup,
        parents: parents(),
    };
    let (title, policy) = (&world.titles[&why.video], &world.policies[&why.country]);
    let mut live = Tracks::new();
    for track in &why.tracks {
        let kind = TrackKind::from_name(&track.kind).unwrap();
        if track.live {
            live.insert((kind, track.language.clone()));
        }
        if title.kind.is_playable() {
            let obstacles = oracle.obstacles(title, policy, kind, &track.language, why.now);
            let found = track.obstacles.iter().map(String::as_str);
            assert_eq!(found.collect::<BTreeSet<&str>>(), obstacles, "{why:?}");
            assert_eq!(track.live, why.live && obstacles.is_empty(), "{why:?}");
        }
    }
    assert_eq!(live, verdict.tracks, "{why:?}");
    match (&why.next_change, next) {
        (Some(found), Some(next)) => {
            assert_eq!((found.at, found.live), (next.at, next.live), "{why:?}");
            let added: Tracks = next.tracks.difference(&live).cloned().collect();
            let removed: Tracks = live.difference(&next.tracks).cloned().collect();
            assert_eq!(named(&found.tracks_added), added, "{why:?}");
            assert_eq!(named(&found.tracks_removed), removed, "{why:?}");
        }
        (found, next) => assert_eq!(found.is_some(), next.is_some(), "{why:?}"),
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

const SMALL_CATALOGUES: u64 = 10_000;
const CATALOGUES: u64 = 25;
const HISTORIES: u64 = 30;
