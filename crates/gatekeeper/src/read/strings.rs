//! Sets and lists of strings, as the inputs hold them: collections of records with one STRING.
//!
//! Equal collections are one record, so what was made of a collection is kept by its ordinal.

use std::borrow::Cow;
use std::sync::Arc;

use hollow::{HollowStr, Ordinal, Schema, TypeState};
use liveness::facts::{Countries, Name};
use liveness::{Country, CountrySet, Facts, Language};

use super::Root;
use crate::{Error, Result};

/// The text of a string, borrowed where it is ASCII.
pub(super) fn text(string: HollowStr<'_>) -> Cow<'_, str> {
    match string.as_ascii() {
        Some(ascii) => Cow::Borrowed(ascii),
        None => Cow::Owned(string.to_string()),
    }
}

/// A SET or LIST type of records with one STRING.
pub(super) struct Strings<'a> {
    collection: &'a TypeState,
    elements: &'a TypeState,
}

impl<'a> Strings<'a> {
    /// The collections that a field of some type refers to.
    pub(super) fn of(root: &Root<'a>, records: &TypeState, name: &str) -> Result<(usize, Self)> {
        let field = root.field_of(records, name)?;
        let collection = root.target(records, field)?;
        let elements = match collection.schema() {
            Schema::Set(schema) => root.type_of(&schema.element_type)?,
            Schema::List(schema) => root.type_of(&schema.element_type)?,
            _ => {
                return Err(Error::Schema {
                    input: root.input,
                    what: format!("set or list in field {name}"),
                });
            }
        };
        let strings = Self {
            collection,
            elements,
        };
        Ok((field, strings))
    }

    /// Calls `each` with every string of a collection; a list's in their order.
    pub(super) fn each(&self, ordinal: Ordinal, mut each: impl FnMut(&str)) {
        let mut element = |ordinal: Ordinal| {
            let record = self.elements.object(ordinal);
            if let Some(string) = record.and_then(|record| record.string(0)) {
                each(&text(string));
            }
        };
        if let Some(set) = self.collection.set(ordinal) {
            set.iter().for_each(&mut element);
        } else if let Some(list) = self.collection.list(ordinal) {
            list.iter().for_each(&mut element);
        }
    }
}

/// What was made of each collection, by ordinal.
pub(super) struct Made<T>(Vec<Option<T>>);

impl<T: Clone> Made<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn get(&mut self, ordinal: Ordinal, make: impl FnOnce() -> T) -> T {
        let at = ordinal as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at].get_or_insert_with(make).clone()
    }
}

/// Countries by code; unknown codes are left out.
pub(super) struct CountryField<'a> {
    field: usize,
    strings: Strings<'a>,
    made: Made<CountrySet>,
}

impl<'a> CountryField<'a> {
    pub(super) fn of(root: &Root<'a>, records: &TypeState, name: &str) -> Result<Self> {
        let (field, strings) = Strings::of(root, records, name)?;
        let made = Made::new();
        Ok(Self {
            field,
            strings,
            made,
        })
    }

    /// The set of a record; `None` for null.
    pub(super) fn get(&mut self, record: &hollow::ObjectView<'_>) -> Option<Countries> {
        let ordinal = record.reference(self.field)?;
        let strings = &self.strings;
        let set = self.made.get(ordinal, || {
            let mut set = CountrySet::EMPTY;
            strings.each(ordinal, |code| {
                if let Some(country) = Country::from_code(code) {
                    set.insert(country);
                }
            });
            set
        });
        Some(Countries(set))
    }
}

/// Languages by tag, sorted.
pub(super) struct LanguageField<'a> {
    field: usize,
    strings: Strings<'a>,
    made: Made<Arc<[Language]>>,
}

impl<'a> LanguageField<'a> {
    pub(super) fn of(root: &Root<'a>, records: &TypeState, name: &str) -> Result<Self> {
        let (field, strings) = Strings::of(root, records, name)?;
        let made = Made::new();
        Ok(Self {
            field,
            strings,
            made,
        })
    }

    /// The languages of a record; `None` for null.
    pub(super) fn get(
        &mut self,
        record: &hollow::ObjectView<'_>,
        facts: &mut Facts,
    ) -> Option<Arc<[Language]>> {
        let ordinal = record.reference(self.field)?;
        let strings = &self.strings;
        Some(self.made.get(ordinal, || {
            let mut languages = Vec::new();
            strings.each(ordinal, |tag| languages.push(facts.languages.intern(tag)));
            languages.sort_unstable();
            languages.dedup();
            Arc::from(languages)
        }))
    }

    /// The languages of a record in their order; none for null.
    pub(super) fn ordered(
        &self,
        record: &hollow::ObjectView<'_>,
        facts: &mut Facts,
    ) -> Vec<Language> {
        let mut languages = Vec::new();
        if let Some(ordinal) = record.reference(self.field) {
            self.strings
                .each(ordinal, |tag| languages.push(facts.languages.intern(tag)));
        }
        languages
    }
}

/// Other names, sorted.
pub(super) struct NameField<'a> {
    field: usize,
    strings: Strings<'a>,
    made: Made<Arc<[Name]>>,
}

impl<'a> NameField<'a> {
    pub(super) fn of(root: &Root<'a>, records: &TypeState, name: &str) -> Result<Self> {
        let (field, strings) = Strings::of(root, records, name)?;
        let made = Made::new();
        Ok(Self {
            field,
            strings,
            made,
        })
    }

    /// The names of a record; none for null.
    pub(super) fn get(
        &mut self,
        record: &hollow::ObjectView<'_>,
        facts: &mut Facts,
    ) -> Arc<[Name]> {
        let Some(ordinal) = record.reference(self.field) else {
            return Arc::from([]);
        };
        let strings = &self.strings;
        self.made.get(ordinal, || {
            let mut names = Vec::new();
            strings.each(ordinal, |name| names.push(facts.names.intern(name)));
            names.sort_unstable();
            names.dedup();
            Arc::from(names)
        })
    }
}
