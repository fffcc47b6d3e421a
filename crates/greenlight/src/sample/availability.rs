//! Where titles were on: observed in 30 countries in March 2021, derived for the countries that
//! one of those stands in for, and drawn from titles like it for a title that was not found.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Entry, title_key};
use super::countries::World;
use super::dates;
use super::draw::Draw;
use super::records::{Kind, Provenance};
use super::source::AvailabilityRow;
use super::{EPOCH_MS, Result};

/// What was observed of one title.
#[derive(Clone, Debug, Default)]
struct Seen {
    countries: BTreeSet<String>,
    first_seen: Option<i64>,
    languages: Vec<String>,
}

/// Where a title is on.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    /// Of the observed countries, those where it was on in March 2021.
    pub(crate) observed: BTreeSet<String>,
    /// Of the others, those where it is taken to be on.
    pub(crate) elsewhere: BTreeSet<String>,
    /// When it was first seen anywhere; `None` when it was not found.
    pub(crate) first_seen: Option<i64>,
    /// Real when it was found, else drawn from another title.
    pub(crate) provenance: Provenance,
    /// English names of languages that were looked up for the title.
    pub(crate) languages: Vec<String>,
}

/// The observations, by title key and kind.
pub(crate) struct Availability {
    seen: BTreeMap<(String, Kind), Seen>,
    /// Titles of the catalogue that were found, to draw from: id and key, by kind.
    donors: BTreeMap<Kind, Vec<(String, Kind)>>,
}

impl Availability {
    /// Joins the rows by title and kind; a title in two entries is on where either is.
    pub(crate) fn new(rows: Vec<AvailabilityRow>, entries: &[Entry]) -> Result<Self> {
        let mut seen: BTreeMap<(String, Kind), Seen> = BTreeMap::new();
        for row in rows {
            let kind = if row.kind == "movie" {
                Kind::Movie
            } else {
                Kind::Show
            };
            let first_seen = dates::iso_day(&row.netflix_first_seen)?;
            let title = seen.entry((title_key(&row.title), kind)).or_default();
            title.countries.extend(
                row.countries
                    .split('|')
                    .filter(|c| !c.is_empty())
                    .map(str::to_owned),
            );
            title.first_seen = match (title.first_seen, first_seen) {
                (Some(known), Some(new)) => Some(known.min(new)),
                (known, new) => known.or(new),
            };
            if title.languages.is_empty() {
                title.languages = row
                    .languages
                    .split('|')
                    .filter(|l| !l.is_empty())
                    .map(str::to_owned)
                    .collect();
            }
        }
        let mut donors: BTreeMap<Kind, Vec<(String, Kind)>> = BTreeMap::new();
        for entry in entries {
            let key = (title_key(&entry.facts().title), entry.kind);
            if seen
                .get(&key)
                .is_some_and(|found| !found.countries.is_empty())
            {
                donors.entry(entry.kind).or_default().push(key);
            }
        }
        Ok(Self { seen, donors })
    }

    /// Where `entry` is on.
    pub(crate) fn of(&self, entry: &Entry, world: &World) -> Presence {
        let key = (title_key(&entry.facts().title), entry.kind);
        let (observed, first_seen, provenance, languages) = match self.seen.get(&key) {
            Some(seen) if !seen.countries.is_empty() => (
                seen.countries.clone(),
                Some(seen.first_seen.unwrap_or(EPOCH_MS)),
                Provenance::Real,
                seen.languages.clone(),
            ),
            _ => (self.drawn(entry), None, Provenance::Synthesized, Vec::new()),
        };
        let elsewhere = world
            .countries
            .iter()
            .filter(|country| !country.stand_ins.is_empty())
            .filter(|country| {
                // A country mostly has what its stand-ins have; the draw keeps it from being a copy.
                let on = country
                    .stand_ins
                    .iter()
                    .filter(|code| observed.contains(**code))
                    .count();
                let per_mille = match (on, country.stand_ins.len()) {
                    (0, _) => 40,
                    (on, all) if on == all => 950,
                    _ => 700,
                };
                Draw::coded("elsewhere", entry.id, &country.code).chance(per_mille)
            })
            .map(|country| country.code.clone())
            .collect();
        Presence {
            observed,
            elsewhere,
            first_seen,
            provenance,
            languages,
        }
    }

    /// The countries of a title of the same kind that was found.
    fn drawn(&self, entry: &Entry) -> BTreeSet<String> {
        let donors = self.donors.get(&entry.kind).map_or(&[][..], Vec::as_slice);
        let at = Draw::new("donor", entry.id).range(0, i64::try_from(donors.len()).unwrap_or(0));
        usize::try_from(at)
            .ok()
            .and_then(|at| donors.get(at))
            .and_then(|key| self.seen.get(key))
            .map(|seen| seen.countries.clone())
            .unwrap_or_default()
    }
}
