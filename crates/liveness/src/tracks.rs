//! Which tracks are live: sets of them, and what decides about each.
//!
//! Titles share their tracks as they share everything else (the episodes of a season have those of
//! the season), and countries agree on them as far as the licences do. So a set of tracks is made
//! once per (tracks, licensed languages, languages offered) and shared from there on; it holds
//! names beside bits, so that sets of different facts, or read back from a state, compare.

mod interner;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use xxhash_rust::xxh3::Xxh3;

pub(crate) use interner::Interner;
use interner::{Bits, insert, is_within};

use crate::country::CountrySet;
use crate::facts::{Facts, Key, Speech, Window};
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
    /// What the interner of its facts knows it by; nothing for a set that it did not make.
    bits: Box<Bits>,
}

impl TrackSet {
    /// The set of some tracks, in any order.
    pub fn new(mut tracks: Vec<TrackName>) -> Self {
        tracks.sort_unstable();
        tracks.dedup();
        Self::with_bits(tracks, Box::from([]))
    }

    fn with_bits(tracks: Vec<TrackName>, bits: Box<Bits>) -> Self {
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
            bits,
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

    fn bits(&self) -> &Bits {
        self.0.as_ref().map_or(&[], |content| &content.bits)
    }

    /// Whether it is the other set in memory: what is equal of one interner is.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
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

/// Tracks, by number, and the licensed languages; `None`: all.
#[derive(PartialEq, Eq, Hash)]
struct Licensed(u32, Option<Box<[Language]>>);

/// The same, to look up with.
#[derive(Hash)]
struct LicensedRef<'a>(u32, Option<&'a [Language]>);

impl Equivalent<Licensed> for LicensedRef<'_> {
    fn equivalent(&self, key: &Licensed) -> bool {
        (self.0, self.1) == (key.0, key.1.as_deref())
    }
}

/// The sets of tracks met so far, all of one interner.
pub(crate) struct Memo<'a> {
    interner: Sets<'a>,
    /// By tracks and licensed languages: per offer, what is live.
    played: HashMap<Licensed, Parts>,
    bits: Vec<u64>,
}

/// Whose sets they are.
enum Sets<'a> {
    Own(Interner),
    Shared(&'a Interner),
}

impl Default for Memo<'_> {
    fn default() -> Self {
        Self::of(Sets::Own(Interner::default()))
    }
}

impl<'a> Memo<'a> {
    /// One whose sets are those of an interner, which is up to date.
    pub(crate) fn sharing(interner: &'a Interner) -> Self {
        Self::of(Sets::Shared(interner))
    }

