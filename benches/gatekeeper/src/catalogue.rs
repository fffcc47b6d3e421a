//! Catalogues of any size, drawn from the real one.
//!
//! A drawn family has the seasons, episodes and encodes of one real family, the licence windows of another, the ratings of a
//! third, and texts, tracks and pictures of three more that were made in the same language: so every subject keeps its
//! real distribution, and hardly two families are alike. All windows of a family move by up to sixty days. Countries without a
//! policy in the real catalogue ask what a real one asks, and are licensed where that one is, but for one in eight, by
//! which of four territories the contract follows; every fourth of them offers only tracks in the languages that it needs.
//! The same seed always gives the same catalogue.

use std::collections::{BTreeMap, BTreeSet};

use bench_hollow::draws::{below, draw};
use gatekeeper::Input;
use liveness::CODES;
use serde_json::{Value, json};

use crate::donors::{Donors, Family, number};

const DAY_MS: i64 = 86_400_000;
/// The first drawn root's id; roots are numbered from it.
const FIRST_ROOT: i64 = 100_000_000;
/// How far windows move, to either side, in minutes.
const SHIFT_MINUTES: usize = 60 * 24 * 60;
/// One in so many families is on hold.
const HELD: u64 = 500;
/// Territories that small countries are licensed by.
const TERRITORIES: usize = 4;
/// One in so many small countries offers only tracks in the languages that it needs.
const OFFERING: usize = 4;
/// One in so many small countries is not in a territory.
const LEFT_OUT: u64 = 8;

/// Independent draws by subject.
#[derive(Clone, Copy)]
enum Stream {
    Family,
    Rights,
    Ratings,
    Texts,
    Assets,
    Artwork,
    Popularity,
    Shift,
    Hold,
    Country,
    Territory,
    Change,
}

/// From whom a family has what.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    root: i64,
    structure: usize,
    rights: usize,
    ratings: usize,
    texts: usize,
    assets: usize,
    artwork: usize,
    popularity: usize,
    shift_ms: i64,
    territory: usize,
    hold: Option<usize>,
}

/// A catalogue: the real one, or one drawn from it.
pub struct Catalogue {
    donors: Donors,
    /// `None` for the real one.
    drawn: Option<Vec<Drawn>>,
    seed: u64,
    /// For every country without a real policy the one that it resembles.
    like: Vec<(&'static str, String)>,
}

impl Catalogue {
    /// The real catalogue as it is.
    #[must_use]
    pub fn real(donors: Donors) -> Self {
        Self {
            donors,
            drawn: None,
            seed: 0,
            like: Vec::new(),
        }
    }

    /// Exactly `videos` videos.
    #[must_use]
    pub fn draw(donors: Donors, videos: usize, seed: u64) -> Self {
        let of_kind = |kind: &str| -> Vec<usize> {
            let all = donors.families.iter().enumerate();
            all.filter(|(_, family)| family.kind == kind)
                .map(|(at, _)| at)
                .collect()
        };
        let (movies, shows) = (of_kind("movie"), of_kind("show"));
        let mut alike: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (at, family) in donors.families.iter().enumerate() {
            let key = (family.kind.as_str(), family.language.as_str());
            alike.entry(key).or_default().push(at);
        }
        let mut drawn = Vec::new();
        let mut left = videos;
        while left > 0 {
            let at = drawn.len() as u64;
            let pick = |stream: Stream, among: &[usize]| {
                among[below(draw(seed, stream as u64, at), among.len())]
            };
            let chosen = below(
                draw(seed, Stream::Family as u64, at),
                movies.len() + shows.len(),
            );
            let mut structure = match chosen.checked_sub(movies.len()) {
                None => movies[chosen],
                Some(show) => shows[show],
            };
            if donors.families[structure].records(Input::Titles).len() > left {
                structure = pick(Stream::Family, &movies);
            }
            let family = &donors.families[structure];
            left -= family.records(Input::Titles).len();
            let kind = if family.kind == "movie" {
                &movies
            } else {
                &shows
            };
            let same = &alike[&(family.kind.as_str(), family.language.as_str())];
            let shift = below(draw(seed, Stream::Shift as u64, at), 2 * SHIFT_MINUTES + 1);
            let hold = draw(seed, Stream::Hold as u64, at);
            drawn.push(Drawn {
                root: FIRST_ROOT + at as i64,
                structure,
                rights: pick(Stream::Rights, kind),
                ratings: pick(Stream::Ratings, kind),
                texts: pick(Stream::Texts, same),
                assets: pick(Stream::Assets, same),
                artwork: pick(Stream::Artwork, same),
                popularity: pick(Stream::Popularity, kind),
                shift_ms: (shift as i64 - SHIFT_MINUTES as i64) * 60_000,
                territory: below(draw(seed, Stream::Territory as u64, at), TERRITORIES),
                hold: (hold.is_multiple_of(HELD) && !donors.holds.is_empty())
                    .then(|| below(hold, donors.holds.len())),
            });
        }
        let known: BTreeSet<&str> = donors.policies.iter().filter_map(country).collect();
        let real: Vec<&str> = known.iter().copied().collect();
        let like = CODES
            .iter()
            .enumerate()
            .filter(|(_, code)| !known.contains(**code))
            .map(|(at, code)| {
                let like = real[below(draw(seed, Stream::Country as u64, at as u64), real.len())];
                (*code, like.to_owned())
            })
            .collect();
        Self {
            donors,
            drawn: Some(drawn),
            seed,
            like,
        }
    }

