//! None of the seasons or episodes is live.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::rule::{Applies, Check, Children, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "family.none-live",
    revision: 1,
    summary: "None of the seasons or episodes is live.",
    owner: "title operations",
    fix: "Look at the seasons and episodes: the blockers that all of them share are listed too.",
    applies: Applies::Collections,
    parameters: &[],
    check: Check::Children(blocks),
    explain,
};

fn blocks(children: &Children, terms: &Terms<'_>) -> CountrySet {
    match children.count {
        0 => CountrySet::EMPTY,
        _ => terms.policies.markets() - children.live,
    }
}

fn explain(case: &Case<'_>) -> Finding {
    let mut children: Vec<i64> = case
        .facts
        .children(case.slot)
        .map(|child| case.facts.video(child))
        .collect();
    children.sort_unstable();
    let kind = case
        .facts
        .kind(case.slot)
        .map_or("video", |kind| kind.name());
    Finding {
        message: match children.len() {
            1 => format!(
                "The only part of this {kind} is not live in {}.",
                case.country
            ),
            count => format!(
                "None of the {count} parts of this {kind} is live in {}.",
                case.country
            ),
        },
        inputs: children
            .into_iter()
            .take(LISTED)
            .map(|video| case.input("titles", vec![video.into()], true))
            .collect(),
    }
}

/// How many seasons or episodes are listed.
const LISTED: usize = 10;
