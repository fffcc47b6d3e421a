//! Which tracks are live: sets of them, and what decides about each.
//!
//! Titles share their tracks as they share everything else (the episodes of a season have those of
//! the season), and countries agree on them as far as the licences do. So a set of tracks is made
//! once per (tracks, licensed languages, languages offered) and shared from there on; it holds
//! names and not numbers, so that sets of different facts, or read back from a state, compare.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};
use xxhash_rust::xxh3::Xxh3;

use crate::country::CountrySet;
use crate::facts::{Facts, Key, Policies, Speech, Window};
use crate::language::{Language, Languages};
use crate::licence;
use crate::record::TrackKind;
use crate::verdict::{Moment, drop_like};

/// Grows when the same facts start to give other live tracks.
pub(crate) const REVISION: u32 = 1;

/// A track of some video.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackName {
    /// Subtitles, dub, captions or description.
    pub kind: TrackKind,
    /// The language's tag.
    pub language: Arc<str>,
}

/// A set of tracks, sorted; cheap to clone and to compare.
#[derive(Clone, Default)]
pub struct TrackSet(Option<Arc<Content>>);

/// At least one track.
struct Content {
    hash: u64,
    tracks: Box<[TrackName]>,
}

impl TrackSet {
    /// The set of some tracks, in any order.
    pub fn new(mut tracks: Vec<TrackName>) -> Self {
        tracks.sort_unstable();
        tracks.dedup();
        Self::of_sorted(tracks)
    }

    fn of_sorted(tracks: Vec<TrackName>) -> Self {
        if tracks.is_empty() {
            return Self::default();
        }
        let mut hasher = Xxh3::new();
        for track in &tracks {
            hasher.update(&[track.kind as u8]);
            hasher.update(track.language.as_bytes());
        }
        Self(Some(Arc::new(Content {
            hash: hasher.digest(),
            tracks: tracks.into_boxed_slice(),
        })))
    }

    fn as_slice(&self) -> &[TrackName] {
        self.0.as_ref().map_or(&[], |content| &content.tracks)
    }

    /// The tracks, by kind and language.
    pub fn iter(&self) -> std::slice::Iter<'_, TrackName> {
        self.as_slice().iter()
    }

    /// Whether there is no track.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many tracks there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether a track is in the set.
    pub fn contains(&self, track: &TrackName) -> bool {
        self.as_slice().binary_search(track).is_ok()
    }

    /// The tracks of either.
    fn union(&self, other: &Self) -> Self {
        if self == other || other.is_empty() {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut tracks = [self.as_slice(), other.as_slice()].concat();
        tracks.sort();
        tracks.dedup();
        match tracks.len() {
            len if len == self.len() => self.clone(),
            len if len == other.len() => other.clone(),
            _ => Self::of_sorted(tracks),
        }
    }

    /// Whether nobody else has these tracks in memory.
    fn is_unshared(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|content| Arc::strong_count(content) == 1)
    }
}

impl PartialEq for TrackSet {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || (a.hash == b.hash && a.tracks == b.tracks),
            _ => false,
        }
    }
}

impl Eq for TrackSet {}

impl Hash for TrackSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.as_ref().map_or(0, |content| content.hash));
    }
}

impl fmt::Debug for TrackSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What keeps a track from being live where its video is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Obstacle {
    /// Its status is not `ready`.
    NotReady,
    /// No open window licenses its language.
    NotLicensed,
    /// The country's policy does not offer its language.
    NotOffered,
}

impl Obstacle {
    /// The name used in answers.
    pub fn code(self) -> &'static str {
        match self {
            Obstacle::NotReady => "track.not-ready",
            Obstacle::NotLicensed => "track.not-licensed",
            Obstacle::NotOffered => "track.not-offered",
        }
    }
}

/// Whether the languages of a licence or an offer (`None`: all) cover one, as itself or as a
/// variant.
pub(crate) fn covers(
    languages: &Languages,
    among: Option<&[Language]>,
    language: Language,
) -> bool {
    among.is_none_or(|among| {
        languages
            .chain(language)
            .any(|language| among.binary_search(&language).is_ok())
    })
}

