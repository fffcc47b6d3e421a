//! Walks a value's bytes by its plan and writes records as it goes: children first, since their ordinals are part of the
//! parent's bytes. No value is built in between, and memory is used again from record to record.

use super::bytes::{Input, Wrong, as_text};
use super::memo::Memo;
use super::plan::{
    Branch, Child, ChildKind, Emit, FieldPlan, Number, Plan, RecordPlan, Source, Step,
};
use super::skip::skip_value;
use crate::codes::Code;
use crate::key::Key;
use crate::poison::Poison;
use hollow::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, double_bits, float_bits, string, varint};
use hollow::record::{ListRecord, MapRecord, SetRecord};
use hollow::{FieldType, Ordinal};
use std::ops::Range;

/// Where records go.
pub trait RecordSink {
    /// What it may fail with.
    type Error;

    /// Adds a record of the type with that index in the model's schemas, and returns its ordinal.
    ///
    /// # Errors
    /// When the sink can't take any more; the walk ends then.
    fn add(&mut self, type_index: usize, record: &[u8]) -> Result<Ordinal, Self::Error>;
}

/// Why a walk ended early.
#[derive(Debug)]
pub enum Fault<E> {
    /// The value is to blame.
    Poison(Poison),
    /// The sink is.
    Sink(E),
}

impl<E> From<Poison> for Fault<E> {
    fn from(poison: Poison) -> Self {
        Self::Poison(poison)
    }
}

impl<E> Fault<E> {
    fn within(self, field: &str) -> Self {
        match self {
            Self::Poison(poison) => Self::Poison(poison.within(field)),
            sink @ Self::Sink(_) => sink,
        }
    }
}

fn undecodable<E>(reason: Wrong) -> Fault<E> {
    Poison::Undecodable {
        path: String::new(),
        reason,
    }
    .into()
}

fn unstorable<E>(reason: String) -> Fault<E> {
    Poison::Unstorable {
        path: String::new(),
        reason,
    }
    .into()
}

/// Turns values into records; keeps its memory from one to the next. It also remembers which ordinals the sink gave to what
/// repeats; see [`forget`](Self::forget).
#[derive(Debug, Default)]
pub struct Transcoder {
    memo: Memo,
    buffers: Vec<Vec<u8>>,
    lists: Vec<ListRecord>,
    sets: Vec<SetRecord>,
    maps: Vec<MapRecord>,
    ranges: Vec<Vec<Range<usize>>>,
    texts: Vec<u8>,
    root: Vec<u8>,
}

impl Transcoder {
    /// A transcoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the ordinals that the sink gave. To be called whenever the sink may give others from now on: with a write state
    /// as the sink, at the begin of each of its cycles.
    pub fn forget(&mut self) {
        self.memo.clear();
    }

    /// Walks the body of a value, or the row that [`Plan::open`] found in it: adds what the root record refers to and returns the root's own bytes.
    ///
    /// # Errors
    /// [`Fault::Poison`] where the body is not what it should be; children may have been added by then, which nothing
    /// refers to. [`Fault::Sink`] from the sink.
    pub fn transcode<S: RecordSink>(
        &mut self,
        plan: &Plan,
        key: &Key,
        body: &[u8],
        sink: &mut S,
    ) -> Result<&[u8], Fault<S::Error>> {
        let mut root = std::mem::take(&mut self.root);
        root.clear();
        let mut walk = Walk {
            memory: self,
            key,
            sink,
        };
        let mut input = Input::new(body);
        let walked = walk.record(&plan.root, &mut input, &mut root);
        self.root = root;
        walked?;
        if !input.is_empty() {
            return Err(undecodable("bytes are left after the value's end"));
        }
        Ok(&self.root)
    }
}

struct Walk<'a, S> {
    memory: &'a mut Transcoder,
    key: &'a Key,
    sink: &'a mut S,
}

