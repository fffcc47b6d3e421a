//! What a publisher promises in a run without accidents.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blobstore::{Blob, BlobInfo, BlobStore, Created, Durably, Etag, Swapped};
use dataset::{
    Candidate, Cycle, CycleKind, CycleOutcome, Error, Guard, Populated, Publisher,
    PublisherOptions, Snapshots, Version, Veto, load_state, tag,
};
use hollow::schema::parse_schemas;
use hollow::sums::Digest;
use registry::{
    Action, Command, DatasetInfo, DatasetName, Outcome, Registry, Scope, VersionInfo, Versions,
};
use support::{
    Account, Content, START_MS, World, check, check_finished, cycle, name, options, position,
    position_tags, run, schemas, tempdir, write_changes,
};

const SEED: u64 = 99;

/// The files of the dataset, candidates and all, by name.
fn files(world: &World) -> BTreeMap<String, Vec<u8>> {
    let listed = world.store.list(&format!("{}/", name())).unwrap();
    let content = |key: String| (key.clone(), world.store.get(&key).unwrap().unwrap().bytes);
    listed.into_iter().map(|info| content(info.key)).collect()
}

fn announced(outcome: CycleOutcome) -> Version {
    match outcome {
        CycleOutcome::Announced { version, .. } => version,
        other => panic!("{other:?}"),
    }
}

/// One cycle that changes the content to `after`, at `now_ms`.
fn set(
    publisher: &mut Publisher,
    now_ms: i64,
    after: &Content,
    defer_internal: bool,
) -> dataset::Result<CycleOutcome> {
    let before = publisher.state().map(Content::of).unwrap_or_default();
    publisher.cycle(
        Cycle {
            now_ms,
            kind: CycleKind::Incremental,
        },
        |write| {
            write_changes(write, &before, after)?;
            let tags = position_tags(now_ms as u64);
            Ok(Populated {
                tags: tags.clone(),
                confirm_tags: tags,
                defer_internal,
                ..Populated::default()
            })
        },
    )
}

#[test]
fn a_population_that_goes_on_is_published_when_it_is_complete() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let populate = |publisher: &mut Publisher, id, continues| {
        let cycle = Cycle {
            now_ms: START_MS,
            kind: CycleKind::Incremental,
        };
        publisher.cycle(cycle, |write| {
            write_changes(write, &Content::default(), &account(id, id))?;
            Ok(Populated {
                continues,
                ..Populated::default()
            })
        })
    };
    for dropped in [true, false] {
        let outcome = populate(&mut publisher, 1, true).unwrap();
        assert!(matches!(outcome, CycleOutcome::Continues), "{outcome:?}");
        assert!(files(&world).is_empty());
        if dropped {
            publisher.drop_population();
        }
    }
    announced(populate(&mut publisher, 2, false).unwrap());
    let accounts = Content::of(publisher.state().unwrap()).accounts;
    assert_eq!(accounts.into_keys().collect::<Vec<_>>(), [1, 2]);
}

fn account(id: i64, total: i64) -> Content {
    let accounts = BTreeMap::from([(
        id,
        Account {
            total,
            ..Account::default()
        },
    )]);
    Content {
        accounts,
        fold: BTreeMap::from([(id, total)]),
    }
}

