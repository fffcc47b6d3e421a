//! What nearly all fields hold, one after the other without a step for each byte: numbers of up to 56 bits, ASCII texts of up to
//! fifteen bytes, codes, the symbols of enums, collections of codes that are known, and null instead of them. Whatever is
//! otherwise, wrong above all, is left to the walk.

use super::ahead::{line, word};
use super::groups::Groups;
use super::guess::Guess;
use super::memo::{Memo, MemoId};
use super::out::stored_ordinal;
use super::plan::{Branch, Emit, FieldPlan, Number, Source, Symbol};
use crate::codes::Code;
use crate::key::{Key, Line, SHORTS, ShortPart};
use hollow::Ordinal;

/// How many bytes are written at once.
pub(super) const LINE: usize = size_of::<Line>();

/// What the walk knows of a field whose values are such ones.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Quick {
    kind: Kind,
    pub(super) lead: Lead,
}

/// What is looked at before the value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lead {
    Nothing,
    /// In a union with null: how the writer says which of the two follows.
    Union {
        null: u8,
        value: u8,
    },
    /// Whether this and the fields behind it are what they were before.
    Run(Run),
}

/// Fields that often say together what they said in another record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) id: MemoId,
    /// How many fields.
    pub(super) len: usize,
}

#[derive(Debug)]
enum Kind {
    /// A number or a text that is that part of the key.
    Key(usize),
    KeyCode(usize, Code),
    KeySymbols(usize, Symbols),
    Long,
    /// A bound of an interval, with its place among the numbers of the record.
    Bound(usize),
    Text,
    Code(Code),
    Symbols(Symbols),
    /// A collection of codes that may be known.
    Collection(MemoId),
    /// None of them is.
    Other,
}

/// By the writer's index, at most 64.
type Symbols = Box<[Short]>;

/// A symbol as a record has it, with its length in front: what there is of the line, zeros behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    line: Line,
    /// How many bytes that are; 0 for what is no such value.
    len: usize,
}

impl Quick {
    /// For what is no field of the reader's, or has no such values.
    const NO: Self = Self {
        kind: Kind::Other,
        lead: Lead::Nothing,
    };

    /// For the fields of a record, in the writer's order; `None` for what is none of the reader's.
    pub(super) fn fields<'a>(fields: impl Iterator<Item = Option<&'a FieldPlan>>) -> Vec<Self> {
        let mut quick: Vec<_> = fields
            .map(|field| field.map_or(Self::NO, Self::new))
            .collect();
        let mut len = 0;
        for at in (0..quick.len()).rev() {
            len = if quick[at].repeats() { len + 1 } else { 0 };
            let begins = at == 0 || !quick[at - 1].repeats();
            let is_last = quick
                .get(at + len)
                .is_none_or(|next| matches!(next.kind, Kind::Other));
            if begins && len >= RUN_MIN && is_last && matches!(quick[at].lead, Lead::Nothing) {
                let id = MemoId::new();
                quick[at].lead = Lead::Run(Run { id, len });
            }
        }
        quick
    }

    fn new(field: &FieldPlan) -> Self {
        let (lead, emit) = match &field.source {
            Source::Plain(emit) => (Lead::Nothing, emit),
            Source::Union(branches) => match &branches[..] {
                [Branch::Null, Branch::Value(emit)] => (Lead::Union { null: 0, value: 2 }, emit),
                [Branch::Value(emit), Branch::Null] => (Lead::Union { null: 2, value: 0 }, emit),
                _ => return Self::NO,
            },
        };
        let symbols =
            |symbols: &[Option<Symbol>]| symbols.iter().take(64).map(Short::symbol).collect();
        let kind = match (emit, field.key_part, field.is_bound) {
            (_, Some(part), _) if part >= SHORTS => return Self::NO,
            (Emit::Long(Number::Long), Some(part), false) | (Emit::Text(None), Some(part), _) => {
                Kind::Key(part)
            }
            (Emit::Long(Number::Long), None, false) => Kind::Long,
            (Emit::Long(Number::Long), None, true) => Kind::Bound(field.index),
            (Emit::Text(None), None, _) => Kind::Text,
            (Emit::Text(Some(code)), Some(part), _) => Kind::KeyCode(part, *code),
            (Emit::Text(Some(code)), None, _) => Kind::Code(*code),
            (Emit::Enum(known), Some(part), _) => Kind::KeySymbols(part, symbols(known)),
            (Emit::Enum(known), None, _) => Kind::Symbols(symbols(known)),
            (Emit::Reference(child), None, _) => match &child.repeats {
                Some(repeats) if repeats.codes.is_some() => Kind::Collection(repeats.id),
                _ => return Self::NO,
            },
            _ => return Self::NO,
        };
        Self { kind, lead }
    }

    /// Whether it may be part of a run.
    fn repeats(&self) -> bool {
        matches!(self.kind, Kind::Long | Kind::Code(_) | Kind::Symbols(_))
    }

    /// Writes the value at `at` as a record has it, and says how many bytes of the body and of the line it has. Where the body
    /// ends too early it may be more bytes than there are.
    #[inline(always)]
    pub(super) fn put(
        &self,
        body: &[u8],
        at: usize,
        key: &Key,
        memo: &Memo,
        bounds: &mut [i64],
        place: &mut [u8; LINE],
    ) -> Option<(usize, usize)> {
        let len = match &self.kind {
            Kind::Key(part) => put_part(key.short(*part)?, body, at, place)?,
            Kind::KeyCode(part, code) => {
                let part = key.short(*part)?;
                let len = put_part(part, body, at, place)?;
                is_code(*code, part.line, len).then_some(len)?
            }
            Kind::KeySymbols(part, symbols) => {
                let symbol = symbol_at(symbols, body, at)?;
                if key.short(*part)?.line != symbol.line {
                    return None;
                }
                *place = symbol.line.to_le_bytes();
                return Some((1, symbol.len));
            }
            Kind::Long => put_long(Groups::new(word(body, at)?)?, place),
            Kind::Bound(bound) => {
                let groups = Groups::new(word(body, at)?)?;
                *bounds.get_mut(*bound)? = groups.value();
                put_long(groups, place)
            }
            Kind::Text => {
                let (line, len) = text_at(body, at)?;
                *place = line.to_le_bytes();
                is_ascii(line).then_some(len)?
            }
            Kind::Code(code) => {
                let (line, len) = text_at(body, at)?;
                *place = line.to_le_bytes();
                is_code(*code, line, len).then_some(len)?
            }
            Kind::Symbols(symbols) => {
                let symbol = symbol_at(symbols, body, at)?;
                *place = symbol.line.to_le_bytes();
                return Some((1, symbol.len));
            }
            Kind::Collection(id) => {
                let (ordinal, len) = known_collection(*id, memo, body, at)?;
                let (line, written) = stored_ordinal(ordinal);
                place[..8].copy_from_slice(&line.to_le_bytes());
                return Some((len as usize, written));
            }
            Kind::Other => return None,
        };
        Some((len, len))
    }
}

