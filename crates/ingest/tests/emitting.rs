//! The emitter: what it takes is in the log in order and folded, what it can't take is refused at once, and its memory is
//! bounded.

mod support;

use changelog::{ChangeLog, Consumer, NewRecord, Position, TopicInfo, TopicSpec};
use ingest::{
    Channel, Delivery, Emission, Emitter, EmitterCounts, EmitterOptions, Ended, Error, Origin,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Model, World, value};

fn options() -> EmitterOptions {
    EmitterOptions {
        batch_records: 50,
        linger: Duration::from_millis(1),
        ..EmitterOptions::default()
    }
}

#[test]
fn what_is_emitted_is_folded() {
    let mut world = World::new();
    world.create_topics();
    let deliveries: Arc<Mutex<Vec<Delivery>>> = Arc::default();
    let seen = Arc::clone(&deliveries);
    let options = EmitterOptions {
        report: Some(Arc::new(move |delivery| {
            seen.lock().unwrap().push(delivery)
        })),
        ..options()
    };
    let emitter = Emitter::open(
        world.spec.clone(),
        Arc::clone(world.log()),
        &*world.schemas,
        options,
    )
    .unwrap();
    let mut sent = Vec::new();
    for number in 0..500_u64 {
        let (id, version) = (
            i64::try_from(number % 40).unwrap(),
            i64::try_from(number).unwrap(),
        );
        let content = (number % 7 != 0).then(|| value(id, "en", number));
        let emission = match &content {
            Some(value) => Emission::upsert(value.clone(), Some(version)),
            None => Emission::delete(vec![json!(id), json!("en")], Some(version)),
        };
        assert_eq!(emitter.emit(&emission).unwrap(), number);
        sent.push((id, version, content));
    }
    assert_eq!(
        emitter.flush().unwrap(),
        EmitterCounts {
            delivered: 500,
            failed: 0
        }
    );
    let delivered = deliveries.lock().unwrap().clone();
    assert!(
        delivered
            .iter()
            .map(|delivery| delivery.sequence)
            .eq(0..500)
    );
    assert_eq!(emitter.close().unwrap().delivered, 500);

    let mut producer = world.open(None).unwrap();
    assert!(matches!(
        world.cycle(&mut producer).unwrap(),
        Ended::Announced(_)
    ));
    let mut model = Model::default();
    for ((id, version, content), delivery) in sent.into_iter().zip(delivered) {
        let Position { partition, offset } = delivery.result.unwrap();
        let origin = Origin {
            source_version: Some(version),
            deleted: content.is_none(),
            channel: Channel::Changes,
            partition,
            offset,
            swept: None,
        };
        model.fold(id, "en", origin, content);
    }
    model.check(&world, &world.load().unwrap());
}

#[test]
fn what_the_producer_would_refuse_is_refused_before_it_is_sent() {
    let world = World::new();
    let missing = Emitter::open(
        world.spec.clone(),
        Arc::clone(world.log()),
        &*world.schemas,
        options(),
    );
    assert!(
        missing
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("there is no topic")
    );
    world.create_topics();
    let emitter = Emitter::open(
        world.spec.clone(),
        Arc::clone(world.log()),
        &*world.schemas,
        options(),
    )
    .unwrap();
    let good = value(1, "en", 2);
    let with = |field: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        changed[field] = value;
        Emission::upsert(changed, Some(1))
    };
    let other_key = Emission {
        key: Some(vec![json!(2), json!("en")]),
        ..Emission::upsert(good.clone(), Some(1))
    };
    for (emission, words) in [
        (Emission::upsert(good.clone(), None), "no source version"),
        (Emission::upsert(good.clone(), Some(-1)), "negative"),
        (Emission::default(), "neither key nor value"),
        (Emission::delete(vec![json!(1)], Some(1)), "1 parts, not 2"),
        (with("id", json!("one")), "whole number of 64 bits for id"),
        (with("text", json!(5)), "text: 5 is no string"),
        (with("language", json!("english")), "no language code"),
        (
            with("spans", json!([{"from": 5, "to": 4}])),
            "to (4) is not after from (5)",
        ),
        (with("surplus", json!(1)), "no field \"surplus\""),
        (other_key, "the key and the value's field id do not agree"),
    ] {
        let error = emitter.emit(&emission).unwrap_err();
        assert!(error.to_string().contains(words), "{error}, not {words}");
    }
    assert_eq!(emitter.close().unwrap(), EmitterCounts::default());
    assert_eq!(world.log().end_offsets("items").unwrap(), [0, 0, 0]);
    let typed = Emission::of(&good, Some(3)).unwrap();
    assert_eq!(typed, Emission::upsert(good, Some(3)));
    let json: Emission =
        serde_json::from_str(r#"{"key": [1, "en"], "sourceVersion": 9, "value": null}"#).unwrap();
    assert_eq!(json, Emission::delete(vec![json!(1), json!("en")], Some(9)));
}

