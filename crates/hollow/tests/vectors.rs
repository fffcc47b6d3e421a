//! Every blob of the vectors reads to the records, checksums and tags that Java Hollow saw, over every path.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hollow::{BlobHeader, Error, Filter, ReadState};
use support::{Case, assert_state, case, cases};

#[test]
fn snapshots() {
    for case in cases() {
        for version in case.versions() {
            let Some(snapshot) = case.snapshot(version) else {
                continue;
            };
            let state = snapshot.load(&Filter::all()).unwrap();
            let expected = case.expected(&version.to_string()).unwrap();
            assert_state(&state, &expected, &snapshot.file);
            for state in state.types() {
                let max = &expected["types"][state.name()]["maxOrdinal"];
                assert_eq!(
                    *max,
                    state.max_ordinal(),
                    "{}: {}",
                    snapshot.file,
                    state.name()
                );
            }
        }
    }
}

/// The expected state after a walk that started at the snapshot of `start`.
fn expected(case: &Case, version: u64, path: &str, start: u64) -> serde_json::Value {
    case.expected(&format!("{version}-via-{path}-from-{start}"))
        .or_else(|| case.expected(&version.to_string()))
        .unwrap()
}

#[test]
fn deltas_and_back() {
    for case in cases() {
        let versions = case.versions();
        let mut state = case
            .snapshot(versions[0])
            .unwrap()
            .load(&Filter::all())
            .unwrap();
        let mut states = vec![state.clone()];
        for pair in versions.windows(2) {
            let delta = case.delta(pair[0], pair[1]).unwrap();
            state = delta.apply(&state).unwrap();
            assert_state(
                &state,
                &expected(&case, pair[1], "delta", versions[0]),
                &delta.file,
            );
            states.push(state.clone());
        }
        // Across a change of the schema what comes back depends on the path: the field that the writer dropped is gone.
        if case.name == "schema-evolution" {
            continue;
        }
        for (pair, before) in versions.windows(2).zip(&states).rev() {
            let delta = case.reverse_delta(pair[1], pair[0]).unwrap();
            state = delta.apply(&state).unwrap();
            assert_state(
                &state,
                &expected(&case, pair[0], "delta", versions[0]),
                &delta.file,
            );
            assert!(same_records(&state, before), "{}", delta.file);
        }
        // The states on the way are as they were.
        for (version, state) in versions.iter().zip(&states) {
            assert_state(
                state,
                &expected(&case, *version, "delta", versions[0]),
                case.name,
            );
        }
    }
}

fn same_records(a: &ReadState, b: &ReadState) -> bool {
    a.types()
        .zip(b.types())
        .all(|(a, b)| a.changed_ordinals(b).is_empty())
}

#[test]
fn back_from_the_last_snapshot() {
    for case in cases() {
        let versions = case.versions();
        let last = *versions.last().unwrap();
        let Some(snapshot) = case.snapshot(last) else {
            continue;
        };
        let mut state = snapshot.load(&Filter::all()).unwrap();
        for pair in versions.windows(2).rev() {
            let delta = case.reverse_delta(pair[1], pair[0]).unwrap();
            state = delta.apply(&state).unwrap();
            assert_state(
                &state,
                &expected(&case, pair[0], "reversedelta", last),
                &delta.file,
            );
        }
    }
}

#[test]
fn changes_are_what_differs() {
    for case in cases() {
        let versions = case.versions();
        let mut state = case
            .snapshot(versions[0])
            .unwrap()
            .load(&Filter::all())
            .unwrap();
        for pair in versions.windows(2) {
            let delta = case.delta(pair[0], pair[1]).unwrap();
            let (next, changes) = delta.with(|blob| state.apply(blob)).unwrap();
            for (before, after) in state.types().zip(next.types()) {
                let changed = after.changed_ordinals(before);
                let told = changes.of(after.name()).cloned().unwrap_or_default();
                assert_eq!(
                    told.removed,
                    changed.removed,
                    "{}: {}",
                    delta.file,
                    after.name()
                );
                assert_eq!(
                    told.added,
                    changed.added,
                    "{}: {}",
                    delta.file,
                    after.name()
                );
            }
            state = next;
        }
    }
}

