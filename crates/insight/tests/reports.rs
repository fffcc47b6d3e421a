//! Reports on a hand-made `liveness` chain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use hollow::sums::Digest;
use hollow::write::{WriteOptions, WriteState};
use hollow::{KeyValue, ReadState, Value};
use insight::diff::{Change, DiffReport};
use insight::verdicts::{self, Count, Direction, Filter, Flips, VerdictReport};
use insight::{Comparison, Error};
use proptest::prelude::*;
use serde_json::json;

const SCHEMAS: &str = "
    Liveness @PrimaryKey(video) { long video; ListOfGroup groups; }
    ListOfGroup List<Group>;
    Group { boolean live; SetOfCountry countries; SetOfBlocker blockers; SetOfAsset assets; long nextAt; }
    SetOfCountry Set<Country>; Country { string code; }
    SetOfBlocker Set<Blocker>; Blocker { string code; }
    SetOfAsset Set<Asset>; Asset { string kind; string language; }";

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn codes(codes: &str) -> Value {
    let codes = codes.split_whitespace();
    Value::Set(
        codes
            .map(|code| object([("code", Value::String(code.to_owned()))]))
            .collect::<BTreeSet<_>>(),
    )
}

/// A video with groups of (live countries' or dark countries' codes, blockers).
fn video(id: i64, groups: &[(&str, &str)]) -> Value {
    let with_dub: Vec<_> = groups
        .iter()
        .map(|&(countries, blockers)| (countries, blockers, "dub fr"))
        .collect();
    video_with(id, &with_dub)
}

/// The same with tracks, such as `dub fr`, where it is live.
fn video_with(id: i64, groups: &[(&str, &str, &str)]) -> Value {
    let assets = |tracks: &str| {
        let tracks = tracks.split(", ").filter_map(|track| track.split_once(' '));
        let asset = |(kind, language): (&str, &str)| {
            object([
                ("kind", Value::String(kind.to_owned())),
                ("language", Value::String(language.to_owned())),
            ])
        };
        Value::Set(tracks.map(asset).collect())
    };
    let group = |(countries, blockers, tracks): &(&str, &str, &str)| {
        object([
            ("live", Value::Boolean(blockers.is_empty())),
            ("countries", codes(countries)),
            ("blockers", codes(blockers)),
            (
                "assets",
                assets(if blockers.is_empty() { tracks } else { "" }),
            ),
            ("nextAt", Value::Null),
        ])
    };
    object([
        ("video", Value::Long(id)),
        ("groups", Value::List(groups.iter().map(group).collect())),
    ])
}

fn cycle(writer: &mut WriteState, tag: i64, changes: &[Value], deletes: &[i64]) -> ReadState {
    let root = writer.type_id("Liveness").unwrap();
    writer.begin_incremental();
    for change in changes {
        change.upsert(writer, "Liveness").unwrap();
    }
    for video in deletes {
        writer.delete(root, &[KeyValue::Long(*video)]).unwrap();
    }
    writer.seal(tag << 32, BTreeMap::new()).unwrap();
    writer.commit().unwrap().clone()
}

fn chain() -> (ReadState, ReadState) {
    let schemas = hollow::schema::parse_schemas(SCHEMAS).unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    let before = [
        video(1, &[("DE FR", ""), ("US", "rating.missing")]),
        video(2, &[("DE", ""), ("FR US", "rights.no-window hold.active")]),
        video(3, &[("DE FR US", "streams.missing")]),
    ];
    let first = cycle(&mut writer, 1, &before, &[]);
    let after = [
        video(1, &[("DE FR US", "")]),
        video(2, &[("DE US", "hold.active"), ("FR", "")]),
        video(4, &[("JP", "")]),
    ];
    let second = cycle(&mut writer, 2, &after, &[3]);
    (first, second)
}

