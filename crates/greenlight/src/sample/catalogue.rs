//! The catalogue: every movie and show, once, with what the 2020-01 and the 2021-01 snapshot say
//! of it. The snapshots share no id, so they are paired by title, kind and year, as any real
//! upstream would have to be; what can't be paired left or is new.

use std::collections::BTreeMap;

use super::dates::{self, DAY_MS};
use super::draw::Draw;
use super::records::Kind;
use super::source::CatalogueRow;
use super::{BASE_MS, Error, LATER_MS, Result};

/// Ids of ours for titles first seen in 2021-01: this plus the number in that snapshot's `s`-ids.
/// The service's own ids end below 82 million.
pub(crate) const NEW_ID: i64 = 90_000_000;

/// What one snapshot says of a title.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) title: String,
    pub(crate) year: i32,
    /// The US label; empty where the source has none.
    pub(crate) rating: String,
    /// Minutes of a movie.
    pub(crate) minutes: Option<i32>,
    /// Seasons of a show; 0 for a movie.
    pub(crate) seasons: i32,
    /// The start of its current run in the US.
    pub(crate) added: Option<i64>,
    /// The countries it was made in, as English names.
    pub(crate) made_in: Vec<String>,
    pub(crate) kids: bool,
    /// Characters of the English synopsis. The text is its owner's and stays out.
    pub(crate) synopsis_length: i32,
}

/// A movie or a show.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) kind: Kind,
    /// What 2020-01 said; `None` for new titles.
    pub(crate) base: Option<Facts>,
    /// What 2021-01 said; `None` for titles that had left.
    pub(crate) later: Option<Facts>,
    /// When we first hear of it.
    pub(crate) known: i64,
    /// When we learn what 2021-01 says: somewhere between the snapshots, or with the news of it.
    pub(crate) updated: i64,
}

impl Entry {
    /// The newest facts there are.
    pub(crate) fn facts(&self) -> &Facts {
        match (&self.later, &self.base) {
            (Some(facts), _) | (None, Some(facts)) => facts,
            (None, None) => &EMPTY,
        }
    }

    /// The facts a newcomer hears first.
    pub(crate) fn first_facts(&self) -> &Facts {
        self.base.as_ref().unwrap_or_else(|| self.facts())
    }

    /// Whether it is new since 2020-01.
    pub(crate) fn is_new(&self) -> bool {
        self.base.is_none()
    }
}

static EMPTY: Facts = Facts {
    title: String::new(),
    year: 0,
    rating: String::new(),
    minutes: None,
    seasons: 0,
    added: None,
    made_in: Vec::new(),
    kids: false,
    synopsis_length: 0,
};

