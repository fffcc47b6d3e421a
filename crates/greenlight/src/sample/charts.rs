//! Where titles were on later: the weekly top ten of 94 countries, from July 2021 on.
//!
//! It is what the scenario's verdicts are held against, so nothing of it goes into the scenario: the builder takes from the same
//! file which countries there are, and no more. What is kept beside the scenario is the join with its titles.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalogue::title_key;
use super::source::{CHARTS, Sources};
use super::{Error, Result};
use crate::scenario::{self, Scenario};

/// The file beside the scenario.
pub const FILE: &str = "charted.csv.zst";

/// A title that was in a country's top ten, so it was live there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Charted {
    /// The movie or show.
    pub video: i64,
    /// The country.
    pub country: String,
    /// In how many weeks.
    pub weeks: u32,
}

/// What became of the chart's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The rows.
    pub rows: u64,
    /// Rows whose title the catalogue has not, mostly because it is newer.
    pub unknown: u64,
    /// Rows whose title the catalogue has more than once.
    pub ambiguous: u64,
    /// The pairs of title and country that were kept.
    pub pairs: u64,
}

#[derive(Deserialize)]
struct Row {
    country_iso2: String,
    category: String,
    show_title: String,
}

/// Joins the charts in `data` with the titles of the scenario, by title and kind, and writes [`FILE`] beside it.
///
/// # Errors
/// When a source is missing or is not what it was, or the file can't be written.
pub fn build(data: &Path, scenario: &Path) -> Result<Joined> {
    let titles = titles(&Scenario::open(scenario)?)?;
    let mut joined = Joined::default();
    let mut weeks: BTreeMap<(i64, String), u32> = BTreeMap::new();
    for row in Sources(data).csv::<Row>(CHARTS)? {
        joined.rows += 1;
        let kind = if row.category == "Films" {
            "movie"
        } else {
            "show"
        };
        match titles.get(&(kind.to_owned(), title_key(&row.show_title))) {
            None => joined.unknown += 1,
            Some(videos) => match videos.as_slice() {
                [video] => *weeks.entry((*video, row.country_iso2)).or_default() += 1,
                _ => joined.ambiguous += 1,
            },
        }
    }
    joined.pairs = weeks.len() as u64;
    let path = scenario.join(FILE);
    let failed = |source| Error::Io {
        path: path.clone(),
        source,
    };
    let named = |source| Error::Csv {
        name: FILE.to_owned(),
        source,
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    for ((video, country), weeks) in weeks {
        let row = Charted {
            video,
            country,
            weeks,
        };
        csv.serialize(row).map_err(named)?;
    }
    let text = csv
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    let bytes = zstd::encode_all(text.as_slice(), 19).map_err(failed)?;
    std::fs::write(&path, bytes).map_err(failed)?;
    Ok(joined)
}

/// Reads what [`build`] wrote.
///
/// # Errors
/// When the file is missing or is not what it was.
pub fn read(path: &Path) -> Result<Vec<Charted>> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let text = zstd::decode_all(file).map_err(failed)?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let rows: std::result::Result<_, _> = reader.deserialize().collect();
    rows.map_err(|source| Error::Csv {
        name: path.display().to_string(),
        source,
    })
}

/// The movies and shows of a scenario by kind and title.
fn titles(scenario: &Scenario) -> Result<BTreeMap<(String, String), Vec<i64>>> {
    let mut named: BTreeMap<i64, (String, String)> = BTreeMap::new();
    let changes = scenario.changes()?.filter(|change| {
        let is_other = |change: &scenario::Change| change.topic != "titles";
        !change.as_ref().is_ok_and(is_other)
    });
    for change in scenario.base("titles")?.chain(changes) {
        let change = change?;
        let Some(video) = change.key.first().and_then(serde_json::Value::as_i64) else {
            continue;
        };
        let text = |value: &serde_json::Value, field: &str| {
            value[field].as_str().unwrap_or_default().to_owned()
        };
        match &change.value {
            Some(value) => {
                let (kind, title) = (text(value, "kind"), text(value, "originalTitle"));
                named.insert(video, (kind, title_key(&title)));
            }
            None => drop(named.remove(&video)),
        }
    }
    let mut titles: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for (video, key) in named {
        titles.entry(key).or_default().push(video);
    }
    Ok(titles)
}
