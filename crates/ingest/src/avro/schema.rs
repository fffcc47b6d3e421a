//! Avro schemas as this crate uses them: resolved, so that a name is its definition, with the attributes of
//! `schemas/README.md`. The Avro library checks a schema first; this only reads what is known to be one.

use crate::codes::Code;
use crate::error::{Error, Result};
use apache_avro::rabin::Rabin;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// A schema of change records.
#[derive(Debug)]
pub struct AvroSchema {
    /// Its id in the registry wire format.
    pub(crate) id: u32,
    /// The text it was read from.
    text: String,
    /// The attribute `key` of the root record.
    pub(crate) key: Vec<String>,
    pub(crate) root: Arc<RecordNode>,
}

#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed {
        name: String,
        size: usize,
    },
    Enum {
        name: String,
        symbols: Vec<String>,
        default: Option<String>,
    },
    Array {
        items: Arc<Node>,
        set: bool,
    },
    Map {
        values: Arc<Node>,
    },
    Record(Arc<RecordNode>),
    Union(Vec<Arc<Node>>),
}

#[derive(Debug)]
pub(crate) struct RecordNode {
    /// Without the namespace: the name of the Hollow type.
    pub(crate) name: String,
    pub(crate) fields: Vec<FieldNode>,
}

#[derive(Debug)]
pub(crate) struct FieldNode {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) node: Arc<Node>,
    pub(crate) default: Option<Value>,
    /// The attribute `greenlight`.
    pub(crate) code: Option<Code>,
}

impl Node {
    /// The type's name in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Fixed { .. } => "fixed",
            Self::Enum { .. } => "enum",
            Self::Array { .. } => "array",
            Self::Map { .. } => "map",
            Self::Record(_) => "record",
            Self::Union(_) => "union",
        }
    }
}

