//! Any bytes as a schema in its binary form, any text in its text form; what is parsed comes back from what it prints.
//!
//! `cargo +nightly fuzz run schema`
#![no_main]

use hollow::Schema;
use hollow::codec::Cursor;
use hollow::schema::{parse_schemas, schema_hash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(schema) = Schema::read(&mut Cursor::new(bytes)) {
        let mut out = Vec::new();
        schema.write(&mut out).expect("a schema that was read");
        assert_eq!(Schema::read(&mut Cursor::new(&out)).as_ref(), Ok(&schema));
        let _ = (schema.to_string(), schema_hash([&schema]));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(schemas) = parse_schemas(text)
    {
        let printed: String = schemas.iter().map(|schema| format!("{schema}\n")).collect();
        assert_eq!(parse_schemas(&printed).as_ref(), Ok(&schemas));
    }
});