#[test]
fn the_files_are_those_of_stock_hollow_and_nothing_else() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let one = announced(set(&mut publisher, START_MS, &account(1, 10), false).unwrap());
    assert_eq!(one, Version(20_210_308_120_000_000));
    let two = announced(set(&mut publisher, START_MS, &account(1, 20), false).unwrap());
    assert_eq!(two, Version(one.0 + 1));
    let three = announced(set(&mut publisher, START_MS + 5, &account(1, 30), false).unwrap());
    let names = [
        "announced.version".to_owned(),
        format!("delta-{one}-{two}"),
        format!("delta-{two}-{three}"),
        format!("delta_fold-{one}-{two}"),
        format!("delta_fold-{two}-{three}"),
        format!("reversedelta-{two}-{one}"),
        format!("reversedelta-{three}-{two}"),
        format!("reversedelta_fold-{two}-{one}"),
        format!("reversedelta_fold-{three}-{two}"),
        format!("snapshot-{one}"),
        format!("snapshot-{three}"),
        format!("snapshot_fold-{one}"),
        format!("snapshot_fold-{three}"),
    ];
    let found: Vec<String> = files(&world).into_keys().collect();
    assert_eq!(found, names.map(|file| format!("prod/accounts/{file}")));

    let state = load_state(&world.store, &world.registry(), &name(), three).unwrap();
    let tags = state.header_tags();
    assert_eq!(tags[tag::CYCLE_START], (START_MS + 5).to_string());
    assert_eq!(tags[tag::TO_VERSION], three.to_string());
    assert_eq!(tags[tag::CHAIN_COUNTER], "3");
    assert_eq!(tags["position"], (START_MS + 5).to_string());
    assert!(!tags.contains_key(tag::SCHEMA_CHANGED));
    assert_eq!(publisher.digest(), Some(Digest::of(&state).unwrap()));
    let info = world.registry().version(&name(), three).unwrap().unwrap();
    assert!(
        info.metadata.contains_key("phase.stage_us"),
        "{:?}",
        info.metadata
    );
}

#[test]
fn two_runs_write_the_same_bytes() {
    let runs = [4, 4].map(|_| {
        let dir = tempdir();
        let world = World::open(dir.path());
        let mut publisher = world.publisher(None).unwrap();
        run(&mut publisher, SEED, 5, 60).unwrap();
        files(&world)
    });
    assert!(runs[0].len() > 40);
    assert!(runs[0] == runs[1]);
}

#[test]
fn an_unchanged_cycle_is_confirmed_at_most_once_a_second() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let content = account(1, 10);
    let version = announced(set(&mut publisher, START_MS, &content, false).unwrap());
    let mut confirmed = |now_ms| match set(&mut publisher, now_ms, &content, false).unwrap() {
        CycleOutcome::Unchanged {
            version: unchanged,
            confirmed,
        } => {
            assert_eq!(unchanged, Some(version));
            confirmed
        }
        other => panic!("{other:?}"),
    };
    let at = [100, 1_000, 1_099, 1_100, 2_000, 50_000].map(|after| confirmed(START_MS + after));
    assert_eq!(at, [true, false, false, true, false, true]);
    assert_eq!(position(&publisher), (START_MS + 50_000) as u64);
    assert_eq!(publisher.now_floor_ms().unwrap(), START_MS + 50_000);
    assert_eq!(
        world
            .registry()
            .versions(&name(), &Versions::all())
            .unwrap()
            .len(),
        1
    );
    drop(publisher);
    // A restart goes on from the confirmed position, and a new version from its own.
    let mut publisher = world.publisher(None).unwrap();
    assert_eq!(position(&publisher), (START_MS + 50_000) as u64);
    announced(set(&mut publisher, START_MS + 60_000, &account(1, 11), false).unwrap());
    assert_eq!(position(&publisher), (START_MS + 60_000) as u64);
}

#[test]
fn a_change_of_the_folds_memory_alone_may_wait() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let mut content = account(1, 10);
    let first = announced(set(&mut publisher, START_MS, &content, true).unwrap());
    content.fold.insert(1, 77);
    let deferred = set(&mut publisher, START_MS + 1, &content, true).unwrap();
    assert!(
        matches!(deferred, CycleOutcome::Deferred { confirmed: true }),
        "{deferred:?}"
    );
    assert_eq!(Content::of(publisher.state().unwrap()), account(1, 10));
    // The caller decides when it has waited long enough; consumers get an empty main delta then.
    let second = announced(set(&mut publisher, START_MS + 2, &content, false).unwrap());
    let subscriber = world.subscriber(&[]);
    subscriber.move_to(first).unwrap();
    let moved = subscriber.refresh().unwrap();
    assert_eq!(moved.after.version(), second);
    assert!(
        moved
            .steps
            .unwrap()
            .iter()
            .all(|changes| changes.is_empty())
    );
    assert_eq!(Content::of(publisher.state().unwrap()).fold[&1], 77);
}

