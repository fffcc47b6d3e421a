//! A world of records: the ten inputs as plain maps, random ones, and random changes of them.

use std::collections::BTreeMap;

use liveness::Facts;
use liveness::record::*;

use super::Random;

pub(crate) const COUNTRIES: [&str; 6] = ["AR", "BR", "DE", "FR", "MX", "US"];
pub(crate) const LANGUAGES: [&str; 8] = [
    "en", "es", "es-419", "es-MX", "fr", "pt", "pt-BR", "zh-Hant",
];
const ARTWORK_LANGUAGES: [&str; 4] = ["en", "es-419", "fr", "zxx"];
const SYSTEMS: [&str; 3] = ["fsk", "cnc", "us-tv"];
pub(crate) const END: i64 = 30;

/// How large a random catalogue is. The videos' ids begin with 1: shows, seasons, episodes, movies.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) shows: i64,
    pub(crate) seasons: i64,
    pub(crate) episodes: i64,
    pub(crate) movies: i64,
    pub(crate) countries: usize,
    pub(crate) records_of_a_video: usize,
}

pub(crate) const MEDIUM: Shape = Shape {
    shows: 3,
    seasons: 3,
    episodes: 5,
    movies: 3,
    countries: COUNTRIES.len(),
    records_of_a_video: 24,
};

/// Small enough for thousands of them.
pub(crate) const SMALL: Shape = Shape {
    shows: 1,
    seasons: 2,
    episodes: 2,
    movies: 1,
    countries: 3,
    records_of_a_video: 22,
};

impl Shape {
    fn videos(&self) -> i64 {
        self.shows + self.seasons + self.episodes + self.movies
    }

    fn any_video(&self, random: &mut Random) -> i64 {
        1 + random.below(self.videos() as usize) as i64
    }

    /// What a video of an id mostly is.
    fn kind(&self, video: i64) -> Kind {
        match video {
            _ if video <= self.shows => Kind::Show,
            _ if video <= self.shows + self.seasons => Kind::Season,
            _ if video <= self.videos() - self.movies => Kind::Episode,
            _ => Kind::Movie,
        }
    }
}

/// The inputs, by key.
#[derive(Clone, Default, Debug)]
pub(crate) struct World {
    pub(crate) titles: BTreeMap<i64, Title>,
    pub(crate) rights: BTreeMap<i64, Rights>,
    pub(crate) ratings: BTreeMap<i64, Ratings>,
    pub(crate) texts: BTreeMap<(i64, String), Text>,
    pub(crate) assets: BTreeMap<(i64, TrackKind, String), Asset>,
    pub(crate) artwork: BTreeMap<(i64, String), Artwork>,
    pub(crate) streams: BTreeMap<i64, Streams>,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) holds: BTreeMap<String, Hold>,
    pub(crate) popularity: BTreeMap<i64, Popularity>,
}

/// One record set or removed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Title(i64, Option<Title>),
    Rights(i64, Option<Rights>),
    Ratings(i64, Option<Ratings>),
    Text((i64, String), Option<Text>),
    Asset((i64, TrackKind, String), Option<Asset>),
    Artwork((i64, String), Option<Artwork>),
    Streams(i64, Option<Streams>),
    Policy(String, Option<Policy>),
    Hold(String, Option<Hold>),
    Popularity(i64, Option<Popularity>),
}

fn put<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, key: &K, value: &Option<V>) {
    match value {
        Some(value) => map.insert(key.clone(), value.clone()),
        None => map.remove(key),
    };
}

impl World {
    /// A catalogue of a few families, where about every second fact is in order.
    pub(crate) fn random(random: &mut Random) -> World {
        World::shaped(&MEDIUM, random)
    }

