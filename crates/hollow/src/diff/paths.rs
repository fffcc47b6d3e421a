//! The paths that consist of fields alone: all records of a type have them, so they are there before a record is compared.

use super::change::{Holds, Node, Segment};
use super::plan::{FieldPair, Kind, Plan};

/// The path of a record itself.
pub(super) const ROOT: u32 = 0;
/// Types may refer to themselves, so paths have no end; beyond so many they are made when something is found there.
const MANY: usize = 256;

/// The paths from records of a type on, shorter ones first; and for each the first of those that are a field longer, which
/// follow each other as the fields do.
pub(super) fn of_fields(plan: &Plan<'_>, of: usize) -> (Vec<Node>, Vec<Option<u32>>) {
    let mut nodes = vec![Node {
        parent: ROOT,
        segment: Segment::Root,
        holds: Holds::Record(of as u32),
    }];
    let mut longer = Vec::new();
    while let Some(node) = nodes.get(longer.len()) {
        let at = longer.len() as u32;
        let first = nodes.len();
        if let Holds::Record(of) = node.holds
            && let Kind::Object(fields) = &plan.types[of as usize].kind
            && first < MANY
        {
            let fields = fields.iter();
            nodes.extend(fields.map(|field| of_field(at, of as usize, field)));
            longer.push(Some(first as u32));
        } else {
            longer.push(None);
        }
    }
    (nodes, longer)
}

/// The path to a field of a record.
pub(super) fn of_field(parent: u32, of: usize, field: &FieldPair) -> Node {
    let of = of as u32;
    let (before, after) = (
        field.old.unwrap_or_default() as u32,
        field.new.unwrap_or_default() as u32,
    );
    let is_new = field.new.is_some();
    Node {
        parent,
        segment: Segment::Field {
            of,
            position: if is_new { after } else { before },
            is_new,
        },
        holds: match field.child {
            Some(child) => Holds::Record(child as u32),
            None => Holds::Field { of, before, after },
        },
    }
}
