//! The `liveness` dataset: a record per video with its groups of countries.
//!
//! The types are plain enough for a stock Java consumer:
//!
//! ```text
//! Liveness @PrimaryKey(video) { long video; ListOfGroup groups; }
//! Group { boolean live; SetOfCountry countries; SetOfBlocker blockers; SetOfAsset assets;
//!         long nextAt; boolean nextLive; SetOfAsset nextAssets; }
//! Country { string code; }      Blocker { string code; }      Asset { string kind; string language; }
//! ```
//!
//! `assets` are the tracks that are live. `nextAt` (ms), `nextLive` and `nextAssets` are null where
//! the verdict does not change by itself. A set is one record however many groups have it.

mod known;

use std::cell::RefCell;
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use hollow::record::{ListRecord, ObjectRecord, SetRecord};
use hollow::schema::{Field, FieldType, ListSchema, ObjectSchema, Schema, SetSchema};
use hollow::write::{RecordBatch, TypeId, WriteState};
use hollow::{KeyValue, ObjectView, Ordinal, ReadState, TypeState};
pub(crate) use known::Known;
use known::References;
use liveness::record::TrackKind;
use liveness::{
    BlockerSet, Country, CountrySet, Group, NextChange, Outcome, RULES, TrackName, TrackSet,
};
use rayon::prelude::*;

/// The dataset's name, without an environment.
pub const NAME: &str = "liveness";

/// The root type.
pub const ROOT_TYPE: &str = "Liveness";

const GROUP: &str = "Group";
const COUNTRY: &str = "Country";
const BLOCKER: &str = "Blocker";
const ASSET: &str = "Asset";
const COUNTRY_SET: &str = "SetOfCountry";
const BLOCKER_SET: &str = "SetOfBlocker";
const ASSET_SET: &str = "SetOfAsset";

/// The schemas of `liveness`.
pub fn schemas() -> Vec<Schema> {
    let field = |name: &str, field_type, referenced: Option<&str>| Field {
        name: name.to_owned(),
        field_type,
        referenced_type: referenced.map(str::to_owned),
    };
    let object = |name: &str, key: Option<&str>, fields| {
        Schema::Object(ObjectSchema {
            name: name.to_owned(),
            primary_key: key.map(|key| vec![key.to_owned()]),
            fields,
        })
    };
    let set = |element: &str| {
        Schema::Set(SetSchema {
            name: format!("SetOf{element}"),
            element_type: element.to_owned(),
            hash_key: None,
        })
    };
    let code = || vec![field("code", FieldType::String, None)];
    vec![
        object(
            ROOT_TYPE,
            Some("video"),
            vec![
                field("video", FieldType::Long, None),
                field("groups", FieldType::Reference, Some("ListOfGroup")),
            ],
        ),
        Schema::List(ListSchema {
            name: "ListOfGroup".to_owned(),
            element_type: GROUP.to_owned(),
        }),
        object(
            GROUP,
            None,
            vec![
                field("live", FieldType::Boolean, None),
                field("countries", FieldType::Reference, Some("SetOfCountry")),
                field("blockers", FieldType::Reference, Some("SetOfBlocker")),
                field("assets", FieldType::Reference, Some("SetOfAsset")),
                field("nextAt", FieldType::Long, None),
                field("nextLive", FieldType::Boolean, None),
                field("nextAssets", FieldType::Reference, Some("SetOfAsset")),
            ],
        ),
        set(COUNTRY),
        object(COUNTRY, None, code()),
        set(BLOCKER),
        object(BLOCKER, None, code()),
        set(ASSET),
        object(
            ASSET,
            None,
            vec![
                field("kind", FieldType::String, None),
                field("language", FieldType::String, None),
            ],
        ),
    ]
}

/// A part of the write state that the schemas promise is missing.
fn missing(what: &str) -> hollow::Error {
    hollow::Error::UnknownType(what.to_owned())
}

