//! The walk over a value's bytes, compiled once per pair of writer's and reader's schema: what to do with each part of the
//! writer's encoding so that the reader's records come out. Resolution follows the Avro specification (promotions, enum
//! defaults, field aliases and defaults); whatever can be refused is refused here, not per record.

use super::compile::Compiler;
use super::envelope::{EnvelopePlan, Event};
use super::mapping::RecordModel;
use super::memo::MemoId;
use super::quick::Quick;
use super::schema::{AvroSchema, RecordNode};
use super::skip::Skip;
use crate::codes::Code;
use crate::poison::Poison;
use crate::spec::Interval;
use hollow::FieldType;
use hollow::codec::{string, varint};

/// How to make records of a model from values of one writer's schema.
#[derive(Debug)]
pub struct Plan {
    envelope: Option<EnvelopePlan>,
    pub(super) root: RecordPlan,
}

#[derive(Debug)]
pub(super) struct RecordPlan {
    pub(super) steps: Vec<Step>,
    /// For each step.
    pub(super) quick: Vec<Quick>,
    /// Fields come in the reader's order, so their bytes can be appended as they come.
    pub(super) in_order: bool,
    pub(super) field_count: usize,
    pub(super) intervals: Vec<IntervalPlan>,
}

/// Two fields of which the second must be later than the first.
#[derive(Debug)]
pub(super) struct IntervalPlan {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) start_field: String,
    pub(super) end_field: String,
}

#[derive(Debug)]
pub(super) enum Step {
    Skip(Skip),
    Field(FieldPlan),
    /// A field that the writer does not have: its default as Avro, and how to read that.
    Default(FieldPlan, Vec<u8>),
}

#[derive(Debug)]
pub(super) struct FieldPlan {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) source: Source<Emit>,
    pub(super) field_type: FieldType,
    /// The part of the key that the field must equal.
    pub(super) key_part: Option<usize>,
    /// Whether it is one of an interval's two.
    pub(super) is_bound: bool,
}

/// A value as the writer has it: of one type, or of the branch that its index names.
#[derive(Debug)]
pub(super) enum Source<T> {
    Plain(T),
    Union(Vec<Branch<T>>),
}

#[derive(Debug)]
pub(super) enum Branch<T> {
    Null,
    Value(T),
    Unfit,
}

/// What the bytes are, and thereby what is emitted.
#[derive(Debug)]
pub(super) enum Emit {
    Boolean,
    Int,
    Long(Number),
    Float(Number),
    Double(Number),
    Text(Option<Code>),
    Bytes,
    Fixed(usize),
    /// The symbols by the writer's index, each resolved; `None` where the reader has no such symbol.
    Enum(Vec<Option<Symbol>>),
    Reference(Child),
}

/// A symbol of an enum, which is stored as text.
#[derive(Debug)]
pub(super) struct Symbol {
    pub(super) text: String,
    /// With its length, as in a record.
    pub(super) stored: Vec<u8>,
}

/// Which number the writer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Int,
    Long,
    Float,
    Double,
}

/// A record of its own that something refers to.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) type_index: usize,
    pub(super) kind: Box<ChildKind>,
    /// Of what repeats from record to record, so that it is read only once.
    pub(super) repeats: Option<Repeats>,
}

/// How to know again what was read before.
#[derive(Debug)]
pub(super) struct Repeats {
    pub(super) id: MemoId,
    /// How to find its end in the writer's encoding.
    pub(super) skip: Skip,
    /// Where it is a collection of codes: the place of those.
    pub(super) codes: Option<MemoId>,
}

#[derive(Debug)]
pub(super) enum ChildKind {
    Record(RecordPlan),
    Boxed(Emit),
    List(Source<Child>),
    Set(Source<Child>),
    Map { key: Child, value: Source<Child> },
}

pub(super) type Compiled<T> = std::result::Result<T, String>;