/// Fewer fields are not worth it.
const RUN_MIN: usize = 3;

/// The ordinal of a collection that was met before, and how many bytes it has.
#[inline(never)]
fn known_collection(id: MemoId, memo: &Memo, body: &[u8], at: usize) -> Option<(Ordinal, u32)> {
    // What is known is the whole of a value, and nothing else begins with it: the guess need not be checked.
    let bytes = Guess::new(word(body, at)?, body.get(at..)?)?.bytes();
    let ordinal = memo.get(id, id.name(bytes), bytes)?;
    Some((ordinal, bytes.len() as u32))
}

/// Writes the part of a key if it is there, and says how many bytes it has.
#[inline(always)]
fn put_part(part: &ShortPart, body: &[u8], at: usize, place: &mut [u8; LINE]) -> Option<usize> {
    *place = part.line.to_le_bytes();
    if part.len == 0 {
        return is_long_part(part, body, at).then(|| 1 + usize::from(place[0]));
    }
    // Whatever is behind it goes.
    let differs = (word(body, at)? ^ part.avro) << (64 - 8 * part.len);
    (differs == 0).then_some(part.len as usize)
}

#[inline(never)]
fn is_long_part(part: &ShortPart, body: &[u8], at: usize) -> bool {
    text_at(body, at).is_some_and(|(line, _)| line == part.line && is_ascii(line))
}

#[inline(always)]
fn put_long(groups: Groups, place: &mut [u8; LINE]) -> usize {
    let (line, len) = groups.stored();
    place[..8].copy_from_slice(&line.to_le_bytes());
    len
}

/// The text of up to fifteen bytes that begins there as a record has it, and how many bytes it has with its length.
#[inline(always)]
fn text_at(body: &[u8], at: usize) -> Option<(Line, usize)> {
    let begin = word(body, at)?;
    // Avro's length is twice the record's.
    let length = begin as u8;
    let len = length >> 1;
    let mask = LOWEST.get(usize::from(length.rotate_right(1)))?;
    let ahead = if len < 8 {
        begin.into()
    } else {
        line(body, at)?
    };
    Some(((ahead & mask) - Line::from(len), 1 + usize::from(len)))
}

#[inline(always)]
fn is_ascii(line: Line) -> bool {
    line & 0x8080_8080_8080_8080_8080_8080_8080_8080 == 0
}

#[inline(always)]
fn is_code(code: Code, line: Line, len: usize) -> bool {
    if len == 3 {
        return code.contains_pair((line >> 8) as u16);
    }
    is_longer_code(code, line, len)
}

#[inline(never)]
fn is_longer_code(code: Code, line: Line, len: usize) -> bool {
    let bytes = line.to_le_bytes();
    let text = bytes.get(1..len);
    text.is_some_and(|text| code.contains_bytes(text))
}

/// The symbol of the index that is there.
#[inline(always)]
fn symbol_at<'a>(symbols: &'a Symbols, body: &[u8], at: usize) -> Option<&'a Short> {
    // An index that is odd, and so negative, or of more than a byte becomes one that is too large.
    let index = body.get(at)?.rotate_right(1);
    let symbol = symbols.get(usize::from(index))?;
    (symbol.len > 0).then_some(symbol)
}

impl Short {
    fn symbol(symbol: &Option<Symbol>) -> Self {
        let bytes = symbol.as_ref().map_or(&[][..], |symbol| &symbol.stored);
        let mut line = [0; LINE];
        let Some(place) = line.get_mut(..bytes.len()) else {
            return Self::default();
        };
        place.copy_from_slice(bytes);
        Self {
            line: Line::from_le_bytes(line),
            len: bytes.len(),
        }
    }
}

/// The bytes of a text of so many bytes, with its length.
static LOWEST: [Line; LINE] = {
    let (mut masks, mut len) = ([0; LINE], 0);
    while len < masks.len() {
        masks[len] = Line::MAX >> (Line::BITS - 8 * (len as u32 + 1));
        len += 1;
    }
    masks
};
