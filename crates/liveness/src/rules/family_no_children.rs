//! A show without seasons, or a season without episodes, is not ready yet.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::record::Kind;
use crate::rule::{Applies, Check, Children, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "family.no-children",
    revision: 1,
    summary: "The show has no seasons yet, or the season no episodes.",
    owner: "title metadata",
    fix: "Deliver the seasons and episodes.",
    applies: Applies::Collections,
    parameters: &[],
    check: Check::Children(blocks),
    explain,
};

fn blocks(children: &Children, terms: &Terms<'_>) -> CountrySet {
    match children.count {
        0 => terms.policies.markets(),
        _ => CountrySet::EMPTY,
    }
}

fn explain(case: &Case<'_>) -> Finding {
    Finding {
        message: match case.facts.kind(case.slot) {
            Some(Kind::Season) => "Not ready: the season has no episodes yet.".to_owned(),
            _ => "Not ready: there is nothing to play yet.".to_owned(),
        },
        inputs: vec![case.input("titles", vec![case.video().into()], true)],
    }
}
