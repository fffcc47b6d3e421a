//! There are no pictures to show.

use crate::configuration::{Parameter, Value};
use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Artwork;
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "artwork.missing",
    revision: 1,
    summary: "There is no artwork in a language that will do in the country.",
    owner: "artwork",
    fix: "Deliver artwork in one of the languages, or without words.",
    applies: Applies::Played,
    parameters: &[
        super::FALLS_BACK,
        Parameter {
            name: "formats",
            summary: "the formats that must all be ready in one language; none: any one will do",
            default: || Value::Names(Vec::new()),
        },
    ],
    check: Check::Artwork(blocks),
    explain,
};

fn blocks(artwork: &[Artwork], terms: &Terms<'_>) -> CountrySet {
    let mut blocked = CountrySet::EMPTY;
    for (languages, countries) in terms.policies.artwork() {
        let met = languages.iter().any(|&want| {
            terms.served(want, |language| {
                artwork
                    .binary_search_by_key(&language, |pictures| pictures.language)
                    .is_ok_and(|at| is_complete(&artwork[at], terms))
            })
        });
        if !met {
            blocked |= *countries;
        }
    }
    blocked
}

fn is_complete(pictures: &Artwork, terms: &Terms<'_>) -> bool {
    let has = |format: &String| {
        let format = terms.names.find(format);
        format.is_some_and(|format| pictures.formats.contains(&format))
    };
    !pictures.formats.is_empty() && terms.settings.names("formats").iter().all(has)
}

fn explain(case: &Case<'_>) -> Finding {
    let mut inputs = vec![case.policy_input()];
    for &language in &case.policy().artwork {
        inputs.extend(
            case.nearest_in_language("artwork", &[], language, |row, language| {
                row.has_artwork(language)
            }),
        );
    }
    Finding {
        message: format!(
            "No artwork is ready in {}.",
            case.tags(&case.policy().artwork, " or ")
        ),
        inputs,
    }
}
