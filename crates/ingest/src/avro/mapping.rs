//! What a dataset's records look like: from the Avro schema of its change records to Hollow types, by rule.
//!
//! | Avro | Hollow |
//! | --- | --- |
//! | record `R` | OBJECT `R`, a REFERENCE where it is a field |
//! | boolean, int, long, float, double, bytes, fixed | the inline field type of that name |
//! | string, enum | inline STRING |
//! | a union of null and T | T, nullable |
//! | array of T | LIST `ListOfT`; with `"hollow": "set"`, SET `SetOfT` |
//! | map to T | MAP `MapOfStringToT` |
//! | string or enum, number, … as item of a collection | OBJECT `String`, `Long`, … with one field `value` |
//!
//! The attribute `key` is the root's primary key. A type stands before those that refer to it.

use super::schema::{AvroSchema, Node, RecordNode};
use crate::error::{Error, Result};
use crate::key::{KeyKind, KeyShape};
use hollow::{Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SetSchema};
use std::sync::Arc;

/// The Hollow types of a dataset, and where each part of the Avro schema goes.
#[derive(Debug)]
pub struct RecordModel {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) root: ModelRecord,
    /// The index of the root's schema.
    pub(crate) root_type: usize,
    pub(crate) key: KeyShape,
    pub(crate) reader: Arc<RecordNode>,
}

/// A record: its type and what its fields become.
#[derive(Clone, Debug)]
pub(crate) struct ModelRecord {
    pub(crate) type_index: usize,
    pub(crate) fields: Vec<ModelField>,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelField {
    pub(crate) shape: Shape,
    pub(crate) nullable: bool,
}

/// What a value becomes.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Inline(FieldType),
    Record(ModelRecord),
    List {
        type_index: usize,
        item: Box<Shape>,
    },
    Set {
        type_index: usize,
        item: Box<Shape>,
    },
    Map {
        type_index: usize,
        key_type: usize,
        value: Box<Shape>,
    },
    /// A single value in a record of its own.
    Boxed {
        type_index: usize,
        field_type: FieldType,
    },
}

impl Shape {
    fn type_index(&self) -> Option<usize> {
        match self {
            Self::Inline(_) => None,
            Self::Record(record) => Some(record.type_index),
            Self::List { type_index, .. }
            | Self::Set { type_index, .. }
            | Self::Map { type_index, .. }
            | Self::Boxed { type_index, .. } => Some(*type_index),
        }
    }
}

impl RecordModel {
    /// The model of the records that `schema` describes.
    ///
    /// # Errors
    /// [`Error::Schema`] where a part of it has no place in a dataset.
    pub fn new(schema: &AvroSchema, source: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Schema {
            source_name: source.to_owned(),
            reason,
        };
        let mut mapping = Mapping::default();
        let root = mapping.record(&schema.root).map_err(wrong)?;
        let mut fields = Vec::new();
        for name in &schema.key {
            let at = schema
                .root
                .fields
                .iter()
                .position(|field| field.name == *name);
            let inline = at.and_then(|at| match root.fields[at] {
                ModelField {
                    shape: Shape::Inline(field_type),
                    nullable: false,
                } => Some(field_type),
                _ => None,
            });
            let kind = match inline {
                Some(FieldType::Int) => KeyKind::Int,
                Some(FieldType::Long) => KeyKind::Long,
                Some(FieldType::Boolean) => KeyKind::Boolean,
                Some(FieldType::String) => KeyKind::String,
                _ => return Err(wrong(format!("key field {name:?} can't be a key"))),
            };
            fields.push((name.clone(), kind));
        }
        if fields.is_empty() {
            return Err(wrong(
                "it has no \"key\"; expected the names of the fields that identify a record"
                    .to_owned(),
            ));
        }
        let root_type = root.type_index;
        if let Schema::Object(object) = &mut mapping.schemas[root_type] {
            object.primary_key = Some(schema.key.clone());
        }
        let reader = Arc::clone(&schema.root);
        Ok(Self {
            schemas: mapping.schemas,
            root,
            root_type,
            key: KeyShape { fields },
            reader,
        })
    }

    /// The Hollow types, each before those that refer to it.
    #[must_use]
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// The shape of the dataset's keys.
    #[must_use]
    pub fn key(&self) -> &KeyShape {
        &self.key
    }

    /// The name of the root type.
    #[must_use]
    pub fn root_type(&self) -> &str {
        self.schemas[self.root_type].name()
    }
}

#[derive(Default)]
struct Mapping {
    schemas: Vec<Schema>,
}

type Mapped<T> = std::result::Result<T, String>;

