//! The story told with the records: a base, a year of real differences, and an eve on which
//! contracts are signed and cancelled so that something happens by the clock alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::availability::{Availability, Presence};
use super::catalogue::{self, Entry};
use super::countries::World;
use super::dates::{self, DAY_MS, HOUR_MS};
use super::draw::Draw;
use super::localization::{self, Localization, Shares};
use super::output::{Counts, Output};
use super::ratings::Systems;
use super::records::{Kind, Provenance, Ratings, Rights};
use super::rights::{self, Eve};
use super::source::{
    AvailabilityRow, CatalogueRow, EngagementRow, ImageRow, MetadataLine, PackageRow, Sources,
    TranslationLine,
};
use super::videos::{self, Shapes, Videos};
use super::{BASE_MS, CLOCK_MS, Error, Result, extras, policies};

/// The rounds in which the changes are fed: name and the instant (exclusive) up to which.
const ROUNDS: [(&str, &str); 6] = [
    ("spring 2020", "2020-05-01T00:00:00Z"),
    ("summer 2020", "2020-08-01T00:00:00Z"),
    ("autumn 2020", "2020-11-01T00:00:00Z"),
    ("winter 2020", "2021-01-18T00:00:00Z"),
    ("early 2021", "2021-03-06T00:00:00Z"),
    ("the eve", "2021-03-08T00:00:00Z"),
];

/// How many titles come back, and how many end, in the first minutes and hours of the clock.
const EVE_TITLES: i64 = 60;

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records written.
    pub counts: Counts,
    /// Videos written, deleted ones included.
    pub videos: Videos,
    /// Countries with a policy.
    pub countries: usize,
    /// Titles found in the availability of March 2021.
    pub observed_titles: u64,
    /// Titles deleted in the course of the changes.
    pub deleted_titles: u64,
}

/// Builds everything.
pub(crate) fn build(sources: &Sources<'_>, out: &Path, level: i32) -> Result<Summary> {
    let base: Vec<CatalogueRow> = sources.csv("catalog/titles_us_2020-01.csv.zst")?;
    let later: Vec<CatalogueRow> = sources.csv("catalog/titles_us_2021-01.csv.zst")?;
    let seen: Vec<AvailabilityRow> =
        sources.csv("availability/country_availability_2021-03.csv.zst")?;
    let packages: Vec<PackageRow> = sources.csv("streams/streaming_options.csv")?;
    let images: Vec<ImageRow> = sources.csv("artwork/images_tmdb.csv")?;
    let metadata: Vec<MetadataLine> =
        sources.json_lines("titles/netflix_title_metadata.jsonl.zst")?;
    let translations: Vec<TranslationLine> =
        sources.json_lines("localization/translations_tmdb.jsonl.zst")?;
    let reports: Vec<(&str, Vec<EngagementRow>)> = ["2023H1", "2023H2", "2024H1"]
        .into_iter()
        .map(|period| {
            Ok((
                period,
                sources.csv(&format!("popularity/engagement_{period}.csv.zst"))?,
            ))
        })
        .collect::<Result<_>>()?;

    let world = World::load(sources, &packages)?;
    let systems = Systems::load(sources, &world)?;
    let entries = catalogue::pair(&base, &later)?;
    let availability = Availability::new(seen, &entries)?;
    let shares = Shares::measure(&packages, &translations, &images, &world);
    let shapes = Shapes::measure(&metadata, &packages);
    let originals = localization::original_titles(
        reports
            .iter()
            .flat_map(|(_, rows)| rows)
            .map(|row| row.title.as_str()),
    );
    let hours = extras::hours(&reports);
    let presences: Vec<Presence> = entries
        .iter()
        .map(|entry| availability.of(entry, &world))
        .collect();
    let eves = eves(&entries, &presences);

    let mut records = Output::default();
    let mut summary = Summary {
        counts: Counts::default(),
        videos: Videos::default(),
        countries: world.countries.len(),
        observed_titles: 0,
        deleted_titles: 0,
    };
    write_policies(&world, &systems, &mut records);
    let mut popular = Vec::new();
    for (entry, presence) in entries.iter().zip(&presences) {
        records.root(entry.id);
        let language = original_language(entry, presence, &world);
        summary.observed_titles += u64::from(presence.provenance == Provenance::Real);
        let eve = eves.get(&entry.id).copied().unwrap_or(Eve::Nothing);
        let history = rights::history(entry, presence, &world, eve);
        for (at, rights) in &history.states {
            records.put("rights", *at, &(entry.id,), rights);
        }
        premiere(entry, &history.states, &mut records);
        write_ratings(entry, &systems, &mut records);
        let shown = videos::emit(entry, language.as_deref(), &shapes, &mut records);
        summary.videos.movies += shown.movies;
        summary.videos.shows += shown.shows;
        summary.videos.seasons += shown.seasons;
        summary.videos.episodes += shown.episodes;
        let original = originals.get(&catalogue::title_key(&entry.facts().title));
        Localization {
            entry,
            original_language: language.as_deref(),
            original_title: original.map(String::as_str),
            languages: languages(&history.countries, language.as_deref(), &world),
            breadth: u32::try_from(presence.observed.len()).unwrap_or(30),
            described: shapes.described,
        }
        .emit(&shares, &mut records);
        popular.push((extras::popularity(entry, &hours, &mut records), entry));
        let nowhere = presence.provenance != Provenance::Real && eve == Eve::Nothing;
        if let (Some(left), None, true) = (history.left_us, &entry.later, nowhere) {
            records.gone(left + 7 * DAY_MS);
            popular.pop();
            summary.deleted_titles += 1;
        }
    }
    popular.sort_by_key(|(viewed, entry)| (std::cmp::Reverse(*viewed), entry.id));
    let popular: Vec<&Entry> = popular
        .into_iter()
        .take(120)
        .map(|(_, entry)| entry)
        .collect();
    extras::holds(&popular, &mut records);

    let ends = ROUNDS
        .iter()
        .map(|(_, end)| dates::instant(end))
        .collect::<Result<Vec<_>>>()?;
    summary.counts = records.write(out, &ends, level)?;
    let path = out.join("scenario.toml");
    std::fs::write(&path, manifest(&summary)).map_err(|source| Error::Io { path, source })?;
    Ok(summary)
}

