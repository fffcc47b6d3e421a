//! The places where records differ: found as numbers, read as paths and values when somebody asks.
//!
//! A diff of large collections names hundreds of thousands of places, and mostly the same few values. So a place is three
//! numbers: a node of a tree of paths, and the ordinals of a record before and after. What they stand for lies in the two
//! states, which the diff holds on to.

use super::plan::Sides;
use crate::Ordinal;
use crate::error::Result;
use crate::index::BoundKey;
use crate::read::{ObjectView, ReadState};
use crate::value::Value;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

/// No record on that side.
pub(super) const NONE: Ordinal = Ordinal::MAX;

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment {
    /// The record that was paired.
    Root,
    /// A field of the second state's schema, or of the first's.
    Field {
        of: u32,
        position: u32,
        is_new: bool,
    },
    Index(u32),
    /// An element with a key, of the second state or of the first.
    Key {
        of: u32,
        ordinal: Ordinal,
        is_new: bool,
    },
    /// An entry of a map, by the record that is its key.
    Entry {
        of: u32,
        ordinal: Ordinal,
        is_new: bool,
    },
    /// The members of two sets that are not in both: a place there is a range of [`Found::members`].
    Member,
}

/// What lies at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// A record of a type: ordinals are its.
    Record(u32),
    /// A value of records of a type: ordinals are theirs, fields are positions in the two schemas.
    Field { of: u32, before: u32, after: u32 },
}

/// A path, as the last step from a shorter one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) segment: Segment,
    pub(super) holds: Holds,
}

/// One place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) node: u32,
    pub(super) before: Ordinal,
    pub(super) after: Ordinal,
}

/// What one thread found.
pub(super) struct Found {
    pub(super) sides: Arc<Sides>,
    pub(super) nodes: Vec<Node>,
    pub(super) places: Vec<Place>,
    pub(super) members: Vec<(Ordinal, Ordinal)>,
}

impl Found {
    /// The places in a range.
    pub(super) fn fields(&self, places: Range<usize>) -> Fields<'_> {
        Fields {
            found: self,
            places: self.places[places].iter(),
            node: 0,
            members: [].iter(),
        }
    }

    /// The members that a place stands for, if it is one of sets.
    fn members(&self, place: Place) -> Option<&[(Ordinal, Ordinal)]> {
        match self.nodes[place.node as usize].segment {
            Segment::Member => Some(&self.members[place.before as usize..place.after as usize]),
            _ => None,
        }
    }

    fn path(&self, node: u32) -> String {
        let mut steps = Vec::new();
        let mut at = node;
        while let Some(node) = self.nodes.get(at as usize) {
            if let Segment::Root = node.segment {
                break;
            }
            steps.push(node.segment);
            at = node.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            let step = self.step(step);
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(&step);
        }
        path
    }

    fn step(&self, segment: Segment) -> String {
        let sides = &*self.sides;
        match segment {
            Segment::Root => String::new(),
            Segment::Field {
                of,
                position,
                is_new,
            } => sides
                .object_schema(of, is_new)
                .map(|schema| schema.fields[position as usize].name.clone())
                .unwrap_or_default(),
            Segment::Index(at) => format!("[{at}]"),
            Segment::Key {
                of,
                ordinal,
                is_new,
            } => match &sides.keys[of as usize] {
                Some((_, key)) if is_new => key_text(key, ordinal),
                Some((key, _)) => key_text(key, ordinal),
                None => "[]".to_owned(),
            },
            Segment::Entry {
                of,
                ordinal,
                is_new,
            } => {
                let key = Value::read(sides.state(is_new), &sides.names[of as usize], ordinal);
                let key = key.ok().flatten().unwrap_or(Value::Null);
                format!("[{}]", plain(&key))
            }
            Segment::Member => "[]".to_owned(),
        }
    }

    fn value(&self, holds: Holds, ordinal: Ordinal, is_new: bool) -> Result<Value> {
        if ordinal == NONE {
            return Ok(Value::Null);
        }
        let state: &ReadState = self.sides.state(is_new);
        match holds {
            Holds::Record(of) => {
                let value = Value::read(state, &self.sides.names[of as usize], ordinal)?;
                Ok(value.unwrap_or(Value::Null))
            }
            Holds::Field { of, before, after } => {
                let field = if is_new { after } else { before };
                let record: Option<ObjectView<'_>> = state
                    .type_state(&self.sides.names[of as usize])
                    .and_then(|records| records.object(ordinal));
                record.map_or(Ok(Value::Null), |record| {
                    Value::of_field(state, &record, field as usize)
                })
            }
        }
    }
}

