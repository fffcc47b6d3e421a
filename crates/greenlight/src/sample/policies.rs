//! Country policies: what the sources know (languages, their official status and share of the
//! people, rating systems) put through thresholds of ours.

use std::collections::BTreeSet;

use super::countries::{Country, World};
use super::ratings::Systems;
use super::records::{LanguageNeed, Policy, Provenance};

/// Countries with several official languages whose viewers are served in all of them: the title
/// and the synopsis are needed in each.
const ALL_LANGUAGES: [&str; 4] = ["BE", "CH", "CA", "LU"];

/// Countries whose artwork must be in their own writing or without words.
const OWN_WRITING: [&str; 14] = [
    "AE", "BH", "EG", "GR", "HK", "IL", "JP", "KR", "KW", "RU", "SA", "TH", "TW", "UA",
];

/// A country that does not show what is meant for adults only, and the highest age it does show.
const AGE_LIMIT: (&str, i32) = ("MY", 17);

fn need(country: &Country, languages: &BTreeSet<String>, may_need_all: bool) -> LanguageNeed {
    let all = may_need_all && ALL_LANGUAGES.contains(&country.code.as_str());
    LanguageNeed {
        need: if all { "all" } else { "one" },
        languages: languages.clone(),
    }
}

/// The policy of a country. Ratings are required where the country has a system at all.
pub(crate) fn policy(country: &Country, systems: &Systems) -> Policy {
    let rating_systems = systems.of(&country.code);
    let mut artwork_languages: Vec<String> = country.official.iter().cloned().collect();
    let own_writing = OWN_WRITING.contains(&country.code.as_str());
    if !own_writing && !artwork_languages.iter().any(|language| language == "en") {
        artwork_languages.push("en".to_owned());
    }
    artwork_languages.push("zxx".to_owned());
    Policy {
        country: country.code.clone(),
        rating_required: !rating_systems.is_empty(),
        rating_systems,
        maximum_age: (country.code == AGE_LIMIT.0).then_some(AGE_LIMIT.1),
        title: need(country, &country.official, true),
        synopsis: need(country, &country.official, true),
        subtitles: need(country, &country.understood, false),
        kids_dub: need(country, &country.official, false),
        artwork_languages,
        provenance: Provenance::Derived,
    }
}

/// All policies, by country.
pub(crate) fn policies(world: &World, systems: &Systems) -> Vec<Policy> {
    world
        .countries
        .iter()
        .map(|country| policy(country, systems))
        .collect()
}
