//! Lists, sets and maps of records.
//!
//! Elements are added in an order that is the same in every run, also those of hashed collections: the ordinals that new
//! records get must not depend on a random hash.

use super::{
    FieldOptions, HollowField, HollowRecord, Lazy, List, Map, SchemaSet, Set, missing,
    type_id_named,
};
use crate::Ordinal;
use crate::error::Result;
use crate::read::{ObjectView, ReadState, TypeState};
use crate::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};
use crate::schema::{FieldType, ListSchema, MapSchema, Schema, SetSchema};
use crate::write::{TypeId, WriteState};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// Records of a collection type and of its elements.
pub struct ElementsBinding<T: HollowRecord> {
    records: Option<TypeState>,
    elements: Lazy<T>,
}

/// Records of a MAP type, of its keys and values.
pub struct EntriesBinding<K: HollowRecord, V: HollowRecord> {
    records: Option<TypeState>,
    keys: Lazy<K>,
    values: Lazy<V>,
}

/// Type id and buffers of a collection of elements.
pub struct ElementsWriter<R, T: HollowRecord> {
    type_id: Option<TypeId>,
    record: R,
    element: Option<Box<T::Writer>>,
}

impl<R: Default, T: HollowRecord> Default for ElementsWriter<R, T> {
    fn default() -> Self {
        Self {
            type_id: None,
            record: R::default(),
            element: None,
        }
    }
}

/// Type id and buffers of a map.
pub struct EntriesWriter<K: HollowRecord, V: HollowRecord> {
    type_id: Option<TypeId>,
    record: MapRecord,
    key: Option<Box<K::Writer>>,
    value: Option<Box<V::Writer>>,
}

impl<K: HollowRecord, V: HollowRecord> Default for EntriesWriter<K, V> {
    fn default() -> Self {
        Self {
            type_id: None,
            record: MapRecord::new(),
            key: None,
            value: None,
        }
    }
}

/// What lists, sets and maps of records have in common: records whose type depends on the options of the field that
/// holds them. As elements of other collections they have the default ones.
pub trait Collection: Sized + 'static {
    /// Type id and buffers.
    type Writer: Default;
    /// Records of the collection and of its elements.
    type Binding: Send + Sync;
    /// A collection as it lies in a state.
    type View<'a>;

    /// The name of the Hollow type.
    fn name(options: &FieldOptions) -> String;

    /// Registers the schema, behind those of the elements.
    fn register(options: &FieldOptions, schemas: &mut SchemaSet);

    /// Adds the elements and gives the collection's serialized record.
    ///
    /// # Errors
    /// As [`HollowRecord::record`].
    fn record<'w>(
        &self,
        options: &FieldOptions,
        writer: &'w mut Self::Writer,
        state: &mut WriteState,
    ) -> Result<(TypeId, &'w [u8])>;

    /// Looks up names once.
    fn bind(options: &FieldOptions, state: &ReadState) -> Self::Binding;

    /// The records of the collection's type.
    fn records(binding: &Self::Binding) -> Option<&TypeState>;

    /// A record as it lies in the state; `None` if there is none.
    fn view(binding: &Self::Binding, ordinal: Ordinal) -> Option<Self::View<'_>>;

    /// A record as a value.
    ///
    /// # Errors
    /// As [`HollowRecord::read`].
    fn own(binding: &Self::Binding, ordinal: Ordinal) -> Result<Self>;
}

/// The options of a collection that is an element.
const ELEMENT: FieldOptions = FieldOptions {
    shared: false,
    type_name: None,
    hash_key: None,
};

fn named(options: &FieldOptions, default: impl FnOnce() -> String) -> String {
    options.type_name.map_or_else(default, str::to_owned)
}

fn no_record(type_name: &str, ordinal: Ordinal) -> crate::Error {
    missing(type_name, &format!("(ordinal {ordinal})"))
}

impl<T: HollowRecord> Collection for Vec<T> {
    type Writer = ElementsWriter<ListRecord, T>;
    type Binding = ElementsBinding<T>;
    type View<'a> = List<'a, T>;

