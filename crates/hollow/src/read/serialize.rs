//! Serialized records (format section 9.1) from packed rows.

use super::Ordinal;
use super::object::{ObjectView, Raw};
use super::type_state::TypeState;
use crate::codec::hash::hash_int;
use crate::codec::varint::{write_null, write_vint, write_vlong};
use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS};
use crate::record::write_set;
use crate::schema::{FieldType, Schema};

pub(crate) fn record(state: &TypeState, ordinal: Ordinal, out: &mut Vec<u8>) {
    match state.schema() {
        Schema::Object(_) => {
            if let Some(view) = state.object(ordinal) {
                object(&view, out);
            }
        }
        Schema::List(_) => {
            if let Some(view) = state.list(ordinal) {
                write_vint(out, view.len() as u32);
                view.iter().for_each(|element| write_vint(out, element));
            }
        }
        Schema::Set(_) => {
            if let Some(view) = state.set(ordinal) {
                let mask = view.bucket_count().wrapping_sub(1);
                write_set(out, &view.to_ascending(), mask);
            }
        }
        Schema::Map(_) => {
            if let Some(view) = state.map(ordinal) {
                let mut elements: Vec<(u32, u32)> = view.iter().collect();
                entries(&mut elements, view.bucket_count(), out);
            }
        }
    }
}

fn object(view: &ObjectView<'_>, out: &mut Vec<u8>) {
    for (index, field) in view.schema().fields.iter().enumerate() {
        let raw = view.raw(index);
        match (field.field_type, raw) {
            (FieldType::Float, Raw::Null) => out.extend(NULL_FLOAT_BITS.to_be_bytes()),
            (FieldType::Double, Raw::Null) => out.extend(NULL_DOUBLE_BITS.to_be_bytes()),
            (_, Raw::Null) => write_null(out),
            (FieldType::Float, Raw::Fixed(value)) => out.extend((value as u32).to_be_bytes()),
            (FieldType::Double, Raw::Fixed(value)) => out.extend(value.to_be_bytes()),
            (FieldType::Boolean, Raw::Fixed(value)) => out.push(u8::from(value == 1)),
            (_, Raw::Fixed(value)) => write_vlong(out, value),
            (_, Raw::Variable(bytes)) => {
                write_vint(out, bytes.len() as u32);
                out.extend_from_slice(bytes);
            }
        }
    }
}

fn entries(entries: &mut [(u32, u32)], buckets: u32, out: &mut Vec<u8>) {
    entries.sort_unstable();
    write_vint(out, entries.len() as u32);
    let mut previous = 0;
    for &(key, value) in entries.iter() {
        write_vint(out, key - previous);
        write_vint(out, value);
        write_vint(out, hash_int(key as i32) as u32 & buckets.wrapping_sub(1));
        previous = key;
    }
}

#[cfg(test)]
mod tests {
    use crate::record::SetRecord;
    use crate::schema::parse_schemas;
    use crate::write::{WriteOptions, WriteState};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Up to a width of elements their order is found by bits, beyond it by sorting.
        #[test]
        fn a_set_is_serialized_as_it_was_built(elements in proptest::collection::btree_set(0_u32..1100, 0..150), most in 4_u32..1100) {
            let mut set = SetRecord::new();
            elements.iter().filter(|&&element| element < most).for_each(|&element| set.insert(element));
            let options = WriteOptions { check_references: false, ..WriteOptions::default() };
            let mut writer = WriteState::new(parse_schemas("S Set<E>;").unwrap(), options).unwrap();
            writer.begin_total();
            let ty = writer.type_ids().next().unwrap();
            writer.add(ty, set.bytes()).unwrap();
            writer.seal(1 << 40, BTreeMap::new()).unwrap();
            let state = writer.commit().unwrap();
            let mut serialized = Vec::new();
            state.types().next().unwrap().serialize(0, &mut serialized);
            prop_assert_eq!(&serialized[..], set.bytes());
        }
    }
}
