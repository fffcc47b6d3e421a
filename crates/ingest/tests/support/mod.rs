//! A small dataset, its upstream, and a model of what folding makes of it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests fail by panicking"
)]
#![allow(dead_code, reason = "each test file uses its part")]

use blobstore::{BlobStore, DirectoryStore};
use changelog::{ChangeLog, NewRecord, Position};
use dataset::{Abort, PublisherOptions, Snapshots, Step, StepHook, Subscriber, SubscriberOptions};
use hollow::ReadState;
use ingest::{
    Channel, Components, DatasetSpec, DirectorySchemas, FOLD_PART, IncrementalProducer, Origin,
    ProducerOptions, SchemaSource, load_specs, write_wire_header,
};
use registry::embedded::Home;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

pub(crate) fn seed() -> u64 {
    let seed = std::env::var("GREENLIGHT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7);
    println!("GREENLIGHT_SEED={seed}");
    seed
}

const SCHEMA: &str = r#"{"type": "record", "name": "Item", "key": ["id", "language"], "fields": [
    {"name": "id", "type": "long"},
    {"name": "language", "type": "string", "greenlight": "language"},
    {"name": "text", "type": ["null", "string"], "default": null},
    {"name": "tags", "type": {"type": "array", "items": "string", "hollow": "set"}},
    {"name": "spans", "type": {"type": "array", "items": {"type": "record", "name": "Span", "fields": [
        {"name": "from", "type": "long"}, {"name": "to", "type": ["null", "long"], "default": null}]}}}]}"#;

/// A directory with log, registry and blobs, and a dataset `items` in it.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) home: Home,
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) spec: DatasetSpec,
    pub(crate) schemas: Arc<DirectorySchemas>,
    pub(crate) now_ms: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("source_versions = \"required\"")
    }

    pub(crate) fn with(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("items.avsc"), SCHEMA).unwrap();
        let config = dir.path().join("datasets.toml");
        let text = format!(
            "[[dataset]]\nname = \"items\"\nschema = \"items.avsc\"\npartitions = 3\n{settings}\n\
             intervals = [{{ record = \"Span\", start = \"from\", end = \"to\" }}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let spec = load_specs(&config, dir.path()).unwrap().remove(0);
        let home = registry::embedded::open(&dir.path().join("data")).unwrap();
        let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(home.blobs_dir()).unwrap());
        let schemas = Arc::new(DirectorySchemas::open(dir.path()).unwrap());
        Self {
            dir,
            home,
            store,
            spec,
            schemas,
            now_ms: 1_600_000_000_000,
        }
    }

    pub(crate) fn log(&self) -> &Arc<dyn ChangeLog> {
        self.home.log()
    }

    pub(crate) fn components(&self) -> Components {
        Components {
            log: Arc::clone(self.home.log()),
            store: Arc::clone(&self.store),
            registry: Arc::clone(self.home.registry()),
            schemas: Arc::clone(&self.schemas) as Arc<dyn SchemaSource>,
        }
    }

    pub(crate) fn options(&self, hook: Option<StepHook>) -> ProducerOptions {
        let publisher = PublisherOptions {
            snapshot_every: 3,
            snapshots: Snapshots::Inline,
            confirm_interval_ms: 0,
            hook,
            ..PublisherOptions::new("test")
        };
        ProducerOptions {
            publish_fold_after: 3,
            ..ProducerOptions::new(publisher)
        }
    }

    pub(crate) fn open(&mut self, hook: Option<StepHook>) -> ingest::Result<IncrementalProducer> {
        self.now_ms += 1000;
        IncrementalProducer::open(
            self.spec.clone(),
            self.components(),
            self.options(hook),
            self.now_ms,
        )
    }

    pub(crate) fn cycle(
        &mut self,
        producer: &mut IncrementalProducer,
    ) -> ingest::Result<ingest::Ended> {
        self.now_ms += 1000;
        producer.cycle(self.now_ms)
    }

    /// Makes the topics, as a producer would.
    pub(crate) fn create_topics(&self) {
        for topic in self.spec.topics() {
            self.log().create_topic(&topic).unwrap();
        }
    }

    pub(crate) fn send(&self, channel: Channel, records: &[NewRecord]) -> Vec<Position> {
        self.log()
            .append(&self.spec.topic_of(channel), records)
            .unwrap()
    }

    /// The newest state as a reader that wants everything loads it.
    pub(crate) fn load(&self) -> Option<ReadState> {
        let info = self.home.registry().dataset(&self.spec.name).unwrap()?;
        let options = SubscriberOptions {
            parts: [FOLD_PART.to_owned()].into(),
            ..SubscriberOptions::default()
        };
        let registry = Arc::clone(self.home.registry());
        let subscriber = Subscriber::new(
            self.spec.name.clone(),
            Arc::clone(&self.store),
            registry,
            options,
        );
        Some(
            subscriber
                .move_to(info.head?)
                .unwrap()
                .after
                .state()
                .clone(),
        )
    }
}