    fn name(options: &FieldOptions) -> String {
        named(options, || format!("ListOf{}", T::type_name()))
    }

    fn register(options: &FieldOptions, schemas: &mut SchemaSet) {
        T::register(schemas);
        let element_type = T::type_name();
        schemas.push(Schema::List(ListSchema {
            name: Self::name(options),
            element_type,
        }));
    }

    fn record<'w>(
        &self,
        options: &FieldOptions,
        writer: &'w mut Self::Writer,
        state: &mut WriteState,
    ) -> Result<(TypeId, &'w [u8])> {
        let type_id = type_id_named(&mut writer.type_id, state, || Self::name(options))?;
        writer.record.reset();
        let element_writer = writer.element.get_or_insert_default();
        for element in self {
            writer.record.push(element.add(element_writer, state)?);
        }
        Ok((type_id, writer.record.bytes()))
    }

    fn bind(options: &FieldOptions, state: &ReadState) -> Self::Binding {
        ElementsBinding {
            records: state.type_state(&Self::name(options)).cloned(),
            elements: Lazy::new(state),
        }
    }

    fn records(binding: &Self::Binding) -> Option<&TypeState> {
        binding.records.as_ref()
    }

    fn view(binding: &Self::Binding, ordinal: Ordinal) -> Option<List<'_, T>> {
        let view = binding.records.as_ref()?.list(ordinal)?;
        Some(List {
            view,
            elements: &binding.elements,
        })
    }

    fn own(binding: &Self::Binding, ordinal: Ordinal) -> Result<Self> {
        let list = <Self as Collection>::view(binding, ordinal)
            .ok_or_else(|| no_record(&Self::name(&ELEMENT), ordinal))?;
        list.ordinals()
            .map(|element| T::read(list.elements.get(), element))
            .collect()
    }
}

/// Both kinds of sets.
fn set_name<T: HollowRecord>(options: &FieldOptions) -> String {
    named(options, || format!("SetOf{}", T::type_name()))
}

fn register_set<T: HollowRecord>(options: &FieldOptions, schemas: &mut SchemaSet) {
    T::register(schemas);
    let element_type = T::type_name();
    let hash_key = schemas.hash_key(options, &element_type);
    schemas.push(Schema::Set(SetSchema {
        name: set_name::<T>(options),
        element_type,
        hash_key,
    }));
}

fn set_record<'v, 'w, T: HollowRecord>(
    elements: impl Iterator<Item = &'v T>,
    options: &FieldOptions,
    writer: &'w mut ElementsWriter<SetRecord, T>,
    state: &mut WriteState,
) -> Result<(TypeId, &'w [u8])> {
    let type_id = type_id_named(&mut writer.type_id, state, || set_name::<T>(options))?;
    writer.record.reset();
    let element_writer = writer.element.get_or_insert_default();
    for element in elements {
        writer.record.insert(element.add(element_writer, state)?);
    }
    Ok((type_id, writer.record.bytes()))
}

/// Both kinds of maps.
fn map_name<K: HollowRecord, V: HollowRecord>(options: &FieldOptions) -> String {
    named(options, || {
        format!("MapOf{}To{}", K::type_name(), V::type_name())
    })
}

fn register_map<K: HollowRecord, V: HollowRecord>(options: &FieldOptions, schemas: &mut SchemaSet) {
    K::register(schemas);
    V::register(schemas);
    let (key_type, value_type) = (K::type_name(), V::type_name());
    let hash_key = schemas.hash_key(options, &key_type);
    schemas.push(Schema::Map(MapSchema {
        name: map_name::<K, V>(options),
        key_type,
        value_type,
        hash_key,
    }));
}

fn map_record<'v, 'w, K: HollowRecord, V: HollowRecord>(
    entries: impl Iterator<Item = (&'v K, &'v V)>,
    options: &FieldOptions,
    writer: &'w mut EntriesWriter<K, V>,
    state: &mut WriteState,
) -> Result<(TypeId, &'w [u8])> {
    let type_id = type_id_named(&mut writer.type_id, state, || map_name::<K, V>(options))?;
    writer.record.reset();
    let key_writer = writer.key.get_or_insert_default();
    let value_writer = writer.value.get_or_insert_default();
    for (key, value) in entries {
        let key = key.add(key_writer, state)?;
        writer.record.insert(key, value.add(value_writer, state)?);
    }
    Ok((type_id, writer.record.bytes()))
}

