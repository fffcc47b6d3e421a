//! Folding against a model: random interleavings, repetitions, restarts, and a stop after every step of a cycle.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

use changelog::{NewRecord, Position};
use ingest::sweep::{Marker, MarkerKind};
use ingest::{Channel, Ended, IncrementalProducer, Origin};
use serde_json::Value;
use support::{Model, Random, World, abort_after, delete, item, key, seed, value};

/// What an upstream may send.
struct Upstream {
    random: Random,
    model: Model,
    clock: i64,
    sent: Vec<(Channel, NewRecord, Sent)>,
}

#[derive(Clone)]
enum Sent {
    Item {
        id: i64,
        language: &'static str,
        source_version: i64,
        value: Option<Value>,
    },
    Poison(&'static str),
}

impl Upstream {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            model: Model::default(),
            clock: 1000,
            sent: Vec::new(),
        }
    }

    fn next(&mut self, world: &World) -> (Channel, NewRecord, Sent) {
        let random = &mut self.random;
        let channel = if random.one_in(4) {
            Channel::Sweep
        } else {
            Channel::Changes
        };
        if !self.sent.is_empty() && random.one_in(8) {
            // The producer upstream retried, or a sweep found the same row.
            let at = usize::try_from(random.below(self.sent.len() as u64)).unwrap();
            let (_, record, sent) = self.sent[at].clone();
            return (channel, record, sent);
        }
        let id = i64::try_from(random.below(12)).unwrap();
        let language = ["en", "de", "pt-BR"][usize::try_from(random.below(3)).unwrap()];
        self.clock += 1;
        let late = i64::try_from(random.below(10)).unwrap();
        let source_version = self.clock - late * late;
        let content = random.below(40);
        if random.one_in(5) {
            let sent = Sent::Item {
                id,
                language,
                source_version,
                value: None,
            };
            return (channel, delete(id, language, source_version), sent);
        }
        let mut record = item(world, id, language, source_version, content);
        if random.one_in(6) {
            record.partition = Some(u32::try_from(random.below(3)).unwrap());
        }
        match random.below(60) {
            0 => record.key = Some(b"[1]".to_vec()),
            1 => record.headers.clear(),
            2 => record.value = Some(b"nonsense".to_vec()),
            3 => record.value.as_mut().unwrap().truncate(6),
            4 => record.headers = vec![("gl-control".to_owned(), b"sweep-begin".to_vec())],
            _ => {
                let value = Some(value(id, language, content));
                return (
                    channel,
                    record,
                    Sent::Item {
                        id,
                        language,
                        source_version,
                        value,
                    },
                );
            }
        }
        (channel, record, Sent::Poison(""))
    }

    fn send(&mut self, world: &World, count: u64) {
        for _ in 0..count {
            let (channel, record, sent) = self.next(world);
            let Position { partition, offset } =
                world.send(channel, std::slice::from_ref(&record))[0];
            self.sent.push((channel, record, sent.clone()));
            match sent {
                Sent::Item {
                    id,
                    language,
                    source_version,
                    value,
                } => {
                    let deleted = value.is_none();
                    let source_version = Some(source_version);
                    let origin = Origin {
                        source_version,
                        deleted,
                        channel,
                        partition,
                        offset,
                        swept: None,
                    };
                    self.model.fold(id, language, origin, value);
                }
                Sent::Poison(words) => {
                    let topic = world.spec.topic_of(channel);
                    self.model
                        .dead
                        .insert((topic, partition, offset), words.to_owned());
                }
            }
        }
    }
}

/// A first state waits for a sweep where there are rows of some; this one finds nothing and deletes nothing.
fn sweep_nothing(world: &World, sweep: &str) {
    for kind in [
        MarkerKind::Begin {
            as_of: 0,
            filtered: false,
        },
        MarkerKind::End,
    ] {
        let marker = Marker {
            sweep: sweep.to_owned(),
            kind,
        };
        let records: Vec<_> = (0..world.spec.partitions)
            .map(|partition| marker.record(world.now_ms, partition))
            .collect();
        world.send(Channel::Sweep, &records);
    }
}

/// Runs cycles until everything is published. A stop that was ordered before may still come, once.
fn settle(world: &mut World, producer: &mut IncrementalProducer) {
    let mut stops = 0;
    for _ in 0..10 {
        match world.cycle(producer) {
            Ok(Ended::RolledBack(reason)) if reason.contains("stopped after") => stops += 1,
            Err(error) if error.to_string().contains("stopped after") => stops += 1,
            Ok(Ended::RolledBack(reason)) => panic!("{reason}"),
            ended => drop(ended.unwrap()),
        }
        assert!(stops <= 1, "a stop was ordered once");
        let progress = producer.progress();
        let failed = matches!(progress.ended, Ended::RolledBack(_) | Ended::Failed(_));
        if !failed && progress.pending == 0 && progress.behind == 0 {
            return;
        }
    }
    panic!("{:?}", producer.progress());
}

