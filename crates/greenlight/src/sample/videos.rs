//! Titles, seasons and episodes, and their encodes. Season counts are real; how many episodes a
//! season has is known for a few dozen shows, and drawn from these for the rest.

use std::collections::BTreeMap;

use super::catalogue::{Entry, Facts};
use super::dates::DAY_MS;
use super::draw::Draw;
use super::output::Output;
use super::records::{Kind, Provenance, Status, Streams, Title};
use super::source::{MetadataLine, PackageRow};
use super::{BASE_MS, CLOCK_MS};

/// What the rich records say of shows and of picture quality.
pub(crate) struct Shapes {
    /// Shows whose seasons and episodes are known.
    known: BTreeMap<i64, (i64, i64)>,
    /// Episodes a season of each of them, to draw from.
    episodes: Vec<i64>,
    /// Per mille of packages in UHD, and in no more than SD.
    uhd: u32,
    sd: u32,
    /// Per mille of titles with an audio description.
    pub(crate) described: u32,
}

impl Shapes {
    /// Measures the rich records and the packages.
    pub(crate) fn measure(metadata: &[MetadataLine], packages: &[PackageRow]) -> Self {
        let mut known = BTreeMap::new();
        let mut episodes = Vec::new();
        for line in metadata {
            if let (Some(seasons @ 1..), Some(count @ 1..)) =
                (line.season_count, line.episode_count)
            {
                known.insert(line.netflix_id, (seasons, count));
                episodes.push((count / seasons).max(1));
            }
        }
        let share =
            |part: usize, whole: usize| u32::try_from(part * 1_000 / whole.max(1)).unwrap_or(1_000);
        let quality = |name: &str| packages.iter().filter(|row| row.quality == name).count();
        let all = packages
            .iter()
            .filter(|row| !row.quality.is_empty())
            .count();
        let described = metadata
            .iter()
            .filter(|line| line.has_audio_description == Some(true))
            .count();
        Self {
            known,
            episodes,
            uhd: share(quality("uhd"), all),
            sd: share(quality("sd"), all),
            described: share(described, metadata.len()),
        }
    }

    /// How many episodes a season of a show has, and how we know.
    fn episodes(&self, show: i64, season: i32, seasons: i32) -> (i32, Provenance) {
        let known = self
            .known
            .get(&show)
            .filter(|(known, _)| *known == i64::from(seasons));
        if let Some((seasons, count)) = known {
            let more = i64::from(i64::from(season) <= count % seasons);
            return (
                i32::try_from(count / seasons + more).unwrap_or(1),
                Provenance::Derived,
            );
        }
        let mut draw = Draw::new("episodes", season_id(show, season));
        let at = draw.range(0, i64::try_from(self.episodes.len()).unwrap_or(0));
        let count = usize::try_from(at)
            .ok()
            .and_then(|at| self.episodes.get(at))
            .copied();
        (
            i32::try_from(count.unwrap_or(8)).unwrap_or(8),
            Provenance::Synthesized,
        )
    }
}

/// The id of a season: the show's, followed by three digits.
pub(crate) fn season_id(show: i64, season: i32) -> i64 {
    show * 1_000 + i64::from(season)
}

/// The id of an episode: its season's, followed by three digits.
pub(crate) fn episode_id(show: i64, season: i32, episode: i32) -> i64 {
    season_id(show, season) * 1_000 + i64::from(episode)
}

/// How many videos were written, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Videos {
    /// Movies.
    pub movies: u64,
    /// Shows.
    pub shows: u64,
    /// Seasons.
    pub seasons: u64,
    /// Episodes.
    pub episodes: u64,
}

/// Writes the titles of an entry, its seasons, its episodes and their encodes.
pub(crate) fn emit(
    entry: &Entry,
    language: Option<&str>,
    shapes: &Shapes,
    out: &mut Output,
) -> Videos {
    let mut videos = Videos::default();
    out.put(
        "titles",
        entry.known,
        &(entry.id,),
        &title(entry, entry.first_facts(), language),
    );
    if let (Some(later), false) = (&entry.later, entry.is_new()) {
        out.put(
            "titles",
            entry.updated,
            &(entry.id,),
            &title(entry, later, language),
        );
    }
    if entry.kind == Kind::Movie {
        videos.movies = 1;
        streams(entry, entry.id, entry.known, shapes, out);
        return videos;
    }
    videos.shows = 1;
    // A few newcomers are announced and have no season yet.
    if entry.is_new() && Draw::new("announced", entry.id).chance(15) {
        return videos;
    }
    let first = entry.first_facts().seasons;
    let last = entry.later.as_ref().map_or(first, |facts| facts.seasons);
    for season in 1..=first.max(last) {
        let at = if season <= first {
            entry.known
        } else {
            entry.updated
        };
        videos.seasons += 1;
        videos.episodes += emit_season(entry, language, season, at, last, shapes, out);
    }
    videos
}

