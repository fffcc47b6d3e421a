//! Viewers cannot follow: not in the original, by a dub or by subtitles.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::record::TrackKind;
use crate::rule::{Applies, Check, Heard, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "subtitles.missing",
    revision: 1,
    summary: "There are no subtitles in a language that the country needs, nor a dub.",
    owner: "localization",
    fix: "Deliver subtitles or a dub in the language.",
    applies: Applies::Played,
    parameters: &[super::TRACK_FALLS_BACK],
    check: Check::Speech(blocks),
    explain,
};

/// The countries where viewers cannot follow with the tracks that are licensed.
pub(super) fn blocks(heard: &Heard<'_>, terms: &Terms<'_>) -> CountrySet {
    terms.lacking(terms.policies.subtitles(), |want| {
        heard.in_original(want, terms)
            || heard.has(TrackKind::Subtitles, want, terms)
            || heard.has(TrackKind::Dub, want, terms)
    })
}

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_tracks(
        "No subtitles and no dub are",
        &case.policy().subtitles,
        &[TrackKind::Subtitles, TrackKind::Dub],
    )
}
