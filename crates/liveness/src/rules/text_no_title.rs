//! No title is ready in a language that the country needs.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Text;
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "text.no-title",
    revision: 1,
    summary: "The title is missing in a language that the country needs.",
    owner: "localization",
    fix: "Deliver the title in the language.",
    applies: Applies::Played,
    parameters: &[super::FALLS_BACK],
    check: Check::Texts(blocks),
    explain,
};

fn blocks(texts: &[Text], terms: &Terms<'_>) -> CountrySet {
    terms.lacking(terms.policies.title(), |want| {
        terms.served(want, |language| {
            texts
                .binary_search_by_key(&language, |text| text.language)
                .is_ok_and(|at| texts[at].title)
        })
    })
}

fn explain(case: &Case<'_>) -> Finding {
    case.lacks_text("title", &case.policy().title, |text| text.title)
}
