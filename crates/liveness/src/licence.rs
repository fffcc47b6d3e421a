//! Which languages are licensed where.
//!
//! A country may show the languages of all its open windows together. Windows are few, so the
//! countries are cut into the regions that have the same ones, and the question is asked once per
//! region. Where no window is open, all languages are taken as licensed: that there is none is
//! another rule's blocker.

use crate::country::CountrySet;
use crate::facts::{Speech, Window};
use crate::language::Language;
use crate::rule::Heard;

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

/// The countries where licences limit the languages and `ask` says that the licensed tracks are not
/// enough.
pub(crate) fn lacking(
    windows: &[Window],
    at: i64,
    speech: &Speech,
    ask: impl Fn(&Heard<'_>) -> CountrySet,
) -> CountrySet {
    let mut lacking = CountrySet::EMPTY;
    regions(windows, at, CountrySet::all(), |licensed, region| {
        if licensed.is_some() {
            lacking |= ask(&Heard { speech, licensed }) & region;
        }
    });
    lacking
}
