//! What of a snapshot a reader wants (format section 10.5).

use crate::schema::{ObjectSchema, Schema};
use std::collections::{BTreeMap, BTreeSet};

/// Chooses the types and fields to load; the bytes of the others are passed over. A filter holds for the snapshot, and
/// so for all states that deltas make from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    only: Option<BTreeSet<String>>,
    without: BTreeSet<String>,
    without_fields: BTreeMap<String, BTreeSet<String>>,
}

impl Filter {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Leaves out a type.
    pub fn exclude_type(mut self, type_name: impl Into<String>) -> Self {
        self.without.insert(type_name.into());
        self
    }

    /// Leaves out every type but these.
    pub fn only_types<T: Into<String>>(mut self, type_names: impl IntoIterator<Item = T>) -> Self {
        self.only = Some(type_names.into_iter().map(Into::into).collect());
        self
    }

    /// Leaves out a field of an OBJECT type. The primary key stays in the schema as it is.
    pub fn exclude_field(mut self, type_name: impl Into<String>, field: impl Into<String>) -> Self {
        self.without_fields
            .entry(type_name.into())
            .or_default()
            .insert(field.into());
        self
    }

    /// Whether the type is wanted.
    pub fn includes(&self, type_name: &str) -> bool {
        !self.without.contains(type_name)
            && self
                .only
                .as_ref()
                .is_none_or(|only| only.contains(type_name))
    }

    /// The schema without the fields that are not wanted.
    pub(crate) fn cut(&self, schema: &Schema) -> Schema {
        match (schema, self.without_fields.get(schema.name())) {
            (Schema::Object(object), Some(without)) => Schema::Object(ObjectSchema {
                fields: object
                    .fields
                    .iter()
                    .filter(|field| !without.contains(&field.name))
                    .cloned()
                    .collect(),
                ..object.clone()
            }),
            _ => schema.clone(),
        }
    }
}
