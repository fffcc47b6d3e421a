//! What nearly all fields hold, one after the other without a step for each byte: numbers of up to 56 bits, ASCII texts of up to
//! sixteen bytes, codes, the symbols of enums, collections of codes that are known, and null instead of them. Whatever is
//! otherwise, wrong above all, is left to the walk.

use super::bytes::Input;
use super::guess::Guess;
use super::memo::{Memo, MemoId};
use super::out::{Out, Tail, stored_ordinal};
use super::plan::{Branch, Emit, FieldPlan, Number, Source, Symbol};
use crate::codes::Code;
use crate::key::Key;
use hollow::Ordinal;
use hollow::codec::varint;

/// How much is written for a field at most, what does not count included.
const ROOM: usize = 33;

/// What the walk knows of a field whose values are such ones.
#[derive(Debug)]
pub(super) struct Quick {
    kind: Kind,
    /// In a union with null: how the writer says which of the two follows.
    union: Option<Union>,
    key_part: Option<usize>,
    bound: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Union {
    null: u8,
    value: u8,
}

#[derive(Debug)]
enum Kind {
    Long,
    Text,
    Code(Code),
    /// By the writer's index.
    Symbols(Box<[ShortSymbol]>),
    /// A collection of codes that may be known.
    Collection(MemoId),
    /// None of them is.
    Other,
}

/// A symbol of up to sixteen bytes.
#[derive(Clone, Copy, Debug, Default)]
struct ShortSymbol {
    /// The symbol as a number, the first byte lowest.
    text: u128,
    /// With its length, as in a record.
    bytes: [u8; 32],
    /// How many bytes that are; 0 for what is no such symbol.
    len: u8,
}

impl Quick {
    /// For what is no field of the reader's, or has no such values.
    pub(super) const NO: Self = Self {
        kind: Kind::Other,
        union: None,
        key_part: None,
        bound: None,
    };

    pub(super) fn new(field: &FieldPlan) -> Self {
        let (union, emit) = match &field.source {
            Source::Plain(emit) => (None, emit),
            Source::Union(branches) => match &branches[..] {
                [Branch::Null, Branch::Value(emit)] => (Some(Union { null: 0, value: 2 }), emit),
                [Branch::Value(emit), Branch::Null] => (Some(Union { null: 2, value: 0 }), emit),
                _ => return Self::NO,
            },
        };
        let kind = match emit {
            Emit::Long(Number::Long) => Kind::Long,
            Emit::Text(None) => Kind::Text,
            Emit::Text(Some(code)) => Kind::Code(*code),
            Emit::Reference(child) => match &child.repeats {
                Some(repeats) if repeats.codes.is_some() => Kind::Collection(repeats.id),
                _ => return Self::NO,
            },
            Emit::Enum(symbols) => Kind::Symbols(symbols.iter().map(ShortSymbol::new).collect()),
            _ => return Self::NO,
        };
        Self {
            kind,
            union,
            key_part: field.key_part,
            bound: field.is_bound.then_some(field.index),
        }
    }