impl AvroSchema {
    /// Reads a schema; `source` names it in errors: a file, or a registry's subject.
    ///
    /// Its id is taken from the schema's fingerprint (the low 31 bits of CRC-64-AVRO), so that a schema has one id
    /// wherever it lies, as long as it reads the same bytes.
    ///
    /// # Errors
    /// [`Error::Schema`] where it is not Avro, or uses what records of a dataset can't.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        Self::parse_with(text, &[], source)
    }

    /// As [`parse`](Self::parse), with the schemas that define names which `text` uses, each before those that use it.
    ///
    /// # Errors
    /// [`Error::Schema`].
    pub fn parse_with(text: &str, definitions: &[String], source: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Schema {
            source_name: source.to_owned(),
            reason,
        };
        let parse_json = |text: &str| {
            serde_json::from_str(text).map_err(|error| wrong(format!("not JSON: {error}")))
        };
        let json: Value = parse_json(text)?;
        let checked = if definitions.is_empty() {
            apache_avro::Schema::parse(&json)
        } else {
            apache_avro::Schema::parse_str_with_list(text, definitions).map(|(schema, _)| schema)
        };
        let checked = checked.map_err(|error| wrong(error.to_string()))?;
        let fingerprint = checked.fingerprint::<Rabin>().bytes;
        // The digest is little-endian: its first bytes are the low ones.
        let low = fingerprint
            .get(..4)
            .and_then(|low| low.try_into().ok())
            .unwrap_or_default();
        let id = u32::from_le_bytes(low) & 0x7fff_ffff;
        let mut names = Names::default();
        for definition in definitions {
            names.node(&parse_json(definition)?, "").map_err(wrong)?;
        }
        let root = names.node(&json, "").map_err(wrong)?;
        let Node::Record(root) = &*root else {
            return Err(wrong(format!(
                "the outermost type is {}, not a record",
                root.kind()
            )));
        };
        let key = match json.get("key") {
            None => Vec::new(),
            Some(key) => strings(key)
                .ok_or_else(|| wrong("\"key\" must be an array of field names".to_owned()))?,
        };
        for field in &key {
            let found = root.fields.iter().find(|f| f.name == *field);
            let found = found
                .ok_or_else(|| wrong(format!("\"key\" names {field:?}, which is no field")))?;
            if !matches!(
                *found.node,
                Node::Int | Node::Long | Node::String | Node::Boolean | Node::Enum { .. }
            ) {
                let kind = found.node.kind();
                return Err(wrong(format!(
                    "key field {field:?} is {kind}; keys are int, long, boolean, string or enum"
                )));
            }
        }
        Ok(Self {
            id,
            text: text.to_owned(),
            key,
            root: Arc::clone(root),
        })
    }

    /// The same schema under an id that a registry gave it.
    #[must_use]
    pub fn with_id(self, id: u32) -> Self {
        Self { id, ..self }
    }

    /// The id under which values in the wire format name this schema.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The schema's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of the root record, which is the dataset's root type.
    #[must_use]
    pub fn root_type(&self) -> &str {
        &self.root.name
    }

    /// The record of the field `after`, where there is one: the row in an envelope.
    pub(crate) fn row(&self) -> Option<&RecordNode> {
        let after = self
            .root
            .fields
            .iter()
            .find(|field| field.name == "after")?;
        let record = |node: &Node| matches!(node, Node::Record(_));
        let node = match &*after.node {
            Node::Union(branches) => branches.iter().find(|branch| record(branch))?,
            _ => &after.node,
        };
        match &**node {
            Node::Record(row) => Some(row),
            _ => None,
        }
    }

    /// The key fields, in the order of the record's key.
    #[must_use]
    pub fn key(&self) -> &[String] {
        &self.key
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The named types met so far, by full name; `None` while a record's fields are being read.
#[derive(Default)]
struct Names(HashMap<String, Option<Arc<Node>>>);

type Parsed<T> = std::result::Result<T, String>;

impl Names {
    fn node(&mut self, json: &Value, namespace: &str) -> Parsed<Arc<Node>> {
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let branches: Parsed<_> = branches
                    .iter()
                    .map(|branch| self.node(branch, namespace))
                    .collect();
                Ok(Arc::new(Node::Union(branches?)))
            }
            Value::Object(object) => match object.get("type") {
                Some(Value::String(kind)) => self.complex(kind, object, namespace),
                Some(inner) => self.node(inner, namespace),
                None => Err("a type has no \"type\"".to_owned()),
            },
            other => Err(format!("{other} is no type")),
        }
    }

    fn by_name(&self, name: &str, namespace: &str) -> Parsed<Arc<Node>> {
        let primitive = match name {
            "null" => Node::Null,
            "boolean" => Node::Boolean,
            "int" => Node::Int,
            "long" => Node::Long,
            "float" => Node::Float,
            "double" => Node::Double,
            "bytes" => Node::Bytes,
            "string" => Node::String,
            _ => {
                let full = full_name(name, namespace);
                return match self.0.get(&full).or_else(|| self.0.get(name)) {
                    Some(Some(node)) => Ok(Arc::clone(node)),
                    Some(None) => Err(format!(
                        "{name} contains itself; records of a dataset can't"
                    )),
                    None => Err(format!("{name} is not defined before it is used")),
                };
            }
        };
        Ok(Arc::new(primitive))
    }

    fn complex(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Parsed<Arc<Node>> {
        let part = |name: &str| {
            object
                .get(name)
                .ok_or_else(|| format!("{kind} has no {name:?}"))
        };
        match kind {
            "array" => {
                let set = match object.get("hollow").map(|value| value.as_str()) {
                    None => false,
                    Some(Some("set")) => true,
                    Some(_) => return Err("\"hollow\" of an array is \"set\" or absent".to_owned()),
                };
                Ok(Arc::new(Node::Array {
                    items: self.node(part("items")?, namespace)?,
                    set,
                }))
            }
            "map" => Ok(Arc::new(Node::Map {
                values: self.node(part("values")?, namespace)?,
            })),
            "record" | "enum" | "fixed" => self.named(kind, object, namespace),
            _ => self.by_name(kind, namespace),
        }
    }

    fn named(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Parsed<Arc<Node>> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let name = text("name").ok_or_else(|| format!("{kind} has no name"))?;
        let full = full_name(name, text("namespace").unwrap_or(namespace));
        let (inner, short) = full.rsplit_once('.').unwrap_or(("", &full));
        let short = short.to_owned();
        self.0.insert(full.clone(), None);
        let node = match kind {
            "enum" => {
                let symbols = object.get("symbols").and_then(strings).unwrap_or_default();
                Node::Enum {
                    name: short,
                    symbols,
                    default: text("default").map(str::to_owned),
                }
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).unwrap_or(0);
                Node::Fixed {
                    name: short,
                    size: usize::try_from(size).map_err(|error| error.to_string())?,
                }
            }
            _ => {
                let fields = object.get("fields").and_then(Value::as_array);
                let fields: Parsed<Vec<_>> = fields
                    .into_iter()
                    .flatten()
                    .map(|field| self.field(field, inner))
                    .collect();
                let fields = fields.map_err(|reason| format!("{short}: {reason}"))?;
                Node::Record(Arc::new(RecordNode {
                    name: short,
                    fields,
                }))
            }
        };
        let node = Arc::new(node);
        self.0.insert(full, Some(Arc::clone(&node)));
        Ok(node)
    }

    fn field(&mut self, json: &Value, namespace: &str) -> Parsed<FieldNode> {
        let name = json
            .get("name")
            .and_then(Value::as_str)
            .ok_or("a field has no name")?
            .to_owned();
        let at = |reason: String| format!("field {name:?}: {reason}");
        let code = match json.get("greenlight").map(Value::as_str) {
            None => None,
            Some(Some("country")) => Some(Code::Country),
            Some(Some("language")) => Some(Code::Language),
            Some(_) => {
                return Err(at(
                    "\"greenlight\" is \"country\", \"language\" or absent".to_owned()
                ));
            }
        };
        let inner = json
            .get("type")
            .ok_or_else(|| at("it has no type".to_owned()))?;
        let node = self.node(inner, namespace).map_err(at)?;
        let aliases = json.get("aliases").and_then(strings).unwrap_or_default();
        Ok(FieldNode {
            aliases,
            node,
            default: json.get("default").cloned(),
            code,
            name,
        })
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}
