//! Passing over parts of the writer's encoding: what the reader has no field for, what lies around a row in its envelope, and
//! what was read before.

use super::bytes::{Input, Wrong};
use super::schema::Node;

/// How to pass over a part of the writer's encoding.
#[derive(Debug)]
pub(super) enum Skip {
    Nothing,
    Number,
    Bytes(usize),
    Lengthed,
    Array(Box<Skip>),
    Map(Box<Skip>),
    Record(Vec<Skip>),
    Union(Vec<Skip>),
}

/// How to pass over values of a type.
pub(super) fn skip(node: &Node) -> Skip {
    match node {
        Node::Null => Skip::Nothing,
        Node::Boolean => Skip::Bytes(1),
        Node::Int | Node::Long | Node::Enum { .. } => Skip::Number,
        Node::Float => Skip::Bytes(4),
        Node::Double => Skip::Bytes(8),
        Node::Fixed { size, .. } => Skip::Bytes(*size),
        Node::Bytes | Node::String => Skip::Lengthed,
        Node::Array { items, .. } => Skip::Array(Box::new(skip(items))),
        Node::Map { values } => Skip::Map(Box::new(skip(values))),
        Node::Record(record) => Skip::Record(
            record
                .fields
                .iter()
                .map(|field| skip(&field.node))
                .collect(),
        ),
        Node::Union(branches) => Skip::Union(branches.iter().map(|branch| skip(branch)).collect()),
    }
}

/// Passes over a value.
pub(super) fn skip_value(skip: &Skip, input: &mut Input<'_>) -> Result<(), Wrong> {
    match skip {
        Skip::Nothing => Ok(()),
        Skip::Number => input.long().map(drop),
        Skip::Bytes(size) => input.take(*size).map(drop),
        Skip::Lengthed => input.bytes().map(drop),
        Skip::Record(fields) => fields.iter().try_for_each(|field| skip_value(field, input)),
        Skip::Union(branches) => {
            let branch = branches
                .get(input.index()?)
                .ok_or("the union has no such branch")?;
            skip_value(branch, input)
        }
        // Most arrays hold texts.
        Skip::Array(item) if matches!(**item, Skip::Lengthed) => {
            skip_blocks(input, |input| input.bytes().map(drop))
        }
        Skip::Array(item) => skip_blocks(input, |input| skip_value(item, input)),
        Skip::Map(value) => skip_blocks(input, |input| {
            input.bytes()?;
            skip_value(value, input)
        }),
    }
}

fn skip_blocks(
    input: &mut Input<'_>,
    mut item: impl FnMut(&mut Input<'_>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    loop {
        match input.block()? {
            (0, _) => return Ok(()),
            (_, Some(size)) => drop(input.take(size)?),
            (count, None) => {
                for _ in 0..count {
                    let before = input.remaining();
                    item(input)?;
                    if input.remaining() == before {
                        break;
                    }
                }
            }
        }
    }
}
