//! Verdicts from a state of `liveness`.

use std::cell::RefCell;
use std::sync::Arc;

use hashbrown::HashMap;
use hollow::{ObjectView, Ordinal, ReadState, TypeState};
use liveness::record::TrackKind;
use liveness::{BlockerSet, Country, Group, NextChange, Outcome, TrackName, TrackSet};

use super::{ASSET, ASSET_SET, BLOCKER, BLOCKER_SET, COUNTRY, COUNTRY_SET, GROUP, LIST, ROOT_TYPE};

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
            lists: state.type_state(LIST)?,
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
