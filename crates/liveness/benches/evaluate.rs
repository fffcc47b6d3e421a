//! Evaluating a catalogue: 36,000 titles with their seasons and episodes (250,000 videos), 249
//! countries. `survey` is what the gatekeeper does every cycle, by its steps.
//!
//! In every iteration the clock moves and every verdict enters a checksum, so that nothing can be
//! remembered from one to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liveness::record::*;
use liveness::{CODES, Configuration, Evaluator, Facts, Fallback, Scratch, Survey};

const TITLES: i64 = 36_000;
const DAY_MS: i64 = 86_400_000;
const LANGUAGES: [&str; 12] = [
    "en", "es", "es-419", "fr", "de", "pt-BR", "it", "ja", "ko", "ar", "pl", "tr",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

fn catalogue() -> Facts {
    let mut random = Random(7);
    let mut facts = Facts::new(Fallback::cldr());
    for (at, country) in CODES.iter().enumerate() {
        let languages = |some: &[usize]| LanguageNeed {
            all: false,
            languages: some
                .iter()
                .map(|&at| LANGUAGES[at % 12].to_owned())
                .collect(),
        };
        facts.put_policy(&Policy {
            country: (*country).to_owned(),
            rating_systems: BTreeSet::from([format!("system-{}", at % 40)]),
            rating_required: at % 3 == 0,
            maximum_age: (at % 5 == 0).then_some(16),
            title: languages(&[at, 0]),
            synopsis: languages(&[at, 0]),
            subtitles: languages(&[at, 0]),
            kids_dub: languages(&[at]),
            artwork_languages: vec![LANGUAGES[at % 12].to_owned(), "zxx".to_owned()],
            track_languages: None,
        });
    }
    let mut video = 0;
    for number in 0..TITLES {
        video += 1;
        let root = video;
        let is_show = number % 3 == 0;
        let kind = if is_show { Kind::Show } else { Kind::Movie };
        let kids = random.below(10) == 0;
        let mut title = |video: i64, kind: Kind, parent: Option<i64>| {
            facts.put_title(&Title {
                video,
                kind,
                parent,
                original_language: Some(LANGUAGES[root as usize % 12].to_owned()),
                kids,
            });
        };
        title(root, kind, None);
        let mut played = vec![];
        if is_show {
            for _ in 0..1 + random.below(3) {
                video += 1;
                let season = video;
                title(season, Kind::Season, Some(root));
                for _ in 0..10 {
                    video += 1;
                    title(video, Kind::Episode, Some(season));
                    played.push(video);
                }
            }
        } else {
            played.push(root);
        }
        let windows = (0..1 + random.below(3))
            .map(|_| {
                let start = random.below(1000) as i64 * DAY_MS;
                Window {
                    start,
                    end: Some(start + random.below(800) as i64 * DAY_MS + DAY_MS),
                    countries: some(&mut random, &CODES),
                    languages: (random.below(4) == 0).then(|| some(&mut random, &LANGUAGES)),
                }
            })
            .collect();
        facts.put_rights(&Rights {
            video: root,
            windows,
        });
        let ratings: BTreeMap<String, Rating> = some(&mut random, &CODES)
            .into_iter()
            .map(|code| {
                let system = format!("system-{}", random.below(40));
                let minimum_age = Some(random.below(19) as i32);
                (
                    code,
                    Rating {
                        system,
                        minimum_age,
                    },
                )
            })
            .collect();
        facts.put_ratings(&Ratings {
            video: root,
            ratings,
        });
        for language in some(&mut random, &LANGUAGES) {
            facts.put_text(&Text {
                video: root,
                language: language.clone(),
                title: true,
                synopsis: random.below(8) > 0,
                ready: random.below(20) > 0,
            });
            for kind in TrackKind::ALL {
                facts.put_asset(&Asset {
                    video: root,
                    kind,
                    language: language.clone(),
                    ready: random.below(20) > 0,
                });
            }
        }
        facts.put_artwork(&Artwork {
            video: root,
            language: "zxx".to_owned(),
            formats: BTreeSet::from(["poster".to_owned()]),
            ready: random.below(20) > 0,
        });
        for video in played {
            facts.put_streams(&Streams {
                video,
                profiles: BTreeSet::from(["hd-avc".to_owned()]),
                drm: BTreeSet::from(["widevine".to_owned()]),
                ready: random.below(30) > 0,
            });
        }
    }
    facts.refresh();
    facts
}

fn some(random: &mut Random, among: &[&str]) -> BTreeSet<String> {
    let share = 2 + random.below(9);
    let chosen = among.iter().filter(|_| random.below(10) < share);
    chosen.map(|member| (*member).to_owned()).collect()
}

fn evaluate(criterion: &mut Criterion) {
    let facts = catalogue();
    let rules = || {
        Evaluator::new(&Configuration::default()).unwrap_or_else(|error| {
            panic!("the default configuration is complete: {error}");
        })
    };
    let mut evaluator = rules();
    evaluator.prepare(&facts);
    let pairs = facts.videos() * CODES.len();
    println!("{} videos, {pairs} pairs", facts.videos());
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10);
    group.throughput(Throughput::Elements(pairs as u64));
    let mut now = 500 * DAY_MS;
    group.bench_function("all videos and countries, one core", |bencher| {
        bencher.iter(|| {
            now += 60_000;
            let mut checksum = 0_usize;
            let mut scratch = Scratch::default();
            evaluator.evaluate(&facts, facts.roots(), now, &mut scratch, |_, outcome| {
                checksum = checksum.rotate_left(3) ^ outcome.live.len() ^ outcome.groups.len();
            });
            black_box(checksum)
        });
    });

    let mut survey = Survey::new();
    survey.prepare(&facts);
    survey.evaluate(&evaluator, &facts, now);
    group.bench_function("survey, masks", |bencher| {
        bencher.iter(|| {
            now += 60_000;
            black_box(survey.masks(&evaluator, &facts, now))
        });
    });
    // Windows begin and end at whole days: an hour changes little, a day what that day brings.
    for (name, step) in [("an hour", DAY_MS / 24), ("a day", DAY_MS)] {
        group.bench_function(format!("survey, everything, {name} later"), |bencher| {
            bencher.iter(|| {
                now += step;
                survey.evaluate(&evaluator, &facts, now);
                let mut checksum = 0_usize;
                for (_, outcome) in survey.outcomes(&facts) {
                    checksum = checksum.rotate_left(3) ^ outcome.live.len() ^ outcome.groups.len();
                }
                black_box(checksum)
            });
        });
    }
    let mut steps = [Duration::ZERO; 5];
    let mut rounds = 0;
    group.bench_function("survey from nothing, by steps", |bencher| {
        bencher.iter(|| {
            let mut survey = Survey::new();
            survey.prepare(&facts);
            let mut lap = Instant::now();
            let mut measure = |step: usize| {
                let before = std::mem::replace(&mut lap, Instant::now());
                steps[step] += lap - before;
            };
            survey.masks(&evaluator, &facts, now);
            measure(0);
            survey.drafts(&evaluator, &facts);
            measure(1);
            survey.tracks(&facts);
            measure(2);
            survey.groups(&evaluator, &facts);
            measure(3);
            survey.families(&evaluator, &facts);
            measure(4);
            rounds += 1;
        });
    });
    let names = ["masks", "drafts", "tracks", "groups", "families"];
    for (name, time) in names.iter().zip(steps) {
        println!("from nothing: {name} {:?}", time / rounds.max(1));
    }
    group.bench_function("tables from nothing", |bencher| {
        bencher.iter(|| {
            let mut evaluator = Evaluator::new(&Configuration::default()).ok();
            if let Some(evaluator) = &mut evaluator {
                evaluator.prepare(&facts);
            }
            black_box(evaluator.is_some())
        });
    });
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
