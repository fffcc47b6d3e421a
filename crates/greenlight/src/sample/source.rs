//! Reading the sources: CSV files, some of them compressed with zstd, into one struct per row.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Error, Result};

/// One row of a catalogue snapshot (`catalog/titles_us_*.csv.zst`).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CatalogueRow {
    pub(crate) show_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) country: String,
    pub(crate) date_added: String,
    pub(crate) release_year: i32,
    pub(crate) rating: String,
    pub(crate) duration: String,
    pub(crate) listed_in: String,
    pub(crate) description: String,
}

/// One row of `availability/country_availability_2021-03.csv.zst`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AvailabilityRow {
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) netflix_first_seen: String,
    pub(crate) languages: String,
    pub(crate) countries: String,
}

/// One row of a half-year of `popularity/engagement_*.csv.zst`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EngagementRow {
    pub(crate) title: String,
    pub(crate) hours_viewed: i64,
}

/// One row of `streams/streaming_options.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PackageRow {
    pub(crate) country: String,
    pub(crate) quality: String,
    pub(crate) audio_languages: String,
    pub(crate) subtitle_languages: String,
}

/// One row of `ratings/rating_labels_jellyfin.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LabelRow {
    pub(crate) country_code: String,
    pub(crate) label: String,
    pub(crate) score: Option<i32>,
}

/// One row of `ratings/certifications_tmdb.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CertificationRow {
    pub(crate) country: String,
    pub(crate) certification: String,
}

/// One row of `countries/territory_languages.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TerritoryLanguageRow {
    pub(crate) territory: String,
    pub(crate) language: String,
    pub(crate) population_pct: f64,
    pub(crate) official_status: String,
}

/// One row of `countries/aliases.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AliasRow {
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) replacement: String,
}

/// One row of `countries/display_names.csv.zst`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NameRow {
    pub(crate) locale: String,
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) name: String,
}

/// One row of `artwork/images_tmdb.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImageRow {
    pub(crate) image_kind: String,
    pub(crate) language: String,
}

/// The weekly top ten by country, from July 2021 on.
pub(crate) const CHARTS: &str = "availability/top10_countries_2021-07-04_2022-05-29.csv.zst";

/// One row of the weekly country charts. Only the countries are taken: the charts themselves are
/// kept for comparing verdicts with what was really on.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChartRow {
    pub(crate) country_iso2: String,
}

/// One line of `titles/netflix_title_metadata.jsonl.zst`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MetadataLine {
    pub(crate) netflix_id: i64,
    pub(crate) season_count: Option<i64>,
    pub(crate) episode_count: Option<i64>,
    pub(crate) has_audio_description: Option<bool>,
}

/// One line of `localization/translations_tmdb.jsonl.zst`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TranslationLine {
    pub(crate) title: String,
    pub(crate) overview: String,
}

/// The folder of the sources.
pub(crate) struct Sources<'a>(pub(crate) &'a Path);

impl Sources<'_> {
    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.0.join(name);
        let failed = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let mut bytes = Vec::new();
        let mut file = File::open(&path).map_err(failed)?;
        if name.ends_with(".zst") {
            zstd::stream::read::Decoder::new(file)
                .and_then(|mut decoder| decoder.read_to_end(&mut bytes))
                .map_err(failed)?;
        } else {
            file.read_to_end(&mut bytes).map_err(failed)?;
        }
        Ok(bytes)
    }

    /// All rows of a CSV file with a header line.
    pub(crate) fn csv<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        csv::Reader::from_reader(self.bytes(name)?.as_slice())
            .deserialize()
            .collect::<std::result::Result<_, _>>()
            .map_err(|source| Error::Csv {
                name: name.to_owned(),
                source,
            })
    }

    /// All lines of a JSON Lines file.
    pub(crate) fn json_lines<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        self.bytes(name)?
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line).map_err(|source| Error::Json {
                    name: name.to_owned(),
                    source,
                })
            })
            .collect()
    }
}