/// Whether a track may be played under a licence. Captions and descriptions in the original
/// language belong to the film itself.
pub(crate) fn is_licensed(
    languages: &Languages,
    speech: &Speech,
    (kind, language): (TrackKind, Language),
    licensed: Option<&[Language]>,
) -> bool {
    let belongs = matches!(kind, TrackKind::Captions | TrackKind::Description)
        && speech
            .original
            .is_some_and(|original| languages.serves(original, language));
    belongs || covers(languages, licensed, language)
}

/// Countries with the same live tracks; disjoint, sorted by first country, without those that have
/// none.
pub(crate) type Parts = Vec<(TrackSet, CountrySet)>;

/// Licensed languages; `None`: all.
type Licensed = Option<Box<[Language]>>;

/// The sets of tracks that are in use, so that equal ones are one.
#[derive(Default)]
pub(crate) struct Interner {
    sets: Mutex<HashSet<TrackSet>>,
    /// How many there were after unused ones were forgotten.
    kept: usize,
}

impl Interner {
    fn canonical(&self, set: TrackSet) -> TrackSet {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.get_or_insert(set).clone()
    }

    /// Forgets sets that nobody else has, now and then.
    pub(crate) fn forget_unused(&mut self) {
        let sets = self.sets.get_mut().unwrap_or_else(PoisonError::into_inner);
        if sets.len() > 2 * self.kept + 1024 {
            sets.retain(|set| !set.is_unshared());
            self.kept = sets.len();
        }
    }
}

/// The sets of tracks met so far.
#[derive(Default)]
pub(crate) struct Memo<'a> {
    shared: Option<&'a Interner>,
    /// By tracks and licensed languages: per offer, what is live.
    played: HashMap<(u32, Licensed), Parts>,
    unions: HashMap<(TrackSet, TrackSet), TrackSet>,
}

impl<'a> Memo<'a> {
    /// One whose sets are those of an interner.
    pub(crate) fn sharing(interner: &'a Interner) -> Self {
        Self {
            shared: Some(interner),
            ..Self::default()
        }
    }

    /// Says which tracks of a played video are live where, at each moment of its timeline, and
    /// leaves out the moments at which nothing changes.
    pub(crate) fn fill_in(&mut self, facts: &Facts, key: &Key, timeline: &mut Vec<Moment>) {
        for moment in timeline.iter_mut() {
            moment.tracks = self.played(facts, key, moment.at, moment.live);
        }
        drop_like(timeline);
    }

    /// Which tracks of a played video are live where, if the video is live in some countries at
    /// an instant.
    fn played(&mut self, facts: &Facts, key: &Key, at: i64, live: CountrySet) -> Parts {
        let mut parts = Parts::new();
        let speech = facts.pools.speech.get(key.speech);
        if live.is_empty() || speech.tracks.is_empty() {
            return parts;
        }
        let windows: &[Window] = facts.pools.rights.get(key.ids.rights);
        licence::regions(windows, at, live, |licensed, region| {
            let memo = (key.speech, licensed.map(Box::from));
            let shared = self.shared;
            let make = || {
                let mut offers = offers(&facts.languages, facts.policies(), speech, licensed);
                for (tracks, _) in &mut offers {
                    *tracks = canonical(shared, std::mem::take(tracks));
                }
                offers
            };
            for (tracks, countries) in &*self.played.entry(memo).or_insert_with(make) {
                add(&mut parts, tracks, *countries & region);
            }
        });
        parts.sort_unstable_by_key(|(_, countries)| countries.first());
        parts
    }

