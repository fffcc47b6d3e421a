//! Verdicts into the write state: what goes into records is put together by all threads, in an order that does not depend on them.

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use hollow::record::{ListRecord, ObjectRecord, SetRecord};
use hollow::schema::Schema;
use hollow::write::{RecordBatch, TypeId, WriteState};
use hollow::{KeyValue, Ordinal};
use liveness::{BlockerSet, CountrySet, Group, Outcome, RULES, TrackName, TrackSet};
use rayon::prelude::*;

use super::kept::Before;
use super::known::{Known, References};
use super::{ASSET, ASSET_SET, BLOCKER, BLOCKER_SET, COUNTRY, COUNTRY_SET, GROUP, LIST, ROOT_TYPE};

/// Writes changed verdicts into the staged cycle; each distinct set is added once.
pub(crate) struct Writer<'a> {
    write: &'a mut WriteState,
    known: &'a mut Known,
    types: Types,
    record: ObjectRecord,
    group: ObjectRecord,
    code: ObjectRecord,
    asset: ObjectRecord,
    set: SetRecord,
    /// By the outcome's address: videos with the same facts share one.
    lists: HashMap<usize, Ordinal>,
    /// By the country's bit.
    countries: [Option<Ordinal>; CountrySet::CAPACITY],
    /// By the rule's place.
    blockers: [Option<Ordinal>; RULES.len()],
    assets: HashMap<TrackName, Ordinal>,
}

/// How many videos are written at a time: their groups are looked up together, on all cores.
const BLOCK: usize = 16_384;

/// Outcomes, or records, that one task takes at least.
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

/// A part of the write state that the schemas promise is missing.
fn missing(what: &str) -> hollow::Error {
    hollow::Error::UnknownType(what.to_owned())
}

fn address(outcome: &Outcome) -> usize {
    std::ptr::from_ref(outcome).addr()
}

