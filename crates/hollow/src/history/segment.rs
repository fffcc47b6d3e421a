//! Segments read in place.

use super::{HEADER_BYTES, MAGIC, key_bytes, key_hash};
use crate::codec::Cursor;
use crate::codec::varint::{unzigzag_int, unzigzag_long};
use crate::error::{Error, Result};
use crate::key::KeyValue;
use crate::schema::{FieldType, Schema};
use crate::value::{MAX_NODES, Value, text};
use std::collections::{BTreeMap, BTreeSet};

/// What a step did to one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Version that the step leads from.
    pub from: i64,
    /// Version that it leads to.
    pub to: i64,
    /// The record at `from`; `None` if the step added it.
    pub before: Option<Value>,
    /// The record at `to`; `None` if the step removed it.
    pub after: Option<Value>,
}

/// A segment's bytes. Opening it reads the header and the schemas; a look-up touches what it needs. Damaged bytes give
/// errors, wherever they are.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    from: i64,
    to: i64,
    schemas: Vec<Schema>,
    nodes: &'a [u8],
    changes: &'a [u8],
    starts: &'a [[u8; 4]],
    entries: &'a [[u8; 12]],
}

impl<'a> Segment<'a> {
    /// Opens the segment that `bytes` begin with; what follows it is ignored.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Malformed`], with the position.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(MAGIC.len(), "a segment's mark")? != MAGIC {
            return Err(Error::Malformed {
                at: 0,
                what: "no segment of a history",
            });
        }
        let from = i64::from_le_bytes(array(cursor.take(8, "a version")?));
        let to = i64::from_le_bytes(array(cursor.take(8, "a version")?));
        let mut lengths = [0usize; 5];
        for length in &mut lengths {
            *length = u32::from_le_bytes(array(cursor.take(4, "a length")?)) as usize;
        }
        debug_assert_eq!(cursor.at(), HEADER_BYTES);
        let [schemas, nodes, changes, starts, entries] = lengths;
        let mut of_schemas = cursor.sub(schemas, "schemas")?;
        let mut schemas = Vec::new();
        while !of_schemas.is_empty() {
            schemas.push(Schema::read(&mut of_schemas)?);
        }
        let nodes = cursor.take(nodes, "nodes")?;
        let changes = cursor.take(changes, "changes")?;
        let (starts, _) = cursor
            .take(starts.saturating_mul(4), "starts of nodes")?
            .as_chunks();
        let (entries, _) = cursor
            .take(entries.saturating_mul(12), "hashes of keys")?
            .as_chunks();
        Ok(Self {
            from,
            to,
            schemas,
            nodes,
            changes,
            starts,
            entries,
        })
    }

    /// Version that the step leads from.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Version that the step leads to.
    pub fn to(&self) -> i64 {
        self.to
    }

    /// Number of keys that the step added, removed or changed.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the step changed none of the recorded types.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the step did to a key of a type; `None` if nothing.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Malformed`] for damaged bytes.
    pub fn change_of(&self, type_name: &str, key: &[KeyValue]) -> Result<Option<Change>> {
        let mut wanted = Vec::new();
        key_bytes(key, &mut wanted);
        let hash = key_hash(type_name, &wanted);
        let first = self
            .entries
            .partition_point(|entry| entry_hash(entry) < hash);
        for entry in self.entries[first..]
            .iter()
            .take_while(|entry| entry_hash(entry) == hash)
        {
            let (schema, key, change) = self.change_at(entry)?;
            if schema.name() == type_name && key == wanted {
                return self.read(change).map(Some);
            }
        }
        Ok(None)
    }

    /// All changes with the name of the type, in no particular order.
    ///
    /// # Errors
    /// Each may be [`Error::Truncated`] or [`Error::Malformed`] for damaged bytes.
    pub fn changes(&self) -> impl Iterator<Item = Result<(&str, Change)>> {
        self.entries.iter().map(|entry| {
            let (schema, _, change) = self.change_at(entry)?;
            Ok((schema.name(), self.read(change)?))
        })
    }

    /// The type, the key and the numbers of the nodes of an entry.
    fn change_at(&self, entry: &[u8; 12]) -> Result<(&Schema, &'a [u8], (u32, u32))> {
        let [.., a, b, c, d] = *entry;
        let start = u32::from_le_bytes([a, b, c, d]) as usize;
        let bytes = self.changes.get(start..).ok_or(Error::Malformed {
            at: start,
            what: "start of a change",
        })?;
        let mut cursor = Cursor::new(bytes);
        let schema = self.schema(&mut cursor)?;
        let length = cursor.count(1, "a key")?;
        let key = cursor.take(length, "a key")?;
        Ok((schema, key, (cursor.vint()?, cursor.vint()?)))
    }

    fn schema(&self, cursor: &mut Cursor<'_>) -> Result<&Schema> {
        let at = cursor.at();
        let position = cursor.vint()? as usize;
        self.schemas.get(position).ok_or(Error::Malformed {
            at,
            what: "number of a schema",
        })
    }

    fn read(&self, (before, after): (u32, u32)) -> Result<Change> {
        let mut budget = MAX_NODES;
        let mut tree = |node: u32| match node {
            0 => Ok(None),
            node => self.node(node, u32::MAX, &mut budget).map(Some),
        };
        Ok(Change {
            from: self.from,
            to: self.to,
            before: tree(before)?,
            after: tree(after)?,
        })
    }

    /// The tree of node number `node` - 1. Children come before their parents, so no path is endless; numbers count from 1
    /// here.
    fn node(&self, node: u32, parent: u32, budget: &mut usize) -> Result<Value> {
        if node == 0 {
            return Ok(Value::Null);
        }
        let index = node as usize - 1;
        let malformed = Error::Malformed {
            at: index,
            what: "number of a node",
        };
        if node >= parent || *budget == 0 {
            return Err(malformed);
        }
        *budget -= 1;
        let start = self.starts.get(index).ok_or(malformed)?;
        let start = u32::from_le_bytes(*start) as usize;
        let bytes = self.nodes.get(start..).ok_or(Error::Malformed {
            at: start,
            what: "start of a node",
        })?;
        let mut cursor = Cursor::new(bytes);
        let cursor = &mut cursor;
        Ok(match self.schema(cursor)? {
            Schema::Object(schema) => {
                let mut fields = Vec::with_capacity(schema.fields.len());
                for field in &schema.fields {
                    let value = match field.field_type {
                        _ if cursor.null() => Value::Null,
                        FieldType::Reference => self.node(cursor.vint()?, node, budget)?,
                        FieldType::Int => Value::Int(unzigzag_int(cursor.vint()?)),
                        FieldType::Long => Value::Long(unzigzag_long(cursor.vlong()?)),
                        FieldType::Boolean => Value::Boolean(cursor.vint()? == 1),
                        FieldType::Float => Value::Float(f32::from_bits(cursor.vint()?)),
                        FieldType::Double => Value::Double(f64::from_bits(cursor.vlong()?)),
                        FieldType::String => {
                            let length = cursor.count(1, "a string")?;
                            text(cursor.take(length, "a string")?)
                        }
                        FieldType::Bytes => {
                            let length = cursor.count(1, "bytes")?;
                            Value::Bytes(cursor.take(length, "bytes")?.to_vec())
                        }
                    };
                    fields.push((field.name.clone(), value));
                }
                Value::Object(fields)
            }
            Schema::List(_) => {
                let length = cursor.count(1, "a list")?;
                let mut elements = Vec::new();
                for _ in 0..length {
                    elements.push(self.node(cursor.vint()?, node, budget)?);
                }
                Value::List(elements)
            }
            Schema::Set(_) => {
                let length = cursor.count(1, "a set")?;
                let mut elements = BTreeSet::new();
                for _ in 0..length {
                    elements.insert(self.node(cursor.vint()?, node, budget)?);
                }
                Value::Set(elements)
            }
            Schema::Map(_) => {
                let length = cursor.count(2, "a map")?;
                let mut entries = BTreeMap::new();
                for _ in 0..length {
                    let key = self.node(cursor.vint()?, node, budget)?;
                    entries.insert(key, self.node(cursor.vint()?, node, budget)?);
                }
                Value::Map(entries)
            }
        })
    }
}

fn entry_hash(entry: &[u8; 12]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Bytes that a cursor took, as an array of the same length.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