#[test]
fn tracks_that_come_and_go_where_a_video_stays_live_are_told() {
    let schemas = hollow::schema::parse_schemas(SCHEMAS).unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    let before = [
        video_with(1, &[("DE FR US", "", "dub fr, subtitles de")]),
        video_with(2, &[("DE", "", "dub fr"), ("FR", "hold.active", "")]),
    ];
    let first = cycle(&mut writer, 1, &before, &[]);
    let after = [
        video_with(
            1,
            &[
                ("DE FR", "", "dub fr, dub it"),
                ("US", "", "subtitles de, dub fr"),
            ],
        ),
        video_with(2, &[("DE FR", "", "dub fr")]),
    ];
    let second = cycle(&mut writer, 2, &after, &[]);
    let comparison = Comparison::new(&first, &second).unwrap();
    let report = verdicts::report(&comparison, &Filter::default(), |_| 1, 9).unwrap();
    assert_eq!((report.went_live, report.other_tracks), (1, 2));
    let tracks: Vec<(&str, u64, u64)> = report
        .tracks
        .iter()
        .map(|change| (change.track.as_str(), change.added, change.removed))
        .collect();
    assert_eq!(tracks, [("dub it", 2, 0), ("subtitles de", 0, 2)]);
    let expected = BTreeSet::from(["hold.active".to_owned()]);
    let unexpected = verdicts::unexpected(&comparison, &expected).unwrap();
    assert_eq!(
        unexpected,
        BTreeMap::from([(verdicts::TRACKS.to_owned(), 2)])
    );
}

#[test]
fn flips_are_counted_by_pair_blocker_country_and_video() {
    let (before, after) = chain();
    let comparison = Comparison::new(&before, &after).unwrap();
    let weight = |video| 10 * video as u64;
    let report = verdicts::report(&comparison, &Filter::default(), weight, 2).unwrap();
    assert_eq!((report.went_live, report.went_dark), (3, 1));
    assert_eq!((report.weight_live, report.weight_dark), (10 + 20 + 40, 20));
    assert_eq!(
        report.other_blockers, 4,
        "US of 2 lost one of two; 3 is gone"
    );
    let flips = |name: &str, live: &[i64], dark: &[i64]| Flips {
        name: name.to_owned(),
        count: Count {
            went_live: live.len() as u64,
            went_dark: dark.len() as u64,
            weight_live: live.iter().copied().map(weight).sum(),
            weight_dark: dark.iter().copied().map(weight).sum(),
        },
    };
    // US of video 1 lacked a rating; FR of video 2 had two blockers; DE of video 2 is held now.
    assert_eq!(
        report.blockers,
        [
            flips("hold.active", &[2], &[2]),
            flips("rating.missing", &[1], &[]),
            flips("rights.no-window", &[2], &[])
        ]
    );
    assert_eq!(
        report.countries,
        [
            flips("DE", &[], &[2]),
            flips("FR", &[2], &[]),
            flips("JP", &[4], &[]),
            flips("US", &[1], &[])
        ]
    );
    let named: Vec<(i64, u64)> = report
        .videos
        .iter()
        .map(|video| (video.video, video.weight))
        .collect();
    assert_eq!(
        named,
        [(4, 40), (2, 20)],
        "the heaviest first, no more than asked for"
    );
    assert_eq!(
        (&report.videos[1].went_live, &report.videos[1].went_dark),
        (&vec!["FR".to_owned()], &vec!["DE".to_owned()])
    );
}

#[test]
fn records_are_counted_in_full_and_described_up_to_the_limit() {
    let (before, after) = chain();
    let comparison = Comparison::new(&before, &after).unwrap();
    let report = DiffReport::of(&comparison, 3, |_| true).unwrap();
    assert_eq!(
        (report.equal, report.added, report.removed, report.changed),
        (false, 1, 1, 2)
    );
    let named: Vec<_> = report
        .records
        .iter()
        .map(|record| (record.key.clone(), record.change))
        .collect();
    assert_eq!(
        named,
        [
            (json!([4]), Change::Added),
            (json!([3]), Change::Removed),
            (json!([1]), Change::Changed)
        ]
    );
    assert!(!report.records[2].fields.is_empty());
    let wanted = DiffReport::of(&comparison, 3, |key| key == [KeyValue::Long(2)]).unwrap();
    assert_eq!((wanted.changed, wanted.records.len()), (2, 1));
}