impl<'a> Writer<'a> {
    pub(crate) fn new(write: &'a mut WriteState, known: &'a mut Known) -> hollow::Result<Self> {
        known.bring(write.state(), [COUNTRY_SET, BLOCKER_SET, ASSET_SET]);
        let id = |name: &str| write.type_id(name).ok_or_else(|| missing(name));
        let types = Types {
            root: id(ROOT_TYPE)?,
            list: id(LIST)?,
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
            write,
            known,
            types,
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
            let mut new: Vec<(i64, &'a Outcome)> = Vec::new();
            for (video, outcome) in block {
                if let Entry::Vacant(entry) = self.lists.entry(address(outcome)) {
                    entry.insert(Ordinal::MAX);
                    new.push((*video, outcome));
                }
            }
            self.add_lists(&new)?;
            let lists = &self.lists;
            let slices: Vec<_> = block.chunks(TOGETHER).collect();
            let videos = encoded(&slices, &self.record, |record, videos, batch| {
                for (video, outcome) in *videos {
                    record.reset();
                    record.set_long(0, *video);
                    record.set_reference(1, lists[&address(outcome)]);
                    batch.push(record.bytes());
                }
            });
            self.write
                .upsert_batch(self.types.root, &videos, &[], &mut Vec::new())?;
        }
        Ok(())
    }

    /// Adds the lists of groups of some outcomes, each with what it refers to. Each stands with a video that has it.
    fn add_lists(&mut self, outcomes: &[(i64, &'a Outcome)]) -> hollow::Result<()> {
        let known = &*self.known;
        let before = Before::new(self.write, self.types.root, known);
        let chunks = outcomes.par_chunks(TOGETHER);
        let chunks = chunks.map(|some| Chunk::new(some, before, known));
        let mut chunks: Vec<Chunk<'_>> = chunks.collect();
        self.add_country_sets(&mut chunks)?;
        self.add_other_sets(&mut chunks)?;

        let records = encoded(&chunks, &self.group, |record, chunk, batch| {
            for (group, references) in &chunk.groups {
                put_group(record, group, references);
                batch.push(record.bytes());
            }
        });
        let mut groups = Vec::with_capacity(records.len());
        self.write
            .add_batch(self.types.group, &records, &mut groups)?;

        let mut rest = &groups[..];
        let with_new = chunks.iter().map(|chunk| {
            let (own, others) = rest.split_at(chunk.groups.len());
            rest = others;
            (chunk, own)
        });
        let with_new: Vec<(&Chunk<'_>, &[Ordinal])> = with_new.collect();
        let batch = encoded(
            &with_new,
            &ListRecord::new(),
            |list, (chunk, new), batch| {
                let mut new = new.iter().copied();
                let mut groups = chunk.kept.iter().map(|kept| kept.or_else(|| new.next()));
                for &length in &chunk.lengths {
                    list.reset();
                    let own = groups.by_ref().take(length);
                    own.flatten().for_each(|group| list.push(group));
                    batch.push(list.bytes());
                }
            },
        );
        let mut lists = Vec::with_capacity(outcomes.len());
        self.write.add_batch(self.types.list, &batch, &mut lists)?;
        for ((_, outcome), list) in outcomes.iter().zip(lists) {
            self.lists.insert(address(outcome), list);
        }
        Ok(())
    }

    /// Adds the sets of countries that are not known, and says of each group which it has.
    fn add_country_sets(&mut self, chunks: &mut [Chunk<'_>]) -> hollow::Result<()> {
        let mut new: HashMap<CountrySet, Ordinal> = HashMap::new();
        let mut sets = Vec::new();
        for &(_, set) in chunks.iter().flat_map(|chunk| &chunk.new_countries) {
            if new.insert(set, Ordinal::MAX).is_none() {
                sets.push(set);
            }
        }
        let all = sets
            .iter()
            .fold(CountrySet::default(), |all, &set| all | set);
        for country in all.iter() {
            if self.countries[country.index()].is_none() {
                let ordinal = self.code(self.types.country, country.code())?;
                self.countries[country.index()] = Some(ordinal);
            }
        }
        let countries = &self.countries;
        let slices: Vec<&[CountrySet]> = sets.chunks(TOGETHER).collect();
        let records = encoded(&slices, &SetRecord::new(), |record, sets, batch| {
            for set in *sets {
                record.reset();
                let members = set.iter();
                let members = members.filter_map(|country| countries[country.index()]);
                members.for_each(|ordinal| record.insert(ordinal));
                batch.push(record.bytes());
            }
        });
        let mut ordinals = Vec::with_capacity(sets.len());
        self.write
            .add_batch(self.types.country_set, &records, &mut ordinals)?;
        for (set, ordinal) in sets.iter().zip(ordinals) {
            new.insert(*set, ordinal);
            self.known.countries.learn(set, ordinal);
        }
        for chunk in chunks {
            for (at, set) in &chunk.new_countries {
                chunk.groups[*at].1.countries = new.get(set).copied();
            }
        }
        Ok(())
    }

    /// The same of blockers and of assets, most of which are known.
    fn add_other_sets(&mut self, chunks: &mut [Chunk<'_>]) -> hollow::Result<()> {
        for chunk in chunks {
            for &at in &chunk.incomplete {
                let (group, found) = &mut chunk.groups[at];
                if found.blockers.is_none() {
                    found.blockers = Some(self.blocker_set(group.blockers)?);
                }
                if found.assets.is_none() {
                    found.assets = Some(self.asset_set(&group.tracks)?);
                }
                if let (Some(next), None) = (&group.next, found.next_assets) {
                    found.next_assets = Some(self.asset_set(&next.tracks)?);
                }
            }
        }
        Ok(())
    }

    /// Removes the record of a video.
    pub(crate) fn remove(&mut self, video: i64) -> hollow::Result<()> {
        self.write
            .delete(self.types.root, &[KeyValue::Long(video)])?;
        Ok(())
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

/// The groups of some outcomes, one after the other.
struct Chunk<'a> {
    /// Each group's ordinal, if its video had it before.
    kept: Vec<Option<Ordinal>>,
    /// The others, with what their sets are known as.
    groups: Vec<(&'a Group, References)>,
    /// How many groups each outcome has.
    lengths: Vec<usize>,
    /// Where a set of countries is not known, and which.
    new_countries: Vec<(usize, CountrySet)>,
    /// Where another set is not known.
    incomplete: Vec<usize>,
}

impl<'a> Chunk<'a> {
    fn new(outcomes: &[(i64, &'a Outcome)], before: Before<'_>, known: &Known) -> Self {
        let lengths = outcomes.iter().map(|(_, outcome)| outcome.groups.len());
        let lengths: Vec<usize> = lengths.collect();
        let mut chunk = Self {
            kept: Vec::with_capacity(lengths.iter().sum()),
            groups: Vec::new(),
            lengths,
            new_countries: Vec::new(),
            incomplete: Vec::new(),
        };
        for &(video, outcome) in outcomes {
            let mut before = before.groups(video);
            for group in &outcome.groups {
                let kept = before.find(group);
                if kept.is_none() {
                    chunk.push(group, known);
                }
                chunk.kept.push(kept);
            }
        }
        chunk
    }

    fn push(&mut self, group: &'a Group, known: &Known) {
        let (at, found) = (self.groups.len(), known.find(group));
        if found.countries.is_none() {
            self.new_countries.push((at, group.countries));
        }
        let is_complete = found.blockers.is_some()
            && found.assets.is_some()
            && (group.next.is_none() || found.next_assets.is_some());
        if !is_complete {
            self.incomplete.push(at);
        }
        self.groups.push((group, found));
    }
}

fn put_group(record: &mut ObjectRecord, group: &Group, found: &References) {
    record.reset();
    record.set_boolean(0, group.live);
    let sets = [found.countries, found.blockers, found.assets];
    for (field, set) in (1..).zip(sets) {
        set.into_iter()
            .for_each(|set| record.set_reference(field, set));
    }
    if let (Some(next), Some(assets)) = (&group.next, found.next_assets) {
        record.set_long(4, next.at);
        record.set_boolean(5, next.live);
        record.set_reference(6, assets);
    }
}

/// The records of some chunks, in their order, put together by all threads: `fill` pushes those of a chunk.
fn encoded<T: Sync, B: Clone + Sync>(
    chunks: &[T],
    builder: &B,
    fill: impl Fn(&mut B, &T, &mut RecordBatch) + Sync,
) -> RecordBatch {
    let batches = chunks.par_iter().map(|chunk| {
        let mut batch = RecordBatch::new();
        fill(&mut builder.clone(), chunk, &mut batch);
        batch
    });
    RecordBatch::concat(&batches.collect::<Vec<RecordBatch>>())
}