#[test]
fn an_empty_first_state_is_minted_only_on_request() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let outcome = set(&mut publisher, START_MS, &Content::default(), false).unwrap();
    assert!(
        matches!(
            outcome,
            CycleOutcome::Unchanged {
                version: None,
                confirmed: false
            }
        ),
        "{outcome:?}"
    );
    assert!(matches!(
        world.subscriber(&[]).refresh(),
        Err(Error::NotAnnounced { .. })
    ));
    drop(publisher);
    let mut publisher = world
        .publisher_with(PublisherOptions {
            allow_empty: true,
            ..options(None)
        })
        .unwrap();
    announced(set(&mut publisher, START_MS, &Content::default(), false).unwrap());
    assert_eq!(
        Content::of(world.subscriber(&[]).refresh().unwrap().after.state()),
        Content::default()
    );
    // Later ones may be empty in any case.
    announced(set(&mut publisher, START_MS, &account(1, 1), false).unwrap());
    let emptied = Content {
        fold: BTreeMap::from([(1, 2)]),
        ..Content::default()
    };
    announced(set(&mut publisher, START_MS, &emptied, false).unwrap());
}

struct Breaker(Arc<AtomicBool>);

impl Guard for Breaker {
    fn name(&self) -> &str {
        "breaker"
    }

    fn check(&mut self, candidate: &Candidate<'_>) -> Result<(), Veto> {
        // A canary finds the blobs before anybody else does.
        assert_eq!(
            candidate.store.list(candidate.prefix).unwrap().len(),
            if candidate.before.is_some() { 4 } else { 2 }
        );
        let accounts = candidate.after.type_state("Account").unwrap().count();
        if self.0.load(Ordering::SeqCst) {
            Err(Veto(format!("{accounts} accounts are too many")))
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_veto_rolls_back_and_the_changes_wait() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let closed = Arc::new(AtomicBool::new(false));
    publisher.add_guard(Box::new(Breaker(Arc::clone(&closed))));
    run(&mut publisher, SEED, 5, 10).unwrap();
    let before = (files(&world), publisher.version());
    closed.store(true, Ordering::SeqCst);
    let outcome = cycle(&mut publisher, SEED, 10, 15).unwrap();
    let CycleOutcome::RolledBack {
        reason: Error::Vetoed { guard, reason, .. },
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (guard.as_str(), reason.ends_with("are too many")),
        ("breaker", true)
    );
    assert!(
        before == (files(&world), publisher.version()),
        "a vetoed candidate left something"
    );
    closed.store(false, Ordering::SeqCst);
    run(&mut publisher, SEED, 5, 30).unwrap();
    drop(publisher);
    check_finished(&world, SEED, 30);
}

#[test]
fn a_failing_populate_changes_nothing() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    run(&mut publisher, SEED, 5, 10).unwrap();
    let before = files(&world);
    let cycle = Cycle {
        now_ms: START_MS,
        kind: CycleKind::Total,
    };
    let outcome = publisher
        .cycle(cycle, |_| Err("the source is gone".into()))
        .unwrap();
    assert!(
        matches!(
            outcome,
            CycleOutcome::RolledBack {
                reason: Error::Populate { .. }
            }
        ),
        "{outcome:?}"
    );
    assert!(before == files(&world));
    run(&mut publisher, SEED, 5, 20).unwrap();
    drop(publisher);
    check_finished(&world, SEED, 20);
}

#[test]
fn a_total_cycle_states_everything() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    let total = |publisher: &mut Publisher, ids: &[i64]| {
        let outcome = publisher.cycle(
            Cycle {
                now_ms: START_MS,
                kind: CycleKind::Total,
            },
            |write| {
                let [account, labels] =
                    ["Account", "Labels"].map(|name| write.type_id(name).unwrap());
                let mut record =
                    hollow::record::ObjectRecord::new(write.schema(account).as_object().unwrap());
                let none = write.add(labels, hollow::record::SetRecord::new().bytes())?;
                for &id in ids {
                    record.set_long(0, id);
                    record.set_long(1, id * 10);
                    record.set_reference(2, none);
                    write.add(account, record.bytes())?;
                }
                Ok(Populated::default())
            },
        );
        let ids: Vec<i64> = Content::of(publisher.state().unwrap())
            .accounts
            .into_keys()
            .collect();
        (outcome.unwrap(), ids)
    };
    assert!(matches!(
        total(&mut publisher, &[1, 2, 3]).0,
        CycleOutcome::Announced { .. }
    ));
    assert!(matches!(
        total(&mut publisher, &[3, 2, 1]).0,
        CycleOutcome::Unchanged { .. }
    ));
    let (outcome, ids) = total(&mut publisher, &[2, 4]);
    assert!(matches!(outcome, CycleOutcome::Announced { .. }));
    assert_eq!(ids, [2, 4]);
}

