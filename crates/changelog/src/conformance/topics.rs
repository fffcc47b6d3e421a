//! Topics and their incarnations.

use super::{Backend, PATIENCE, keyed, read_all, refused};
use crate::{Batch, PollLimit, Position, Refusal, TopicEnd, TopicInfo, TopicSpec};
use std::time::{Duration, Instant};

pub(super) fn lifecycle(backend: &mut dyn Backend) {
    let log = backend.log();
    assert_eq!(log.topic("topics-a").unwrap(), None);
    let spec = TopicSpec {
        delete_retention_ms: 12_000,
        ..TopicSpec::compacted("topics-a", 3)
    };
    let made = log.create_topic(&spec).unwrap();
    let expected = TopicInfo {
        id: made.id,
        name: "topics-a".to_owned(),
        partitions: 3,
        compacted: true,
        delete_retention_ms: 12_000,
    };
    assert_eq!(made, expected);
    assert_eq!(log.topic("topics-a").unwrap(), Some(expected));
    assert_eq!(log.begin_offsets("topics-a").unwrap(), [0, 0, 0]);
    assert_eq!(log.end_offsets("topics-a").unwrap(), [0, 0, 0]);
    assert_eq!(
        refused(log.create_topic(&spec)),
        Refusal::TopicExists {
            topic: "topics-a".to_owned()
        }
    );
    log.create_topic(&TopicSpec::new("topics-B", 1)).unwrap();
    let names: Vec<_> = log
        .topics()
        .unwrap()
        .into_iter()
        .map(|topic| topic.name)
        .collect();
    assert!(names.is_sorted());
    assert!(
        ["topics-a", "topics-B"]
            .iter()
            .all(|name| names.iter().any(|n| n == name)),
        "{names:?}"
    );

    let wide = log.add_partitions("topics-a", 5).unwrap();
    assert_eq!((wide.id, wide.partitions), (made.id, 5));
    assert_eq!(log.end_offsets("topics-a").unwrap(), [0; 5]);
    assert!(matches!(
        refused(log.add_partitions("topics-a", 5)),
        Refusal::InvalidTopic { .. }
    ));
    assert!(matches!(
        refused(log.add_partitions("topics-a", 2)),
        Refusal::InvalidTopic { .. }
    ));
    assert_eq!(
        log.append("topics-a", &[keyed("k", "v").to_partition(4)])
            .unwrap(),
        [Position::new(4, 0)]
    );
    backend.restart();
    let log = backend.log();
    assert_eq!(log.topic("topics-a").unwrap(), Some(wide));
    log.delete_topic("topics-a").unwrap();
    assert_eq!(log.topic("topics-a").unwrap(), None);
    backend.restart();
    assert_eq!(backend.log().topic("topics-a").unwrap(), None);
}

pub(super) fn impossible(backend: &mut dyn Backend) {
    for name in ["", ".", "..", "a/b", "a b", "ü", &"a".repeat(250)] {
        let refusal = refused(backend.log().create_topic(&TopicSpec::new(name, 1)));
        assert!(
            matches!(refusal, Refusal::InvalidTopic { .. }),
            "{name:?}: {refusal}"
        );
    }
    let refusal = refused(backend.log().create_topic(&TopicSpec::new("impossible", 0)));
    assert!(matches!(refusal, Refusal::InvalidTopic { .. }), "{refusal}");
    backend
        .log()
        .create_topic(&TopicSpec::new(&"a".repeat(249), 1))
        .unwrap();
}

pub(super) fn recreated(backend: &mut dyn Backend) {
    let log = backend.log();
    let spec = TopicSpec::new("recreated", 1);
    let first = log.create_topic(&spec).unwrap();
    log.append("recreated", &[keyed("old", "1"), keyed("old", "2")])
        .unwrap();
    let mut consumer = log.consumer("recreated", &[Position::new(0, 1)]).unwrap();
    assert_eq!(consumer.topic(), &first);
    log.delete_topic("recreated").unwrap();
    let mut poll = || {
        consumer.poll(
            &mut Batch::new(),
            PollLimit::default(),
            Duration::from_millis(100),
        )
    };
    assert_eq!(
        fail(&mut poll),
        Refusal::UnknownTopic {
            topic: "recreated".to_owned()
        }
    );
    let second = log.create_topic(&spec).unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(log.end_offsets("recreated").unwrap(), [0]);
    log.append(
        "recreated",
        &[keyed("new", "1"), keyed("new", "2"), keyed("new", "3")],
    )
    .unwrap();
    let (expected, found) = (first.id, second.id);
    assert_eq!(
        fail(&mut poll),
        Refusal::TopicRecreated {
            topic: "recreated".to_owned(),
            expected,
            found
        }
    );
    drop(consumer);
    let values: Vec<_> = read_all(log, "recreated")
        .into_iter()
        .map(|r| r.value.unwrap())
        .collect();
    assert_eq!(values, [b"1", b"2", b"3"]);
    backend.restart();
    assert_eq!(
        backend.log().topic("recreated").unwrap().unwrap().id,
        second.id
    );
}

