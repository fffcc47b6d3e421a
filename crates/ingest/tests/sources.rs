//! Files as sources, the sweeper, dry runs and schedules, on the embedded log.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

use changelog::{Batch, PollLimit, Position, Record};
use ingest::sweep::{
    Comparison, FileConfig, Reads, Row, Source, SourceConfig, SweepJob, SweepOptions, SweepReport,
    SweepScheduler, Sweeper, compare,
};
use ingest::{Channel, Error, IncrementalProducer};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use support::{World, delete, item, key, value};

const ALL: &str = "source_versions = \"required\"\nsweep_delete_share_max = 1.0";

/// Row `id` as a source has it, with its version beside the fields.
fn row(id: i64, version: i64) -> Value {
    let mut row = value(id, "en", version.unsigned_abs() * 5 + 1);
    row["version"] = json!(version);
    row
}

fn write_file(world: &World, name: &str, rows: &[Value]) -> PathBuf {
    let path = world.dir.path().join(name);
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let bytes = match plain.rsplit_once('.').unwrap().1 {
        "avro" => avro_file(world, name, rows),
        "csv" => csv_file(rows),
        _ => rows
            .iter()
            .flat_map(|row| format!("{row}\n").into_bytes())
            .collect(),
    };
    let bytes = if name.ends_with(".gz") {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        gzip.finish().unwrap()
    } else if name.ends_with(".zst") {
        zstd::encode_all(&bytes[..], 1).unwrap()
    } else {
        bytes
    };
    std::fs::write(&path, bytes).unwrap();
    path
}

fn csv_file(rows: &[Value]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = ["id", "language", "text", "tags", "spans", "version"];
    writer.write_record(columns).unwrap();
    for row in rows {
        let cell = |column: &&str| match &row[*column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        writer.write_record(columns.iter().map(cell)).unwrap();
    }
    writer.into_inner().unwrap()
}

/// An object container whose schema is the dataset's, with the version beside its fields.
fn avro_file(world: &World, name: &str, rows: &[Value]) -> Vec<u8> {
    use apache_avro::{Codec, DeflateSettings, Schema, Writer, ZstandardSettings};
    let schema = world.spec.schema.text().replacen(
        r#""fields": ["#,
        r#""fields": [{"name": "version", "type": "long"}, "#,
        1,
    );
    let schema = Schema::parse_str(&schema).unwrap();
    let codec = match name.split('.').next().unwrap() {
        "deflate" => Codec::Deflate(DeflateSettings::default()),
        "snappy" => Codec::Snappy,
        "zstandard" => Codec::Zstandard(ZstandardSettings::default()),
        _ => Codec::Null,
    };
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    for row in rows {
        let value = apache_avro::types::Value::try_from(row.clone()).unwrap();
        writer
            .append_value(value.resolve(&schema).unwrap())
            .unwrap();
    }
    writer.into_inner().unwrap()
}

fn open(world: &World, path: &Path) -> Box<dyn Source> {
    let config = SourceConfig::of_file(path.to_owned());
    config.open(&world.spec, &*world.schemas).unwrap()
}

fn options(world: &World) -> SweepOptions {
    let now_ms = world.now_ms;
    SweepOptions {
        batch_rows: 10,
        state_dir: Some(world.dir.path().join("sweeper")),
        ..SweepOptions::new(Arc::new(move || now_ms))
    }
}

fn sweeper(world: &World) -> Sweeper {
    Sweeper::new(world.spec.clone(), Arc::clone(world.log()), options(world)).unwrap()
}

fn sweep(world: &World, source: &mut dyn Source) -> ingest::Result<SweepReport> {
    sweeper(world).run(source, &mut |_| {})
}

/// A world with ids 1 to 40 at version 1, folded.
fn forty() -> (World, IncrementalProducer) {
    let mut world = World::with(ALL);
    world.create_topics();
    let records: Vec<_> = (1..=40).map(|id| item(&world, id, "en", 1, 6)).collect();
    world.send(Channel::Changes, &records);
    let mut producer = world.open(None).unwrap();
    settle(&mut world, &mut producer);
    (world, producer)
}

fn settle(world: &mut World, producer: &mut IncrementalProducer) {
    for _ in 0..10 {
        world.cycle(producer).unwrap();
        let progress = producer.progress();
        if progress.pending == 0 && progress.behind == 0 {
            return;
        }
    }
    panic!("{:?}", producer.progress());
}

/// All that lies in `D.sweep`.
fn swept(world: &World) -> Vec<Record> {
    let ends = world.log().end_offsets("items.sweep").unwrap();
    let start = Position::of_all(&vec![0; ends.len()]);
    let mut consumer = world.log().consumer("items.sweep", &start).unwrap();
    let (mut batch, mut records) = (Batch::new(), Vec::new());
    while consumer
        .poll(&mut batch, PollLimit::default(), Duration::ZERO)
        .unwrap()
        > 0
    {
        records.extend(batch.records().map(|record| record.to_record()));
    }
    records
}

fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(known, _)| known == name)?;
    Some(std::str::from_utf8(value).unwrap())
}