/// Writes changed verdicts into the staged cycle; each distinct set is added once.
pub(crate) struct Writer<'a> {
    write: &'a mut WriteState,
    known: &'a mut Known,
    types: Types,
    record: ObjectRecord,
    group: ObjectRecord,
    /// Groups, then lists, that are added together.
    batch: RecordBatch,
    code: ObjectRecord,
    asset: ObjectRecord,
    list: ListRecord,
    set: SetRecord,
    /// By the outcome's place in memory: videos with the same facts share one.
    lists: HashMap<*const Outcome, Ordinal>,
    /// By the country's bit.
    countries: [Option<Ordinal>; CountrySet::CAPACITY],
    /// By the rule's place.
    blockers: [Option<Ordinal>; RULES.len()],
    assets: HashMap<TrackName, Ordinal>,
}

/// How many videos are written at a time: their groups are looked up together, on all cores.
const BLOCK: usize = 16_384;

/// Outcomes whose sets one task looks for at least.
const TOGETHER: usize = 64;

#[derive(Clone, Copy)]
struct Types {
    root: TypeId,
    list: TypeId,
    group: TypeId,
    country_set: TypeId,
    country: TypeId,
    blocker_set: TypeId,
    blocker: TypeId,
    asset_set: TypeId,
    asset: TypeId,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(write: &'a mut WriteState, known: &'a mut Known) -> hollow::Result<Self> {
        known.bring(write.state(), [COUNTRY_SET, BLOCKER_SET, ASSET_SET]);
        let id = |name: &str| write.type_id(name).ok_or_else(|| missing(name));
        let types = Types {
            root: id(ROOT_TYPE)?,
            list: id("ListOfGroup")?,
            group: id(GROUP)?,
            country_set: id(COUNTRY_SET)?,
            country: id(COUNTRY)?,
            blocker_set: id(BLOCKER_SET)?,
            blocker: id(BLOCKER)?,
            asset_set: id(ASSET_SET)?,
            asset: id(ASSET)?,
        };
        let record = |ty: TypeId| match write.schema(ty) {
            Schema::Object(schema) => Ok(ObjectRecord::new(schema)),
            other => Err(missing(other.name())),
        };
        Ok(Self {
            record: record(types.root)?,
            group: record(types.group)?,
            code: record(types.country)?,
            asset: record(types.asset)?,
            batch: RecordBatch::new(),
            write,
            known,
            types,
            list: ListRecord::new(),
            set: SetRecord::new(),
            lists: HashMap::new(),
            countries: [None; CountrySet::CAPACITY],
            blockers: [None; RULES.len()],
            assets: HashMap::new(),
        })
    }

