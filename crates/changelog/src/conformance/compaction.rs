//! Compaction by key.

use super::{Backend, keyed, read, read_all, refused};
use crate::{NewRecord, Position, Refusal, TopicSpec};

fn compacted(backend: &mut dyn Backend, name: &str, delete_retention_ms: i64) {
    let spec = TopicSpec {
        delete_retention_ms,
        ..TopicSpec::compacted(name, 1)
    };
    backend.log().create_topic(&spec).unwrap();
}

fn contents(backend: &dyn Backend, topic: &str) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let record = |r: crate::Record| (r.offset, text(r.key.unwrap()), r.value.map(text));
    read_all(backend.log(), topic)
        .into_iter()
        .map(record)
        .collect()
}

pub(super) fn keeps_the_last(backend: &mut dyn Backend) {
    compacted(backend, "keeps-the-last", 86_400_000);
    let records: Vec<_> = (0..60)
        .map(|i| keyed(&format!("k{}", i % 6), &i.to_string()))
        .collect();
    let at = backend.log().append("keeps-the-last", &records).unwrap();
    // A round of all keys again: Kafka never compacts the segment being written, which holds these.
    let again: Vec<_> = (0..6).map(|i| keyed(&format!("k{i}"), "last")).collect();
    let last = backend.log().append("keeps-the-last", &again).unwrap();
    let written = backend.log().end_offsets("keeps-the-last").unwrap()[0];
    backend.compact("keeps-the-last");
    let end = backend.log().end_offsets("keeps-the-last").unwrap();
    assert!(end[0] >= written);
    for _ in 0..2 {
        let got = contents(backend, "keeps-the-last");
        assert!(got.len() < 66, "nothing was compacted");
        assert!(got.is_sorted_by_key(|(offset, ..)| *offset));
        for (i, at) in last.iter().enumerate() {
            assert!(
                got.contains(&(at.offset, format!("k{i}"), Some("last".to_owned()))),
                "{got:?}"
            );
        }
        assert_eq!(backend.log().begin_offsets("keeps-the-last").unwrap(), [0]);
        assert_eq!(backend.log().end_offsets("keeps-the-last").unwrap(), end);
        // Reading from an offset inside a gap gives the next record that is left.
        let gap = at
            .iter()
            .find(|at| !got.iter().any(|(offset, ..)| *offset == at.offset))
            .unwrap();
        let next = got
            .iter()
            .find(|(offset, ..)| *offset > gap.offset)
            .unwrap();
        assert_eq!(
            read(backend.log(), "keeps-the-last", &[*gap])[0].offset,
            next.0
        );
        backend.restart();
    }
    let at = backend
        .log()
        .append("keeps-the-last", &[keyed("k0", "newer")])
        .unwrap();
    assert_eq!(at, [Position::new(0, end[0])]);
}

pub(super) fn tombstones(backend: &mut dyn Backend) {
    const RETENTION_MS: i64 = 2_000;
    compacted(backend, "tombstones", RETENTION_MS);
    let records = [
        keyed("gone", "1"),
        keyed("back", "1"),
        NewRecord::tombstone(1, "back"),
        keyed("back", "2"),
        keyed("stays", "1"),
        NewRecord::tombstone(1, "gone"),
    ];
    let at = backend.log().append("tombstones", &records).unwrap();
    let end = at[5].offset + 1;
    backend.compact("tombstones");
    // However long ago it was written, a reader still has the whole retention to see it.
    let got = contents(backend, "tombstones");
    let kept = [("back", Some("2")), ("stays", Some("1")), ("gone", None)];
    let names = |(_, key, value): &(i64, String, Option<String>)| (key.clone(), value.clone());
    let last: Vec<_> = got.iter().rev().take(3).rev().map(names).collect();
    let expected: Vec<_> = kept
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned)))
        .collect();
    assert_eq!(last, expected);
    backend.restart();
    backend.advance(RETENTION_MS + 1);
    backend.compact("tombstones");
    let got = contents(backend, "tombstones");
    assert!(!got.iter().any(|(_, key, _)| key == "gone"), "{got:?}");
    assert!(got.contains(&(at[3].offset, "back".to_owned(), Some("2".to_owned()))));
    assert!(got.contains(&(at[4].offset, "stays".to_owned(), Some("1".to_owned()))));
    // The last record is gone, yet the end stays, and readers (`contents` above, too) pass over the gap to it.
    assert!(backend.log().end_offsets("tombstones").unwrap()[0] >= end);
    backend.restart();
    assert!(backend.log().end_offsets("tombstones").unwrap()[0] >= end);
}

pub(super) fn needs_keys(backend: &mut dyn Backend) {
    compacted(backend, "needs-keys", 86_400_000);
    let records = [
        keyed("k", "v"),
        NewRecord {
            key: None,
            ..keyed("", "v")
        },
    ];
    let refusal = refused(backend.log().append("needs-keys", &records));
    assert_eq!(
        refusal,
        Refusal::KeyRequired {
            topic: "needs-keys".to_owned(),
            index: 1
        }
    );
}