impl Mapping {
    fn add(&mut self, schema: Schema) -> Mapped<usize> {
        match self
            .schemas
            .iter()
            .position(|known| known.name() == schema.name())
        {
            None => {
                self.schemas.push(schema);
                Ok(self.schemas.len() - 1)
            }
            Some(at) if self.schemas[at] == schema => Ok(at),
            Some(_) => Err(format!(
                "two different types would have the name {:?}",
                schema.name()
            )),
        }
    }

    fn record(&mut self, record: &RecordNode) -> Mapped<ModelRecord> {
        let (mut fields, mut model) = (Vec::new(), Vec::new());
        for field in &record.fields {
            let at = |reason: String| format!("{}.{}: {reason}", record.name, field.name);
            let (node, nullable) = strip_null(&field.node).map_err(at)?;
            let shape = self.shape(node).map_err(at)?;
            fields.push(match (&shape, shape.type_index()) {
                (Shape::Inline(field_type), _) => Field::new(&field.name, *field_type),
                (_, Some(referenced)) => {
                    Field::reference(&field.name, self.schemas[referenced].name())
                }
                (_, None) => return Err(at("it has no type".to_owned())),
            });
            model.push(ModelField { shape, nullable });
        }
        if record.name.starts_with('_') {
            return Err(format!(
                "{}: names that begin with _ are for the producer's own types",
                record.name
            ));
        }
        let type_index = self.add(Schema::Object(ObjectSchema::new(&record.name, fields)))?;
        Ok(ModelRecord {
            type_index,
            fields: model,
        })
    }

    fn shape(&mut self, node: &Node) -> Mapped<Shape> {
        Ok(match node {
            Node::Boolean => Shape::Inline(FieldType::Boolean),
            Node::Int => Shape::Inline(FieldType::Int),
            Node::Long => Shape::Inline(FieldType::Long),
            Node::Float => Shape::Inline(FieldType::Float),
            Node::Double => Shape::Inline(FieldType::Double),
            Node::Bytes | Node::Fixed { .. } => Shape::Inline(FieldType::Bytes),
            Node::String | Node::Enum { .. } => Shape::Inline(FieldType::String),
            Node::Record(record) => Shape::Record(self.record(record)?),
            Node::Array { items, set } => {
                let (item, element_type) = self.item(items)?;
                let item = Box::new(item);
                if *set {
                    let name = format!("SetOf{element_type}");
                    let type_index = self.add(Schema::Set(SetSchema {
                        name,
                        element_type,
                        hash_key: None,
                    }))?;
                    Shape::Set { type_index, item }
                } else {
                    let name = format!("ListOf{element_type}");
                    let type_index = self.add(Schema::List(ListSchema { name, element_type }))?;
                    Shape::List { type_index, item }
                }
            }
            Node::Map { values } => {
                let (key, key_name) = self.item(&Node::String)?;
                let (value, value_type) = self.item(values)?;
                let name = format!("MapOf{key_name}To{value_type}");
                let schema = MapSchema {
                    name,
                    key_type: key_name,
                    value_type,
                    hash_key: None,
                };
                let type_index = self.add(Schema::Map(schema))?;
                let key_type = key.type_index().ok_or("a map's key has no type")?;
                Shape::Map {
                    type_index,
                    key_type,
                    value: Box::new(value),
                }
            }
            Node::Null | Node::Union(_) => {
                return Err(
                    "a union of anything but null and one other type has no place in a dataset"
                        .to_owned(),
                );
            }
        })
    }

    /// An item of a collection, which must be a record of its own.
    fn item(&mut self, node: &Node) -> Mapped<(Shape, String)> {
        let shape = match self.shape(node)? {
            Shape::Inline(field_type) => {
                let name = match field_type {
                    FieldType::Int => "Integer",
                    FieldType::Long => "Long",
                    FieldType::Boolean => "Boolean",
                    FieldType::Float => "Float",
                    FieldType::Double => "Double",
                    FieldType::String => "String",
                    FieldType::Bytes => "Bytes",
                    FieldType::Reference => return Err("a reference is no value".to_owned()),
                };
                let field = Field::new("value", field_type);
                let type_index = self.add(Schema::Object(ObjectSchema::new(name, vec![field])))?;
                Shape::Boxed {
                    type_index,
                    field_type,
                }
            }
            shape => shape,
        };
        let type_index = shape.type_index().ok_or("an item has no type")?;
        let name = self.schemas[type_index].name().to_owned();
        Ok((shape, name))
    }
}

/// The type of a nullable field without the null, and whether there was one.
pub(super) fn strip_null(node: &Node) -> Mapped<(&Node, bool)> {
    let Node::Union(branches) = node else {
        return Ok((node, false));
    };
    let mut others = branches
        .iter()
        .filter(|branch| !matches!(***branch, Node::Null));
    match (others.next(), others.next()) {
        (Some(only), None) => Ok((only, branches.len() == 2)),
        _ => Err(
            "a union of anything but null and one other type has no place in a dataset".to_owned(),
        ),
    }
}
