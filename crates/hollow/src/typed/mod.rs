//! Rust types as records: what `#[derive(HollowRecord)]` builds on.
//!
//! The derive turns a struct into an OBJECT schema, writes values into a [`WriteState`] and reads them back in two ways:
//! by a borrowing view, whose accessors read single fields from the packed rows without allocation, and as an owned
//! value. Field names become `lowerCamelCase`, as Java programs have them, unless a name is given.
//!
//! | Rust | Hollow |
//! | --- | --- |
//! | `i32`, `i64`, `bool`, `f32`, `f64` | INT, LONG, BOOLEAN, FLOAT, DOUBLE |
//! | `String`, an enum of unit variants | STRING, in the record itself |
//! | the same under `#[hollow(shared)]` | REFERENCE to `String`, `Integer`, ... with one field `value` (enums: `_name`) |
//! | `Vec<u8>` | BYTES |
//! | [`SystemTime`](std::time::SystemTime) | LONG, milliseconds since the epoch |
//! | another struct that derives | REFERENCE |
//! | `Vec<T>`, `BTreeSet<T>`, `BTreeMap<K, V>` (and the hashed ones) | REFERENCE to `ListOfT`, `SetOfT`, `MapOfKToV` |
//! | `Option<T>`, `Arc<T>` | as `T`; `None` is null. A type refers to itself through `Vec<T>` or `Option<Arc<T>>` |
//!
//! Attributes of a struct or enum: `name = "..."` (its type name), `key("path", ...)` (the primary key). Of a field or
//! variant: `name = "..."`. Of a field: `shared`; `type_name = "..."` and `hash_key("path", ...)` for collections. A set
//! or map without a hash key of its own takes Hollow's default: the primary key of its element or key type, or that
//! type's only field.
//!
//! `i32::MIN` and `i64::MIN` are Hollow's nulls and cannot be stored.
//!
//! ```
//! use hollow::typed::{self, HollowRecord};
//! use hollow::write::{WriteOptions, WriteState};
//! use std::collections::{BTreeMap, BTreeSet};
//!
//! #[derive(HollowRecord, Debug, PartialEq, Clone, Copy)]
//! enum Kind { Movie, Show }
//!
//! #[derive(HollowRecord, Debug, PartialEq)]
//! #[hollow(key("id"))]
//! struct Title {
//!     id: i64,
//!     kind: Kind,
//!     original_name: Option<String>,
//!     #[hollow(hash_key("value"))]
//!     countries: BTreeSet<String>,
//! }
//!
//! let mut state = WriteState::new(typed::schemas::<Title>()?, WriteOptions::default())?;
//! let mut titles = typed::Writer::<Title>::new();
//! state.begin_total();
//! let title = Title {
//!     id: 1,
//!     kind: Kind::Movie,
//!     original_name: Some("The Matrix".into()),
//!     countries: BTreeSet::from(["AU".into(), "US".into()]),
//! };
//! let ordinal = titles.add(&mut state, &title)?;
//! state.seal(7 << 33, BTreeMap::new())?;
//! let state = state.commit()?.clone();
//!
//! let reader = typed::Reader::<Title>::new(&state);
//! let view = reader.get(ordinal).ok_or("no title")?;
//! assert!(view.original_name().is_some_and(|name| name == "The Matrix"));
//! assert_eq!(view.countries().map(|countries| countries.len()), Some(2));
//! assert_eq!(reader.read(ordinal)?, title);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collections;
mod scalar;
mod schemas;
mod views;
mod wrapped;

pub use collections::Collection;
#[doc(hidden)]
pub use collections::{ElementsBinding, ElementsWriter, EntriesBinding, EntriesWriter};
pub use hollow_derive::HollowRecord;
pub use scalar::Scalar;
#[doc(hidden)]
pub use scalar::{ScalarBinding, ScalarWriter};
pub use schemas::{SchemaSet, schemas, schemas_of};
pub use views::{List, Map, Set};

use crate::Ordinal;
use crate::error::{Error, Result};
use crate::read::{ObjectView, ReadState, TypeState};
use crate::record::ObjectRecord;
use crate::schema::{FieldType, Schema};
use crate::write::{TypeId, Upserted, WriteState};
use std::sync::OnceLock;

