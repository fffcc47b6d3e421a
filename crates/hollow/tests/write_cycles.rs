//! What a writer promises, one promise a test.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use hollow::record::{ListRecord, ObjectRecord, SetRecord};
use hollow::schema::parse_schemas;
use hollow::write::{RecordBatch, Sealed, TypeId, WriteError, WriteOptions, WriteState};
use hollow::{BlobSet, Error, Filter, KeyValue, Ordinal, ReadState};

const SCHEMAS: &str = "
    Name { string value; }
    Movie @PrimaryKey(id, name.value) { long id; Name name; Actors actors; }
    Actors Set<Actor> @HashKey(name);
    Actor { Name name; int born; }
    Alone { int number; }
";

struct Writer {
    state: WriteState,
    tag: i64,
}

impl Writer {
    fn new(options: WriteOptions) -> Self {
        Self {
            state: WriteState::new(parse_schemas(SCHEMAS).unwrap(), options).unwrap(),
            tag: 0x5a00_0000_0000_0000,
        }
    }

    fn ty(&self, name: &str) -> TypeId {
        self.state.type_id(name).unwrap()
    }

    fn record(&self, name: &str) -> ObjectRecord {
        ObjectRecord::new(self.state.schema(self.ty(name)).as_object().unwrap())
    }

    fn name(&mut self, value: &str) -> Ordinal {
        let mut record = self.record("Name");
        record.set_str(0, value);
        self.state.add(self.ty("Name"), record.bytes()).unwrap()
    }

    fn actor(&mut self, name: &str, born: i32) -> Ordinal {
        let name = self.name(name);
        let mut record = self.record("Actor");
        record.set_reference(0, name);
        record.set_int(1, born);
        self.state.add(self.ty("Actor"), record.bytes()).unwrap()
    }

    fn movie(&mut self, id: i64, name: &str, actors: &[(&str, i32)]) -> Vec<u8> {
        let mut set = SetRecord::new();
        for (name, born) in actors {
            set.insert(self.actor(name, *born));
        }
        let actors = self.state.add(self.ty("Actors"), set.bytes()).unwrap();
        let name = self.name(name);
        let mut record = self.record("Movie");
        record.set_long(0, id);
        record.set_reference(1, name);
        record.set_reference(2, actors);
        record.bytes().to_vec()
    }

    fn upsert(&mut self, id: i64, name: &str, actors: &[(&str, i32)]) -> hollow::write::Upserted {
        let record = self.movie(id, name, actors);
        self.state.upsert(self.ty("Movie"), &record).unwrap()
    }

    fn seal(&mut self) -> hollow::Result<Sealed> {
        self.tag += 1 << 32;
        self.state.seal(self.tag, BTreeMap::new())
    }

    fn end(&mut self) -> Sealed {
        let sealed = self.seal().unwrap();
        self.state.commit().unwrap();
        sealed
    }

    fn count(&self, name: &str) -> usize {
        self.state
            .state()
            .unwrap()
            .type_state(name)
            .unwrap()
            .count()
    }
}

fn key(id: i64, name: &str) -> [KeyValue; 2] {
    [id.into(), name.into()]
}

fn write_error(error: hollow::Error) -> WriteError {
    match error {
        Error::Write(error) => error,
        other => panic!("{other}"),
    }
}

fn two_movies() -> Writer {
    let mut writer = Writer::new(WriteOptions::default());
    writer.state.begin_incremental();
    writer.upsert(1, "Matrix", &[("Keanu", 1964), ("Carrie-Anne", 1967)]);
    writer.upsert(2, "Speed", &[("Keanu", 1964)]);
    writer.end();
    writer
}

#[test]
fn keys_lead_through_references() {
    let mut writer = two_movies();
    let movie = writer.ty("Movie");
    let found = writer.state.find(movie, &key(2, "Speed"));
    assert_eq!(found, Some(1));
    assert_eq!(writer.state.find(movie, &key(2, "Matrix")), None);
    assert_eq!(writer.state.find(movie, &[KeyValue::Long(2)]), None);
    writer.state.begin_incremental();
    let error = writer
        .state
        .delete(movie, &[KeyValue::Long(2)])
        .unwrap_err();
    assert!(matches!(write_error(error), WriteError::KeyMismatch { .. }));
    assert_eq!(writer.state.delete(movie, &key(2, "Speed")).unwrap(), found);
    writer.end();
    assert_eq!(
        (
            writer.count("Movie"),
            writer.count("Name"),
            writer.count("Actors")
        ),
        (1, 3, 1)
    );
    assert_eq!(writer.count("Actor"), 2, "Keanu is in the other movie, too");
}

