//! Topics and their incarnations.

use super::{Backend, PATIENCE, keyed, read_all, refused};
use crate::{Batch, PollLimit, Position, Refusal, TopicInfo, TopicSpec};
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