    pub(crate) fn shaped(shape: &Shape, random: &mut Random) -> World {
        let mut world = World::default();
        for &country in &COUNTRIES[..shape.countries] {
            if random.chance(85) {
                world.apply(&Change::Policy(
                    country.into(),
                    Some(policy(country, random)),
                ));
            }
        }
        for video in 1..=shape.videos() {
            if random.chance(93) {
                world.apply(&Change::Title(video, Some(title(video, shape, random))));
            }
            for _ in 0..shape.records_of_a_video {
                world.apply(&record(video, random));
            }
        }
        for _ in 0..random.below(4) {
            world.apply(&hold(shape, random));
        }
        world
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Title(key, value) => put(&mut self.titles, key, value),
            Change::Rights(key, value) => put(&mut self.rights, key, value),
            Change::Ratings(key, value) => put(&mut self.ratings, key, value),
            Change::Text(key, value) => put(&mut self.texts, key, value),
            Change::Asset(key, value) => put(&mut self.assets, key, value),
            Change::Artwork(key, value) => put(&mut self.artwork, key, value),
            Change::Streams(key, value) => put(&mut self.streams, key, value),
            Change::Policy(key, value) => put(&mut self.policies, key, value),
            Change::Hold(key, value) => put(&mut self.holds, key, value),
            Change::Popularity(key, value) => put(&mut self.popularity, key, value),
        }
    }

    /// Every instant at which something begins or ends, and the ones beside it.
    pub(crate) fn instants(&self) -> Vec<i64> {
        let mut instants = vec![0, END + 5];
        for window in self.rights.values().flat_map(|rights| &rights.windows) {
            instants.push(window.start);
            instants.extend(window.end);
        }
        for hold in self.holds.values() {
            instants.push(hold.from);
            instants.extend(hold.until);
        }
        let mut instants: Vec<i64> = instants.iter().flat_map(|at| [at - 1, *at]).collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    /// The facts of all records, set in one go.
    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::new(liveness::Fallback::cldr());
        self.put(&mut facts);
        facts
    }

    /// Sets all records.
    pub(crate) fn put(&self, facts: &mut Facts) {
        self.texts.values().for_each(|text| facts.put_text(text));
        self.assets
            .values()
            .for_each(|asset| facts.put_asset(asset));
        self.holds.values().for_each(|hold| facts.put_hold(hold));
        self.titles
            .values()
            .for_each(|title| facts.put_title(title));
        self.rights
            .values()
            .for_each(|rights| facts.put_rights(rights));
        self.ratings
            .values()
            .for_each(|ratings| facts.put_ratings(ratings));
        self.artwork
            .values()
            .for_each(|artwork| facts.put_artwork(artwork));
        self.streams
            .values()
            .for_each(|streams| facts.put_streams(streams));
        self.policies
            .values()
            .for_each(|policy| facts.put_policy(policy));
        self.popularity
            .values()
            .for_each(|popularity| facts.put_popularity(popularity));
        facts.refresh();
    }
}

/// A title that becomes another kind of video and keeps its parent; `None` where there are no titles.
pub(crate) fn change_of_kind(world: &World, random: &mut Random) -> Option<Change> {
    let titles: Vec<&Title> = world.titles.values().collect();
    let title = titles.get(random.below(titles.len().max(1)))?;
    let kind = random.pick(&[Kind::Movie, Kind::Show, Kind::Season, Kind::Episode]);
    let title = Title {
        kind,
        ..(*title).clone()
    };
    Some(Change::Title(title.video, Some(title)))
}

/// Makes one change to facts.
pub(crate) fn change_facts(facts: &mut Facts, change: &Change) {
    match change {
        Change::Title(video, None) => facts.set_title(*video, None),
        Change::Title(_, Some(title)) => facts.put_title(title),
        Change::Rights(video, None) => facts.set_rights(*video, None),
        Change::Rights(_, Some(rights)) => facts.put_rights(rights),
        Change::Ratings(video, None) => facts.set_ratings(*video, None),
        Change::Ratings(_, Some(ratings)) => facts.put_ratings(ratings),
        Change::Text((video, tag), None) => {
            let language = facts.languages.intern(tag);
            facts.remove_text(*video, language);
        }
        Change::Text(_, Some(text)) => facts.put_text(text),
        Change::Asset((video, kind, tag), None) => {
            let language = facts.languages.intern(tag);
            facts.remove_track(*video, *kind, language);
        }
        Change::Asset(_, Some(asset)) => facts.put_asset(asset),
        Change::Artwork((video, tag), None) => {
            let language = facts.languages.intern(tag);
            facts.remove_artwork(*video, language);
        }
        Change::Artwork(_, Some(artwork)) => facts.put_artwork(artwork),
        Change::Streams(video, None) => facts.set_streams(*video, None),
        Change::Streams(_, Some(streams)) => facts.put_streams(streams),
        Change::Policy(code, None) => {
            facts.set_policy(liveness::Country::from_code(code).unwrap(), None);
        }
        Change::Policy(_, Some(policy)) => facts.put_policy(policy),
        Change::Hold(id, None) => facts.remove_hold(id),
        Change::Hold(_, Some(hold)) => facts.put_hold(hold),
        Change::Popularity(video, None) => facts.set_popularity(*video, None),
        Change::Popularity(_, Some(popularity)) => facts.put_popularity(popularity),
    }
}

/// A random change: mostly a record set, now and then one removed.
pub(crate) fn random_change(random: &mut Random) -> Change {
    let shape = &MEDIUM;
    let video = shape.any_video(random);
    let country = random.pick(&COUNTRIES);
    let change = match random.below(12) {
        0 => Change::Title(video, Some(title(video, shape, random))),
        1 => Change::Policy(country.into(), Some(policy(country, random))),
        2 => hold(shape, random),
        _ => record(video, random),
    };
    match random.chance(25) {
        true => removal(change),
        false => change,
    }
}

fn removal(change: Change) -> Change {
    match change {
        Change::Title(key, _) => Change::Title(key, None),
        Change::Rights(key, _) => Change::Rights(key, None),
        Change::Ratings(key, _) => Change::Ratings(key, None),
        Change::Text(key, _) => Change::Text(key, None),
        Change::Asset(key, _) => Change::Asset(key, None),
        Change::Artwork(key, _) => Change::Artwork(key, None),
        Change::Streams(key, _) => Change::Streams(key, None),
        Change::Policy(key, _) => Change::Policy(key, None),
        Change::Hold(key, _) => Change::Hold(key, None),
        Change::Popularity(key, _) => Change::Popularity(key, None),
    }
}

