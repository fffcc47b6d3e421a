//! Somebody ordered the video, or what it belongs to, off.

use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::{Hold, OPEN};
use crate::rule::{Applies, Check, Rule, Terms};
use crate::time::Instant;

pub(super) static RULE: Rule = Rule {
    code: "hold.active",
    revision: 1,
    summary: "The video, its season or its show is on hold.",
    owner: "title operations",
    fix: "Settle the reason of the hold, then end it.",
    applies: Applies::Every,
    parameters: &[],
    check: Check::Holds(blocks),
    explain,
};

fn blocks(holds: &[Hold], at: i64, _: &Terms<'_>) -> CountrySet {
    let mut held = CountrySet::EMPTY;
    for hold in holds.iter().filter(|hold| hold.is_active(at)) {
        held |= hold.countries.0;
    }
    held
}

fn explain(case: &Case<'_>) -> Finding {
    let mut inputs = Vec::new();
    let mut reasons = Vec::new();
    for hold in case.holds() {
        if hold.is_active(case.now) && hold.countries.0.contains(case.country) {
            let until = match hold.until {
                OPEN => "until further notice".to_owned(),
                until => format!("until {}", Instant(until)),
            };
            reasons.push(format!("On hold {until}: {}", hold.reason));
            inputs.push(case.input("holds", vec![hold.hold.as_ref().into()], true));
        }
    }
    Finding {
        message: reasons.join(" "),
        inputs,
    }
}
