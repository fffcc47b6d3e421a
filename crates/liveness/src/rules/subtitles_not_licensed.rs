//! Viewers could follow if the tracks at hand were licensed.

use super::subtitles_missing;
use crate::explain::{Case, Finding};
use crate::record::TrackKind;
use crate::rule::{Applies, Check, Rule};

pub(super) static RULE: Rule = Rule {
    code: "subtitles.not-licensed",
    revision: 1,
    summary: "The subtitles or dub that the country needs are there but not licensed.",
    owner: "rights",
    fix: "Have the language added to the contract's window.",
    applies: Applies::Played,
    parameters: &[super::TRACK_FALLS_BACK],
    check: Check::Licences(subtitles_missing::blocks),
    explain,
};

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_licence(
        "Subtitles or a dub",
        &case.policy().subtitles,
        &[TrackKind::Subtitles, TrackKind::Dub],
    )
}