/// A poisoned record may be dropped as older than what made its key instead of being dead-lettered; the model's dead letters
/// are then those that were found.
fn check(world: &World, upstream: &Upstream) {
    let state = world.load().unwrap();
    let mut model = upstream.model.clone();
    let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
    let found: Vec<_> = letters
        .iter()
        .map(|l| (l.topic.clone(), l.partition, l.offset))
        .collect();
    for place in &found {
        assert!(model.dead.contains_key(place), "{place:?} is no poison");
    }
    model.dead.retain(|place, _| found.contains(place));
    model.check(world, &state);
}

#[test]
fn random_interleavings_fold_as_the_model_says() {
    let seed = seed();
    for run in 0..6 {
        let mut world = World::new();
        let mut upstream = Upstream::new(seed.wrapping_mul(1000) + run);
        world.create_topics();
        upstream.send(&world, 20);
        // After keys that can't be decoded, which would cancel it.
        sweep_nothing(&world, "first");
        let mut producer = world.open(None).unwrap();
        for _ in 0..40 {
            match upstream.random.below(10) {
                0..4 => {
                    let count = upstream.random.below(15);
                    upstream.send(&world, count);
                }
                4..7 => {
                    // An ordered stop may come as late as here.
                    let _ = world.cycle(&mut producer);
                }
                7 => {
                    drop(producer);
                    producer = world.open(None).unwrap();
                }
                8 => {
                    drop(producer);
                    let steps = i64::try_from(upstream.random.below(30)).unwrap();
                    producer = match world.open(Some(abort_after(steps).0)) {
                        Ok(producer) => producer,
                        Err(_) => world.open(None).unwrap(),
                    };
                    let count = upstream.random.below(10);
                    upstream.send(&world, count);
                    // Stopped or not: the next one must go on from wherever this ended.
                    let _ = world.cycle(&mut producer);
                    let _ = world.cycle(&mut producer);
                    if upstream.random.one_in(2) {
                        drop(producer);
                        producer = world.open(None).unwrap();
                    }
                }
                _ => {
                    settle(&mut world, &mut producer);
                    check(&world, &upstream);
                }
            }
        }
        drop(producer);
        producer = world.open(None).unwrap();
        settle(&mut world, &mut producer);
        check(&world, &upstream);
        // Reading everything again changes nothing: a rebuild from the topics says the same.
        let digest = producer.publisher().digest();
        let mut again = World::new();
        for topic in world.spec.topics() {
            again.log().create_topic(&topic).unwrap();
        }
        for channel in [Channel::Changes, Channel::Sweep] {
            copy(&world, &again, channel);
        }
        sweep_nothing(&again, "last");
        let mut rebuilt = again.open(None).unwrap();
        settle(&mut again, &mut rebuilt);
        assert_eq!(rebuilt.publisher().digest(), digest);
    }
}

fn copy(from: &World, to: &World, channel: Channel) {
    let topic = from.spec.topic_of(channel);
    let ends = from.log().end_offsets(&topic).unwrap();
    let mut consumer = from
        .log()
        .consumer(&topic, &Position::of_all(&vec![0; ends.len()]))
        .unwrap();
    let mut batch = changelog::Batch::new();
    while consumer
        .poll(
            &mut batch,
            changelog::PollLimit::default(),
            std::time::Duration::ZERO,
        )
        .unwrap()
        > 0
    {
        let records: Vec<_> = batch
            .records()
            .map(|record| {
                let changelog::Record {
                    partition,
                    timestamp_ms,
                    key,
                    value,
                    headers,
                    ..
                } = record.to_record();
                NewRecord {
                    partition: Some(partition),
                    timestamp_ms,
                    key,
                    value,
                    headers,
                }
            })
            .collect();
        to.send(channel, &records);
    }
}

/// Three rounds of changes with everything in them, a cycle or two after each.
fn scripted(
    world: &mut World,
    stop_after: Option<i64>,
    reopen: bool,
) -> (Model, IncrementalProducer, bool) {
    world.create_topics();
    sweep_nothing(world, "first");
    let mut upstream = Upstream::new(99);
    upstream.send(world, 30);
    let (hook, hit) = match stop_after {
        Some(steps) => {
            let (hook, hit) = abort_after(steps);
            (Some(hook), Some(hit))
        }
        None => (None, None),
    };
    let mut producer = match world.open(hook) {
        Ok(producer) => producer,
        Err(_) => world.open(None).unwrap(),
    };
    for round in 0..4 {
        let before = hit
            .as_ref()
            .is_some_and(|hit| hit.lock().unwrap().is_some());
        let ended = world.cycle(&mut producer);
        let after = hit
            .as_ref()
            .is_some_and(|hit| hit.lock().unwrap().is_some());
        if after && !before && reopen {
            drop(ended);
            drop(producer);
            producer = world.open(None).unwrap();
        }
        let _ = world.cycle(&mut producer);
        if round < 3 {
            upstream.send(world, 15);
        }
    }
    settle(world, &mut producer);
    check(world, &upstream);
    let was_hit = hit.is_some_and(|hit| hit.lock().unwrap().is_some());
    (upstream.model, producer, was_hit)
}