/// Every version has a snapshot, in the background, unless one is being written or rests.
fn background(snapshot_rest: u32) -> PublisherOptions {
    PublisherOptions {
        snapshots: Snapshots::Background,
        snapshot_every: 1,
        snapshot_rest,
        ..options(None)
    }
}

#[test]
fn snapshots_in_the_background_are_whole() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher_with(background(0)).unwrap();
    for end in 1..=12 {
        run(&mut publisher, SEED, 5, end * 5).unwrap();
        // In most cycles one is still being written, and that version has none; before the last we wait.
        if end == 11 {
            publisher.wait_for_snapshot();
        }
    }
    publisher.wait_for_snapshot();
    let newest = publisher.version().unwrap();
    assert!(files(&world).contains_key(&format!("prod/accounts/snapshot-{newest}")));
    publisher.resign(START_MS).unwrap();
    assert_eq!(
        world.registry().dataset(&name()).unwrap().unwrap().owner,
        None
    );
    check_finished(&world, SEED, 60);
}

#[test]
fn the_next_snapshot_in_the_background_waits_as_long_as_it_is_told_to() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher_with(background(u32::MAX)).unwrap();
    let mut versions = Vec::new();
    for end in 1..=8 {
        run(&mut publisher, SEED, 5, end * 5).unwrap();
        publisher.wait_for_snapshot();
        versions.push(publisher.version().unwrap());
    }
    let files = files(&world);
    let has = |version: &Version| files.contains_key(&format!("prod/accounts/snapshot-{version}"));
    // The first of the chain has its own, and the first in the background had nothing to wait for.
    let with: Vec<_> = versions.iter().filter(|version| has(version)).collect();
    assert_eq!(with, [&versions[0], &versions[1]]);
    check_finished(&world, SEED, 40);
}

/// A store in which the snapshots that are staged stand still until they are let go, and which may lose blobs before they are
/// durable.
struct HeldSnapshots {
    store: Arc<dyn BlobStore>,
    loses: AtomicBool,
    /// `None` while nothing is held; the store gives up after a minute, so that a test fails and does not hang.
    let_go: Mutex<Option<Receiver<()>>>,
    gave_up: AtomicBool,
}

impl HeldSnapshots {
    /// Holds and loses nothing yet.
    fn over(world: &World) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(&world.store),
            loses: AtomicBool::new(false),
            let_go: Mutex::default(),
            gave_up: AtomicBool::new(false),
        })
    }
}