impl Plan {
    /// Compiles the walk from values of `writer` to records of `model`.
    ///
    /// # Errors
    /// In words, where no value of the one could be read as the other.
    pub fn compile(
        writer: &AvroSchema,
        model: &RecordModel,
        intervals: &[Interval],
    ) -> Compiled<Self> {
        if writer.root.name != model.reader.name {
            return Err(format!(
                "it describes {} records, not {}",
                writer.root.name, model.reader.name
            ));
        }
        Self::of_row(&writer.root, model, intervals, None)
    }

    /// As [`compile`](Self::compile), for change events of Debezium around the rows. `version` is the path of the source's
    /// version in the envelope, such as `source.lsn`. The name of the rows' record does not matter.
    ///
    /// # Errors
    /// In words, where `writer` is no envelope, or no row in it could be read.
    pub fn compile_enveloped(
        writer: &AvroSchema,
        version: &str,
        model: &RecordModel,
        intervals: &[Interval],
    ) -> Compiled<Self> {
        let (envelope, row) = EnvelopePlan::compile(writer, version)?;
        Self::of_row(&row, model, intervals, Some(envelope))
    }

    fn of_row(
        writer: &RecordNode,
        model: &RecordModel,
        intervals: &[Interval],
        envelope: Option<EnvelopePlan>,
    ) -> Compiled<Self> {
        let compiler = Compiler { model, intervals };
        let root = compiler.record(writer, &model.reader, &model.root, true)?;
        Ok(Self { envelope, root })
    }

    /// What the body of a value says: the value itself, or what is in its envelope. Nothing is read of the row yet.
    ///
    /// # Errors
    /// Where it should be an envelope and is none, or says what a record of a dataset can't.
    pub fn open<'a>(&self, body: &'a [u8]) -> Result<Event<'a>, Poison> {
        match &self.envelope {
            Some(envelope) => envelope.open(body),
            None => Ok(Event {
                row: Some(body),
                source_version: None,
            }),
        }
    }
}

impl RecordPlan {
    /// Whether fields come in the reader's order and nothing is checked but each of them.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.in_order && self.intervals.is_empty()
    }
}

impl ChildKind {
    /// Whether few different ones make up many records: codes and symbols, and collections of them.
    pub(super) fn repeats(&self) -> bool {
        match self {
            Self::Boxed(emit) => matches!(emit, Emit::Text(Some(_)) | Emit::Enum(_)),
            _ => self.member().is_some(),
        }
    }

    /// The place of the items of a collection of codes.
    pub(super) fn codes(&self) -> Option<MemoId> {
        let (kind, repeats) = self.member()?;
        matches!(kind, Self::Boxed(Emit::Text(_))).then_some(repeats.id)
    }

    /// The items of a collection of codes or symbols.
    fn member(&self) -> Option<(&Self, &Repeats)> {
        let (Self::List(Source::Plain(item)) | Self::Set(Source::Plain(item))) = self else {
            return None;
        };
        let repeats = item.repeats.as_ref()?;
        matches!(*item.kind, Self::Boxed(_)).then_some((&item.kind, repeats))
    }
}

impl Symbol {
    pub(super) fn new(text: &str) -> Self {
        let (mut units, mut stored) = (Vec::new(), Vec::new());
        string::write_str(&mut units, text);
        // Names are shorter than 4 GiB.
        varint::write_vint(&mut stored, u32::try_from(units.len()).unwrap_or(u32::MAX));
        stored.extend_from_slice(&units);
        Self {
            text: text.to_owned(),
            stored,
        }
    }
}

impl Step {
    /// The field that it reads.
    pub(super) fn read(&self) -> Option<&FieldPlan> {
        match self {
            Self::Field(field) => Some(field),
            Self::Skip(_) | Self::Default(..) => None,
        }
    }

    pub(super) fn field_index(&self) -> Option<usize> {
        match self {
            Self::Skip(_) => None,
            Self::Field(field) | Self::Default(field, _) => Some(field.index),
        }
    }
}