    /// Sets the records of videos. The outcomes must stay where they are as long as this writes.
    pub(crate) fn put(&mut self, outcomes: &[&'a (i64, Arc<Outcome>)]) -> hollow::Result<()> {
        for block in outcomes.chunks(BLOCK) {
            let mut new: Vec<&'a Outcome> = Vec::new();
            for (_, outcome) in block {
                if let Entry::Vacant(entry) = self.lists.entry(Arc::as_ptr(outcome)) {
                    entry.insert(Ordinal::MAX);
                    new.push(outcome);
                }
            }
            self.add_lists(&new)?;
            for (video, outcome) in block {
                self.record.reset();
                self.record.set_long(0, *video);
                self.record
                    .set_reference(1, self.lists[&Arc::as_ptr(outcome)]);
                self.write.upsert(self.types.root, self.record.bytes())?;
            }
        }
        Ok(())
    }

    /// Adds the lists of groups of some outcomes, each with what it refers to.
    fn add_lists(&mut self, outcomes: &[&'a Outcome]) -> hollow::Result<()> {
        self.batch.clear();
        let known = &*self.known;
        let find = |outcome: &&'a Outcome| outcome.groups.iter().map(|group| known.find(group));
        let all = outcomes.par_iter().with_min_len(TOGETHER);
        let found: Vec<References> = all.flat_map_iter(find).collect();
        let groups = outcomes.iter().flat_map(|outcome| &outcome.groups);
        for (group, found) in groups.zip(found) {
            self.push_group(group, found)?;
        }
        let mut groups = Vec::with_capacity(self.batch.len());
        self.write
            .add_batch(self.types.group, &self.batch, &mut groups)?;

        self.batch.clear();
        let mut rest = &groups[..];
        for outcome in outcomes {
            let (own, others) = rest.split_at(outcome.groups.len());
            rest = others;
            self.list.reset();
            own.iter().for_each(|&group| self.list.push(group));
            self.batch.push(self.list.bytes());
        }
        let mut lists = Vec::with_capacity(outcomes.len());
        self.write
            .add_batch(self.types.list, &self.batch, &mut lists)?;
        for (outcome, list) in outcomes.iter().zip(lists) {
            self.lists.insert(std::ptr::from_ref(*outcome), list);
        }
        Ok(())
    }

    /// Removes the record of a video.
    pub(crate) fn remove(&mut self, video: i64) -> hollow::Result<()> {
        self.write
            .delete(self.types.root, &[KeyValue::Long(video)])?;
        Ok(())
    }

    fn push_group(&mut self, group: &Group, found: References) -> hollow::Result<()> {
        let countries = match found.countries {
            Some(countries) => countries,
            None => self.country_set(group.countries)?,
        };
        let blockers = match found.blockers {
            Some(blockers) => blockers,
            None => self.blocker_set(group.blockers)?,
        };
        let assets = match found.assets {
            Some(assets) => assets,
            None => self.asset_set(&group.tracks)?,
        };
        let next = match (&group.next, found.next_assets) {
            (Some(next), Some(assets)) => Some((next.at, next.live, assets)),
            (Some(next), None) => Some((next.at, next.live, self.asset_set(&next.tracks)?)),
            (None, _) => None,
        };
        let record = &mut self.group;
        record.reset();
        record.set_boolean(0, group.live);
        record.set_reference(1, countries);
        record.set_reference(2, blockers);
        record.set_reference(3, assets);
        if let Some((at, live, assets)) = next {
            record.set_long(4, at);
            record.set_boolean(5, live);
            record.set_reference(6, assets);
        }
        self.batch.push(record.bytes());
        Ok(())
    }

    fn country_set(&mut self, countries: CountrySet) -> hollow::Result<Ordinal> {
        if let Some(ordinal) = self.known.countries.find(&countries) {
            return Ok(ordinal);
        }
        self.set.reset();
        for country in countries.iter() {
            let ordinal = match self.countries[country.index()] {
                Some(ordinal) => ordinal,
                None => {
                    let ordinal = self.code(self.types.country, country.code())?;
                    *self.countries[country.index()].insert(ordinal)
                }
            };
            self.set.insert(ordinal);
        }
        let ordinal = self.write.add(self.types.country_set, self.set.bytes())?;
        self.known.countries.learn(&countries, ordinal);
        Ok(ordinal)
    }

    fn blocker_set(&mut self, blockers: BlockerSet) -> hollow::Result<Ordinal> {
        if let Some(ordinal) = self.known.blockers.find(&blockers) {
            return Ok(ordinal);
        }
        self.set.reset();
        for place in blockers.places() {
            let ordinal = match self.blockers[place] {
                Some(ordinal) => ordinal,
                None => {
                    let ordinal = self.code(self.types.blocker, RULES[place].code)?;
                    *self.blockers[place].insert(ordinal)
                }
            };
            self.set.insert(ordinal);
        }
        let ordinal = self.write.add(self.types.blocker_set, self.set.bytes())?;
        self.known.blockers.learn(&blockers, ordinal);
        Ok(ordinal)
    }

    fn asset_set(&mut self, tracks: &TrackSet) -> hollow::Result<Ordinal> {
        if let Some(ordinal) = self.known.assets.find(tracks) {
            return Ok(ordinal);
        }
        self.set.reset();
        for track in tracks.iter() {
            let ordinal = match self.assets.get(track) {
                Some(&ordinal) => ordinal,
                None => {
                    self.asset.reset();
                    self.asset.set_str(0, track.kind.name());
                    self.asset.set_str(1, &track.language);
                    let ordinal = self.write.add(self.types.asset, self.asset.bytes())?;
                    self.assets.insert(track.clone(), ordinal);
                    ordinal
                }
            };
            self.set.insert(ordinal);
        }
        let ordinal = self.write.add(self.types.asset_set, self.set.bytes())?;
        self.known.assets.learn(tracks, ordinal);
        Ok(ordinal)
    }

    fn code(&mut self, ty: TypeId, code: &str) -> hollow::Result<Ordinal> {
        self.code.reset();
        self.code.set_str(0, code);
        self.write.add(ty, self.code.bytes())
    }
}

/// Reads verdicts back from a state of `liveness`.
pub struct Verdicts<'a> {
    records: &'a TypeState,
    lists: &'a TypeState,
    groups: &'a TypeState,
    country_sets: &'a TypeState,
    countries: &'a TypeState,
    blocker_sets: &'a TypeState,
    blockers: &'a TypeState,
    asset_sets: &'a TypeState,
    assets: &'a TypeState,
    /// Sets of assets by ordinal, as far as they were read.
    read: RefCell<HashMap<Ordinal, TrackSet>>,
}

impl<'a> Verdicts<'a> {
    /// The verdicts of a state; `None` if it is not one of `liveness`.
    pub fn of(state: &'a ReadState) -> Option<Self> {
        Some(Self {
            records: state.type_state(ROOT_TYPE)?,
            lists: state.type_state("ListOfGroup")?,
            groups: state.type_state(GROUP)?,
            country_sets: state.type_state(COUNTRY_SET)?,
            countries: state.type_state(COUNTRY)?,
            blocker_sets: state.type_state(BLOCKER_SET)?,
            blockers: state.type_state(BLOCKER)?,
            asset_sets: state.type_state(ASSET_SET)?,
            assets: state.type_state(ASSET)?,
            read: RefCell::default(),
        })
    }

