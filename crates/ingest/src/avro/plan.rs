//! The walk over a value's bytes, compiled once per pair of writer's and reader's schema: what to do with each part of the
//! writer's encoding so that the reader's records come out. Resolution follows the Avro specification (promotions, enum
//! defaults, field aliases and defaults); whatever can be refused is refused here, not per record.

use super::encode::encode_json;
use super::envelope::{EnvelopePlan, Event};
use super::mapping::{ModelField, ModelRecord, RecordModel, Shape, strip_null};
use super::memo::MemoId;
use super::schema::{AvroSchema, FieldNode, Node, RecordNode};
use super::skip::{Skip, skip};
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
    /// Of what repeats from record to record: how to find its end in the writer's encoding, so that it is read only once.
    pub(super) repeats: Option<(MemoId, Skip)>,
}

#[derive(Debug)]
pub(super) enum ChildKind {
    Record(RecordPlan),
    Boxed(Emit),
    List(Source<Child>),
    Set(Source<Child>),
    Map { key: Child, value: Source<Child> },
}

type Compiled<T> = std::result::Result<T, String>;

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

struct Compiler<'a> {
    model: &'a RecordModel,
    intervals: &'a [Interval],
}

impl Compiler<'_> {
    fn record(
        &self,
        writer: &RecordNode,
        reader: &RecordNode,
        model: &ModelRecord,
        root: bool,
    ) -> Compiled<RecordPlan> {
        let intervals: Vec<_> = self
            .intervals
            .iter()
            .filter(|interval| interval.record == reader.name)
            .collect();
        let mut steps = Vec::new();
        let mut found = vec![false; reader.fields.len()];
        for field in &writer.fields {
            let named = |r: &FieldNode| r.name == field.name || r.aliases.contains(&field.name);
            let Some(index) = reader
                .fields
                .iter()
                .position(named)
                .filter(|&index| !found[index])
            else {
                steps.push(Step::Skip(skip(&field.node)));
                continue;
            };
            found[index] = true;
            steps.push(Step::Field(self.field(
                &field.node,
                &reader.fields[index],
                index,
                model,
                root,
                &intervals,
            )?));
        }
        for (index, field) in reader
            .fields
            .iter()
            .enumerate()
            .filter(|(index, _)| !found[*index])
        {
            let Some(default) = &field.default else {
                return Err(format!(
                    "it has no field {:?} of {}, which has no default",
                    field.name, reader.name
                ));
            };
            let mut bytes = Vec::new();
            encode_json(&field.node, default, &mut bytes).map_err(|reason| {
                format!("the default of {}.{}: {reason}", reader.name, field.name)
            })?;
            let plan = self.field(&field.node, field, index, model, root, &intervals)?;
            let later = |step: &Step| matches!(step, Step::Field(f) | Step::Default(f, _) if f.index > index);
            let at = steps.iter().position(later).unwrap_or(steps.len());
            steps.insert(at, Step::Default(plan, bytes));
        }
        let indexes: Vec<usize> = steps.iter().filter_map(Step::field_index).collect();
        let position = |name: &str| reader.fields.iter().position(|field| field.name == name);
        let intervals: Compiled<Vec<_>> = intervals
            .into_iter()
            .map(|interval| {
                let missing = |name: &str| format!("{} has no field {name:?}", reader.name);
                Ok(IntervalPlan {
                    start: position(&interval.start).ok_or_else(|| missing(&interval.start))?,
                    end: position(&interval.end).ok_or_else(|| missing(&interval.end))?,
                    start_field: interval.start.clone(),
                    end_field: interval.end.clone(),
                })
            })
            .collect();
        Ok(RecordPlan {
            in_order: indexes.is_sorted(),
            field_count: reader.fields.len(),
            intervals: intervals?,
            steps,
        })
    }

    fn field(
        &self,
        writer: &Node,
        reader: &FieldNode,
        index: usize,
        model: &ModelRecord,
        root: bool,
        intervals: &[&Interval],
    ) -> Compiled<FieldPlan> {
        let at = |reason: String| format!("{}: {reason}", reader.name);
        let ModelField { shape, nullable } = &model.fields[index];
        let (node, _) = strip_null(&reader.node).map_err(at)?;
        let source = branches(writer, *nullable, &|writer| {
            self.emit(writer, node, shape, reader.code)
        })
        .map_err(at)?;
        let field_type = if let Shape::Inline(field_type) = shape {
            *field_type
        } else {
            FieldType::Reference
        };
        let key_part = self
            .model
            .key
            .fields
            .iter()
            .position(|(name, _)| root && *name == reader.name);
        let bounds = intervals
            .iter()
            .any(|interval| interval.start == reader.name || interval.end == reader.name);
        if bounds && field_type != FieldType::Long && field_type != FieldType::Int {
            return Err(at(
                "only int and long fields can bound an interval".to_owned()
            ));
        }
        Ok(FieldPlan {
            index,
            name: reader.name.clone(),
            source,
            field_type,
            key_part,
        })
    }

    fn emit(
        &self,
        writer: &Node,
        reader: &Node,
        shape: &Shape,
        code: Option<Code>,
    ) -> Compiled<Emit> {
        let number = match writer {
            Node::Int => Some(Number::Int),
            Node::Long => Some(Number::Long),
            Node::Float => Some(Number::Float),
            Node::Double => Some(Number::Double),
            _ => None,
        };
        let unfit = || format!("{} can't be read as {}", writer.kind(), reader.kind());
        Ok(match (writer, reader, number) {
            (Node::Boolean, Node::Boolean, _) => Emit::Boolean,
            (Node::Int, Node::Int, _) => Emit::Int,
            (_, Node::Long, Some(number @ (Number::Int | Number::Long))) => Emit::Long(number),
            (_, Node::Float, Some(number)) if number != Number::Double => Emit::Float(number),
            (_, Node::Double, Some(number)) => Emit::Double(number),
            (Node::String | Node::Bytes, Node::String, _) => Emit::Text(code),
            (Node::String | Node::Bytes, Node::Bytes, _) => Emit::Bytes,
            (
                Node::Fixed { name, size },
                Node::Fixed {
                    name: expected,
                    size: expected_size,
                },
                _,
            ) if name == expected && size == expected_size => Emit::Fixed(*size),
            (
                Node::Enum { name, symbols, .. },
                Node::Enum {
                    name: expected,
                    symbols: known,
                    default,
                },
                _,
            ) if name == expected => {
                let resolve = |symbol: &String| {
                    let known = known.contains(symbol).then_some(symbol);
                    known.or(default.as_ref()).map(|text| Symbol::new(text))
                };
                Emit::Enum(symbols.iter().map(resolve).collect())
            }
            (Node::Record(_) | Node::Array { .. } | Node::Map { .. }, _, _) => {
                Emit::Reference(self.child(writer, reader, shape, code)?)
            }
            _ => return Err(unfit()),
        })
    }

    fn child(
        &self,
        writer: &Node,
        reader: &Node,
        shape: &Shape,
        code: Option<Code>,
    ) -> Compiled<Child> {
        let (type_index, kind) = match (writer, reader, shape) {
            (Node::Record(writer), Node::Record(reader), Shape::Record(model)) => (
                model.type_index,
                ChildKind::Record(self.record(writer, reader, model, false)?),
            ),
            (
                Node::Array { items, .. },
                Node::Array {
                    items: expected, ..
                },
                Shape::List { type_index, item },
            ) => (
                *type_index,
                ChildKind::List(self.items(items, expected, item, code)?),
            ),
            (
                Node::Array { items, .. },
                Node::Array {
                    items: expected, ..
                },
                Shape::Set { type_index, item },
            ) => (
                *type_index,
                ChildKind::Set(self.items(items, expected, item, code)?),
            ),
            (
                Node::Map { values },
                Node::Map { values: expected },
                Shape::Map {
                    type_index,
                    key_type,
                    value,
                },
            ) => {
                let key = Child {
                    type_index: *key_type,
                    kind: Box::new(ChildKind::Boxed(Emit::Text(code))),
                    repeats: None,
                };
                (
                    *type_index,
                    ChildKind::Map {
                        key,
                        value: self.items(values, expected, value, None)?,
                    },
                )
            }
            (
                _,
                _,
                Shape::Boxed {
                    type_index,
                    field_type,
                },
            ) => {
                let emit = self.emit(writer, reader, &Shape::Inline(*field_type), code)?;
                (*type_index, ChildKind::Boxed(emit))
            }
            _ => {
                return Err(format!(
                    "{} can't be read as {}",
                    writer.kind(),
                    reader.kind()
                ));
            }
        };
        let repeats = kind.repeats().then(|| (MemoId::new(), skip(writer)));
        Ok(Child {
            type_index,
            kind: Box::new(kind),
            repeats,
        })
    }

    fn items(
        &self,
        writer: &Node,
        reader: &Node,
        shape: &Shape,
        code: Option<Code>,
    ) -> Compiled<Source<Child>> {
        branches(writer, false, &|writer| {
            self.child(writer, reader, shape, code)
        })
    }
}

