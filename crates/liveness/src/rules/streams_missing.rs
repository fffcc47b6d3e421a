//! There is nothing to play.

use crate::configuration::{Parameter, Value};
use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::{Name, Streams};
use crate::rule::{Applies, Check, Rule, Terms};

pub(super) static RULE: Rule = Rule {
    code: "streams.missing",
    revision: 1,
    summary: "There are no encodes to play.",
    owner: "encoding",
    fix: "Encode and package the video, or release its encodes.",
    applies: Applies::Played,
    parameters: &[
        Parameter {
            name: "profiles",
            summary: "the encode profiles of which one is needed; none: any will do",
            default: || Value::Names(Vec::new()),
        },
        Parameter {
            name: "drm",
            summary: "the protection systems that are all needed",
            default: || Value::Names(Vec::new()),
        },
    ],
    check: Check::Streams(blocks),
    explain,
};

fn blocks(streams: &Streams, terms: &Terms<'_>) -> CountrySet {
    let among = |name: &String, names: &[Name]| {
        let name = terms.names.find(name);
        name.is_some_and(|name| names.contains(&name))
    };
    let wanted = terms.settings.names("profiles");
    let has_profile = match wanted.is_empty() {
        true => !streams.profiles.is_empty(),
        false => wanted.iter().any(|name| among(name, &streams.profiles)),
    };
    let mut drm = terms.settings.names("drm").iter();
    match has_profile && drm.all(|name| among(name, &streams.drm)) {
        true => CountrySet::EMPTY,
        false => terms.policies.markets(),
    }
}

fn explain(case: &Case<'_>) -> Finding {
    let present = case.row().has_streams();
    Finding {
        message: match present {
            true => "The encodes are not ready, or not the ones that are needed.".to_owned(),
            false => "There are no encodes.".to_owned(),
        },
        inputs: vec![case.input("streams", vec![case.video().into()], present)],
    }
}
