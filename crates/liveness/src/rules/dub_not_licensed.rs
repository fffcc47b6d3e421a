//! Children would understand if the dub at hand were licensed.

use super::dub_missing;
use crate::explain::{Case, Finding};
use crate::record::TrackKind;
use crate::rule::{Applies, Check, Rule};

pub(super) static RULE: Rule = Rule {
    code: "dub.not-licensed",
    revision: 1,
    summary: "The dub that the country needs for children is there but not licensed.",
    owner: "rights",
    fix: "Have the language added to the contract's window.",
    applies: Applies::Played,
    parameters: &[super::TRACK_FALLS_BACK],
    check: Check::Licences(dub_missing::blocks),
    explain,
};

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_licence("A dub", &case.policy().kids_dub, &[TrackKind::Dub])
}
