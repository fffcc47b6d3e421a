//! Change events of Debezium: a record with the row `before` and `after`, what was done (`op`), and where the source stood.
//!
//! The envelope is passed over once, to find the bytes of `after`, the operation and the source's version; the row's bytes
//! are then walked as any value's. So what a record says is known before any of it is stored, and the walk is the same.

use super::bytes::{Input, Wrong};
use super::schema::{AvroSchema, Node, RecordNode};
use super::skip::{Skip, skip, skip_value};
use crate::poison::Poison;
use serde_json::Value;
use std::sync::Arc;

/// How to pass over the envelopes of one writer's schema.
#[derive(Debug)]
pub(super) struct EnvelopePlan {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Skip(Skip),
    Op,
    After(Skip),
    Number,
    Record(Vec<Part>),
    Union(Vec<Part>),
}

/// What an envelope says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The row's bytes as Avro; `None` where it was deleted.
    pub row: Option<&'a [u8]>,
    /// The source's version, where the envelope has one.
    pub source_version: Option<i64>,
}

#[derive(Default)]
struct Found<'a> {
    op: Option<&'a str>,
    row: Option<&'a [u8]>,
    version: Option<i64>,
}

impl EnvelopePlan {
    /// The plan, and the row's record, for envelopes of `writer`. `version` is the path of the source's version, dotted.
    ///
    /// # Errors
    /// In words, where the schema is no envelope.
    pub(super) fn compile(
        writer: &AvroSchema,
        version: &str,
    ) -> Result<(Self, Arc<RecordNode>), String> {
        let path: Vec<&str> = version.split('.').collect();
        let mut row = None;
        let (mut has_op, mut has_version) = (false, false);
        let mut parts = Vec::new();
        for field in &writer.root.fields {
            let at = |reason: &str| format!("the envelope's {}: {reason}", field.name);
            parts.push(match field.name.as_str() {
                "after" => each_branch(&field.node, &mut |node| match node {
                    Node::Record(record) => {
                        row = Some(Arc::clone(record));
                        Some(Part::After(skip(node)))
                    }
                    _ => None,
                })
                .ok_or_else(|| at("expected a record, or null"))?,
                "op" => {
                    has_op = true;
                    each_branch(&field.node, &mut |node| {
                        matches!(node, Node::String).then_some(Part::Op)
                    })
                    .ok_or_else(|| at("expected a string"))?
                }
                name if name == path[0] => {
                    has_version = true;
                    version_part(&field.node, &path[1..])
                        .ok_or_else(|| at(&format!("{version} is no int or long in it")))?
                }
                _ => Part::Skip(skip(&field.node)),
            });
        }
        let row = row.ok_or("it is no envelope of Debezium: it has no field \"after\"")?;
        if !has_op {
            return Err("it is no envelope of Debezium: it has no field \"op\"".to_owned());
        }
        if !has_version {
            return Err(format!(
                "the envelope has no field {:?} for {version}",
                path[0]
            ));
        }
        Ok((Self { parts }, row))
    }

    /// Passes over an envelope.
    ///
    /// # Errors
    /// Where the bytes are none, or say what a record of a dataset can't.
    pub(super) fn open<'a>(&self, body: &'a [u8]) -> Result<Event<'a>, Poison> {
        let undecodable = |reason| Poison::Undecodable {
            path: "envelope".to_owned(),
            reason,
        };
        let mut input = Input::new(body);
        let mut found = Found::default();
        for part in &self.parts {
            part.pass(&mut input, &mut found).map_err(undecodable)?;
        }
        if !input.is_empty() {
            return Err(undecodable("bytes are left after the value's end"));
        }
        let row = match (found.op, found.row) {
            // Created, read by a snapshot, updated.
            (Some("c" | "r" | "u"), Some(row)) => Some(row),
            (Some("c" | "r" | "u"), None) => {
                return Err(undecodable("the row after the change is null"));
            }
            (Some("d"), _) => None,
            (op, _) => {
                return Err(Poison::Operation {
                    op: op.unwrap_or_default().chars().take(20).collect(),
                });
            }
        };
        Ok(Event {
            row,
            source_version: found.version,
        })
    }
}

impl Part {
    fn pass<'a>(&self, input: &mut Input<'a>, found: &mut Found<'a>) -> Result<(), Wrong> {
        match self {
            Self::Skip(skip) => skip_value(skip, input)?,
            Self::Op => found.op = Some(input.string()?),
            Self::After(skip) => {
                let start = *input;
                skip_value(skip, input)?;
                found.row = Some(start.until(input));
            }
            Self::Number => found.version = Some(input.long()?),
            Self::Record(parts) => {
                for part in parts {
                    part.pass(input, found)?;
                }
            }
            Self::Union(branches) => {
                let branch = branches.get(input.index()?);
                branch
                    .ok_or("the union has no such branch")?
                    .pass(input, found)?;
            }
        }
        Ok(())
    }
}

/// A type, or each branch of a union, by `plan`; null is passed over. `None` where a branch is neither.
fn each_branch(node: &Node, plan: &mut dyn FnMut(&Node) -> Option<Part>) -> Option<Part> {
    let Node::Union(branches) = node else {
        return plan(node);
    };
    let parts: Option<Vec<_>> = branches
        .iter()
        .map(|branch| match **branch {
            Node::Null => Some(Part::Skip(Skip::Nothing)),
            _ => plan(branch),
        })
        .collect();
    parts.map(Part::Union)
}

fn version_part(node: &Node, path: &[&str]) -> Option<Part> {
    each_branch(node, &mut |node| match (node, path) {
        (Node::Int | Node::Long, []) => Some(Part::Number),
        (Node::Record(record), [first, rest @ ..]) => {
            let mut has = false;
            let parts: Option<Vec<_>> = record
                .fields
                .iter()
                .map(|field| {
                    if field.name != *first {
                        return Some(Part::Skip(skip(&field.node)));
                    }
                    has = true;
                    version_part(&field.node, rest)
                })
                .collect();
            parts.filter(|_| has).map(Part::Record)
        }
        _ => None,
    })
}

/// The fields of a key that is written as a record.
///
/// # Errors
/// In words, where it is not one, or a field holds what no key can.
pub(crate) fn key_values(schema: &AvroSchema, body: &[u8]) -> Result<Vec<(String, Value)>, Wrong> {
    let mut input = Input::new(body);
    let mut values = Vec::with_capacity(schema.root.fields.len());
    for field in &schema.root.fields {
        values.push((field.name.clone(), key_value(&field.node, &mut input)?));
    }
    if input.is_empty() {
        Ok(values)
    } else {
        Err("bytes are left after the key's end")
    }
}

fn key_value(node: &Node, input: &mut Input<'_>) -> Result<Value, Wrong> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Boolean => input.boolean()?.into(),
        Node::Int => input.int()?.into(),
        Node::Long => input.long()?.into(),
        Node::String => input.string()?.into(),
        Node::Enum { symbols, .. } => {
            let symbol = symbols.get(input.index()?);
            symbol.ok_or("the enum has no such symbol")?.clone().into()
        }
        Node::Union(branches) => {
            let branch = branches.get(input.index()?);
            key_value(branch.ok_or("the union has no such branch")?, input)?
        }
        _ => return Err("keys are made of int, long, boolean, string and enum"),
    })
}