#[test]
fn a_record_removed_and_added_again_in_one_cycle_stays_as_it_is() {
    let mut writer = two_movies();
    let movie = writer.ty("Movie");
    writer.state.begin_incremental();
    writer.state.delete(movie, &key(1, "Matrix")).unwrap();
    assert_eq!(writer.state.find(movie, &key(1, "Matrix")), None);
    let other = writer.upsert(1, "Matrix", &[]);
    assert_eq!(
        (other.ordinal, other.previous, other.changed),
        (2, None, true)
    );
    let same = writer.upsert(1, "Matrix", &[("Carrie-Anne", 1967), ("Keanu", 1964)]);
    assert_eq!((same.ordinal, same.previous), (0, Some(2)));
    let sealed = writer.end();
    assert!(!sealed.has_changes());
    assert!(sealed.changes().is_empty());
}

#[test]
fn two_records_of_one_key_are_refused_by_name() {
    let mut writer = two_movies();
    let chain_sum = writer.state.chain_sum();
    for is_total in [true, false] {
        if is_total {
            writer.state.begin_total();
        } else {
            writer.state.begin_incremental();
        }
        let movie = writer.ty("Movie");
        for actors in [&[][..], &[("Keanu", 1964)]] {
            let record = writer.movie(7, "Constantine", actors);
            if is_total {
                writer.state.add(movie, &record).unwrap();
            } else {
                // As children of something they would both be there.
                writer.state.add(movie, &record).unwrap();
                writer.state.upsert(movie, &record).unwrap();
            }
        }
        let sealed = writer.seal();
        if is_total {
            let error = write_error(sealed.unwrap_err());
            let expected = WriteError::DuplicateKey {
                type_name: "Movie".to_owned(),
                key: key(7, "Constantine").to_vec(),
            };
            assert_eq!(error, expected);
            assert_eq!(
                error.to_string(),
                r#"type Movie has more than one record with primary key (7, "Constantine")"#
            );
            assert!(
                writer.state.add(movie, &[]).is_err(),
                "only a rollback helps"
            );
        } else {
            sealed.unwrap(); // the last upsert of a key counts
        }
        writer.state.rollback();
    }
    assert_eq!(writer.state.chain_sum(), chain_sum);
}

#[test]
fn references_must_lead_somewhere() {
    let mut writer = two_movies();
    let mut record = writer.record("Movie");
    record.set_long(0, 9);
    record.set_reference(1, 77);
    let movie = writer.ty("Movie");
    for is_total in [true, false] {
        if is_total {
            writer.state.begin_total();
            writer.state.add(movie, record.bytes()).unwrap();
        } else {
            writer.state.begin_incremental();
            writer.state.upsert(movie, record.bytes()).unwrap();
        }
        let error = write_error(writer.seal().unwrap_err());
        assert!(
            matches!(error, WriteError::DanglingReference { ordinal: 77, .. }),
            "{error}"
        );
        writer.state.rollback();
    }
    // A parent that is stated again, but not its children.
    writer.state.begin_total();
    let mut bytes = Vec::new();
    assert!(writer.state.record(movie, 0, &mut bytes));
    writer.state.add(movie, &bytes).unwrap();
    let error = write_error(writer.seal().unwrap_err());
    assert!(
        matches!(error, WriteError::DanglingReference { .. }),
        "{error}"
    );
}

#[test]
fn children_of_nobody_are_dropped_in_an_incremental_cycle_and_kept_in_a_total_one() {
    let mut writer = two_movies();
    writer.state.begin_incremental();
    writer.actor("Sandra", 1964);
    assert!(!writer.end().has_changes());
    writer.state.begin_total();
    writer.actor("Sandra", 1964);
    let sealed = writer.end();
    assert!(sealed.has_changes());
    assert_eq!((writer.count("Actor"), writer.count("Movie")), (1, 0));
    let alone = writer.ty("Alone");
    writer.state.begin_incremental();
    writer.state.add(alone, &[2]).unwrap();
    writer.end();
    assert_eq!(
        (writer.count("Actor"), writer.count("Alone")),
        (1, 0),
        "what nobody refers to stays as long as nobody removes it"
    );
}

