//! The country demands a rating and there is none that counts.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Rating;
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "rating.missing",
    revision: 1,
    summary: "The country requires a maturity rating and there is none that counts there.",
    owner: "maturity ratings",
    fix: "Have the video rated by one of the systems that count in the country.",
    applies: Applies::Played,
    parameters: &[],
    check: Check::Ratings(blocks),
    explain,
};

fn blocks(ratings: &[Rating], terms: &Terms<'_>) -> CountrySet {
    let mut rated = CountrySet::EMPTY;
    for rating in ratings {
        rated |= terms.policies.accepting(rating.system);
    }
    terms.policies.rating_required() - rated
}

fn explain(case: &Case<'_>) -> Finding {
    let policy = case.policy();
    let mut systems: Vec<&str> = policy
        .rating_systems
        .iter()
        .map(|&system| case.facts.names.text(system))
        .collect();
    systems.sort_unstable();
    let mut inputs = vec![case.policy_input()];
    inputs.extend(case.nearest("ratings", |row| row.has_ratings()));
    Finding {
        message: match systems.is_empty() {
            true => format!("{} requires a rating but names no system.", case.country),
            false => format!(
                "{} requires a rating by {}; there is none.",
                case.country,
                systems.join(" or ")
            ),
        },
        inputs,
    }
}
