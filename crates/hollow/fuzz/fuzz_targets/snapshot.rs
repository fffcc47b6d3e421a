//! Any bytes as a snapshot, as an optional part of a small one, and as a header blob.
//!
//! `cargo +nightly fuzz run snapshot fuzz/corpus/snapshot tests/vectors/tiny tests/vectors/all-types`
#![no_main]

use hollow::{BlobHeader, BlobSet, Filter, ReadState};
use libfuzzer_sys::fuzz_target;

mod walk;

const MAIN: &[u8] = include_bytes!("../../tests/vectors/optional-parts/snapshot-1");

fuzz_target!(|bytes: &[u8]| {
    let _ = BlobHeader::read(bytes);
    if let Ok(state) = ReadState::from_snapshot(bytes, &Filter::all()) {
        walk::walk(&state);
    }
    for name in ["extra", "lists"] {
        let parts = [(name, bytes)];
        let blob = BlobSet { main: MAIN, parts: &parts };
        if let Ok(state) = ReadState::from_snapshot(blob, &Filter::all()) {
            walk::walk(&state);
        }
    }
});