    /// The tracks that are live for any of some videos.
    pub(crate) fn united<'b>(
        &mut self,
        each: impl Iterator<Item = &'b [(TrackSet, CountrySet)]>,
    ) -> Parts {
        let mut all = Parts::new();
        for parts in each {
            for (tracks, countries) in parts {
                let mut rest = *countries;
                for at in 0..all.len() {
                    let (other, inside) = (all[at].0.clone(), all[at].1 & rest);
                    if inside.is_empty() {
                        continue;
                    }
                    rest = rest - inside;
                    let united = self.union(&other, tracks);
                    if united != other {
                        let outside = all[at].1 - inside;
                        all[at] = (united, inside);
                        if !outside.is_empty() {
                            all.push((other, outside));
                        }
                    }
                }
                if !rest.is_empty() {
                    all.push((tracks.clone(), rest));
                }
            }
        }
        let mut parts = Parts::with_capacity(all.len());
        for (tracks, countries) in &all {
            add(&mut parts, tracks, *countries);
        }
        parts.sort_unstable_by_key(|(_, countries)| countries.first());
        parts
    }

    fn union(&mut self, a: &TrackSet, b: &TrackSet) -> TrackSet {
        if a == b {
            return a.clone();
        }
        let shared = self.shared;
        let united = || canonical(shared, a.union(b));
        let key = (a.clone(), b.clone());
        self.unions.entry(key).or_insert_with(united).clone()
    }
}

/// The one set that all with equal tracks have, where there is an interner.
fn canonical(shared: Option<&Interner>, set: TrackSet) -> TrackSet {
    match shared {
        Some(interner) => interner.canonical(set),
        None => set,
    }
}

/// Adds countries to those with the same tracks.
fn add(parts: &mut Parts, tracks: &TrackSet, countries: CountrySet) {
    if tracks.is_empty() || countries.is_empty() {
        return;
    }
    match parts.iter_mut().find(|(other, _)| other == tracks) {
        Some((_, all)) => *all |= countries,
        None => parts.push((tracks.clone(), countries)),
    }
}

/// The tracks that are live under a licence, by what countries offer.
fn offers(
    languages: &Languages,
    policies: &Policies,
    speech: &Speech,
    licensed: Option<&[Language]>,
) -> Parts {
    let playable: Vec<(TrackKind, Language)> = speech
        .tracks
        .iter()
        .filter(|track| track.ready)
        .map(|track| (track.kind, track.language))
        .filter(|&track| is_licensed(languages, speech, track, licensed))
        .collect();
    let mut parts = Parts::new();
    for (offered, countries) in policies.offered() {
        let offered = playable
            .iter()
            .filter(|(_, language)| covers(languages, offered.as_deref(), *language))
            .map(|&(kind, language)| TrackName {
                kind,
                language: languages.shared_tag(language),
            });
        add(&mut parts, &TrackSet::new(offered.collect()), *countries);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;

    fn set(tags: &[&str]) -> TrackSet {
        let track = |tag: &&str| TrackName {
            kind: TrackKind::Dub,
            language: Arc::from(*tag),
        };
        TrackSet::new(tags.iter().map(track).collect())
    }

    #[test]
    fn sets_of_equal_tracks_are_equal() {
        assert_eq!(set(&["fr", "de"]), set(&["de", "fr", "fr"]));
        assert_ne!(set(&["fr"]), set(&["de"]));
        assert_eq!(set(&["fr"]).union(&set(&["de"])), set(&["de", "fr"]));
        assert!(TrackSet::default().is_empty());
    }

    #[test]
    fn tracks_of_several_videos_are_united_country_by_country() {
        let countries = |codes: &[&str]| -> CountrySet {
            let country = |code: &&str| Country::from_code(code).unwrap();
            codes.iter().map(country).collect()
        };
        let first = [(set(&["fr"]), countries(&["DE", "FR"]))];
        let second = [
            (set(&["fr", "it"]), countries(&["FR", "IT"])),
            (set(&["de"]), countries(&["DE"])),
        ];
        let united = Memo::default().united([&first[..], &second[..]].into_iter());
        let wanted = [
            (set(&["de", "fr"]), countries(&["DE"])),
            (set(&["fr", "it"]), countries(&["FR", "IT"])),
        ];
        assert_eq!(united, wanted);
    }
}
