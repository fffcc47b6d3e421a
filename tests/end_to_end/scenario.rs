//! A part of the real catalogue, a fortieth for most tests: every record of some titles, all policies and holds, fed in the same rounds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::root;

/// One title in this many is kept in the small scenario.
const KEEP_ONE_IN: u64 = 40;

/// A scenario in a directory of its own.
pub(crate) struct Scenario {
    dir: TempDir,
    videos: BTreeSet<u64>,
}

impl Scenario {
    /// Its directory, as `--scenario` takes it.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The movies and shows that the base has.
    pub(crate) fn videos(&self) -> &BTreeSet<u64> {
        &self.videos
    }
}

/// The small scenario, built once for all tests.
pub(crate) fn small() -> &'static Scenario {
    static SMALL: OnceLock<Scenario> = OnceLock::new();
    SMALL.get_or_init(|| {
        let scenario = cut(KEEP_ONE_IN);
        assert!(
            scenario.videos.len() > 50,
            "{} videos",
            scenario.videos.len()
        );
        scenario
    })
}

/// The catalogue with one title in `keep_one_in`.
pub(crate) fn cut(keep_one_in: u64) -> Scenario {
    let source = root().join("replay/catalogue");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("base")).unwrap();
    let manifest = fs::read_to_string(source.join("scenario.toml")).unwrap();
    let mut manifest: toml::Table = manifest.parse().unwrap();

    let mut videos = BTreeSet::new();
    let base = manifest["records"]["base"].as_table_mut().unwrap();
    for (topic, records) in base.iter_mut() {
        let name = format!("base/{topic}.jsonl.zst");
        let kept = filter(&source.join(&name), &dir.path().join(&name), keep_one_in);
        if topic == "titles" {
            videos.extend(kept.iter().filter_map(|line| title(line)));
        }
        *records = count(kept.len());
    }

    let kept = filter(
        &source.join("changes.jsonl.zst"),
        &dir.path().join("changes.jsonl.zst"),
        keep_one_in,
    );
    let changes = manifest["records"]["changes"].as_table_mut().unwrap();
    for (topic, records) in changes.iter_mut() {
        let start = format!("{{\"topic\":\"{topic}\",");
        *records = count(kept.iter().filter(|line| line.starts_with(&start)).count());
    }
    let delivered: Vec<i64> = kept.iter().map(|line| delivered_at_ms(line)).collect();
    let mut from = i64::MIN;
    for round in manifest["round"].as_array_mut().unwrap() {
        let until: jiff::Timestamp = round["until"].as_str().unwrap().parse().unwrap();
        let until = until.as_millisecond();
        round["records"] = count(
            delivered
                .iter()
                .filter(|at| (from..until).contains(*at))
                .count(),
        );
        from = until;
    }
    manifest.remove("statistics");
    fs::write(dir.path().join("scenario.toml"), manifest.to_string()).unwrap();
    Scenario { dir, videos }
}

fn count(records: usize) -> toml::Value {
    toml::Value::Integer(i64::try_from(records).unwrap())
}

fn delivered_at_ms(line: &str) -> i64 {
    let (_, rest) = line.split_once("\"sourceVersion\":").unwrap();
    rest.split(',').next().unwrap().parse::<i64>().unwrap() / 1_000
}

/// The movie or show that a line is about; `None` for policies and holds.
fn title(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("\"key\":[")?;
    let mut id: u64 = rest.split([',', ']']).next()?.parse().ok()?;
    while id >= 100_000_000 {
        id /= 1_000;
    }
    Some(id)
}

/// Copies the lines to keep, and returns them.
fn filter(from: &Path, to: &Path, keep_one_in: u64) -> Vec<String> {
    let reader = BufReader::new(zstd::Decoder::new(File::open(from).unwrap()).unwrap());
    let mut writer = zstd::Encoder::new(File::create(to).unwrap(), 1).unwrap();
    let mut kept = Vec::new();
    for line in reader.lines() {
        let line = line.unwrap();
        if title(&line).is_none_or(|id| {
            (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(keep_one_in)
        }) {
            writeln!(writer, "{line}").unwrap();
            kept.push(line);
        }
    }
    writer.finish().unwrap();
    kept
}
