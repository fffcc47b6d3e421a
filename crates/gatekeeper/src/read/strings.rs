//! Sets and lists of strings, as the inputs hold them: collections of records with one STRING.
//!
//! Equal collections are one record, so what was made of a collection is kept by its ordinal.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;
use hollow::{HollowStr, ObjectView, Ordinal, Schema, TypeState};
use liveness::facts::Name;
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

/// What a collection of strings is as a fact.
pub(super) trait Fact: Clone {
    /// Makes it of the strings.
    fn of(strings: &Strings<'_>, ordinal: Ordinal, facts: &mut Facts) -> Self;
}

/// Countries by code; unknown codes are left out.
impl Fact for CountrySet {
    fn of(strings: &Strings<'_>, ordinal: Ordinal, _: &mut Facts) -> Self {
        let mut set = Self::EMPTY;
        strings.each(ordinal, |code| {
            if let Some(country) = Country::from_code(code) {
                set.insert(country);
            }
        });
        set
    }
}

/// Languages by tag, sorted.
impl Fact for Arc<[Language]> {
    fn of(strings: &Strings<'_>, ordinal: Ordinal, facts: &mut Facts) -> Self {
        sorted(strings, ordinal, |tag| facts.languages.intern(tag))
    }
}

/// Other names, sorted.
impl Fact for Arc<[Name]> {
    fn of(strings: &Strings<'_>, ordinal: Ordinal, facts: &mut Facts) -> Self {
        sorted(strings, ordinal, |name| facts.names.intern(name))
    }
}

fn sorted<T: Ord>(
    strings: &Strings<'_>,
    ordinal: Ordinal,
    mut intern: impl FnMut(&str) -> T,
) -> Arc<[T]> {
    let mut all = Vec::new();
    strings.each(ordinal, |text| all.push(intern(text)));
    all.sort_unstable();
    all.dedup();
    Arc::from(all)
}

/// A field with a collection of strings; what was made of each collection is kept by its ordinal.
pub(super) struct StringsField<'a, T> {
    field: usize,
    strings: Strings<'a>,
    made: HashMap<Ordinal, T>,
}

pub(super) type CountryField<'a> = StringsField<'a, CountrySet>;
pub(super) type LanguageField<'a> = StringsField<'a, Arc<[Language]>>;
pub(super) type NameField<'a> = StringsField<'a, Arc<[Name]>>;

impl<'a, T: Fact> StringsField<'a, T> {
    pub(super) fn of(root: &Root<'a>, records: &TypeState, name: &str) -> Result<Self> {
        let (field, strings) = Strings::of(root, records, name)?;
        Ok(Self {
            field,
            strings,
            made: HashMap::new(),
        })
    }

    /// The fact in a record; `None` for null.
    pub(super) fn get(&mut self, record: &ObjectView<'_>, facts: &mut Facts) -> Option<T> {
        let ordinal = record.reference(self.field)?;
        let make = || T::of(&self.strings, ordinal, facts);
        Some(self.made.entry(ordinal).or_insert_with(make).clone())
    }
}

impl LanguageField<'_> {
    /// The languages of a record in their order; none for null.
    pub(super) fn ordered(&self, record: &ObjectView<'_>, facts: &mut Facts) -> Vec<Language> {
        let mut languages = Vec::new();
        if let Some(ordinal) = record.reference(self.field) {
            self.strings
                .each(ordinal, |tag| languages.push(facts.languages.intern(tag)));
        }
        languages
    }
}