/// Stops the producer after a number of steps, once.
pub(crate) fn abort_after(steps: i64) -> (StepHook, Arc<Mutex<Option<Step>>>) {
    let left = AtomicI64::new(steps);
    let hit = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&hit);
    let hook: StepHook = Arc::new(move |step| {
        if left.fetch_sub(1, Ordering::SeqCst) == 0 {
            *seen.lock().unwrap() = Some(step);
            return Err(Abort);
        }
        Ok(())
    });
    (hook, hit)
}

pub(crate) fn key(id: i64, language: &str) -> String {
    json!([id, language]).to_string()
}

/// A record of a key whose content is told by `content`.
pub(crate) fn item(
    world: &World,
    id: i64,
    language: &str,
    source_version: i64,
    content: u64,
) -> NewRecord {
    let value = value(id, language, content);
    let mut bytes = Vec::new();
    write_wire_header(world.spec.schema.id(), &mut bytes);
    world
        .spec
        .schema
        .encode_json(&value, &mut bytes)
        .expect("a value");
    NewRecord::new(source_version, key(id, language), bytes)
        .with_header("gl-source-version", source_version.to_string())
}

pub(crate) fn value(id: i64, language: &str, content: u64) -> Value {
    let tags: Vec<_> = (0..content % 3)
        .map(|i| format!("tag{}", (content + i) % 5))
        .collect();
    let spans: Vec<_> = (0..content % 4)
        .map(|i| json!({"from": i, "to": (i != 1).then_some(i + content)}))
        .collect();
    json!({"id": id, "language": language, "text": (!content.is_multiple_of(5)).then(|| format!("text {content}")), "tags": tags, "spans": spans})
}

pub(crate) fn delete(id: i64, language: &str, source_version: i64) -> NewRecord {
    NewRecord::tombstone(source_version, key(id, language))
        .with_header("gl-source-version", source_version.to_string())
}

/// What folding must come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) keys: BTreeMap<(i64, String), (Origin, Option<Value>)>,
    pub(crate) dead: BTreeMap<(String, u32, i64), String>,
}

impl Model {
    pub(crate) fn fold(&mut self, id: i64, language: &str, origin: Origin, value: Option<Value>) {
        let entry = self.keys.entry((id, language.to_owned()));
        let rank = |o: &Origin| (o.source_version, o.channel, o.offset, o.partition);
        entry
            .and_modify(|known| {
                if rank(&origin) > rank(&known.0) {
                    *known = (origin, value.clone());
                }
            })
            .or_insert((origin, value));
    }

    pub(crate) fn check(&self, world: &World, state: &ReadState) {
        let mut expected: Vec<_> = self
            .keys
            .values()
            .filter_map(|(_, value)| value.as_ref())
            .map(canonical)
            .collect();
        expected.sort();
        let items = state.type_state("Item").unwrap();
        let mut found: Vec<_> = items
            .ordinals()
            .map(|ordinal| canonical(&render(state, ordinal)))
            .collect();
        found.sort();
        assert_eq!(found, expected);
        for ((id, language), (origin, _)) in &self.keys {
            let stored = ingest::origin(state, key(*id, language).as_bytes());
            assert_eq!(stored, Some(*origin), "[{id},{language}]");
        }
        assert_eq!(
            state.type_state(ingest::FOLD_TYPE).unwrap().count(),
            self.keys.len()
        );
        let letters = ingest::dead_letters(&**world.log(), &world.spec).unwrap();
        let letters: BTreeMap<_, _> = letters
            .into_iter()
            .map(|l| ((l.topic, l.partition, l.offset), l.reason))
            .collect();
        let places =
            |map: &BTreeMap<(String, u32, i64), String>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(places(&letters), places(&self.dead));
        for (at, words) in &self.dead {
            assert!(
                letters[at].contains(words.as_str()),
                "{at:?}: {} should say {words}",
                letters[at]
            );
        }
    }
}

fn canonical(value: &Value) -> String {
    let mut value = value.clone();
    let tags = value["tags"].as_array_mut().unwrap();
    tags.sort_by_key(Value::to_string);
    tags.dedup();
    value.to_string()
}

fn render(state: &ReadState, ordinal: u32) -> Value {
    let view = |ty: &str, ordinal| state.type_state(ty).unwrap().object(ordinal).unwrap();
    let item = view("Item", ordinal);
    let tags = state
        .type_state("SetOfString")
        .unwrap()
        .set(item.reference(3).unwrap())
        .unwrap();
    let tags: Vec<_> = tags
        .iter()
        .map(|tag| view("String", tag).string(0).unwrap().to_string())
        .collect();
    let spans = state
        .type_state("ListOfSpan")
        .unwrap()
        .list(item.reference(4).unwrap())
        .unwrap();
    let spans: Vec<_> = spans
        .iter()
        .map(|span| json!({"from": view("Span", span).long(0), "to": view("Span", span).long(1)}))
        .collect();
    json!({"id": item.long(0), "language": item.string(1).unwrap().to_string(),
        "text": item.string(2).map(|text| text.to_string()), "tags": tags, "spans": spans})
}
