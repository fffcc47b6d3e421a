//! Store and registry that fail once, at every call there is, before or after the effect; and two producers at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use blobstore::BlobStore;
use dataset::{Error, Publisher};
use registry::{Action, Registry};
use support::{
    START_MS, World, check, check_finished, cycle, name, options, position, run, schemas, tempdir,
};
use tests_faults::{FaultyRegistry, FaultyStore, Gate};

const SEED: u64 = 7;
const STEP: u64 = 6;
const END: u64 = 24;

/// Runs to the end, recovering from whatever fails, as a producer would. A rolled back cycle is simply run again.
fn run_stubbornly(open: impl Fn() -> dataset::Result<Publisher>) {
    let mut publisher = loop {
        match open() {
            Ok(publisher) => break publisher,
            Err(error) => assert!(!error.is_lost(), "{error}"),
        }
    };
    let mut failures = 0;
    loop {
        let Ok(tags) = publisher.newest_tags() else {
            continue;
        };
        let from: u64 = tags.get("position").map_or(0, |text| text.parse().unwrap());
        if from >= END {
            break;
        }
        if cycle(&mut publisher, SEED, from, (from / STEP + 1) * STEP).is_err() {
            while let Err(error) = publisher.recover(START_MS) {
                assert!(!error.is_lost(), "{error}");
            }
            failures += 1;
        }
        assert!(failures < 3, "one fault, many failures");
    }
}

fn every_call_fails_once(after_effect: bool) {
    for at in 0.. {
        let dir = tempdir();
        let world = World::open(dir.path());
        let gate = Arc::new(Gate::default());
        gate.order(at, 1, after_effect);
        let store: Arc<dyn BlobStore> =
            Arc::new(FaultyStore(Arc::clone(&world.store), Arc::clone(&gate)));
        let registry: Arc<dyn Registry> =
            Arc::new(FaultyRegistry(world.registry(), Arc::clone(&gate)));
        let open = || {
            Publisher::open(
                name(),
                Arc::clone(&store),
                Arc::clone(&registry),
                schemas(),
                options(None),
                START_MS,
            )
        };
        run_stubbornly(open);
        check(&world, SEED);
        // What could not be removed is removed by the next owner; a projection that failed is repaired by it.
        drop(world.publisher(None).unwrap());
        check_finished(&world, SEED, END);
        if !gate.is_spent() {
            assert!(at > 100, "only {at} calls");
            break;
        }
    }
}

#[test]
fn every_call_is_refused_once() {
    every_call_fails_once(false);
}

#[test]
fn every_answer_is_lost_once() {
    every_call_fails_once(true);
}

/// While the first producer stands still in the middle of a step, a second one takes over and goes on; then the first
/// continues. Whatever the step: it is refused, and the chain is one line.
#[test]
fn a_producer_that_was_overtaken_never_forks_the_chain() {
    for at in 1.. {
        let dir = tempdir();
        let world = Arc::new(World::open(dir.path()));
        let calls = Arc::new(AtomicUsize::new(0));
        let second: Arc<Mutex<Option<Publisher>>> = Arc::default();
        let overtaken = Arc::new(AtomicBool::new(false));
        let hook = {
            let (world, calls) = (Arc::clone(&world), Arc::clone(&calls));
            let (second, overtaken) = (Arc::clone(&second), Arc::clone(&overtaken));
            move |_| {
                if calls.fetch_add(1, Ordering::SeqCst) == at {
                    overtaken.store(true, Ordering::SeqCst);
                    *second.lock().unwrap() = Some(take_over(&world));
                }
                Ok(())
            }
        };
        let mut first = world.publisher(Some(Arc::new(hook))).unwrap();
        let result = run(&mut first, SEED, STEP, END);
        if !overtaken.load(Ordering::SeqCst) {
            result.unwrap();
            assert!(at > 40, "only {at} places to stand still at");
            break;
        }
        let late = result
            .and_then(|()| cycle(&mut first, SEED, END, END + STEP).map(drop))
            .unwrap_err();
        assert!(is_about_the_loss(&late), "{late:?}");
        check(&world, SEED);
        drop(first);
        let mut second = second.lock().unwrap().take().unwrap();
        run(&mut second, SEED, STEP, END).unwrap();
        drop(second);
        drop(
            world
                .publisher_with(dataset::PublisherOptions {
                    owner: "second".to_owned(),
                    ..options(None)
                })
                .unwrap(),
        );
        check_finished(&world, SEED, END);
    }
}

/// The loser is told so by the registry; where the new owner removed its candidate under its hands, by the store, and by
/// the registry in its next cycle.
fn is_about_the_loss(error: &Error) -> bool {
    error.is_lost()
        || matches!(
            error,
            Error::Damaged {
                what: "missing",
                ..
            }
        )
}

/// Expires the owner and runs one cycle of a second producer.
fn take_over(world: &World) -> Publisher {
    let second = || dataset::PublisherOptions {
        owner: "second".to_owned(),
        ..options(None)
    };
    assert!(
        matches!(world.publisher_with(second()), Err(Error::Lost { .. })),
        "the first still owns the dataset"
    );
    let info = world.registry().dataset(&name()).unwrap().unwrap();
    let renewal = info.owner.unwrap().renewal;
    world
        .registry()
        .execute(
            &name(),
            START_MS,
            Action::Expire {
                epoch: info.epoch,
                renewal,
            },
        )
        .unwrap();
    let mut publisher = world.publisher_with(second()).unwrap();
    let from = position(&publisher);
    if from < END {
        run(&mut publisher, SEED, STEP, from + 1).unwrap();
    }
    publisher
}