/// The language a title was made in: a language of the country it was made in, and of these the
/// one that was looked up for the title, which is right more often than not.
fn original_language(entry: &Entry, presence: &Presence, world: &World) -> Option<String> {
    let made_in = entry
        .facts()
        .made_in
        .iter()
        .find_map(|name| world.country_named(name));
    let looked_up = presence
        .languages
        .iter()
        .filter_map(|name| world.language_named(name));
    match made_in {
        Some(country) => looked_up
            .into_iter()
            .find(|language| world.speaks(country, language))
            .or_else(|| world.first_language(country))
            .map(str::to_owned),
        None => looked_up.into_iter().next().map(str::to_owned),
    }
}

/// The languages a title is localized for: those of the countries it has contracts for.
fn languages(
    countries: &BTreeSet<String>,
    original: Option<&str>,
    world: &World,
) -> BTreeSet<String> {
    let mut languages = BTreeSet::from(["en".to_owned()]);
    languages.extend(original.map(str::to_owned));
    for country in world
        .countries
        .iter()
        .filter(|country| countries.contains(&country.code))
    {
        languages.extend(country.official.iter().cloned());
        languages.extend(country.understood.iter().cloned());
    }
    languages
}

/// A show's new season has contracts of its own in one of three cases: it starts later.
fn premiere(entry: &Entry, states: &[(i64, Rights)], out: &mut Output) {
    let (Some(base), Some(later), Some((_, rights))) = (&entry.base, &entry.later, states.last())
    else {
        return;
    };
    if later.seasons <= base.seasons || !Draw::new("premiere", entry.id).chance(333) {
        return;
    }
    let season = videos::season_id(entry.id, later.seasons);
    let mut windows = rights.windows.clone();
    for window in &mut windows {
        window.start = window.start.max(entry.updated + 20 * DAY_MS);
        window.contract = window.contract.replacen("C-", "S-", 1);
        window.provenance = Provenance::Synthesized;
    }
    windows.retain(|window| window.end.is_none_or(|end| end > window.start));
    windows.sort_by(|a, b| (a.start, &a.contract).cmp(&(b.start, &b.contract)));
    out.put(
        "rights",
        entry.updated,
        &(season,),
        &Rights {
            video: season,
            windows,
        },
    );
}

