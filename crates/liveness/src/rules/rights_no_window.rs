//! No licence window is open.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::Window;
use crate::rule::{Applies, Check, Rule, Terms};
use crate::time::Instant;

pub(super) static RULE: Rule = Rule {
    code: "rights.no-window",
    revision: 1,
    summary: "No licence window is open.",
    owner: "rights",
    fix: "Sign or extend a contract that covers the country now, or correct its window.",
    applies: Applies::Played,
    parameters: &[],
    check: Check::Rights(blocks),
    explain,
};

fn blocks(windows: &[Window], at: i64, terms: &Terms<'_>) -> CountrySet {
    let mut open = CountrySet::EMPTY;
    for window in windows.iter().filter(|window| window.is_open(at)) {
        open |= window.countries.0;
    }
    terms.policies.markets() - open
}

fn explain(case: &Case<'_>) -> Finding {
    let here = || {
        let windows = case.windows().iter();
        windows.filter(|window| window.countries.0.contains(case.country))
    };
    let next = here()
        .map(|window| window.start)
        .filter(|&start| start > case.now)
        .min();
    let last = here()
        .map(|window| window.end)
        .filter(|&end| end <= case.now)
        .max();
    let country = case.country;
    let message = match (last, next) {
        (_, Some(start)) => {
            format!(
                "The licence window for {country} opens on {}.",
                Instant(start)
            )
        }
        (Some(end), None) => {
            format!(
                "The last licence window for {country} ended on {}.",
                Instant(end)
            )
        }
        (None, None) if case.windows().is_empty() => "There is no licence window.".to_owned(),
        (None, None) => format!("No licence window covers {country}."),
    };
    Finding {
        message,
        inputs: case.nearest("rights", |row| row.has_rights()),
    }
}
