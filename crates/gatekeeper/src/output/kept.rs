//! Groups that a changed verdict keeps.
//!
//! Most groups of a verdict are those that the video had before, and these are a list away, one beside the other. A group is
//! compared with the one of before that begins with the same country, whose sets are known, instead of being put together as a
//! record and looked up by its content. It is the same record only if all of it is equal, so the outcome does not depend on this.

use std::iter::Peekable;

use hollow::write::{TypeId, WriteState};
use hollow::{KeyValue, ObjectView, Ordinal, TypeState};
use liveness::{Country, Group};

use super::known::Known;
use super::{GROUP, LIST, ROOT_TYPE};

/// Looks into the verdicts of the state that is written over.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    write: &'a WriteState,
    root: TypeId,
    types: Option<Types<'a>>,
    known: &'a Known,
}

#[derive(Clone, Copy)]
struct Types<'a> {
    records: &'a TypeState,
    lists: &'a TypeState,
    groups: &'a TypeState,
}

/// A group of before with its first country, `None` where its countries are not known.
type Placed<'a> = (Option<Country>, Ordinal, ObjectView<'a>);

/// The groups of one verdict that were not passed yet.
pub(super) struct Groups<'a> {
    groups: Peekable<std::vec::IntoIter<Placed<'a>>>,
    known: &'a Known,
}

impl<'a> Before<'a> {
    pub(super) fn new(write: &'a WriteState, root: TypeId, known: &'a Known) -> Self {
        let types = write.state().and_then(|state| {
            Some(Types {
                records: state.type_state(ROOT_TYPE)?,
                lists: state.type_state(LIST)?,
                groups: state.type_state(GROUP)?,
            })
        });
        Self {
            write,
            root,
            types,
            known,
        }
    }

    /// The groups that a video had; none if it is new.
    pub(super) fn groups(&self, video: i64) -> Groups<'a> {
        let groups = self.read(video).unwrap_or_default();
        Groups {
            groups: groups.into_iter().peekable(),
            known: self.known,
        }
    }

    fn read(&self, video: i64) -> Option<Vec<Placed<'a>>> {
        let types = self.types?;
        let record = self.write.find(self.root, &[KeyValue::Long(video)])?;
        let list = types.records.object(record)?.reference(1)?;
        // Rows and sets lie scattered: in steps this short all rows are waited for together, and then all sets.
        let groups = types.lists.list(list)?.iter().filter_map(|ordinal| {
            let group = types.groups.object(ordinal)?;
            Some((ordinal, group, group.reference(1)?))
        });
        let groups: Vec<(Ordinal, ObjectView<'a>, Ordinal)> = groups.collect();
        let first = |set| self.known.countries.at(set)?.first();
        let groups = groups.into_iter();
        Some(
            groups
                .map(|(ordinal, group, set)| (first(set), ordinal, group))
                .collect(),
        )
    }
}

impl Groups<'_> {
    /// The ordinal of a group, if it is one of these. Groups are asked for by their first countries, ascending.
    pub(super) fn find(&mut self, group: &Group) -> Option<Ordinal> {
        let first = group.countries.first();
        let is_passed = |(before, ..): &Placed<'_>| *before <= first;
        while let Some((before, ordinal, record)) = self.groups.next_if(is_passed) {
            if before == first {
                return is_same(group, &record, self.known)?.then_some(ordinal);
            }
        }
        None
    }
}

/// Whether a record of the state is that of a group; `None` if it lacks something that each group has.
fn is_same(group: &Group, record: &ObjectView<'_>, known: &Known) -> Option<bool> {
    let next = match &group.next {
        Some(next) => {
            record.long(4) == Some(next.at)
                && record.boolean(5) == Some(next.live)
                && known.assets.at(record.reference(6)?) == Some(&next.tracks)
        }
        None => (4..=6).all(|field| record.is_null(field)),
    };
    Some(
        next && record.boolean(0)? == group.live
            && known.countries.at(record.reference(1)?) == Some(&group.countries)
            && known.blockers.at(record.reference(2)?) == Some(&group.blockers)
            && known.assets.at(record.reference(3)?) == Some(&group.tracks),
    )
}