impl<S: RecordSink> Walk<'_, S> {
    fn record(
        &mut self,
        plan: &RecordPlan,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault<S::Error>> {
        if plan.in_order && plan.intervals.is_empty() {
            for step in &plan.steps {
                match step {
                    Step::Field(field) => self.field(field, input, out)?,
                    Step::Skip(skip) => skip_value(skip, input).map_err(undecodable)?,
                    Step::Default(field, avro) => self.field(field, &mut Input::new(avro), out)?,
                }
            }
            return Ok(());
        }
        let mut ranges = self.memory.ranges.pop().unwrap_or_default();
        ranges.clear();
        ranges.resize(plan.field_count, 0..0);
        let walked = self.record_with_ranges(plan, input, out, &mut ranges);
        self.memory.ranges.push(ranges);
        walked
    }

    fn record_with_ranges(
        &mut self,
        plan: &RecordPlan,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
        ranges: &mut [Range<usize>],
    ) -> Result<(), Fault<S::Error>> {
        let begin = out.len();
        for step in &plan.steps {
            let start = out.len();
            match step {
                Step::Field(field) => {
                    self.field(field, input, out)?;
                    ranges[field.index] = start..out.len();
                }
                Step::Skip(skip) => skip_value(skip, input).map_err(undecodable)?,
                Step::Default(field, avro) => {
                    self.field(field, &mut Input::new(avro), out)?;
                    ranges[field.index] = start..out.len();
                }
            }
        }
        for interval in &plan.intervals {
            let number = |index: usize| stored_number(&out[ranges[index].clone()]);
            if let (Some(start), Some(end)) = (number(interval.start), number(interval.end))
                && end <= start
            {
                let (start_field, end_field) =
                    (interval.start_field.clone(), interval.end_field.clone());
                return Err(Poison::Interval {
                    path: String::new(),
                    start_field,
                    start,
                    end_field,
                    end,
                }
                .into());
            }
        }
        if !plan.in_order {
            let mut ordered = self.memory.buffers.pop().unwrap_or_default();
            ordered.clear();
            for range in ranges {
                ordered.extend_from_slice(&out[range.clone()]);
            }
            out.truncate(begin);
            out.extend_from_slice(&ordered);
            self.memory.buffers.push(ordered);
        }
        Ok(())
    }

    #[inline]
    fn field(
        &mut self,
        field: &FieldPlan,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault<S::Error>> {
        let emitted = match &field.source {
            Source::Plain(emit) => self.emit(emit, field.key_part, input, out),
            Source::Union(branches) => match input.index().map(|index| branches.get(index)) {
                Ok(Some(Branch::Value(emit))) => self.emit(emit, field.key_part, input, out),
                Ok(Some(Branch::Null)) => {
                    emit_null(field.field_type, out);
                    Ok(())
                }
                Ok(Some(Branch::Unfit)) => Err(undecodable(
                    "the union's branch is not one that the dataset takes",
                )),
                Ok(None) => Err(undecodable("the union has no such branch")),
                Err(wrong) => Err(undecodable(wrong)),
            },
        };
        emitted.map_err(|fault| fault.within(&field.name))
    }

    fn emit(
        &mut self,
        emit: &Emit,
        key_part: Option<usize>,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault<S::Error>> {
        let mut agrees = true;
        match emit {
            Emit::Boolean => {
                let value = input.boolean().map_err(undecodable)?;
                agrees = key_part.is_none_or(|part| self.key.is_boolean(part, value));
                out.push(u8::from(value));
            }
            Emit::Int => {
                let value = input.int().map_err(undecodable)?;
                if value == i32::MIN {
                    return Err(unstorable(format!("{value} stands for null")));
                }
                agrees = key_part.is_none_or(|part| self.key.is_long(part, i64::from(value)));
                varint::write_vint(out, varint::zigzag_int(value));
            }
            Emit::Long(number) => {
                let value = match number {
                    Number::Int => i64::from(input.int().map_err(undecodable)?),
                    _ => input.long().map_err(undecodable)?,
                };
                if value == i64::MIN {
                    return Err(unstorable(format!("{value} stands for null")));
                }
                agrees = key_part.is_none_or(|part| self.key.is_long(part, value));
                varint::write_vlong(out, varint::zigzag_long(value));
            }
            Emit::Float(number) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "Avro promotes whole numbers to float"
                )]
                let value = match number {
                    Number::Int => input.int().map_err(undecodable)? as f32,
                    Number::Long => input.long().map_err(undecodable)? as f32,
                    _ => input.float().map_err(undecodable)?,
                };
                out.extend_from_slice(&float_bits(value).to_be_bytes());
            }
            Emit::Double(number) => {
                let value = read_double(*number, input).map_err(undecodable)?;
                out.extend_from_slice(&double_bits(value).to_be_bytes());
            }
            Emit::Text(Some(code)) => {
                let bytes = input.bytes().map_err(undecodable)?;
                if !code.contains_bytes(bytes) {
                    return Err(no_code(*code, bytes));
                }
                agrees = key_part.is_none_or(|part| self.key.is_text(part, bytes));
                write_lengthed(bytes, out)?;
            }
            Emit::Text(None) => {
                let bytes = input.bytes().map_err(undecodable)?;
                agrees = key_part.is_none_or(|part| self.key.is_text(part, bytes));
                self.text(bytes, out)?;
            }
            Emit::Enum(symbols) => {
                let symbol = match symbols.get(input.index().map_err(undecodable)?) {
                    Some(Some(symbol)) => symbol,
                    Some(None) => {
                        return Err(undecodable(
                            "the enum's symbol is none that the dataset knows",
                        ));
                    }
                    None => return Err(undecodable("the enum has no such symbol")),
                };
                agrees = key_part.is_none_or(|part| self.key.is_text(part, symbol.text.as_bytes()));
                out.extend_from_slice(&symbol.stored);
            }
            Emit::Bytes => write_lengthed(input.bytes().map_err(undecodable)?, out)?,
            Emit::Fixed(size) => write_lengthed(input.take(*size).map_err(undecodable)?, out)?,
            Emit::Reference(child) => {
                let ordinal = self.child(child, input)?;
                varint::write_vint(out, ordinal);
            }
        }
        if agrees {
            Ok(())
        } else {
            Err(Poison::KeyMismatch {
                path: String::new(),
            }
            .into())
        }
    }

    fn text(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault<S::Error>> {
        if bytes.is_ascii() {
            return write_lengthed(bytes, out);
        }
        let text = as_text(bytes).map_err(undecodable)?;
        self.memory.texts.clear();
        string::write_str(&mut self.memory.texts, text);
        write_lengthed(&self.memory.texts, out)
    }

    fn child(&mut self, child: &Child, input: &mut Input<'_>) -> Result<Ordinal, Fault<S::Error>> {
        let Some((id, skip)) = &child.repeats else {
            return self.child_anew(child, input);
        };
        // Where it can't be passed over, reading it will tell why.
        let mut after = *input;
        let Ok(()) = skip_value(skip, &mut after) else {
            return self.child_anew(child, input);
        };
        let bytes = input.until(&after);
        if let Some(ordinal) = self.memory.memo.get(*id, bytes) {
            *input = after;
            return Ok(ordinal);
        }
        let ordinal = self.child_anew(child, input)?;
        // A block may lie about its size.
        if input.remaining() == after.remaining() {
            self.memory.memo.insert(*id, bytes, ordinal);
        }
        Ok(ordinal)
    }

    fn child_anew(
        &mut self,
        child: &Child,
        input: &mut Input<'_>,
    ) -> Result<Ordinal, Fault<S::Error>> {
        match &*child.kind {
            ChildKind::Record(plan) => self.with_buffer(child.type_index, |walk, buffer| {
                walk.record(plan, input, buffer)
            }),
            ChildKind::Boxed(emit) => self.with_buffer(child.type_index, |walk, buffer| {
                walk.emit(emit, None, input, buffer)
            }),
            ChildKind::List(item) => {
                let mut list = self.memory.lists.pop().unwrap_or_default();
                list.reset();
                let walked = self.items(input, |walk, input| {
                    list.push(walk.item(item, input)?);
                    Ok(())
                });
                let added = walked.and_then(|()| {
                    self.sink
                        .add(child.type_index, list.bytes())
                        .map_err(Fault::Sink)
                });
                self.memory.lists.push(list);
                added
            }
            ChildKind::Set(item) => {
                let mut set = self.memory.sets.pop().unwrap_or_default();
                set.reset();
                let walked = self.items(input, |walk, input| {
                    set.insert(walk.item(item, input)?);
                    Ok(())
                });
                let added = walked.and_then(|()| {
                    self.sink
                        .add(child.type_index, set.bytes())
                        .map_err(Fault::Sink)
                });
                self.memory.sets.push(set);
                added
            }
            ChildKind::Map { key, value } => {
                let mut map = self.memory.maps.pop().unwrap_or_default();
                map.reset();
                let walked = self.items(input, |walk, input| {
                    let key = walk.child(key, input)?;
                    map.insert(key, walk.item(value, input)?);
                    Ok(())
                });
                let added = walked.and_then(|()| {
                    self.sink
                        .add(child.type_index, map.bytes())
                        .map_err(Fault::Sink)
                });
                self.memory.maps.push(map);
                added
            }
        }
    }

    fn with_buffer(
        &mut self,
        type_index: usize,
        fill: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), Fault<S::Error>>,
    ) -> Result<Ordinal, Fault<S::Error>> {
        let mut buffer = self.memory.buffers.pop().unwrap_or_default();
        buffer.clear();
        let filled = fill(self, &mut buffer);
        let added = filled.and_then(|()| self.sink.add(type_index, &buffer).map_err(Fault::Sink));
        self.memory.buffers.push(buffer);
        added
    }

    fn item(
        &mut self,
        source: &Source<Child>,
        input: &mut Input<'_>,
    ) -> Result<Ordinal, Fault<S::Error>> {
        match source {
            Source::Plain(child) => self.child(child, input),
            Source::Union(branches) => match branches.get(input.index().map_err(undecodable)?) {
                Some(Branch::Value(child)) => self.child(child, input),
                _ => Err(undecodable(
                    "the union's branch is not one that the dataset takes",
                )),
            },
        }
    }

    fn items(
        &mut self,
        input: &mut Input<'_>,
        mut each: impl FnMut(&mut Self, &mut Input<'_>) -> Result<(), Fault<S::Error>>,
    ) -> Result<(), Fault<S::Error>> {
        loop {
            let (count, _) = input.block().map_err(undecodable)?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                let before = input.remaining();
                each(self, input)?;
                // An item of no bytes (an empty record) could be claimed any number of times.
                if input.remaining() == before && count > 1 << 16 {
                    return Err(undecodable("a block claims more items than it can hold"));
                }
            }
        }
    }
}

