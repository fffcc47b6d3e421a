//! Fields that may be null, and fields behind a pointer.

use super::{FieldOptions, HollowField, SchemaSet};
use crate::error::Result;
use crate::read::{ObjectView, ReadState};
use crate::record::ObjectRecord;
use crate::schema::FieldType;
use crate::write::WriteState;
use std::sync::Arc;

impl<F: HollowField> HollowField for Option<F> {
    type Writer = F::Writer;
    type Binding = F::Binding;
    type View<'a> = F::View<'a>;

    fn field_type(options: &FieldOptions, schemas: &mut SchemaSet) -> (FieldType, Option<String>) {
        F::field_type(options, schemas)
    }

    fn set(
        &self,
        options: &FieldOptions,
        record: &mut ObjectRecord,
        field: usize,
        writer: &mut F::Writer,
        state: &mut WriteState,
    ) -> Result<()> {
        match self {
            Some(value) => value.set(options, record, field, writer, state),
            None => {
                record.set_null(field);
                Ok(())
            }
        }
    }

    fn bind(options: &FieldOptions, state: &ReadState) -> F::Binding {
        F::bind(options, state)
    }

    #[inline]
    fn get<'a>(
        binding: &'a F::Binding,
        record: &ObjectView<'a>,
        field: usize,
    ) -> Option<F::View<'a>> {
        F::get(binding, record, field)
    }

    fn read(binding: &F::Binding, record: &ObjectView<'_>, field: usize) -> Result<Option<Self>> {
        F::read(binding, record, field).map(|value| value.map(Some))
    }

    fn null() -> Option<Self> {
        Some(None)
    }
}

impl<F: HollowField> HollowField for Arc<F> {
    type Writer = Option<Box<F::Writer>>;
    type Binding = F::Binding;
    type View<'a> = F::View<'a>;

    fn field_type(options: &FieldOptions, schemas: &mut SchemaSet) -> (FieldType, Option<String>) {
        F::field_type(options, schemas)
    }

    fn set(
        &self,
        options: &FieldOptions,
        record: &mut ObjectRecord,
        field: usize,
        writer: &mut Self::Writer,
        state: &mut WriteState,
    ) -> Result<()> {
        (**self).set(
            options,
            record,
            field,
            writer.get_or_insert_default(),
            state,
        )
    }

    fn bind(options: &FieldOptions, state: &ReadState) -> F::Binding {
        F::bind(options, state)
    }

    #[inline]
    fn get<'a>(
        binding: &'a F::Binding,
        record: &ObjectView<'a>,
        field: usize,
    ) -> Option<F::View<'a>> {
        F::get(binding, record, field)
    }

    fn read(binding: &F::Binding, record: &ObjectView<'_>, field: usize) -> Result<Option<Self>> {
        F::read(binding, record, field).map(|value| value.map(Arc::new))
    }
}
