//! Which languages are licensed where.
//!
//! A country may show the languages of all its open windows together. Windows are few, so the
//! countries are cut into the regions that have the same ones, and the question is asked once per
//! region; facts that share their tracks are asked about one after the other, and most have the same
//! licence as those before ([`Latest`]). Where no window is open, all languages are taken as
//! licensed: that there is none is another rule's blocker.

use crate::country::CountrySet;
use crate::facts::Window;
use crate::language::Language;

/// Cuts countries into regions, each with the languages licensed there at an instant, sorted;
/// `None`: all.
pub(crate) fn regions(
    windows: &[Window],
    at: i64,
    among: CountrySet,
    mut each: impl FnMut(Option<&[Language]>, CountrySet),
) {
    let open = || windows.iter().filter(move |window| window.is_open(at));
    let mut unlimited = CountrySet::EMPTY;
    let mut limited = CountrySet::EMPTY;
    for window in open() {
        match window.languages {
            None => unlimited |= window.countries.0,
            Some(_) => limited |= window.countries.0,
        }
    }
    let mut rest = (limited - unlimited) & among;
    if !(among - rest).is_empty() {
        each(None, among - rest);
    }
    let mut licensed: Vec<Language> = Vec::new();
    while let Some(country) = rest.first() {
        let mut region = rest;
        licensed.clear();
        for window in open() {
            if window.countries.0.contains(country) {
                region &= window.countries.0;
                licensed.extend(
                    window
                        .languages
                        .iter()
                        .flat_map(|languages| languages.iter()),
                );
            } else {
                region = region - window.countries.0;
            }
        }
        licensed.sort_unstable();
        licensed.dedup();
        each(Some(&licensed), region);
        rest = rest - region;
    }
}

/// How many licences are remembered of the same tracks: they are looked through one by one.
const MOST: usize = 64;

/// Answers about the tracks that were asked about last, by the licensed languages: the parts of a show, most of which share
/// their tracks, are asked about one after the other.
pub(crate) struct Latest<T> {
    /// The number of the tracks.
    speech: Option<u32>,
    answers: Vec<(Option<Box<[Language]>>, T)>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            speech: None,
            answers: Vec::new(),
        }
    }
}

impl<T> Latest<T> {
    /// The answer for these tracks under a licence, asked for if it is not known.
    pub(crate) fn answer(
        &mut self,
        speech: u32,
        licensed: Option<&[Language]>,
        ask: impl FnOnce() -> T,
    ) -> &T {
        if self.speech != Some(speech) {
            self.speech = Some(speech);
            self.answers.clear();
        }
        let mut known = self.answers.iter();
        let known = known.position(|(list, _)| list.as_deref() == licensed);
        let at = known.unwrap_or_else(|| {
            if self.answers.len() == MOST {
                self.answers.clear();
            }
            self.answers.push((licensed.map(Box::from), ask()));
            self.answers.len() - 1
        });
        &self.answers[at].1
    }
}
