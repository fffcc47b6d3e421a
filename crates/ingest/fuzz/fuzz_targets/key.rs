//! Any bytes as the key of each dataset: what is a key has one canonical form, which is the key again.
//!
//! `cargo +nightly fuzz run -s none key` (librdkafka does not link with a sanitizer, and there is no unsafe code)
#![no_main]

use ingest::{DatasetSpec, embedded_specs};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DATASETS: LazyLock<Vec<DatasetSpec>> = LazyLock::new(|| embedded_specs().expect("the datasets"));

fuzz_target!(|bytes: &[u8]| {
    for spec in DATASETS.iter() {
        let shape = spec.model.key();
        if let Ok(key) = shape.parse(bytes) {
            let again = shape.parse(key.canonical()).expect("the canonical form is a key");
            assert_eq!(again.canonical(), key.canonical());
            assert_eq!(again.values(shape), key.values(shape));
        }
    }
});
