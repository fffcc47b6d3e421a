//! The countries of the scenario, their languages, and which country stands in for one whose
//! availability was not observed.

use std::collections::{BTreeMap, BTreeSet};

use super::Result;
use super::source::{
    AliasRow, CHARTS, ChartRow, NameRow, PackageRow, Sources, TerritoryLanguageRow,
};

/// The share of a country's people, in percent, from which on an official language counts as one
/// of its main languages.
const OFFICIAL_PCT: f64 = 20.0;
/// The share from which on any language does, for following a film.
const SPOKEN_PCT: f64 = 50.0;

/// Countries whose availability was not observed, and those observed ones (or, further down,
/// those standing in already) whose catalogue they are given: neighbours that share a language
/// or a licensing region. This is a choice, so what follows from it is labelled derived.
const STAND_INS: &str = "\
AE TR IN\nAT DE\nBD IN\nBG RO GR\nBH TR IN\nBO AR MX\nBS US CA\nCH DE FR\nCL AR MX\nCO MX AR\n\
CR MX AR\nCY GR\nDK SE IS\nDO MX AR\nEC AR MX\nEE SE PL\nEG TR\nFI SE\nGP FR\nGT MX\nHN MX\nHR HU RO\n\
ID SG MY\nIE GB\nIL GR TR\nJM US GB\nJO TR\nKE GB IN\nKW TR IN\nLB TR FR\nLK IN\nLT PL RU\nLU FR DE\n\
LV PL RU\nMA FR TR\nMQ FR\nMT GB IT\nMU GB IN\nMV IN\nNC FR AU\nNG GB\nNI MX\nNO SE IS\nNZ AU\nOM TR IN\n\
PA MX AR\nPE AR MX\nPH SG MY\nPK IN\nPY AR\nQA TR IN\nRE FR\nRS HU RO\nSA TR\nSI HU IT\nSV MX\nTH SG MY\n\
TT US GB\nTW HK SG\nUA RU PL\nUY AR\nVE AR MX\nVN SG HK\nZA GB AU";

/// Names of countries in the catalogue that CLDR spells differently or no longer has, by the code
/// of the country that continues them.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("Hong Kong", "HK"),
    ("Turkey", "TR"),
    ("Czech Republic", "CZ"),
    ("Soviet Union", "RU"),
    ("West Germany", "DE"),
    ("East Germany", "DE"),
    ("Macau", "MO"),
    ("Palestine", "PS"),
    ("Myanmar", "MM"),
    ("Bosnia and Herzegovina", "BA"),
    ("Vatican City", "VA"),
    ("Serbia and Montenegro", "RS"),
];

/// One country.
#[derive(Clone, Debug)]
pub(crate) struct Country {
    pub(crate) code: String,
    /// The official languages that enough people use; texts are written in these.
    pub(crate) official: BTreeSet<String>,
    /// Those and what more than half the people understand; following a film needs one of these.
    pub(crate) understood: BTreeSet<String>,
    /// Countries that stand in for this one, best first; empty where it was observed.
    pub(crate) stand_ins: Vec<&'static str>,
}

/// The countries, and what is known of languages.
pub(crate) struct World {
    /// Sorted by code.
    pub(crate) countries: Vec<Country>,
    /// Languages that some real package has a track in.
    pub(crate) served: BTreeSet<String>,
    country_names: BTreeMap<String, String>,
    language_names: BTreeMap<String, String>,
    /// Per territory its languages, most used first.
    spoken: BTreeMap<String, Vec<TerritoryLanguageRow>>,
    aliases: BTreeMap<String, String>,
}

