//! Segments made from a step of a chain.

use super::{MAGIC, key_bytes, key_hash};
use crate::Ordinal;
use crate::codec::varint::{write_null, write_vint, write_vlong};
use crate::content::{ContentChanges, RecordView, record};
use crate::diff::pairs_by_key;
use crate::error::{Error, Result};
use crate::index::BoundKey;
use crate::read::{Changed, Changes, Raw, ReadState};
use crate::schema::Schema;
use crate::sums::MAX_DEPTH;
use hashbrown::HashMap;
use std::io;

/// Collects what a step changed, type by type, and writes the segment.
#[derive(Debug)]
pub struct SegmentBuilder {
    from: i64,
    to: i64,
    schemas: Vec<Schema>,
    schema_positions: HashMap<String, usize>,
    nodes: Vec<u8>,
    starts: Vec<u32>,
    /// Nodes by their bytes.
    known: HashMap<Vec<u8>, u32>,
    changes: Vec<u8>,
    entries: Vec<(u64, u32)>,
}

/// Numbers of the nodes of one state's records.
type Memory = HashMap<(usize, Ordinal), u32>;

impl SegmentBuilder {
    /// For the step from version `from` to version `to`, the later one.
    pub fn new(from: i64, to: i64) -> Self {
        Self {
            from,
            to,
            schemas: Vec::new(),
            schema_positions: HashMap::new(),
            nodes: Vec::new(),
            starts: Vec::new(),
            known: HashMap::new(),
            changes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Records what happened to the records of a type; `changes` are those that led from `before` to `after`. Whoever goes
    /// back over a reverse delta has the older state afterwards, and gives [`Changes::reversed`]. The number of keys that
    /// were added, removed or changed.
    ///
    /// # Errors
    /// [`Error::Path`] if the states lack the type or it has no primary key; [`Error::TooDeep`] for references that go
    /// round in a circle; [`Error::TooLarge`] beyond 4 GiB.
    pub fn record(
        &mut self,
        before: &ReadState,
        after: &ReadState,
        changes: &Changes,
        type_name: &str,
    ) -> Result<usize> {
        let old_key = BoundKey::bind(before, type_name, None)?;
        let new_key = BoundKey::bind(after, type_name, None)?;
        let changes = ContentChanges::of_delta(before, after, changes);
        let none = Changed::default();
        let own = changes.of_type(type_name).unwrap_or(&none);
        let pairs = pairs_by_key(&old_key, &new_key, &own.removed, &own.added);
        let (mut old_memory, mut new_memory) = (Memory::new(), Memory::new());
        let entries = self.entries.len();
        let both = pairs.both.iter().map(|&(old, new)| (Some(old), Some(new)));
        let removed = pairs.removed.iter().map(|&old| (Some(old), None));
        let added = pairs.added.iter().map(|&new| (None, Some(new)));
        for (old, new) in both.chain(removed).chain(added) {
            let key = match (old, new) {
                (_, Some(new)) => new_key.values(new),
                (Some(old), None) => old_key.values(old),
                (None, None) => continue,
            };
            let before_node = self.node(before, type_name, old, &mut old_memory, 0)?;
            let after_node = self.node(after, type_name, new, &mut new_memory, 0)?;
            if before_node == after_node {
                continue;
            }
            let start = small(self.changes.len())?;
            let mut key_form = Vec::new();
            key_bytes(&key, &mut key_form);
            let schema = self
                .schema_positions
                .get(type_name)
                .copied()
                .unwrap_or_default();
            write_vlong(&mut self.changes, schema as u64);
            write_vlong(&mut self.changes, key_form.len() as u64);
            self.changes.extend_from_slice(&key_form);
            write_vint(&mut self.changes, before_node);
            write_vint(&mut self.changes, after_node);
            self.entries.push((key_hash(type_name, &key_form), start));
        }
        Ok(self.entries.len() - entries)
    }

    /// Whether the step changed none of the recorded types.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of a record's node plus 1; 0 if there is no such record.
    fn node(
        &mut self,
        state: &ReadState,
        type_name: &str,
        ordinal: Option<Ordinal>,
        memory: &mut Memory,
        depth: usize,
    ) -> Result<u32> {
        let (Some(ordinal), Some(records)) = (ordinal, state.type_state(type_name)) else {
            return Ok(0);
        };
        let Some(view) = record(records, ordinal) else {
            return Ok(0);
        };
        let schema_position = self.schema(records.schema());
        if let Some(&node) = memory.get(&(schema_position, ordinal)) {
            return Ok(node);
        }
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep {
                type_name: type_name.to_owned(),
                ordinal,
            });
        }
        let mut bytes = Vec::new();
        write_vlong(&mut bytes, schema_position as u64);
        let mut child = |this: &mut Self, name: &str, ordinal: Ordinal| {
            this.node(state, name, Some(ordinal), memory, depth + 1)
        };
        match (records.schema(), view) {
            (Schema::Object(schema), RecordView::Object(view)) => {
                for (position, field) in schema.fields.iter().enumerate() {
                    match (view.raw(position), &field.referenced_type) {
                        (Raw::Null, _) => write_null(&mut bytes),
                        (Raw::Fixed(ordinal), Some(name)) => {
                            write_vint(&mut bytes, child(self, name, ordinal as Ordinal)?);
                        }
                        (Raw::Fixed(value), None) => write_vlong(&mut bytes, value),
                        (Raw::Variable(value), _) => {
                            write_vlong(&mut bytes, value.len() as u64);
                            bytes.extend_from_slice(value);
                        }
                    }
                }
            }
            (Schema::List(schema), RecordView::List(view)) => {
                write_vlong(&mut bytes, view.len() as u64);
                for element in view.iter() {
                    write_vint(&mut bytes, child(self, &schema.element_type, element)?);
                }
            }
            (Schema::Set(schema), RecordView::Set(view)) => {
                let mut elements = Vec::with_capacity(view.len());
                for element in view.iter() {
                    elements.push(child(self, &schema.element_type, element)?);
                }
                elements.sort_unstable();
                write_vlong(&mut bytes, elements.len() as u64);
                elements
                    .into_iter()
                    .for_each(|element| write_vint(&mut bytes, element));
            }
            (Schema::Map(schema), RecordView::Map(view)) => {
                let mut entries = Vec::with_capacity(view.len());
                for (key, value) in view.iter() {
                    entries.push((
                        child(self, &schema.key_type, key)?,
                        child(self, &schema.value_type, value)?,
                    ));
                }
                entries.sort_unstable();
                write_vlong(&mut bytes, entries.len() as u64);
                for (key, value) in entries {
                    write_vint(&mut bytes, key);
                    write_vint(&mut bytes, value);
                }
            }
            _ => return Ok(0),
        }
        let node = match self.known.get(&bytes) {
            Some(&node) => node,
            None => {
                self.starts.push(small(self.nodes.len())?);
                self.nodes.extend_from_slice(&bytes);
                let node = small(self.starts.len())?;
                self.known.insert(bytes, node);
                node
            }
        };
        memory.insert((schema_position, ordinal), node);
        Ok(node)
    }

