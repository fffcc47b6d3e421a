//! The verdicts in a state of `liveness`, each distinct group of countries read once.

use std::collections::HashMap;
use std::rc::Rc;

use hollow::{ObjectView, Ordinal, ReadState, Schema, TypeState};

use crate::{Error, Result, root_type};

/// The codes of countries and blockers, the tracks and the sets of tracks by number, the same for
/// both states of a comparison.
#[derive(Default)]
pub(super) struct Names {
    pub(super) countries: Codes,
    pub(super) blockers: Codes,
    /// Kinds and languages, as `dub fr`.
    pub(super) tracks: Codes,
    track_sets: HashMap<Rc<[usize]>, TrackSet>,
    sets: Vec<Rc<[usize]>>,
}

/// A set of tracks, by number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TrackSet(Option<usize>);

impl Names {
    /// The number of a set of tracks; that of none is the default.
    fn track_set(&mut self, mut tracks: Vec<usize>) -> TrackSet {
        if tracks.is_empty() {
            return TrackSet::default();
        }
        tracks.sort_unstable();
        if let Some(&set) = self.track_sets.get(tracks.as_slice()) {
            return set;
        }
        let tracks: Rc<[usize]> = Rc::from(tracks);
        let set = TrackSet(Some(self.sets.len()));
        self.sets.push(Rc::clone(&tracks));
        self.track_sets.insert(tracks, set);
        set
    }

    /// The tracks of one set that are not in another.
    pub(super) fn without(&self, set: TrackSet, other: TrackSet) -> impl Iterator<Item = &str> {
        let members = |set: TrackSet| set.0.map_or(&[][..], |set| &self.sets[set]);
        let others = members(other);
        let left = members(set).iter();
        left.filter(|track| others.binary_search(track).is_err())
            .map(|&track| self.tracks.text(track))
    }
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
    pub(super) tracks: TrackSet,
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
    /// `None` in states that were published before tracks were evaluated.
    assets: Option<Strings<'a>>,
    track_sets: HashMap<Ordinal, TrackSet>,
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
            assets: match field_of(groups, "assets") {
                Ok(_) => Some(Strings::new(state, groups, "assets")?),
                Err(_) => None,
            },
            track_sets: HashMap::new(),
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
            tracks: self.tracks(&record, names),
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

impl Reader<'_> {
    fn tracks(&mut self, group: &ObjectView<'_>, names: &mut Names) -> TrackSet {
        let Some(assets) = &self.assets else {
            return TrackSet::default();
        };
        let Some(set) = group.reference(assets.field) else {
            return TrackSet::default();
        };
        if let Some(&tracks) = self.track_sets.get(&set) {
            return tracks;
        }
        let mut tracks = Vec::new();
        assets.elements(group, |asset| {
            let text = |field| asset.string(field).map(|text| text.to_string());
            let [kind, language] = [0, 1].map(|field| text(field).unwrap_or_default());
            tracks.push(names.tracks.number(&format!("{kind} {language}")));
        });
        let tracks = names.track_set(tracks);
        self.track_sets.insert(set, tracks);
        tracks
    }
}

/// A field with a set or list of records that hold texts.
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

    /// Calls `each` with the first text of every element.
    fn each(&self, record: &ObjectView<'_>, mut each: impl FnMut(&str)) {
        self.elements(record, |element| {
            if let Some(text) = element.string(0) {
                each(&text.to_string());
            }
        });
    }

    fn elements(&self, record: &ObjectView<'_>, mut each: impl FnMut(&ObjectView<'_>)) {
        let Some(collection) = record.reference(self.field) else {
            return;
        };
        let mut element = |ordinal: Ordinal| {
            if let Some(element) = self.elements.object(ordinal) {
                each(&element);
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
