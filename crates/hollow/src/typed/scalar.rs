//! Values without parts: in the record itself, or shared as records of one field.

use super::{FieldOptions, HollowField, HollowRecord, SchemaSet, missing, type_id_of};
use crate::Ordinal;
use crate::error::Result;
use crate::read::{HollowStr, ObjectView, ReadState, TypeState};
use crate::record::ObjectRecord;
use crate::schema::{Field, FieldType, ObjectSchema, Schema};
use crate::write::{TypeId, WriteState};
use std::time::{Duration, SystemTime};

/// A type whose values fit one field that is no reference. Derived for enums of unit variants.
pub trait Scalar: Sized + 'static {
    /// The value as it lies in a state.
    type View<'a>;

    /// What a field of such values is.
    const FIELD: FieldType;
    /// The name of the type whose records are shared values.
    const BOXED: &'static str;
    /// The name of its one field.
    const BOXED_FIELD: &'static str = "value";

    /// Sets a field.
    fn put(&self, record: &mut ObjectRecord, field: usize);

    /// Reads a field.
    fn look<'a>(record: &ObjectView<'a>, field: usize) -> Option<Self::View<'a>>;

    /// The value that a field holds.
    fn own(view: Self::View<'_>) -> Self;
}

macro_rules! numbers {
    ($($rust:ty, $field:ident, $boxed:literal, $set:ident, $get:ident;)*) => {
        $(impl Scalar for $rust {
            type View<'a> = $rust;
            const FIELD: FieldType = FieldType::$field;
            const BOXED: &'static str = $boxed;

            #[inline]
            fn put(&self, record: &mut ObjectRecord, field: usize) {
                record.$set(field, *self);
            }

            #[inline]
            fn look<'a>(record: &ObjectView<'a>, field: usize) -> Option<$rust> {
                record.$get(field)
            }

            #[inline]
            fn own(view: $rust) -> Self {
                view
            }
        })*
    };
}

numbers! {
    i32, Int, "Integer", set_int, int;
    i64, Long, "Long", set_long, long;
    bool, Boolean, "Boolean", set_boolean, boolean;
    f32, Float, "Float", set_float, float;
    f64, Double, "Double", set_double, double;
}

impl Scalar for String {
    type View<'a> = HollowStr<'a>;
    const FIELD: FieldType = FieldType::String;
    const BOXED: &'static str = "String";

    #[inline]
    fn put(&self, record: &mut ObjectRecord, field: usize) {
        record.set_str(field, self);
    }

    #[inline]
    fn look<'a>(record: &ObjectView<'a>, field: usize) -> Option<HollowStr<'a>> {
        record.string(field)
    }

    fn own(view: HollowStr<'_>) -> Self {
        view.to_string()
    }
}

impl Scalar for SystemTime {
    type View<'a> = SystemTime;
    const FIELD: FieldType = FieldType::Long;
    const BOXED: &'static str = "Date";

    fn put(&self, record: &mut ObjectRecord, field: usize) {
        let millis = match self.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            // Rounded down, so that the order of times is kept across the epoch.
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1_000_000);
                i64::try_from(before).map_or(i64::MIN + 1, |before| -before)
            }
        };
        record.set_long(field, millis);
    }

    fn look<'a>(record: &ObjectView<'a>, field: usize) -> Option<SystemTime> {
        let millis = record.long(field)?;
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    fn own(view: SystemTime) -> Self {
        view
    }
}

/// Type id and buffer of shared values.
#[derive(Debug, Default)]
pub struct ScalarWriter {
    type_id: Option<TypeId>,
    record: Option<ObjectRecord>,
}

/// The records of shared values.
#[derive(Debug)]
pub struct ScalarBinding {
    records: Option<TypeState>,
    field: usize,
}

impl<T: Scalar> HollowRecord for T {
    type Writer = ScalarWriter;
    type Binding = ScalarBinding;
    type View<'a> = <T as Scalar>::View<'a>;

    fn type_name() -> String {
        T::BOXED.to_owned()
    }

    fn register(schemas: &mut SchemaSet) {
        if schemas.start::<T>(T::BOXED) {
            let field = Field::new(T::BOXED_FIELD, T::FIELD);
            schemas.push(Schema::Object(ObjectSchema::new(T::BOXED, vec![field])));
        }
    }