#[test]
fn a_batch_gives_the_ordinals_of_single_adds() {
    let (mut single, mut batched) = (
        Writer::new(WriteOptions::default()),
        Writer::new(WriteOptions::default()),
    );
    let ty = single.ty("Name");
    for cycle in 0..3_u32 {
        single.state.begin_total();
        batched.state.begin_total();
        let mut batch = RecordBatch::new();
        let mut expected = Vec::new();
        for number in 0..5000_u32 {
            let mut record = single.record("Name");
            record.set_str(0, &format!("{}", (number * 7 + cycle) % 3000));
            expected.push(single.state.add(ty, record.bytes()).unwrap());
            batch.push(record.bytes());
        }
        let mut ordinals = Vec::new();
        batched.state.add_batch(ty, &batch, &mut ordinals).unwrap();
        assert_eq!(ordinals, expected);
        let (single, batched) = (single.end(), batched.end());
        assert_eq!(single.chain_sum(), batched.chain_sum());
    }
}

#[test]
fn a_snapshot_can_be_written_later_and_elsewhere() {
    let mut writer = two_movies();
    writer.state.begin_incremental();
    writer.upsert(3, "Memento", &[("Carrie-Anne", 1967)]);
    let sealed = writer.end();
    let mut at_once = Vec::new();
    sealed.write_snapshot(None, &mut at_once).unwrap();
    writer.state.begin_incremental();
    writer
        .state
        .delete(writer.ty("Movie"), &key(1, "Matrix"))
        .unwrap();
    writer.end();
    let later = std::thread::spawn(move || {
        let mut later = Vec::new();
        sealed.write_snapshot(None, &mut later).map(|()| later)
    });
    assert_eq!(later.join().unwrap().unwrap(), at_once);
}

#[test]
fn streams_of_a_cycle() {
    let parts = BTreeMap::from([("Name".to_owned(), "names".to_owned())]);
    let mut writer = Writer::new(WriteOptions {
        parts,
        ..WriteOptions::default()
    });
    writer.state.begin_total();
    writer.actor("Keanu", 1964);
    writer.state.set_header_tag("a", "1");
    let sealed = writer.seal().unwrap();
    assert!(sealed.is_first() && sealed.has_changes());
    assert_eq!(sealed.parts().collect::<Vec<_>>(), ["names"]);
    assert_eq!(
        sealed.header_tags(),
        BTreeMap::from([("a".to_owned(), "1".to_owned())])
    );
    let (mut main, mut part, mut header) = (Vec::new(), Vec::new(), Vec::new());
    sealed.write_snapshot(None, &mut main).unwrap();
    sealed.write_snapshot(Some("names"), &mut part).unwrap();
    sealed.write_header(&mut header).unwrap();
    assert!(main.starts_with(&header));
    let state = ReadState::from_snapshot(
        BlobSet {
            main: &main,
            parts: &[("names", &part)],
        },
        &Filter::all(),
    )
    .unwrap();
    assert_eq!(state.checksum(), sealed.state().checksum());
    let not_found = sealed.write_delta(None, &mut main).unwrap_err();
    assert_eq!(not_found.kind(), std::io::ErrorKind::NotFound);
    assert!(sealed.write_snapshot(Some("other"), &mut main).is_err());
    writer.state.commit().unwrap();
    writer.state.begin_total();
    assert!(
        writer.seal().unwrap().header_tags().is_empty(),
        "tags are those of one cycle"
    );
}

#[test]
fn calls_at_the_wrong_moment() {
    let mut writer = Writer::new(WriteOptions::default());
    let ty = writer.ty("Alone");
    let wrong = |error| assert!(matches!(write_error(error), WriteError::WrongMoment(_)));
    wrong(writer.state.add(ty, &[2]).unwrap_err());
    wrong(writer.state.commit().unwrap_err());
    writer.state.begin_total();
    wrong(writer.state.upsert(ty, &[2]).unwrap_err());
    wrong(writer.state.delete(ty, &[]).unwrap_err());
    writer.seal().unwrap();
    wrong(writer.state.add(ty, &[2]).unwrap_err());
    wrong(writer.seal().unwrap_err());
    writer.state.begin_incremental();
    let error = write_error(writer.state.upsert(ty, &[2]).unwrap_err());
    assert!(matches!(error, WriteError::NoPrimaryKey { .. }));
    let error = write_error(writer.state.add(ty, &[2, 2]).unwrap_err());
    assert!(matches!(
        error,
        WriteError::MalformedRecord { offset: 1, .. }
    ));
}

#[test]
fn another_schema_ends_the_chain() {
    let writer = two_movies();
    let state = writer.state.state().unwrap();
    let schemas = parse_schemas(SCHEMAS).unwrap();
    for (changed, expected) in [
        (
            parse_schemas(&SCHEMAS.replace("int born", "long born")).unwrap(),
            "Actor",
        ),
        (
            schemas
                .iter()
                .filter(|schema| schema.name() != "Alone")
                .cloned()
                .collect(),
            "Alone",
        ),
        (
            [schemas, parse_schemas("New { int a; }").unwrap()].concat(),
            "New",
        ),
    ] {
        let error =
            write_error(WriteState::restore(state, changed, WriteOptions::default()).unwrap_err());
        assert_eq!(
            error,
            WriteError::EndsChain {
                type_name: expected.to_owned()
            }
        );
    }
}

