//! Thousands of cycles with random faults, and the faults that want a script.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ingest::{Channel, Error};
use tempfile::TempDir;
use tests_faults::{Place, Poison, Upstream, World, key, memory_dir, open, random_run, row, seed};

const CYCLES: u64 = 2_200;

fn world() -> (TempDir, World) {
    let dir = memory_dir();
    let world = World::open(&Place {
        dir: dir.path().to_owned(),
        dataset: "titles".to_owned(),
        real: None,
    });
    (dir, world)
}

#[test]
fn thousands_of_cycles_with_random_faults() {
    let (_dir, mut world) = world();
    let tally = random_run(&mut world, seed(), CYCLES, |_, _| {});
    println!("{tally:?}");
    assert!(tally.failed > 200 && tally.killed > 50 && tally.overtaken > 5);
}

#[test]
fn a_poisoned_record_in_each_position_of_a_batch_stops_nothing() {
    const BATCH: i64 = 6;
    let (_dir, mut world) = world();
    let mut upstream = Upstream::new(seed());
    upstream.send_row(&world, 1, 1, Some(row(1, 1)), None);
    let mut producer = open(&mut world, "one");
    world.settle(&mut producer);
    let mut version = 1;
    for poison in Poison::ALL {
        for position in 0..BATCH {
            for id in 0..BATCH {
                version += 1;
                let spoilt = (id == position).then_some(poison);
                let value = Some(row(id, version as u64));
                upstream.send_row(&world, id, version, value, spoilt);
            }
            world.settle(&mut producer);
            upstream.model.check(&world);
            let letters = ingest::dead_letters(&*world.log, &world.spec).unwrap();
            assert_eq!(
                letters.len(),
                upstream.model.poison.len(),
                "{poison:?} at {position}"
            );
        }
    }
    world.check_chain();
}

#[test]
fn a_record_of_20_megabytes_is_one_like_others() {
    let (_dir, mut world) = world();
    let mut upstream = Upstream::new(seed());
    upstream.send(&world, 20, 1);
    let mut producer = open(&mut world, "one");
    world.settle(&mut producer);
    let large = "x".repeat(20 << 20);
    let value = serde_json::json!({"id": 7, "name": large, "size": 1});
    upstream.send_row(&world, 7, 1_000_000, Some(value), None);
    // Its answer is lost at first.
    world.gate.order(12, 2, true);
    let _ = world.cycle(&mut producer);
    world.settle(&mut producer);
    upstream.model.check(&world);
    upstream.send_row(&world, 7, 1_000_001, Some(row(7, 2)), None);
    world.settle(&mut producer);
    upstream.model.check(&world);
    world.check_chain();
}

#[test]
fn a_recreated_topic_is_refused_and_named() {
    let (_dir, mut world) = world();
    let mut upstream = Upstream::new(seed());
    upstream.send(&world, 20, 1);
    let mut producer = open(&mut world, "one");
    world.settle(&mut producer);
    let versions = world.versions();
    let spec = world.spec.topics()[0].clone();
    world.log.delete_topic(&spec.name).unwrap();
    world.log.create_topic(&spec).unwrap();
    upstream.send(&world, 20, 1);
    assert!(
        world.cycle(&mut producer).is_err(),
        "the running producer stops"
    );
    drop(producer);
    let error = world.producer("one").map(drop).unwrap_err();
    assert!(matches!(error, Error::TopicRecreated { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&spec.name) && text.contains("under a new name"),
        "{text}"
    );
    assert_eq!(world.versions(), versions);
}

/// Every version answers for each key which record made it, also when the log has no such record any more.
#[test]
fn origins_outlive_the_records_they_name() {
    let (_dir, mut world) = world();
    let mut upstream = Upstream::new(seed());
    let mut models = Vec::new();
    for id in 0..10 {
        upstream.send_row(&world, id, 100 + id, Some(row(id, 1)), None);
    }
    let mut producer = open(&mut world, "one");
    world.settle(&mut producer);
    models.push((*world.versions().last().unwrap(), upstream.model.clone()));
    for round in 0..4_i64 {
        for id in 0..10 {
            let deletes = id == round;
            let value = (!deletes).then(|| row(id, 10 + round as u64));
            upstream.send_row(&world, id, 200 + round * 10 + id, value, None);
        }
        world.settle(&mut producer);
        models.push((*world.versions().last().unwrap(), upstream.model.clone()));
    }
    // A record of each key that is too late to count is the one that compaction keeps; the log is filled until it does.
    for id in 0..10 {
        upstream.send_row(&world, id, 1, Some(row(id, 0)), None);
    }
    let topic = world.spec.topic_of(Channel::Changes);
    let filler = tests_faults::delete(99, 1);
    let late = tests_faults::item(&world, 0, &row(99, 1), 2);
    upstream.send_row(&world, 99, 2, Some(row(99, 1)), None);
    for partition in 0..world.spec.partitions {
        let mut filler = filler.clone();
        filler.partition = Some(partition);
        let fillers = vec![filler; 10_000];
        for _ in 0..6 {
            world.log.append(&topic, &fillers).unwrap();
        }
        let mut last = late.clone();
        last.partition = Some(partition);
        let at = world.log.append(&topic, &[last]).unwrap()[0];
        upstream.model.keys.get_mut(&99).unwrap().0.partition = at.partition;
        upstream.model.keys.get_mut(&99).unwrap().0.offset = at.offset;
    }
    world.settle(&mut producer);
    let kept = offsets(&world, &topic);
    for (version, model) in &models {
        let state = world.load(Some(*version));
        model.check_state(&state);
        for (id, (origin, _)) in &model.keys {
            let is_kept = kept.contains(&(origin.partition, origin.offset));
            assert!(!is_kept, "{} is still in the log", key(*id));
        }
    }
}

fn offsets(world: &World, topic: &str) -> std::collections::BTreeSet<(u32, i64)> {
    let begin = world.log.begin_offsets(topic).unwrap();
    let mut consumer = world
        .log
        .consumer(topic, &changelog::Position::of_all(&begin))
        .unwrap();
    let mut batch = changelog::Batch::new();
    let mut found = std::collections::BTreeSet::new();
    while consumer
        .poll(
            &mut batch,
            changelog::PollLimit::default(),
            std::time::Duration::ZERO,
        )
        .unwrap()
        > 0
    {
        found.extend(
            batch
                .records()
                .map(|record| record.to_record())
                .map(|record| (record.partition, record.offset)),
        );
    }
    found
}