    /// How many families there are.
    #[must_use]
    pub fn families(&self) -> usize {
        self.drawn
            .as_ref()
            .map_or(self.donors.families.len(), Vec::len)
    }

    /// The records of an input that belong to a family.
    #[must_use]
    pub fn of_family(&self, input: Input, family: usize) -> Vec<Value> {
        let Some(drawn) = &self.drawn else {
            return self.donors.families[family].records(input).to_vec();
        };
        let drawn = drawn[family];
        let from = match input {
            Input::Titles | Input::Streams => drawn.structure,
            Input::Rights => drawn.rights,
            Input::Ratings => drawn.ratings,
            Input::Texts => drawn.texts,
            Input::Assets => drawn.assets,
            Input::Artwork => drawn.artwork,
            Input::Popularity => drawn.popularity,
            Input::Holds => return self.hold(drawn).into_iter().collect(),
            Input::Policies => return Vec::new(),
        };
        let donor = &self.donors.families[from];
        let is_structure = from == drawn.structure;
        donor
            .records(input)
            .iter()
            .filter(|record| is_structure || number(record, "video") == Some(donor.root))
            .map(|record| {
                let mut record = record.clone();
                renumber(&mut record, "video", donor, drawn.root);
                match input {
                    Input::Titles => renumber(&mut record, "parent", donor, drawn.root),
                    Input::Rights => self.license(&mut record, drawn),
                    _ => {}
                }
                record
            })
            .collect()
    }

    /// The records that belong to no family.
    #[must_use]
    pub fn of_none(&self, input: Input) -> Vec<Value> {
        match input {
            Input::Policies => {
                let mut policies = self.donors.policies.clone();
                for (at, (code, like)) in self.like.iter().enumerate() {
                    let donor = policies.iter().find(|policy| country(policy) == Some(like));
                    if let Some(mut policy) = donor.cloned() {
                        policy["country"] = json!(code);
                        if at % OFFERING == 0 {
                            policy["trackLanguages"] = policy["subtitles"]["languages"].clone();
                        }
                        policies.push(policy);
                    }
                }
                policies
            }
            Input::Holds if self.drawn.is_none() => self.donors.holds.clone(),
            _ => Vec::new(),
        }
    }

    fn license(&self, rights: &mut Value, drawn: Drawn) {
        for window in rights["windows"].as_array_mut().into_iter().flatten() {
            for end in ["start", "end"] {
                if let Some(at) = number(window, end) {
                    window[end] = json!(at + drawn.shift_ms);
                }
            }
            self.widen(&mut window["countries"], drawn.territory);
        }
    }

    /// Adds the countries that are licensed where these are.
    fn widen(&self, countries: &mut Value, territory: usize) {
        let Some(codes) = countries.as_array_mut() else {
            return;
        };
        let known: BTreeSet<String> = codes
            .iter()
            .filter_map(|code| Some(code.as_str()?.to_owned()))
            .collect();
        for (at, (code, like)) in self.like.iter().enumerate() {
            let stream = Stream::Territory as u64 + ((territory as u64 + 1) << 8);
            let is_in = !draw(self.seed, stream, at as u64).is_multiple_of(LEFT_OUT);
            if is_in && known.contains(like) {
                codes.push(json!(code));
            }
        }
    }

    fn hold(&self, drawn: Drawn) -> Option<Value> {
        let mut hold = self.donors.holds.get(drawn.hold?)?.clone();
        hold["hold"] = json!(format!("H-{}", drawn.root));
        hold["video"] = json!(drawn.root);
        self.widen(&mut hold["countries"], drawn.territory);
        Some(hold)
    }