macro_rules! set {
    ([$($generics:tt)*] $set:ty, |$this:ident| $sorted:expr) => {
        impl<$($generics)*> Collection for $set {
            type Writer = ElementsWriter<SetRecord, T>;
            type Binding = ElementsBinding<T>;
            type View<'a> = Set<'a, T>;

            fn name(options: &FieldOptions) -> String {
                set_name::<T>(options)
            }

            fn register(options: &FieldOptions, schemas: &mut SchemaSet) {
                register_set::<T>(options, schemas);
            }

            fn record<'w>(
                &self,
                options: &FieldOptions,
                writer: &'w mut Self::Writer,
                state: &mut WriteState,
            ) -> Result<(TypeId, &'w [u8])> {
                let $this = self;
                set_record($sorted, options, writer, state)
            }

            fn bind(options: &FieldOptions, state: &ReadState) -> Self::Binding {
                let records = state.type_state(&set_name::<T>(options)).cloned();
                ElementsBinding { records, elements: Lazy::new(state) }
            }

            fn records(binding: &Self::Binding) -> Option<&TypeState> {
                binding.records.as_ref()
            }

            fn view(binding: &Self::Binding, ordinal: Ordinal) -> Option<Set<'_, T>> {
                let view = binding.records.as_ref()?.set(ordinal)?;
                Some(Set { view, elements: &binding.elements })
            }

            fn own(binding: &Self::Binding, ordinal: Ordinal) -> Result<Self> {
                let set = <Self as Collection>::view(binding, ordinal)
                    .ok_or_else(|| no_record(&set_name::<T>(&ELEMENT), ordinal))?;
                set.ordinals().map(|element| T::read(set.elements.get(), element)).collect()
            }
        }
    };
}

macro_rules! map {
    ([$($generics:tt)*] $map:ty, |$this:ident| $sorted:expr) => {
        impl<$($generics)*> Collection for $map {
            type Writer = EntriesWriter<K, V>;
            type Binding = EntriesBinding<K, V>;
            type View<'a> = Map<'a, K, V>;

            fn name(options: &FieldOptions) -> String {
                map_name::<K, V>(options)
            }

            fn register(options: &FieldOptions, schemas: &mut SchemaSet) {
                register_map::<K, V>(options, schemas);
            }

            fn record<'w>(
                &self,
                options: &FieldOptions,
                writer: &'w mut Self::Writer,
                state: &mut WriteState,
            ) -> Result<(TypeId, &'w [u8])> {
                let $this = self;
                map_record($sorted, options, writer, state)
            }

            fn bind(options: &FieldOptions, state: &ReadState) -> Self::Binding {
                let records = state.type_state(&map_name::<K, V>(options)).cloned();
                EntriesBinding { records, keys: Lazy::new(state), values: Lazy::new(state) }
            }

            fn records(binding: &Self::Binding) -> Option<&TypeState> {
                binding.records.as_ref()
            }

            fn view(binding: &Self::Binding, ordinal: Ordinal) -> Option<Map<'_, K, V>> {
                let view = binding.records.as_ref()?.map(ordinal)?;
                Some(Map { view, keys: &binding.keys, values: &binding.values })
            }

            fn own(binding: &Self::Binding, ordinal: Ordinal) -> Result<Self> {
                let map = <Self as Collection>::view(binding, ordinal)
                    .ok_or_else(|| no_record(&map_name::<K, V>(&ELEMENT), ordinal))?;
                map.ordinals()
                    .map(|(key, value)| Ok((K::read(map.keys.get(), key)?, V::read(map.values.get(), value)?)))
                    .collect()
            }
        }
    };
}

