//! Reports on a hand-made `liveness` chain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use hollow::write::{WriteOptions, WriteState};
use hollow::{KeyValue, ReadState, Value};
use insight::diff::Change;
use insight::verdicts::Flips;
use serde_json::json;

const SCHEMAS: &str = "
    Liveness @PrimaryKey(video) { long video; ListOfGroup groups; }
    ListOfGroup List<Group>;
    Group { boolean live; SetOfCountry countries; SetOfBlocker blockers; long nextAt; }
    SetOfCountry Set<Country>; Country { string code; }
    SetOfBlocker Set<Blocker>; Blocker { string code; }";

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
    let group = |(countries, blockers): &(&str, &str)| {
        object([
            ("live", Value::Boolean(blockers.is_empty())),
            ("countries", codes(countries)),
            ("blockers", codes(blockers)),
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
fn flips_are_counted_by_pair_blocker_country_and_video() {
    let (before, after) = chain();
    let report = insight::verdicts::report(&before, &after, |video| 10 * video as u64, 2).unwrap();
    assert_eq!((report.went_live, report.went_dark), (3, 1));
    let flips = |name: &str, went_live, went_dark| Flips {
        name: name.to_owned(),
        went_live,
        went_dark,
    };
    // US of video 1 lacked a rating; FR of video 2 had two blockers; DE of video 2 is held now.
    assert_eq!(
        report.blockers,
        [
            flips("hold.active", 1, 1),
            flips("rating.missing", 1, 0),
            flips("rights.no-window", 1, 0)
        ]
    );
    assert_eq!(
        report.countries,
        [
            flips("DE", 0, 1),
            flips("FR", 1, 0),
            flips("JP", 1, 0),
            flips("US", 1, 0)
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
    let report = insight::diff::report(&before, &after, 3).unwrap();
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
}

#[test]
fn equal_states_are_proven_so() {
    let (before, _) = chain();
    let report = insight::diff::report(&before, &before, 10).unwrap();
    assert!(report.equal && report.records.is_empty());
    let verdicts = insight::verdicts::report(&before, &before, |_| 0, 10).unwrap();
    assert_eq!((verdicts.went_live, verdicts.went_dark), (0, 0));
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
        json!({ "live": true, "countries": ["DE", "FR"], "blockers": [], "nextAt": null })
    );
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
    let error = insight::verdicts::report(&one, &two, |_| 0, 1).unwrap_err();
    assert!(error.to_string().contains("not one of liveness"), "{error}");
}
