//! Many cycles in which anything may fail, over whatever log and store a world has.

use std::sync::atomic::Ordering;

use hollow::sums::Digest;
use ingest::{Ended, IncrementalProducer};
use registry::Action;

use crate::{Random, Upstream, World};

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub cycles: u64,
    /// Cycles that failed or were rolled back.
    pub failed: u64,
    /// Producers that were dropped and opened again after a failure.
    pub killed: u64,
    /// Owners that another took the dataset from.
    pub overtaken: u64,
    /// How often the state was compared with the model's.
    pub checks: u64,
    /// New schemas of the dataset, each of which begins a chain.
    pub evolved: u64,
    pub versions: usize,
}

/// A place in a run where servers may be disturbed, or must no longer be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the cycle of this number.
    Cycle(u64),
    /// Before something that has to succeed.
    Calm,
}

/// Runs so many cycles with random faults from `seed`, and comes to the model's state in the end. `disturb` does what can go
/// wrong beside what the gate and the steps of the world do.
///
/// # Panics
/// Where anything is lost, repeated, or forked.
pub fn random_run(
    world: &mut World,
    seed: u64,
    cycles: u64,
    mut disturb: impl FnMut(Moment, &mut Random),
) -> Tally {
    let mut random = Random::new(seed ^ 0xfa17);
    let mut upstream = Upstream::new(seed);
    let mut tally = Tally {
        cycles,
        ..Tally::default()
    };
    upstream.send(world, 30, 1);
    let mut owners = ["one", "two"];
    let mut producer = open(world, owners[0]);
    for cycle in 0..cycles {
        // From a third of the run on upstreams write by a newer schema; from two thirds on the dataset has one of its own.
        let writers = 1 + u64::from(cycle > cycles / 3);
        upstream.send(world, random.below(6), writers);
        disturb(Moment::Cycle(cycle), &mut random);
        match random.below(20) {
            0..=4 => {
                let failing = 1 + random.below(3) * random.below(4);
                let (passing, after_effect) = (random.below(60), random.one_in(2));
                world.gate.order(passing, failing, after_effect);
            }
            5..=7 => {
                let step = random.below(25) as i64;
                world.stop_in.store(step, Ordering::SeqCst);
            }
            8 => world.now_ms -= (random.below(100) * 3_600_000) as i64,
            9 if random.one_in(3) => {
                owners.swap(0, 1);
                disturb(Moment::Calm, &mut random);
                producer = overtake(world, &mut producer, owners[0]);
                tally.overtaken += 1;
            }
            _ => {}
        }
        match world.cycle(&mut producer) {
            Err(error) => {
                assert!(!error.is_lost(), "cycle {cycle}: {error:?}");
                tally.failed += 1;
                // Dies of it, or goes on.
                if random.one_in(2) {
                    drop(producer);
                    producer = open(world, owners[0]);
                    tally.killed += 1;
                }
            }
            Ok(Ended::RolledBack(_)) => tally.failed += 1,
            Ok(_) => {}
        }
        let evolves = cycle == cycles / 3 * 2;
        if evolves || random.one_in(60) {
            drop(producer);
            if evolves {
                world.evolve();
                tally.evolved += 1;
            }
            producer = open(world, owners[0]);
        }
        if random.one_in(25) {
            disturb(Moment::Calm, &mut random);
            world.settle(&mut producer);
            upstream.model.check(world);
            tally.checks += 1;
        }
    }
    disturb(Moment::Calm, &mut random);
    world.settle(&mut producer);
    upstream.model.check(world);
    drop(producer);
    // The next owner removes what could not be removed, and repairs what could not be written.
    let mut producer = open(world, owners[0]);
    world.settle(&mut producer);
    world.check_chain();
    tally.versions = world.versions().len();
    // Everything once more from the beginning of the topics says the same.
    let digest = producer.publisher().digest();
    assert_eq!(rebuild(world), digest);
    tally
}

/// Opens a producer, however often that takes. What was ordered to fail fails at some time.
///
/// # Panics
/// Where it can't be opened.
pub fn open(world: &mut World, owner: &str) -> IncrementalProducer {
    for _ in 0..200 {
        match world.producer(owner) {
            Ok(producer) => return producer,
            Err(error) => assert!(!error.is_lost(), "{error:?}"),
        }
    }
    panic!("can't be opened");
}

/// Another producer expires the owner, as a standby would, and runs a cycle; the one before must find out and stop.
fn overtake(
    world: &mut World,
    first: &mut IncrementalProducer,
    owner: &str,
) -> IncrementalProducer {
    world.calm();
    world.expire();
    let mut second = open(world, owner);
    world.cycle(&mut second).unwrap();
    let versions = world.versions();
    match world.cycle(first) {
        Err(error) => assert!(error.is_lost(), "{error:?}"),
        Ok(ended) => panic!("the loser went on: {ended:?}"),
    }
    assert_eq!(world.versions(), versions, "the loser changed nothing");
    second
}

/// The digest of a state that is folded from nothing, under another name, from the same records.
fn rebuild(world: &mut World) -> Option<Digest> {
    world.spec.name = format!("{}-again", world.spec.name.name()).parse().unwrap();
    let mut producer = open(world, "again");
    world.settle(&mut producer);
    producer.publisher().digest()
}

impl World {
    /// Nothing is ordered to fail any more.
    pub fn calm(&self) {
        self.gate.clear();
        self.stop_in.store(-1, Ordering::SeqCst);
    }

    /// Ends the ownership of whoever has the dataset, as a standby does that has heard nothing for too long.
    pub fn expire(&self) {
        let info = self.registry.dataset(&self.spec.name).unwrap().unwrap();
        let Some(ownership) = info.owner else {
            return;
        };
        let (epoch, renewal) = (info.epoch, ownership.renewal);
        let expire = Action::Expire { epoch, renewal };
        self.registry
            .execute(&self.spec.name, self.now_ms, expire)
            .unwrap();
    }
}
