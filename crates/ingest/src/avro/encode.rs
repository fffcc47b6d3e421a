//! JSON values as Avro: for emitters that hold JSON, and for the defaults of schemas.

use super::schema::{Node, RecordNode};
use serde_json::{Map, Value};
use std::sync::Arc;

type Encoded = Result<(), String>;

/// Appends `value` as `node`; see [`AvroSchema::encode_json`](super::AvroSchema::encode_json).
pub(super) fn encode_json(node: &Node, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let unfit = || format!("{value} is no {}", node.kind());
    match node {
        Node::Null => value.is_null().then_some(()).ok_or_else(unfit)?,
        Node::Boolean => out.push(u8::from(value.as_bool().ok_or_else(unfit)?)),
        Node::Int => {
            let number = value.as_i64().filter(|&n| i32::try_from(n).is_ok());
            write_long(number.ok_or_else(unfit)?, out);
        }
        Node::Long => write_long(value.as_i64().ok_or_else(unfit)?, out),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float takes the nearest of a JSON number"
        )]
        Node::Float => {
            out.extend_from_slice(&(value.as_f64().ok_or_else(unfit)? as f32).to_le_bytes())
        }
        Node::Double => out.extend_from_slice(&value.as_f64().ok_or_else(unfit)?.to_le_bytes()),
        Node::String => write_bytes(value.as_str().ok_or_else(unfit)?.as_bytes(), out),
        // As Avro's defaults do: the characters are the bytes.
        Node::Bytes => write_bytes(&latin1(value).ok_or_else(unfit)?, out),
        Node::Fixed { size, .. } => {
            out.extend_from_slice(
                &latin1(value)
                    .filter(|bytes| bytes.len() == *size)
                    .ok_or_else(unfit)?,
            );
        }
        Node::Enum { symbols, .. } => {
            let at = symbols
                .iter()
                .position(|symbol| Some(symbol.as_str()) == value.as_str());
            write_len(
                at.ok_or_else(|| format!("{value} is none of {}", symbols.join(", ")))?,
                out,
            );
        }
        Node::Array { items, .. } => {
            let values = value.as_array().ok_or_else(unfit)?;
            if !values.is_empty() {
                write_len(values.len(), out);
            }
            for (i, value) in values.iter().enumerate() {
                encode_json(items, value, out).map_err(|reason| format!("[{i}]: {reason}"))?;
            }
            out.push(0);
        }
        Node::Map { values: node } => {
            let values = value.as_object().ok_or_else(unfit)?;
            if !values.is_empty() {
                write_len(values.len(), out);
            }
            for (key, value) in values {
                write_bytes(key.as_bytes(), out);
                encode_json(node, value, out).map_err(|reason| format!("{key}: {reason}"))?;
            }
            out.push(0);
        }
        Node::Record(record) => encode_record(record, value, out)?,
        Node::Union(branches) => {
            let start = out.len();
            let mut reason = None;
            for (index, branch) in branches.iter().enumerate() {
                // Asked first: an error would print the whole value, for each nullable field that has one.
                if matches!(**branch, Node::Null) && !value.is_null() {
                    continue;
                }
                out.truncate(start);
                write_len(index, out);
                match encode_json(branch, value, out) {
                    Ok(()) => return Ok(()),
                    Err(error) => reason = Some(error),
                }
            }
            return Err(reason.unwrap_or_else(unfit));
        }
    }
    Ok(())
}

pub(super) fn encode_record(record: &RecordNode, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let object: &Map<_, _> = value
        .as_object()
        .ok_or_else(|| format!("{value} is no record {}", record.name))?;
    let mut given = 0;
    for field in &record.fields {
        let value = object.get(&field.name);
        given += usize::from(value.is_some());
        let value = value.or(field.default.as_ref());
        let value = value.ok_or_else(|| format!("{} is missing", field.name))?;
        encode_json(&field.node, value, out)
            .map_err(|reason| format!("{}: {reason}", field.name))?;
    }
    if given == object.len() {
        return Ok(());
    }
    match object
        .keys()
        .find(|key| !record.fields.iter().any(|field| field.name == **key))
    {
        Some(key) => Err(format!("{} has no field {key:?}", record.name)),
        None => Ok(()),
    }
}

/// The value that a text stands for. Empty is null where that is allowed; lists, maps and records are JSON.
pub(super) fn parse_cell(node: &Node, text: &str) -> Result<Value, String> {
    let unfit = || format!("{text:?} is no {}", node.kind());
    match node {
        Node::Null => text.is_empty().then_some(Value::Null).ok_or_else(unfit),
        Node::Boolean => text.parse().map(Value::Bool).map_err(|_| unfit()),
        Node::Int | Node::Long => text.parse::<i64>().map(Value::from).map_err(|_| unfit()),
        Node::Float | Node::Double => text.parse::<f64>().map(Value::from).map_err(|_| unfit()),
        Node::Bytes | Node::String | Node::Fixed { .. } | Node::Enum { .. } => {
            Ok(Value::from(text))
        }
        Node::Array { .. } | Node::Map { .. } | Node::Record(_) => {
            serde_json::from_str(text).map_err(|error| format!("{}: {error}", unfit()))
        }
        Node::Union(branches) => {
            let is_null = |branch: &&Arc<Node>| matches!(***branch, Node::Null);
            if text.is_empty() && branches.iter().any(|branch| is_null(&branch)) {
                return Ok(Value::Null);
            }
            let branch = branches.iter().find(|branch| !is_null(branch));
            parse_cell(branch.ok_or_else(unfit)?, text)
        }
    }
}

fn latin1(value: &Value) -> Option<Vec<u8>> {
    value
        .as_str()?
        .chars()
        .map(|c| u8::try_from(c).ok())
        .collect()
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn write_len(len: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(len).unwrap_or(i64::MAX), out);
}

pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    #[expect(clippy::cast_sign_loss, reason = "zig-zag")]
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}
