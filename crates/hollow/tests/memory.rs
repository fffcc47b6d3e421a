//! Reading takes no more memory than is promised, whatever the bytes say.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hollow::schema::parse_schemas;
use hollow::{Filter, ReadState};
use peak_alloc::PeakAlloc;
use support::encoder::{Record, Records, Stored, TypeBlob, header};
use support::numbers::Numbers;
use support::{Blob, KEPT, cases};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a snapshot may take for each of its bytes, and a delta beside the pages that it touches.
const MULTIPLE: usize = 64;
/// What each type state may take besides: a directory, a layout, names.
const TYPE: usize = 4 << 10;
/// Threads, buffers and messages.
const BASE: usize = 256 << 10;

/// The most bytes that were on the heap during `read`, above those before it.
fn peak<T>(read: impl FnOnce() -> T) -> (usize, T) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let read = read();
    (HEAP.peak_usage() - before, read)
}

fn load(blob: &Blob) -> usize {
    blob.main.len()
        + blob
            .parts
            .iter()
            .map(|(_, bytes)| bytes.len())
            .sum::<usize>()
}

/// One test, since the heap is one.
#[test]
fn memory_is_bounded_by_the_input() {
    // Whatever is made once.
    let small = cases()
        .into_iter()
        .find(|case| case.name == "tiny")
        .unwrap();
    small
        .snapshot(1)
        .unwrap()
        .load(&Filter::all())
        .unwrap()
        .checksum();
    altered_snapshots();
    extreme_snapshots();
    many_types_and_fields();
    far_deltas();
}

fn altered_snapshots() {
    let seed = 0x5eed_0002;
    println!("seed {seed:#x}");
    let mut numbers = Numbers(seed);
    for case in cases().iter().filter(|case| KEPT.contains(&case.name)) {
        for version in case.versions() {
            let blob = case.snapshot(version).unwrap();
            for _ in 0..300 {
                let mut bad = blob.clone();
                for _ in 0..=numbers.below(3) {
                    let at = numbers.below(bad.main.len().min(1500));
                    bad.main[at] = [0, 0xff, 0x7f, 0x81, numbers.next() as u8][numbers.below(5)];
                }
                let (peak, result) = peak(|| bad.load(&Filter::all()).map(drop));
                let limit = MULTIPLE * load(&bad) + BASE;
                assert!(peak <= limit, "{}: {peak} > {limit}, {result:?}", bad.file);
            }
        }
    }
}

/// Snapshots whose few bytes stand for as much as the format lets them.
fn extreme_snapshots() {
    let schemas = parse_schemas(
        "Nothing { } Flags { boolean b; } Texts { string s; string t; } L List<Nothing>;",
    )
    .unwrap();
    let mut numbers = Numbers(1);
    let sparse =
        |record: &Record| -> Records { (0..2000).map(|row| (row * 64, record.clone())).collect() };
    let records = [
        Record::Object(vec![]),
        Record::Object(vec![Stored::Fixed(1)]),
        Record::Object(vec![Stored::Null, Stored::Bytes(vec![])]),
        Record::List(vec![]),
    ];
    for (schema, record) in schemas.iter().zip(&records) {
        for shards in [1, 64, 4096, 65536] {
            let records = sparse(record);
            let mut blob = header(-1, 1, &[schema]);
            TypeBlob {
                schema,
                shards,
                max_ordinal: 128_000,
                records: &records,
                removed: None,
            }
            .write(&mut blob, &mut numbers);
            let (peak, state) = peak(|| ReadState::from_snapshot(&blob, &Filter::all()).unwrap());
            assert_eq!(state.types().next().unwrap().count(), 2000);
            let limit = MULTIPLE * blob.len() + BASE;
            assert!(
                peak <= limit,
                "{} in {shards} shards: {peak} > {limit}",
                schema.name()
            );
        }
    }
}

/// Thousands of types of one record, and one type of thousands of fields, whose names a delta has in another order.
fn many_types_and_fields() {
    let mut numbers = Numbers(3);
    let text: String = (0..3000)
        .map(|index| format!("T{index} {{ boolean b; string s; }} "))
        .collect();
    let schemas = parse_schemas(&text).unwrap();
    let mut blob = header(-1, 1, &schemas.iter().collect::<Vec<_>>());
    let values = vec![Stored::Fixed(1), Stored::Bytes(b"x".to_vec())];
    let records = Records::from([(0, Record::Object(values))]);
    for schema in &schemas {
        TypeBlob {
            schema,
            shards: 1,
            max_ordinal: 0,
            records: &records,
            removed: None,
        }
        .write(&mut blob, &mut numbers);
    }
    let (peak, state) = peak(|| ReadState::from_snapshot(&blob, &Filter::all()).unwrap());
    assert_eq!(state.types().len(), 3000);
    let limit = MULTIPLE * blob.len() + TYPE * 3000 + BASE;
    assert!(peak <= limit, "{peak} > {limit}");

    let wide = |numbers: &mut dyn Iterator<Item = usize>| {
        let fields: String = numbers.map(|index| format!("long f{index}; ")).collect();
        parse_schemas(&format!("Wide {{ {fields} }}"))
            .unwrap()
            .remove(0)
    };
    let (schema, turned) = (wide(&mut (0..30_000)), wide(&mut (0..30_000).rev()));
    let values = (0..30_000).map(|index| Stored::Fixed(index % 7)).collect();
    let records = Records::from([(0, Record::Object(values))]);
    let mut blob = header(-1, 1, &[&schema]);
    TypeBlob {
        schema: &schema,
        shards: 1,
        max_ordinal: 0,
        records: &records,
        removed: None,
    }
    .write(&mut blob, &mut numbers);
    let (peak, state) = self::peak(|| ReadState::from_snapshot(&blob, &Filter::all()).unwrap());
    assert!(
        peak <= MULTIPLE * blob.len() + TYPE + BASE,
        "{peak} of {}",
        blob.len()
    );
    let mut blob = header(1, 2, &[&turned]);
    TypeBlob {
        schema: &turned,
        shards: 1,
        max_ordinal: 0,
        records: &records,
        removed: Some(&[0]),
    }
    .write(&mut blob, &mut numbers);
    let (next, _) = state.apply(&blob).unwrap();
    let record = next.type_state("Wide").unwrap().object(0).unwrap();
    assert_eq!(record.long(29_999), Some(0));
    assert_eq!(
        record.long(0),
        Some(hollow::codec::varint::unzigzag_long(29_999 % 7))
    );
}

/// Deltas of one record far beyond all others.
fn far_deltas() {
    let schema = &parse_schemas("A { long l; double d; }").unwrap()[0];
    let mut numbers = Numbers(2);
    let state = ReadState::empty(0, [schema.clone()]).unwrap();
    let records = Records::from([(
        (1 << 29) - 1,
        Record::Object(vec![Stored::Fixed(1), Stored::Null]),
    )]);
    let mut blob = header(0, 1, &[schema]);
    TypeBlob {
        schema,
        shards: 1,
        max_ordinal: (1 << 29) - 1,
        records: &records,
        removed: Some(&[]),
    }
    .write(&mut blob, &mut numbers);
    let (peak, (next, _)) = peak(|| state.apply(&blob).unwrap());
    assert!(next.types().next().unwrap().is_populated((1 << 29) - 1));
    assert!(peak <= MULTIPLE * blob.len() + BASE, "{peak}");
}
