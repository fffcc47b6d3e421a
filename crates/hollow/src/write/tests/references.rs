//! Whatever cycles did, were refused, or took back: the references that are counted are those of the committed records.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::record::{ListRecord, ObjectRecord, SetRecord};
use crate::schema::parse_schemas;
use crate::write::references::References;
use crate::write::{WriteError, WriteOptions, WriteState};
use crate::{Error, KeyValue, Ordinal};

const SCHEMAS: &str =
    "P @PrimaryKey(id) { long id; L list; S set; } L List<C>; S Set<C>; C { long value; }";
/// No record has it.
const NOWHERE: Ordinal = 1000;

#[derive(Debug, Clone)]
enum Change {
    /// A parent with children in its list and in its set.
    Put(i64, Vec<i64>, Vec<i64>),
    Delete(i64),
    /// A parent whose list is nowhere.
    Dangling(i64),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Commit,
    RollbackOpen,
    RollbackResolved,
    RollbackSealed,
}

fn change() -> impl Strategy<Value = Change> {
    let children = || proptest::collection::vec(0..6_i64, 0..5);
    prop_oneof![
        8 => (0..6_i64, children(), children()).prop_map(|(id, list, set)| Change::Put(id, list, set)),
        3 => (0..6_i64).prop_map(Change::Delete),
        1 => (0..6_i64).prop_map(Change::Dangling),
    ]
}

fn cycle() -> impl Strategy<Value = (bool, Vec<Change>, End)> {
    let end = prop_oneof![
        5 => Just(End::Commit),
        1 => Just(End::RollbackOpen),
        1 => Just(End::RollbackResolved),
        1 => Just(End::RollbackSealed),
    ];
    let is_total = prop_oneof![1 => Just(true), 4 => Just(false)];
    (is_total, proptest::collection::vec(change(), 0..8), end)
}

/// Tells the open cycle of a change.
fn tell(writer: &mut WriteState, is_total: bool, change: &Change) {
    let [parent, list, set, child] = ["P", "L", "S", "C"].map(|name| writer.type_id(name).unwrap());
    let object = |ty| ObjectRecord::new(writer.schema(ty).as_object().unwrap());
    let (mut record, mut code) = (object(parent), object(child));
    match change {
        Change::Delete(id) if !is_total => {
            writer.delete(parent, &[KeyValue::Long(*id)]).unwrap();
            return;
        }
        Change::Delete(_) => return,
        Change::Dangling(id) => {
            record.set_long(0, *id);
            record.set_reference(1, NOWHERE);
        }
        Change::Put(id, listed, members) => {
            let mut child_of = |value: &i64| {
                code.set_long(0, *value);
                writer.add(child, code.bytes()).unwrap()
            };
            let (mut elements, mut bag) = (ListRecord::new(), SetRecord::new());
            listed
                .iter()
                .for_each(|value| elements.push(child_of(value)));
            members.iter().for_each(|value| bag.insert(child_of(value)));
            record.set_long(0, *id);
            record.set_reference(1, writer.add(list, elements.bytes()).unwrap());
            record.set_reference(2, writer.add(set, bag.bytes()).unwrap());
        }
    }
    match is_total {
        true => drop(writer.add(parent, record.bytes()).unwrap()),
        false => drop(writer.upsert(parent, record.bytes()).unwrap()),
    }
}

fn is_refused(error: &Error) -> bool {
    matches!(
        error,
        Error::Write(WriteError::DanglingReference { .. } | WriteError::DuplicateKey { .. })
    )
}

proptest! {
    #[test]
    fn they_are_those_of_the_committed_records(cycles in proptest::collection::vec(cycle(), 1..40)) {
        let mut writer = WriteState::new(parse_schemas(SCHEMAS).unwrap(), WriteOptions::default()).unwrap();
        writer.begin_incremental();
        for (tag, (is_total, changes, end)) in (0x5a00_0001_0000_0001_i64..).zip(cycles) {
            match is_total {
                true => writer.begin_total(),
                false => writer.begin_incremental(),
            }
            changes.iter().for_each(|change| tell(&mut writer, is_total, change));
            if !matches!(end, End::RollbackOpen) {
                let mut came_to = writer.resolve().map(drop);
                if came_to.is_ok() && !matches!(end, End::RollbackResolved) {
                    came_to = writer.seal(tag, BTreeMap::new()).map(drop);
                }
                if came_to.is_ok() && matches!(end, End::Commit) {
                    came_to = writer.commit().map(drop);
                }
                prop_assert!(came_to.as_ref().err().is_none_or(is_refused), "{came_to:?}");
            }
            writer.rollback();
            if let Some(counted) = &writer.references {
                let expected = References::of(&writer.types);
                for target in 0..writer.types.len() {
                    for ordinal in 0..2 * NOWHERE {
                        prop_assert_eq!(counted.count(target, ordinal), expected.count(target, ordinal));
                    }
                }
            }
        }
    }
}
