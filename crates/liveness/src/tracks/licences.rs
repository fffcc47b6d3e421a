//! What licences, and the offers of countries, allow, as bits.
//!
//! Both are lists of languages, each of which covers its variants. What one language covers is put together once, so that a list
//! is a union of a few words, and a licence's playable tracks an intersection.

use super::interner::{Bits, KINDS, insert};
use crate::facts::Speech;
use crate::language::{Language, Languages};
use crate::record::TrackKind;

/// The kinds of tracks that belong to a film in its original language, in the bits of each language.
const BELONGING: u64 = {
    let kinds = 1 << TrackKind::Captions as u64 | 1 << TrackKind::Description as u64;
    let mut word = 0;
    let mut at = 0;
    while at < 64 {
        word |= kinds << at;
        at += KINDS;
    }
    word
};

const _: () = assert!(64 % KINDS == 0, "a language's bits are in one word");

/// What each language covers.
#[derive(Default)]
pub(super) struct Licences {
    /// Words of a set of all tracks.
    words: usize,
    /// By language: the tracks in it and its variants.
    covered: Vec<u64>,
}

impl Licences {
    pub(super) fn of(languages: &Languages) -> Self {
        let count = languages.all().count();
        let words = (count * KINDS).div_ceil(64);
        let mut covered = vec![0; words * count];
        for language in languages.all() {
            let mut bits = Vec::new();
            for kind in TrackKind::ALL {
                insert(&mut bits, (kind, language));
            }
            for above in languages.chain(language) {
                let start = above.index() * words;
                for (all, word) in covered[start..].iter_mut().zip(&bits) {
                    *all |= word;
                }
            }
        }
        Self { words, covered }
    }

    fn covered(&self, language: Language) -> &Bits {
        &self.covered[language.index() * self.words..][..self.words]
    }

    /// The tracks in some languages and their variants; `None`: all languages.
    pub(super) fn bits(&self, among: Option<&[Language]>) -> Vec<u64> {
        let Some(among) = among else {
            return vec![u64::MAX; self.words];
        };
        let mut bits = vec![0; self.words];
        for &language in among {
            unite(&mut bits, self.covered(language));
        }
        bits
    }

    /// The tracks of a video that may be played under a licence: those that are ready and in a licensed language, or belong to
    /// the film itself ([`is_licensed`](super::is_licensed)).
    pub(super) fn playable(
        &self,
        speech: &Speech,
        licensed: Option<&[Language]>,
        playable: &mut Vec<u64>,
    ) {
        playable.clear();
        playable.resize(self.words, 0);
        for track in speech.tracks.iter().filter(|track| track.ready) {
            insert(playable, (track.kind, track.language));
        }
        if licensed.is_none() {
            return;
        }
        let mut allowed = self.bits(licensed);
        if let Some(original) = speech.original {
            let words = allowed.iter_mut().zip(self.covered(original));
            words.for_each(|(all, word)| *all |= word & BELONGING);
        }
        let words = playable.iter_mut().zip(&allowed);
        words.for_each(|(all, word)| *all &= word);
    }
}

/// Adds the tracks of a set of at most as many words.
pub(super) fn unite(all: &mut Bits, other: &Bits) {
    all.iter_mut()
        .zip(other)
        .for_each(|(all, word)| *all |= word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fallback;
    use crate::facts::Track;
    use crate::tracks::{interner, is_licensed};

    #[test]
    fn bits_say_of_every_track_what_is_asked_of_one() {
        let mut languages = Languages::new(Fallback::cldr());
        let tags = [
            "es-MX", "es", "fr", "pt-BR", "pt", "zh", "zh-Hant", "en-AT", "en-GB", "de-CH",
        ];
        let mut all = tags.map(|tag| languages.intern(tag)).to_vec();
        all.extend(["de", "en"].map(|tag| languages.intern(tag)));
        all.sort_unstable();
        let tracks = |ready: bool| {
            let kinds = TrackKind::ALL.into_iter();
            let all = kinds.flat_map(|kind| all.iter().map(move |&language| (kind, language)));
            all.map(move |(kind, language)| Track {
                kind,
                language,
                ready,
            })
        };
        let licences = Licences::of(&languages);
        let lists = [None, Some(0b1), Some(0b101), Some(0b11_0101_0110), Some(0)];
        for original in all.iter().map(|&it| Some(it)).chain([None]) {
            for list in lists {
                let licensed: Option<Vec<Language>> = list.map(|list: u32| {
                    let places = (0..all.len()).filter(|at| list >> at & 1 == 1);
                    places.map(|at| all[at]).collect()
                });
                let speech = |ready| Speech {
                    tracks: tracks(ready).collect(),
                    original,
                    kids: false,
                };
                let mut bits = Vec::new();
                licences.playable(&speech(true), licensed.as_deref(), &mut bits);
                let mut wanted = vec![0; bits.len()];
                for track in tracks(true) {
                    let key = (track.kind, track.language);
                    if is_licensed(&languages, &speech(true), key, licensed.as_deref()) {
                        insert(&mut wanted, key);
                    }
                }
                assert_eq!(bits, wanted, "{original:?} {licensed:?}");
                licences.playable(&speech(false), licensed.as_deref(), &mut bits);
                assert!(interner::trimmed(&bits).is_empty());
            }
        }
    }
}
