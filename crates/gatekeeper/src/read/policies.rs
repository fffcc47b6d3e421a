//! What countries ask.

use hollow::{ObjectView, TypeState};
use liveness::facts::{Need, Policy};
use liveness::{Country, Facts};

use super::strings::{LanguageField, NameField, text};
use super::{Reader, Root};
use crate::Result;
use crate::input::Input;

/// A reference to a need: one or all of some languages.
struct NeedField<'a> {
    field: usize,
    records: &'a TypeState,
    need: usize,
    languages: LanguageField<'a>,
}

impl<'a> NeedField<'a> {
    fn of(root: &Root<'a>, name: &str) -> Result<Self> {
        let field = root.field(name)?;
        let records = root.target(root.records, field)?;
        Ok(Self {
            field,
            records,
            need: root.field_of(records, "need")?,
            languages: LanguageField::of(root, records, "languages")?,
        })
    }

    fn get(&mut self, record: &ObjectView<'a>, facts: &mut Facts) -> Need {
        let need = record
            .reference(self.field)
            .and_then(|need| self.records.object(need));
        let Some(need) = need else {
            return Need::default();
        };
        Need {
            all: need.string(self.need).is_some_and(|need| need == "all"),
            languages: self.languages.get(&need, facts).unwrap_or_default(),
        }
    }
}

pub(super) struct Policies<'a> {
    country: usize,
    rating_systems: NameField<'a>,
    rating_required: usize,
    maximum_age: usize,
    title: NeedField<'a>,
    synopsis: NeedField<'a>,
    subtitles: NeedField<'a>,
    kids_dub: NeedField<'a>,
    artwork: LanguageField<'a>,
    /// Missing in states that were published before there was such a field.
    offered: Option<LanguageField<'a>>,
}

impl<'a> Reader<'a> for Policies<'a> {
    type Key = String;
    const INPUT: Input = Input::Policies;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            country: root.field("country")?,
            rating_systems: NameField::of(&root, root.records, "ratingSystems")?,
            rating_required: root.field("ratingRequired")?,
            maximum_age: root.field("maximumAge")?,
            title: NeedField::of(&root, "title")?,
            synopsis: NeedField::of(&root, "synopsis")?,
            subtitles: NeedField::of(&root, "subtitles")?,
            kids_dub: NeedField::of(&root, "kidsDub")?,
            artwork: LanguageField::of(&root, root.records, "artworkLanguages")?,
            offered: match root.field("trackLanguages") {
                Ok(_) => Some(LanguageField::of(&root, root.records, "trackLanguages")?),
                Err(_) => None,
            },
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> String {
        let country = record.string(self.country);
        country
            .map(|code| text(code).into_owned())
            .unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let code = record.string(self.country);
        let Some(country) = code.and_then(|code| Country::from_code(&text(code))) else {
            return;
        };
        let fact = Policy {
            rating_systems: self
                .rating_systems
                .get(record, facts)
                .unwrap_or_default()
                .to_vec(),
            rating_required: record.boolean(self.rating_required).unwrap_or_default(),
            maximum_age: record.int(self.maximum_age),
            title: self.title.get(record, facts),
            synopsis: self.synopsis.get(record, facts),
            subtitles: self.subtitles.get(record, facts),
            kids_dub: self.kids_dub.get(record, facts),
            artwork: self.artwork.ordered(record, facts),
            offered: match &mut self.offered {
                Some(offered) => offered.get(record, facts),
                None => None,
            },
        };
        facts.set_policy(country, Some(fact));
    }

    fn remove(code: String, facts: &mut Facts) {
        if let Some(country) = Country::from_code(&code) {
            facts.set_policy(country, None);
        }
    }
}