#[test]
fn equal_states_are_proven_so() {
    let (before, _) = chain();
    let comparison = Comparison::new(&before, &before).unwrap();
    assert!(comparison.is_equal() && comparison.diff.is_none());
    let report = DiffReport::of(&comparison, 10, |_| true).unwrap();
    assert!(report.equal && report.records.is_empty());
    let report = verdicts::report(&comparison, &Filter::default(), |_| 0, 10).unwrap();
    assert_eq!(report, VerdictReport::default());
}

#[test]
fn a_record_is_shown_by_its_key() {
    let (before, _) = chain();
    let root = insight::root_type(&before).unwrap();
    assert_eq!(root.name, "Liveness");
    let index = hollow::index::PrimaryKeyIndex::build(&before, "Liveness", None).unwrap();
    let ordinal = index.get(&insight::parse_key(root, "1").unwrap()).unwrap();
    assert_eq!(insight::key_of(&before, root, ordinal), Some(json!([1])));
    let record = insight::record(&before, "Liveness", ordinal)
        .unwrap()
        .unwrap();
    assert_eq!(
        record["groups"][0],
        json!({
            "live": true,
            "countries": ["DE", "FR"],
            "blockers": [],
            "assets": [{ "kind": "dub", "language": "fr" }],
            "nextAt": null,
        })
    );
}

