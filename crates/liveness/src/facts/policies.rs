//! The policies of all countries, turned around: per question the countries that ask it.
//!
//! Countries ask alike (many need French, many accept one rating system), so a rule looks at each
//! distinct demand once and answers for all countries that make it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::country::{Country, CountrySet};
use crate::facts::names::Name;
use crate::facts::values::{Need, Policy};
use crate::language::Language;

/// What all countries ask, by question.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    by_country: BTreeMap<Country, Policy>,
    markets: CountrySet,
    rating_required: CountrySet,
    systems: BTreeMap<Name, CountrySet>,
    maximum_ages: Vec<(i32, CountrySet)>,
    title: Vec<(Need, CountrySet)>,
    synopsis: Vec<(Need, CountrySet)>,
    subtitles: Vec<(Need, CountrySet)>,
    kids_dub: Vec<(Need, CountrySet)>,
    artwork: Vec<(Vec<Language>, CountrySet)>,
    offered: Vec<(Option<Arc<[Language]>>, CountrySet)>,
}

impl Policies {
    pub(crate) fn compile(by_country: BTreeMap<Country, Policy>) -> Self {
        fn gather<K: Ord>(
            policies: &BTreeMap<Country, Policy>,
            keys: impl Fn(&Policy) -> Vec<K>,
        ) -> BTreeMap<K, CountrySet> {
            let mut groups: BTreeMap<K, CountrySet> = BTreeMap::new();
            for (&country, policy) in policies {
                for key in keys(policy) {
                    groups.entry(key).or_default().insert(country);
                }
            }
            groups
        }
        let needs = |need: fn(&Policy) -> &Need| {
            gather(&by_country, |policy| vec![need(policy).clone()])
                .into_iter()
                .filter(|(need, _)| !need.languages.is_empty())
                .collect::<Vec<_>>()
        };
        Self {
            markets: by_country.keys().copied().collect(),
            rating_required: by_country
                .iter()
                .filter(|(_, policy)| policy.rating_required)
                .map(|(&country, _)| country)
                .collect(),
            systems: gather(&by_country, |policy| policy.rating_systems.clone()),
            maximum_ages: gather(&by_country, |policy| {
                policy.maximum_age.into_iter().collect()
            })
            .into_iter()
            .collect(),
            title: needs(|policy| &policy.title),
            synopsis: needs(|policy| &policy.synopsis),
            subtitles: needs(|policy| &policy.subtitles),
            kids_dub: needs(|policy| &policy.kids_dub),
            artwork: gather(&by_country, |policy| vec![policy.artwork.clone()])
                .into_iter()
                .filter(|(languages, _)| !languages.is_empty())
                .collect(),
            offered: gather(&by_country, |policy| vec![policy.offered.clone()])
                .into_iter()
                .collect(),
            by_country,
        }
    }

    /// One country's policy.
    pub fn get(&self, country: Country) -> Option<&Policy> {
        self.by_country.get(&country)
    }

    /// The countries that have a policy: those that are evaluated.
    pub fn markets(&self) -> CountrySet {
        self.markets
    }

    /// The countries that require a rating.
    pub fn rating_required(&self) -> CountrySet {
        self.rating_required
    }

    /// The countries where a rating system counts.
    pub fn accepting(&self, system: Name) -> CountrySet {
        self.systems.get(&system).copied().unwrap_or_default()
    }

    /// The limits on minimum ages, ascending, with the countries that set them.
    pub fn maximum_ages(&self) -> &[(i32, CountrySet)] {
        &self.maximum_ages
    }

    /// The distinct needs for titles.
    pub fn title(&self) -> &[(Need, CountrySet)] {
        &self.title
    }

    /// The distinct needs for synopses.
    pub fn synopsis(&self) -> &[(Need, CountrySet)] {
        &self.synopsis
    }

    /// The distinct needs for languages in which viewers can follow.
    pub fn subtitles(&self) -> &[(Need, CountrySet)] {
        &self.subtitles
    }

    /// The distinct needs for languages that children's videos speak.
    pub fn kids_dub(&self) -> &[(Need, CountrySet)] {
        &self.kids_dub
    }

    /// The distinct lists of languages of artwork that will do.
    pub fn artwork(&self) -> &[(Vec<Language>, CountrySet)] {
        &self.artwork
    }

    /// The distinct sets of languages of which tracks are offered; together the countries are the
    /// markets.
    pub fn offered(&self) -> &[(Option<Arc<[Language]>>, CountrySet)] {
        &self.offered
    }
}