impl BlobStore for HeldSnapshots {
    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> blobstore::Result<()> {
        let is_snapshot = |(key, _): &(String, Vec<u8>)| key.contains("/snapshot");
        let held = self
            .let_go
            .lock()
            .unwrap()
            .take_if(|_| blobs.iter().any(is_snapshot));
        if held.is_some_and(|held| held.recv_timeout(Duration::from_secs(60)).is_err()) {
            self.gave_up.store(true, Ordering::Relaxed);
        }
        self.store.put_all(blobs)
    }
    fn put_all_soon(&self, blobs: &[(String, Vec<u8>)]) -> blobstore::Result<Durably<'_>> {
        self.put_all(blobs)?;
        Ok(Box::new(|| match self.loses.load(Ordering::Relaxed) {
            true => Err(blobstore::Error::Absent {
                key: "of a candidate".to_owned(),
            }),
            false => Ok(()),
        }))
    }
    fn get(&self, key: &str) -> blobstore::Result<Option<Blob>> {
        self.store.get(key)
    }
    fn head(&self, key: &str) -> blobstore::Result<Option<BlobInfo>> {
        self.store.head(key)
    }
    fn put(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Etag> {
        self.store.put(key, bytes)
    }
    fn create(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Created> {
        self.store.create(key, bytes)
    }
    fn create_from(&self, key: &str, source: &str) -> blobstore::Result<Created> {
        self.store.create_from(key, source)
    }
    fn create_known(&self, key: &str, source: &str, bytes: &[u8]) -> blobstore::Result<Created> {
        self.store.create_known(key, source, bytes)
    }
    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> blobstore::Result<Swapped> {
        self.store.compare_and_swap(key, expected, bytes)
    }
    fn list(&self, prefix: &str) -> blobstore::Result<Vec<BlobInfo>> {
        self.store.list(prefix)
    }
    fn delete(&self, key: &str) -> blobstore::Result<bool> {
        self.store.delete(key)
    }
}

#[test]
fn a_snapshot_that_stands_still_holds_no_cycle_up() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let held = HeldSnapshots::over(&world);
    let store: Arc<dyn BlobStore> = held.clone();
    let registry = world.registry();
    let mut publisher =
        Publisher::open(name(), store, registry, schemas(), background(9), START_MS).unwrap();
    run(&mut publisher, SEED, 5, 5).unwrap();

    let (let_go, waits) = std::sync::mpsc::channel();
    *held.let_go.lock().unwrap() = Some(waits);
    run(&mut publisher, SEED, 5, 10).unwrap();
    let second = publisher.version().unwrap();
    for end in [15, 20, 25] {
        run(&mut publisher, SEED, 5, end).unwrap();
        let snapshot = format!("prod/accounts/snapshot-{second}");
        assert!(!files(&world).contains_key(&snapshot));
        check(&world, SEED);
    }
    let_go.send(()).unwrap();
    publisher.wait_for_snapshot();
    assert!(!held.gave_up.load(Ordering::Relaxed));
    let snapshot = format!("prod/accounts/snapshot-{second}");
    assert!(files(&world).contains_key(&snapshot));
    check_finished(&world, SEED, 25);
}

#[test]
fn a_version_whose_blobs_do_not_become_durable_is_not_accepted() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let losing = HeldSnapshots::over(&world);
    let store: Arc<dyn BlobStore> = losing.clone();
    let registry = world.registry();
    let mut publisher =
        Publisher::open(name(), store, registry, schemas(), options(None), START_MS).unwrap();
    let one = announced(set(&mut publisher, START_MS, &account(1, 10), false).unwrap());
    losing.loses.store(true, Ordering::Relaxed);
    let outcome = set(&mut publisher, START_MS, &account(1, 20), false).unwrap();
    assert!(
        matches!(outcome, CycleOutcome::RolledBack { .. }),
        "{outcome:?}"
    );
    let latest = world.registry().latest(&name(), &Scope::everybody());
    assert_eq!(latest.unwrap().unwrap().version, one);
    losing.loses.store(false, Ordering::Relaxed);
    announced(set(&mut publisher, START_MS, &account(1, 30), false).unwrap());
}

#[test]
fn other_schemas_start_a_new_chain() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    run(&mut publisher, SEED, 5, 20).unwrap();
    let (old, content) = (
        publisher.version().unwrap(),
        Content::of(publisher.state().unwrap()),
    );
    drop(publisher);

    let mut wider = schemas();
    wider.extend(parse_schemas("Note @PrimaryKey(id) { long id; }").unwrap());
    let open = || {
        Publisher::open(
            name(),
            Arc::clone(&world.store),
            world.registry(),
            wider.clone(),
            options(None),
            START_MS,
        )
    };
    let mut publisher = open().unwrap();
    assert!(publisher.state().is_none());
    assert_eq!(
        Content::of(publisher.state_before_break().unwrap()),
        content
    );
    assert_eq!(position(&publisher), 20);
    let refused = set(&mut publisher, START_MS, &Content::default(), false).unwrap();
    assert!(
        matches!(
            refused,
            CycleOutcome::RolledBack {
                reason: Error::Empty { .. }
            }
        ),
        "{refused:?}"
    );
    let new = announced(set(&mut publisher, START_MS, &content, false).unwrap());
    assert!(publisher.state_before_break().is_none());
    let newer = announced(set(&mut publisher, START_MS, &account(1, 5), false).unwrap());
    drop(publisher);

    let info = world.registry().version(&name(), new).unwrap().unwrap();
    assert_eq!((info.previous, info.chain), (Some(old), new));
    let tags = load_state(&world.store, &world.registry(), &name(), new)
        .unwrap()
        .header_tags()
        .clone();
    assert_eq!(
        (
            tags[tag::SCHEMA_CHANGED].as_str(),
            tags[tag::CHAIN_COUNTER].as_str()
        ),
        ("true", "1")
    );

    // A subscriber crosses the break by snapshot, both ways, and restarts go on with the new chain.
    let subscriber = world.subscriber(&["fold"]);
    subscriber.move_to(old).unwrap();
    let moved = subscriber.refresh().unwrap();
    assert_eq!(
        (moved.after.version(), moved.steps.is_none()),
        (newer, true)
    );
    let back = subscriber.move_to(old).unwrap();
    assert_eq!(
        (Content::of(back.after.state()), back.steps.is_none()),
        (content, true)
    );
    assert_eq!(
        open().unwrap().state().unwrap().header_tags()[tag::CHAIN_COUNTER],
        "2"
    );
}

