//! Schemas: what the records of a type are made of.
//!
//! A data set's schemas are few and small and change rarely, so they are plain data, cloned where needed. What costs at
//! run time (positions of fields, resolved paths) is looked up once and kept by position.

mod binary;
mod compatibility;
mod order;
mod path;
mod text;

pub use compatibility::{SchemaDifference, common_schema, differences};
pub use order::{dependency_order, java_cmp, schema_hash};
pub use path::{KeyPath, Step, TraversalPath, resolve_key_path, resolve_traversal_path};
pub use text::parse_schemas;

use std::collections::BTreeMap;

/// What a field of an OBJECT record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldType {
    /// The ordinal of a record of another type.
    Reference,
    /// 32-bit integer; `i32::MIN` is null.
    Int,
    /// 64-bit integer; `i64::MIN` is null.
    Long,
    /// A truth value.
    Boolean,
    /// 32-bit IEEE number.
    Float,
    /// 64-bit IEEE number.
    Double,
    /// Text, as UTF-16 units.
    String,
    /// Raw bytes.
    Bytes,
}

impl FieldType {
    const ALL: [FieldType; 8] = [
        FieldType::Reference,
        FieldType::Int,
        FieldType::Long,
        FieldType::Boolean,
        FieldType::Float,
        FieldType::Double,
        FieldType::String,
        FieldType::Bytes,
    ];

    /// The name in blobs: `REFERENCE`, `INT`, ...
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Reference => "REFERENCE",
            FieldType::Int => "INT",
            FieldType::Long => "LONG",
            FieldType::Boolean => "BOOLEAN",
            FieldType::Float => "FLOAT",
            FieldType::Double => "DOUBLE",
            FieldType::String => "STRING",
            FieldType::Bytes => "BYTES",
        }
    }

    /// The word in the text form: `int`, ...; a reference shows its type's name instead of `reference`.
    pub fn word(self) -> &'static str {
        match self {
            FieldType::Reference => "reference",
            FieldType::Int => "int",
            FieldType::Long => "long",
            FieldType::Boolean => "boolean",
            FieldType::Float => "float",
            FieldType::Double => "double",
            FieldType::String => "string",
            FieldType::Bytes => "bytes",
        }
    }

    /// The type of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|field_type| field_type.name() == name)
    }

    /// Whether values have a length of their own (STRING and BYTES).
    pub fn is_variable_length(self) -> bool {
        matches!(self, FieldType::String | FieldType::Bytes)
    }
}

/// A field of an OBJECT type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, unique within the type.
    pub name: String,
    /// What it holds.
    pub field_type: FieldType,
    /// For REFERENCE, and only there: the type referred to.
    pub referenced_type: Option<String>,
}

impl Field {
    /// A field that is no reference.
    pub fn new(name: impl Into<String>, field_type: FieldType) -> Self {
        Self {
            name: name.into(),
            field_type,
            referenced_type: None,
        }
    }

    /// A reference to records of `referenced_type`.
    pub fn reference(name: impl Into<String>, referenced_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            field_type: FieldType::Reference,
            referenced_type: Some(referenced_type.into()),
        }
    }
}

/// Records of named fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectSchema {
    /// The type's name.
    pub name: String,
    /// Paths whose values together identify a record; `None` for types without a key.
    pub primary_key: Option<Vec<String>>,
    /// The fields, in the order that the layout has.
    pub fields: Vec<Field>,
}

impl ObjectSchema {
    /// A type without a primary key.
    pub fn new(name: impl Into<String>, fields: Vec<Field>) -> Self {
        Self {
            name: name.into(),
            primary_key: None,
            fields,
        }
    }

    /// The same type with a primary key of these paths.
    pub fn with_primary_key<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.primary_key = Some(paths.into_iter().map(Into::into).collect());
        self
    }

    /// Position of the field of that name.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Ordered sequences of records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListSchema {
    /// The type's name.
    pub name: String,
    /// Type of the elements.
    pub element_type: String,
}

/// Unordered collections of distinct records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetSchema {
    /// The type's name.
    pub name: String,
    /// Type of the elements.
    pub element_type: String,
    /// Paths from the element whose values place it in its bucket; by ordinal if there are none.
    pub hash_key: Option<Vec<String>>,
}

/// Maps of records to records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MapSchema {
    /// The type's name.
    pub name: String,
    /// Type of the keys.
    pub key_type: String,
    /// Type of the values.
    pub value_type: String,
    /// Paths from the key whose values place an entry in its bucket; by ordinal if there are none.
    pub hash_key: Option<Vec<String>>,
}