/// The places where two records differ.
pub(super) struct Fields<'d> {
    found: &'d Found,
    places: slice::Iter<'d, Place>,
    /// The members of two sets that are to come, and their path.
    node: u32,
    members: slice::Iter<'d, (Ordinal, Ordinal)>,
}

impl<'d> Iterator for Fields<'d> {
    type Item = FieldChange<'d>;

    #[inline]
    fn next(&mut self) -> Option<FieldChange<'d>> {
        let found = self.found;
        loop {
            if let Some(&(before, after)) = self.members.next() {
                let node = self.node;
                let place = Place {
                    node,
                    before,
                    after,
                };
                return Some(FieldChange { found, place });
            }
            let &place = self.places.next()?;
            match found.members(place) {
                Some(members) => (self.node, self.members) = (place.node, members.iter()),
                None => return Some(FieldChange { found, place }),
            }
        }
    }

    /// Members by the run, for those who look at everything.
    fn fold<T, F: FnMut(T, FieldChange<'d>) -> T>(mut self, first: T, mut each: F) -> T {
        let mut folded = first;
        loop {
            let node = self.node;
            for &(before, after) in mem::take(&mut self.members) {
                let place = Place {
                    node,
                    before,
                    after,
                };
                let found = self.found;
                folded = each(folded, FieldChange { found, place });
            }
            // The next place, or the first of the next members.
            match self.next() {
                Some(change) => folded = each(folded, change),
                None => return folded,
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let of = |&place: &Place| self.found.members(place).map_or(1, <[_]>::len);
        let left = self.places.clone().map(of).sum::<usize>() + self.members.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// A place in a record where the two states differ. Path and values are put together when they are asked for.
#[derive(Clone, Copy)]
pub struct FieldChange<'d> {
    pub(super) found: &'d Found,
    pub(super) place: Place,
}

impl FieldChange<'_> {
    /// Field names from the record on, with `.` between: `title.value`. An element of a collection is `[index]` (of the
    /// second state's list; of the first's for one that is gone), `[field=value]` where its type has a key, `[key]` in a
    /// map, or `[]` in a set.
    pub fn path(&self) -> String {
        self.found.path(self.place.node)
    }

    /// The value in the first state; null if there is none.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for references that go round in a circle.
    pub fn before(&self) -> Result<Value> {
        self.found.value(self.holds(), self.place.before, false)
    }

    /// The value in the second state; null if there is none.
    ///
    /// # Errors
    /// [`Error::TooDeep`](crate::Error::TooDeep) for references that go round in a circle.
    pub fn after(&self) -> Result<Value> {
        self.found.value(self.holds(), self.place.after, true)
    }

    /// The record that has the value in the first state: the value itself where it is a whole record, else the record
    /// whose field it is.
    #[inline]
    pub fn record_before(&self) -> Option<Ordinal> {
        (self.place.before != NONE).then_some(self.place.before)
    }

    /// The same in the second state.
    #[inline]
    pub fn record_after(&self) -> Option<Ordinal> {
        (self.place.after != NONE).then_some(self.place.after)
    }

    fn holds(&self) -> Holds {
        self.found.nodes[self.place.node as usize].holds
    }
}

impl fmt::Display for FieldChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path())?;
        for (value, then) in [(self.before(), " -> "), (self.after(), "")] {
            match value {
                Ok(value) => write!(f, "{value}{then}")?,
                Err(error) => write!(f, "({error}){then}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FieldChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key's values as a step of a path.
pub(super) fn key_text(key: &BoundKey, ordinal: Ordinal) -> String {
    use fmt::Write;
    let mut text = String::from("[");
    for (position, (path, value)) in key.paths().zip(key.values(ordinal)).enumerate() {
        let separator = if position > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{}={value}", path.text);
    }
    text.push(']');
    text
}

/// A map's key in a path: the value alone of records with a single field.
fn plain(key: &Value) -> String {
    match key {
        Value::Object(fields) if fields.len() == 1 => plain(&fields[0].1),
        other => other.to_string(),
    }
}
