//! What folding must come to, and what must hold of registry and store whatever died.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dataset::{Subscriber, SubscriberOptions, Version, blob_key};
use hollow::ReadState;
use hollow::sums::{ChainSum, Digest};
use ingest::{FOLD_PART, FOLD_TYPE, Origin};
use registry::{Scope, Versions};
use serde_json::{Value, json};

use crate::{World, key};

/// Each key's origin and row, and the places of the records that can't be folded.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub keys: BTreeMap<i64, (Origin, Option<Value>)>,
    pub poison: BTreeSet<(String, u32, i64)>,
}

impl Model {
    /// The greatest source version wins, and of equal ones the last record.
    pub fn fold(&mut self, id: i64, origin: Origin, row: Option<Value>) {
        let rank = |origin: &Origin| (origin.source_version, origin.offset);
        match self.keys.get(&id) {
            Some((known, _)) if rank(known) >= rank(&origin) => {}
            _ => drop(self.keys.insert(id, (origin, row))),
        }
    }

    /// The newest state is the model's, each of its keys names its record, and nothing that can't be folded went unsaid.
    pub fn check(&self, world: &World) {
        let state = world.load(None);
        self.check_state(&state);
        // A record that is older than what made its key is dropped as such, whatever is wrong with it.
        let letters = ingest::dead_letters(&*world.log, &world.spec).unwrap();
        let places: Vec<_> = letters
            .into_iter()
            .map(|letter| (letter.topic, letter.partition, letter.offset))
            .collect();
        let distinct: BTreeSet<_> = places.iter().cloned().collect();
        assert!(
            distinct.is_subset(&self.poison),
            "a dead letter of a good record"
        );
        assert_eq!(distinct.len(), places.len(), "a dead letter twice");
    }

    pub fn check_state(&self, state: &ReadState) {
        let expected = self.keys.values().filter_map(|(_, row)| row.clone());
        let expected: BTreeMap<i64, Value> = expected
            .map(|row| (row["id"].as_i64().unwrap(), row))
            .collect();
        assert_eq!(rows(state), expected);
        for (id, (origin, _)) in &self.keys {
            let stored = ingest::origin(state, key(*id).as_bytes());
            assert_eq!(stored, Some(*origin), "origin of [{id}]");
        }
        let fold = state.type_state(FOLD_TYPE).unwrap();
        assert_eq!(fold.count(), self.keys.len(), "keys in the fold's memory");
    }
}

/// The rows of a state.
pub fn rows(state: &ReadState) -> BTreeMap<i64, Value> {
    let titles = state.type_state("Title").unwrap();
    let row = |ordinal| {
        let title = titles.object(ordinal).unwrap();
        let id = title.long(0).unwrap();
        let name = title.string(1).map(|name| name.to_string());
        (id, json!({"id": id, "name": name, "size": title.long(2)}))
    };
    titles.ordinals().map(row).collect()
}

impl World {
    fn subscriber(&self) -> Subscriber {
        let options = SubscriberOptions {
            parts: [FOLD_PART.to_owned()].into(),
            ..SubscriberOptions::default()
        };
        let (store, registry) = (Arc::clone(&self.store), Arc::clone(&self.registry));
        Subscriber::new(self.spec.name.clone(), store, registry, options)
    }

    /// A version as a reader that wants everything loads it from nothing; the newest announced by default.
    pub fn load(&self, version: Option<Version>) -> ReadState {
        let latest = self
            .registry
            .latest(&self.spec.name, &Scope::everybody())
            .unwrap();
        let version = version.unwrap_or_else(|| latest.unwrap().version);
        self.subscriber()
            .move_to(version)
            .unwrap()
            .after
            .state()
            .clone()
    }

    /// The accepted versions, oldest first, after checking that they are one line.
    pub fn versions(&self) -> Vec<Version> {
        let versions = self.registry.versions(
            &self.spec.name,
            &Versions::between(Version(0), Version(i64::MAX)),
        );
        let mut previous = None;
        for info in versions.as_ref().unwrap() {
            assert_eq!(info.previous, previous, "the chain is one line");
            previous = Some(info.version);
        }
        versions
            .unwrap()
            .into_iter()
            .map(|info| info.version)
            .collect()
    }

    /// The chain is one line, each version of it can be gone to along the deltas and says what the registry says, and
    /// stock consumers are shown the newest.
    pub fn check_chain(&self) {
        let subscriber = self.subscriber();
        let versions = self.versions();
        for &version in &versions {
            let view = subscriber.move_to(version).unwrap().after;
            assert_eq!(
                ChainSum::of(view.state()).0,
                view.info().sums.chain.0,
                "{version}"
            );
            assert_eq!(
                Digest::of(view.state()).unwrap().0,
                view.info().sums.digest.0,
                "{version}"
            );
        }
        let announced = self
            .store
            .get(&blob_key(&self.spec.name, "announced.version"))
            .unwrap();
        let newest = versions
            .last()
            .map(|version| version.to_string().into_bytes());
        assert_eq!(
            announced.map(|blob| blob.bytes),
            newest,
            "announced.version"
        );
    }
}
