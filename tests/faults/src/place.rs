//! Where log, store and registry are, and a producer over them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use blobstore::{BlobStore, DirectoryStore, S3Credentials, S3Options, S3Store};
use changelog::{ChangeLog, KafkaLog, KafkaOptions};
use dataset::{Abort, PublisherOptions, Snapshots, StepHook};
use ingest::avro::AvroSchema;
use ingest::{
    Components, DatasetSpec, DirectorySchemas, IncrementalProducer, ProducerOptions, SchemaSource,
    load_specs,
};
use registry::embedded::{self, Home, HomeOptions};
use registry::{LogRegistry, Registry, SharedCheckpoints};
use tests_servers::SeaweedFs;

use crate::{FaultyLog, FaultyRegistry, FaultyStore, Gate};

/// What another process has to know to work on the same dataset.
#[derive(Clone, Debug)]
pub struct Place {
    pub dir: PathBuf,
    pub dataset: String,
    /// Kafka's bootstrap address and the bucket's URL; the embedded log and a directory where there is none.
    pub real: Option<(String, String)>,
}

impl Place {
    /// As one word, for an environment variable.
    pub fn to_text(&self) -> String {
        let (bootstrap, bucket) = self.real.clone().unwrap_or_default();
        format!(
            "{}|{}|{bootstrap}|{bucket}",
            self.dir.display(),
            self.dataset
        )
    }

    pub fn from_text(text: &str) -> Self {
        let [dir, dataset, bootstrap, bucket] = text.split('|').collect::<Vec<_>>()[..] else {
            panic!("{text:?} is no place");
        };
        Self {
            dir: dir.into(),
            dataset: dataset.to_owned(),
            real: (!bootstrap.is_empty()).then(|| (bootstrap.to_owned(), bucket.to_owned())),
        }
    }
}

const SCHEMA: &str = r#"{"type": "record", "name": "Title", "key": ["id"], "fields": [
    {"name": "id", "type": "long"},
    {"name": "name", "type": ["null", "string"], "default": null},
    {"name": "size", "type": "long"}]}"#;

/// The dataset's own schema after it has changed: consumers are to get the field that upstreams have been writing.
const EVOLVED_SCHEMA: &str = r#"{"type": "record", "name": "Title", "key": ["id"], "fields": [
    {"name": "id", "type": "long"},
    {"name": "name", "type": ["null", "string"], "default": null},
    {"name": "size", "type": "long"},
    {"name": "note", "type": ["null", "string"], "default": null}]}"#;

/// What upstreams write in the middle of the stream: a field more, and another order.
const NEXT_SCHEMA: &str = r#"{"type": "record", "name": "Title", "key": ["id"], "fields": [
    {"name": "size", "type": "int"},
    {"name": "id", "type": "long"},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "name", "type": ["null", "string"], "default": null}]}"#;

/// After how many commands the registry truncates its log: often, so that all that dies here dies over truncated logs.
const CHECKPOINT_EVERY: u64 = 100;

/// How long a store may take for one answer; a slow one takes five seconds.
const ATTEMPT: Duration = Duration::from_secs(8);

/// How long calls go on trying while a server does not answer.
const BUDGET: Duration = Duration::from_secs(15);

/// A dataset, its topics, and all that its producer needs.
pub struct World {
    pub log: Arc<dyn ChangeLog>,
    pub store: Arc<dyn BlobStore>,
    pub registry: Arc<dyn Registry>,
    pub spec: DatasetSpec,
    pub schemas: Arc<DirectorySchemas>,
    /// What upstreams write with: the dataset's schema, and a newer one.
    pub writers: [Arc<AvroSchema>; 2],
    /// Decides which of the producer's calls fail.
    pub gate: Arc<Gate>,
    /// The producer is stopped at the step of this number from now; never where negative.
    pub stop_in: Arc<AtomicI64>,
    pub now_ms: i64,
    pub records_per_cycle: u64,
    schemas_dir: PathBuf,
    _home: Option<Home>,
}