#[test]
fn elements_of_a_hash_key_must_have_it() {
    let mut writer = Writer::new(WriteOptions::default());
    writer.state.begin_total();
    let actor = writer.state.add(writer.ty("Actor"), &[0x80, 2]).unwrap();
    let mut set = SetRecord::new();
    set.insert(actor);
    writer.state.add(writer.ty("Actors"), set.bytes()).unwrap();
    let error = write_error(writer.seal().unwrap_err());
    assert_eq!(
        error,
        WriteError::NullHashKey {
            type_name: "Actors".to_owned(),
            ordinal: actor
        }
    );
}

#[test]
fn malformed_schemas_are_refused() {
    let twice = [
        parse_schemas("A { int a; }").unwrap(),
        parse_schemas("A { int b; }").unwrap(),
    ]
    .concat();
    let error = write_error(WriteState::new(twice, WriteOptions::default()).unwrap_err());
    assert_eq!(
        error,
        WriteError::DuplicateType {
            type_name: "A".to_owned()
        }
    );
    let nowhere = parse_schemas("A @PrimaryKey(b) { int a; }").unwrap();
    assert!(matches!(
        WriteState::new(nowhere, WriteOptions::default()),
        Err(Error::Path { .. })
    ));
}

#[test]
fn widths_follow_the_largest_shard_far_beyond_the_counters_resolution() {
    let schemas = parse_schemas("E { int a; } L List<E>;").unwrap();
    let options = WriteOptions {
        target_shard_bytes: Some(1),
        resharding: true,
        ..WriteOptions::default()
    };
    let mut writer = WriteState::new(schemas, options).unwrap();
    let (e, l) = (writer.type_id("E").unwrap(), writer.type_id("L").unwrap());
    for cycle in 0..4_u32 {
        writer.begin_total();
        for number in 0..400 + cycle * 600 {
            let element = writer.add(e, &[(number % 100) as u8]).unwrap();
            let mut list = ListRecord::new();
            (0..number % 5).for_each(|_| list.push(element));
            list.push(number % 100);
            writer.add(l, list.bytes()).unwrap();
        }
        let sealed = writer
            .seal((1 << 40) + (i64::from(cycle) << 32), BTreeMap::new())
            .unwrap();
        let mut snapshot = Vec::new();
        sealed.write_snapshot(None, &mut snapshot).unwrap();
        let loaded = ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap();
        assert!(loaded.type_state("L").unwrap().num_shards() > 64);
        assert_eq!(loaded.checksum(), sealed.state().checksum());
        writer.commit().unwrap();
    }
}

/// Whatever bytes pass as a record are what the state gives back: there is one spelling of each record.
#[test]
fn a_record_comes_back_as_it_was_spelt() {
    use proptest::prelude::*;

    let schemas = parse_schemas(
        "O { int i; long l; boolean b; float f; double d; string s; bytes y; E r; }
        L List<E>; S Set<E>; M Map<E,E>; E { int a; }",
    )
    .unwrap();
    let options = WriteOptions {
        check_references: false,
        ..WriteOptions::default()
    };
    // Small numbers are more often a record than others.
    let byte = prop_oneof![4 => 0_u8..4, 1 => any::<u8>(), 1 => Just(0x80)];
    let record = proptest::collection::vec(byte, 0..12);
    proptest!(ProptestConfig::with_cases(4096), |(record in record, ty in 0_usize..4)| {
        let schema = &schemas[ty];
        let mut writer = WriteState::new(schemas.clone(), options.clone()).unwrap();
        let ty = writer.type_id(schema.name()).unwrap();
        writer.begin_total();
        let valid = hollow::record::validate(schema, &record);
        let added = writer.add(ty, &record);
        prop_assert_eq!(valid.is_ok(), added.is_ok());
        if added.is_ok() {
            writer.seal(1 << 40, BTreeMap::new()).unwrap();
            let state = writer.commit().unwrap();
            let mut back = Vec::new();
            state.type_state(schema.name()).unwrap().serialize(0, &mut back);
            prop_assert_eq!(back, record);
        }
    });
}

#[test]
fn writers_and_outcomes_move_between_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<WriteState>();
    is_shared::<Sealed>();
}