    fn schema(&mut self, schema: &Schema) -> usize {
        if let Some(&position) = self.schema_positions.get(schema.name()) {
            return position;
        }
        self.schemas.push(schema.clone());
        self.schema_positions
            .insert(schema.name().to_owned(), self.schemas.len() - 1);
        self.schemas.len() - 1
    }

    /// Writes the segment.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(mut self, out: &mut impl io::Write) -> io::Result<()> {
        let mut schemas = Vec::new();
        for schema in &self.schemas {
            schema.write(&mut schemas).map_err(io::Error::other)?;
        }
        self.entries.sort_unstable();
        let length = |length: usize| {
            small(length)
                .map(u32::to_le_bytes)
                .map_err(io::Error::other)
        };
        out.write_all(MAGIC)?;
        out.write_all(&self.from.to_le_bytes())?;
        out.write_all(&self.to.to_le_bytes())?;
        for part in [
            schemas.len(),
            self.nodes.len(),
            self.changes.len(),
            self.starts.len(),
            self.entries.len(),
        ] {
            out.write_all(&length(part)?)?;
        }
        out.write_all(&schemas)?;
        out.write_all(&self.nodes)?;
        out.write_all(&self.changes)?;
        let starts: Vec<u8> = self
            .starts
            .iter()
            .flat_map(|start| start.to_le_bytes())
            .collect();
        out.write_all(&starts)?;
        let mut entries = Vec::with_capacity(self.entries.len() * 12);
        for (hash, start) in &self.entries {
            entries.extend_from_slice(&hash.to_le_bytes());
            entries.extend_from_slice(&start.to_le_bytes());
        }
        out.write_all(&entries)
    }
}

fn small(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| Error::TooLarge {
        what: "a segment of the history",
    })
}
