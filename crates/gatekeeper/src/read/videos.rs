//! The inputs keyed by video, and holds.

use std::marker::PhantomData;
use std::sync::Arc;

use hollow::{ObjectView, TypeState};
use liveness::facts::{Countries, Hold, OPEN, Rating, Streams, TitleFact, Window};
use liveness::record::{Kind, READY};
use liveness::{Country, CountrySet, Facts};

use super::strings::{CountryField, LanguageField, NameField, text};
use super::{Reader, Root};
use crate::input::Input;
use crate::{Error, Result};

pub(super) struct Titles<'a> {
    root: PhantomData<&'a ()>,
    video: usize,
    kind: usize,
    parent: usize,
    original: usize,
    kids: usize,
}

impl<'a> Reader<'a> for Titles<'a> {
    type Key = i64;
    const INPUT: Input = Input::Titles;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            kind: root.field("kind")?,
            parent: root.field("parent")?,
            original: root.field("originalLanguage")?,
            kids: root.field("kids")?,
            root: PhantomData,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> i64 {
        record.long(self.video).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let kind = record.string(self.kind);
        let kind = kind.and_then(|kind| Kind::from_name(&text(kind)));
        let (Some(video), Some(kind)) = (record.long(self.video), kind) else {
            return;
        };
        let original = record.string(self.original);
        let fact = TitleFact {
            kind,
            parent: record.long(self.parent),
            original: original.map(|tag| facts.languages.intern(&text(tag))),
            kids: record.boolean(self.kids).unwrap_or_default(),
        };
        facts.set_title(video, Some(fact));
    }

    fn remove(video: i64, facts: &mut Facts) {
        facts.set_title(video, None);
    }
}

pub(super) struct AllRights<'a> {
    video: usize,
    windows: usize,
    lists: &'a TypeState,
    elements: &'a TypeState,
    start: usize,
    end: usize,
    countries: CountryField<'a>,
    languages: LanguageField<'a>,
}