/// A Rust type whose values are records of a type of their own. Derived for structs; scalars and collections are records
/// where they are elements.
pub trait HollowRecord: Sized + 'static {
    /// What adding values keeps between calls: type ids and buffers.
    type Writer: Default;
    /// What reading needs to know of one state: records and positions of fields.
    type Binding: Send + Sync;
    /// A value as it lies in a state.
    type View<'a>;

    /// The name of the Hollow type.
    fn type_name() -> String;

    /// Registers the schemas of the type, those that it refers to first.
    fn register(schemas: &mut SchemaSet);

    /// Adds what the value refers to and gives its own serialized record.
    ///
    /// # Errors
    /// [`Error::UnknownType`] if the writer lacks a type; what [`WriteState::add`] refuses.
    fn record<'w>(
        &self,
        writer: &'w mut Self::Writer,
        state: &mut WriteState,
    ) -> Result<(TypeId, &'w [u8])>;

    /// Adds the value with all that it refers to.
    ///
    /// # Errors
    /// As [`Self::record`].
    fn add(&self, writer: &mut Self::Writer, state: &mut WriteState) -> Result<Ordinal> {
        let (type_id, record) = self.record(writer, state)?;
        state.add(type_id, record)
    }

    /// Looks up names once. Types and fields that the state lacks read as null.
    fn bind(state: &ReadState) -> Self::Binding;

    /// The records of the type.
    fn records(binding: &Self::Binding) -> Option<&TypeState>;

    /// A record as it lies in the state; `None` if there is none.
    fn view(binding: &Self::Binding, ordinal: Ordinal) -> Option<Self::View<'_>>;

    /// A record as a value.
    ///
    /// # Errors
    /// [`Error::MissingValue`] for a record that is not there, and for a null where the type is no `Option`.
    fn read(binding: &Self::Binding, ordinal: Ordinal) -> Result<Self>;
}

/// A Rust type that a field can have.
pub trait HollowField: Sized + 'static {
    /// What setting fields keeps between calls.
    type Writer: Default;
    /// What reading fields needs to know of one state.
    type Binding: Send + Sync;
    /// A field's value as it lies in a state.
    type View<'a>;

    /// The type of the field and the type that it refers to, which is registered.
    fn field_type(options: &FieldOptions, schemas: &mut SchemaSet) -> (FieldType, Option<String>);

    /// Sets a field, after adding what it refers to.
    ///
    /// # Errors
    /// As [`HollowRecord::record`].
    fn set(
        &self,
        options: &FieldOptions,
        record: &mut ObjectRecord,
        field: usize,
        writer: &mut Self::Writer,
        state: &mut WriteState,
    ) -> Result<()>;

    /// Looks up names once.
    fn bind(options: &FieldOptions, state: &ReadState) -> Self::Binding;

    /// The field as it lies in the state; `None` for null, and where the state has no such field.
    fn get<'a>(
        binding: &'a Self::Binding,
        record: &ObjectView<'a>,
        field: usize,
    ) -> Option<Self::View<'a>>;

    /// The field as a value; `None` as for [`Self::get`].
    ///
    /// # Errors
    /// As [`HollowRecord::read`].
    fn read(binding: &Self::Binding, record: &ObjectView<'_>, field: usize)
    -> Result<Option<Self>>;

    /// The value of a field that is null; `None` where that is no value of the type.
    fn null() -> Option<Self> {
        None
    }
}

/// The attributes of a field.
#[derive(Debug, Clone, Copy, Default)]
pub struct FieldOptions {
    /// Whether a scalar is a record of its own, which equal values share.
    pub shared: bool,
    /// The type name of a collection.
    pub type_name: Option<&'static str>,
    /// The hash key of a set or map; an empty one places elements by ordinal.
    pub hash_key: Option<&'static [&'static str]>,
}

/// Adds values of one type to one [`WriteState`]. It keeps buffers and the ids of types, so it must not be used with
/// another one.
#[derive(Debug)]
pub struct Writer<R: HollowRecord> {
    cache: R::Writer,
}

impl<R: HollowRecord> Default for Writer<R> {
    fn default() -> Self {
        Self {
            cache: R::Writer::default(),
        }
    }
}

impl<R: HollowRecord> Writer<R> {
    /// A writer whose buffers are empty yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value with all that it refers to.
    ///
    /// # Errors
    /// [`Error::UnknownType`] if the state lacks a type; what [`WriteState::add`] refuses.
    pub fn add(&mut self, state: &mut WriteState, value: &R) -> Result<Ordinal> {
        value.add(&mut self.cache, state)
    }

