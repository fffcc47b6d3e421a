//! Maturity ratings: the US label is real; other countries' are derived from it through age
//! scores, and only where a country has a rating system in the sources. Where it has none, which
//! system applies is a choice that the data does not make, so we make none.

use std::collections::{BTreeMap, BTreeSet};

use super::Result;
use super::countries::World;
use super::records::{Provenance, Rating};
use super::source::{CertificationRow, LabelRow, Sources};

/// Scores from here on are bans, not ages.
const BANNED: i32 = 1_000;

/// Certifications without an age in them, for countries that only the certification list has.
/// The ages are those the boards' advice comes closest to.
const AGELESS: [(&str, &str, i32); 9] = [
    ("HK", "I", 0),
    ("HK", "IIA", 12),
    ("HK", "IIB", 15),
    ("HK", "III", 18),
    ("MY", "U", 0),
    ("LU", "EA", 0),
    ("LV", "U", 0),
    ("IL", "All", 0),
    ("MA", "TP", 0),
];

/// The rating systems of the scenario's countries: per country its labels by age.
pub(crate) struct Systems {
    labels: BTreeMap<String, BTreeMap<i32, String>>,
    us_scores: BTreeMap<String, i32>,
}

impl Systems {
    /// Reads the tables.
    pub(crate) fn load(sources: &Sources<'_>, world: &World) -> Result<Self> {
        let mut labels: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
        let mut us_scores = BTreeMap::new();
        for row in sources.csv::<LabelRow>("ratings/rating_labels_jellyfin.csv")? {
            let Some(score) = row.score.filter(|score| *score < BANNED) else {
                continue;
            };
            if row.country_code == "us" {
                us_scores.insert(row.label, score);
                continue;
            }
            // The first label of a score is the one in use; spellings of it follow.
            labels
                .entry(row.country_code.to_uppercase())
                .or_default()
                .entry(score)
                .or_insert(row.label);
        }
        let mut listed: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
        for row in sources.csv::<CertificationRow>("ratings/certifications_tmdb.csv")? {
            if let Some(age) = age_of(&row) {
                listed
                    .entry(row.country)
                    .or_default()
                    .entry(age)
                    .or_insert(row.certification);
            }
        }
        for (country, ages) in listed {
            if country != "US" {
                labels.entry(country).or_insert(ages);
            }
        }
        let ours: BTreeSet<&str> = world.countries.iter().map(|c| c.code.as_str()).collect();
        labels.retain(|country, ages| ours.contains(country.as_str()) && ages.len() > 1);
        Ok(Self { labels, us_scores })
    }

    /// The names of the systems that count in a country; empty where the sources know none.
    pub(crate) fn of(&self, country: &str) -> BTreeSet<String> {
        if country == "US" {
            ["us-mpa", "us-tv"].map(str::to_owned).into()
        } else if self.labels.contains_key(country) {
            BTreeSet::from([country.to_lowercase()])
        } else {
            BTreeSet::new()
        }
    }

    /// All ratings of a title with this US label; empty without one. A title that is not rated
    /// (`NR`, `UR`) in the US keeps that label there and has no rating anywhere else.
    pub(crate) fn derive(&self, us_label: &str) -> BTreeMap<String, Rating> {
        let mut ratings = BTreeMap::new();
        if us_label.is_empty() {
            return ratings;
        }
        let age = self.us_scores.get(us_label).copied();
        let system = if us_label.starts_with("TV-") {
            "us-tv"
        } else {
            "us-mpa"
        };
        ratings.insert(
            "US".to_owned(),
            Rating {
                system: system.to_owned(),
                label: us_label.to_owned(),
                minimum_age: age,
                provenance: Provenance::Real,
            },
        );
        let Some(age) = age else { return ratings };
        for (country, ages) in &self.labels {
            let Some((minimum_age, label)) = ages.range(age..).next().or(ages.iter().next_back())
            else {
                continue;
            };
            ratings.insert(
                country.clone(),
                Rating {
                    system: country.to_lowercase(),
                    label: label.clone(),
                    minimum_age: Some(*minimum_age),
                    provenance: Provenance::Derived,
                },
            );
        }
        ratings
    }
}

/// The age in a certification such as `P13` or `16+`.
fn age_of(row: &CertificationRow) -> Option<i32> {
    let known = AGELESS
        .iter()
        .find(|(country, label, _)| *country == row.country && *label == row.certification);
    if let Some((_, _, age)) = known {
        return Some(*age);
    }
    let digits: String = row
        .certification
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok().filter(|age| *age <= 21)
}
