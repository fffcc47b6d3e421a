//! No synopsis is ready in a language that the country needs.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Text;
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "text.no-synopsis",
    revision: 1,
    summary: "The synopsis is missing in a language that the country needs.",
    owner: "localization",
    fix: "Deliver the synopsis in the language.",
    applies: Applies::Played,
    parameters: &[super::FALLS_BACK],
    check: Check::Texts(blocks),
    explain,
};

fn blocks(texts: &[Text], terms: &Terms<'_>) -> CountrySet {
    terms.lacking(terms.policies.synopsis(), |want| {
        terms.served(want, |language| {
            texts
                .binary_search_by_key(&language, |text| text.language)
                .is_ok_and(|at| texts[at].synopsis)
        })
    })
}

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_text("synopsis", &case.policy().synopsis, |text| text.synopsis)
}
