//! The rules of schema evolution, checked whole: what a [`Plan`](super::Plan) refuses at its first fault, or meets record by
//! record, told field by field before any record is read.

use super::mapping::strip_null;
use super::schema::{AvroSchema, Node, RecordNode};
use std::fmt;

/// A place where a writer's schema departs from the reader's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, dotted from the root; empty for the root record itself.
    pub path: String,
    /// The rule that it breaks.
    pub rule: Rule,
}

/// A rule of Avro's schema resolution, or of datasets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// The root records must have one name.
    #[error("the writer describes {writer} records, and the dataset has {reader}")]
    RootName {
        /// The writer's name.
        writer: String,
        /// The reader's.
        reader: String,
    },
    /// A field that only the reader has needs a default.
    #[error("the writer does not have the field, which has no default")]
    NoDefault,
    /// Key fields can't be left to a default.
    #[error("the writer does not have the field, which is part of the key")]
    NoKeyField,
    /// The types must be equal, or the writer's must be promoted to the reader's.
    #[error("{writer} can't be read as {reader}")]
    Type {
        /// The writer's type.
        writer: String,
        /// The reader's.
        reader: String,
    },
    /// The reader does not know all symbols of an enum. Only records that hold one of them can't be read.
    #[error("the dataset does not know the symbols {}, and its enum has no default", .0.join(", "))]
    Symbols(Vec<String>),
    /// A union has a branch that the reader has no place for. Only records that hold it can't be read.
    #[error("the writer's union has a branch {0}, which the dataset has no place for")]
    Branch(&'static str),
}

impl Violation {
    /// Whether no record of the writer can be read; otherwise some can.
    #[must_use]
    pub fn concerns_all(&self) -> bool {
        !matches!(self.rule, Rule::Symbols(_) | Rule::Branch(_))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}", self.rule),
            path => write!(f, "{path}: {}", self.rule),
        }
    }
}

/// Every rule that keeps values of `writer` from being read as `reader`, in the order of the reader's fields.
#[must_use]
pub fn violations(writer: &AvroSchema, reader: &AvroSchema) -> Vec<Violation> {
    let mut check = Check {
        key: &reader.key,
        path: Vec::new(),
        found: Vec::new(),
    };
    if writer.root.name == reader.root.name {
        check.record(&writer.root, &reader.root);
    } else {
        check.break_rule(Rule::RootName {
            writer: writer.root.name.clone(),
            reader: reader.root.name.clone(),
        });
    }
    check.found
}

/// As [`violations`], for records whose names do not matter: those inside an envelope.
pub(crate) fn violations_of_records(writer: &RecordNode, reader: &AvroSchema) -> Vec<Violation> {
    let mut check = Check {
        key: &reader.key,
        path: Vec::new(),
        found: Vec::new(),
    };
    check.record(writer, &reader.root);
    check.found
}

struct Check<'a> {
    key: &'a [String],
    path: Vec<&'a str>,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn break_rule(&mut self, rule: Rule) {
        self.found.push(Violation {
            path: self.path.join("."),
            rule,
        });
    }

    fn record(&mut self, writer: &RecordNode, reader: &'a RecordNode) {
        let mut taken = vec![false; writer.fields.len()];
        for field in &reader.fields {
            self.path.push(&field.name);
            let named = |name: &String| *name == field.name || field.aliases.contains(name);
            let at = writer.fields.iter().zip(&taken);
            let at = at
                .enumerate()
                .position(|(_, (written, taken))| !taken && named(&written.name));
            match at {
                Some(at) => {
                    taken[at] = true;
                    self.nullable(&writer.fields[at].node, &field.node);
                }
                None if self.path.len() == 1 && self.key.contains(&field.name) => {
                    self.break_rule(Rule::NoKeyField);
                }
                None if field.default.is_none() => self.break_rule(Rule::NoDefault),
                None => {}
            }
            self.path.pop();
        }
    }

    fn nullable(&mut self, writer: &Node, reader: &'a Node) {
        match strip_null(reader) {
            Ok((inner, nullable)) => self.value(writer, inner, nullable),
            // The dataset's own schema was refused for this before.
            Err(_) => self.mismatch(writer, reader),
        }
    }

    fn value(&mut self, writer: &Node, reader: &'a Node, nullable: bool) {
        let Node::Union(branches) = writer else {
            return self.plain(writer, reader);
        };
        let mut faults = Vec::new();
        let mut fits = false;
        for branch in branches {
            if nullable && matches!(**branch, Node::Null) {
                fits = true;
                continue;
            }
            let before = self.found.len();
            self.plain(branch, reader);
            let found = self.found.split_off(before);
            if found.iter().any(Violation::concerns_all) {
                faults.push((branch.kind(), found));
            } else {
                fits = true;
                self.found.extend(found);
            }
        }
        for (kind, found) in faults {
            if fits {
                self.break_rule(Rule::Branch(kind));
            } else {
                self.found.extend(found);
            }
        }
    }

    fn plain(&mut self, writer: &Node, reader: &'a Node) {
        match (writer, reader) {
            (Node::Int, Node::Int | Node::Long | Node::Float | Node::Double)
            | (Node::Long, Node::Long | Node::Float | Node::Double)
            | (Node::Float, Node::Float | Node::Double)
            | (Node::Double, Node::Double)
            | (Node::Boolean, Node::Boolean)
            | (Node::String | Node::Bytes, Node::String | Node::Bytes) => {}
            (
                Node::Fixed { name, size },
                Node::Fixed {
                    name: expected,
                    size: expected_size,
                },
            ) if name == expected && size == expected_size => {}
            (
                Node::Enum { name, symbols, .. },
                Node::Enum {
                    name: expected,
                    symbols: known,
                    default,
                },
            ) if name == expected => {
                let unknown = symbols.iter().filter(|symbol| !known.contains(symbol));
                let unknown: Vec<String> = unknown.cloned().collect();
                if default.is_none() && !unknown.is_empty() {
                    self.break_rule(Rule::Symbols(unknown));
                }
            }
            (Node::Record(writer), Node::Record(reader)) => self.record(writer, reader),
            (
                Node::Array { items, .. },
                Node::Array {
                    items: expected, ..
                },
            ) => self.value(items, expected, false),
            (Node::Map { values }, Node::Map { values: expected }) => {
                self.value(values, expected, false);
            }
            _ => self.mismatch(writer, reader),
        }
    }

    fn mismatch(&mut self, writer: &Node, reader: &Node) {
        self.break_rule(Rule::Type {
            writer: describe(writer),
            reader: describe(reader),
        });
    }
}

fn describe(node: &Node) -> String {
    match node {
        Node::Fixed { name, size } => format!("fixed {name} of {size} bytes"),
        Node::Enum { name, .. } => format!("enum {name}"),
        other => other.kind().to_owned(),
    }
}