fn title(entry: &Entry, facts: &Facts, language: Option<&str>) -> Title {
    Title {
        video: entry.id,
        kind: entry.kind,
        parent: None,
        number: None,
        original_title: facts.title.clone(),
        original_language: language.map(str::to_owned),
        year: Some(facts.year),
        runtime_minutes: facts.minutes,
        kids: facts.kids,
        // The language is worked out from where it was made.
        provenance: if language.is_some() {
            Provenance::Derived
        } else {
            Provenance::Real
        },
    }
}

/// One season with its episodes; returns how many it has. A season that the later snapshot no
/// longer counts is deleted.
fn emit_season(
    entry: &Entry,
    language: Option<&str>,
    season: i32,
    at: i64,
    last: i32,
    shapes: &Shapes,
    out: &mut Output,
) -> u64 {
    let show = &entry.first_facts().title;
    let id = season_id(entry.id, season);
    let (episodes, provenance) = shapes.episodes(entry.id, season, entry.facts().seasons);
    let name = format!("{show}: Season {season}");
    let kids = entry.facts().kids;
    let record = |video, kind, parent, number, title: String, provenance| Title {
        video,
        kind,
        parent: Some(parent),
        number: Some(number),
        original_title: title,
        original_language: language.map(str::to_owned),
        year: None,
        runtime_minutes: None,
        kids,
        provenance,
    };
    let value = record(
        id,
        Kind::Season,
        entry.id,
        season,
        name.clone(),
        Provenance::Derived,
    );
    out.put("titles", at, &(id,), &value);
    let deleted = (season > last).then_some(entry.updated);
    for number in 1..=episodes {
        let episode = episode_id(entry.id, season, number);
        let title = format!("{name}: Episode {number}");
        let value = record(episode, Kind::Episode, id, number, title, provenance);
        out.put("titles", at, &(episode,), &value);
        streams(entry, episode, at, shapes, out);
        // Now and then an upstream deletes a season and forgets an episode of it.
        let forgotten = number == 1 && Draw::new("forgotten", id).chance(200);
        if let (Some(deleted), false) = (deleted, forgotten) {
            out.delete("titles", deleted, &(episode,));
            out.delete("streams", deleted, &(episode,));
        }
    }
    if let Some(deleted) = deleted {
        out.delete("titles", deleted, &(id,));
    }
    u64::try_from(episodes).unwrap_or(0)
}

/// The encodes of a movie or an episode: what was there on the base day is ready but for one in
/// seventy; what comes later is delivered before its start, mostly.
fn streams(entry: &Entry, video: i64, at: i64, shapes: &Shapes, out: &mut Output) {
    let mut look = Draw::new("quality", entry.id);
    let mut profiles = vec!["sd-avc"];
    if !look.chance(shapes.sd) {
        profiles.push("hd-avc");
        if look.chance(shapes.uhd) {
            profiles.push("uhd-hevc");
        }
    }
    let record = |status| Streams {
        video,
        profiles: if status == Status::Ready {
            profiles.clone()
        } else {
            Vec::new()
        },
        drm: if status == Status::Ready {
            vec!["widevine", "playready", "fairplay"]
        } else {
            Vec::new()
        },
        status,
        provenance: Provenance::Synthesized,
    };
    let mut draw = Draw::new("streams", video);
    if at <= BASE_MS {
        let ready = draw.chance(985);
        out.put(
            "streams",
            at,
            &(video,),
            &record(if ready {
                Status::Ready
            } else {
                Status::Pending
            }),
        );
        let mended = draw.range(BASE_MS + DAY_MS, CLOCK_MS + 300 * DAY_MS) / 60_000 * 60_000;
        if !ready && mended < CLOCK_MS {
            out.put("streams", mended, &(video,), &record(Status::Ready));
        }
        return;
    }
    let start = entry
        .facts()
        .added
        .filter(|added| *added > at + 2 * DAY_MS)
        .unwrap_or(at + 3 * DAY_MS);
    let late = draw.chance(30);
    let delivered = if late {
        start + draw.range(1, 20) * DAY_MS
    } else {
        draw.range(at, start) / 60_000 * 60_000
    };
    if video == entry.id {
        out.put("streams", at, &(video,), &record(Status::Pending));
    }
    if delivered < CLOCK_MS {
        out.put(
            "streams",
            delivered.max(at + 1),
            &(video,),
            &record(Status::Ready),
        );
    }
}