/// A title, mostly as the shape has it.
fn title(video: i64, shape: &Shape, random: &mut Random) -> Title {
    let kind = match random.chance(94) {
        true => shape.kind(video),
        false => random.pick(&[Kind::Show, Kind::Season, Kind::Episode, Kind::Movie]),
    };
    let mut among = |first: i64, count: i64| Some(first + random.below(count as usize) as i64);
    let parent = match kind {
        Kind::Season => among(1, shape.shows),
        Kind::Episode => among(1 + shape.shows, shape.seasons),
        Kind::Show | Kind::Movie => None,
    };
    let parent = match random.chance(94) {
        true => parent,
        false => Some(shape.any_video(random)),
    };
    Title {
        video,
        kind,
        parent,
        original_language: random
            .chance(80)
            .then(|| random.pick(&LANGUAGES).to_owned()),
        kids: random.chance(40),
    }
}

fn policy(country: &str, random: &mut Random) -> Policy {
    let mut need = |percent| LanguageNeed {
        all: random.chance(40),
        languages: random.some(&LANGUAGES, percent),
    };
    let (title, synopsis) = (need(8), need(8));
    let (subtitles, kids_dub) = (need(10), need(10));
    let mut artwork_languages: Vec<String> = Vec::new();
    for _ in 0..random.below(3) {
        artwork_languages.push(random.pick(&ARTWORK_LANGUAGES).to_owned());
    }
    let offers_all = random.chance(60);
    Policy {
        country: country.to_owned(),
        rating_systems: random.some(&SYSTEMS, 50),
        rating_required: random.chance(40),
        maximum_age: random.chance(40).then(|| random.pick(&[12, 16, 18])),
        title,
        synopsis,
        subtitles,
        kids_dub,
        artwork_languages,
        track_languages: (!offers_all).then(|| random.some(&LANGUAGES, 50)),
    }
}

fn interval(random: &mut Random) -> (i64, Option<i64>) {
    let start = random.below(END as usize - 4) as i64;
    let end = random
        .chance(75)
        .then(|| start + 1 + random.below(12) as i64);
    (start, end)
}

fn hold(shape: &Shape, random: &mut Random) -> Change {
    let id = format!("h{}", random.below(4));
    let (from, until) = interval(random);
    let hold = Hold {
        hold: id.clone(),
        video: shape.any_video(random),
        countries: random.chance(70).then(|| random.some(&COUNTRIES, 40)),
        reason: "a claim is open".to_owned(),
        from,
        until,
    };
    Change::Hold(id, Some(hold))
}

fn window(random: &mut Random) -> Window {
    let (start, end) = interval(random);
    Window {
        start,
        end,
        countries: random.some(&COUNTRIES, 75),
        languages: random.chance(50).then(|| random.some(&LANGUAGES, 45)),
    }
}

/// A record of a subject other than titles, holds and policies.
fn record(video: i64, random: &mut Random) -> Change {
    let ready = random.chance(85);
    let language = random.pick(&LANGUAGES).to_owned();
    match random.below(14) {
        0 | 1 => {
            let windows = (0..random.below(4)).map(|_| window(random)).collect();
            Change::Rights(video, Some(Rights { video, windows }))
        }
        2 => {
            let mut ratings = BTreeMap::new();
            for country in random.some(&COUNTRIES, 40) {
                let rating = Rating {
                    system: random.pick(&SYSTEMS).to_owned(),
                    minimum_age: random
                        .chance(80)
                        .then(|| random.pick(&[6, 12, 16, 17, 18, 21])),
                };
                ratings.insert(country, rating);
            }
            Change::Ratings(video, Some(Ratings { video, ratings }))
        }
        3..=5 => {
            let text = Text {
                video,
                language: language.clone(),
                title: random.chance(80),
                synopsis: random.chance(80),
                ready,
            };
            Change::Text((video, language), Some(text))
        }
        6..=9 => {
            let kind = random.pick(&TrackKind::ALL);
            let asset = Asset {
                video,
                kind,
                language: language.clone(),
                ready,
            };
            Change::Asset((video, kind, language), Some(asset))
        }
        10 | 11 => {
            let language = random.pick(&ARTWORK_LANGUAGES).to_owned();
            let artwork = Artwork {
                video,
                language: language.clone(),
                formats: random.some(&["poster", "still"], 60),
                ready,
            };
            Change::Artwork((video, language), Some(artwork))
        }
        12 => {
            let streams = Streams {
                video,
                profiles: random.some(&["hd-avc", "sd-avc"], 80),
                drm: random.some(&["widevine", "playready"], 70),
                ready,
            };
            Change::Streams(video, Some(streams))
        }
        _ => {
            let hours_viewed = random.below(1000) as i64;
            Change::Popularity(
                video,
                Some(Popularity {
                    video,
                    hours_viewed,
                }),
            )
        }
    }
}
