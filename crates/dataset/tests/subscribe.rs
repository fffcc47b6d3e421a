//! What a subscriber promises: one whole version, always.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::{
    Abort, CycleOutcome, Error, Step, Subscriber, SubscriberOptions, Version, View, blob_key,
};
use hollow::index::PrimaryKeyIndex;
use hollow::sums::ChainSum;
use hollow::{Filter, KeyValue};
use proptest::prelude::*;
use registry::{Action, Scope, Versions};
use support::{Content, START_MS, World, name, run, tempdir};

const SEED: u64 = 4711;

fn versions(world: &World) -> Vec<Version> {
    let all = Versions {
        newest_first: false,
        ..Versions::all()
    };
    world
        .registry()
        .versions(&name(), &all)
        .unwrap()
        .iter()
        .map(|info| info.version)
        .collect()
}

fn pin(world: &World, scope: &str, version: Version) {
    let (by, reason) = ("operator".to_owned(), "drill".to_owned());
    let action = Action::Pin {
        scope: scope.parse().unwrap(),
        version,
        by,
        reason,
    };
    world.registry().execute(&name(), START_MS, action).unwrap();
}

/// The view's index finds exactly the view's records.
fn check_index(view: &View) {
    let index = view.index("Account").unwrap();
    let rebuilt = PrimaryKeyIndex::build(view.state(), "Account", None).unwrap();
    for id in 0..12 {
        let key = [KeyValue::Long(id)];
        assert_eq!(index.get(&key), rebuilt.get(&key), "account {id}");
        assert_eq!(
            view.find("Account", &key).is_some(),
            Content::of(view.state()).accounts.contains_key(&id)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Any walk over any versions ends in exactly these versions, whatever was held before.
    #[test]
    fn walks_end_where_they_should(way in prop::collection::vec(0..12_usize, 1..15)) {
        let dir = tempdir();
        let world = World::open(dir.path());
        run(&mut world.publisher(None).unwrap(), SEED, 5, 60).unwrap();
        let versions = versions(&world);
        prop_assert_eq!(versions.len(), 12);
        let subscriber = world.subscriber(&["fold"]);
        for at in way {
            let held = subscriber.current();
            let aside = subscriber.open_at(versions[at]).unwrap();
            prop_assert_eq!(subscriber.current().map(|view| view.version()), held.map(|view| view.version()));
            let moved = subscriber.move_to(versions[at]).unwrap();
            for view in [&aside, &moved.after, &subscriber.current().unwrap()] {
                prop_assert_eq!(view.version(), versions[at]);
                prop_assert_eq!(ChainSum::of(view.state()).0, view.info().sums.chain.0);
                prop_assert_eq!(Content::of(view.state()), Content::model(SEED, (at as u64 + 1) * 5));
                check_index(view);
            }
        }
    }
}

#[test]
fn the_latest_is_followed_and_never_left_backwards_without_a_pin() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let subscriber = world.subscriber(&[]);
    assert!(matches!(
        subscriber.refresh(),
        Err(Error::NotAnnounced { .. })
    ));
    assert!(subscriber.current().is_none());
    let mut publisher = world.publisher(None).unwrap();
    run(&mut publisher, SEED, 5, 20).unwrap();
    assert!(subscriber.refresh().unwrap().is_moved());
    let moved = subscriber.refresh().unwrap();
    assert!(!moved.is_moved() && moved.steps.unwrap().is_empty());
    run(&mut publisher, SEED, 5, 30).unwrap();
    let moved = subscriber.refresh().unwrap();
    assert_eq!(moved.steps.unwrap().len(), 2);
    let all = versions(&world);

    pin(&world, "eu/*/*", all[2]);
    assert!(!subscriber.refresh().unwrap().is_moved(), "a pin on others");
    let options = SubscriberOptions {
        scope: "eu/search/blue".parse().unwrap(),
        ..SubscriberOptions::default()
    };
    let european = Subscriber::new(name(), Arc::clone(&world.store), world.registry(), options);
    assert_eq!(european.refresh().unwrap().after.version(), all[2]);
    pin(&world, "", all[1]);
    assert_eq!(subscriber.refresh().unwrap().after.version(), all[1]);
    assert_eq!(
        european.refresh().unwrap().after.version(),
        all[2],
        "the closest pin counts"
    );
    run(&mut publisher, SEED, 5, 40).unwrap();
    assert!(!subscriber.refresh().unwrap().is_moved(), "pinned");
    world
        .registry()
        .execute(
            &name(),
            START_MS,
            Action::Unpin {
                scope: Scope::everybody(),
            },
        )
        .unwrap();
    assert_eq!(
        Some(subscriber.refresh().unwrap().after.version()),
        publisher.version()
    );
}

#[test]
fn a_filter_leaves_types_out_all_along_the_chain() {
    let dir = tempdir();
    let world = World::open(dir.path());
    run(&mut world.publisher(None).unwrap(), SEED, 5, 60).unwrap();
    let filter = Filter::all().exclude_type("Labels").exclude_type("Label");
    let indexes = BTreeSet::from([
        "Account".to_owned(),
        "Label".to_owned(),
        "No such type".to_owned(),
    ]);
    let options = SubscriberOptions {
        filter,
        indexes,
        ..SubscriberOptions::default()
    };
    let subscriber = Subscriber::new(name(), Arc::clone(&world.store), world.registry(), options);
    for version in versions(&world) {
        let view = subscriber.move_to(version).unwrap().after;
        assert!(
            view.state().type_state("Label").is_none()
                && view.state().type_state("_Fold").is_none()
        );
        assert!(view.index("Account").is_some() && view.index("Label").is_none());
    }
}

#[test]
fn readers_keep_what_they_hold_while_the_subscriber_moves() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    run(&mut publisher, SEED, 5, 5).unwrap();
    let subscriber = world.subscriber(&["fold"]);
    subscriber.refresh().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut newest = Version(0);
                while !done.load(Ordering::SeqCst) {
                    let view = subscriber.current().unwrap();
                    let position = view.state().header_tags()["position"].parse().unwrap();
                    assert_eq!(Content::of(view.state()), Content::model(SEED, position));
                    assert!(view.version() >= newest);
                    newest = view.version();
                }
            });
        }
        for end in 2..30 {
            run(&mut publisher, SEED, 5, end * 5).unwrap();
            subscriber.refresh().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

/// Copies the file's bytes with one bit changed in the middle.
fn damage(world: &World, file: &str) {
    let key = blob_key(&name(), file);
    let mut bytes = world.store.get(&key).unwrap().unwrap().bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    world.store.put(&key, &bytes).unwrap();
}

#[test]
fn damaged_and_missing_blobs_are_gone_around_or_named() {
    let dir = tempdir();
    let world = World::open(dir.path());
    run(&mut world.publisher(None).unwrap(), SEED, 5, 40).unwrap();
    let all = versions(&world);
    // Snapshots lie at 0, 2, 4 and 6.
    let subscriber = world.subscriber(&["fold"]);
    subscriber.move_to(all[1]).unwrap();
    damage(&world, &format!("delta-{}-{}", all[2], all[3]));
    let moved = subscriber.move_to(all[5]).unwrap();
    assert!(moved.steps.is_none(), "by the snapshot behind the obstacle");
    assert_eq!(Content::of(moved.after.state()), Content::model(SEED, 30));
    // Version 3 is now reached from behind.
    let moved = subscriber.move_to(all[3]).unwrap();
    assert_eq!(Content::of(moved.after.state()), Content::model(SEED, 20));

    world
        .store
        .delete(&blob_key(&name(), &format!("snapshot-{}", all[6])))
        .unwrap();
    world
        .store
        .put(
            &blob_key(&name(), &format!("snapshot-{}", all[4])),
            b"no blob",
        )
        .unwrap();
    let fresh = world.subscriber(&["fold"]);
    let error = fresh.move_to(all[7]).unwrap_err();
    assert!(
        matches!(error, Error::Hollow { .. } | Error::Damaged { .. }),
        "{error:?}"
    );
    assert!(fresh.current().is_none());
    assert_eq!(fresh.move_to(all[2]).unwrap().after.version(), all[2]);
    let error = fresh.move_to(all[7]).unwrap_err();
    assert!(
        matches!(error, Error::Hollow { .. } | Error::Damaged { .. }),
        "{error:?}"
    );
    assert_eq!(
        fresh.current().unwrap().version(),
        all[2],
        "a failed move leaves what was held"
    );
    assert!(matches!(
        fresh.move_to(Version(5)),
        Err(Error::UnknownVersion { .. })
    ));
}

#[test]
fn a_candidate_that_is_not_accepted_is_found_by_nobody() {
    let dir = tempdir();
    let world = World::open(dir.path());
    run(&mut world.publisher(None).unwrap(), SEED, 5, 10).unwrap();
    let newest = *versions(&world).last().unwrap();
    // A producer stands still with its candidate staged, verified and guarded.
    let (at_the_gate, arrived) = std::sync::mpsc::channel();
    let (go_on, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let hook: dataset::StepHook = Arc::new(move |step| {
        if step == Step::Guarded {
            at_the_gate.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            return Err(Abort);
        }
        Ok(())
    });
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let mut publisher = world.publisher(Some(hook)).unwrap();
            support::cycle(&mut publisher, SEED, 10, 15).unwrap()
        });
        arrived.recv().unwrap();
        let left = world
            .registry()
            .dataset(&name())
            .unwrap()
            .unwrap()
            .staged
            .unwrap();
        let (inside, public): (Vec<_>, Vec<_>) = world
            .store
            .list(&format!("{}/", name()))
            .unwrap()
            .into_iter()
            .map(|info| info.key)
            .partition(|key| key.contains("/candidates/"));
        assert_eq!(
            inside
                .iter()
                .filter(|key| key.contains(&left.to_string()))
                .count(),
            4,
            "{inside:?}"
        );
        assert!(
            !public.iter().any(|key| key.contains(&left.to_string())),
            "{public:?}"
        );
        for parts in [&[][..], &["fold"][..]] {
            let subscriber = world.subscriber(parts);
            assert_eq!(subscriber.refresh().unwrap().after.version(), newest);
            assert!(matches!(
                subscriber.move_to(left),
                Err(Error::UnknownVersion { .. })
            ));
        }
        go_on.send(()).unwrap();
        let outcome = producer.join().unwrap();
        assert!(
            matches!(
                outcome,
                CycleOutcome::RolledBack {
                    reason: Error::Aborted { .. }
                }
            ),
            "{outcome:?}"
        );
    });
    assert_eq!(
        world.store.list(&blob_key(&name(), "candidates/")).unwrap(),
        []
    );
}