    /// Records of an input as they are from version `version` on, about `count` of them, no key twice. Every one
    /// differs from what it was.
    #[must_use]
    pub fn changes(&self, input: Input, version: u64, count: usize) -> Vec<Value> {
        let stream = Stream::Change as u64 + ((input as u64 + 1) << 8);
        let mut changed = Vec::new();
        let mut seen = BTreeSet::new();
        for attempt in 0..(64 * count as u64 + 1024) {
            if changed.len() == count {
                break;
            }
            let luck = draw(self.seed ^ stream, version, attempt);
            let mut records = match input {
                Input::Policies => self.of_none(input),
                _ => self.of_family(input, below(luck, self.families())),
            };
            if records.is_empty() {
                continue;
            }
            let luck = draw(luck, version, attempt);
            let mut record = records.swap_remove(below(luck, records.len()));
            if change(input, &mut record, version, luck) && seen.insert(key(input, &record)) {
                changed.push(record);
            }
        }
        changed
    }
}

/// The key of a record, as its change records have it.
#[must_use]
pub fn key(input: Input, record: &Value) -> String {
    let fields: &[&str] = match input {
        Input::Texts | Input::Artwork => &["video", "language"],
        Input::Assets => &["video", "kind", "language"],
        Input::Policies => &["country"],
        Input::Holds => &["hold"],
        _ => &["video"],
    };
    let parts: Vec<&Value> = fields.iter().map(|field| &record[*field]).collect();
    json!(parts).to_string()
}

fn country(policy: &Value) -> Option<&str> {
    policy.get("country")?.as_str()
}

/// Gives a video of a family its id under another root, by the scheme of the real catalogue: a season's id is the show's,
/// times a thousand, and its number; an episode's the season's, times a thousand, and its number.
fn renumber(record: &mut Value, field: &str, family: &Family, root: i64) {
    let Some(video) = number(record, field) else {
        return;
    };
    let renumbered = match video {
        video if video == family.root => root,
        video if video / 1_000 == family.root => root * 1_000 + video % 1_000,
        video => root * 1_000_000 + video % 1_000_000,
    };
    record[field] = json!(renumbered);
}

/// Changes something of a record that the rules look at, most of the time.
fn change(input: Input, record: &mut Value, version: u64, luck: u64) -> bool {
    let days = DAY_MS * (1 + version as i64);
    let flip = |record: &mut Value| {
        let is_ready = record["status"] == "ready";
        record["status"] = json!(if is_ready { "withdrawn" } else { "ready" });
    };
    match input {
        Input::Titles if luck.is_multiple_of(5) => {
            record["kids"] = json!(!record["kids"].as_bool().unwrap_or_default());
        }
        Input::Titles => record["runtimeMinutes"] = json!(1000 + version),
        Input::Rights => {
            let windows = record["windows"]
                .as_array_mut()
                .map_or(&mut [][..], |list| list);
            if windows.is_empty() {
                return false;
            }
            let at = below(luck, windows.len());
            let window = &mut windows[at];
            let start = number(window, "start").unwrap_or_default();
            window["end"] = match number(window, "end") {
                Some(end) if luck & 1 == 0 => json!(end + days),
                Some(_) => Value::Null,
                None => json!(start + 2_000 * DAY_MS + days),
            };
        }
        Input::Ratings => {
            let ratings = record["ratings"].as_object_mut();
            let Some(ratings) = ratings.filter(|ratings| !ratings.is_empty()) else {
                return false;
            };
            let at = below(luck, ratings.len());
            let Some(rating) = ratings.values_mut().nth(at) else {
                return false;
            };
            rating["minimumAge"] = json!(match number(rating, "minimumAge") {
                Some(18) => 16,
                _ => 18,
            });
        }
        Input::Texts | Input::Assets | Input::Artwork | Input::Streams => flip(record),
        Input::Policies => {
            let required = record["ratingRequired"].as_bool().unwrap_or_default();
            record["ratingRequired"] = json!(!required);
        }
        Input::Holds => {
            let from = number(record, "from").unwrap_or_default();
            record["until"] = match number(record, "until") {
                Some(_) => Value::Null,
                None => json!(from + days),
            };
        }
        Input::Popularity => {
            let hours = number(record, "hoursViewed").unwrap_or_default();
            record["hoursViewed"] = json!(hours + 100_000 * (1 + version as i64));
        }
    }
    true
}