#[test]
fn a_record_comes_back_from_its_json() {
    let schemas = "
        Everything @PrimaryKey(id) { long id; int count; boolean flag; float half; double whole; string name; bytes raw;
            Text text; SetOfText texts; ListOfPair pairs; MapOfTextToPair named; MapOfPairToText odd; Pair nothing; }
        Text { string value; } Pair { long left; Text right; }
        SetOfText Set<Text>; ListOfPair List<Pair>; MapOfTextToPair Map<Text, Pair>; MapOfPairToText Map<Pair, Text>;";
    let schemas = hollow::schema::parse_schemas(schemas).unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    let text = |text: &str| object([("value", Value::String(text.to_owned()))]);
    let pair = |left, right: &str| object([("left", Value::Long(left)), ("right", text(right))]);
    let everything = object([
        ("id", Value::Long(7)),
        ("count", Value::Int(-3)),
        ("flag", Value::Boolean(true)),
        ("half", Value::Float(0.5)),
        ("whole", Value::Double(1e100)),
        ("name", Value::String("12".to_owned())),
        ("raw", Value::Bytes(vec![0, 255, 16])),
        ("text", text("ü")),
        ("texts", Value::Set(BTreeSet::from([text("a"), text("b")]))),
        (
            "pairs",
            Value::List(vec![pair(1, "x"), pair(1, "x"), pair(2, "y")]),
        ),
        (
            "named",
            Value::Map(BTreeMap::from([(text("k"), pair(3, "z"))])),
        ),
        (
            "odd",
            Value::Map(BTreeMap::from([(pair(4, "q"), text("v"))])),
        ),
        ("nothing", Value::Null),
    ]);
    writer.begin_incremental();
    everything.upsert(&mut writer, "Everything").unwrap();
    writer.seal(1 << 32, BTreeMap::new()).unwrap();
    let state = writer.commit().unwrap().clone();
    let ordinal = state
        .type_state("Everything")
        .unwrap()
        .ordinals()
        .next()
        .unwrap();
    let json = insight::record(&state, "Everything", ordinal)
        .unwrap()
        .unwrap();
    let back = insight::from_json(&state, "Everything", &json).unwrap();
    assert_eq!(back, everything);
    for (path, wrong, words) in [
        (
            "id",
            json!("x"),
            "Everything.id: expected a whole number, found \"x\"",
        ),
        ("count", json!(1_i64 << 40), "32 bits"),
        (
            "pairs",
            json!([{ "lift": 1 }]),
            "Everything.pairs[0]: expected left, right and no lift",
        ),
        ("raw", json!("abc"), "hexadecimal"),
        ("odd", json!({ "k": "v" }), "expected an object"),
    ] {
        let mut json = json.clone();
        json[path] = wrong;
        let error = insight::from_json(&state, "Everything", &json)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn another_dataset_is_refused() {
    let schemas = hollow::schema::parse_schemas("Movie @PrimaryKey(id) { long id; }").unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    writer.begin_incremental();
    object([("id", Value::Long(1))])
        .upsert(&mut writer, "Movie")
        .unwrap();
    writer.seal(1 << 32, BTreeMap::new()).unwrap();
    let one = writer.commit().unwrap().clone();
    writer.begin_incremental();
    object([("id", Value::Long(2))])
        .upsert(&mut writer, "Movie")
        .unwrap();
    writer.seal(2 << 32, BTreeMap::new()).unwrap();
    let two = writer.commit().unwrap().clone();
    let comparison = Comparison::new(&one, &two).unwrap();
    let error = verdicts::report(&comparison, &Filter::default(), |_| 0, 1).unwrap_err();
    assert!(error.to_string().contains("not one of liveness"), "{error}");
}

/// Video to country to blockers; no blocker means live.
type Model = BTreeMap<i64, BTreeMap<&'static str, BTreeSet<&'static str>>>;

const COUNTRIES: [&str; 4] = ["DE", "FR", "JP", "US"];
const BLOCKERS: [&str; 3] = ["hold.active", "rights.no-window", "text.no-title"];

fn models() -> impl Strategy<Value = Model> {
    let blockers = prop::collection::btree_set(prop::sample::select(&BLOCKERS[..]), 0..3);
    let countries =
        prop::collection::btree_map(prop::sample::select(&COUNTRIES[..]), blockers, 1..4);
    prop::collection::btree_map(0..6_i64, countries, 0..6)
}

fn write(writer: &mut WriteState, model: &Model, tag: i64) -> ReadState {
    let videos: Vec<Value> = model
        .iter()
        .map(|(&id, countries)| {
            let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (country, blockers) in countries {
                let blockers: Vec<&str> = blockers.iter().copied().collect();
                groups.entry(blockers.join(" ")).or_default().push(country);
            }
            let groups: Vec<(String, String)> = groups
                .into_iter()
                .map(|(blockers, countries)| (countries.join(" "), blockers))
                .collect();
            let groups: Vec<(&str, &str)> = groups
                .iter()
                .map(|(countries, blockers)| (countries.as_str(), blockers.as_str()))
                .collect();
            video(id, &groups)
        })
        .collect();
    let gone: Vec<i64> = (0..6).filter(|id| !model.contains_key(id)).collect();
    cycle(writer, tag, &videos, &gone)
}

/// All pairs that differ: video, country, what they were and are.
fn differing(before: &Model, after: &Model, filter: &Filter) -> BTreeSet<(i64, String, String)> {
    let show = |blockers: Option<&BTreeSet<&str>>| match blockers {
        None => "none".to_owned(),
        Some(blockers) => format!("{blockers:?}"),
    };
    let mut found = BTreeSet::new();
    for video in 0..6 {
        for country in COUNTRIES {
            let at = |model: &Model| model.get(&video).and_then(|all| all.get(country)).cloned();
            let (was, is) = (at(before), at(after));
            let live =
                |blockers: &Option<BTreeSet<_>>| blockers.as_ref().is_some_and(BTreeSet::is_empty);
            let direction = match (live(&was), live(&is)) {
                (false, true) => Some(Direction::Live),
                (true, false) => Some(Direction::Dark),
                _ => None,
            };
            let all =
                |blockers: &Option<BTreeSet<&'static str>>| blockers.clone().unwrap_or_default();
            let moved: BTreeSet<&str> =
                all(&was).symmetric_difference(&all(&is)).copied().collect();
            let wanted = (filter.countries.is_empty() || filter.countries.contains(country))
                && (filter.videos.is_empty() || filter.videos.contains(&video))
                && (filter.blockers.is_empty()
                    || moved.iter().any(|&code| filter.blockers.contains(code)))
                && (filter.only.is_none() || filter.only == direction);
            if was != is && wanted {
                let change = format!("{} -> {}", show(was.as_ref()), show(is.as_ref()));
                found.insert((video, country.to_owned(), change));
            }
        }
    }
    found
}

fn walked(comparison: &Comparison<'_>, filter: &Filter) -> BTreeSet<(i64, String, String)> {
    let mut found = BTreeSet::new();
    verdicts::changes(comparison, filter, |pair| {
        let show = |verdict: Option<verdicts::Verdict<'_>>| match verdict {
            None => "none".to_owned(),
            Some(verdict) => {
                let blockers: BTreeSet<&str> = verdict.blockers().collect();
                assert_eq!(verdict.live, blockers.is_empty());
                format!("{blockers:?}")
            }
        };
        let change = format!("{} -> {}", show(pair.before), show(pair.after));
        assert!(found.insert((pair.video, pair.country.to_owned(), change)));
        Ok::<(), Error>(())
    })
    .unwrap();
    found
}

proptest! {
    #[test]
    fn every_pair_that_differs_is_found_within_a_chain_and_across(
        first in models(),
        second in models(),
        country in prop::option::of(prop::sample::select(&COUNTRIES[..])),
        blocker in prop::option::of(prop::sample::select(&BLOCKERS[..])),
        video in prop::option::of(0..6_i64),
        only in prop::option::of(prop::sample::select(&[Direction::Live, Direction::Dark][..])),
    ) {
        let writer = || WriteState::new(hollow::schema::parse_schemas(SCHEMAS).unwrap(), WriteOptions::default()).unwrap();
        let mut one = writer();
        let before = write(&mut one, &first, 1);
        let after = write(&mut one, &second, 2);
        let other = write(&mut writer(), &second, 3);
        let near = Comparison::within_chain(&before, &after, Digest::of(&before).unwrap()).unwrap();
        let far = Comparison::new(&before, &other).unwrap();
        let filter = Filter {
            countries: country.map(str::to_owned).into_iter().collect(),
            blockers: blocker.map(str::to_owned).into_iter().collect(),
            videos: video.into_iter().collect(),
            only,
        };
        for comparison in [&near, &far] {
            prop_assert_eq!(comparison.is_equal(), first == second);
            prop_assert_eq!(walked(comparison, &filter), differing(&first, &second, &filter));
        }
        prop_assert_eq!(near.after_digest, far.after_digest);

        // Whatever code is left out of those expected is told of.
        let moved: BTreeSet<String> = differing(&first, &second, &Filter::default())
            .into_iter()
            .filter(|(_, _, change)| !change.contains("none"))
            .map(|(_, _, change)| change)
            .collect();
        let expected: BTreeSet<String> = BLOCKERS.iter().map(|&code| code.to_owned()).collect();
        let unexpected = verdicts::unexpected(&near, &expected).unwrap();
        prop_assert!(unexpected.keys().all(|name| name.starts_with("pair ")));
        let all = verdicts::unexpected(&near, &BTreeSet::new()).unwrap();
        prop_assert_eq!(all.keys().any(|name| !name.starts_with("pair ")) || moved.is_empty(), true);
    }
}
