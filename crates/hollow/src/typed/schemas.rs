//! The schemas of Rust types, each after those that it refers to.

use super::{FieldOptions, HollowRecord};
use crate::error::{Error, Result};
use crate::schema::{FieldType, Schema};
use std::any;
use std::collections::HashMap;

/// Schemas in the order in which types are registered: each after those that it refers to, as Hollow's object mapper
/// has them.
#[derive(Debug, Default)]
pub struct SchemaSet {
    schemas: Vec<Schema>,
    started: HashMap<String, any::TypeId>,
    conflict: Option<Error>,
}

impl SchemaSet {
    /// Whether `R`, under this name, is still to be registered. Types that refer to themselves are met again while they
    /// are being registered.
    pub fn start<R: 'static>(&mut self, type_name: &str) -> bool {
        match self
            .started
            .insert(type_name.to_owned(), any::TypeId::of::<R>())
        {
            None => true,
            Some(other) => {
                if other != any::TypeId::of::<R>() {
                    self.conflict(type_name, "two Rust types have this name".to_owned());
                }
                false
            }
        }
    }

    /// Adds a schema whose dependencies are there.
    pub fn push(&mut self, schema: Schema) {
        match self
            .schemas
            .iter()
            .find(|other| other.name() == schema.name())
        {
            None => self.schemas.push(schema),
            Some(other) if *other == schema => {}
            Some(other) => {
                let reason = format!("`{other}` against `{schema}`");
                self.conflict(schema.name(), reason);
            }
        }
    }

    fn conflict(&mut self, type_name: &str, reason: String) {
        self.conflict = Some(Error::IncompatibleSchemas {
            type_name: type_name.to_owned(),
            reason,
        });
    }

    fn default_hash_key(&self, element_type: &str) -> Option<Vec<String>> {
        let element = self
            .schemas
            .iter()
            .find(|schema| schema.name() == element_type)?
            .as_object()?;
        match (&element.primary_key, element.fields.as_slice()) {
            (Some(key), _) => Some(key.clone()),
            (None, [field]) if field.field_type != FieldType::Reference => {
                Some(vec![field.name.clone()])
            }
            _ => None,
        }
    }

    pub(super) fn hash_key(
        &self,
        options: &FieldOptions,
        element_type: &str,
    ) -> Option<Vec<String>> {
        match options.hash_key {
            Some([]) => None,
            Some(paths) => Some(paths.iter().map(|path| (*path).to_owned()).collect()),
            None => self.default_hash_key(element_type),
        }
    }
}

/// The schemas of a type and of all that it refers to.
///
/// # Errors
/// [`Error::IncompatibleSchemas`] if two different types have the same name.
pub fn schemas<R: HollowRecord>() -> Result<Vec<Schema>> {
    schemas_of(&[R::register])
}

/// The schemas of several types and of all that they refer to: `schemas_of(&[Title::register, Person::register])`.
///
/// # Errors
/// [`Error::IncompatibleSchemas`] if two different types have the same name.
pub fn schemas_of(types: &[fn(&mut SchemaSet)]) -> Result<Vec<Schema>> {
    let mut set = SchemaSet::default();
    types.iter().for_each(|register| register(&mut set));
    match set.conflict {
        None => Ok(set.schemas),
        Some(conflict) => Err(conflict),
    }
}
