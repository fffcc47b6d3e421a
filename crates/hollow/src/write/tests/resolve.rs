//! A cycle can be asked what it changes before its state has a name.

use std::collections::BTreeMap;

use crate::record::ObjectRecord;
use crate::schema::parse_schemas;
use crate::write::{WriteError, WriteOptions, WriteState};
use crate::{Error, KeyValue};

#[test]
fn resolving_names_the_changed_types_and_ends_the_changes() {
    let schemas =
        parse_schemas("A @PrimaryKey(id) { long id; } B @PrimaryKey(id) { long id; }").unwrap();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    let types = ["A", "B"].map(|name| writer.type_id(name).unwrap());
    let mut record = ObjectRecord::new(writer.schema(types[0]).as_object().unwrap());
    let mut record_of = |id| {
        record.set_long(0, id);
        record.bytes().to_vec()
    };

    writer.begin_incremental();
    assert_eq!(writer.resolve().unwrap(), [""; 0]);
    writer.begin_incremental();
    writer.upsert(types[1], &record_of(1)).unwrap();
    assert_eq!(writer.resolve().unwrap(), ["B"]);
    let late = writer.upsert(types[0], &record_of(2));
    assert!(matches!(
        late,
        Err(Error::Write(WriteError::WrongMoment(_)))
    ));
    writer.seal(0x5a00_0001_0000_0001, BTreeMap::new()).unwrap();
    writer.commit().unwrap();

    // Deleting and adding the same record again comes to nothing.
    writer.begin_incremental();
    writer.delete(types[1], &[KeyValue::Long(1)]).unwrap();
    writer.upsert(types[1], &record_of(1)).unwrap();
    assert_eq!(writer.resolve().unwrap(), [""; 0]);
    writer.rollback();
    writer.begin_total();
    writer.add(types[0], &record_of(3)).unwrap();
    assert_eq!(writer.resolve().unwrap(), ["A", "B"]);
    writer.rollback();
    assert_eq!(writer.state().unwrap().type_state("B").unwrap().count(), 1);
}
