//! A video for children does not speak a language that the country needs.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::record::TrackKind;
use crate::rule::{Applies, Check, Heard, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "dub.missing",
    revision: 1,
    summary: "A video for children lacks a dub in a language that the country needs.",
    owner: "localization",
    fix: "Deliver a dub in the language.",
    applies: Applies::Played,
    parameters: &[super::TRACK_FALLS_BACK],
    check: Check::Speech(blocks),
    explain,
};

/// The countries whose children do not understand the tracks that are licensed.
pub(super) fn blocks(heard: &Heard<'_>, terms: &Terms<'_>) -> CountrySet {
    if !heard.speech.kids {
        return CountrySet::EMPTY;
    }
    terms.lacking(terms.policies.kids_dub(), |want| {
        heard.in_original(want, terms) || heard.has(TrackKind::Dub, want, terms)
    })
}

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_tracks("No dub is", &case.policy().kids_dub, &[TrackKind::Dub])
}
