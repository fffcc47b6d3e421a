//! What differs between two records, with all that they refer to.

use super::change::{Holds, NONE, Node, Place, Segment, key_text};
use super::classes::{Classes, Paired};
use super::equal::{raw, reference};
use super::hashed::Shortcut;
use super::pairing::by_mark;
use super::paths;
use super::plan::{FieldPair, Kind, Plan};
use crate::Ordinal;
use crate::error::{Error, Result};
use crate::read::{ObjectView, Raw, SetView, TypeState};
use crate::sums::MAX_DEPTH;
use hashbrown::HashMap;
use std::ops::Range;

/// Compares records of two states.
pub(super) struct Comparison<'p, 's> {
    pub(super) plan: &'p Plan<'s>,
    pub(super) classes: Classes<'s>,
    pub(super) depth: usize,
    /// Buffers for the elements of two sets.
    pub(super) elements: [Vec<Ordinal>; 2],
    /// First the paths that records have in common.
    pub(super) nodes: Vec<Node>,
    pub(super) places: Vec<Place>,
    /// Of each path that records have in common, the first of those that are a field longer.
    fields: Vec<Option<u32>>,
    /// What differs between two records at such a path, as a range of the places found: many records have the same lists.
    differing: HashMap<(u32, Ordinal, Ordinal), Range<usize>>,
    /// What two sets do not share, for [`Segment::Member`].
    pub(super) members: Vec<(Ordinal, Ordinal)>,
    /// Where that lies, of two sets of a type.
    met: HashMap<Records, (u32, u32)>,
}

/// Two records of a type, by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Records {
    pub(super) of: usize,
    pub(super) old: Ordinal,
    pub(super) new: Ordinal,
}

impl<'p, 's> Comparison<'p, 's> {
    /// For records of one type.
    pub(super) fn new(plan: &'p Plan<'s>, of: usize) -> Self {
        let (nodes, fields) = paths::of_fields(plan, of);
        Self {
            classes: Classes::new(plan),
            plan,
            depth: 0,
            elements: Default::default(),
            nodes,
            places: Vec::new(),
            fields,
            differing: HashMap::new(),
            members: Vec::new(),
            met: HashMap::new(),
        }
    }

    /// What differs between two records of the type: a range of the places found so far.
    pub(super) fn records(&mut self, records: Records) -> Result<Range<usize>> {
        let first = self.places.len();
        self.depth = 0;
        self.differ(paths::ROOT, records)?;
        Ok(first..self.places.len())
    }

    /// Whether nothing need be compared.
    #[inline]
    fn is_known(&self, Records { of, old, new }: Records) -> bool {
        self.plan.types[of].known(old, new) == Some(true)
    }