    /// Puts a value in the place of the one that has its primary key, or adds it.
    ///
    /// # Errors
    /// As [`Self::add`]; what [`WriteState::upsert`] refuses.
    pub fn upsert(&mut self, state: &mut WriteState, value: &R) -> Result<Upserted> {
        let (type_id, record) = value.record(&mut self.cache, state)?;
        state.upsert(type_id, record)
    }
}

/// Reads values of one type from one state. Names are looked up when it is made, which costs by the schema; it holds on
/// to the state.
#[derive(Debug)]
pub struct Reader<R: HollowRecord> {
    binding: R::Binding,
}

impl<R: HollowRecord> Reader<R> {
    /// For the records of `state`. Types and fields that it lacks read as null.
    #[must_use]
    pub fn new(state: &ReadState) -> Self {
        Self {
            binding: R::bind(state),
        }
    }

    /// The records of the type, if the state has it.
    pub fn records(&self) -> Option<&TypeState> {
        R::records(&self.binding)
    }

    /// A record as it lies in the state; `None` if there is none.
    #[inline]
    pub fn get(&self, ordinal: Ordinal) -> Option<R::View<'_>> {
        R::view(&self.binding, ordinal)
    }

    /// A record as a value.
    ///
    /// # Errors
    /// [`Error::MissingValue`] for a record that is not there, and for a null where the type is no `Option`.
    pub fn read(&self, ordinal: Ordinal) -> Result<R> {
        R::read(&self.binding, ordinal)
    }

    /// All records, by ascending ordinal.
    pub fn iter(&self) -> impl Iterator<Item = (Ordinal, R::View<'_>)> {
        self.records()
            .into_iter()
            .flat_map(TypeState::ordinals)
            .filter_map(|ordinal| Some((ordinal, self.get(ordinal)?)))
    }
}

/// The id of a type, looked up once.
///
/// # Errors
/// [`Error::UnknownType`].
pub fn type_id_of<R: HollowRecord>(
    known: &mut Option<TypeId>,
    state: &WriteState,
) -> Result<TypeId> {
    type_id_named(known, state, R::type_name)
}

fn type_id_named(
    known: &mut Option<TypeId>,
    state: &WriteState,
    name: impl FnOnce() -> String,
) -> Result<TypeId> {
    if let Some(known) = known {
        return Ok(*known);
    }
    let name = name();
    let found = state.type_id(&name).ok_or(Error::UnknownType(name))?;
    *known = Some(found);
    Ok(found)
}

/// A builder for records whose fields are those of `R`, in its order.
///
/// # Errors
/// [`Error::IncompatibleSchemas`] if the writer's schema has other fields, or in another order.
pub fn record_of<R: HollowRecord>(
    type_id: TypeId,
    state: &WriteState,
    names: &[&str],
) -> Result<ObjectRecord> {
    match state.schema(type_id) {
        Schema::Object(schema)
            if schema
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .eq(names.iter().copied()) =>
        {
            Ok(ObjectRecord::new(schema))
        }
        other => Err(Error::IncompatibleSchemas {
            type_name: R::type_name(),
            reason: format!("the writer has `{other}`"),
        }),
    }
}

/// The value of a field, or the error that there is none.
///
/// # Errors
/// [`Error::MissingValue`].
pub fn required<F: HollowField>(value: Option<F>, type_name: &str, field: &str) -> Result<F> {
    value
        .or_else(F::null)
        .ok_or_else(|| missing(type_name, field))
}

/// The error that a record or a field's value is not there.
pub fn missing(type_name: &str, field: &str) -> Error {
    Error::MissingValue {
        type_name: type_name.to_owned(),
        field: field.to_owned(),
    }
}

/// A binding that is made when it is first needed, so that types can refer to themselves.
#[derive(Debug)]
pub struct Lazy<R: HollowRecord> {
    state: ReadState,
    binding: OnceLock<Box<R::Binding>>,
}

impl<R: HollowRecord> Lazy<R> {
    /// A binding to `state`.
    pub fn new(state: &ReadState) -> Self {
        Self {
            state: state.clone(),
            binding: OnceLock::new(),
        }
    }

    /// The binding.
    #[inline]
    pub fn get(&self) -> &R::Binding {
        self.binding.get_or_init(|| Box::new(R::bind(&self.state)))
    }
}
