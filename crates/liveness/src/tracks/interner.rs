//! Sets of tracks as bits, each made into names once.
//!
//! Which tracks are live is a matter of three sets of languages: of the tracks that are ready, of the licence and of what a country
//! offers. As bits their intersection is a few words, and so is the union over the episodes of a show; only a set
//! that was not met before becomes a [`TrackSet`].

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::licences::Licences;
use super::set::{Directory, TrackName, TrackSet};
use crate::country::CountrySet;
use crate::facts::Facts;
use crate::language::{Language, Languages};
use crate::record::TrackKind;

pub(super) const KINDS: usize = TrackKind::ALL.len();

/// In how many parts the sets are kept, each with a lock of its own; a power of two.
const PARTS: usize = 64;

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

pub(super) fn trimmed(bits: &Bits) -> &Bits {
    let len = bits.iter().rposition(|&word| word != 0);
    &bits[..len.map_or(0, |last| last + 1)]
}

fn hash(bits: &Bits) -> u64 {
    let mut bytes = [0; 8 * 8];
    let mut hash = 0;
    for words in bits.chunks(8) {
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        hash = xxh3_64(&bytes[..8 * words.len()]) ^ u64::rotate_left(hash, 1);
    }
    hash
}

/// The sets of tracks of some [`Facts`] that are in use: equal ones are one. And what licences and countries allow, as bits.
pub(crate) struct Interner {
    sets: [Mutex<HashTable<TrackSet>>; PARTS],
    /// How many there were after unused ones were forgotten.
    kept: usize,
    /// The names of the bits, in order.
    directory: Arc<Directory>,
    /// The bit of each name.
    order: Vec<usize>,
    licences: Licences,
    /// By what countries offer: the tracks that may be shown.
    offers: Vec<(Vec<u64>, CountrySet)>,
    /// What all that was made of: policies, and how many languages.
    seen: Option<(u64, usize)>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            sets: std::array::from_fn(|_| Mutex::default()),
            kept: 0,
            directory: Arc::default(),
            order: Vec::new(),
            licences: Licences::default(),
            offers: Vec::new(),
            seen: None,
        }
    }
}

impl Interner {
    /// Brings names, licences and offers up to date with the facts.
    pub(crate) fn prepare(&mut self, facts: &Facts) {
        let languages = &facts.languages;
        let seen = Some((facts.policies_stamp(), languages.all().count()));
        if self.seen == seen {
            return;
        }
        self.seen = seen;
        self.name(languages);
        self.licences = Licences::of(languages);
        let offers = facts.policies().offered().iter();
        self.offers = offers
            .map(|(offered, countries)| (self.licences.bits(offered.as_deref()), *countries))
            .collect();
    }

    fn name(&mut self, languages: &Languages) {
        let mut by_tag: Vec<Language> = languages.all().collect();
        by_tag.sort_unstable_by(|&a, &b| languages.tag(a).cmp(languages.tag(b)));
        let tracks = TrackKind::ALL
            .into_iter()
            .flat_map(|kind| by_tag.iter().map(move |&language| (kind, language)));
        self.order = tracks.clone().map(bit).collect();
        let names = tracks.map(|(kind, language)| TrackName {
            kind,
            language: languages.shared_tag(language),
        });
        self.directory = Arc::new(Directory::new(names.collect()));
    }

    /// Which tracks licences allow.
    pub(super) fn licences(&self) -> &Licences {
        &self.licences
    }

    /// By what countries offer: the tracks that may be shown there.
    pub(super) fn offers(&self) -> &[(Vec<u64>, CountrySet)] {
        &self.offers
    }

    /// The set with these bits.
    pub(super) fn set(&self, bits: &Bits) -> TrackSet {
        let bits = trimmed(bits);
        if bits.is_empty() {
            return TrackSet::default();
        }
        let hash_of = |set: &TrackSet| hash(set.bits());
        let hash = hash(bits);
        // The tables take the lowest and the highest bits.
        let part = &self.sets[(hash >> 32) as usize % PARTS];
        let mut sets = part.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sets.entry(hash, |set| set.bits() == bits, hash_of);
        entry.or_insert_with(|| self.of_bits(bits)).get().clone()
    }

    fn of_bits(&self, bits: &Bits) -> TrackSet {
        let is_in = |bit: usize| {
            let word = bits.get(bit / 64);
            word.is_some_and(|word| word >> (bit % 64) & 1 == 1)
        };
        let places = (0u32..).zip(&self.order);
        let places = places.filter(|&(_, &bit)| is_in(bit));
        let count: u32 = bits.iter().map(|word| word.count_ones()).sum();
        let mut found = Vec::with_capacity(count as usize);
        found.extend(places.map(|(place, _)| place));
        TrackSet::of_places(&self.directory, found.into_boxed_slice(), bits)
    }

    /// Forgets sets that nobody else has, now and then.
    pub(crate) fn forget_unused(&mut self) {
        let unlocked = |part: &mut Mutex<HashTable<TrackSet>>, retain: bool| {
            let sets = part.get_mut().unwrap_or_else(PoisonError::into_inner);
            if retain {
                sets.retain(|set| !set.is_unshared());
            }
            sets.len()
        };
        let len: usize = self.sets.iter_mut().map(|part| unlocked(part, false)).sum();
        if len > 2 * self.kept + 1024 {
            self.kept = self.sets.iter_mut().map(|part| unlocked(part, true)).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fallback;

    #[test]
    fn a_set_is_made_once_and_has_the_names_of_its_bits() {
        let mut facts = Facts::new(Fallback::cldr());
        let tags = ["fr", "de", "es-MX"].map(|tag| facts.languages.intern(tag));
        let mut bits = Vec::new();
        insert(&mut bits, (TrackKind::Dub, tags[1]));
        insert(&mut bits, (TrackKind::Dub, tags[0]));
        insert(&mut bits, (TrackKind::Subtitles, tags[2]));
        let mut interner = Interner::default();
        interner.prepare(&facts);
        let set = interner.set(&bits);
        let names = set.iter().map(|it| (it.kind, &*it.language));
        let wanted = [
            (TrackKind::Subtitles, "es-MX"),
            (TrackKind::Dub, "de"),
            (TrackKind::Dub, "fr"),
        ];
        assert_eq!(names.collect::<Vec<_>>(), wanted);
        bits.extend([0, 0]);
        assert!(interner.set(&bits).is_same(&set));
        assert!(interner.set(&[0, 0]).is_empty());
        assert!(is_within(set.bits(), &bits) && is_within(&bits, set.bits()));
        insert(&mut bits, (TrackKind::Captions, tags[0]));
        assert!(is_within(set.bits(), &bits) && !is_within(&bits, set.bits()));
        facts.languages.intern("da");
        interner.prepare(&facts);
        assert!(interner.set(set.bits()).is_same(&set));
        interner.forget_unused();
    }
}