    /// Walks one value; nothing counts of what was read and written if it is none that this is for.
    #[inline]
    fn walk(
        &self,
        key: &Key,
        memo: &Memo,
        bounds: &mut [i64],
        input: &mut Input<'_>,
        out: &mut Tail<'_>,
    ) -> Option<()> {
        if let Some(union) = self.union {
            let &branch = input.rest().first()?;
            if branch == union.null {
                input.advance(1)?;
                return out.put(&[varint::NULL], 1);
            }
            if branch != union.value {
                return None;
            }
            input.advance(1)?;
        }
        match &self.kind {
            Kind::Long => {
                let groups = input.groups()?;
                if let Some(part) = self.key_part
                    && !key.is_long(part, groups.value())
                {
                    return None;
                }
                if let Some(bound) = self.bound {
                    *bounds.get_mut(bound)? = groups.value();
                }
                let (bytes, len) = groups.stored();
                out.put(&bytes, len)
            }
            Kind::Text => {
                const NOT_ASCII: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
                let (len, text) = short_text(input)?;
                let agrees = |part| key.is_short_text(part, len, text);
                if text & NOT_ASCII != 0 || !self.key_part.is_none_or(agrees) {
                    return None;
                }
                out.put(&[len as u8], 1)?;
                out.put(&text.to_le_bytes(), len)
            }
            Kind::Code(code) => {
                if let [4, a, b, ..] = *input.rest() {
                    let agrees =
                        |part| key.is_short_text(part, 2, u16::from_le_bytes([a, b]).into());
                    if !code.contains_bytes(&[a, b]) || !self.key_part.is_none_or(agrees) {
                        return None;
                    }
                    input.advance(3)?;
                    return out.put(&[2, a, b, 0], 3);
                }
                let (len, text) = short_text(input)?;
                let bytes = text.to_le_bytes();
                let agrees = |part| key.is_short_text(part, len, text);
                if !code.contains_bytes(bytes.get(..len)?) || !self.key_part.is_none_or(agrees) {
                    return None;
                }
                out.put(&[len as u8], 1)?;
                out.put(&bytes, len)
            }
            Kind::Symbols(symbols) => {
                let &index = input.rest().first()?;
                let symbol = symbols.get(usize::from(index >> 1))?;
                let agrees =
                    |part| key.is_short_text(part, usize::from(symbol.len) - 1, symbol.text);
                if index & 0x81 != 0 || symbol.len == 0 || !self.key_part.is_none_or(agrees) {
                    return None;
                }
                input.advance(1)?;
                out.put(&symbol.bytes, symbol.len.into())
            }
            Kind::Collection(id) => {
                let ordinal = known_collection(*id, memo, input)?;
                let (bytes, len) = stored_ordinal(ordinal);
                out.put(&bytes, len)
            }
            Kind::Other => None,
        }
    }
}

/// The ordinal of a collection that was met before.
#[inline]
fn known_collection(id: MemoId, memo: &Memo, input: &mut Input<'_>) -> Option<Ordinal> {
    // What is known is the whole of a value, and nothing else begins with it: the guess need not be checked.
    let bytes = Guess::new(input)?.bytes();
    let ordinal = memo.get(id, id.name(bytes), bytes)?;
    input.advance(bytes.len())?;
    Some(ordinal)
}

impl ShortSymbol {
    fn new(symbol: &Option<Symbol>) -> Self {
        let bytes = symbol.as_ref().map_or(&[][..], |symbol| &symbol.stored);
        let mut short = Self::default();
        // What is longer than 16 bytes is as long in UTF-8: symbols are ASCII.
        if let [_, text @ ..] = bytes
            && text.len() <= 16
        {
            short.len = bytes.len() as u8;
            short.bytes[..bytes.len()].copy_from_slice(bytes);
            let lower = |number, &byte| number << 8 | u128::from(byte);
            short.text = text.iter().rev().fold(0, lower);
        }
        short
    }
}

/// Walks fields up to one that is otherwise, and says how many. `bounds` are the numbers of the record's fields that bound intervals.
#[inline]
pub(super) fn walk(
    fields: &[Quick],
    key: &Key,
    memo: &Memo,
    bounds: &mut [i64],
    input: &mut Input<'_>,
    out: &mut Out,
) -> usize {
    let mut tail = out.tail(ROOM * fields.len());
    let (mut at, mut end) = (*input, tail.len());
    let mut walked = 0;
    for field in fields {
        let mut ahead = at;
        if field
            .walk(key, memo, bounds, &mut ahead, &mut tail)
            .is_none()
        {
            break;
        }
        (at, end) = (ahead, tail.len());
        walked += 1;
    }
    *input = at;
    out.truncate_to(end);
    walked
}

/// The lowest bytes of a number, by how many.
static LOWEST: [u128; 17] = {
    let (mut masks, mut len) = ([0; 17], 1);
    while len < masks.len() {
        masks[len] = u128::MAX >> (128 - 8 * len);
        len += 1;
    }
    masks
};

/// A text of up to sixteen bytes: its length, and itself as a number, the first byte lowest.
#[inline]
fn short_text(input: &mut Input<'_>) -> Option<(usize, u128)> {
    let &length = input.rest().first()?;
    let len = usize::from(length >> 1);
    let mask = LOWEST.get(len)?;
    input.advance(1)?;
    let text = input.line()? & mask;
    input.advance(len)?;
    (length & 1 == 0).then_some((len, text))
}