    /// Every video's verdict, by ordinal.
    pub fn all(&self) -> impl Iterator<Item = (i64, Outcome)> + '_ {
        self.records
            .ordinals()
            .filter_map(|ordinal| self.at(ordinal))
    }

    /// Every video's verdict, by video; none where the state is not one of `liveness`.
    pub(crate) fn sorted(state: &ReadState) -> Vec<(i64, Arc<Outcome>)> {
        let all = Verdicts::of(state);
        let mut verdicts: Vec<(i64, Arc<Outcome>)> = all
            .iter()
            .flat_map(|all| all.all())
            .map(|(video, outcome)| (video, Arc::new(outcome)))
            .collect();
        verdicts.sort_unstable_by_key(|&(video, _)| video);
        verdicts
    }

    /// The verdict of a record. Countries and blockers that this code does not know are left out.
    pub fn at(&self, ordinal: Ordinal) -> Option<(i64, Outcome)> {
        let record = self.records.object(ordinal)?;
        let video = record.long(0)?;
        let list = self.lists.list(record.reference(1)?)?;
        let groups = list.iter().filter_map(|group| self.group(group)).collect();
        Some((video, Outcome::from_groups(groups)))
    }

    fn group(&self, ordinal: Ordinal) -> Option<Group> {
        let record: ObjectView<'a> = self.groups.object(ordinal)?;
        let codes = |sets: &'a TypeState, codes: &'a TypeState, set: Ordinal| {
            let set = sets.set(set);
            set.into_iter().flat_map(|set| set.iter()).filter_map(|at| {
                let code = codes.object(at)?.string(0)?;
                code.as_ascii()
            })
        };
        let countries = codes(self.country_sets, self.countries, record.reference(1)?);
        let blockers = codes(self.blocker_sets, self.blockers, record.reference(2)?);
        Some(Group {
            live: record.boolean(0)?,
            countries: countries.filter_map(Country::from_code).collect(),
            blockers: BlockerSet::from_codes(blockers),
            tracks: self.tracks(record.reference(3)?)?,
            next: match record.long(4) {
                Some(at) => Some(NextChange {
                    at,
                    live: record.boolean(5)?,
                    tracks: self.tracks(record.reference(6)?)?,
                }),
                None => None,
            },
        })
    }

    /// A set of tracks; of kinds that this code does not know none is in it.
    fn tracks(&self, set: Ordinal) -> Option<TrackSet> {
        if let Some(tracks) = self.read.borrow().get(&set) {
            return Some(tracks.clone());
        }
        let track = |ordinal: Ordinal| {
            let record = self.assets.object(ordinal)?;
            Some(TrackName {
                kind: TrackKind::from_name(record.string(0)?.as_ascii()?)?,
                language: Arc::from(record.string(1)?.as_ascii()?),
            })
        };
        let members = self.asset_sets.set(set)?;
        let tracks = TrackSet::new(members.iter().filter_map(track).collect());
        self.read.borrow_mut().insert(set, tracks.clone());
        Some(tracks)
    }
}
