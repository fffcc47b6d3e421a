//! Whether a committed row holds a record given in serialized form: the second half of every table look-up, so it
//! neither allocates nor serializes the row.

use crate::Ordinal;
use crate::codec::bits::bits;
use crate::read::{Raw, TypeState};
use crate::record::{Entries, Reader, Stored};
use crate::schema::{FieldType, Schema};

/// Buffers that are reused from comparison to comparison.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    record: Vec<u8>,
    /// The elements of a SET's row.
    elements: Vec<Ordinal>,
    /// A bit for each element that a SET still lacks; all 0 between comparisons.
    missing: Vec<u64>,
}

/// Whether the record of `ordinal` is `record`. A record that is not in valid form equals none, but for the bucket
/// numbers of SET and MAP, which follow from the rest.
#[inline]
pub(super) fn holds(
    state: &TypeState,
    types: &[FieldType],
    ordinal: Ordinal,
    record: &[u8],
    scratch: &mut Scratch,
) -> bool {
    match state.schema() {
        Schema::Object(_) => object(state, types, ordinal, record),
        Schema::List(_) => list(state, ordinal, record),
        Schema::Set(_) => set(state, ordinal, record, scratch)
            .unwrap_or_else(|| serialized(state, ordinal, record, scratch)),
        Schema::Map(_) => serialized(state, ordinal, record, scratch),
    }
}

fn serialized(state: &TypeState, ordinal: Ordinal, record: &[u8], scratch: &mut Scratch) -> bool {
    scratch.record.clear();
    state.serialize(ordinal, &mut scratch.record);
    state.is_populated(ordinal) && scratch.record == record
}

fn object(state: &TypeState, types: &[FieldType], ordinal: Ordinal, record: &[u8]) -> bool {
    let Some(view) = state.object(ordinal) else {
        return false;
    };
    let mut reader = Reader::new(record);
    types.iter().enumerate().all(|(field, field_type)| {
        let Some(value) = reader.field(*field_type) else {
            return false;
        };
        is_stored(value, view.raw(field))
    }) && reader.remaining() == 0
}

/// Whether a field of a row holds the value of a serialized record's.
#[inline]
pub(super) fn is_stored(value: Stored<'_>, raw: Raw<'_>) -> bool {
    match (value, raw) {
        (Stored::Null, Raw::Null) => true,
        (Stored::Fixed(stored), Raw::Fixed(raw)) => stored == raw,
        (Stored::Variable(stored), Raw::Variable(raw)) => stored == raw,
        _ => false,
    }
}

fn list(state: &TypeState, ordinal: Ordinal, record: &[u8]) -> bool {
    let Some(view) = state.list(ordinal) else {
        return false;
    };
    let mut reader = Reader::new(record);
    reader
        .vint()
        .is_some_and(|size| size as usize == view.len())
        && view.iter().all(|element| reader.vint() == Some(element))
        && reader.remaining() == 0
}

/// `None` for a record that holds an element twice, as some of Java's do: a bit cannot say so.
fn set(state: &TypeState, ordinal: Ordinal, record: &[u8], scratch: &mut Scratch) -> Option<bool> {
    let Some(view) = state.set(ordinal) else {
        return Some(false);
    };
    let size = Entries::set(record).size();
    if size as usize != view.len() {
        return Some(false);
    }
    let missing = &mut scratch.missing;
    let mut marked = 0;
    for (element, _) in Entries::set(record) {
        let at = element as usize / 64;
        if at >= missing.len() {
            if bits(u64::from(element)) > ORDINAL_BITS {
                break;
            }
            missing.resize(at + 1, 0);
        }
        marked += u32::from(missing[at] >> (element % 64) & 1 == 0);
        missing[at] |= 1 << (element % 64);
    }
    let mut found = 0;
    scratch.elements.clear();
    view.append_to(&mut scratch.elements);
    for &element in &scratch.elements {
        let Some(word) = missing.get_mut(element as usize / 64) else {
            break;
        };
        if *word >> (element % 64) & 1 == 0 {
            break;
        }
        *word &= !(1 << (element % 64));
        found += 1;
    }
    if found < marked {
        for (element, _) in Entries::set(record) {
            if let Some(word) = missing.get_mut(element as usize / 64) {
                *word &= !(1 << (element % 64));
            }
        }
    }
    (marked == size).then_some(found == size)
}

/// Bits of the largest ordinal.
const ORDINAL_BITS: u32 = 29;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ListRecord, MapRecord, SetRecord};
    use crate::schema::parse_schemas;
    use crate::write::{WriteOptions, WriteState};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn committed(schema: &str, record: &[u8]) -> TypeState {
        let options = WriteOptions {
            check_references: false,
            ..WriteOptions::default()
        };
        let mut writer = WriteState::new(parse_schemas(schema).unwrap(), options).unwrap();
        writer.begin_total();
        let ty = writer.type_ids().next().unwrap();
        writer.add(ty, record).unwrap();
        writer.seal(1 << 40, BTreeMap::new()).unwrap();
        let state = writer.commit().unwrap();
        state.types().next().unwrap().clone()
    }

    proptest! {
        #[test]
        fn a_row_holds_its_own_record_alone(a in proptest::collection::vec(0_u32..20, 0..8), b in proptest::collection::vec(0_u32..20, 0..8)) {
            let mut scratch = Scratch::default();
            let records = |elements: &[u32]| {
                let (mut list, mut set, mut map) = (ListRecord::new(), SetRecord::new(), MapRecord::new());
                for &element in elements {
                    list.push(element);
                    set.insert(element);
                    map.insert(element, element % 3);
                }
                [("L List<E>;", list.bytes().to_vec()), ("S Set<E>;", set.bytes().to_vec()), ("M Map<E,E>;", map.bytes().to_vec())]
            };
            let sets_equal = a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>();
            let equal = [a == b, sets_equal, sets_equal];
            for (((schema, record), (_, other)), equal) in records(&a).iter().zip(records(&b)).zip(equal) {
                let state = committed(schema, record);
                prop_assert!(holds(&state, &[], 0, record, &mut scratch));
                prop_assert_eq!(holds(&state, &[], 0, &other, &mut scratch), equal);
                prop_assert!(!holds(&state, &[], 1, record, &mut scratch));
                prop_assert!(scratch.missing.iter().all(|&word| word == 0));
            }
        }
    }
}