impl World {
    /// Reads the country and language tables.
    pub(crate) fn load(sources: &Sources<'_>, packages: &[PackageRow]) -> Result<Self> {
        let aliases = sources
            .csv::<AliasRow>("countries/aliases.csv")?
            .into_iter()
            .filter(|row| row.kind == "language")
            .map(|row| (row.code, row.replacement))
            .collect();
        let mut country_names = BTreeMap::new();
        let mut language_names = BTreeMap::new();
        for row in sources.csv::<NameRow>("countries/display_names.csv.zst")? {
            match (row.locale.as_str(), row.kind.as_str()) {
                ("en", "territory") => country_names.insert(row.name, row.code),
                ("en", "language") => language_names.insert(row.name, row.code),
                _ => None,
            };
        }
        for (name, code) in OTHER_NAMES {
            country_names.insert(name.to_owned(), code.to_owned());
        }
        let mut spoken: BTreeMap<String, Vec<TerritoryLanguageRow>> = BTreeMap::new();
        for row in sources.csv::<TerritoryLanguageRow>("countries/territory_languages.csv")? {
            spoken.entry(row.territory.clone()).or_default().push(row);
        }
        for rows in spoken.values_mut() {
            rows.sort_by(|a, b| b.population_pct.total_cmp(&a.population_pct));
        }
        let mut world = Self {
            countries: Vec::new(),
            served: BTreeSet::new(),
            country_names,
            language_names,
            spoken,
            aliases,
        };
        for row in packages {
            world.served.extend(world.tags(&row.subtitle_languages));
            world.served.extend(world.tags(&row.audio_languages));
        }
        // Where Chinese is served, both scripts are.
        world.served.insert("zh-Hant".to_owned());
        let codes: BTreeSet<String> = sources
            .csv::<ChartRow>(CHARTS)?
            .into_iter()
            .map(|row| row.country_iso2)
            .collect();
        world.countries = codes.into_iter().map(|code| world.country(code)).collect();
        Ok(world)
    }

    fn country(&self, code: String) -> Country {
        let rows = self.spoken.get(&code).map_or(&[][..], Vec::as_slice);
        let served = |row: &&TerritoryLanguageRow| self.served.contains(&row.language);
        let english = || BTreeSet::from(["en".to_owned()]);
        let mut official: BTreeSet<String> = rows
            .iter()
            .filter(|row| {
                matches!(
                    row.official_status.as_str(),
                    "official" | "de_facto_official"
                )
            })
            .filter(|row| row.population_pct >= OFFICIAL_PCT)
            .filter(served)
            .map(|row| row.language.clone())
            .collect();
        // Nobody serves Bengali, Estonian or Swahili in our sources: English stands in.
        if official.is_empty() {
            official = english();
        }
        let mut understood = official.clone();
        understood.extend(
            rows.iter()
                .filter(|row| row.population_pct >= SPOKEN_PCT)
                .filter(served)
                .map(|row| row.language.clone()),
        );
        let stand_ins = STAND_INS
            .lines()
            .find_map(|line| line.strip_prefix(code.as_str()))
            .map_or_else(Vec::new, |line| line.split_whitespace().collect());
        Country {
            code,
            official,
            understood,
            stand_ins,
        }
    }

    /// The BCP 47 tag of an English language name.
    pub(crate) fn language_named(&self, name: &str) -> Option<&str> {
        let name = match name {
            "Mandarin" | "Chinese" => "Chinese",
            "Tagalog" => "Filipino",
            "Norwegian" => "Norwegian Bokmål",
            other => other,
        };
        self.language_names.get(name).map(String::as_str)
    }

    /// The code of a country by its English name.
    pub(crate) fn country_named(&self, name: &str) -> Option<&str> {
        self.country_names.get(name).map(String::as_str)
    }

    /// Whether a language is used by at least a tenth of a percent of a country's people.
    pub(crate) fn speaks(&self, country: &str, language: &str) -> bool {
        self.spoken.get(country).is_some_and(|rows| {
            rows.iter()
                .any(|row| row.language == language && row.population_pct >= 0.1)
        })
    }

    /// The official language that most people of a country use.
    pub(crate) fn first_language(&self, country: &str) -> Option<&str> {
        let rows = self.spoken.get(country)?;
        rows.iter()
            .find(|row| row.official_status.ends_with("official"))
            .or(rows.first())
            .map(|row| row.language.as_str())
    }

    /// The BCP 47 tags of a package's `|` list of ISO 639-3 codes. Regions are dropped and closed
    /// captions count as their language: the policies ask for languages.
    pub(crate) fn tags(&self, list: &str) -> BTreeSet<String> {
        list.split('|')
            .filter_map(|code| code.split([':', '-']).next())
            .filter(|code| !code.is_empty())
            .map(|code| match code {
                "nor" | "nob" => "nb".to_owned(),
                "cmn" => "zh".to_owned(),
                "tgl" => "fil".to_owned(),
                other => self
                    .aliases
                    .get(other)
                    .cloned()
                    .unwrap_or_else(|| other.to_owned()),
            })
            .collect()
    }
}