#[test]
fn a_stop_after_every_step_loses_and_repeats_nothing() {
    let mut world = World::new();
    let (_, producer, _) = scripted(&mut world, None, false);
    let digest = producer.publisher().digest();
    // Every step of the first rounds, gone on with and begun anew in turns, then a sample of the rest, which are alike.
    let mut steps = 0;
    loop {
        let mut world = World::new();
        let reopen = steps % 2 == 1;
        let (_, producer, was_hit) = scripted(&mut world, Some(steps), reopen);
        assert_eq!(
            producer.publisher().digest(),
            digest,
            "stopped after step {steps}, reopened: {reopen}"
        );
        if !was_hit {
            break;
        }
        steps += if steps < 48 { 1 } else { 7 };
    }
    assert!(steps > 48, "only {steps} steps");
}

#[test]
fn a_poison_record_in_each_position_of_a_batch_stops_nothing() {
    type Spoil = fn(&World, &mut NewRecord);
    let kinds: [(&str, Spoil); 11] = [
        ("no key", |_, r| r.key = Some(b"".to_vec())),
        ("the JSON array [id, language]", |_, r| {
            r.key = Some(b"[7]".to_vec())
        }),
        ("do not agree", |_, r| {
            r.key = Some(key(777, "en").into_bytes())
        }),
        ("wire format", |_, r| r.value = Some(b"{}".to_vec())),
        ("schema id 5 is not known", |_, r| {
            r.value = Some(vec![0, 0, 0, 0, 5, 1])
        }),
        ("too early", |_, r| {
            r.value.as_mut().unwrap().pop();
        }),
        ("after the value's end", |_, r| {
            r.value.as_mut().unwrap().push(0)
        }),
        ("gl-source-version is missing", |_, r| r.headers.clear()),
        ("gl-source-version is \"x\"", |_, r| {
            r.headers[0].1 = b"x".to_vec()
        }),
        ("is not after from", |world, r| {
            let value = serde_json::json!({"id": 1, "language": "en", "text": null, "tags": [], "spans": [{"from": 5, "to": 4}]});
            r.key = Some(key(1, "en").into_bytes());
            let bytes = r.value.as_mut().unwrap();
            bytes.truncate(5);
            world.spec.schema.encode_json(&value, bytes).unwrap();
        }),
        ("no language code", |world, r| {
            let value = serde_json::json!({"id": 1, "language": "xx", "text": null, "tags": [], "spans": []});
            r.key = Some(key(1, "xx").into_bytes());
            let bytes = r.value.as_mut().unwrap();
            bytes.truncate(5);
            world.spec.schema.encode_json(&value, bytes).unwrap();
        }),
    ];
    let mut world = World::new();
    world.create_topics();
    world.send(Channel::Changes, &[item(&world, 0, "en", 1, 0)]);
    let mut producer = world.open(None).unwrap();
    settle(&mut world, &mut producer);
    let mut source_version = 10;
    let mut dead = 0;
    for (words, spoil) in kinds {
        let words = if words == "no key" {
            "the key is not"
        } else {
            words
        };
        for position in 0..5 {
            let mut records: Vec<_> = (0..5)
                .map(|i| {
                    source_version += 1;
                    item(
                        &world,
                        100 + i,
                        "en",
                        source_version,
                        source_version.unsigned_abs(),
                    )
                    .to_partition(0)
                })
                .collect();
            spoil(&world, &mut records[position]);
            let at = world.send(Channel::Changes, &records);
            assert!(matches!(
                world.cycle(&mut producer).unwrap(),
                Ended::Announced(_)
            ));
            let progress = producer.progress();
            assert_eq!(
                (progress.last_records.dead, progress.last_records.changed),
                (1, 4),
                "{words} at {position}"
            );
            let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
            dead += 1;
            assert_eq!(letters.len(), dead);
            let letter = letters
                .iter()
                .find(|l| l.offset == at[position].offset)
                .unwrap();
            assert!(
                letter.reason.contains(words),
                "{} should say {words}",
                letter.reason
            );
            assert_eq!(
                (&letter.key, &letter.value),
                (&records[position].key, &records[position].value)
            );
            assert_eq!(letter.headers, records[position].headers);
        }
    }
    // Whoever asks about a key is told of newer records of it that could not be folded.
    let origin = ingest::origin(&world.load().unwrap(), key(101, "en").as_bytes());
    let mut poison = item(&world, 101, "en", source_version + 5, 1);
    poison.value = Some(vec![9]);
    world.send(Channel::Changes, &[poison]);
    settle(&mut world, &mut producer);
    let newer = |id| {
        let key = key(id, "en");
        ingest::newer_dead_letters(&**world.log(), &world.spec, key.as_bytes(), origin.as_ref())
            .unwrap()
            .len()
    };
    assert!(newer(101) >= 1);
    assert_eq!(newer(12345), 0);
}