#[test]
fn the_projection_follows_announcements_and_pins() {
    let dir = tempdir();
    let world = World::open(dir.path());
    let mut publisher = world.publisher(None).unwrap();
    run(&mut publisher, SEED, 5, 20).unwrap();
    let registry = world.registry();
    let versions: Vec<Version> = registry
        .versions(&name(), &Versions::all())
        .unwrap()
        .iter()
        .map(|info| info.version)
        .collect();
    let project = || {
        dataset::project_announcement(&world.store, &registry, &name())
            .unwrap()
            .unwrap()
    };
    let shown =
        || String::from_utf8(files(&world)["prod/accounts/announced.version"].clone()).unwrap();
    assert_eq!((project(), shown()), (versions[0], versions[0].to_string()));
    let pin = |scope: &str, version| Action::Pin {
        scope: scope.parse().unwrap(),
        version,
        by: "operator".to_owned(),
        reason: "drill".to_owned(),
    };
    // A pin on a part of the fleet is not for stock consumers; one on everybody is, until it is removed.
    registry
        .execute(&name(), 1, pin("eu/*/*", versions[3]))
        .unwrap();
    assert_eq!((project(), shown()), (versions[0], versions[0].to_string()));
    registry.execute(&name(), 1, pin("", versions[2])).unwrap();
    assert_eq!((project(), shown()), (versions[2], versions[2].to_string()));
    run(&mut publisher, SEED, 5, 30).unwrap();
    assert_eq!(
        shown(),
        versions[2].to_string(),
        "pinned while new versions are announced"
    );
    registry
        .execute(
            &name(),
            1,
            Action::Unpin {
                scope: Scope::everybody(),
            },
        )
        .unwrap();
    assert_eq!(
        (project(), shown()),
        (
            publisher.version().unwrap(),
            publisher.version().unwrap().to_string()
        )
    );
}

/// An instance of the registry in a process that is suspended now and then.
struct LateRegistry {
    inner: Arc<dyn Registry>,
    /// What somebody else does between an answer and its arrival.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// What it knew when it was suspended, or somebody else did something, until it catches up.
    knew: Mutex<Option<DatasetInfo>>,
}

impl Registry for LateRegistry {
    fn submit(&self, command: &Command) -> registry::Result<Outcome> {
        self.inner.submit(command)
    }
    fn catch_up(&self) -> registry::Result<()> {
        *self.knew.lock().unwrap() = None;
        self.inner.catch_up()
    }
    fn datasets(&self) -> registry::Result<Vec<DatasetInfo>> {
        self.inner.datasets()
    }
    fn dataset(&self, name: &DatasetName) -> registry::Result<Option<DatasetInfo>> {
        if let Some(knew) = &*self.knew.lock().unwrap() {
            return Ok(Some(knew.clone()));
        }
        let answer = self.inner.dataset(name);
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
            self.knew
                .lock()
                .unwrap()
                .clone_from(answer.as_ref().unwrap());
        }
        answer
    }
    fn version(
        &self,
        name: &DatasetName,
        version: Version,
    ) -> registry::Result<Option<VersionInfo>> {
        self.inner.version(name, version)
    }
    fn versions(
        &self,
        name: &DatasetName,
        selection: &Versions,
    ) -> registry::Result<Vec<VersionInfo>> {
        self.inner.versions(name, selection)
    }
    fn wait(&self, seen: i64, timeout: Duration) -> registry::Result<i64> {
        self.inner.wait(seen, timeout)
    }
}

