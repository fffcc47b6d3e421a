//! From the Avro of real change records to the records of their datasets: ours, which any schema drives, beside the Avro
//! library's tree of values, and beside decoders written by hand for one schema each.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use apache_avro::reader::datum::GenericDatumReader;
use bench_table::Line;
use hollow::Ordinal;
use ingest::avro::{Plan, RecordSink, Transcoder};
use ingest::{DatasetSpec, Key, embedded_specs};
use serde::Deserialize;
use serde_json::Value;

use crate::by_hand::{self, Decoder};
use crate::{Error, Result, median};

/// The datasets that are measured.
pub const DATASETS: [&str; 2] = ["rights", "assets"];
/// Records of each.
const RECORDS: usize = 20_000;
/// Alternating runs of which the median counts.
const RUNS: usize = 7;

/// Takes records and hands out ordinals, as a write state does, without keeping anything: both sides give it the same, and
/// what is measured is how they get there.
#[derive(Debug, Default)]
pub struct Counting {
    next: Ordinal,
}

impl RecordSink for Counting {
    type Error = Infallible;

    #[inline]
    fn add(
        &mut self,
        type_index: usize,
        record: &[u8],
    ) -> std::result::Result<Ordinal, Infallible> {
        black_box((type_index, record));
        self.next += 1;
        Ok(self.next & 0xffff)
    }
}

/// The records of one dataset, and everything that reads them.
pub struct Bench {
    spec: DatasetSpec,
    plan: Plan,
    by_hand: Decoder,
    records: Vec<(Key, Vec<u8>)>,
    transcoder: Transcoder,
}

#[derive(Deserialize)]
struct Recorded {
    key: Vec<Value>,
    value: Option<Value>,
}

