//! The rating that counts in a country is above what the country allows.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Rating;
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "rating.too-high",
    revision: 1,
    summary: "The video is rated above the highest age that may be shown in the country.",
    owner: "maturity ratings",
    fix: "Have a cut version rated lower; the country's limit itself is policy.",
    applies: Applies::Played,
    parameters: &[],
    check: Check::Ratings(blocks),
    explain,
};

/// A country's own rating decides if its system counts there; else the strictest of the others
/// that do.
fn blocks(ratings: &[Rating], terms: &Terms<'_>) -> CountrySet {
    let mut above = CountrySet::EMPTY;
    let mut own = CountrySet::EMPTY;
    let mut own_above = CountrySet::EMPTY;
    for rating in ratings {
        let accepting = terms.policies.accepting(rating.system);
        let over = over(rating.minimum_age, terms) & accepting;
        above |= over;
        if accepting.contains(rating.country) {
            own.insert(rating.country);
            if over.contains(rating.country) {
                own_above.insert(rating.country);
            }
        }
    }
    (above - own) | own_above
}

/// The countries whose limit is below an age.
fn over(age: Option<i32>, terms: &Terms<'_>) -> CountrySet {
    let mut over = CountrySet::EMPTY;
    for &(limit, countries) in terms.policies.maximum_ages() {
        if age.is_some_and(|age| age > limit) {
            over |= countries;
        }
    }
    over
}

fn explain(case: &Case<'_>) -> Finding {
    let policy = case.policy();
    let counting = |rating: &&Rating| policy.rating_systems.contains(&rating.system);
    let ratings = || case.ratings().iter().filter(counting);
    let deciding = ratings()
        .find(|rating| rating.country == case.country)
        .or_else(|| ratings().max_by_key(|rating| rating.minimum_age));
    let mut inputs = vec![case.policy_input()];
    inputs.extend(case.nearest("ratings", |row| row.has_ratings()));
    let age = deciding.and_then(|rating| rating.minimum_age).unwrap_or(0);
    let system = deciding.map_or("", |rating| case.facts.names.text(rating.system));
    let limit = policy.maximum_age.unwrap_or(0);
    Finding {
        message: format!(
            "Rated {age} by {system}; {} allows {limit} at most.",
            case.country
        ),
        inputs,
    }
}