/// The four kinds of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaKind {
    /// Named fields.
    Object,
    /// Ordered elements.
    List,
    /// Unordered elements.
    Set,
    /// Entries.
    Map,
}

impl std::fmt::Display for SchemaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SchemaKind::Object => "OBJECT",
            SchemaKind::List => "LIST",
            SchemaKind::Set => "SET",
            SchemaKind::Map => "MAP",
        })
    }
}

/// The schema of one type. `Display` is Hollow's text form, [`parse_schemas`] and `FromStr` its inverse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Schema {
    /// Named fields.
    Object(ObjectSchema),
    /// Ordered elements.
    List(ListSchema),
    /// Unordered elements.
    Set(SetSchema),
    /// Entries.
    Map(MapSchema),
}

impl Schema {
    /// The type's name.
    pub fn name(&self) -> &str {
        match self {
            Schema::Object(schema) => &schema.name,
            Schema::List(schema) => &schema.name,
            Schema::Set(schema) => &schema.name,
            Schema::Map(schema) => &schema.name,
        }
    }

    /// Which of the four kinds it is.
    pub fn kind(&self) -> SchemaKind {
        match self {
            Schema::Object(_) => SchemaKind::Object,
            Schema::List(_) => SchemaKind::List,
            Schema::Set(_) => SchemaKind::Set,
            Schema::Map(_) => SchemaKind::Map,
        }
    }

    /// The schema of an OBJECT type.
    pub fn as_object(&self) -> Option<&ObjectSchema> {
        match self {
            Schema::Object(schema) => Some(schema),
            _ => None,
        }
    }

    /// The key paths of an OBJECT type that has a primary key.
    pub fn primary_key(&self) -> Option<&[String]> {
        self.as_object()?.primary_key.as_deref()
    }

    /// The key paths of a SET or MAP type that has a hash key.
    pub fn hash_key(&self) -> Option<&[String]> {
        match self {
            Schema::Set(schema) => schema.hash_key.as_deref(),
            Schema::Map(schema) => schema.hash_key.as_deref(),
            _ => None,
        }
    }

    /// Whether the type is bookkeeping of a producer (its name begins with `_`): never part of a digest.
    pub fn is_internal(&self) -> bool {
        is_internal(self.name())
    }

    /// The types that records of this one refer to, in the order of the schema, repeats included.
    pub fn dependencies(&self) -> Vec<&str> {
        match self {
            Schema::Object(schema) => schema
                .fields
                .iter()
                .filter_map(|field| field.referenced_type.as_deref())
                .collect(),
            Schema::List(schema) => vec![&schema.element_type],
            Schema::Set(schema) => vec![&schema.element_type],
            Schema::Map(schema) => vec![&schema.key_type, &schema.value_type],
        }
    }
}

/// Whether a type of that name is bookkeeping of a producer: never part of a digest.
pub fn is_internal(type_name: &str) -> bool {
    type_name.starts_with('_')
}

impl From<ObjectSchema> for Schema {
    fn from(schema: ObjectSchema) -> Self {
        Schema::Object(schema)
    }
}

impl From<ListSchema> for Schema {
    fn from(schema: ListSchema) -> Self {
        Schema::List(schema)
    }
}

impl From<SetSchema> for Schema {
    fn from(schema: SetSchema) -> Self {
        Schema::Set(schema)
    }
}

impl From<MapSchema> for Schema {
    fn from(schema: MapSchema) -> Self {
        Schema::Map(schema)
    }
}

/// Something that knows schemas by name: what paths are resolved against.
pub trait SchemaLookup {
    /// The schema of the type of that name.
    fn schema_of(&self, type_name: &str) -> Option<&Schema>;
}

impl SchemaLookup for [Schema] {
    fn schema_of(&self, type_name: &str) -> Option<&Schema> {
        self.iter().find(|schema| schema.name() == type_name)
    }
}

impl SchemaLookup for Vec<Schema> {
    fn schema_of(&self, type_name: &str) -> Option<&Schema> {
        self.as_slice().schema_of(type_name)
    }
}

impl SchemaLookup for BTreeMap<String, Schema> {
    fn schema_of(&self, type_name: &str) -> Option<&Schema> {
        self.get(type_name)
    }
}

#[cfg(test)]
mod tests;
