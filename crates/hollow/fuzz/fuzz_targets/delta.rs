//! Any bytes as a delta or reverse delta of the states of a few vectors, chosen by the origin tag.
//!
//! `cargo +nightly fuzz run delta fuzz/corpus/delta tests/vectors/tiny tests/vectors/all-types`
#![no_main]

use hollow::{BlobHeader, Filter, ReadState};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

mod walk;

macro_rules! snapshots {
    ($($path:literal),* $(,)?) => {
        [$(&include_bytes!(concat!("../../tests/vectors/", $path))[..]),*]
    };
}

static STATES: LazyLock<Vec<ReadState>> = LazyLock::new(|| {
    snapshots![
        "tiny/snapshot-1",
        "tiny/snapshot-2",
        "all-types/snapshot-1",
        "all-types/snapshot-2",
        "all-types/snapshot-3",
        "restore/snapshot-3",
        "restore/snapshot-4",
        "optional-parts/snapshot-1",
        "optional-parts/snapshot-2",
        "schema-evolution/snapshot-1",
        "schema-evolution/snapshot-3",
    ]
    .into_iter()
    .filter_map(|bytes| ReadState::from_snapshot(bytes, &Filter::all()).ok())
    .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = BlobHeader::read(bytes) else { return };
    for state in STATES.iter().filter(|state| state.tag() == header.origin_tag) {
        let applied = state.apply(bytes);
        // Comparing reads the same, and meets the same damage.
        assert_eq!(state.changes_towards(bytes, state).is_err(), applied.is_err());
        if let Ok((next, changes)) = applied {
            let towards = state.changes_towards(bytes, &next);
            assert_eq!(towards.ok().flatten().as_ref(), Some(&changes));
            walk::walk(&next);
            for (before, after) in state.types().zip(next.types()) {
                let found = after.changed_ordinals(before);
                let told = changes.of(after.name()).cloned().unwrap_or_default();
                assert!(found.added.iter().all(|ordinal| told.added.contains(ordinal)));
                assert!(found.removed.iter().all(|ordinal| told.removed.contains(ordinal)));
            }
        }
    }
});