#[test]
fn filtered() {
    let case = case("schema-evolution").unwrap();
    let filter = Filter::all()
        .exclude_type("Tags")
        .exclude_field("Item", "name");
    let state = case.snapshot(2).unwrap().load(&filter).unwrap();
    assert_state(
        &state,
        &case.expected("2-filtered").unwrap(),
        "filtered snapshot 2",
    );
    let state = case.delta(2, 3).unwrap().apply(&state).unwrap();
    assert_state(
        &state,
        &case.expected("3-filtered-via-delta").unwrap(),
        "filtered delta 2-3",
    );
}

#[test]
fn without_the_parts() {
    let case = case("optional-parts").unwrap();
    let state = case
        .snapshot(1)
        .unwrap()
        .main_only()
        .load(&Filter::all())
        .unwrap();
    assert_state(
        &state,
        &case.expected("1-main-only").unwrap(),
        "main only, snapshot 1",
    );
    let state = case.delta(1, 2).unwrap().main_only().apply(&state).unwrap();
    assert_state(
        &state,
        &case.expected("2-main-only").unwrap(),
        "main only, delta 1-2",
    );
}

#[test]
fn parts_must_belong() {
    let case = case("optional-parts").unwrap();
    let snapshot = case.snapshot(1).unwrap();
    let state = snapshot.load(&Filter::all()).unwrap();
    assert_eq!(state.parts().collect::<Vec<_>>(), ["extra", "lists"]);
    let delta = case.delta(1, 2).unwrap();
    let missing = delta.main_only().apply(&state).unwrap_err();
    assert_eq!(
        missing,
        Error::MissingPart {
            part: "extra".to_owned()
        }
    );
    let mut renamed = delta.clone();
    renamed.parts[0].0 = "lists".to_owned();
    renamed.parts[1].0 = "extra".to_owned();
    assert!(matches!(
        renamed.apply(&state).unwrap_err(),
        Error::WrongPart { what: "name", .. }
    ));
    let mut other = snapshot.clone();
    other.parts = case.snapshot(2).unwrap().parts;
    let error = other.load(&Filter::all()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongPart {
                what: "origin tag",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_delta_from_elsewhere_changes_nothing() {
    let case = case("restore").unwrap();
    let state = case.snapshot(1).unwrap().load(&Filter::all()).unwrap();
    let error = case.delta(2, 3).unwrap().apply(&state).unwrap_err();
    assert!(matches!(error, Error::WrongOrigin { expected, .. } if expected == state.tag()));
    let state = case.delta(1, 2).unwrap().apply(&state).unwrap();
    assert_state(&state, &case.expected("2").unwrap(), "after the error");
}

#[test]
fn header_blobs() {
    let case = case("producer").unwrap();
    for version in case.versions() {
        let header = BlobHeader::read(&case.header(version).unwrap()).unwrap();
        let snapshot = case.snapshot(version).unwrap();
        assert_eq!(header, BlobHeader::read(&snapshot.main).unwrap());
        let state = snapshot.load(&Filter::all()).unwrap();
        assert_eq!(&header.tags, state.header_tags());
        assert_eq!(header.origin_tag, state.origin_tag());
        assert!(header.schemas.iter().eq(state.schemas()));
    }
}

#[test]
fn common_checksums() {
    let case = case("schema-evolution").unwrap();
    let load = |version| {
        case.snapshot(version)
            .unwrap()
            .load(&Filter::all())
            .unwrap()
    };
    let (one, two) = (load(1), load(2));
    let via_delta = case.delta(1, 2).unwrap().apply(&one).unwrap();
    assert_eq!(
        via_delta.checksum_common(&two).unwrap(),
        two.checksum_common(&one).unwrap()
    );
    assert_eq!(one.checksum_common(&one).unwrap(), one.checksum());
}
