//! Compiles a [`Plan`](super::plan::Plan): which part of the writer's encoding becomes which field of the reader's records, and what can't.

use super::encode::encode_json;
use super::mapping::{ModelField, ModelRecord, RecordModel, Shape, strip_null};
use super::memo::MemoId;
use super::plan::{
    Branch, Child, ChildKind, Compiled, Emit, FieldPlan, IntervalPlan, Number, RecordPlan, Repeats,
    Source, Step, Symbol,
};
use super::quick::Quick;
use super::schema::{FieldNode, Node, RecordNode};
use super::skip::skip;
use crate::codes::Code;
use crate::spec::Interval;
use hollow::FieldType;

pub(super) struct Compiler<'a> {
    pub(super) model: &'a RecordModel,
    pub(super) intervals: &'a [Interval],
}

impl Compiler<'_> {
    /// The walk over one record; `root` for the one that has the key.
    pub(super) fn record(
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
            quick: Quick::fields(steps.iter().map(Step::read)),
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
        let is_bound = intervals
            .iter()
            .any(|interval| interval.start == reader.name || interval.end == reader.name);
        if is_bound && field_type != FieldType::Long && field_type != FieldType::Int {
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
            is_bound,
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
        let repeats = kind.repeats().then(|| Repeats {
            id: MemoId::new(),
            skip: skip(writer),
            codes: kind.codes(),
        });
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
