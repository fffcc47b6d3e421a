//! The content of records: a record together with all that it refers to.
//!
//! Indexes, digests, diffs and histories speak of content, while a delta speaks of rows. The two differ in one case: an
//! ordinal that holds a record before and *another* record after, so that an untouched row that refers to it means
//! something else now. Within one delta of a Hollow writer this does not happen (an ordinal is not reused in the cycle in
//! which it is freed), but over several steps, or in a foreign blob, it does. [`ContentChanges`] follows such ordinals up
//! to everything that refers to them, and costs nothing where there are none.

use crate::Ordinal;
use crate::read::{Changed, Changes, ListView, MapView, ObjectView, ReadState, SetView, TypeState};
use crate::schema::{Schema, dependency_order};
use hashbrown::HashMap;

/// A record of any kind.
pub(crate) enum RecordView<'a> {
    Object(ObjectView<'a>),
    List(ListView<'a>),
    Set(SetView<'a>),
    Map(MapView<'a>),
}

/// The record of that ordinal.
#[inline]
pub(crate) fn record(state: &TypeState, ordinal: Ordinal) -> Option<RecordView<'_>> {
    match state.schema() {
        Schema::Object(_) => state.object(ordinal).map(RecordView::Object),
        Schema::List(_) => state.list(ordinal).map(RecordView::List),
        Schema::Set(_) => state.set(ordinal).map(RecordView::Set),
        Schema::Map(_) => state.map(ordinal).map(RecordView::Map),
    }
}

/// Per type, the ordinals whose content differs between two states. An ordinal whose content is another stands in both
/// lists.
pub(crate) struct ContentChanges {
    by_type: HashMap<String, Changed>,
}

impl ContentChanges {
    /// From the rows that a delta changed.
    pub(crate) fn of_delta(before: &ReadState, after: &ReadState, changes: &Changes) -> Self {
        let by_type = changes
            .types
            .iter()
            .map(|change| {
                let changed = Changed {
                    removed: change.removed.clone(),
                    added: change.added.clone(),
                };
                (change.type_name.clone(), changed)
            })
            .collect();
        let mut found = Self { by_type };
        found.propagate(before, after);
        found
    }

    /// By comparing two states, for which shared structure is passed over.
    pub(crate) fn between(before: &ReadState, after: &ReadState) -> Self {
        let mut by_type = HashMap::new();
        for old in before.types() {
            let changed = match after.type_state(old.name()) {
                Some(new) => new.changed_ordinals(old),
                None => Changed {
                    removed: old.ordinals().collect(),
                    added: Vec::new(),
                },
            };
            by_type.insert(old.name().to_owned(), changed);
        }
        for new in after.types() {
            if before.type_state(new.name()).is_none() {
                let changed = Changed {
                    removed: Vec::new(),
                    added: new.ordinals().collect(),
                };
                by_type.insert(new.name().to_owned(), changed);
            }
        }
        let mut found = Self { by_type };
        found.propagate(before, after);
        found
    }

    /// The changes of one type, `None` if there are none.
    pub(crate) fn of_type(&self, type_name: &str) -> Option<&Changed> {
        self.by_type.get(type_name)
    }

    /// Follows ordinals whose content is another up to the records that refer to them.
    fn propagate(&mut self, before: &ReadState, after: &ReadState) {
        let mut replaced: HashMap<String, Ordinals> = HashMap::new();
        for (name, changed) in &self.by_type {
            let ordinals: Ordinals = intersection(&changed.removed, &changed.added).collect();
            if !ordinals.is_empty() {
                replaced.insert(name.clone(), ordinals);
            }
        }
        if replaced.is_empty() {
            return;
        }
        let schemas: Vec<Schema> = after.schemas().cloned().collect();
        let order = dependency_order(&schemas);
        // One round is enough unless types refer to each other in a cycle; a round that finds nothing ends it.
        loop {
            let mut grown = false;
            for &index in &order {
                let schema = &schemas[index];
                if !schema
                    .dependencies()
                    .iter()
                    .any(|name| replaced.contains_key(*name))
                {
                    continue;
                }
                let (Some(old), Some(new)) = (
                    before.type_state(schema.name()),
                    after.type_state(schema.name()),
                ) else {
                    continue;
                };
                let known: Ordinals = self
                    .of_type(schema.name())
                    .into_iter()
                    .flat_map(|changed| changed.added.iter().copied())
                    .collect();
                let references = References::of(schema, &replaced);
                let met: Vec<Ordinal> = new
                    .ordinals()
                    .filter(|&ordinal| !known.contains(ordinal) && old.is_populated(ordinal))
                    .filter(|&ordinal| references.lead_from(new, ordinal))
                    .collect();
                if met.is_empty() {
                    continue;
                }
                grown = true;
                let changed = self.by_type.entry(schema.name().to_owned()).or_default();
                for list in [&mut changed.removed, &mut changed.added] {
                    list.extend(&met);
                    list.sort_unstable();
                    list.dedup();
                }
                replaced
                    .entry(schema.name().to_owned())
                    .or_default()
                    .extend(met);
            }
            if !grown {
                return;
            }
        }
    }
}

/// A set of ordinals as a bitmap.
#[derive(Default)]
pub(crate) struct Ordinals(Vec<u64>);

impl Ordinals {
    #[inline]
    pub(crate) fn contains(&self, ordinal: Ordinal) -> bool {
        self.0
            .get(ordinal as usize / 64)
            .is_some_and(|word| word >> (ordinal % 64) & 1 != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Ordinal> for Ordinals {
    fn extend<I: IntoIterator<Item = Ordinal>>(&mut self, ordinals: I) {
        for ordinal in ordinals {
            let word = ordinal as usize / 64;
            if word >= self.0.len() {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= 1 << (ordinal % 64);
        }
    }
}

impl FromIterator<Ordinal> for Ordinals {
    fn from_iter<I: IntoIterator<Item = Ordinal>>(ordinals: I) -> Self {
        let mut set = Self::default();
        set.extend(ordinals);
        set
    }
}

/// The references of a type into sets of ordinals.
enum References<'r> {
    Fields(Vec<(usize, &'r Ordinals)>),
    /// Elements or keys, and values.
    Elements(Option<&'r Ordinals>, Option<&'r Ordinals>),
}

impl<'r> References<'r> {
    fn of(schema: &Schema, into: &'r HashMap<String, Ordinals>) -> Self {
        match schema {
            Schema::Object(schema) => Self::Fields(
                schema
                    .fields
                    .iter()
                    .enumerate()
                    .filter_map(|(index, field)| {
                        Some((index, into.get(field.referenced_type.as_deref()?)?))
                    })
                    .collect(),
            ),
            Schema::List(schema) => Self::Elements(into.get(&schema.element_type), None),
            Schema::Set(schema) => Self::Elements(into.get(&schema.element_type), None),
            Schema::Map(schema) => {
                Self::Elements(into.get(&schema.key_type), into.get(&schema.value_type))
            }
        }
    }

    /// Whether a record refers to one of the ordinals.
    fn lead_from(&self, state: &TypeState, ordinal: Ordinal) -> bool {
        let (fields, keys, values) = match self {
            Self::Fields(fields) => (fields.as_slice(), None, None),
            Self::Elements(keys, values) => (&[][..], *keys, *values),
        };
        let has =
            |set: Option<&Ordinals>, ordinal: Ordinal| set.is_some_and(|set| set.contains(ordinal));
        match record(state, ordinal) {
            Some(RecordView::Object(view)) => fields.iter().any(|&(field, set)| {
                view.reference(field)
                    .is_some_and(|ordinal| set.contains(ordinal))
            }),
            Some(RecordView::List(view)) => view.iter().any(|element| has(keys, element)),
            Some(RecordView::Set(view)) => view.iter().any(|element| has(keys, element)),
            Some(RecordView::Map(view)) => view
                .iter()
                .any(|(key, value)| has(keys, key) || has(values, value)),
            None => false,
        }
    }
}

/// What two ascending lists have in common.
pub(crate) fn intersection<'a>(
    a: &'a [Ordinal],
    b: &'a [Ordinal],
) -> impl Iterator<Item = Ordinal> + 'a {
    let mut rest = b;
    a.iter().copied().filter(move |ordinal| {
        while rest.first().is_some_and(|first| first < ordinal) {
            rest = &rest[1..];
        }
        rest.first() == Some(ordinal)
    })
}