/// The key by which titles of different sources are matched: letters and digits, lower case.
pub(crate) fn title_key(title: &str) -> String {
    title
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn kind(row: &CatalogueRow) -> Kind {
    if row.kind == "Movie" {
        Kind::Movie
    } else {
        Kind::Show
    }
}

fn facts(row: &CatalogueRow) -> Result<Facts> {
    let number = row
        .duration
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    let movie = kind(row) == Kind::Movie;
    Ok(Facts {
        // Two cells of 2021-01 contain a line break.
        title: row.title.split_whitespace().collect::<Vec<_>>().join(" "),
        year: row.release_year,
        rating: row.rating.trim().to_owned(),
        minutes: if movie { number } else { None },
        seasons: if movie { 0 } else { number.unwrap_or(1) },
        added: dates::english_day(&row.date_added)?,
        made_in: row
            .country
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        kids: row.listed_in.contains("Children & Family") || row.listed_in.contains("Kids' TV"),
        synopsis_length: i32::try_from(row.description.chars().count()).unwrap_or(i32::MAX),
    })
}

/// Pairs the snapshots; the result is sorted by id.
///
/// A pair has the same title key and kind, and the same year where possible. A show's year moves
/// when it gets a season and a movie's may be corrected by a year or two, so what is left over
/// is paired without it.
pub(crate) fn pair(base: &[CatalogueRow], later: &[CatalogueRow]) -> Result<Vec<Entry>> {
    let mut waiting: BTreeMap<(String, Kind), Vec<(i64, Facts)>> = BTreeMap::new();
    for row in base {
        let id = row
            .show_id
            .parse()
            .map_err(|_| Error::Id(row.show_id.clone()))?;
        waiting
            .entry((title_key(&row.title), kind(row)))
            .or_default()
            .push((id, facts(row)?));
    }
    let mut entries = Vec::new();
    let mut left_over = Vec::new();
    for row in later {
        let facts = facts(row)?;
        let same = waiting.get_mut(&(title_key(&row.title), kind(row)));
        let exact = same.and_then(|rows| {
            let at = rows.iter().position(|(_, old)| old.year == facts.year)?;
            Some(rows.remove(at))
        });
        match exact {
            Some((id, old)) => entries.push(entry(id, kind(row), Some(old), Some(facts))),
            None => left_over.push((row, facts)),
        }
    }
    for (row, facts) in left_over {
        let loose = waiting
            .get_mut(&(title_key(&row.title), kind(row)))
            .and_then(|rows| {
                let at = rows.iter().position(|(_, old)| {
                    kind(row) == Kind::Show || old.year.abs_diff(facts.year) <= 2
                })?;
                Some(rows.remove(at))
            });
        entries.push(match loose {
            Some((id, old)) => entry(id, kind(row), Some(old), Some(facts)),
            None => entry(new_id(&row.show_id)?, kind(row), None, Some(facts)),
        });
    }
    for ((_, kind), rows) in waiting {
        entries.extend(
            rows.into_iter()
                .map(|(id, old)| entry(id, kind, Some(old), None)),
        );
    }
    entries.sort_by_key(|entry| entry.id);
    Ok(entries)
}

fn new_id(show_id: &str) -> Result<i64> {
    show_id
        .strip_prefix('s')
        .and_then(|number| number.parse::<i64>().ok())
        .map(|number| NEW_ID + number)
        .ok_or_else(|| Error::Id(show_id.to_owned()))
}

fn entry(id: i64, kind: Kind, base: Option<Facts>, later: Option<Facts>) -> Entry {
    let mut draw = Draw::new("known", id);
    let known = match (&base, &later) {
        (Some(facts), _) => facts.added.map_or(BASE_MS, |added| added.min(BASE_MS)),
        (
            None,
            Some(Facts {
                added: Some(added), ..
            }),
        ) if *added > BASE_MS => {
            (added - draw.range(10, 45) * DAY_MS).max(BASE_MS + draw.range(1, 10) * DAY_MS)
        }
        _ => draw.range(BASE_MS + DAY_MS, LATER_MS - DAY_MS) / DAY_MS * DAY_MS,
    };
    let updated = draw.range(BASE_MS + DAY_MS, LATER_MS) / 60_000 * 60_000;
    Entry {
        id,
        kind,
        base,
        later,
        known,
        updated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(show_id: &str, kind: &str, title: &str, release_year: i32) -> CatalogueRow {
        CatalogueRow {
            show_id: show_id.to_owned(),
            kind: kind.to_owned(),
            title: title.to_owned(),
            country: " India, , France".to_owned(),
            date_added: " March 20, 2019".to_owned(),
            release_year,
            rating: "TV-14".to_owned(),
            duration: "2 Seasons".to_owned(),
            listed_in: "Kids' TV".to_owned(),
            description: "Été".to_owned(),
        }
    }

    #[test]
    fn the_same_year_pairs_first_and_a_remake_stays_a_title_of_its_own() {
        let base = [
            row("10", "Movie", "The Visitor", 1979),
            row("11", "TV Show", "Élite!", 2018),
        ];
        let later = [
            row("s1", "Movie", "The Visitor", 2007),
            row("s2", "Movie", "the visitor", 1979),
            row("s3", "TV Show", "ÉLITE", 2020),
        ];
        let entries = pair(&base, &later).unwrap();
        let pairs: Vec<_> = entries
            .iter()
            .map(|e| (e.id, e.base.is_some(), e.later.is_some()))
            .collect();
        assert_eq!(
            pairs,
            [
                (10, true, true),
                (11, true, true),
                (NEW_ID + 1, false, true)
            ]
        );
        assert_eq!(entries[1].facts().year, 2020);
        assert_eq!(entries[1].facts().made_in, ["India", "France"]);
        assert_eq!(entries[1].facts().synopsis_length, 3);
    }
}
