//! Where the caller says that a record is, right or wrong, changes nothing of what an upsert does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::record::ObjectRecord;
use crate::schema::parse_schemas;
use crate::write::{TypeId, WriteOptions, WriteState};
use crate::{KeyValue, Ordinal};

#[derive(Debug, Clone)]
enum Step {
    Upsert(i64, i64, Hint),
    Add(i64, i64),
    Delete(i64),
    Commit,
    Rollback,
}

#[derive(Debug, Clone)]
enum Hint {
    None,
    /// The committed record with the key.
    Right,
    Any(Ordinal),
}

fn step() -> impl Strategy<Value = Step> {
    let hint = prop_oneof![
        Just(Hint::None),
        Just(Hint::Right),
        Just(Hint::Right),
        (0..20_u32).prop_map(Hint::Any),
    ];
    prop_oneof![
        12 => (0..9_i64, 0..4_i64, hint).prop_map(|(id, value, hint)| Step::Upsert(id, value, hint)),
        1 => (0..9_i64, 0..4_i64).prop_map(|(id, value)| Step::Add(id, value)),
        2 => (0..9_i64).prop_map(Step::Delete),
        3 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

/// The committed record with that id.
fn committed(writer: &WriteState, id: i64) -> Option<Ordinal> {
    let records = writer.state()?.type_state("A")?;
    let has_id = |&ordinal: &Ordinal| records.object(ordinal).and_then(|r| r.long(0)) == Some(id);
    records.ordinals().find(has_id)
}

fn writer() -> (WriteState, TypeId) {
    let schemas = parse_schemas("A @PrimaryKey(id) { long id; long value; }").unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    writer.begin_incremental();
    let ty = writer.type_id("A").unwrap();
    (writer, ty)
}

proptest! {
    #[test]
    fn hints_change_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let ((mut hinted, ty), (mut plain, _)) = (writer(), writer());
        let mut record = ObjectRecord::new(plain.schema(ty).as_object().unwrap());
        let mut record_of = |id, value| {
            record.reset();
            record.set_long(0, id);
            record.set_long(1, value);
            record.bytes().to_vec()
        };
        let mut tag = 0x5a00_0001_0000_0001;
        for step in steps {
            match step {
                Step::Upsert(id, value, hint) => {
                    let hint = match hint {
                        Hint::None => None,
                        Hint::Right => committed(&hinted, id),
                        Hint::Any(ordinal) => Some(ordinal),
                    };
                    let record = record_of(id, value);
                    let upserted = hinted.upsert_over(ty, &record, hint).unwrap();
                    prop_assert_eq!(upserted, plain.upsert(ty, &record).unwrap());
                }
                Step::Add(id, value) => {
                    let record = record_of(id, value);
                    prop_assert_eq!(hinted.add(ty, &record).unwrap(), plain.add(ty, &record).unwrap());
                }
                Step::Delete(id) => {
                    let key = [KeyValue::Long(id)];
                    prop_assert_eq!(hinted.delete(ty, &key).unwrap(), plain.delete(ty, &key).unwrap());
                }
                Step::Commit => {
                    tag += 1;
                    let sealed = [&mut hinted, &mut plain].map(|writer| {
                        let sealed = writer.seal(tag, BTreeMap::new()).unwrap();
                        writer.commit().unwrap();
                        writer.begin_incremental();
                        sealed.chain_sum()
                    });
                    prop_assert_eq!(sealed[0], sealed[1]);
                }
                Step::Rollback => {
                    hinted.begin_incremental();
                    plain.begin_incremental();
                }
            }
        }
    }
}