impl World {
    pub fn open(place: &Place) -> Self {
        let schemas_dir = place.dir.join("schemas");
        let spec = write_config(&schemas_dir, &place.dataset, SCHEMA);
        let mut schemas = DirectorySchemas::open(&schemas_dir).unwrap();
        let next = schemas.add("next", NEXT_SCHEMA).unwrap();
        let first = Arc::new(AvroSchema::parse(SCHEMA, "titles").unwrap());
        let (log, store, registry, home) = match &place.real {
            None => {
                let options = HomeOptions {
                    checkpoint_every: CHECKPOINT_EVERY,
                    ..HomeOptions::default()
                };
                let home = embedded::open_with(&place.dir.join("data"), &options).unwrap();
                let store: Arc<dyn BlobStore> =
                    Arc::new(DirectoryStore::open(home.blobs_dir()).unwrap());
                let (log, registry) = (Arc::clone(home.log()), Arc::clone(home.registry()));
                (log, store, registry, Some(home))
            }
            Some((bootstrap, bucket)) => {
                let mut options = KafkaOptions::new(bootstrap);
                options.budget_ms = BUDGET.as_millis() as u64;
                let log = KafkaLog::connect(options).unwrap();
                let log: Arc<dyn ChangeLog> = Arc::new(log);
                let own =
                    place
                        .dir
                        .join(format!("registry-{}-{}", place.dataset, std::process::id()));
                let store = s3(bucket);
                let shared = SharedCheckpoints::keep(Arc::clone(&store), CHECKPOINT_EVERY);
                let registry = LogRegistry::open_with(Arc::clone(&log), &own, shared).unwrap();
                let registry: Arc<dyn Registry> = Arc::new(registry);
                (log, store, registry, None)
            }
        };
        for topic in spec.topics() {
            if log.topic(&topic.name).unwrap().is_none() {
                log.create_topic(&topic).unwrap();
            }
        }
        Self {
            log,
            store,
            registry,
            spec,
            schemas: Arc::new(schemas),
            writers: [first, next],
            gate: Arc::default(),
            stop_in: Arc::new(AtomicI64::new(-1)),
            now_ms: 1_600_000_000_000,
            records_per_cycle: 1_000_000,
            schemas_dir,
            _home: home,
        }
    }

    /// Changes the dataset's schema, for producers that are opened from now on.
    pub fn evolve(&mut self) {
        self.spec = write_config(&self.schemas_dir, self.spec.name.name(), EVOLVED_SCHEMA);
    }

    /// Opens a producer whose calls go through the gate and which stops where `stop_in` says.
    pub fn producer(&mut self, owner: &str) -> ingest::Result<IncrementalProducer> {
        let stop_in = Arc::clone(&self.stop_in);
        self.producer_with(
            owner,
            Arc::new(move |_| match stop_in.fetch_sub(1, Ordering::SeqCst) {
                0 => Err(Abort),
                _ => Ok(()),
            }),
        )
    }

    pub fn producer_with(
        &mut self,
        owner: &str,
        hook: StepHook,
    ) -> ingest::Result<IncrementalProducer> {
        self.now_ms += 1000;
        let gate = || Arc::clone(&self.gate);
        let components = Components {
            log: Arc::new(FaultyLog(Arc::clone(&self.log), gate())),
            store: Arc::new(FaultyStore(Arc::clone(&self.store), gate())),
            registry: Arc::new(FaultyRegistry(Arc::clone(&self.registry), gate())),
            schemas: Arc::clone(&self.schemas) as Arc<dyn SchemaSource>,
        };
        let publisher = PublisherOptions {
            snapshot_every: 3,
            snapshots: Snapshots::Inline,
            confirm_interval_ms: 0,
            hook: Some(hook),
            ..PublisherOptions::new(owner)
        };
        let options = ProducerOptions {
            publish_fold_after: 3,
            records_per_cycle: self.records_per_cycle,
            ..ProducerOptions::new(publisher)
        };
        IncrementalProducer::open(self.spec.clone(), components, options, self.now_ms)
    }

    pub fn cycle(&mut self, producer: &mut IncrementalProducer) -> ingest::Result<ingest::Ended> {
        self.now_ms += 1000;
        producer.cycle(self.now_ms)
    }

    /// Cycles without faults until everything that was sent is published.
    pub fn settle(&mut self, producer: &mut IncrementalProducer) {
        self.calm();
        for _ in 0..60 {
            let ended = self.cycle(producer).unwrap();
            assert!(!matches!(ended, ingest::Ended::RolledBack(_)), "{ended:?}");
            let progress = producer.progress();
            if progress.pending == 0 && progress.behind == 0 {
                return;
            }
        }
        panic!("not settled: {:?}", producer.progress());
    }
}

/// Writes schema and configuration, and reads them as a process does at its start. A child may be reading those of the
/// same place, and places share a directory.
fn write_config(dir: &Path, dataset: &str, schema: &str) -> DatasetSpec {
    std::fs::create_dir_all(dir).unwrap();
    write_whole(&dir.join(format!("{dataset}.avsc")), schema);
    let config = dir.join(format!("{dataset}.toml"));
    let text = format!(
        "[[dataset]]\nname = \"{dataset}\"\nschema = \"{dataset}.avsc\"\npartitions = 3\nsource_versions = \"required\"\n\
         sweep_delete_share_max = 1.0\n"
    );
    write_whole(&config, &text);
    load_specs(&config, dir).unwrap().remove(0)
}

/// Nobody reads half of the file.
fn write_whole(path: &Path, text: &str) {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.persist(path).unwrap();
}

fn s3(bucket: &str) -> Arc<dyn BlobStore> {
    let store = S3Store::new(S3Options {
        credentials: Some(S3Credentials {
            access_key: SeaweedFs::ACCESS_KEY.to_owned(),
            secret_key: SeaweedFs::SECRET_KEY.to_owned(),
            session_token: None,
        }),
        attempt_timeout: ATTEMPT,
        operation_timeout: BUDGET,
        ..S3Options::from_url(bucket).unwrap()
    })
    .unwrap();
    store.create_bucket().unwrap();
    Arc::new(store)
}
