//! A small dataset with a model, and what must hold of its store and registry at every moment.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support, used in parts by each test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::{
    Cycle, CycleKind, CycleOutcome, DatasetName, Error, Populated, Publisher, PublisherOptions,
    Snapshots, StepHook, Subscriber, SubscriberOptions, Version, blob_key,
};
use hollow::record::{ObjectRecord, SetRecord};
use hollow::schema::{Schema, parse_schemas};
use hollow::sums::{ChainSum, Digest};
use hollow::write::{WriteOptions, WriteState};
use hollow::{KeyValue, ReadState};
use registry::embedded::{self, Home};
use registry::{Registry, Scope, Versions};
use tempfile::TempDir;

/// The noon of a day; cycles count from here.
pub const START_MS: i64 = 1_615_204_800_000;

pub fn name() -> DatasetName {
    "accounts".parse().unwrap()
}

pub fn schemas() -> Vec<Schema> {
    parse_schemas(
        "Account @PrimaryKey(id) { long id; long total; Labels labels; }
         Labels Set<Label>;
         Label { string value; }
         _Fold @PrimaryKey(key) { long key; long at; }",
    )
    .unwrap()
}

pub fn options(hook: Option<StepHook>) -> PublisherOptions {
    PublisherOptions {
        write: WriteOptions {
            parts: BTreeMap::from([("_Fold".to_owned(), "fold".to_owned())]),
            ..WriteOptions::default()
        },
        snapshot_every: 2,
        snapshots: Snapshots::Inline,
        hook,
        ..PublisherOptions::new("producer")
    }
}

/// A directory that is gone afterwards; in memory where the system has a place for that, since no test here pulls the plug
/// and a sync to disk would be most of its time.
pub fn tempdir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .unwrap()
}

/// A directory with everything in it.
pub struct World {
    pub home: Home,
    pub store: Arc<dyn BlobStore>,
}

impl World {
    pub fn open(dir: &Path) -> Self {
        let home = embedded::open(dir).unwrap();
        let store = Arc::new(DirectoryStore::open(home.blobs_dir()).unwrap());
        Self { home, store }
    }

    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(self.home.registry())
    }

    pub fn publisher(&self, hook: Option<StepHook>) -> dataset::Result<Publisher> {
        self.publisher_with(options(hook))
    }

    pub fn publisher_with(&self, options: PublisherOptions) -> dataset::Result<Publisher> {
        Publisher::open(
            name(),
            Arc::clone(&self.store),
            self.registry(),
            schemas(),
            options,
            START_MS,
        )
    }

    pub fn subscriber(&self, parts: &[&str]) -> Subscriber {
        let options = SubscriberOptions {
            parts: parts.iter().map(|&part| part.to_owned()).collect(),
            indexes: BTreeSet::from(["Account".to_owned()]),
            ..SubscriberOptions::default()
        };
        Subscriber::new(name(), Arc::clone(&self.store), self.registry(), options)
    }
}

/// A change that must be applied exactly once: the same deposit twice gives another total.
#[derive(Clone, Debug)]
pub enum Change {
    Deposit(i64, i64),
    Label(i64, String),
    Close(i64),
}