    fn of(interner: Sets<'a>) -> Self {
        Self {
            interner,
            played: HashMap::new(),
            bits: Vec::new(),
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
        if let Sets::Own(interner) = &mut self.interner {
            interner.prepare(facts);
        }
        let windows: &[Window] = facts.pools.rights.get(key.ids.rights);
        licence::regions(windows, at, live, |licensed, region| {
            let found = self.played.get(&LicensedRef(key.speech, licensed));
            let offers = match found {
                Some(offers) => offers,
                None => {
                    let offers = self.offers(&facts.languages, speech, licensed);
                    let licensed = Licensed(key.speech, licensed.map(Box::from));
                    self.played.entry(licensed).insert(offers).into_mut()
                }
            };
            for (tracks, countries) in offers {
                add(&mut parts, tracks, *countries & region);
            }
        });
        parts.sort_unstable_by_key(|(_, countries)| countries.first());
        parts
    }

    /// The tracks that are live under a licence, by what countries offer.
    fn offers(
        &mut self,
        languages: &Languages,
        speech: &Speech,
        licensed: Option<&[Language]>,
    ) -> Parts {
        let mut playable = Vec::new();
        for track in speech.tracks.iter().filter(|track| track.ready) {
            let track = (track.kind, track.language);
            if is_licensed(languages, speech, track, licensed) {
                insert(&mut playable, track);
            }
        }
        let interner = self.interner.get();
        let mut parts = Parts::new();
        for (offered, countries) in interner.offers() {
            let Some(offered) = offered else {
                add(&mut parts, &interner.set(languages, &playable), *countries);
                continue;
            };
            self.bits.clear();
            let words = playable.iter().zip(offered);
            self.bits.extend(words.map(|(a, b)| a & b));
            let is_known = |(set, _): &&mut (TrackSet, CountrySet)| {
                let (is, bits) = (set.bits(), &self.bits);
                is_within(is, bits) && is_within(bits, is)
            };
            match parts.iter_mut().find(is_known) {
                Some((_, all)) => *all |= *countries,
                None => add(&mut parts, &interner.set(languages, &self.bits), *countries),
            }
        }
        parts
    }

    /// The tracks that are live for any of some videos.
    pub(crate) fn united<'b>(
        &mut self,
        languages: &Languages,
        each: impl Iterator<Item = &'b [(TrackSet, CountrySet)]>,
    ) -> Parts {
        let mut all = Parts::new();
        for parts in each {
            for (tracks, countries) in parts {
                let mut rest = *countries;
                for at in 0..all.len() {
                    let inside = all[at].1 & rest;
                    if inside.is_empty() {
                        continue;
                    }
                    rest = rest - inside;
                    let united = self.union(languages, &all[at].0, tracks);
                    if united.is_same(&all[at].0) {
                        continue;
                    }
                    let outside = all[at].1 - inside;
                    let (other, _) = std::mem::replace(&mut all[at], (united, inside));
                    if !outside.is_empty() {
                        all.push((other, outside));
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

    fn union(&mut self, languages: &Languages, a: &TrackSet, b: &TrackSet) -> TrackSet {
        if a.is_same(b) || is_within(b.bits(), a.bits()) {
            return a.clone();
        }
        if is_within(a.bits(), b.bits()) {
            return b.clone();
        }
        self.bits.clear();
        self.bits.extend_from_slice(a.bits());
        let len = a.bits().len().max(b.bits().len());
        self.bits.resize(len, 0);
        for (all, word) in self.bits.iter_mut().zip(b.bits()) {
            *all |= word;
        }
        self.interner.get().set(languages, &self.bits)
    }
}

impl Sets<'_> {
    fn get(&self) -> &Interner {
        match self {
            Sets::Own(interner) => interner,
            Sets::Shared(interner) => interner,
        }
    }
}

/// Adds countries to those with the same tracks.
fn add(parts: &mut Parts, tracks: &TrackSet, countries: CountrySet) {
    if tracks.is_empty() || countries.is_empty() {
        return;
    }
    match parts.iter_mut().find(|(other, _)| other.is_same(tracks)) {
        Some((_, all)) => *all |= countries,
        None => parts.push((tracks.clone(), countries)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fallback;
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
        assert!(TrackSet::default().is_empty());
    }

    #[test]
    fn tracks_of_several_videos_are_united_country_by_country() {
        let countries = |codes: &[&str]| -> CountrySet {
            let country = |code: &&str| Country::from_code(code).unwrap();
            codes.iter().map(country).collect()
        };
        let mut languages = Languages::new(Fallback::cldr());
        let mut memo = Memo::default();
        let mut of = |tags: &[&str]| {
            let mut bits = Vec::new();
            for tag in tags {
                insert(&mut bits, (TrackKind::Dub, languages.intern(tag)));
            }
            memo.interner.get().set(&languages, &bits)
        };
        let first = [(of(&["fr"]), countries(&["DE", "FR"]))];
        let second = [
            (of(&["fr", "it"]), countries(&["FR", "IT"])),
            (of(&["de"]), countries(&["DE"])),
        ];
        let united = memo.united(&languages, [&first[..], &second[..]].into_iter());
        let wanted = [
            (set(&["de", "fr"]), countries(&["DE"])),
            (set(&["fr", "it"]), countries(&["FR", "IT"])),
        ];
        assert_eq!(united, wanted);
    }
}