/// Polls until it fails: a client may deliver what it had fetched before it learns of the change.
fn fail(poll: &mut dyn FnMut() -> crate::Result<usize>) -> Refusal {
    let started = Instant::now();
    loop {
        match poll() {
            Ok(_) => assert!(
                started.elapsed() < PATIENCE,
                "the consumer of a topic that is gone goes on"
            ),
            error => return refused(error),
        }
    }
}

pub(super) fn ends(backend: &mut dyn Backend) {
    let log = backend.log();
    let one = log.create_topic(&TopicSpec::new("ends-one", 2)).unwrap();
    let other = log.create_topic(&TopicSpec::new("ends-other", 1)).unwrap();
    let records = [
        keyed("a", "1").to_partition(1),
        keyed("b", "2").to_partition(1),
    ];
    log.append("ends-one", &records).unwrap();
    log.append("ends-other", &[keyed("a", "1").to_partition(0)])
        .unwrap();
    let end = |topic: &TopicInfo, offsets: &[i64]| TopicEnd {
        id: topic.id,
        partitions: topic.partitions,
        offsets: offsets.to_vec(),
    };
    assert_eq!(log.ends(&[]).unwrap(), []);
    assert_eq!(
        log.ends(&[&other, &one]).unwrap(),
        [end(&other, &[1]), end(&one, &[0, 2])]
    );
    assert_eq!(log.end_offset("ends-one", 1).unwrap(), 2);
    assert_eq!(log.end_offset("ends-one", 0).unwrap(), 0);

    // Of one that has grown, how many partitions there are now, and at least those that were known.
    let wide = log.add_partitions("ends-one", 3).unwrap();
    log.append("ends-one", &[keyed("c", "3").to_partition(2)])
        .unwrap();
    let found = log.ends(&[&one, &other]).unwrap();
    assert_eq!((found[0].id, found[0].partitions), (one.id, 3));
    assert_eq!(found[0].offsets[..2], [0, 2]);
    assert_eq!(found[1], end(&other, &[1]));
    assert_eq!(log.ends(&[&wide]).unwrap(), [end(&wide, &[0, 2, 1])]);

    // One that was made anew is told with its new id, also where it lacks a partition.
    log.delete_topic("ends-one").unwrap();
    let anew = log.create_topic(&TopicSpec::new("ends-one", 1)).unwrap();
    let found = log.ends(&[&other, &wide]).unwrap();
    assert_eq!(found[0], end(&other, &[1]));
    assert_eq!((found[1].id, found[1].partitions), (anew.id, 1));
    assert_eq!(log.end_offset("ends-one", 0).unwrap(), 0);
    assert_eq!(
        refused(log.end_offset("ends-one", 1)),
        Refusal::UnknownPartition {
            topic: "ends-one".to_owned(),
            partition: 1,
            partitions: 1,
        }
    );
    log.delete_topic("ends-one").unwrap();
    let no = Refusal::UnknownTopic {
        topic: "ends-one".to_owned(),
    };
    assert_eq!(refused(log.ends(&[&other, &wide])), no);
    assert_eq!(refused(log.end_offset("ends-one", 0)), no);
}

pub(super) fn unknown(backend: &mut dyn Backend) {
    let log = backend.log();
    let no = Refusal::UnknownTopic {
        topic: "unknown".to_owned(),
    };
    assert_eq!(refused(log.begin_offsets("unknown")), no);
    assert_eq!(refused(log.end_offsets("unknown")), no);
    assert_eq!(refused(log.append("unknown", &[keyed("k", "v")])), no);
    assert_eq!(refused(log.consumer("unknown", &[Position::new(0, 0)])), no);
    assert_eq!(refused(log.delete_topic("unknown")), no);
    assert_eq!(refused(log.add_partitions("unknown", 2)), no);
    assert_eq!(refused(log.truncate("unknown", &[Position::new(0, 0)])), no);
    log.create_topic(&TopicSpec::new("known", 2)).unwrap();
    let no = Refusal::UnknownPartition {
        topic: "known".to_owned(),
        partition: 2,
        partitions: 2,
    };
    assert_eq!(
        refused(log.append("known", &[keyed("k", "v").to_partition(2)])),
        no
    );
    assert_eq!(refused(log.consumer("known", &[Position::new(2, 0)])), no);
    assert_eq!(refused(log.truncate("known", &[Position::new(2, 0)])), no);
    assert_eq!(log.end_offsets("known").unwrap(), [0, 0]);
}
