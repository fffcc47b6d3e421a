//! A season or episode whose show or season is not known cannot be checked for holds on it.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "family.no-parent",
    revision: 1,
    summary: "The season or show that the video belongs to is not known.",
    owner: "title metadata",
    fix: "Deliver the missing season or show, or correct the video's parent.",
    applies: Applies::Every,
    parameters: &[],
    check: Check::Ancestry(blocks),
    explain,
};

fn blocks(orphan: bool, terms: &Terms<'_>) -> CountrySet {
    match orphan {
        true => terms.policies.markets(),
        false => CountrySet::EMPTY,
    }
}

fn explain(case: &Case<'_>) -> Finding {
    let top = case.facts.lineage(case.slot).last().unwrap_or(case.slot);
    let title = case.facts.row(top).title;
    let parent = title.and_then(|title| title.parent);
    let wanted = title
        .and_then(|title| title.kind.parent())
        .map_or("parent", |kind| kind.name());
    let mut inputs = vec![case.input("titles", vec![case.facts.video(top).into()], true)];
    let message = match parent {
        None => format!("The {wanted} is not named."),
        Some(parent) => {
            let known = case.facts.slot(parent).is_some();
            inputs.push(case.input("titles", vec![parent.into()], known));
            match known {
                true => format!("Video {parent} is not a {wanted}."),
                false => format!("The {wanted} {parent} is not in titles."),
            }
        }
    };
    Finding { message, inputs }
}