impl Bench {
    /// The first records of a dataset in the recorded scenario.
    ///
    /// # Errors
    /// Where the scenario or the configuration can't be read.
    pub fn new(dataset: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay/catalogue/base");
        let path = path.join(format!("{dataset}.jsonl.zst"));
        let wrong = |reason: String| Error::Scenario {
            path: path.clone(),
            reason,
        };
        let mut specs = embedded_specs()?;
        specs.retain(|spec| spec.name.name() == dataset);
        let spec = specs
            .pop()
            .ok_or_else(|| wrong("there is no such dataset".to_owned()))?;
        let plan = spec.plan(&spec.schema).map_err(wrong)?;
        let io = |source| Error::Io {
            what: format!("read {}", path.display()),
            source,
        };
        let file = std::fs::File::open(&path).map_err(io)?;
        let lines = BufReader::new(zstd::stream::read::Decoder::new(file).map_err(io)?).lines();
        let mut records = Vec::new();
        for line in lines.take(RECORDS) {
            let recorded: Recorded = serde_json::from_str(&line.map_err(io)?)
                .map_err(|error| wrong(error.to_string()))?;
            let Some(value) = recorded.value else {
                continue;
            };
            let mut body = Vec::new();
            spec.schema.encode_json(&value, &mut body)?;
            let key = Value::from(recorded.key).to_string();
            let key = spec.model.key().parse(key.as_bytes());
            records.push((key.map_err(|poison| wrong(poison.to_string()))?, body));
        }
        let by_hand = by_hand::decoder(&spec)
            .ok_or_else(|| wrong("no decoder is written for it".to_owned()))?;
        Ok(Self {
            spec,
            plan,
            by_hand,
            records,
            transcoder: Transcoder::new(),
        })
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All records by the compiled walk, as in a cycle of their own.
    ///
    /// # Errors
    /// Where one can't be read.
    pub fn ours(&mut self, sink: &mut impl RecordSink<Error = Infallible>) -> Result<()> {
        self.transcoder.forget();
        for (key, body) in &self.records {
            match self.transcoder.transcode(&self.plan, key, body, sink) {
                Ok(root) => black_box(root),
                Err(fault) => return Err(unreadable(&self.spec, format!("{fault:?}"))),
            };
        }
        Ok(())
    }

    /// All records by hand.
    ///
    /// # Errors
    /// Where one can't be read.
    pub fn by_hand(&self, sink: &mut impl RecordSink<Error = Infallible>) -> Result<()> {
        let mut memory = by_hand::Memory::default();
        for (key, body) in &self.records {
            match self.by_hand.decode(key, body, &mut memory, sink) {
                Some(root) => black_box(root),
                None => return Err(unreadable(&self.spec, "by hand".to_owned())),
            };
        }
        Ok(())
    }

    /// All records as the library's values.
    ///
    /// # Errors
    /// Those of the library.
    pub fn library(&self) -> Result<()> {
        let schema = apache_avro::Schema::parse_str(self.spec.schema.text())?;
        let reader = GenericDatumReader::builder(&schema).build()?;
        for (_, body) in &self.records {
            black_box(reader.read_value(&mut &body[..])?);
        }
        Ok(())
    }
}

fn unreadable(spec: &DatasetSpec, reason: String) -> Error {
    Error::Scenario {
        path: spec.topic.clone().into(),
        reason: format!("a record can't be read: {reason}"),
    }
}

/// The rows of the table.
///
/// # Errors
/// Those of [`Bench::new`] and the library.
pub fn lines() -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for dataset in DATASETS {
        let mut bench = Bench::new(dataset)?;
        let records = bench.len() as f64;
        let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut measure = |name, run: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            let began = Instant::now();
            run()?;
            let nanoseconds = began.elapsed().as_secs_f64() * 1e9 / records;
            times.entry(name).or_default().push(nanoseconds);
            Ok(())
        };
        for _ in 0..RUNS {
            measure("ours", &mut || bench.ours(&mut Counting::default()))?;
            measure("by hand", &mut || bench.by_hand(&mut Counting::default()))?;
            measure("library", &mut || bench.library())?;
        }
        let of = |name: &str| median(times.get(name).cloned().unwrap_or_default());
        let (ours, by_hand) = (of("ours"), of("by hand"));
        lines.push(Line {
            row: format!("transcode {dataset}, against apache-avro's Value"),
            ours,
            peer: of("library"),
            unit: "ns/record",
            goal: 10.0,
        });
        lines.push(Line {
            row: format!("transcode {dataset}, times a decoder by hand"),
            ours: ours / by_hand,
            peer: 3.0,
            unit: "times",
            goal: 1.0,
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it gets, once, as a write state does.
    #[derive(Default)]
    struct Kept(Vec<(usize, Vec<u8>)>);

    impl RecordSink for Kept {
        type Error = Infallible;

        fn add(
            &mut self,
            type_index: usize,
            record: &[u8],
        ) -> std::result::Result<Ordinal, Infallible> {
            let record = (type_index, record.to_vec());
            let at = self.0.iter().position(|known| *known == record);
            let at = at.unwrap_or_else(|| {
                self.0.push(record);
                self.0.len() - 1
            });
            Ok(at as Ordinal)
        }
    }

    #[test]
    fn the_decoders_by_hand_make_the_same_records() {
        for dataset in DATASETS {
            let mut bench = Bench::new(dataset).unwrap();
            bench.records.truncate(2_000);
            let (mut ours, mut by_hand) = (Kept::default(), Kept::default());
            bench.ours(&mut ours).unwrap();
            bench.by_hand(&mut by_hand).unwrap();
            assert!(!bench.is_empty() && ours.0 == by_hand.0, "{dataset}");
            for (key, body) in &bench.records.clone() {
                bench.transcoder.forget();
                let root = bench
                    .transcoder
                    .transcode(&bench.plan, key, body, &mut Kept::default())
                    .unwrap();
                let mut memory = by_hand::Memory::default();
                let same = bench
                    .by_hand
                    .decode(key, body, &mut memory, &mut Kept::default());
                assert_eq!(same, Some(root), "{dataset}");
            }
            bench.library().unwrap();
        }
    }
}