fn controls(world: &World, control: &str) -> usize {
    let is = |record: &&Record| header(record, "gl-control") == Some(control);
    swept(world).iter().filter(is).count()
}

fn live(world: &World) -> usize {
    world.load().unwrap().type_state("Item").unwrap().count()
}

#[test]
fn every_kind_of_file_heals_the_same() {
    let mut digests = Vec::new();
    for name in [
        "plain.jsonl",
        "packed.ndjson.gz",
        "packed.jsonl.zst",
        "table.csv",
        "table.csv.gz",
        "null.avro",
        "deflate.avro",
        "snappy.avro",
        "zstandard.avro",
    ] {
        let (mut world, mut producer) = forty();
        // 1 to 3 are gone, 4 changed, 41 is new; nobody said so.
        let rows: Vec<_> = (4..=41)
            .map(|id| row(id, if [4, 41].contains(&id) { 9 } else { 1 }))
            .collect();
        let path = write_file(&world, name, &rows);
        let mut source = open(&world, &path);
        let report = sweep(&world, &mut *source).unwrap();
        assert_eq!(
            (report.as_of, report.rows, report.unfit),
            (9, 38, 0),
            "{name}"
        );
        // Once for as-of, once for the rows.
        let reads = Reads {
            rows: 76,
            requests: 2,
        };
        assert_eq!(report.reads, reads, "{name}");
        settle(&mut world, &mut producer);
        let counts = producer.progress().records;
        assert_eq!((counts.swept, counts.dead), (3, 0), "{name}");
        let origin = ingest::origin(&world.load().unwrap(), key(4, "en").as_bytes()).unwrap();
        assert_eq!(
            (origin.source_version, origin.channel),
            (Some(9), Channel::Sweep)
        );
        digests.push(producer.publisher().digest());
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn a_file_that_is_cut_off_has_no_end() {
    for name in [
        "cut.jsonl",
        "cut.jsonl.gz",
        "cut.jsonl.zst",
        "cut.csv",
        "cut.avro",
        "deflate.avro",
    ] {
        let (mut world, mut producer) = forty();
        let rows: Vec<_> = (1..=30).map(|id| row(id, 1)).collect();
        let path = write_file(&world, name, &rows);
        let whole = std::fs::read(&path).unwrap();
        for cut in [1, 5, whole.len() / 3] {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            // Found out before the sweep begins,
            let error = sweep(&world, &mut *open(&world, &path)).unwrap_err();
            assert!(matches!(error, Error::Source { .. }), "{name}: {error}");
            assert_eq!(controls(&world, "sweep-begin"), 0, "{name}");
        }
        // and in its middle.
        let file = FileConfig {
            path,
            as_of: Some(5),
            filtered: false,
        };
        let config = SourceConfig {
            file: Some(file),
            ..SourceConfig::of_file(PathBuf::new())
        };
        let mut source = config.open(&world.spec, &*world.schemas).unwrap();
        let error = sweep(&world, &mut *source).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert_eq!(controls(&world, "sweep-begin"), 3, "{name}");
        assert_eq!(controls(&world, "sweep-end"), 0, "{name}");
        settle(&mut world, &mut producer);
        assert_eq!(live(&world), 40, "{name}");
    }
}

#[test]
fn mistakes_are_told_with_file_and_row() {
    let world = World::with(ALL);
    world.create_topics();
    let file = |name: &str, text: &str| {
        let path = world.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        sweep(&world, &mut *open(&world, &path))
            .unwrap_err()
            .to_string()
    };
    for (name, text, words) in [
        (
            "a.jsonl",
            "{\"id\": 1, \"version\": 1}\n",
            "row 1 has no key: it has no \"language\"",
        ),
        ("b.jsonl", "{\"id\": 1}\nnonsense\n", "row 2"),
        ("c.jsonl", "", "nothing to sweep"),
        ("d.csv", "id,language,colour\n", "no field \"colour\""),
        (
            "e.csv",
            "id,language,version\nx,en,1\n",
            "row 1: id: \"x\" is no long",
        ),
    ] {
        let error = file(name, text);
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
    let config = SourceConfig::of_file(world.dir.path().join("a.parquet"));
    let error = config
        .open(&world.spec, &*world.schemas)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains(".jsonl"), "{error}");
    let unversioned = World::with("source_versions = \"none\"");
    let refused = Sweeper::new(
        unversioned.spec.clone(),
        Arc::clone(world.log()),
        options(&world),
    );
    assert!(
        refused
            .err()
            .unwrap()
            .to_string()
            .contains("no source versions")
    );
}

/// A source that fails before a row, once.
struct Failing {
    source: Box<dyn Source>,
    rows_left: Option<usize>,
}

impl Source for Failing {
    fn describe(&self) -> String {
        self.source.describe()
    }
    fn as_of(&mut self) -> ingest::Result<i64> {
        self.source.as_of()
    }
    fn open(&mut self, after: Option<&str>, as_of: i64) -> ingest::Result<()> {
        self.source.open(after, as_of)
    }
    fn read(&mut self, max: usize, rows: &mut Vec<Row>) -> ingest::Result<Option<String>> {
        if let Some(left) = &mut self.rows_left {
            if *left < max {
                return Err(Error::Source {
                    name: "failing".to_owned(),
                    reason: "it failed".to_owned(),
                });
            }
            *left -= max;
        }
        self.source.read(max, rows)
    }
    fn total(&self) -> Option<u64> {
        self.source.total()
    }
    fn reads(&self) -> Reads {
        self.source.reads()
    }
}

#[test]
fn a_sweep_that_was_broken_off_goes_on_where_it_was() {
    let (mut world, mut producer) = forty();
    let rows: Vec<_> = (4..=40).map(|id| row(id, 1)).collect();
    let path = write_file(&world, "rows.jsonl.gz", &rows);
    for rows_left in [25, 15] {
        let mut source = Failing {
            source: open(&world, &path),
            rows_left: Some(rows_left),
        };
        assert!(sweep(&world, &mut source).is_err());
        assert!(sweeper(&world).is_unfinished().unwrap());
        settle(&mut world, &mut producer);
    }
    // A sweep that is told to stop can go on as well.
    let stopped = SweepOptions {
        stop: Arc::new(AtomicBool::new(true)),
        ..options(&world)
    };
    let stopped = Sweeper::new(world.spec.clone(), Arc::clone(world.log()), stopped).unwrap();
    let outcome = stopped.run(&mut *open(&world, &path), &mut |_| {});
    assert!(matches!(outcome, Err(Error::Stopped)));
    let mut seen = Vec::new();
    let report = sweeper(&world).run(&mut *open(&world, &path), &mut |run| seen.push(run.clone()));
    let report = report.unwrap();
    assert!(seen[0].resumed && seen[0].rows == 30 && seen[0].total == Some(37));
    assert_eq!((report.rows, controls(&world, "sweep-begin")), (37, 3));
    assert_eq!(controls(&world, "sweep-end"), 3);
    // Nothing was sent twice, and all under one id.
    let records = swept(&world);
    assert_eq!(records.len(), 37 + 6);
    assert!(
        records
            .iter()
            .all(|r| header(r, "gl-sweep") == Some(&report.sweep))
    );
    settle(&mut world, &mut producer);
    assert_eq!(live(&world), 37);
    assert_eq!(sweeper(&world).last().unwrap(), Some(report.clone()));

    // A file that changed in between is another source: a new sweep.
    let mut source = Failing {
        source: open(&world, &path),
        rows_left: Some(15),
    };
    assert!(sweep(&world, &mut source).is_err());
    write_file(&world, "rows.jsonl.gz", &rows[..20]);
    let next = sweep(&world, &mut *open(&world, &path)).unwrap();
    assert_eq!(next.rows, 20);
    assert_eq!(controls(&world, "sweep-begin"), 9);
    settle(&mut world, &mut producer);
    assert_eq!(live(&world), 20);
    assert_eq!(producer.progress().sweeps.ended.abandoned, 1);
}

#[test]
fn rows_that_do_not_fit_become_dead_letters_and_are_not_deleted() {
    let (mut world, mut producer) = forty();
    let mut rows: Vec<_> = (1..=38).map(|id| row(id, 1)).collect();
    rows[0]["tags"] = json!("none");
    rows[1]["version"] = Value::Null;
    rows[2]["colour"] = json!("red");
    let path = write_file(&world, "rows.jsonl", &rows);
    let report = sweep(&world, &mut *open(&world, &path)).unwrap();
    assert_eq!((report.rows, report.unfit), (38, 3));
    settle(&mut world, &mut producer);
    assert_eq!(producer.progress().records.swept, 2);
    // The first and the third are not newer than what is there.
    let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
    let reasons: Vec<_> = letters
        .iter()
        .map(|letter| letter.reason.as_str())
        .collect();
    assert!(
        reasons
            .iter()
            .all(|reason| reason.contains("gl-source-version")),
        "{reasons:?}"
    );
    assert_eq!(live(&world), 38);
}

#[test]
fn a_dry_run_tells_what_a_sweep_then_does() {
    let (mut world, mut producer) = forty();
    world.send(
        Channel::Changes,
        &[item(&world, 5, "en", 7, 9), delete(6, "en", 8)],
    );
    settle(&mut world, &mut producer);
    let mut rows: Vec<_> = (4..=41)
        .map(|id| row(id, if [10, 11, 41].contains(&id) { 9 } else { 1 }))
        .collect();
    rows.push(json!({"id": 12, "language": "en", "version": 9, "tags": 1}));
    // The newest version, but nothing else.
    rows[8]["text"] = json!("text 6");
    rows[8]["version"] = json!(9);
    let path = write_file(&world, "rows.jsonl", &rows);
    let ends = || world.log().end_offsets("items.sweep").unwrap();
    let before = ends();
    let state = world.load().unwrap();
    let stop = Arc::default();
    let comparison = compare(
        &world.spec,
        &world.components(),
        Some(&state),
        &mut *open(&world, &path),
        false,
        &stop,
        &mut |_| {},
    );
    let comparison = comparison.unwrap();
    assert_eq!(ends(), before);
    let expected = Comparison {
        as_of: 9,
        rows: 39,
        keys: 39,
        added: 1,
        changed: 2,
        unchanged: 33,
        older: 2,
        unfit: 1,
        deleted: 3,
        held: false,
    };
    assert_eq!(comparison, expected);
    sweep(&world, &mut *open(&world, &path)).unwrap();
    let counts = producer.progress().records;
    settle(&mut world, &mut producer);
    let after = producer.progress().records;
    assert_eq!(after.swept - counts.swept, comparison.deleted);
    assert_eq!(
        after.changed - counts.changed,
        comparison.added + comparison.changed
    );
    assert_eq!(after.dead - counts.dead, comparison.unfit);
}

#[test]
fn jobs_run_when_they_are_due_and_again_after_a_failure() {
    let clock = Arc::new(AtomicI64::new(10_000));
    let runs = Arc::new(AtomicI64::new(0));
    let (ours, counted) = (Arc::clone(&clock), Arc::clone(&runs));
    let run = move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        if run == 1 {
            return Err(Error::Source {
                name: "s".to_owned(),
                reason: "gone".to_owned(),
            });
        }
        Ok(SweepReport {
            sweep: run.to_string(),
            as_of: 0,
            rows: 0,
            unfit: 0,
            reads: Reads::default(),
            began_ms: ours.load(Ordering::SeqCst),
            ended_ms: 0,
        })
    };
    let job = SweepJob {
        name: "items".to_owned(),
        every_ms: 60_000,
        last_ms: Some(9_000),
        run: Box::new(run),
    };
    let now = Arc::clone(&clock);
    let clock_of: ingest::sweep::Clock = Arc::new(move || now.load(Ordering::SeqCst));
    let scheduler = SweepScheduler::start(vec![job], &clock_of, &Arc::default()).unwrap();
    let until = |done: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !done() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{:?}",
                scheduler.status()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Not due yet.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    clock.store(69_000, Ordering::SeqCst);
    until(&|| scheduler.status()[0].finished == 1);
    clock.store(129_000, Ordering::SeqCst);
    until(&|| scheduler.status()[0].failed == 1);
    assert_eq!(scheduler.status()[0].error.as_deref(), Some("s: gone"));
    clock.store(131_000, Ordering::SeqCst);
    until(&|| scheduler.status()[0].finished == 2);
    let status = scheduler.stop();
    assert_eq!(
        (status[0].error.as_ref(), runs.load(Ordering::SeqCst)),
        (None, 3)
    );
}
