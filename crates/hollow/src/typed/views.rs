//! Lists, sets and maps as they lie in a state.

use super::{HollowRecord, Lazy};
use crate::Ordinal;
use crate::read::{ListView, MapView, SetView};
use std::fmt;

/// A LIST as it lies in a state.
pub struct List<'a, T: HollowRecord> {
    pub(super) view: ListView<'a>,
    pub(super) elements: &'a Lazy<T>,
}

impl<'a, T: HollowRecord> List<'a, T> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.view.is_empty()
    }

    /// The ordinals of the elements, in order.
    pub fn ordinals(&self) -> impl ExactSizeIterator<Item = Ordinal> + Clone + use<'a, T> {
        self.view.iter()
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<T::View<'a>> {
        T::view(self.elements.get(), self.view.get(index)?)
    }

    /// The elements, in order. An ordinal that holds no record is passed over.
    pub fn iter(&self) -> impl Iterator<Item = T::View<'a>> + use<'a, T> {
        let elements = self.elements.get();
        self.view
            .iter()
            .filter_map(|ordinal| T::view(elements, ordinal))
    }
}

/// A SET as it lies in a state.
pub struct Set<'a, T: HollowRecord> {
    pub(super) view: SetView<'a>,
    pub(super) elements: &'a Lazy<T>,
}

impl<'a, T: HollowRecord> Set<'a, T> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.view.is_empty()
    }

    /// The ordinals of the elements, in the order of their buckets.
    pub fn ordinals(&self) -> impl Iterator<Item = Ordinal> + Clone + use<'a, T> {
        self.view.iter()
    }

    /// The elements, in the order of their buckets. An ordinal that holds no record is passed over.
    pub fn iter(&self) -> impl Iterator<Item = T::View<'a>> + use<'a, T> {
        let elements = self.elements.get();
        self.view
            .iter()
            .filter_map(|ordinal| T::view(elements, ordinal))
    }
}

/// A MAP as it lies in a state.
pub struct Map<'a, K: HollowRecord, V: HollowRecord> {
    pub(super) view: MapView<'a>,
    pub(super) keys: &'a Lazy<K>,
    pub(super) values: &'a Lazy<V>,
}

impl<'a, K: HollowRecord, V: HollowRecord> Map<'a, K, V> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.view.is_empty()
    }

    /// The ordinals of keys and values, in the order of their buckets.
    pub fn ordinals(&self) -> impl Iterator<Item = (Ordinal, Ordinal)> + Clone + use<'a, K, V> {
        self.view.iter()
    }

    /// The entries, in the order of their buckets. An ordinal that holds no record is passed over.
    pub fn iter(&self) -> impl Iterator<Item = (K::View<'a>, V::View<'a>)> + use<'a, K, V> {
        let (keys, values) = (self.keys.get(), self.values.get());
        self.view
            .iter()
            .filter_map(|(key, value)| Some((K::view(keys, key)?, V::view(values, value)?)))
    }
}

macro_rules! debug {
    ($($name:ident<$($param:ident),*>;)*) => {
        $(impl<$($param: HollowRecord),*> fmt::Debug for $name<'_, $($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.len()).finish()
            }
        }

        impl<$($param: HollowRecord),*> Clone for $name<'_, $($param),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($param: HollowRecord),*> Copy for $name<'_, $($param),*> {})*
    };
}

debug! {
    List<T>;
    Set<T>;
    Map<K, V>;
}
