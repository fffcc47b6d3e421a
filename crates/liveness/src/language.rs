//! Languages as small numbers, with what each falls back to.
//!
//! A viewer who asks for `es-MX` is served by `es-419` and by `es`; one who asks for `zh-Hant` is
//! not served by `zh`. Which tag falls back to which is data (CLDR's parent locales), read once;
//! the facts and rules then work on interned numbers and never compare strings.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::{Error, Result};

/// A BCP 47 language tag, interned; meaningful only with the [`Languages`] that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Language(u32);

impl Language {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which tag falls back to which, where cutting off the last subtag is not the answer (CLDR
/// supplemental data, `parentLocales`).
#[derive(Clone, Debug)]
pub struct Fallback {
    parents: HashMap<String, String>,
}

impl Fallback {
    /// The table of CLDR 48.
    pub fn cldr() -> Self {
        let parents = CLDR_PARENTS
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(','))
            .map(|(locale, parent)| (canonical(locale), canonical(parent)))
            .collect();
        Self { parents }
    }

    /// A table from CSV text `locale,parent` with a header line; `und` as parent means none.
    ///
    /// # Errors
    /// [`Error::Fallback`] names the first line that is not a pair.
    pub fn from_csv(text: &str) -> Result<Self> {
        let mut parents = HashMap::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            match line.split_once(',') {
                Some((locale, parent)) if !locale.is_empty() && !parent.contains(',') => {
                    parents.insert(canonical(locale), canonical(parent));
                }
                _ => {
                    return Err(Error::Fallback {
                        line: number + 1,
                        text: line.to_owned(),
                    });
                }
            }
        }
        Ok(Self { parents })
    }

    /// What a tag falls back to; `None` at the root.
    fn parent<'a>(&'a self, tag: &'a str) -> Option<&'a str> {
        let parent = match self.parents.get(tag) {
            Some(parent) => parent.as_str(),
            None => tag.rsplit_once('-')?.0,
        };
        (parent != ROOT).then_some(parent)
    }
}

const ROOT: &str = "und";
const CLDR_PARENTS: &str = include_str!("../data/parent_locales.csv");

/// All the tags seen so far.
#[derive(Clone, Debug)]
pub struct Languages {
    fallback: Fallback,
    tags: Vec<Arc<str>>,
    parents: Vec<Option<Language>>,
    by_tag: HashMap<String, Language>,
}

impl Languages {
    /// No tags yet.
    pub fn new(fallback: Fallback) -> Self {
        Self {
            fallback,
            tags: Vec::new(),
            parents: Vec::new(),
            by_tag: HashMap::new(),
        }
    }

    /// The number of a tag, in BCP 47's customary case (`zh-Hant-TW`); a new one, and what it
    /// falls back to, are added.
    pub fn intern(&mut self, tag: &str) -> Language {
        if let Some(&language) = self.by_tag.get(tag) {
            return language;
        }
        let tag = canonical(tag);
        if let Some(&language) = self.by_tag.get(&tag) {
            return language;
        }
        let parent = self.fallback.parent(&tag).map(str::to_owned);
        let parent = parent.map(|parent| self.intern(&parent));
        let language = Language(self.tags.len() as u32);
        self.tags.push(Arc::from(tag.as_str()));
        self.parents.push(parent);
        self.by_tag.insert(tag, language);
        language
    }

    /// Every language seen so far, by number.
    pub(crate) fn all(&self) -> impl Iterator<Item = Language> + use<> {
        (0..self.tags.len() as u32).map(Language)
    }

    /// The number of a tag that has been seen.
    pub fn find(&self, tag: &str) -> Option<Language> {
        self.by_tag.get(&canonical(tag)).copied()
    }

    /// The tag of a number.
    pub fn tag(&self, language: Language) -> &str {
        &self.tags[language.index()]
    }

    /// The same, to keep.
    pub(crate) fn shared_tag(&self, language: Language) -> Arc<str> {
        self.tags[language.index()].clone()
    }

    /// The language itself, then what it falls back to, nearest first.
    pub fn chain(&self, language: Language) -> impl Iterator<Item = Language> {
        std::iter::successors(Some(language), |at| self.parents[at.index()])
    }

    /// Whether `have` is `want` or something that `want` falls back to.
    pub fn serves(&self, have: Language, want: Language) -> bool {
        self.chain(want).any(|language| language == have)
    }
}

/// The customary case of a tag: language lower, script title, region upper.
fn canonical(tag: &str) -> String {
    let mut out = String::with_capacity(tag.len());
    for (position, subtag) in tag.split(['-', '_']).enumerate() {
        if position > 0 {
            out.push('-');
        }
        match (position, subtag.len()) {
            (1.., 4) => {
                let mut letters = subtag.chars();
                out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                out.extend(letters.map(|letter| letter.to_ascii_lowercase()));
            }
            (1.., 2) => out.push_str(&subtag.to_ascii_uppercase()),
            _ => out.push_str(&subtag.to_ascii_lowercase()),
        }
    }
    out
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parent locales", self.parents.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(tag: &str) -> Vec<String> {
        let mut languages = Languages::new(Fallback::cldr());
        let language = languages.intern(tag);
        languages
            .chain(language)
            .map(|language| languages.tag(language).to_owned())
            .collect()
    }

    #[test]
    fn fallback_follows_cldr() {
        assert_eq!(chain("es-MX"), ["es-MX", "es-419", "es"]);
        assert_eq!(chain("en-AT"), ["en-AT", "en-150", "en-001", "en"]);
        assert_eq!(chain("pt-BR"), ["pt-BR", "pt"]);
        assert_eq!(chain("pt-MZ"), ["pt-MZ", "pt-PT", "pt"]);
        assert_eq!(chain("zh-Hant"), ["zh-Hant"]);
        assert_eq!(chain("zh-hant-mo"), ["zh-Hant-MO", "zh-Hant-HK", "zh-Hant"]);
        assert_eq!(chain("zxx"), ["zxx"]);
    }

    #[test]
    fn case_does_not_make_another_language() {
        let mut languages = Languages::new(Fallback::cldr());
        assert_eq!(
            languages.intern("zh-hant-tw"),
            languages.intern("zh-Hant-TW")
        );
        assert_eq!(languages.find("ZH_hant"), languages.find("zh-Hant"));
    }

    #[test]
    fn a_broken_table_is_refused() {
        let broken = Fallback::from_csv("locale,parent\nes-MX;es-419\n");
        assert!(matches!(broken, Err(Error::Fallback { line: 2, .. })));
    }
}
