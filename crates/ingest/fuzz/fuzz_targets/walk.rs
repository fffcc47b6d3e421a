//! Any bytes as the value of each dataset, plain and in an envelope: whatever comes out are valid records, and the same ones
//! when the transcoder has met the bytes before.
//!
//! `cargo +nightly fuzz run -s none walk` (librdkafka does not link with a sanitizer, and there is no unsafe code)
#![no_main]

use hollow::{Ordinal, Schema};
use ingest::avro::{AvroSchema, Plan, RecordSink, Transcoder};
use ingest::{DatasetSpec, Key, embedded_specs};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;
use std::sync::LazyLock;

/// Keeps records as a write state does, each once.
struct Checking<'a>(&'a [Schema], Vec<(usize, Vec<u8>)>);

impl RecordSink for Checking<'_> {
    type Error = Infallible;

    fn add(&mut self, type_index: usize, record: &[u8]) -> Result<Ordinal, Infallible> {
        hollow::record::validate(&self.0[type_index], record).expect("a valid record");
        let is_it = |known: &(usize, Vec<u8>)| known.0 == type_index && known.1 == record;
        let at = self.1.iter().position(is_it).unwrap_or_else(|| {
            self.1.push((type_index, record.to_vec()));
            self.1.len() - 1
        });
        Ok(u32::try_from(at).expect("few records"))
    }
}

/// Keys that are short enough to be met: a value whose key field says something else is refused there.
const KEYS: [&str; 4] = ["[0]", r#"[0,"en"]"#, r#"[0,"dub","en"]"#, r#"["DE"]"#];

static DATASETS: LazyLock<Vec<(DatasetSpec, Key, Plan, Plan)>> = LazyLock::new(|| {
    let plans = |spec: DatasetSpec| {
        let row = spec.schema.text();
        let envelope = format!(
            r#"{{"type": "record", "name": "Envelope", "fields": [
                {{"name": "before", "type": ["null", {row}]}},
                {{"name": "after", "type": ["null", "greenlight.{}"]}},
                {{"name": "source", "type": {{"type": "record", "name": "Source", "fields": [
                    {{"name": "lsn", "type": ["null", "long"]}}]}}}},
                {{"name": "op", "type": "string"}}]}}"#,
            spec.schema.root_type()
        );
        let envelope = AvroSchema::parse(&envelope, "envelope").expect("a schema");
        let enveloped = Plan::compile_enveloped(&envelope, "source.lsn", &spec.model, &spec.intervals);
        let plain = spec.plan(&spec.schema).expect("a plan");
        let key = KEYS.iter().find_map(|key| spec.model.key().parse(key.as_bytes()).ok());
        (spec, key.expect("a key"), plain, enveloped.expect("a plan"))
    };
    embedded_specs().expect("the datasets").into_iter().map(plans).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let (spec, key, plain, enveloped) = &DATASETS[usize::from(choice) % DATASETS.len()];
    let plan = if choice < 128 { plain } else { enveloped };
    let Ok(event) = plan.open(body) else { return };
    let Some(row) = event.row else { return };
    let mut sink = Checking(spec.model.schemas(), Vec::new());
    let mut transcoder = Transcoder::new();
    let first = transcoder.transcode(plan, key, row, &mut sink).map(<[u8]>::to_vec);
    let again = transcoder.transcode(plan, key, row, &mut sink);
    assert_eq!(first.ok().as_deref(), again.ok());
});
