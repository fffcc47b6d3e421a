//! Any bytes as a value in the wire format: what is split is put together again.
//!
//! `cargo +nightly fuzz run -s none wire` (librdkafka does not link with a sanitizer, and there is no unsafe code)
#![no_main]

use ingest::{split_wire, write_wire_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((id, body)) = split_wire(bytes) {
        let mut again = Vec::new();
        write_wire_header(id, &mut again);
        again.extend_from_slice(body);
        assert_eq!(again, bytes);
    }
});
