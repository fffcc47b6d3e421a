//! What two states have in common: which of their types and fields are the same, worked out once for all records.

use super::few::Few;
use super::hashed::{self, Shortcut};
use crate::Ordinal;
use crate::content::ContentChanges;
use crate::content::Ordinals;
use crate::index::BoundKey;
use crate::read::{ReadState, TypeState};
use crate::schema::{ObjectSchema, Schema};
use crate::sums::ContentHashes;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

/// The two states, and what is needed to read what was found in them.
pub(super) struct Sides {
    pub(super) before: ReadState,
    pub(super) after: ReadState,
    /// The types of both, by number.
    pub(super) names: Vec<String>,
    /// Per type with one and the same primary key in both states: that key, bound to each.
    pub(super) keys: Vec<Option<(BoundKey, BoundKey)>>,
}

impl Sides {
    pub(super) fn new(before: &ReadState, after: &ReadState) -> Self {
        let mut names: Vec<String> = Vec::new();
        for schema in after.schemas().chain(before.schemas()) {
            // A type that is only referred to counts as well: filters leave such behind.
            for name in std::iter::once(schema.name()).chain(referred(schema)) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        let key = |name: &String| {
            let old = before.type_state(name)?.schema().primary_key()?;
            let new = after.type_state(name)?.schema().primary_key()?;
            let bind = |state| BoundKey::bind(state, name, None).ok();
            (old == new).then_some(())?;
            Some((bind(before)?, bind(after)?))
        };
        Self {
            keys: names.iter().map(key).collect(),
            before: before.clone(),
            after: after.clone(),
            names,
        }
    }

    pub(super) fn state(&self, is_new: bool) -> &ReadState {
        if is_new { &self.after } else { &self.before }
    }

    pub(super) fn object_schema(&self, of: u32, is_new: bool) -> Option<&ObjectSchema> {
        let state = self.state(is_new).type_state(&self.names[of as usize])?;
        match state.schema() {
            Schema::Object(schema) => Some(schema),
            _ => None,
        }
    }
}

fn referred(schema: &Schema) -> impl Iterator<Item = &str> {
    let fields = match schema {
        Schema::Object(schema) => schema.fields.as_slice(),
        _ => &[],
    };
    let elements = match schema {
        Schema::Object(_) => Vec::new(),
        other => other.dependencies(),
    };
    fields
        .iter()
        .filter_map(|field| field.referenced_type.as_deref())
        .chain(elements)
}

/// A type of both states.
pub(super) struct TypePair<'s> {
    pub(super) old: Option<&'s TypeState>,
    pub(super) new: Option<&'s TypeState>,
    pub(super) kind: Kind,
    /// Where the states share structure: the ordinals whose content is not the same in both.
    pub(super) changed: Option<Ordinals>,
    /// Where they do not.
    pub(super) shortcut: Shortcut,
    /// For ordinals of the first state, the record that was found equal last, plus one. Empty for types whose records are
    /// not met again. What one thread finds serves all, and whether it is seen changes no outcome.
    partners: Vec<AtomicU32>,
}

impl TypePair<'_> {
    /// Whether two records are equal, if that can be told without looking at them.
    #[inline]
    pub(super) fn known(&self, old: Ordinal, new: Ordinal) -> Option<bool> {
        if let Shortcut::Hashed(hashed) = &self.shortcut {
            return Some(hashed.equal(old, new));
        }
        let shared = |changed: &Ordinals| old == new && !changed.contains(new);
        let partner = || self.partners.get(old as usize);
        let is_partner = |partner: &AtomicU32| partner.load(Ordering::Relaxed) == new + 1;
        if self.changed.as_ref().is_some_and(shared) || partner().is_some_and(is_partner) {
            return Some(true);
        }
        match &self.shortcut {
            Shortcut::Few(few) => self.few(few, old, new),
            _ => None,
        }
    }

    /// Whether two sets are equal, if their buckets tell it.
    fn few(&self, few: &Few, old: Ordinal, new: Ordinal) -> Option<bool> {
        let (a, b) = (self.old?.set(old)?, self.new?.set(new)?);
        if a.len() != b.len() {
            return Some(false);
        }
        few.same(&a, &b).then(|| {
            self.remember(old, new);
            true
        })
    }

    /// Whether two records are likely to be compared more than once.
    #[inline]
    pub(super) fn is_met_again(&self) -> bool {
        !self.partners.is_empty() && !matches!(self.shortcut, Shortcut::Few(_))
    }

    /// Two records are equal.
    #[inline]
    pub(super) fn remember(&self, old: Ordinal, new: Ordinal) {
        if let Some(partner) = self.partners.get(old as usize) {
            partner.store(new + 1, Ordering::Relaxed);
        }
    }
}

/// How records of a type are compared; types by number.
pub(super) enum Kind {
    Object(Vec<FieldPair>),
    List(usize),
    Set(usize),
    Map(usize, usize),
    /// Only one state has the type, or each another kind of it: records differ as a whole.
    Whole,
}

/// A field of one of the schemas or of both.
pub(super) struct FieldPair {
    pub(super) old: Option<usize>,
    pub(super) new: Option<usize>,
    /// The type referred to.
    pub(super) child: Option<usize>,
}