/// A log whose appends wait for a permit, or fail.
struct Gate {
    log: Arc<dyn ChangeLog>,
    open: AtomicBool,
    failures: AtomicUsize,
    refuses: AtomicBool,
}

impl ChangeLog for Gate {
    fn create_topic(&self, spec: &TopicSpec) -> changelog::Result<TopicInfo> {
        self.log.create_topic(spec)
    }
    fn topic(&self, name: &str) -> changelog::Result<Option<TopicInfo>> {
        self.log.topic(name)
    }
    fn topics(&self) -> changelog::Result<Vec<TopicInfo>> {
        self.log.topics()
    }
    fn delete_topic(&self, name: &str) -> changelog::Result<()> {
        self.log.delete_topic(name)
    }
    fn add_partitions(&self, name: &str, partitions: u32) -> changelog::Result<TopicInfo> {
        self.log.add_partitions(name, partitions)
    }
    fn begin_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.log.begin_offsets(topic)
    }
    fn end_offsets(&self, topic: &str) -> changelog::Result<Vec<i64>> {
        self.log.end_offsets(topic)
    }
    fn append(&self, topic: &str, records: &[NewRecord]) -> changelog::Result<Vec<Position>> {
        while !self.open.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.refuses.load(Ordering::Acquire) {
            let topic = topic.to_owned();
            return Err(changelog::Refusal::UnknownTopic { topic }.into());
        }
        if self
            .failures
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1))
            .is_ok()
        {
            return Err(changelog::Error::Corrupt {
                what: "the answer".to_owned(),
                detail: "it is lost".to_owned(),
            });
        }
        self.log.append(topic, records)
    }
    fn consumer(&self, topic: &str, start: &[Position]) -> changelog::Result<Box<dyn Consumer>> {
        self.log.consumer(topic, start)
    }
    fn truncate(&self, topic: &str, before: &[Position]) -> changelog::Result<()> {
        self.log.truncate(topic, before)
    }
}

fn gate(world: &World) -> Arc<Gate> {
    world.create_topics();
    Arc::new(Gate {
        log: Arc::clone(world.log()),
        open: AtomicBool::new(true),
        failures: AtomicUsize::new(0),
        refuses: AtomicBool::new(false),
    })
}

#[test]
fn a_log_that_is_slow_makes_the_caller_wait() {
    let world = World::new();
    let gate = gate(&world);
    gate.open.store(false, Ordering::Release);
    let options = EmitterOptions {
        bytes_in_flight: 10_000,
        ..options()
    };
    let log: Arc<dyn ChangeLog> = Arc::clone(&gate) as _;
    let emitter = Emitter::open(world.spec.clone(), log, &*world.schemas, options).unwrap();
    let emitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (emitter, emitted) = (&emitter, &emitted);
        scope.spawn(move || {
            for id in 0..1000 {
                emitter
                    .emit(&Emission::upsert(value(id, "en", 2), Some(id)))
                    .unwrap();
                emitted.fetch_add(1, Ordering::AcqRel);
            }
        });
        // It stands still with some in flight, and goes on when the log does.
        let mut before = usize::MAX;
        while before != emitted.load(Ordering::Acquire) || before == 0 {
            before = emitted.load(Ordering::Acquire);
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(before < 200, "{before}");
        gate.open.store(true, Ordering::Release);
    });
    assert_eq!(emitter.close().unwrap().delivered, 1000);
}

#[test]
fn a_batch_that_fails_is_appended_again_and_one_that_is_refused_is_told() {
    let world = World::new();
    let gate = gate(&world);
    gate.failures.store(2, Ordering::Release);
    let log: Arc<dyn ChangeLog> = Arc::clone(&gate) as _;
    let emitter = Emitter::open(world.spec.clone(), log, &*world.schemas, options()).unwrap();
    emitter
        .emit(&Emission::upsert(value(1, "en", 2), Some(1)))
        .unwrap();
    assert_eq!(
        emitter.flush().unwrap(),
        EmitterCounts {
            delivered: 1,
            failed: 0
        }
    );
    gate.refuses.store(true, Ordering::Release);
    emitter
        .emit(&Emission::upsert(value(1, "en", 3), Some(2)))
        .unwrap();
    let error = emitter.flush().unwrap_err();
    assert!(
        matches!(&error, Error::Undelivered { failed: 1, .. }),
        "{error}"
    );
    // Told once; the emitter goes on.
    gate.refuses.store(false, Ordering::Release);
    emitter
        .emit(&Emission::upsert(value(1, "en", 3), Some(2)))
        .unwrap();
    assert_eq!(
        emitter.close().unwrap(),
        EmitterCounts {
            delivered: 2,
            failed: 1
        }
    );
}