set!([T: HollowRecord + Ord] BTreeSet<T>, |this| this.iter());
set!([T: HollowRecord + Ord + Hash, S: BuildHasher + Default + 'static] HashSet<T, S>, |this| {
    let mut sorted: Vec<&T> = this.iter().collect();
    sorted.sort_unstable();
    sorted.into_iter()
});
map!([K: HollowRecord + Ord, V: HollowRecord] BTreeMap<K, V>, |this| this.iter());
map!([K: HollowRecord + Ord + Hash, V: HollowRecord, S: BuildHasher + Default + 'static] HashMap<K, V, S>, |this| {
    let mut sorted: Vec<(&K, &V)> = this.iter().collect();
    sorted.sort_unstable_by_key(|entry| entry.0);
    sorted.into_iter()
});

macro_rules! record_and_field {
    ($([$($generics:tt)*] $collection:ty;)*) => {
        $(impl<$($generics)*> HollowRecord for $collection {
            type Writer = <Self as Collection>::Writer;
            type Binding = <Self as Collection>::Binding;
            type View<'a> = <Self as Collection>::View<'a>;

            fn type_name() -> String {
                <Self as Collection>::name(&ELEMENT)
            }

            fn register(schemas: &mut SchemaSet) {
                <Self as Collection>::register(&ELEMENT, schemas);
            }

            fn record<'w>(
                &self,
                writer: &'w mut <Self as Collection>::Writer,
                state: &mut WriteState,
            ) -> Result<(TypeId, &'w [u8])> {
                Collection::record(self, &ELEMENT, writer, state)
            }

            fn bind(state: &ReadState) -> <Self as Collection>::Binding {
                <Self as Collection>::bind(&ELEMENT, state)
            }

            fn records(binding: &<Self as Collection>::Binding) -> Option<&TypeState> {
                <Self as Collection>::records(binding)
            }

            fn view(
                binding: &<Self as Collection>::Binding,
                ordinal: Ordinal,
            ) -> Option<<Self as Collection>::View<'_>> {
                <Self as Collection>::view(binding, ordinal)
            }

            fn read(binding: &<Self as Collection>::Binding, ordinal: Ordinal) -> Result<Self> {
                <Self as Collection>::own(binding, ordinal)
            }
        }

        impl<$($generics)*> HollowField for $collection {
            type Writer = <Self as Collection>::Writer;
            type Binding = <Self as Collection>::Binding;
            type View<'a> = <Self as Collection>::View<'a>;

            fn field_type(options: &FieldOptions, schemas: &mut SchemaSet) -> (FieldType, Option<String>) {
                <Self as Collection>::register(options, schemas);
                (FieldType::Reference, Some(<Self as Collection>::name(options)))
            }

            fn set(
                &self,
                options: &FieldOptions,
                record: &mut ObjectRecord,
                field: usize,
                writer: &mut <Self as Collection>::Writer,
                state: &mut WriteState,
            ) -> Result<()> {
                let (type_id, collection) = Collection::record(self, options, writer, state)?;
                record.set_reference(field, state.add(type_id, collection)?);
                Ok(())
            }

            fn bind(options: &FieldOptions, state: &ReadState) -> <Self as Collection>::Binding {
                <Self as Collection>::bind(options, state)
            }

            fn get<'a>(
                binding: &'a <Self as Collection>::Binding,
                record: &ObjectView<'a>,
                field: usize,
            ) -> Option<<Self as Collection>::View<'a>> {
                <Self as Collection>::view(binding, record.reference(field)?)
            }

            fn read(
                binding: &<Self as Collection>::Binding,
                record: &ObjectView<'_>,
                field: usize,
            ) -> Result<Option<Self>> {
                record.reference(field).map(|ordinal| <Self as Collection>::own(binding, ordinal)).transpose()
            }
        })*
    };
}

record_and_field! {
    [T: HollowRecord] Vec<T>;
    [T: HollowRecord + Ord] BTreeSet<T>;
    [T: HollowRecord + Ord + Hash, S: BuildHasher + Default + 'static] HashSet<T, S>;
    [K: HollowRecord + Ord, V: HollowRecord] BTreeMap<K, V>;
    [K: HollowRecord + Ord + Hash, V: HollowRecord, S: BuildHasher + Default + 'static] HashMap<K, V, S>;
}
