//! Walks a value's bytes by its plan and writes records as it goes: children first, since their ordinals are part of the
//! parent's bytes. No value is built in between, and memory is used again from record to record.

use super::bytes::{Input, Wrong};
use super::fields::{self, Known};
use super::memo::Memo;
use super::out::Out;
use super::plan::{Branch, Emit, FieldPlan, IntervalPlan, Plan, RecordPlan, Source, Step};
use super::quick::Quick;
use super::repeats::Repeats;
use super::skip::skip_value;
use crate::key::Key;
use crate::poison::Poison;
use hollow::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, varint};
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
    pub(super) fn within(self, field: &str) -> Self {
        match self {
            Self::Poison(poison) => Self::Poison(poison.within(field)),
            sink @ Self::Sink(_) => sink,
        }
    }
}

#[cold]
pub(super) fn undecodable<E>(reason: Wrong) -> Fault<E> {
    Poison::Undecodable {
        path: String::new(),
        reason,
    }
    .into()
}

#[cold]
pub(super) fn unstorable<E>(reason: String) -> Fault<E> {
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
    memory: Memory,
    out: Out,
}

/// What is used again from record to record.
#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "a builder that moves right after it was written waits for the writes"
)]
pub(super) struct Memory {
    pub(super) memo: Memo,
    repeats: Repeats,
    pub(super) lists: Vec<Box<ListRecord>>,
    pub(super) sets: Vec<Box<SetRecord>>,
    pub(super) maps: Vec<Box<MapRecord>>,
    ranges: Vec<Vec<Range<usize>>>,
    /// For the records with intervals that are being walked, the innermost last: a number for each field, the bound of an
    /// interval that it is. The least one stands for null.
    pub(super) bounds: Vec<i64>,
    pub(super) texts: Vec<u8>,
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
        self.memory.memo.clear();
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
        self.memory.bounds.clear();
        self.out.clear();
        let mut walk = Walk {
            memory: &mut self.memory,
            key,
            sink,
        };
        let mut input = Input::new(body);
        let root = &plan.root;
        if root.is_plain() {
            // What most roots are, without a step more.
            let walked = walk.quick(&root.quick, 0, &mut input, &mut self.out);
            if walked < root.steps.len() {
                walk.record_from(root, walked, 0, &mut input, &mut self.out)?;
            }
        } else {
            walk.record(root, &mut input, &mut self.out)?;
        }
        if !input.is_empty() {
            return Err(undecodable("bytes are left after the value's end"));
        }
        Ok(self.out.from(0))
    }
}

pub(super) struct Walk<'a, S> {
    pub(super) memory: &'a mut Memory,
    pub(super) key: &'a Key,
    pub(super) sink: &'a mut S,
}

