//! Damaged blobs give typed errors or valid states, and never a panic.
//!
//! Every blob of the vectors is cut and altered at many places; what still loads is walked through completely, so that
//! a damage which is found only on access shows up as well.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hollow::{Error, Filter, ReadState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::numbers::Numbers;
use support::{Blob, Case, cases, rendered};

/// Reads the blob and, if that works, everything in the state. A rendering checks lookups against iteration on its way,
/// which may fail where buckets are not where hashes say: that is no damage that a reader could see.
fn read(blob: &Blob, before: Option<&ReadState>) -> Result<(), Error> {
    let state = match before {
        None => blob.load(&Filter::all())?,
        Some(before) => {
            let applied = blob.apply(before);
            // Comparing reads the same, and meets the same damage.
            let compared = blob.with(|set| before.changes_towards(set, before));
            assert_eq!(
                applied.is_err(),
                compared.is_err(),
                "{applied:?}, {compared:?}"
            );
            applied?
        }
    };
    let mut record = Vec::new();
    for state in state.types() {
        assert_eq!(state.ordinals().count(), state.count(), "{}", state.name());
        for ordinal in state.ordinals().take(2000) {
            record.clear();
            state.serialize(ordinal, &mut record);
            if let Some(view) = state.object(ordinal) {
                let _ = format!("{view:?}");
            }
            if let Some(set) = state.set(ordinal) {
                assert_eq!(set.iter().count(), set.len());
                let _ = set.contains(ordinal);
            }
            if let Some(map) = state.map(ordinal) {
                assert_eq!(map.iter().count(), map.len());
                let _ = map.get(ordinal);
            }
        }
    }
    let _ = (state.checksum(), state.heap_bytes());
    Ok(())
}

fn is_typed(error: &Error) -> bool {
    matches!(
        error,
        Error::InBlob { .. }
            | Error::Version { .. }
            | Error::WrongOrigin { .. }
            | Error::WrongPart { .. }
            | Error::MissingPart { .. }
    )
}

fn check(blob: &Blob, before: Option<&ReadState>, what: &str) {
    let result = catch_unwind(AssertUnwindSafe(|| read(blob, before)));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => assert!(is_typed(&error), "{what}: {error:?}"),
        Err(_) => panic!("panicked on {what}"),
    }
}

/// Each blob with the state that it applies to.
fn blobs(case: &Case) -> Vec<(Blob, Option<ReadState>)> {
    let versions = case.versions();
    let mut state = case
        .snapshot(versions[0])
        .unwrap()
        .load(&Filter::all())
        .unwrap();
    let mut blobs = vec![(case.snapshot(versions[0]).unwrap(), None)];
    for pair in versions.windows(2).take(4) {
        let delta = case.delta(pair[0], pair[1]).unwrap();
        let next = delta.apply(&state).unwrap();
        blobs.push((delta, Some(state)));
        blobs.push((
            case.reverse_delta(pair[1], pair[0]).unwrap(),
            Some(next.clone()),
        ));
        state = next;
    }
    blobs.extend(
        case.snapshot(*versions.last().unwrap())
            .map(|blob| (blob, None)),
    );
    blobs
}

#[test]
fn truncated() {
    for case in cases().iter().filter(|case| case.name != "big-100k") {
        for (blob, before) in blobs(case) {
            let length = blob.main.len();
            // Populated ordinals end in kilobytes of zeros; every length would be the same there.
            for cut in (0..length).filter(|cut| *cut < 600 || cut % 97 == 0) {
                let mut short = blob.clone();
                short.main.truncate(cut);
                check(
                    &short,
                    before.as_ref(),
                    &format!("{} cut to {cut}", blob.file),
                );
                if blob.parts.is_empty() {
                    let error = read(&short, before.as_ref()).expect_err("a cut blob");
                    assert!(is_typed(&error));
                }
            }
            for part in 0..blob.parts.len() {
                for cut in (0..blob.parts[part].1.len()).step_by(7) {
                    let mut short = blob.clone();
                    short.parts[part].1.truncate(cut);
                    check(
                        &short,
                        before.as_ref(),
                        &format!("{} part cut to {cut}", blob.file),
                    );
                }
            }
        }
    }
}

#[test]
fn altered() {
    let seed = 0x5eed_0001;
    println!("seed {seed:#x}");
    let mut numbers = Numbers(seed);
    std::panic::set_hook(Box::new(|_| {}));
    for case in cases().iter().filter(|case| case.name != "big-100k") {
        for (blob, before) in blobs(case) {
            for _ in 0..400 {
                let mut bad = blob.clone();
                let which = numbers.below(bad.parts.len() + 1);
                let bytes = match which {
                    0 => &mut bad.main,
                    part => &mut bad.parts[part - 1].1,
                };
                let mut told = Vec::new();
                for _ in 0..=numbers.below(2) {
                    let limit = bytes.len().min(if numbers.below(3) == 0 {
                        bytes.len()
                    } else {
                        1500
                    });
                    let at = numbers.below(limit);
                    let value = match numbers.below(4) {
                        0 => 0,
                        1 => 0xff,
                        2 => bytes[at] ^ 1 << numbers.below(8),
                        _ => numbers.next() as u8,
                    };
                    bytes[at] = value;
                    told.push((at, value));
                }
                let what = format!("{} with {told:?} in stream {which}", blob.file);
                check(&bad, before.as_ref(), &what);
            }
        }
    }
    let _ = std::panic::take_hook();
}

#[test]
fn bytes_after_the_end_are_ignored() {
    for case in cases().iter().filter(|case| case.name != "big-100k") {
        for (blob, before) in blobs(case) {
            let read = |blob: &Blob| match &before {
                None => blob.load(&Filter::all()).unwrap(),
                Some(before) => blob.apply(before).unwrap(),
            };
            let mut long = blob.clone();
            long.main.extend([0xff; 9]);
            assert_eq!(
                rendered(&read(&long), true),
                rendered(&read(&blob), true),
                "{}",
                blob.file
            );
        }
    }
}
