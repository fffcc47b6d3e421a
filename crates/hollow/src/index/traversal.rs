//! Paths through references and collections, walked together.
//!
//! Paths that begin alike share their steps: `cast.element.role` and `cast.element.name` speak of the same element of the
//! cast, and `names.key` and `names.value` of the same entry (Hollow's `HollowIndexerValueTraverser`). So the paths are
//! laid out as a tree, and a walk visits every combination of the elements that the tree's collections have.

use super::key::Stored;
use crate::Ordinal;
use crate::error::{Error, Result};
use crate::read::{Raw, ReadState, TypeState};
use crate::schema::{FieldType, Step, TraversalPath, resolve_traversal_path};

/// Where a walk stands at one node of the tree.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Null,
    Record(Ordinal),
    Entry(Ordinal, Ordinal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Field(usize),
    Element,
    Entry,
    EntryKey,
    EntryValue,
}

#[derive(Debug, Clone)]
struct Node {
    parent: usize,
    step: Move,
    /// The type of the record that the step starts from.
    from: TypeState,
}

/// The end of a path: a record, or a field of one.
#[derive(Debug, Clone)]
struct End {
    node: usize,
    field: Option<(usize, TypeState)>,
    field_type: FieldType,
}

/// Several paths from one type, bound to a state.
#[derive(Debug, Clone)]
pub(crate) struct Traversal {
    root: TypeState,
    /// Behind the root, which is node 0.
    nodes: Vec<Node>,
    ends: Vec<End>,
}

/// One combination of the values at the ends.
pub(crate) struct Combination<'a> {
    traversal: &'a Traversal,
    cells: &'a [Cell],
}

impl Combination<'_> {
    /// Calls `then` with the value at the end of a path; ordinals where a path ends at a record.
    #[inline]
    pub(crate) fn with<T>(&self, path: usize, then: impl FnOnce(Raw<'_>) -> T) -> T {
        let end = &self.traversal.ends[path];
        match (self.cells[end.node], &end.field) {
            (Cell::Record(ordinal), None) => then(Raw::Fixed(u64::from(ordinal))),
            (Cell::Record(ordinal), Some((field, state))) => match state.object(ordinal) {
                Some(view) => then(view.raw(*field)),
                None => then(Raw::Null),
            },
            _ => then(Raw::Null),
        }
    }

    /// The ordinal at the end of a path that ends at a record.
    pub(crate) fn ordinal(&self, path: usize) -> Option<Ordinal> {
        self.with(path, |raw| match raw {
            Raw::Fixed(ordinal) => Some(ordinal as Ordinal),
            _ => None,
        })
    }
}

impl Traversal {
    pub(crate) fn bind(state: &ReadState, type_name: &str, paths: &[String]) -> Result<Self> {
        let error = |path: &str, name: &str| Error::Path {
            type_name: type_name.to_owned(),
            path: path.to_owned(),
            reason: format!("type {name} is unknown"),
        };
        let root = state
            .type_state(type_name)
            .ok_or_else(|| error("", type_name))?
            .clone();
        let mut traversal = Self {
            root,
            nodes: Vec::new(),
            ends: Vec::new(),
        };
        for path in paths {
            let resolved = resolve_traversal_path(state, type_name, path)?;
            traversal.add(&resolved, |name| {
                state
                    .type_state(name)
                    .cloned()
                    .ok_or_else(|| error(path, name))
            })?;
        }
        Ok(traversal)
    }

    fn add(
        &mut self,
        path: &TraversalPath,
        state: impl Fn(&str) -> Result<TypeState>,
    ) -> Result<()> {
        let mut node = 0;
        let mut field = None;
        for (position, (step, type_name)) in path.steps.iter().zip(&path.types).enumerate() {
            let from = state(type_name)?;
            let last_is_value = position + 1 == path.steps.len() && path.end_type.is_none();
            node = match step {
                Step::Field(index) if last_is_value => {
                    field = Some((*index, from));
                    node
                }
                Step::Field(index) => self.node(node, Move::Field(*index), from),
                Step::Element => self.node(node, Move::Element, from),
                Step::Key => {
                    let entry = self.node(node, Move::Entry, from.clone());
                    self.node(entry, Move::EntryKey, from)
                }
                Step::Value => {
                    let entry = self.node(node, Move::Entry, from.clone());
                    self.node(entry, Move::EntryValue, from)
                }
            };
        }
        self.ends.push(End {
            node,
            field,
            field_type: path.field_type,
        });
        Ok(())
    }

    fn node(&mut self, parent: usize, step: Move, from: TypeState) -> usize {
        if let Some(known) = self
            .nodes
            .iter()
            .position(|node| node.parent == parent && node.step == step)
        {
            return known + 1;
        }
        self.nodes.push(Node { parent, step, from });
        self.nodes.len()
    }

    pub(crate) fn root(&self) -> &TypeState {
        &self.root
    }

    /// Whether a path ends at a record and not at a field's value.
    pub(crate) fn ends_at_record(&self, path: usize) -> bool {
        self.ends[path].field.is_none()
    }

    pub(crate) fn field_type(&self, path: usize) -> FieldType {
        self.ends[path].field_type
    }

    /// Whether the first `paths` values of a combination are these.
    pub(crate) fn is(combination: &Combination<'_>, values: &[Stored<'_>]) -> bool {
        values
            .iter()
            .enumerate()
            .all(|(path, value)| combination.with(path, |raw| value.is(raw)))
    }

    /// Calls `each` for every combination of the elements that a record reaches, until it answers `false`. A null
    /// reference gives nulls; an empty collection gives no combination at all.
    pub(crate) fn walk(&self, ordinal: Ordinal, mut each: impl FnMut(&Combination<'_>) -> bool) {
        let mut cells = vec![Cell::Null; self.nodes.len() + 1];
        cells[0] = Cell::Record(ordinal);
        self.step(0, &mut cells, &mut each);
    }

    /// Goes on from node `index`; whether the walk goes on.
    fn step(
        &self,
        index: usize,
        cells: &mut [Cell],
        each: &mut impl FnMut(&Combination<'_>) -> bool,
    ) -> bool {
        let Some(node) = self.nodes.get(index) else {
            return each(&Combination {
                traversal: self,
                cells,
            });
        };
        let mut visit = |cell: Cell, cells: &mut [Cell]| {
            cells[index + 1] = cell;
            self.step(index + 1, cells, each)
        };
        let from = &node.from;
        match (cells[node.parent], node.step) {
            (Cell::Record(ordinal), Move::Field(field)) => {
                let reference = from.object(ordinal).and_then(|view| view.reference(field));
                visit(reference.map_or(Cell::Null, Cell::Record), cells)
            }
            (Cell::Record(ordinal), Move::Element) => {
                if let Some(list) = from.list(ordinal) {
                    return list
                        .iter()
                        .all(|element| visit(Cell::Record(element), cells));
                }
                match from.set(ordinal) {
                    Some(set) => set
                        .iter()
                        .all(|element| visit(Cell::Record(element), cells)),
                    None => visit(Cell::Null, cells),
                }
            }
            (Cell::Record(ordinal), Move::Entry) => match from.map(ordinal) {
                Some(map) => map
                    .iter()
                    .all(|(key, value)| visit(Cell::Entry(key, value), cells)),
                None => visit(Cell::Null, cells),
            },
            (Cell::Entry(key, _), Move::EntryKey) => visit(Cell::Record(key), cells),
            (Cell::Entry(_, value), Move::EntryValue) => visit(Cell::Record(value), cells),
            _ => visit(Cell::Null, cells),
        }
    }
}
