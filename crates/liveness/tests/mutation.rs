//! An evaluator that is wrong on purpose is found out: whatever is changed about a rule, about what
//! is asked of tracks or about the next change, some small catalogue disagrees.
//!
//! A mutant is another check in a rule's place, the right rules on facts that were read wrongly, or
//! outcomes that were changed afterwards. What none of them can hide from the comparison, an error
//! in the evaluator can't either.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "shared with the other tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::small::Small;
use common::world::World;
use liveness::configuration::Settings;
use liveness::facts::{Artwork, Hold, Rating, Streams, Text, Window};
use liveness::record::TrackKind;
use liveness::{
    Check, Children, CountrySet, Facts, Fallback, Heard, NextChange, Outcome, RULES, Terms,
    TrackSet,
};

/// Of how many catalogues one must find a mutant out.
const CATALOGUES: u64 = 10_000;

enum Change {
    /// The rule of a code asks something else.
    Check(&'static str, Check),
    /// The rule of a code is off.
    Off(&'static str),
    /// The facts are made of other records.
    Records(fn(&mut World)),
    /// The facts are made with another table of fallback languages.
    Fallback(&'static str),
    /// The outcomes are changed.
    Outcome(fn(&mut Outcome)),
}

/// A change with its name.
type Named<T> = (&'static str, fn(&mut T));

struct Mutant {
    name: String,
    change: Change,
}

impl Mutant {
    /// What differs in a catalogue, if anything does.
    fn difference(&self, case: &Small) -> Option<String> {
        let evaluator = case.evaluator();
        let facts = || case.world.facts();
        let compared = match &self.change {
            Change::Check(code, check) => {
                case.compare(&facts(), evaluator.with_check(code, *check), |_| {})
            }
            Change::Off(code) => {
                let mut configuration = evaluator.configuration().clone();
                let rule = configuration.rules.get_mut(*code).unwrap();
                rule.enabled = false;
                let evaluator = liveness::Evaluator::new(&configuration).unwrap();
                case.compare(&facts(), evaluator, |_| {})
            }
            Change::Records(change) => {
                let mut world = case.world.clone();
                change(&mut world);
                case.compare(&world.facts(), evaluator, |_| {})
            }
            Change::Fallback(table) => {
                let fallback = Fallback::from_csv(table).unwrap();
                let mut facts = Facts::new(fallback);
                case.world.put(&mut facts);
                case.compare(&facts, evaluator, |_| {})
            }
            Change::Outcome(change) => case.compare(&facts(), evaluator, change),
        };
        compared.err()
    }
}

#[test]
fn every_mutant_is_found_out() {
    let mut mutants = mutants();
    let count = mutants.len();
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for seed in 0..CATALOGUES {
        let case = Small::of(seed);
        mutants.retain(|mutant| {
            let difference = mutant.difference(&case);
            if difference.is_some() {
                found.entry(seed).or_default().push(mutant.name.clone());
            }
            difference.is_none()
        });
        if mutants.is_empty() {
            println!("{count} mutants were found out by seeds 0 to {seed}");
            for (seed, names) in found {
                println!("{seed}: {}", names.join(", "));
            }
            return;
        }
    }
    let left: Vec<String> = mutants.into_iter().map(|mutant| mutant.name).collect();
    panic!(
        "not found out by seeds 0 to {}: {}",
        CATALOGUES - 1,
        left.join(", ")
    );
}

#[test]
fn every_rule_has_mutants() {
    let mutants = mutants();
    for rule in RULES {
        let of_rule = |mutant: &&Mutant| matches!(&mutant.change, Change::Check(code, _) if *code == rule.code);
        let count = mutants.iter().filter(of_rule).count();
        assert!(count >= 5, "{} has {count} mutants", rule.code);
    }
}

fn mutants() -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = RULES
        .iter()
        .map(|rule| Mutant {
            name: format!("{} off", rule.code),
            change: Change::Off(rule.code),
        })
        .collect();
    mutants.extend(checks());
    let records: [Named<World>; 21] = [
        ("every track is ready", |world| {
            world.assets.values_mut().for_each(|it| it.ready = true);
        }),
        ("no track is ready", |world| {
            world.assets.values_mut().for_each(|it| it.ready = false);
        }),
        ("windows license all languages", |world| {
            windows(world).for_each(|it| it.languages = None);
        }),
        ("windows license no language", |world| {
            windows(world).for_each(|it| it.languages = Some(Default::default()));
        }),
        ("all languages are offered", |world| {
            let policies = world.policies.values_mut();
            policies.for_each(|it| it.track_languages = None);
        }),
        ("no language is offered", |world| {
            let policies = world.policies.values_mut();
            policies.for_each(|it| it.track_languages = Some(Default::default()));
        }),
        ("captions and descriptions need a licence always", |world| {
            // In a language that no title is in, nothing belongs to the film.
            world
                .titles
                .values_mut()
                .for_each(|it| it.original_language = None);
        }),
        ("only the first window counts", |world| {
            world
                .rights
                .values_mut()
                .for_each(|it| it.windows.truncate(1));
        }),
        ("open ends are closed", |world| {
            windows(world).for_each(|it| it.end = it.end.or(Some(it.start + 1)));
        }),
        ("windows hold everywhere", |world| {
            let all = world.policies.keys().cloned().collect();
            windows(world).for_each(|it| it.countries = BTreeSet::clone(&all));
        }),
        ("holds hold everywhere", |world| {
            world.holds.values_mut().for_each(|it| it.countries = None);
        }),
        ("embargoes do not end", |world| {
            world.holds.values_mut().for_each(|it| it.until = None);
        }),
        ("holds stay with their video", |world| {
            let titles = &world.titles;
            let is_played = |video: i64| titles.get(&video).is_some_and(|it| it.kind.is_playable());
            world.holds.retain(|_, it| is_played(it.video));
        }),
        ("contracts are not inherited", |world| {
            world
                .rights
                .retain(|video, _| is_played(&world.titles, *video));
        }),
        ("a contract without windows is none", |world| {
            world.rights.retain(|_, it| !it.windows.is_empty());
        }),
        ("ratings are not inherited", |world| {
            world
                .ratings
                .retain(|video, _| is_played(&world.titles, *video));
        }),
        ("texts are not inherited", |world| {
            world
                .texts
                .retain(|(video, _), _| is_played(&world.titles, *video));
        }),
        ("a text that is not ready is none", |world| {
            world.texts.retain(|_, it| it.ready);
        }),
        ("tracks are not inherited", |world| {
            world
                .assets
                .retain(|(video, ..), _| is_played(&world.titles, *video));
        }),
        ("a track that is not ready is none", |world| {
            world.assets.retain(|_, it| it.ready);
        }),
        ("artwork is not inherited", |world| {
            world
                .artwork
                .retain(|(video, _), _| is_played(&world.titles, *video));
        }),
    ];
    mutants.extend(records.map(|(name, change)| Mutant {
        name: name.to_owned(),
        change: Change::Records(change),
    }));
    let tables = [
        (
            "languages fall back by cutting off alone",
            "locale,parent\n",
        ),
        (
            "zh-Hant falls back to zh",
            "locale,parent\nzh-Hant,es\nes-MX,es-419\n",
        ),
    ];
    mutants.extend(tables.map(|(name, table)| Mutant {
        name: name.to_owned(),
        change: Change::Fallback(table),
    }));
    let outcomes: [Named<Outcome>; 7] = [
        ("a change of tracks alone is none", |outcome| {
            for group in &mut outcome.groups {
                group.next = group.next.take().filter(|next| next.live != group.live);
            }
        }),
        ("nothing comes next", |outcome| {
            outcome.groups.iter_mut().for_each(|it| it.next = None);
        }),
        ("the next instant is late", |outcome| {
            next(outcome, |it| it.at += 1)
        }),
        ("the next instant is early", |outcome| {
            next(outcome, |it| it.at -= 1)
        }),
        ("the next verdict is the other", |outcome| {
            next(outcome, |it| it.live = !it.live);
        }),
        ("the next tracks are none", |outcome| {
            next(outcome, |it| it.tracks = TrackSet::default());
        }),
        ("tracks outlive their video", |outcome| {
            let some = outcome.groups.iter().find(|it| it.live).cloned();
            for group in outcome.groups.iter_mut().filter(|it| !it.live) {
                group.tracks = some
                    .as_ref()
                    .map(|it| it.tracks.clone())
                    .unwrap_or_default();
            }
        }),
    ];
    mutants.extend(outcomes.map(|(name, change)| Mutant {
        name: name.to_owned(),
        change: Change::Outcome(change),
    }));
    mutants
}

fn windows(world: &mut World) -> impl Iterator<Item = &mut liveness::record::Window> {
    let rights = world.rights.values_mut();
    rights.flat_map(|rights| &mut rights.windows)
}

fn is_played(titles: &BTreeMap<i64, liveness::record::Title>, video: i64) -> bool {
    titles
        .get(&video)
        .is_some_and(|title| title.kind.is_playable())
}

fn next(outcome: &mut Outcome, change: fn(&mut NextChange)) {
    let next = outcome.groups.iter_mut().filter_map(|it| it.next.as_mut());
    next.for_each(change);
}

/// The rule's own check.
fn check_of(code: &str) -> Check {
    RULES.iter().find(|rule| rule.code == code).unwrap().check
}

fn first(countries: CountrySet) -> CountrySet {
    countries.first().into_iter().collect()
}

/// Mutants of a rule that any rule can have, then its own: each a check in the rule's place.
macro_rules! mutants_of {
    (
        $mutants:ident, $code:literal, $variant:ident $arguments:tt;
        $( $name:literal: |$terms:ident| $body:expr; )*
    ) => {{
        of_any_rule!($mutants, $code, $variant $arguments);
        $( one_mutant!($mutants, $code, $variant $arguments, $name, |$terms| $body); )*
    }};
}

macro_rules! one_mutant {
    (
        $mutants:ident, $code:literal, $variant:ident ( $($arg:ident: $ty:ty),* ),
        $name:literal, |$terms:ident| $body:expr
    ) => {{
        #[allow(unused_variables, reason = "not all mutants look at all facts")]
        fn mutant($($arg: $ty,)* $terms: &Terms<'_>) -> CountrySet {
            $body
        }
        $mutants.push(Mutant {
            name: format!("{} {}", $code, $name),
            change: Change::Check($code, Check::$variant(mutant)),
        });
    }};
}

macro_rules! of_any_rule {
    ($mutants:ident, $code:literal, $variant:ident ( $($arg:ident: $ty:ty),* )) => {
        #[allow(dead_code, reason = "not all mutants ask the rule itself")]
        fn original($($arg: $ty,)* terms: &Terms<'_>) -> CountrySet {
            match check_of($code) {
                Check::$variant(check) => check($($arg,)* terms),
                _ => panic!("{} is no check of this kind", $code),
            }
        }
        one_mutant!($mutants, $code, $variant($($arg: $ty),*), "never blocks", |terms| CountrySet::EMPTY);
        one_mutant!($mutants, $code, $variant($($arg: $ty),*), "always blocks", |terms| {
            terms.policies.markets()
        });
        one_mutant!($mutants, $code, $variant($($arg: $ty),*), "blocks elsewhere", |terms| {
            terms.policies.markets() - original($($arg,)* terms)
        });
        one_mutant!($mutants, $code, $variant($($arg: $ty),*), "misses a country", |terms| {
            let blocked = original($($arg,)* terms);
            blocked - first(blocked & terms.policies.markets())
        });
        one_mutant!($mutants, $code, $variant($($arg: $ty),*), "blocks one more country", |terms| {
            let blocked = original($($arg,)* terms);
            blocked | first(terms.policies.markets() - blocked)
        });
    };
}

/// The same rule without fallback languages.
fn strict<'a>(terms: &Terms<'a>, settings: &'a Settings) -> Terms<'a> {
    Terms { settings, ..*terms }
}

#[allow(clippy::too_many_lines, reason = "a list")]
fn checks() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    mutants_of! {
        mutants, "rights.no-window", Rights(windows: &[Window], at: i64);
        "starts a moment late": |terms| original(windows, at - 1, terms) | original(windows, at, terms);
        "is a moment late": |terms| original(windows, at - 1, terms);
        "is a moment early": |terms| original(windows, at + 1, terms);
        "takes the end as open": |terms| {
            let open = windows.iter().filter(|window| window.start <= at && at <= window.end);
            open.fold(terms.policies.markets(), |rest, window| rest - window.countries.0)
        };
        "does not look at the end": |terms| {
            let open = windows.iter().filter(|window| window.start <= at);
            open.fold(terms.policies.markets(), |rest, window| rest - window.countries.0)
        };
        "does not look at the start": |terms| {
            let open = windows.iter().filter(|window| at < window.end);
            open.fold(terms.policies.markets(), |rest, window| rest - window.countries.0)
        };
        "wants all windows open": |terms| {
            let shut = windows.iter().filter(|window| !window.is_open(at));
            shut.fold(original(windows, at, terms), |all, window| all | window.countries.0)
        };
    }
    mutants_of! {
        mutants, "hold.active", Holds(holds: &[Hold], at: i64);
        "is a moment late": |terms| original(holds, at - 1, terms);
        "is a moment early": |terms| original(holds, at + 1, terms);
        "does not look at the end": |terms| {
            let begun = holds.iter().filter(|hold| hold.from <= at);
            begun.fold(CountrySet::EMPTY, |all, hold| all | hold.countries.0)
        };
        "takes one hold alone": |terms| original(&holds[..holds.len().min(1)], at, terms);
    }
    mutants_of! {
        mutants, "rating.missing", Ratings(ratings: &[Rating]);
        "takes any system": |terms| match ratings.is_empty() {
            true => terms.policies.rating_required(),
            false => CountrySet::EMPTY,
        };
        "wants the country's own rating": |terms| {
            let own: CountrySet = ratings.iter().map(|rating| rating.country).collect();
            original(ratings, terms) | (terms.policies.rating_required() - own)
        };
        "wants a rating everywhere": |terms| {
            let rated = |all, rating: &Rating| all | terms.policies.accepting(rating.system);
            terms.policies.markets() - ratings.iter().fold(CountrySet::EMPTY, rated)
        };
    }
    mutants_of! {
        mutants, "rating.too-high", Ratings(ratings: &[Rating]);
        "lets nobody's own rating decide": |terms| {
            let mut above = CountrySet::EMPTY;
            for rating in ratings {
                above |= over(rating.minimum_age, terms) & terms.policies.accepting(rating.system);
            }
            above
        };
        "is a year stricter": |terms| {
            let older: Vec<Rating> = ratings
                .iter()
                .map(|it| Rating { minimum_age: it.minimum_age.map(|age| age + 1), ..*it })
                .collect();
            original(&older, terms)
        };
        "takes any system": |terms| {
            ratings.iter().fold(CountrySet::EMPTY, |all, it| all | over(it.minimum_age, terms))
        };
        "takes the first rating alone": |terms| original(&ratings[..ratings.len().min(1)], terms);
    }
    mutants_of! {
        mutants, "text.no-title", Texts(texts: &[Text]);
        "looks at the synopsis": |terms| {
            let other = |it: &Text| Text { title: it.synopsis, ..*it };
            original(&texts.iter().map(other).collect::<Vec<_>>(), terms)
        };
        "does not fall back": |terms| original(texts, &strict(terms, &Settings::default()));
        "falls back always": |terms| terms.lacking(terms.policies.title(), |want| {
            terms.languages.chain(want).any(|tag| texts.iter().any(|it| it.language == tag && it.title))
        });
        "looks at what is needed of the synopsis": |terms| {
            terms.lacking(terms.policies.synopsis(), |want| {
                terms.served(want, |tag| texts.iter().any(|it| it.language == tag && it.title))
            })
        };
        "takes any language": |terms| match texts.iter().any(|it| it.title) {
            true => CountrySet::EMPTY,
            false => original(texts, terms),
        };
        "wants one of all": |terms| any_of(original(texts, terms), |want| {
            terms.served(want, |tag| texts.iter().any(|it| it.language == tag && it.title))
        }, terms.policies.title());
    }
    mutants_of! {
        mutants, "text.no-synopsis", Texts(texts: &[Text]);
        "looks at the title": |terms| {
            let other = |it: &Text| Text { synopsis: it.title, ..*it };
            original(&texts.iter().map(other).collect::<Vec<_>>(), terms)
        };
        "does not fall back": |terms| original(texts, &strict(terms, &Settings::default()));
        "falls back always": |terms| terms.lacking(terms.policies.synopsis(), |want| {
            terms.languages.chain(want).any(|tag| texts.iter().any(|it| it.language == tag && it.synopsis))
        });
        "takes any language": |terms| match texts.iter().any(|it| it.synopsis) {
            true => CountrySet::EMPTY,
            false => original(texts, terms),
        };
        "wants one of all": |terms| any_of(original(texts, terms), |want| {
            terms.served(want, |tag| texts.iter().any(|it| it.language == tag && it.synopsis))
        }, terms.policies.synopsis());
    }
    mutants_of! {
        mutants, "subtitles.missing", Speech(heard: &Heard<'_>);
        "does not hear the original": |terms| follow(heard, terms, false, &FOLLOWED);
        "does not hear dubs": |terms| follow(heard, terms, true, &[TrackKind::Subtitles]);
        "does not read subtitles": |terms| follow(heard, terms, true, &[TrackKind::Dub]);
        "takes captions too": |terms| {
            follow(heard, terms, true, &[FOLLOWED[0], FOLLOWED[1], TrackKind::Captions])
        };
        "falls back always": |terms| terms.lacking(terms.policies.subtitles(), |want| {
            heard.in_original(want, terms)
                || terms.languages.chain(want).any(|tag| has(heard, &FOLLOWED, tag, terms))
        });
        "never falls back": |terms| original(heard, &strict(terms, &Settings::default()));
        "looks at what children need": |terms| terms.lacking(terms.policies.kids_dub(), |want| {
            heard.in_original(want, terms) || has(heard, &FOLLOWED, want, terms)
        });
    }
    mutants_of! {
        mutants, "subtitles.not-licensed", Licences(heard: &Heard<'_>);
        "does not hear the original": |terms| follow(heard, terms, false, &FOLLOWED);
        "does not hear dubs": |terms| follow(heard, terms, true, &[TrackKind::Subtitles]);
        "does not read subtitles": |terms| follow(heard, terms, true, &[TrackKind::Dub]);
        "takes everything as licensed": |terms| original(&licensed(heard), terms);
        "never falls back": |terms| original(heard, &strict(terms, &Settings::default()));
    }
    mutants_of! {
        mutants, "dub.missing", Speech(heard: &Heard<'_>);
        "is for everybody": |terms| terms.lacking(terms.policies.kids_dub(), |want| {
            heard.in_original(want, terms) || has(heard, &[TrackKind::Dub], want, terms)
        });
        "does not hear the original": |terms| children(heard, terms, false, &[TrackKind::Dub]);
        "takes subtitles": |terms| children(heard, terms, true, &FOLLOWED);
        "takes descriptions": |terms| {
            children(heard, terms, true, &[TrackKind::Dub, TrackKind::Description])
        };
        "never falls back": |terms| original(heard, &strict(terms, &Settings::default()));
    }
    mutants_of! {
        mutants, "dub.not-licensed", Licences(heard: &Heard<'_>);
        "does not hear the original": |terms| children(heard, terms, false, &[TrackKind::Dub]);
        "takes subtitles": |terms| children(heard, terms, true, &FOLLOWED);
        "takes everything as licensed": |terms| original(&licensed(heard), terms);
        "never falls back": |terms| original(heard, &strict(terms, &Settings::default()));
    }
    mutants_of! {
        mutants, "artwork.missing", Artwork(artwork: &[Artwork]);
        "takes any language": |terms| match artwork.iter().any(|it| !it.formats.is_empty()) {
            true => CountrySet::EMPTY,
            false => original(artwork, terms),
        };
        "does not fall back": |terms| {
            lacks_artwork(terms, |want| artwork.iter().any(|it| it.language == want && !it.formats.is_empty()))
        };
        "takes pictures that are not ready": |terms| {
            lacks_artwork(terms, |want| terms.served(want, |tag| artwork.iter().any(|it| it.language == tag)))
        };
        "takes the best language alone": |terms| {
            let mut lacking = CountrySet::EMPTY;
            for (wanted, countries) in terms.policies.artwork() {
                let has = |tag| artwork.iter().any(|it| it.language == tag && !it.formats.is_empty());
                if !wanted.first().is_some_and(|&want| terms.served(want, has)) {
                    lacking |= *countries;
                }
            }
            lacking
        };
    }
    mutants_of! {
        mutants, "streams.missing", Streams(streams: &Streams);
        "takes what is not ready": |terms| CountrySet::EMPTY;
        "does not look at the settings": |terms| match streams.profiles.is_empty() {
            true => terms.policies.markets(),
            false => CountrySet::EMPTY,
        };
        "wants protection": |terms| match streams.drm.is_empty() {
            true => terms.policies.markets(),
            false => original(streams, terms),
        };
    }
    mutants_of! {
        mutants, "family.no-parent", Ancestry(orphan: bool);
        "blocks who has a parent": |terms| original(!orphan, terms);
    }
    mutants_of! {
        mutants, "family.no-children", Children(children: &Children);
        "wants two": |terms| match children.count {
            0 | 1 => terms.policies.markets(),
            _ => CountrySet::EMPTY,
        };
    }
    mutants_of! {
        mutants, "family.none-live", Children(children: &Children);
        "blocks what is not ready": |terms| terms.policies.markets() - children.live;
        "blocks where some are live": |terms| children.live;
    }
    mutants
}

const FOLLOWED: [TrackKind; 2] = [TrackKind::Subtitles, TrackKind::Dub];

fn licensed<'a>(heard: &Heard<'a>) -> Heard<'a> {
    Heard {
        licensed: None,
        ..*heard
    }
}

fn has(
    heard: &Heard<'_>,
    kinds: &[TrackKind],
    want: liveness::Language,
    terms: &Terms<'_>,
) -> bool {
    kinds.iter().any(|&kind| heard.has(kind, want, terms))
}

fn follow(
    heard: &Heard<'_>,
    terms: &Terms<'_>,
    with_original: bool,
    kinds: &[TrackKind],
) -> CountrySet {
    terms.lacking(terms.policies.subtitles(), |want| {
        (with_original && heard.in_original(want, terms)) || has(heard, kinds, want, terms)
    })
}

fn children(
    heard: &Heard<'_>,
    terms: &Terms<'_>,
    with_original: bool,
    kinds: &[TrackKind],
) -> CountrySet {
    if !heard.speech.kids {
        return CountrySet::EMPTY;
    }
    terms.lacking(terms.policies.kids_dub(), |want| {
        (with_original && heard.in_original(want, terms)) || has(heard, kinds, want, terms)
    })
}

fn over(age: Option<i32>, terms: &Terms<'_>) -> CountrySet {
    let ages = terms.policies.maximum_ages().iter();
    let over = ages.filter(|(limit, _)| age.is_some_and(|age| age > *limit));
    over.fold(CountrySet::EMPTY, |all, (_, countries)| all | *countries)
}

/// Without the countries that need all of some languages and have one.
fn any_of(
    blocked: CountrySet,
    has: impl Fn(liveness::Language) -> bool,
    needs: &[(liveness::facts::Need, CountrySet)],
) -> CountrySet {
    let mut blocked = blocked;
    for (need, countries) in needs {
        if need.languages.iter().any(|&want| has(want)) {
            blocked = blocked - *countries;
        }
    }
    blocked
}

fn lacks_artwork(terms: &Terms<'_>, has: impl Fn(liveness::Language) -> bool) -> CountrySet {
    let mut lacking = CountrySet::EMPTY;
    for (wanted, countries) in terms.policies.artwork() {
        if !wanted.iter().any(|&want| has(want)) {
            lacking |= *countries;
        }
    }
    lacking
}