/// The ratings of both snapshots; one in fifty of the newcomers still waits for one board.
fn write_ratings(entry: &Entry, systems: &Systems, out: &mut Output) {
    let record = |label: &str| Ratings {
        video: entry.id,
        ratings: systems.derive(label),
    };
    let first = record(&entry.first_facts().rating);
    let key = (entry.id,);
    if !first.ratings.is_empty() {
        let at = entry.known;
        let boards: Vec<&String> = first
            .ratings
            .keys()
            .filter(|country| *country != "US")
            .collect();
        let mut draw = Draw::new("boards", entry.id);
        let waiting = usize::try_from(draw.range(0, i64::try_from(boards.len()).unwrap_or(0)))
            .ok()
            .and_then(|number| boards.get(number))
            .filter(|_| entry.is_new() && draw.chance(20));
        if let Some(board) = waiting {
            let mut partial = first.clone();
            partial.ratings.remove(*board);
            out.put("ratings", at, &key, &partial);
            let rated = at + draw.range(20, 90) * DAY_MS;
            if rated < CLOCK_MS {
                out.put("ratings", rated, &key, &first);
            }
        } else {
            out.put("ratings", at, &key, &first);
        }
    }
    if let (Some(later), false) = (&entry.later, entry.is_new()) {
        let later = record(&later.rating);
        // A label that the later snapshot lost is a gap of the source, not a withdrawal.
        if !later.ratings.is_empty() {
            out.put("ratings", entry.updated, &key, &later);
        }
    }
}

/// The policies; India starts to require ratings in the course of the changes.
fn write_policies(world: &World, systems: &Systems, out: &mut Output) {
    let base = BASE_MS - 18 * DAY_MS;
    for policy in policies::policies(world, systems) {
        let key = (policy.country.clone(),);
        let mut first = policy.clone();
        if policy.country == "IN" {
            first.rating_required = false;
            out.put("policies", CLOCK_MS - 11 * DAY_MS, &key, &policy);
        }
        out.put("policies", base, &key, &first);
    }
}

/// Which titles come back (of those that had left the US) and which end around the clock.
fn eves(entries: &[Entry], presences: &[Presence]) -> BTreeMap<i64, Eve> {
    let drawn = |purpose: &str, in_us: bool| {
        let mut ids: Vec<(u64, i64)> = entries
            .iter()
            .zip(presences)
            .filter(|(entry, _)| entry.kind == Kind::Movie && !entry.is_new())
            .filter(|(_, presence)| {
                presence.provenance == Provenance::Real && presence.observed.contains("US") == in_us
            })
            .map(|(entry, _)| (Draw::new(purpose, entry.id).next(), entry.id))
            .collect();
        ids.sort_unstable();
        (1..=EVE_TITLES)
            .zip(ids.into_iter().map(|(_, id)| id))
            .collect::<Vec<_>>()
    };
    // Every 20 seconds at first, then every few hours for two days.
    let instant = |number: i64| match number {
        1..=40 => CLOCK_MS + number * 20_000,
        _ => CLOCK_MS + (number - 40) * 2 * HOUR_MS,
    };
    let mut eves = BTreeMap::new();
    for (number, id) in drawn("returns", false) {
        eves.insert(id, Eve::Returns(instant(number)));
    }
    for (number, id) in drawn("ends", true) {
        eves.insert(id, Eve::Ends(instant(number) + 10_000));
    }
    eves
}

/// The manifest, `scenario.toml`.
fn manifest(summary: &Summary) -> String {
    let mut text = String::from(
        "# Written by `greenlight sample build`; the README beside it tells the story.\n\n\
         name = \"catalogue\"\n\
         # The default clock, and the day up to which the base reaches.\n\
         clock = \"2021-03-08T00:00:00Z\"\n\
         base = \"2020-01-19T00:00:00Z\"\n",
    );
    let counts = &summary.counts;
    let total = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
    // Writing to a string can't fail.
    let _ = write!(
        text,
        "\n[statistics]\nmovies = {}\nshows = {}\nseasons = {}\nepisodes = {}\ncountries = {}\n\
         observed_titles = {}\ndeleted_titles = {}\nbase_records = {}\nchange_records = {}\n\
         deletes = {}\n",
        summary.videos.movies,
        summary.videos.shows,
        summary.videos.seasons,
        summary.videos.episodes,
        summary.countries,
        summary.observed_titles,
        summary.deleted_titles,
        total(&counts.base),
        total(&counts.changes),
        counts.deletes,
    );
    for (name, map) in [("base", &counts.base), ("changes", &counts.changes)] {
        let _ = write!(text, "\n[records.{name}]\n");
        for topic in &counts.topics {
            let _ = writeln!(text, "{topic} = {}", map.get(topic).copied().unwrap_or(0));
        }
    }
    for ((name, until), records) in ROUNDS.iter().zip(&counts.rounds) {
        let _ = write!(
            text,
            "\n[[round]]\nname = \"{name}\"\nuntil = \"{until}\"\nrecords = {records}\n"
        );
    }
    text
}