    pub(super) fn descend(&mut self, records: Records) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep {
                type_name: self.plan.sides.names[records.of].clone(),
                ordinal: records.new,
            });
        }
        Ok(())
    }

    fn node(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    /// Compares two records that lie at a path: whether they differ.
    fn differ(&mut self, at: u32, records: Records) -> Result<bool> {
        let places = self.places.len();
        self.descend(records)?;
        self.compare(at, records)?;
        self.depth -= 1;
        let differ = self.places.len() > places;
        if !differ {
            self.plan.types[records.of].remember(records.old, records.new);
        }
        Ok(differ)
    }

    /// Compares two records that lie at a new path, which is forgotten if they are equal.
    fn under(&mut self, node: Node, records: Records) -> Result<()> {
        let nodes = self.nodes.len();
        let node = self.node(node);
        if !self.differ(node, records)? {
            self.nodes.truncate(nodes);
        }
        Ok(())
    }

    /// Compares two records that lie at a path which others have too, where what was found for them once is found again.
    fn again(&mut self, at: u32, records: Records) -> Result<()> {
        if !self.plan.types[records.of].is_met_again() {
            self.differ(at, records)?;
            return Ok(());
        }
        let key = (at, records.old, records.new);
        if let Some(found) = self.differing.get(&key) {
            self.places.extend_from_within(found.clone());
            return Ok(());
        }
        let first = self.places.len();
        if self.differ(at, records)? {
            self.differing.insert(key, first..self.places.len());
        }
        Ok(())
    }

    /// One record more, or one less, at a new path.
    fn alone(&mut self, node: Node, before: Ordinal, after: Ordinal) {
        let node = self.node(node);
        self.place(node, before, after);
    }

    fn place(&mut self, node: u32, before: Ordinal, after: Ordinal) {
        self.places.push(Place {
            node,
            before,
            after,
        });
    }

    fn compare(&mut self, at: u32, records: Records) -> Result<()> {
        let Records { of, old, new } = records;
        let plan = self.plan;
        let types = &plan.types[of];
        if let (Some(old_type), Some(new_type)) = (types.old, types.new) {
            match &types.kind {
                Kind::Object(fields) => {
                    if let (Some(a), Some(b)) = (old_type.object(old), new_type.object(new)) {
                        return self.objects(at, records, fields, &a, &b);
                    }
                }
                Kind::List(element) => {
                    if let (Some(a), Some(b)) = (old_type.list(old), new_type.list(new)) {
                        if a.len() == b.len()
                            && self.equal_elements(*element, a.iter().zip(b.iter()))?
                        {
                            return Ok(());
                        }
                        let (a, b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
                        return self.elements(at, *element, &a, &b, Some(records));
                    }
                }
                Kind::Set(element) => {
                    if let (Some(a), Some(b)) = (old_type.set(old), new_type.set(new)) {
                        if plan.sides.keys[*element].is_none() {
                            return self.members(at, records, *element, (a, b));
                        }
                        return self.with_elements(a, b, |this, a, b| {
                            this.elements(at, *element, a, b, None)
                        });
                    }
                }
                Kind::Map(key, value) => {
                    if let (Some(a), Some(b)) = (old_type.map(old), new_type.map(new)) {
                        let (a, b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
                        return self.entries(at, (*key, *value), &a, &b);
                    }
                }
                Kind::Whole => {}
            }
        }
        let exists = |state: Option<&TypeState>, ordinal: Ordinal| {
            state.is_some_and(|state| state.is_populated(ordinal))
        };
        if exists(types.old, old) || exists(types.new, new) {
            self.place(at, old, new);
        }
        Ok(())
    }

    fn objects(
        &mut self,
        at: u32,
        records: Records,
        fields: &[FieldPair],
        old: &ObjectView<'_>,
        new: &ObjectView<'_>,
    ) -> Result<()> {
        let first = self.fields.get(at as usize).copied().flatten();
        for (position, field) in fields.iter().enumerate() {
            let shared = first.map(|first| first + position as u32);
            let path = |this: &mut Self| match shared {
                Some(node) => node,
                None => this.node(paths::of_field(at, records.of, field)),
            };
            let Some(child) = field.child else {
                let (a, b) = (raw(field.old, old), raw(field.new, new));
                if a != b {
                    let side = |raw, ordinal| if raw == Raw::Null { NONE } else { ordinal };
                    let node = path(self);
                    self.place(node, side(a, records.old), side(b, records.new));
                }
                continue;
            };
            match (reference(field.old, old), reference(field.new, new)) {
                (Some(old), Some(new)) => {
                    let below = Records {
                        of: child,
                        old,
                        new,
                    };
                    match shared {
                        _ if self.is_known(below) => {}
                        Some(node) => self.again(node, below)?,
                        None => self.under(paths::of_field(at, records.of, field), below)?,
                    }
                }
                (Some(old), None) => {
                    let node = path(self);
                    self.place(node, old, NONE);
                }
                (None, Some(new)) => {
                    let node = path(self);
                    self.place(node, NONE, new);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Members of two sets, which all lie at one path. Many records have the same sets, so what these do not share is found and
    /// kept once.
    fn members(
        &mut self,
        at: u32,
        sets: Records,
        element: usize,
        (old, new): (SetView<'_>, SetView<'_>),
    ) -> Result<()> {
        let (first, end) = match self.met.get(&sets) {
            Some(&range) => range,
            None => {
                let first = self.members.len() as u32;
                self.unshared(sets.of, element, (old, new))?;
                let range = (first, self.members.len() as u32);
                self.met.insert(sets, range);
                range
            }
        };
        if first < end {
            let node = Node {
                parent: at,
                segment: Segment::Member,
                holds: Holds::Record(element as u32),
            };
            self.alone(node, first, end);
        }
        Ok(())
    }

    /// Adds what two sets do not share to the members.
    fn unshared(
        &mut self,
        of: usize,
        element: usize,
        (old, new): (SetView<'_>, SetView<'_>),
    ) -> Result<()> {
        if let Shortcut::Few(few) = &self.plan.types[of].shortcut
            && few.unshared([&old, &new], &mut self.members)
        {
            return Ok(());
        }
        self.with_elements(old, new, |this, old, new| {
            if !this.are_few(element, old, new) {
                let found = &mut this.members;
                return this.classes.unshared(element, old, new, found);
            }
            let paired = this.pair(element, old, new)?;
            let removed = paired.removed.into_iter().map(|at| (old[at], NONE));
            let added = paired.added.into_iter().map(|at| (NONE, new[at]));
            this.members.extend(removed.chain(added));
            Ok(())
        })
    }

    /// Elements of two lists, which are given as well, or of two sets of records with a key.
    fn elements(
        &mut self,
        at: u32,
        element: usize,
        old: &[Ordinal],
        new: &[Ordinal],
        lists: Option<Records>,
    ) -> Result<()> {
        let Paired {
            both,
            removed,
            added,
        } = self.pair(element, old, new)?;
        if removed.is_empty() && added.is_empty() {
            if let (Some(lists), false) = (lists, both.is_sorted()) {
                self.place(at, lists.old, lists.new);
            }
            return Ok(());
        }
        let key = self.plan.sides.keys[element].as_ref();
        let (changed, removed, added) = match key {
            Some((old_key, new_key)) => by_mark(
                removed
                    .into_iter()
                    .map(|at| (at, key_text(old_key, old[at]))),
                added.into_iter().map(|at| (at, key_text(new_key, new[at]))),
            ),
            None => {
                // What has no key is paired in the order of the lists.
                let paired = removed.len().min(added.len());
                let changed = removed.iter().copied().zip(added.iter().copied()).collect();
                (
                    changed,
                    removed[paired..].to_vec(),
                    added[paired..].to_vec(),
                )
            }
        };
        let node = |position: usize, ordinal: Ordinal, is_new: bool| Node {
            parent: at,
            segment: match key {
                Some(_) => Segment::Key {
                    of: element as u32,
                    ordinal,
                    is_new,
                },
                None => Segment::Index(position as u32),
            },
            holds: Holds::Record(element as u32),
        };
        for (a, b) in changed {
            let records = Records {
                of: element,
                old: old[a],
                new: new[b],
            };
            self.under(node(b, new[b], true), records)?;
        }
        for position in removed {
            self.alone(node(position, old[position], false), old[position], NONE);
        }
        for position in added {
            self.alone(node(position, new[position], true), NONE, new[position]);
        }
        Ok(())
    }

    fn entries(
        &mut self,
        at: u32,
        (key, value): (usize, usize),
        old: &[(Ordinal, Ordinal)],
        new: &[(Ordinal, Ordinal)],
    ) -> Result<()> {
        let keys = |entries: &[(Ordinal, Ordinal)]| -> Vec<Ordinal> {
            entries.iter().map(|entry| entry.0).collect()
        };
        let Paired {
            both,
            removed,
            added,
        } = self.pair(key, &keys(old), &keys(new))?;
        let node = |ordinal: Ordinal, is_new: bool| Node {
            parent: at,
            segment: Segment::Entry {
                of: key as u32,
                ordinal,
                is_new,
            },
            holds: Holds::Record(value as u32),
        };
        for (a, b) in both {
            let records = Records {
                of: value,
                old: old[a].1,
                new: new[b].1,
            };
            if !self.is_known(records) {
                self.under(node(new[b].0, true), records)?;
            }
        }
        for position in removed {
            let (key, value) = old[position];
            self.alone(node(key, false), value, NONE);
        }
        for position in added {
            let (key, value) = new[position];
            self.alone(node(key, true), NONE, value);
        }
        Ok(())
    }
}
