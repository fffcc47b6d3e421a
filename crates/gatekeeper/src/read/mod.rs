//! From the inputs' states to facts.
//!
//! Whichever way an input moved (along deltas forward or back, by a snapshot), only the records
//! that came or went are read: the keys of those that went are removed unless one that came has
//! them. Field positions are looked up once per state.

mod policies;
mod strings;
mod tracks;
mod videos;

use std::hash::Hash;

use hashbrown::HashSet;
use hollow::{Changes, ObjectView, Ordinal, ReadState, TypeState};
use liveness::Facts;

use crate::input::Input;
use crate::{Error, Result};

/// How one input's records become facts.
trait Reader<'a>: Sized {
    /// What tells records apart.
    type Key: Eq + Hash;
    const INPUT: Input;

    /// Looks up where the fields of a state are.
    fn new(root: Root<'a>) -> Result<Self>;
    /// The key of a record.
    fn key(&self, record: &ObjectView<'a>, facts: &mut Facts) -> Self::Key;
    /// Sets the fact of a record.
    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts);
    /// Removes the fact of a key.
    fn remove(key: Self::Key, facts: &mut Facts);
}

/// Brings the facts of an input from the state that they were read from (`None`: nothing was) to
/// another; `steps` are the changes on the way, `None` if the way is not known. Returns how many
/// records were read.
pub(crate) fn bring(
    input: Input,
    facts: &mut Facts,
    before: Option<&ReadState>,
    after: &ReadState,
    steps: Option<&[Changes]>,
) -> Result<usize> {
    match input {
        Input::Titles => run::<videos::Titles<'_>>(facts, before, after, steps),
        Input::Rights => run::<videos::AllRights<'_>>(facts, before, after, steps),
        Input::Ratings => run::<videos::AllRatings<'_>>(facts, before, after, steps),
        Input::Texts => run::<tracks::Texts<'_>>(facts, before, after, steps),
        Input::Assets => run::<tracks::Assets<'_>>(facts, before, after, steps),
        Input::Artwork => run::<tracks::AllArtwork<'_>>(facts, before, after, steps),
        Input::Streams => run::<videos::AllStreams<'_>>(facts, before, after, steps),
        Input::Policies => run::<policies::Policies<'_>>(facts, before, after, steps),
        Input::Holds => run::<videos::Holds<'_>>(facts, before, after, steps),
        Input::Popularity => run::<videos::AllPopularity<'_>>(facts, before, after, steps),
    }
}

fn run<'a, R: Reader<'a>>(
    facts: &mut Facts,
    before: Option<&'a ReadState>,
    after: &'a ReadState,
    steps: Option<&[Changes]>,
) -> Result<usize> {
    let root = Root::new(R::INPUT, after)?;
    let mut reader = R::new(root)?;
    let Some(before) = before else {
        let mut count = 0;
        for record in root
            .records
            .ordinals()
            .filter_map(|at| root.records.object(at))
        {
            reader.put(&record, facts);
            count += 1;
        }
        return Ok(count);
    };
    let old = Root::new(R::INPUT, before)?;
    let old_reader = R::new(old)?;
    let touched = touched(R::INPUT.type_name(), old.records, root.records, steps);
    let mut count = 0;
    let mut kept = HashSet::new();
    for record in touched.iter().filter_map(|&at| root.records.object(at)) {
        kept.insert(reader.key(&record, facts));
        reader.put(&record, facts);
        count += 1;
    }
    for record in touched.iter().filter_map(|&at| old.records.object(at)) {
        let key = old_reader.key(&record, facts);
        if !kept.contains(&key) {
            R::remove(key, facts);
            count += 1;
        }
    }
    Ok(count)
}

/// The ordinals whose record may be another one: all that a step touched, since an ordinal that
/// was freed and used again may look the same while what it refers to does not.
fn touched(
    type_name: &str,
    before: &TypeState,
    after: &TypeState,
    steps: Option<&[Changes]>,
) -> Vec<Ordinal> {
    let mut touched: Vec<Ordinal> = match steps {
        Some(steps) => steps
            .iter()
            .filter_map(|step| step.of(type_name))
            .flat_map(|changes| changes.removed.iter().chain(&changes.added).copied())
            .collect(),
        None => before.ordinals().chain(after.ordinals()).collect(),
    };
    touched.sort_unstable();
    touched.dedup();
    touched
}

/// The records of an input's root type, in one state.
#[derive(Clone, Copy)]
struct Root<'a> {
    input: Input,
    state: &'a ReadState,
    records: &'a TypeState,
}

impl<'a> Root<'a> {
    fn new(input: Input, state: &'a ReadState) -> Result<Self> {
        let records = type_of(input, state, input.type_name())?;
        Ok(Self {
            input,
            state,
            records,
        })
    }

    /// The position of a field of the root type.
    fn field(&self, name: &str) -> Result<usize> {
        self.field_of(self.records, name)
    }

    /// The position of a field of some type.
    fn field_of(&self, records: &TypeState, name: &str) -> Result<usize> {
        let index = match records.schema() {
            hollow::Schema::Object(schema) => schema.field_index(name),
            _ => None,
        };
        index.ok_or_else(|| Error::Schema {
            input: self.input,
            what: format!("field {}.{name}", records.name()),
        })
    }

    /// The records that a field of some type refers to.
    fn target(&self, records: &TypeState, field: usize) -> Result<&'a TypeState> {
        let name = match records.schema() {
            hollow::Schema::Object(schema) => schema
                .fields
                .get(field)
                .and_then(|field| field.referenced_type.as_deref()),
            _ => None,
        };
        let name = name.ok_or_else(|| Error::Schema {
            input: self.input,
            what: format!("reference in {}", records.name()),
        })?;
        type_of(self.input, self.state, name)
    }

    fn type_of(&self, name: &str) -> Result<&'a TypeState> {
        type_of(self.input, self.state, name)
    }
}

fn type_of<'a>(input: Input, state: &'a ReadState, name: &str) -> Result<&'a TypeState> {
    state.type_state(name).ok_or_else(|| Error::Schema {
        input,
        what: format!("type {name}"),
    })
}
