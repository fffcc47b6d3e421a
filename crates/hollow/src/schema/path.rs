//! Paths of keys and of indexes, resolved to field positions once so that following them costs no name look-up
//! (section 8.2 of the format, `FieldPaths`).

use super::{FieldType, Schema, SchemaLookup};
use crate::error::{Error, Result};

/// A key path: from an OBJECT record over REFERENCE fields to one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath {
    /// The full path, expansions included, without `!`.
    pub text: String,
    /// Field positions, one for each record on the way; all but the last are REFERENCE fields. Never empty.
    pub fields: Vec<usize>,
    /// The type of each record on the way; as long as `fields`.
    pub types: Vec<String>,
    /// Type of the last field. REFERENCE, the key then being the ordinal, only for paths that end in `!`.
    pub field_type: FieldType,
}

/// A step of a path that may lead through collections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// The field at this position of an OBJECT record.
    Field(usize),
    /// Each element of a LIST or SET.
    Element,
    /// Each key of a MAP.
    Key,
    /// Each value of a MAP.
    Value,
}

/// A path through references and collections: from a record to any number of values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraversalPath {
    /// The path.
    pub text: String,
    /// The steps.
    pub steps: Vec<Step>,
    /// The type of the record that each step starts from; as long as `steps`.
    pub types: Vec<String>,
    /// What is at the end: a value, or `Reference` for the ordinal of a record.
    pub field_type: FieldType,
    /// For `Reference`: the type of the record at the end.
    pub end_type: Option<String>,
}

/// Resolves a key path that starts at `type_name`. A path that ends at a reference is expanded while the type referred to
/// has exactly one field, or a primary key of exactly one path; a trailing `!` stops that.
///
/// # Errors
/// [`Error::Path`] if a type or field is unknown, a record on the way is no OBJECT, or an expansion is ambiguous.
pub fn resolve_key_path<S: SchemaLookup + ?Sized>(
    schemas: &S,
    type_name: &str,
    path: &str,
) -> Result<KeyPath> {
    let error = |reason: String| Error::Path {
        type_name: type_name.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let (named, expand) = match path.strip_suffix('!') {
        Some(named) => (named, false),
        None => (path, true),
    };
    let mut pending: Vec<String> = named.split('.').rev().map(str::to_owned).collect();
    let mut resolved = KeyPath {
        text: String::new(),
        fields: Vec::new(),
        types: Vec::new(),
        field_type: FieldType::Reference,
    };
    let mut current = type_name.to_owned();
    while let Some(name) = pending.pop() {
        if resolved.types.len() > MAX_STEPS {
            return Err(error("it expands without end".to_owned()));
        }
        let schema = schemas
            .schema_of(&current)
            .ok_or_else(|| error(format!("type {current} is unknown")))?;
        let object = schema
            .as_object()
            .ok_or_else(|| error(format!("{current} is a {}, not an OBJECT", schema.kind())))?;
        let index = object
            .field_index(&name)
            .ok_or_else(|| error(format!("{current} has no field `{name}`")))?;
        let field = &object.fields[index];
        if !resolved.text.is_empty() {
            resolved.text.push('.');
        }
        resolved.text.push_str(&name);
        resolved.fields.push(index);
        resolved.types.push(current.clone());
        resolved.field_type = field.field_type;
        let Some(referenced) = &field.referenced_type else {
            if pending.is_empty() {
                return Ok(resolved);
            }
            return Err(error(format!(
                "field `{name}` of {current} is no reference"
            )));
        };
        current.clone_from(referenced);
        if pending.is_empty() && expand {
            pending = expansion(schemas, referenced).map_err(error)?;
        }
    }
    Ok(resolved)
}

/// Deeper than any real path; expansions through types that refer to themselves must end.
const MAX_STEPS: usize = 64;

/// The names, last first, by which a path that ends at a record of `type_name` goes on.
fn expansion<S: SchemaLookup + ?Sized>(
    schemas: &S,
    type_name: &str,
) -> Result<Vec<String>, String> {
    let schema = schemas
        .schema_of(type_name)
        .ok_or_else(|| format!("type {type_name} is unknown"))?;
    let object = schema
        .as_object()
        .ok_or_else(|| format!("{type_name} is a {}, not an OBJECT", schema.kind()))?;
    match (object.fields.as_slice(), object.primary_key.as_deref()) {
        ([field], _) => Ok(vec![field.name.clone()]),
        (_, Some([path])) => Ok(path
            .trim_end_matches('!')
            .split('.')
            .rev()
            .map(str::to_owned)
            .collect()),
        _ => Err(format!(
            "{type_name} has neither one field nor a primary key of one path to expand to"
        )),
    }
}

/// Resolves a path of an index, which may lead through collections by the words `element`, `key` and `value`. The empty
/// path is the record itself. Nothing is expanded: a path that ends at a record stands for its ordinal.
///
/// # Errors
/// [`Error::Path`] if a type or field is unknown or a word does not fit the kind of the type.
pub fn resolve_traversal_path<S: SchemaLookup + ?Sized>(
    schemas: &S,
    type_name: &str,
    path: &str,
) -> Result<TraversalPath> {
    let error = |reason: String| Error::Path {
        type_name: type_name.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let named = path.strip_suffix('!').unwrap_or(path);
    let mut resolved = TraversalPath {
        text: named.to_owned(),
        steps: Vec::new(),
        types: Vec::new(),
        field_type: FieldType::Reference,
        end_type: Some(type_name.to_owned()),
    };
    for name in named.split('.').filter(|name| !name.is_empty()) {
        let Some(current) = resolved.end_type.take() else {
            return Err(error(format!(
                "`{name}` follows a field that is no reference"
            )));
        };
        let schema = schemas
            .schema_of(&current)
            .ok_or_else(|| error(format!("type {current} is unknown")))?;
        let no_such = || {
            error(format!(
                "{current} is a {} and has no `{name}`",
                schema.kind()
            ))
        };
        let (step, end_type) = match (schema, name) {
            (Schema::Object(object), _) => {
                let index = object.field_index(name).ok_or_else(no_such)?;
                resolved.field_type = object.fields[index].field_type;
                (
                    Step::Field(index),
                    object.fields[index].referenced_type.clone(),
                )
            }
            (Schema::List(list), "element") => (Step::Element, Some(list.element_type.clone())),
            (Schema::Set(set), "element") => (Step::Element, Some(set.element_type.clone())),
            (Schema::Map(map), "key") => (Step::Key, Some(map.key_type.clone())),
            (Schema::Map(map), "value") => (Step::Value, Some(map.value_type.clone())),
            _ => return Err(no_such()),
        };
        if end_type.is_some() {
            resolved.field_type = FieldType::Reference;
        }
        resolved.steps.push(step);
        resolved.types.push(current);
        resolved.end_type = end_type;
    }
    Ok(resolved)
}