/// The change at a position of the endless log of `seed`. Some change nothing (closing what is not open).
pub fn change(seed: u64, position: u64) -> Change {
    let draw = |salt: u64, below: u64| {
        let mut x = seed ^ (position << 8 | salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % below
    };
    let id = draw(1, 12) as i64;
    match draw(2, 10) {
        0..=5 => Change::Deposit(id, 1 + draw(3, 1000) as i64),
        6..=7 => Change::Label(id, format!("label {}", draw(4, 5))),
        _ => Change::Close(id),
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub total: i64,
    pub labels: BTreeSet<String>,
}

/// What a state means: accounts, and the position of the last change that touched each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub accounts: BTreeMap<i64, Account>,
    pub fold: BTreeMap<i64, i64>,
}

impl Content {
    /// The model: all changes below `position`, one by one.
    pub fn model(seed: u64, position: u64) -> Self {
        let mut content = Self::default();
        (0..position).for_each(|position| content.apply(seed, position));
        content
    }

    pub fn apply(&mut self, seed: u64, position: u64) {
        let id = match change(seed, position) {
            Change::Deposit(id, amount) => {
                self.accounts.entry(id).or_default().total += amount;
                id
            }
            Change::Label(id, label) => {
                let Some(account) = self.accounts.get_mut(&id) else {
                    return;
                };
                account.labels.insert(label);
                id
            }
            Change::Close(id) => {
                if self.accounts.remove(&id).is_none() {
                    return;
                }
                id
            }
        };
        self.fold.insert(id, position as i64);
    }

    pub fn of(state: &ReadState) -> Self {
        let mut content = Self::default();
        let (accounts, labels) = (
            state.type_state("Account").unwrap(),
            state.type_state("Labels").unwrap(),
        );
        let texts = state.type_state("Label").unwrap();
        for ordinal in accounts.ordinals() {
            let account = accounts.object(ordinal).unwrap();
            let set = labels.set(account.reference(2).unwrap()).unwrap();
            let labels = set
                .iter()
                .map(|label| texts.object(label).unwrap().string(0).unwrap().to_string())
                .collect();
            content.accounts.insert(
                account.long(0).unwrap(),
                Account {
                    total: account.long(1).unwrap(),
                    labels,
                },
            );
        }
        if let Some(fold) = state.type_state("_Fold") {
            for ordinal in fold.ordinals() {
                let row = fold.object(ordinal).unwrap();
                content
                    .fold
                    .insert(row.long(0).unwrap(), row.long(1).unwrap());
            }
        }
        content
    }

    /// Without what only the producer loads.
    pub fn public(mut self) -> Self {
        self.fold.clear();
        self
    }
}

/// Writes the difference between two contents.
pub fn write_changes(
    write: &mut WriteState,
    before: &Content,
    after: &Content,
) -> hollow::Result<()> {
    let [account, labels, label, fold] =
        ["Account", "Labels", "Label", "_Fold"].map(|name| write.type_id(name).unwrap());
    let mut account_record = ObjectRecord::new(write.schema(account).as_object().unwrap());
    let mut label_record = ObjectRecord::new(write.schema(label).as_object().unwrap());
    let mut fold_record = ObjectRecord::new(write.schema(fold).as_object().unwrap());
    for (&id, now) in &after.accounts {
        if before.accounts.get(&id) == Some(now) {
            continue;
        }
        let mut set = SetRecord::new();
        for text in &now.labels {
            label_record.set_str(0, text);
            set.insert(write.add(label, label_record.bytes())?);
        }
        account_record.set_long(0, id);
        account_record.set_long(1, now.total);
        account_record.set_reference(2, write.add(labels, set.bytes())?);
        write.upsert(account, account_record.bytes())?;
    }
    for &id in before
        .accounts
        .keys()
        .filter(|id| !after.accounts.contains_key(id))
    {
        write.delete(account, &[KeyValue::Long(id)])?;
    }
    for (&key, &at) in after
        .fold
        .iter()
        .filter(|(key, at)| before.fold.get(key) != Some(at))
    {
        fold_record.set_long(0, key);
        fold_record.set_long(1, at);
        write.upsert(fold, fold_record.bytes())?;
    }
    Ok(())
}

pub fn position_tags(position: u64) -> BTreeMap<String, String> {
    BTreeMap::from([("position".to_owned(), position.to_string())])
}

/// Where a publisher stands, by its tags.
pub fn position(publisher: &Publisher) -> u64 {
    publisher
        .newest_tags()
        .unwrap()
        .get("position")
        .map_or(0, |text| text.parse().unwrap())
}

/// Folds the changes from `from` to `to` in one cycle, onto what the publisher's state holds.
pub fn cycle(
    publisher: &mut Publisher,
    seed: u64,
    from: u64,
    to: u64,
) -> dataset::Result<CycleOutcome> {
    let before = publisher.state().map(Content::of).unwrap_or_default();
    let mut after = before.clone();
    (from..to).for_each(|position| after.apply(seed, position));
    let cycle = Cycle {
        now_ms: START_MS + to as i64 * 400,
        kind: CycleKind::Incremental,
    };
    publisher.cycle(cycle, |write| {
        write_changes(write, &before, &after)?;
        Ok(Populated {
            tags: position_tags(to),
            confirm_tags: position_tags(to),
            ..Populated::default()
        })
    })
}

/// Runs cycles of `step` changes until `end`. Stops at the first error.
pub fn run(publisher: &mut Publisher, seed: u64, step: u64, end: u64) -> dataset::Result<()> {
    let mut from = position(publisher);
    while from < end {
        let to = (from / step + 1) * step;
        if let CycleOutcome::RolledBack { reason } = cycle(publisher, seed, from, to)? {
            return Err(reason);
        }
        from = to;
    }
    Ok(())
}

/// What must hold at every moment, whatever died: the chain is whole, what is announced can be loaded and is the model's
/// state, and nothing undecided is visible. Returns the newest announced version.
pub fn check(world: &World, seed: u64) -> Option<Version> {
    let registry = world.registry();
    let versions = registry
        .versions(&name(), &Versions::between(Version(0), Version(i64::MAX)))
        .unwrap();
    let mut previous = None;
    for info in &versions {
        assert_eq!(info.previous, previous, "the chain is one line");
        previous = Some(info.version);
    }
    let unannounced = versions
        .iter()
        .filter(|info| info.announced_at_ms.is_none())
        .map(|info| info.version);
    assert!(
        unannounced.clone().all(|version| Some(version) == previous),
        "only the head may wait to be announced"
    );

    // What a stock consumer sees.
    let accepted: BTreeSet<String> = versions
        .iter()
        .map(|info| info.version.to_string())
        .collect();
    for blob in world.store.list(&format!("{}/", name())).unwrap() {
        let file = blob.key.strip_prefix(&format!("{}/", name())).unwrap();
        if file.starts_with("candidates/") || file == "announced.version" {
            continue;
        }
        if let Some((kind, rest)) = file.split_once('-').filter(|(kind, _)| !kind.contains('_')) {
            let part = format!("{kind}_fold-{rest}");
            let head = world.store.head(&blob_key(&name(), &part)).unwrap();
            assert!(head.is_some(), "{file} is visible before its part");
        }
        let versions_named: Vec<&str> = file.split('-').skip(1).collect();
        assert!(
            versions_named
                .iter()
                .all(|version| accepted.contains(*version)),
            "{file} is not of an accepted version"
        );
    }
    for info in versions
        .iter()
        .filter(|info| info.announced_at_ms.is_some())
    {
        for blob in &info.blobs {
            let head = world.store.head(&blob_key(&name(), &blob.name)).unwrap();
            assert_eq!(
                head.map(|head| head.size),
                Some(blob.size),
                "{} of an announced version",
                blob.name
            );
        }
    }
    let projected = world
        .store
        .get(&blob_key(&name(), "announced.version"))
        .unwrap();
    if let Some(blob) = projected {
        let version: Version = String::from_utf8(blob.bytes).unwrap().parse().unwrap();
        let info = registry
            .version(&name(), version)
            .unwrap()
            .expect("announced.version names an accepted version");
        assert!(
            info.announced_at_ms.is_some(),
            "announced.version runs ahead"
        );
    }

    // What our own subscriber sees.
    let latest = registry
        .latest(&name(), &Scope::everybody())
        .unwrap()
        .map(|latest| latest.version);
    for parts in [&[][..], &["fold"][..]] {
        let subscriber = world.subscriber(parts);
        match subscriber.refresh() {
            Err(Error::NotAnnounced { .. }) => assert_eq!(latest, None),
            Err(error) => panic!("{error}"),
            Ok(moved) => {
                let view = moved.after;
                assert_eq!(Some(view.version()), latest);
                let position = view.state().header_tags()["position"].parse().unwrap();
                let model = Content::model(seed, position);
                if parts.is_empty() {
                    assert_eq!(Content::of(view.state()), model.public());
                } else {
                    assert_eq!(Content::of(view.state()), model);
                    assert_eq!(ChainSum::of(view.state()).0, view.info().sums.chain.0);
                    assert_eq!(
                        Digest::of(view.state()).unwrap().0,
                        view.info().sums.digest.0
                    );
                }
            }
        }
    }
    latest
}

/// As [`check`], and everything is finished: announced, projected, cleaned, at `end`.
pub fn check_finished(world: &World, seed: u64, end: u64) {
    let latest = check(world, seed).unwrap();
    let subscriber = world.subscriber(&["fold"]);
    let view = subscriber.refresh().unwrap().after;
    assert_eq!(Content::of(view.state()), Content::model(seed, end));
    let projected = world
        .store
        .get(&blob_key(&name(), "announced.version"))
        .unwrap()
        .unwrap();
    assert_eq!(projected.bytes, latest.to_string().as_bytes());
    assert_eq!(
        world
            .store
            .list(&format!("{}/candidates/", name()))
            .unwrap(),
        [],
        "candidates left"
    );
    // Every version ever announced can still be gone to, along the chain and from nothing.
    let versions = world
        .registry()
        .versions(&name(), &Versions::all())
        .unwrap();
    for info in versions {
        let view = subscriber.move_to(info.version).unwrap().after;
        assert_eq!(ChainSum::of(view.state()).0, info.sums.chain.0);
        let fresh = world
            .subscriber(&["fold"])
            .move_to(info.version)
            .unwrap()
            .after;
        assert_eq!(Content::of(fresh.state()), Content::of(view.state()));
    }
}
