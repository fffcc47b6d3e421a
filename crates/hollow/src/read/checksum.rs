//! `HollowChecksum` (format section 11): the sum by which Java services compare states.
//!
//! It depends on ordinals, bucket positions and shard counts, and is one chain per type, so it can be computed in
//! parallel over types only. It serves interoperation and tests; for everything else there are better sums.

use super::layout::{ObjectShape, Shape, SlotKind};
use super::object::ObjectView;
use super::type_state::TypeState;
use crate::codec::bits;
use crate::codec::hash::{hash_int, hash_long, murmur3};
use crate::schema::{Schema, java_cmp};
use rayon::prelude::*;

/// The accumulator.
#[derive(Clone, Copy, Default)]
struct Sum(i32);

impl Sum {
    #[inline]
    fn int(&mut self, value: i32) {
        self.0 = hash_int(self.0 ^ hash_int(value));
    }

    #[inline]
    fn long(&mut self, value: i64) {
        self.0 = hash_int(self.0 ^ hash_long(value));
    }
}

/// The checksum of a data set of these types, with the fields of OBJECT types to count, or all.
pub(crate) fn of_types(mut types: Vec<(&TypeState, Option<Vec<u32>>)>) -> u32 {
    types.sort_by(|(a, _), (b, _)| java_cmp(a.name(), b.name()));
    let sums: Vec<u32> = types
        .par_iter()
        .with_max_len(1)
        .map(|(state, fields)| of_type(state, fields.as_deref()))
        .collect();
    let mut total = Sum::default();
    for sum in sums {
        total.int(sum as i32);
    }
    total.0 as u32
}

/// The fields of an OBJECT type that a schema of the same name has too, in the order of their names.
pub(crate) fn fields_of(state: &TypeState, common: &Schema) -> Option<Vec<u32>> {
    let (Schema::Object(ours), Schema::Object(common), Shape::Object(shape)) =
        (state.schema(), common, &*state.shape)
    else {
        return None;
    };
    let is_common = |&&field: &&u32| common.field(&ours.fields[field as usize].name).is_some();
    Some(shape.by_name.iter().filter(is_common).copied().collect())
}

/// The checksum of one type; `fields` are the indexes to count of an OBJECT type, in the order of their names.
pub(crate) fn of_type(state: &TypeState, fields: Option<&[u32]>) -> u32 {
    let mut sum = Sum::default();
    let shards = state.num_shards.max(1);
    if shards == 1 {
        state
            .ordinals()
            .for_each(|ordinal| record(&mut sum, state, fields, ordinal));
        return sum.0 as u32;
    }
    let shift = shards.trailing_zeros();
    let mut ordinals: Vec<u32> = state.ordinals().collect();
    ordinals.sort_unstable_by_key(|&ordinal| (ordinal & (shards - 1), ordinal >> shift));
    for ordinal in ordinals {
        record(&mut sum, state, fields, ordinal);
    }
    sum.0 as u32
}

fn record(sum: &mut Sum, state: &TypeState, fields: Option<&[u32]>, ordinal: u32) {
    sum.int(ordinal as i32);
    match state.schema() {
        Schema::Object(_) => {
            if let Some(view) = state.object(ordinal) {
                object(
                    sum,
                    view.shape,
                    fields.unwrap_or(&view.shape.by_name),
                    &view,
                );
            }
        }
        Schema::List(_) => {
            if let Some(view) = state.list(ordinal) {
                view.iter().for_each(|element| sum.int(element as i32));
            }
        }
        Schema::Set(_) => {
            if let Some(view) = state.set(ordinal) {
                for (bucket, element) in view.buckets() {
                    sum.int(bucket as i32);
                    sum.int(element as i32);
                }
            }
        }
        Schema::Map(_) => {
            if let Some(view) = state.map(ordinal) {
                for (bucket, key, value) in view.buckets() {
                    sum.int(bucket as i32);
                    sum.int(key as i32);
                    sum.int(value as i32);
                }
            }
        }
    }
}

fn object(sum: &mut Sum, shape: &ObjectShape, fields: &[u32], view: &ObjectView<'_>) {
    for &field in fields {
        let field = field as usize;
        match shape.kinds[field] {
            SlotKind::Variable(_) => match view.page.variable(shape, view.row, field) {
                Some(bytes) => sum.int(murmur3(bytes)),
                None => sum.int(-1),
            },
            _ => {
                let stored = view.page.slot(view.row, field);
                let width = u32::from(view.page.layout.slots[field].width);
                if stored == bits::mask(width) {
                    sum.int(i32::MAX);
                } else {
                    sum.long(stored as i64);
                }
            }
        }
    }
}