#[cold]
fn no_code<E>(code: Code, bytes: &[u8]) -> Fault<E> {
    match as_text(bytes) {
        Ok(text) => Poison::UnknownCode {
            path: String::new(),
            code,
            value: text.chars().take(100).collect(),
        }
        .into(),
        Err(wrong) => undecodable(wrong),
    }
}

fn read_double(number: Number, input: &mut Input<'_>) -> Result<f64, Wrong> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "Avro promotes whole numbers to double"
    )]
    Ok(match number {
        Number::Int => f64::from(input.int()?),
        Number::Long => input.long()? as f64,
        Number::Float => f64::from(input.float()?),
        Number::Double => input.double()?,
    })
}

fn write_lengthed<E>(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault<E>> {
    let Ok(len) = u32::try_from(bytes.len()) else {
        return Err(unstorable("it is longer than 4 GiB".to_owned()));
    };
    varint::write_vint(out, len);
    out.extend_from_slice(bytes);
    Ok(())
}

fn emit_null(field_type: FieldType, out: &mut Vec<u8>) {
    match field_type {
        FieldType::Float => out.extend_from_slice(&NULL_FLOAT_BITS.to_be_bytes()),
        FieldType::Double => out.extend_from_slice(&NULL_DOUBLE_BITS.to_be_bytes()),
        _ => varint::write_null(out),
    }
}

/// The number in the bytes of an INT or LONG field.
fn stored_number(bytes: &[u8]) -> Option<i64> {
    let zigzag = hollow::record::Reader::new(bytes).vlong()?;
    #[expect(
        clippy::cast_possible_wrap,
        reason = "zig-zag: the halves of the range are the signs"
    )]
    Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}
