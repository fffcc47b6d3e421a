//! Any bytes as a serialized record of each kind.
//!
//! `cargo +nightly fuzz run record`
#![no_main]

use hollow::Schema;
use hollow::record::validate;
use hollow::schema::parse_schemas;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    parse_schemas(
        "A { int i; string s; long l; boolean b; bytes y; float f; double d; string t; A r; }
         L List<A>; S Set<A>; M Map<A, A>;",
    )
    .expect("schemas")
});

fuzz_target!(|bytes: &[u8]| {
    for schema in SCHEMAS.iter() {
        let _ = validate(schema, bytes);
    }
});
