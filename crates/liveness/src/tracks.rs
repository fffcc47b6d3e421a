//! Which tracks are live: sets of them, and what decides about each.
//!
//! Titles share their tracks as they share everything else (the episodes of a season have those of
//! the season), and countries agree on them as far as the licences do. So a set of tracks is made
//! once per (tracks, licensed languages, languages offered) and shared from there on; it holds
//! names beside bits, so that sets of different facts, or read back from a state, compare.

mod interner;
mod licences;
mod set;

pub(crate) use interner::Interner;
use interner::{is_within, trimmed};
use licences::unite;
pub use set::{TrackName, TrackSet};

use crate::country::CountrySet;
use crate::facts::{Facts, Key, Speech, Window};
use crate::language::{Language, Languages};
use crate::licence::{self, Latest};
use crate::record::TrackKind;
use crate::verdict::{Moment, drop_like};

/// Grows when the same facts start to give other live tracks.
pub(crate) const REVISION: u32 = 1;

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

/// The sets of tracks met so far, all of one interner.
pub(crate) struct Memo<'a> {
    interner: Sets<'a>,
    /// What is live by what countries offer.
    offers: Latest<Parts>,
    room: Room,
}

/// Room for bits.
#[derive(Default)]
struct Room {
    playable: Vec<u64>,
    bits: Vec<u64>,
}

/// Whose sets they are.
enum Sets<'a> {
    Own(Box<Interner>),
    Shared(&'a Interner),
}

impl Default for Memo<'_> {
    fn default() -> Self {
        Self::of(Sets::Own(Box::default()))
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
            offers: Latest::default(),
            room: Room::default(),
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
        let (interner, room) = (self.interner.get(), &mut self.room);
        let windows: &[Window] = facts.pools.rights.get(key.ids.rights);
        licence::regions(windows, at, live, |licensed, region| {
            let ask = || offers(interner, speech, licensed, room);
            let offers = self.offers.answer(key.speech, licensed, ask);
            let is_first = parts.is_empty();
            parts.reserve_exact(offers.len());
            for (tracks, countries) in offers {
                let countries = *countries & region;
                match is_first {
                    true if countries.is_empty() => {}
                    true => parts.push((tracks.clone(), countries)),
                    false => add(&mut parts, tracks, countries),
                }
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
                    let inside = all[at].1 & rest;
                    if inside.is_empty() {
                        continue;
                    }
                    rest = rest - inside;
                    let united = self.union(&all[at].0, tracks);
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

    fn union(&mut self, a: &TrackSet, b: &TrackSet) -> TrackSet {
        if a.is_same(b) || is_within(b.bits(), a.bits()) {
            return a.clone();
        }
        if is_within(a.bits(), b.bits()) {
            return b.clone();
        }
        let bits = &mut self.room.bits;
        bits.clear();
        bits.extend_from_slice(a.bits());
        let len = a.bits().len().max(b.bits().len());
        bits.resize(len, 0);
        unite(bits, b.bits());
        self.interner.get().set(bits)
    }
}

/// The tracks that are live under a licence, by what countries offer.
fn offers(
    interner: &Interner,
    speech: &Speech,
    licensed: Option<&[Language]>,
    room: &mut Room,
) -> Parts {
    let Room { playable, bits } = room;
    interner.licences().playable(speech, licensed, playable);
    let mut parts = Parts::new();
    for (offered, countries) in interner.offers() {
        bits.clear();
        bits.extend(playable.iter().zip(offered).map(|(a, b)| a & b));
        let bits = trimmed(bits);
        match parts.iter_mut().find(|(set, _)| set.bits() == bits) {
            Some((_, all)) => *all |= *countries,
            None => add(&mut parts, &interner.set(bits), *countries),
        }
    }
    parts
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
    use std::sync::Arc;

    use super::*;
    use crate::Fallback;
    use crate::country::Country;

    #[test]
    fn tracks_of_several_videos_are_united_country_by_country() {
        let countries = |codes: &[&str]| -> CountrySet {
            let country = |code: &&str| Country::from_code(code).unwrap();
            codes.iter().map(country).collect()
        };
        let set = |tags: &[&str]| {
            let track = |tag: &&str| TrackName {
                kind: TrackKind::Dub,
                language: Arc::from(*tag),
            };
            TrackSet::new(tags.iter().map(track).collect())
        };
        let mut facts = Facts::new(Fallback::cldr());
        for tag in ["de", "fr", "it"] {
            facts.languages.intern(tag);
        }
        let mut interner = Interner::default();
        interner.prepare(&facts);
        let of = |tags: &[&str]| {
            let mut bits = Vec::new();
            for tag in tags {
                let language = facts.languages.find(tag).unwrap();
                interner::insert(&mut bits, (TrackKind::Dub, language));
            }
            interner.set(&bits)
        };
        let first = [(of(&["fr"]), countries(&["DE", "FR"]))];
        let second = [
            (of(&["fr", "it"]), countries(&["FR", "IT"])),
            (of(&["de"]), countries(&["DE"])),
        ];
        let mut memo = Memo::sharing(&interner);
        let united = memo.united([&first[..], &second[..]].into_iter());
        let wanted = [
            (set(&["de", "fr"]), countries(&["DE"])),
            (set(&["fr", "it"]), countries(&["FR", "IT"])),
        ];
        assert_eq!(united, wanted);
    }
}