impl ChildKind {
    /// Whether few different ones make up many records: codes and symbols, and collections of them.
    fn repeats(&self) -> bool {
        let is_member =
            |child: &Child| matches!(*child.kind, Self::Boxed(_)) && child.repeats.is_some();
        match self {
            Self::Boxed(emit) => matches!(emit, Emit::Text(Some(_)) | Emit::Enum(_)),
            Self::List(Source::Plain(item)) | Self::Set(Source::Plain(item)) => is_member(item),
            _ => false,
        }
    }
}

impl Symbol {
    fn new(text: &str) -> Self {
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
    fn field_index(&self) -> Option<usize> {
        match self {
            Self::Skip(_) => None,
            Self::Field(field) | Self::Default(field, _) => Some(field.index),
        }
    }
}

/// Resolves each branch of the writer's type by itself; at least one must fit.
fn branches<T>(
    writer: &Node,
    nullable: bool,
    compile: &dyn Fn(&Node) -> Compiled<T>,
) -> Compiled<Source<T>> {
    let Node::Union(nodes) = writer else {
        return compile(writer).map(Source::Plain);
    };
    let mut reason = None;
    let resolved: Vec<_> = nodes
        .iter()
        .map(|node| match (&**node, compile(node)) {
            (Node::Null, _) if nullable => Branch::Null,
            (_, Ok(value)) => Branch::Value(value),
            (_, Err(error)) => {
                reason = Some(error);
                Branch::Unfit
            }
        })
        .collect();
    if resolved
        .iter()
        .all(|branch| matches!(branch, Branch::Unfit))
    {
        return Err(reason.unwrap_or_else(|| "a union without branches".to_owned()));
    }
    Ok(Source::Union(resolved))
}