impl<'a> Reader<'a> for AllRights<'a> {
    type Key = i64;
    const INPUT: Input = Input::Rights;

    fn new(root: Root<'a>) -> Result<Self> {
        let windows = root.field("windows")?;
        let lists = root.target(root.records, windows)?;
        let elements = match lists.schema() {
            hollow::Schema::List(schema) => root.type_of(&schema.element_type)?,
            _ => {
                return Err(Error::Schema {
                    input: root.input,
                    what: "list in field windows".to_owned(),
                });
            }
        };
        Ok(Self {
            video: root.field("video")?,
            windows,
            lists,
            elements,
            start: root.field_of(elements, "start")?,
            end: root.field_of(elements, "end")?,
            countries: CountryField::of(&root, elements, "countries")?,
            languages: LanguageField::of(&root, elements, "languages")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> i64 {
        record.long(self.video).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let Some(video) = record.long(self.video) else {
            return;
        };
        let list = record
            .reference(self.windows)
            .and_then(|list| self.lists.list(list));
        let mut windows = Vec::with_capacity(list.map_or(0, |list| list.len()));
        for ordinal in list.into_iter().flat_map(|list| list.iter()) {
            let Some(window) = self.elements.object(ordinal) else {
                continue;
            };
            let Some(start) = window.long(self.start) else {
                continue;
            };
            windows.push(Window {
                start,
                end: window.long(self.end).unwrap_or(OPEN),
                countries: Countries(self.countries.get(&window, facts).unwrap_or_default()),
                languages: self.languages.get(&window, facts),
            });
        }
        facts.set_rights(video, Some(windows));
    }

    fn remove(video: i64, facts: &mut Facts) {
        facts.set_rights(video, None);
    }
}

pub(super) struct AllRatings<'a> {
    video: usize,
    ratings: usize,
    maps: &'a TypeState,
    keys: &'a TypeState,
    values: &'a TypeState,
    system: usize,
    minimum_age: usize,
}

impl<'a> Reader<'a> for AllRatings<'a> {
    type Key = i64;
    const INPUT: Input = Input::Ratings;

    fn new(root: Root<'a>) -> Result<Self> {
        let ratings = root.field("ratings")?;
        let maps = root.target(root.records, ratings)?;
        let (keys, values) = match maps.schema() {
            hollow::Schema::Map(schema) => (
                root.type_of(&schema.key_type)?,
                root.type_of(&schema.value_type)?,
            ),
            _ => {
                return Err(Error::Schema {
                    input: root.input,
                    what: "map in field ratings".to_owned(),
                });
            }
        };
        Ok(Self {
            video: root.field("video")?,
            ratings,
            maps,
            keys,
            values,
            system: root.field_of(values, "system")?,
            minimum_age: root.field_of(values, "minimumAge")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> i64 {
        record.long(self.video).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let Some(video) = record.long(self.video) else {
            return;
        };
        let map = record
            .reference(self.ratings)
            .and_then(|map| self.maps.map(map));
        let mut ratings = Vec::with_capacity(map.map_or(0, |map| map.len()));
        for (key, value) in map.into_iter().flat_map(|map| map.iter()) {
            let code = self.keys.object(key).and_then(|key| key.string(0));
            let country = code.and_then(|code| Country::from_code(&text(code)));
            let rating = self.values.object(value);
            let system = rating.and_then(|rating| rating.string(self.system));
            let (Some(country), Some(rating), Some(system)) = (country, rating, system) else {
                continue;
            };
            ratings.push(Rating {
                country,
                system: facts.names.intern(&text(system)),
                minimum_age: rating.int(self.minimum_age),
            });
        }
        facts.set_ratings(video, Some(ratings));
    }

    fn remove(video: i64, facts: &mut Facts) {
        facts.set_ratings(video, None);
    }
}

pub(super) struct AllStreams<'a> {
    video: usize,
    profiles: NameField<'a>,
    drm: NameField<'a>,
    status: usize,
}

impl<'a> Reader<'a> for AllStreams<'a> {
    type Key = i64;
    const INPUT: Input = Input::Streams;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            profiles: NameField::of(&root, root.records, "profiles")?,
            drm: NameField::of(&root, root.records, "drm")?,
            status: root.field("status")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> i64 {
        record.long(self.video).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let Some(video) = record.long(self.video) else {
            return;
        };
        let fact = match record
            .string(self.status)
            .is_some_and(|status| status == READY)
        {
            true => Streams {
                profiles: self.profiles.get(record, facts).unwrap_or_default(),
                drm: self.drm.get(record, facts).unwrap_or_default(),
            },
            false => Streams::default(),
        };
        facts.set_streams(video, Some(fact));
    }

    fn remove(video: i64, facts: &mut Facts) {
        facts.set_streams(video, None);
    }
}

pub(super) struct Holds<'a> {
    hold: usize,
    video: usize,
    countries: CountryField<'a>,
    reason: usize,
    from: usize,
    until: usize,
}

impl<'a> Reader<'a> for Holds<'a> {
    type Key = String;
    const INPUT: Input = Input::Holds;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            hold: root.field("hold")?,
            video: root.field("video")?,
            countries: CountryField::of(&root, root.records, "countries")?,
            reason: root.field("reason")?,
            from: root.field("from")?,
            until: root.field("until")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> String {
        let hold = record.string(self.hold);
        hold.map(|hold| text(hold).into_owned()).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let (Some(video), Some(hold)) = (record.long(self.video), record.string(self.hold)) else {
            return;
        };
        let reason = record.string(self.reason);
        let countries = self.countries.get(record, facts);
        let fact = Hold {
            hold: Arc::from(text(hold)),
            countries: Countries(countries.unwrap_or_else(CountrySet::all)),
            from: record.long(self.from).unwrap_or(i64::MIN),
            until: record.long(self.until).unwrap_or(OPEN),
            reason: Arc::from(reason.map(text).unwrap_or_default()),
        };
        facts.set_hold(video, fact);
    }

    fn remove(hold: String, facts: &mut Facts) {
        facts.remove_hold(&hold);
    }
}

pub(super) struct AllPopularity<'a> {
    root: PhantomData<&'a ()>,
    video: usize,
    hours_viewed: usize,
}

impl<'a> Reader<'a> for AllPopularity<'a> {
    type Key = i64;
    const INPUT: Input = Input::Popularity;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            hours_viewed: root.field("hoursViewed")?,
            root: PhantomData,
        })
    }

    fn key(&self, record: &ObjectView<'a>, _: &mut Facts) -> i64 {
        record.long(self.video).unwrap_or_default()
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        if let Some(video) = record.long(self.video) {
            facts.set_popularity(video, record.long(self.hours_viewed));
        }
    }

    fn remove(video: i64, facts: &mut Facts) {
        facts.set_popularity(video, None);
    }
}
