//! Any bytes as a segment of a history: what opens can be read to its end, with errors at most.
//!
//! `cargo +nightly fuzz run history`
#![no_main]

use hollow::history::Segment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The mark in front is always the same, so that the fuzzer need not find it.
    let mut segment = b"HOLLOWH1".to_vec();
    segment.extend_from_slice(bytes);
    if let Ok(segment) = Segment::open(&segment) {
        for change in segment.changes().flatten() {
            let _ = segment.change_of(change.0, &[]);
        }
    }
});