    fn record<'w>(
        &self,
        writer: &'w mut ScalarWriter,
        state: &mut WriteState,
    ) -> Result<(TypeId, &'w [u8])> {
        let type_id = type_id_of::<T>(&mut writer.type_id, state)?;
        let record = writer.record.get_or_insert_with(|| {
            ObjectRecord::new(&ObjectSchema::new(
                T::BOXED,
                vec![Field::new(T::BOXED_FIELD, T::FIELD)],
            ))
        });
        record.reset();
        self.put(record, 0);
        Ok((type_id, record.bytes()))
    }

    fn bind(state: &ReadState) -> ScalarBinding {
        let records = state.type_state(T::BOXED).cloned();
        let field = records
            .as_ref()
            .and_then(|records| records.schema().as_object()?.field_index(T::BOXED_FIELD))
            .unwrap_or(usize::MAX);
        ScalarBinding { records, field }
    }

    fn records(binding: &ScalarBinding) -> Option<&TypeState> {
        binding.records.as_ref()
    }

    #[inline]
    fn view(binding: &ScalarBinding, ordinal: Ordinal) -> Option<<T as Scalar>::View<'_>> {
        T::look(&binding.records.as_ref()?.object(ordinal)?, binding.field)
    }

    fn read(binding: &ScalarBinding, ordinal: Ordinal) -> Result<Self> {
        <T as HollowRecord>::view(binding, ordinal)
            .map(T::own)
            .ok_or_else(|| missing(T::BOXED, T::BOXED_FIELD))
    }
}

impl<T: Scalar> HollowField for T {
    type Writer = ScalarWriter;
    /// The records of shared values; `None` where values are in the record itself.
    type Binding = Option<ScalarBinding>;
    type View<'a> = <T as Scalar>::View<'a>;

    fn field_type(options: &FieldOptions, schemas: &mut SchemaSet) -> (FieldType, Option<String>) {
        if !options.shared {
            return (T::FIELD, None);
        }
        <T as HollowRecord>::register(schemas);
        (FieldType::Reference, Some(T::BOXED.to_owned()))
    }

    #[inline]
    fn set(
        &self,
        options: &FieldOptions,
        record: &mut ObjectRecord,
        field: usize,
        writer: &mut ScalarWriter,
        state: &mut WriteState,
    ) -> Result<()> {
        if options.shared {
            record.set_reference(field, self.add(writer, state)?);
        } else {
            self.put(record, field);
        }
        Ok(())
    }

    fn bind(options: &FieldOptions, state: &ReadState) -> Option<ScalarBinding> {
        options.shared.then(|| <T as HollowRecord>::bind(state))
    }

    #[inline]
    fn get<'a>(
        binding: &'a Option<ScalarBinding>,
        record: &ObjectView<'a>,
        field: usize,
    ) -> Option<<T as Scalar>::View<'a>> {
        match binding {
            None => T::look(record, field),
            Some(shared) => <T as HollowRecord>::view(shared, record.reference(field)?),
        }
    }

    fn read(
        binding: &Option<ScalarBinding>,
        record: &ObjectView<'_>,
        field: usize,
    ) -> Result<Option<Self>> {
        Ok(<T as HollowField>::get(binding, record, field).map(T::own))
    }
}

impl HollowField for Vec<u8> {
    type Writer = ();
    type Binding = ();
    type View<'a> = &'a [u8];

    fn field_type(_: &FieldOptions, _: &mut SchemaSet) -> (FieldType, Option<String>) {
        (FieldType::Bytes, None)
    }

    fn set(
        &self,
        _: &FieldOptions,
        record: &mut ObjectRecord,
        field: usize,
        (): &mut (),
        _: &mut WriteState,
    ) -> Result<()> {
        record.set_bytes(field, self);
        Ok(())
    }

    fn bind(_: &FieldOptions, _: &ReadState) {}

    fn get<'a>((): &'a (), record: &ObjectView<'a>, field: usize) -> Option<&'a [u8]> {
        record.bytes(field)
    }

    fn read((): &(), record: &ObjectView<'_>, field: usize) -> Result<Option<Self>> {
        Ok(record.bytes(field).map(<[u8]>::to_vec))
    }
}