#[test]
fn a_projection_that_slept_over_an_announcement_is_made_again() {
    let dir = tempdir();
    let world = Arc::new(World::open(dir.path()));
    run(&mut world.publisher(None).unwrap(), SEED, 5, 10).unwrap();
    let announce = {
        let world = Arc::clone(&world);
        move || run(&mut world.publisher(None).unwrap(), SEED, 5, 20).unwrap()
    };
    // Another has to be written, so that the sleeper has something to do.
    world
        .store
        .put("prod/accounts/announced.version", b"1")
        .unwrap();
    let late: Arc<dyn Registry> = Arc::new(LateRegistry {
        inner: world.registry(),
        meanwhile: Mutex::new(Some(Box::new(announce))),
        knew: Mutex::default(),
    });
    let projected = dataset::project_announcement(&world.store, &late, &name()).unwrap();
    let newest = world
        .registry()
        .latest(&name(), &Scope::everybody())
        .unwrap()
        .unwrap()
        .version;
    assert_eq!(projected, Some(newest));
    assert_eq!(
        files(&world)["prod/accounts/announced.version"],
        newest.to_string().as_bytes()
    );
}

#[test]
fn a_pin_on_what_the_projection_said_before_is_not_written_over() {
    let dir = tempdir();
    let world = Arc::new(World::open(dir.path()));
    run(&mut world.publisher(None).unwrap(), SEED, 5, 10).unwrap();
    let latest = |registry: &dyn Registry| {
        let latest = registry.latest(&name(), &Scope::everybody()).unwrap();
        latest.unwrap().version
    };
    let before = latest(&*world.registry());
    run(&mut world.publisher(None).unwrap(), SEED, 5, 20).unwrap();
    assert_ne!(latest(&*world.registry()), before);
    // The newest is announced and not projected yet. Who pins the one before finds nothing to write.
    let shown = before.to_string();
    world
        .store
        .put("prod/accounts/announced.version", shown.as_bytes())
        .unwrap();
    let pin = {
        let world = Arc::clone(&world);
        move || {
            let pin = Action::Pin {
                scope: Scope::everybody(),
                version: before,
                by: "operator".to_owned(),
                reason: "drill".to_owned(),
            };
            let registry: Arc<dyn Registry> = world.registry();
            registry.execute(&name(), 1, pin).unwrap();
            let projected = dataset::project_announcement(&world.store, &registry, &name());
            assert_eq!(projected.unwrap(), Some(before));
        }
    };
    let late: Arc<dyn Registry> = Arc::new(LateRegistry {
        inner: world.registry(),
        meanwhile: Mutex::new(Some(Box::new(pin))),
        knew: Mutex::default(),
    });
    let projected = dataset::project_announcement(&world.store, &late, &name()).unwrap();
    assert_eq!(projected, Some(before));
    assert_eq!(
        files(&world)["prod/accounts/announced.version"],
        shown.as_bytes()
    );
}

#[test]
fn a_process_that_was_suspended_does_not_turn_the_projection_back() {
    let dir = tempdir();
    let world = World::open(dir.path());
    run(&mut world.publisher(None).unwrap(), SEED, 5, 10).unwrap();
    let knew = world.registry().dataset(&name()).unwrap();
    run(&mut world.publisher(None).unwrap(), SEED, 5, 20).unwrap();
    let newest = world.registry().latest(&name(), &Scope::everybody());
    let newest = newest.unwrap().unwrap().version;
    let suspended: Arc<dyn Registry> = Arc::new(LateRegistry {
        inner: world.registry(),
        meanwhile: Mutex::default(),
        knew: Mutex::new(knew),
    });
    let projected = dataset::project_announcement(&world.store, &suspended, &name()).unwrap();
    assert_eq!(projected, Some(newest));
    assert_eq!(
        files(&world)["prod/accounts/announced.version"],
        newest.to_string().as_bytes()
    );
}
