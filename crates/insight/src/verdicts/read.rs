//! The verdicts in a state of `liveness`, each distinct group of countries read once.

use std::collections::HashMap;
use std::rc::Rc;

use hollow::{ObjectView, Ordinal, ReadState, Schema, TypeState};

use crate::{Error, Result, root_type};

/// The codes of countries and blockers by number, the same for both states of a comparison.
#[derive(Default)]
pub(super) struct Names {
    pub(super) countries: Codes,
    pub(super) blockers: Codes,
}

/// Codes by number, in the order in which they were met.
#[derive(Default)]
pub(super) struct Codes {
    texts: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Codes {
    fn number(&mut self, text: &str) -> usize {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.texts.len();
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn text(&self, number: usize) -> &str {
        &self.texts[number]
    }
}

/// A set of blockers, by number.
pub(super) type Blockers = u128;

/// The numbers in a set.
pub(super) fn numbers(blockers: Blockers) -> impl Iterator<Item = usize> {
    (0..Blockers::BITS as usize).filter(move |&number| blockers >> number & 1 == 1)
}

/// Countries with one verdict.
pub(super) struct Group {
    pub(super) live: bool,
    pub(super) countries: Vec<usize>,
    pub(super) blockers: Blockers,
}

/// The verdict of each country, by number, where it has one.
pub(super) type ByCountry = Vec<Option<Rc<Group>>>;

/// Reads one state.
pub(super) struct Reader<'a> {
    records: &'a TypeState,
    field: usize,
    lists: &'a TypeState,
    groups: &'a TypeState,
    live: usize,
    countries: Strings<'a>,
    blockers: Strings<'a>,
    made: HashMap<Ordinal, Rc<Group>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(state: &'a ReadState) -> Result<Self> {
        let records = type_of(state, &root_type(state)?.name)?;
        let field = field_of(records, "groups")?;
        let lists = target(state, records, field)?;
        let Schema::List(list) = lists.schema() else {
            return Err(missing(records, "list of groups"));
        };
        let groups = type_of(state, &list.element_type)?;
        Ok(Self {
            records,
            field,
            lists,
            groups,
            live: field_of(groups, "live")?,
            countries: Strings::new(state, groups, "countries")?,
            blockers: Strings::new(state, groups, "blockers")?,
            made: HashMap::new(),
        })
    }

    /// Sets the verdict of every country that a record has one for.
    pub(super) fn verdicts(
        &mut self,
        ordinal: Ordinal,
        names: &mut Names,
        verdicts: &mut ByCountry,
    ) -> Result<()> {
        let record = self.records.object(ordinal);
        let list = record.and_then(|record| record.reference(self.field));
        let list = list.and_then(|list| self.lists.list(list));
        for ordinal in list.into_iter().flat_map(|list| list.iter()) {
            let group = self.group(ordinal, names)?;
            if verdicts.len() < names.countries.len() {
                verdicts.resize(names.countries.len(), None);
            }
            for &country in &group.countries {
                verdicts[country] = Some(Rc::clone(&group));
            }
        }
        Ok(())
    }

    fn group(&mut self, ordinal: Ordinal, names: &mut Names) -> Result<Rc<Group>> {
        if let Some(group) = self.made.get(&ordinal) {
            return Ok(Rc::clone(group));
        }
        let record = self.groups.object(ordinal);
        let record = record.ok_or_else(|| missing(self.groups, "record that a list refers to"))?;
        let mut group = Group {
            live: record.boolean(self.live).unwrap_or_default(),
            countries: Vec::new(),
            blockers: 0,
        };
        self.countries.each(&record, |code| {
            group.countries.push(names.countries.number(code));
        });
        self.blockers.each(&record, |code| {
            let number = names.blockers.number(code);
            group.blockers |= 1_u128.checked_shl(number as u32).unwrap_or_default();
        });
        if names.blockers.len() > Blockers::BITS as usize {
            let what = format!("{} kinds of blockers are too many", names.blockers.len());
            return Err(Error::NotLiveness(what));
        }
        let group = Rc::new(group);
        self.made.insert(ordinal, Rc::clone(&group));
        Ok(group)
    }
}

/// A field with a set or list of records that hold one text.
struct Strings<'a> {
    field: usize,
    collections: &'a TypeState,
    elements: &'a TypeState,
}

impl<'a> Strings<'a> {
    fn new(state: &'a ReadState, records: &TypeState, name: &str) -> Result<Self> {
        let field = field_of(records, name)?;
        let collections = target(state, records, field)?;
        let elements = match collections.schema() {
            Schema::Set(schema) => type_of(state, &schema.element_type)?,
            Schema::List(schema) => type_of(state, &schema.element_type)?,
            _ => return Err(missing(records, name)),
        };
        Ok(Self {
            field,
            collections,
            elements,
        })
    }

    fn each(&self, record: &ObjectView<'_>, mut each: impl FnMut(&str)) {
        let Some(collection) = record.reference(self.field) else {
            return;
        };
        let mut element = |ordinal: Ordinal| {
            let element = self.elements.object(ordinal);
            if let Some(text) = element.and_then(|element| element.string(0)) {
                each(&text.to_string());
            }
        };
        if let Some(set) = self.collections.set(collection) {
            set.iter().for_each(&mut element);
        } else if let Some(list) = self.collections.list(collection) {
            list.iter().for_each(&mut element);
        }
    }
}

fn missing(records: &TypeState, what: &str) -> Error {
    Error::NotLiveness(format!("{} has no {what}", records.name()))
}

fn type_of<'a>(state: &'a ReadState, name: &str) -> Result<&'a TypeState> {
    let found = state.type_state(name);
    found.ok_or_else(|| Error::NotLiveness(format!("it has no type {name}")))
}

fn field_of(records: &TypeState, name: &str) -> Result<usize> {
    let field = match records.schema() {
        Schema::Object(schema) => schema.field_index(name),
        _ => None,
    };
    field.ok_or_else(|| missing(records, name))
}

fn target<'a>(state: &'a ReadState, records: &TypeState, field: usize) -> Result<&'a TypeState> {
    let name = match records.schema() {
        Schema::Object(schema) => schema
            .fields
            .get(field)
            .and_then(|field| field.referenced_type.as_deref()),
        _ => None,
    };
    type_of(state, name.ok_or_else(|| missing(records, "reference"))?)
}
