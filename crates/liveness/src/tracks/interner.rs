//! Sets of tracks as bits, each made into names once.
//!
//! Which tracks are live is a matter of three sets of languages: of the tracks that are ready, of the licence and of what a country
//! offers. As bits their intersection is a few words, and so is the union over the episodes of a show; only a set
//! that was not met before becomes a [`TrackSet`].

use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::{TrackName, TrackSet, covers};
use crate::country::CountrySet;
use crate::facts::Facts;
use crate::language::{Language, Languages};
use crate::record::TrackKind;

const KINDS: usize = TrackKind::ALL.len();

/// A set of tracks: a bit for each kind and language, by the language's number. Words at the end that are 0 may be left out.
pub(super) type Bits = [u64];

/// The bit of a track.
fn bit((kind, language): (TrackKind, Language)) -> usize {
    language.index() * KINDS + kind as usize
}

/// Puts a track in.
pub(super) fn insert(bits: &mut Vec<u64>, track: (TrackKind, Language)) {
    let bit = bit(track);
    if bits.len() <= bit / 64 {
        bits.resize(bit / 64 + 1, 0);
    }
    bits[bit / 64] |= 1 << (bit % 64);
}

/// Whether all tracks of one set are in another.
pub(super) fn is_within(inner: &Bits, outer: &Bits) -> bool {
    let mut words = inner.iter().enumerate();
    words.all(|(at, word)| word & !outer.get(at).copied().unwrap_or(0) == 0)
}

fn trimmed(bits: &Bits) -> &Bits {
    let len = bits.iter().rposition(|&word| word != 0);
    &bits[..len.map_or(0, |last| last + 1)]
}

fn hash(bits: &Bits) -> u64 {
    let mut bytes = [0; 8 * 64];
    let mut hash = 0;
    for words in bits.chunks(64) {
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        hash = xxh3_64(&bytes[..8 * words.len()]) ^ u64::rotate_left(hash, 1);
    }
    hash
}

/// The sets of tracks of some [`Facts`] that are in use: equal ones are one. And what countries offer, as bits.
#[derive(Default)]
pub(crate) struct Interner {
    sets: Mutex<HashTable<TrackSet>>,
    /// How many there were after unused ones were forgotten.
    kept: usize,
    /// By what countries offer: the tracks that may be shown. `None`: all.
    offers: Vec<(Option<Vec<u64>>, CountrySet)>,
    /// What the offers were made of: policies, and how many languages.
    seen: Option<(u64, usize)>,
}

impl Interner {
    /// Brings the offers up to date with the facts.
    pub(crate) fn prepare(&mut self, facts: &Facts) {
        let languages = &facts.languages;
        let seen = Some((facts.policies_stamp(), languages.all().count()));
        if self.seen == seen {
            return;
        }
        self.seen = seen;
        let offers = facts.policies().offered().iter();
        self.offers = offers
            .map(|(offered, countries)| {
                let bits = offered.as_deref().map(|offered| {
                    let mut bits = Vec::new();
                    let all = languages.all();
                    for language in all.filter(|&it| covers(languages, Some(offered), it)) {
                        for kind in TrackKind::ALL {
                            insert(&mut bits, (kind, language));
                        }
                    }
                    bits
                });
                (bits, *countries)
            })
            .collect();
    }

    /// By what countries offer: the tracks that may be shown there. `None`: all.
    pub(super) fn offers(&self) -> &[(Option<Vec<u64>>, CountrySet)] {
        &self.offers
    }

    /// The set with these bits.
    pub(super) fn set(&self, languages: &Languages, bits: &Bits) -> TrackSet {
        let bits = trimmed(bits);
        if bits.is_empty() {
            return TrackSet::default();
        }
        let hash_of = |set: &TrackSet| hash(set.bits());
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sets.entry(hash(bits), |set| set.bits() == bits, hash_of);
        let make = || TrackSet::of_bits(languages, bits);
        entry.or_insert_with(make).get().clone()
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

impl TrackSet {
    fn of_bits(languages: &Languages, bits: &Bits) -> Self {
        let tracks = languages.all().flat_map(|language| {
            let kinds = TrackKind::ALL.into_iter();
            kinds.map(move |kind| (kind, language))
        });
        let is_in = |&track: &(TrackKind, Language)| {
            let bit = bit(track);
            bits.get(bit / 64)
                .is_some_and(|word| word >> (bit % 64) & 1 == 1)
        };
        let names = tracks.filter(is_in).map(|(kind, language)| TrackName {
            kind,
            language: languages.shared_tag(language),
        });
        let mut names: Vec<TrackName> = names.collect();
        names.sort_unstable();
        Self::with_bits(names, Box::from(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fallback;

    #[test]
    fn a_set_is_made_once_and_has_the_names_of_its_bits() {
        let mut languages = Languages::new(Fallback::cldr());
        let tags = ["fr", "de", "es-MX"].map(|tag| languages.intern(tag));
        let mut bits = Vec::new();
        insert(&mut bits, (TrackKind::Dub, tags[1]));
        insert(&mut bits, (TrackKind::Subtitles, tags[2]));
        let interner = Interner::default();
        let set = interner.set(&languages, &bits);
        let names = set.iter().map(|it| (it.kind, &*it.language));
        let wanted = [(TrackKind::Subtitles, "es-MX"), (TrackKind::Dub, "de")];
        assert_eq!(names.collect::<Vec<_>>(), wanted);
        bits.extend([0, 0]);
        assert!(interner.set(&languages, &bits).is_same(&set));
        assert!(interner.set(&languages, &[0, 0]).is_empty());
        assert!(is_within(set.bits(), &bits) && is_within(&bits, set.bits()));
        insert(&mut bits, (TrackKind::Dub, tags[0]));
        assert!(is_within(set.bits(), &bits) && !is_within(&bits, set.bits()));
    }
}
