//! The real catalogue, taken apart into families: what synthetic catalogues are drawn from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use gatekeeper::Input;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Result, io};

/// A movie, or a show with its seasons and episodes, and all records of them.
#[derive(Debug, Clone)]
pub struct Family {
    /// The id of the movie or show; of an episode or season whose show is not known, its own.
    pub root: i64,
    /// `movie`, `show`, or that of a season or episode without its show.
    pub kind: String,
    /// The root's original language; empty where it has none.
    pub language: String,
    /// The records by input, in the order of their keys.
    records: BTreeMap<Input, Vec<Value>>,
}

impl Family {
    /// The records of an input.
    #[must_use]
    pub fn records(&self, input: Input) -> &[Value] {
        self.records.get(&input).map_or(&[], Vec::as_slice)
    }
}

/// All families, and what belongs to none.
#[derive(Debug, Clone)]
pub struct Donors {
    /// By root id.
    pub families: Vec<Family>,
    /// By country.
    pub policies: Vec<Value>,
    /// Every hold that there ever was.
    pub holds: Vec<Value>,
}

#[derive(Deserialize)]
struct Line {
    topic: String,
    key: Vec<Value>,
    value: Option<Value>,
}

impl Donors {
    /// The recorded catalogue as it stands when all changes are in.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn read() -> Result<Self> {
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay/catalogue");
        let mut reader = Reader::default();
        for input in Input::ALL {
            reader.read(&scenario.join(format!("base/{input}.jsonl.zst")))?;
        }
        reader.read(&scenario.join("changes.jsonl.zst"))?;
        reader.donors(scenario)
    }
}

type Records = BTreeMap<String, Value>;

#[derive(Default)]
struct Reader {
    inputs: BTreeMap<Input, Records>,
    holds: Records,
}

impl Reader {
    fn read(&mut self, path: &Path) -> Result<()> {
        let what = || format!("read {}", path.display());
        let file = File::open(path).map_err(io(what()))?;
        let lines = BufReader::new(zstd::stream::read::Decoder::new(file).map_err(io(what()))?);
        for line in lines.lines() {
            let line = line.map_err(io(what()))?;
            let wrong = |reason: String| Error::Scenario {
                path: path.to_owned(),
                reason,
            };
            let line: Line = serde_json::from_str(&line).map_err(|e| wrong(e.to_string()))?;
            let input = Input::from_name(&line.topic)
                .ok_or_else(|| wrong(format!("{} is no input", line.topic)))?;
            let key = Value::from(line.key).to_string();
            if let (Input::Holds, Some(hold)) = (input, &line.value) {
                self.holds.insert(key.clone(), hold.clone());
            }
            let records = self.inputs.entry(input).or_default();
            match line.value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        Ok(())
    }

    fn donors(mut self, path: PathBuf) -> Result<Donors> {
        let mut take = |input| -> Vec<Value> {
            let records = self.inputs.remove(&input).unwrap_or_default();
            records.into_values().collect()
        };
        let policies = take(Input::Policies);
        drop(take(Input::Holds));
        let parents = parents(self.inputs.get(&Input::Titles));
        let root_of = |video: i64| {
            let mut at = video;
            while let Some(Some(parent)) = parents.get(&at) {
                if !parents.contains_key(parent) {
                    break;
                }
                at = *parent;
            }
            at
        };
        let mut families: BTreeMap<i64, Family> = BTreeMap::new();
        for (input, records) in self.inputs {
            for value in records.into_values() {
                let video = number(&value, "video").ok_or_else(|| Error::Scenario {
                    path: path.clone(),
                    reason: format!("{value} names no video"),
                })?;
                let root = root_of(video);
                let family = families.entry(root).or_insert_with(|| Family {
                    root,
                    kind: String::new(),
                    language: String::new(),
                    records: BTreeMap::new(),
                });
                if input == Input::Titles && video == root {
                    family.kind = text(&value, "kind");
                    family.language = text(&value, "originalLanguage");
                }
                family.records.entry(input).or_default().push(value);
            }
        }
        Ok(Donors {
            families: families.into_values().collect(),
            policies,
            holds: self.holds.into_values().collect(),
        })
    }
}

fn parents(titles: Option<&Records>) -> BTreeMap<i64, Option<i64>> {
    let titles = titles.into_iter().flat_map(BTreeMap::values);
    titles
        .filter_map(|title| Some((number(title, "video")?, number(title, "parent"))))
        .collect()
}

/// A whole number of a record; `None` where it is null or missing.
pub(crate) fn number(record: &Value, field: &str) -> Option<i64> {
    record.get(field)?.as_i64()
}

/// A text of a record; empty where it is null or missing.
pub(crate) fn text(record: &Value, field: &str) -> String {
    let text = record.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