/// All types of two states.
pub(super) struct Plan<'s> {
    pub(super) sides: &'s Sides,
    pub(super) types: Vec<TypePair<'s>>,
    /// The hashes of both states' records, as far as they are prepared.
    pub(super) hashes: [ContentHashes<'s>; 2],
}

impl<'s> Plan<'s> {
    /// For so many pairs of records. `changes` is for states that share structure.
    pub(super) fn new(sides: &'s Sides, changes: Option<&ContentChanges>, pairs: usize) -> Self {
        let by_name: HashMap<&str, usize> = sides
            .names
            .iter()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        let mut hashes = [&sides.before, &sides.after].map(ContentHashes::new);
        let shortcuts = match changes {
            Some(_) => sides.names.iter().map(|_| Shortcut::None).collect(),
            None => hashed::prepare(sides, &mut hashes),
        };
        let types = sides
            .names
            .iter()
            .zip(shortcuts)
            .map(|(name, shortcut)| {
                let old = sides.before.type_state(name);
                let new = sides.after.type_state(name);
                TypePair {
                    old,
                    new,
                    kind: kind(old, new, &by_name),
                    changed: changes.map(|changes| {
                        let changed = changes.of_type(name).into_iter();
                        changed
                            .flat_map(|changed| changed.removed.iter().chain(&changed.added))
                            .copied()
                            .collect()
                    }),
                    partners: match shortcut {
                        Shortcut::Hashed(_) => Vec::new(),
                        Shortcut::Few(_) => old.map_or_else(Vec::new, room),
                        // Within a chain nothing is looked at that did not change.
                        _ => partners(&sides.before, name, pairs, changes.is_none()),
                    },
                    shortcut,
                }
            })
            .collect();
        Self {
            sides,
            types,
            hashes,
        }
    }

    pub(super) fn number(&self, type_name: &str) -> Option<usize> {
        self.sides.names.iter().position(|name| name == type_name)
    }
}

/// Room for the partners of a type's records: of types that are small, or whose records are met more than once.
fn partners(before: &ReadState, name: &str, pairs: usize, all: bool) -> Vec<AtomicU32> {
    /// Partners of types with so few records are always remembered.
    const FEW: usize = 1 << 14;
    let Some(records) = before.type_state(name) else {
        return Vec::new();
    };
    let fields = |of: &TypeState| match of.schema() {
        Schema::Object(_) => of.count() * referred(of.schema()).filter(|&to| to == name).count(),
        _ => 0,
    };
    // Members of sets and keys of maps are met as classes.
    let elements = |of: &TypeState| match of.schema() {
        Schema::List(schema) if schema.element_type == name => of.list_elements(),
        _ => 0,
    };
    let mut met = before.types().map(fields).sum::<usize>().min(pairs);
    if all {
        met += before.types().map(elements).sum::<usize>();
    }
    match ordinals(records) <= FEW.max(met / 2) {
        true => room(records),
        false => Vec::new(),
    }
}

fn ordinals(records: &TypeState) -> usize {
    records.last_ordinal().map_or(0, |last| last as usize + 1)
}

fn room(records: &TypeState) -> Vec<AtomicU32> {
    (0..ordinals(records)).map(|_| AtomicU32::new(0)).collect()
}

fn kind(old: Option<&TypeState>, new: Option<&TypeState>, by_name: &HashMap<&str, usize>) -> Kind {
    let (Some(old), Some(new)) = (old, new) else {
        return Kind::Whole;
    };
    let number = |name: &str| by_name.get(name).copied();
    let collection = |old: &str, new: &str| number(new).filter(|_| old == new);
    let kind = match (old.schema(), new.schema()) {
        (Schema::Object(old), Schema::Object(new)) => Some(Kind::Object(fields(old, new, number))),
        (Schema::List(old), Schema::List(new)) => {
            collection(&old.element_type, &new.element_type).map(Kind::List)
        }
        (Schema::Set(old), Schema::Set(new)) => {
            collection(&old.element_type, &new.element_type).map(Kind::Set)
        }
        (Schema::Map(old), Schema::Map(new)) => collection(&old.key_type, &new.key_type)
            .zip(collection(&old.value_type, &new.value_type))
            .map(|(key, value)| Kind::Map(key, value)),
        _ => None,
    };
    kind.unwrap_or(Kind::Whole)
}

/// The fields of the second schema with their partners in the first, then those that only the first has.
fn fields(
    old: &ObjectSchema,
    new: &ObjectSchema,
    number: impl Fn(&str) -> Option<usize>,
) -> Vec<FieldPair> {
    let child = |schema: &ObjectSchema, position: usize| {
        number(schema.fields[position].referenced_type.as_deref()?)
    };
    let both = new
        .fields
        .iter()
        .enumerate()
        .map(|(position, field)| FieldPair {
            old: old.fields.iter().position(|other| other == field),
            new: Some(position),
            child: child(new, position),
        });
    let gone = old.fields.iter().enumerate();
    let gone = gone
        .filter(|(_, field)| !new.fields.contains(field))
        .map(|(position, _)| FieldPair {
            old: Some(position),
            new: None,
            child: child(old, position),
        });
    both.chain(gone).collect()
}
