//! Where the caller says that a record is, right or wrong, changes nothing of what upserts do, and neither does it whether they
//! come one by one or as a batch.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::record::ObjectRecord;
use crate::schema::parse_schemas;
use crate::write::{RecordBatch, TypeId, WriteOptions, WriteState};
use crate::{KeyValue, Ordinal};

#[derive(Debug, Clone)]
enum Step {
    Upsert(Vec<(i64, i64, Hint)>),
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
        12 => proptest::collection::vec((0..9_i64, 0..4_i64, hint), 1..6).prop_map(Step::Upsert),
        1 => (0..9_i64, 0..4_i64).prop_map(|(id, value)| Step::Add(id, value)),
        2 => (0..9_i64).prop_map(Step::Delete),
        3 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

/// The committed record with that id.
fn committed_at(writer: &WriteState, id: i64) -> Option<Ordinal> {
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

/// Serialized records by id and value.
fn records(writer: &WriteState, ty: TypeId) -> impl FnMut(i64, i64) -> Vec<u8> + use<> {
    let mut record = ObjectRecord::new(writer.schema(ty).as_object().unwrap());
    move |id, value| {
        record.reset();
        record.set_long(0, id);
        record.set_long(1, value);
        record.bytes().to_vec()
    }
}

proptest! {
    #[test]
    fn hints_change_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let ((mut hinted, ty), (mut plain, _)) = (writer(), writer());
        let mut record_of = records(&plain, ty);
        let mut tag = 0x5a00_0001_0000_0001;
        for step in steps {
            match step {
                Step::Upsert(rows) => {
                    let (mut batch, mut committed) = (RecordBatch::new(), Vec::new());
                    for (id, value, hint) in &rows {
                        batch.push(&record_of(*id, *value));
                        committed.push(match hint {
                            Hint::None => None,
                            Hint::Right => committed_at(&hinted, *id),
                            Hint::Any(ordinal) => Some(*ordinal),
                        });
                    }
                    let mut ordinals = Vec::new();
                    hinted.upsert_batch(ty, &batch, &committed, &mut ordinals).unwrap();
                    let one_by_one = batch.iter().map(|record| plain.upsert(ty, record).unwrap().ordinal);
                    prop_assert_eq!(ordinals, one_by_one.collect::<Vec<_>>());
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

/// As many as several threads look at, replaced in the order of their ordinals, some twice, with and without hints.
#[test]
fn a_large_batch_is_one_upsert_after_the_other() {
    let ((mut batched, ty), (mut plain, _)) = (writer(), writer());
    let mut record_of = records(&plain, ty);
    let ids = 30_000;
    for round in 0..3 {
        let (mut batch, mut committed) = (RecordBatch::new(), Vec::new());
        for id in (0..ids).chain((0..ids).step_by(1000)) {
            batch.push(&record_of(id, id % 7 + round * (id % 5)));
            if round == 1 {
                committed.push(committed_at_first(&batched, id));
            }
        }
        let mut ordinals = Vec::new();
        batched
            .upsert_batch(ty, &batch, &committed, &mut ordinals)
            .unwrap();
        let one_by_one = batch
            .iter()
            .map(|record| plain.upsert(ty, record).unwrap().ordinal);
        assert_eq!(ordinals, one_by_one.collect::<Vec<_>>());
        let blobs = [&mut batched, &mut plain].map(|writer| {
            let mut blob = Vec::new();
            let tag = 0x5a00_0001_0000_0001 + round;
            let sealed = writer.seal(tag, BTreeMap::new()).unwrap();
            sealed.write_snapshot(None, &mut blob).unwrap();
            writer.commit().unwrap();
            writer.begin_incremental();
            blob
        });
        assert!(blobs[0] == blobs[1], "in round {round}");
    }
}

/// The ordinal that the id had in the first round, if that still is its.
fn committed_at_first(writer: &WriteState, id: i64) -> Option<Ordinal> {
    let ordinal = Ordinal::try_from(id).ok()?;
    let records = writer.state()?.type_state("A")?;
    (records.object(ordinal)?.long(0) == Some(id)).then_some(ordinal)
}