impl<S: RecordSink> Walk<'_, S> {
    #[inline]
    pub(super) fn record(
        &mut self,
        plan: &RecordPlan,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        if !plan.in_order {
            return self.record_in_order(plan, input, out);
        }
        let bounds = self.open_bounds(plan);
        let walked = self.quick(&plan.quick, bounds, input, out);
        if walked < plan.steps.len() {
            self.record_from(plan, walked, bounds, input, out)?;
        }
        self.close_bounds(plan, bounds)
    }

    #[inline]
    fn quick(
        &mut self,
        fields: &[Quick],
        bounds: usize,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> usize {
        let Memory {
            memo,
            repeats,
            bounds: numbers,
            ..
        } = &mut *self.memory;
        let known = Known { memo, repeats };
        let numbers = numbers.get_mut(bounds..).unwrap_or_default();
        fields::walk(fields, self.key, known, numbers, input, out)
    }

    /// As [`record`](Self::record), from a step on that is otherwise than quick.
    fn record_from(
        &mut self,
        plan: &RecordPlan,
        mut at: usize,
        bounds: usize,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        while let Some(step) = plan.steps.get(at) {
            match step {
                Step::Field(field) => self.field(field, bounds, input, out)?,
                Step::Skip(skip) => skip_value(skip, input).map_err(undecodable)?,
                Step::Default(field, avro) => {
                    self.field(field, bounds, &mut Input::new(avro), out)?;
                }
            }
            at += 1;
            if let Some(fields @ [_, ..]) = plan.quick.get(at..) {
                at += self.quick(fields, bounds, input, out);
            }
        }
        Ok(())
    }

    /// The fields of a writer that has them in another order, put into the reader's.
    fn record_in_order(
        &mut self,
        plan: &RecordPlan,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        let mut ranges = self.memory.ranges.pop().unwrap_or_default();
        ranges.clear();
        ranges.resize(plan.field_count, 0..0);
        let start = out.len();
        let walked = self.fields_by_range(plan, input, out, &mut ranges);
        if walked.is_ok() {
            out.reorder(start, &ranges);
        }
        self.memory.ranges.push(ranges);
        walked
    }

    fn fields_by_range(
        &mut self,
        plan: &RecordPlan,
        input: &mut Input<'_>,
        out: &mut Out,
        ranges: &mut [Range<usize>],
    ) -> Result<(), Fault<S::Error>> {
        let bounds = self.open_bounds(plan);
        for step in &plan.steps {
            let start = out.len();
            let field = match step {
                Step::Field(field) => {
                    self.field(field, bounds, input, out)?;
                    field
                }
                Step::Default(field, avro) => {
                    self.field(field, bounds, &mut Input::new(avro), out)?;
                    field
                }
                Step::Skip(skip) => {
                    skip_value(skip, input).map_err(undecodable)?;
                    continue;
                }
            };
            ranges[field.index] = start..out.len();
        }
        self.close_bounds(plan, bounds)
    }

    /// Makes place for the bounds of a record's intervals.
    #[inline]
    fn open_bounds(&mut self, plan: &RecordPlan) -> usize {
        let at = self.memory.bounds.len();
        if !plan.intervals.is_empty() {
            let end = at + plan.field_count;
            self.memory.bounds.resize(end, i64::MIN);
        }
        at
    }

    /// Looks whether no interval of the record ends before it starts.
    #[inline]
    fn close_bounds(&mut self, plan: &RecordPlan, at: usize) -> Result<(), Fault<S::Error>> {
        for interval in &plan.intervals {
            let bound = |index: usize| self.memory.bounds[at + index];
            let (start, end) = (bound(interval.start), bound(interval.end));
            if end <= start && end != i64::MIN {
                return Err(empty_interval(interval, start, end));
            }
        }
        self.memory.bounds.truncate(at);
        Ok(())
    }

    #[inline]
    fn field(
        &mut self,
        field: &FieldPlan,
        bounds: usize,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        let mut ahead = *input;
        let emit = match &field.source {
            Source::Plain(emit) => Some(emit),
            Source::Union(branches) => match ahead.index().map(|index| branches.get(index)) {
                Ok(Some(Branch::Value(emit))) => Some(emit),
                Ok(Some(Branch::Null)) => {
                    emit_null(field.field_type, out);
                    *input = ahead;
                    return Ok(());
                }
                _ => None,
            },
        };
        match emit {
            Some(Emit::Reference(child)) => {
                *input = ahead;
                let ordinal = self.child(child, input, out);
                out.vint(ordinal.map_err(|fault| fault.within(&field.name))?);
                Ok(())
            }
            _ => self.any_field(field, bounds, input, out),
        }
    }

    /// As [`field`](Self::field), whatever it is; apart, so that what is frequent stays small.
    #[inline(never)]
    fn any_field(
        &mut self,
        field: &FieldPlan,
        bounds: usize,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        let start = out.len();
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
        emitted.map_err(|fault| fault.within(&field.name))?;
        if field.is_bound {
            self.memory.bounds[bounds + field.index] =
                stored_number(out.from(start)).unwrap_or(i64::MIN);
        }
        Ok(())
    }
}

#[cold]
fn empty_interval<E>(interval: &IntervalPlan, start: i64, end: i64) -> Fault<E> {
    Poison::Interval {
        path: String::new(),
        start_field: interval.start_field.clone(),
        start,
        end_field: interval.end_field.clone(),
        end,
    }
    .into()
}

fn emit_null(field_type: FieldType, out: &mut Out) {
    match field_type {
        FieldType::Float => out.put(&NULL_FLOAT_BITS.to_be_bytes(), 4),
        FieldType::Double => out.put(&NULL_DOUBLE_BITS.to_be_bytes(), 8),
        _ => out.push(varint::NULL),
    }
}

/// The number in the bytes of an INT or LONG field.
fn stored_number(bytes: &[u8]) -> Option<i64> {
    hollow::record::Reader::new(bytes)
        .vlong()
        .map(varint::unzigzag_long)
}
