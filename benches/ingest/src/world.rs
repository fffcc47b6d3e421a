//! A broker, the topic of a dataset with records in it, and a producer of the dataset.

use crate::data::Records;
use crate::watched::{Watch, WatchedLog};
use crate::{Error, Result, io, setting};
use blobstore::{BlobStore, DirectoryStore, S3Credentials, S3Options, S3Store};
use changelog::{ChangeLog, KafkaLog, KafkaOptions, NewRecord};
use dataset::{PublisherOptions, Snapshots, StepHook};
use ingest::{
    Components, DatasetSpec, DirectorySchemas, Ended, IncrementalProducer, ProducerOptions,
    SchemaSource, load_specs,
};
use registry::{LogRegistry, Registry};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tests_servers::{Kafka, SeaweedFs};

/// Records of one append.
const CHUNK: u64 = 20_000;
/// Partitions of the topic.
const PARTITIONS: u32 = 4;

/// The broker and what is on it.
pub struct World {
    /// Kept running, where it is ours.
    _kafka: Option<Kafka>,
    bootstrap: String,
    /// A client of it.
    pub log: Arc<KafkaLog>,
    dir: TempDir,
}

/// A producer, and what it reads.
pub struct Producing {
    /// The producer.
    pub producer: IncrementalProducer,
    /// Where its consumers stand.
    pub watch: Arc<Watch>,
    /// Its registry.
    pub registry: Arc<dyn Registry>,
}

impl World {
    /// Starts the broker.
    pub fn start() -> Result<Self> {
        let kafka = Kafka::start()?;
        let world = Self::connect(&kafka.bootstrap())?;
        Ok(Self {
            _kafka: Some(kafka),
            ..world
        })
    }

    /// Uses a broker that another process has started.
    pub fn connect(bootstrap: &str) -> Result<Self> {
        let mut options = KafkaOptions::new(bootstrap);
        // The same topic is read by several rows, so it must not shrink meanwhile.
        options
            .topic_config
            .insert("min.cleanable.dirty.ratio".to_owned(), "0.99".to_owned());
        let log = Arc::new(KafkaLog::connect(options)?);
        let dir = tempfile::tempdir().map_err(io("make a directory"))?;
        Ok(Self {
            _kafka: None,
            bootstrap: bootstrap.to_owned(),
            log,
            dir,
        })
    }

    /// Where the broker answers.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A dataset of the schema `rights` on topics of its own.
    pub fn spec(&self, name: &str) -> Result<DatasetSpec> {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let config = self.dir.path().join(format!("{name}.toml"));
        let text = format!(
            "[[dataset]]\nname = \"{name}\"\nschema = \"rights.avsc\"\npartitions = {PARTITIONS}\n\
             source_versions = \"required\"\n"
        );
        std::fs::write(&config, text).map_err(io("write the configuration"))?;
        let mut specs = load_specs(&config, &schemas)?;
        specs
            .pop()
            .ok_or_else(|| Error::Wrong("no dataset is configured".to_owned()))
    }

    /// The records of `keys` videos.
    pub fn records(&self, keys: u64) -> Result<Records> {
        let text = include_str!("../../../schemas/rights.avsc");
        let schema_id = DirectorySchemas::default().add("rights.avsc", text)?.id();
        Ok(Records { keys, schema_id })
    }

    /// Makes the dataset's topics where they are missing.
    pub fn make_topics(&self, spec: &DatasetSpec) -> Result<()> {
        for topic in spec.topics() {
            if self.log.topic(&topic.name)?.is_none() {
                self.log.create_topic(&topic)?;
            }
        }
        Ok(())
    }

    /// Appends `count` records, made by their number, to the topic `name`.
    pub fn fill(
        &self,
        name: &str,
        count: u64,
        record: impl Fn(u64) -> NewRecord + Sync,
    ) -> Result<()> {
        let mut at = 0;
        while at < count {
            let until = (at + CHUNK).min(count);
            let records: Vec<_> = (at..until).map(&record).collect();
            self.log.append(name, &records)?;
            at = until;
        }
        Ok(())
    }

    /// A producer of the dataset, with a registry and blobs of its own, that has read nothing yet.
    pub fn producer(
        &self,
        spec: DatasetSpec,
        records_per_cycle: u64,
        hook: Option<StepHook>,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Producing> {
        let name = spec.name.name().to_owned();
        let blobs = self.dir.path().join("blobs").join(&name);
        let store = match store {
            Some(store) => store,
            None => Arc::new(DirectoryStore::open(&blobs)?),
        };
        let checkpoint = self.dir.path().join(format!("{name}.registry"));
        let kafka: Arc<dyn ChangeLog> = Arc::clone(&self.log) as Arc<dyn ChangeLog>;
        let registry: Arc<dyn Registry> =
            Arc::new(LogRegistry::open(Arc::clone(&kafka), &checkpoint)?);
        let watched = WatchedLog::new(kafka);
        let watch = watched.watch();
        let components = Components {
            log: Arc::new(watched),
            store,
            registry: Arc::clone(&registry),
            schemas: Arc::new(DirectorySchemas::embedded()?) as Arc<dyn SchemaSource>,
        };
        let publisher = PublisherOptions {
            snapshots: Snapshots::Background,
            snapshot_every: u32::try_from(setting("GREENLIGHT_BENCH_SNAPSHOT_EVERY", 20))
                .unwrap_or(u32::MAX),
            hook,
            ..PublisherOptions::new("bench")
        };
        let options = ProducerOptions {
            records_per_cycle,
            ..ProducerOptions::new(publisher)
        };
        let producer = IncrementalProducer::open(spec, components, options, now_ms())?;
        Ok(Producing {
            producer,
            watch,
            registry,
        })
    }
}

impl Producing {
    /// Runs a cycle that has to announce something.
    pub fn announce(&mut self) -> Result<()> {
        match self.producer.cycle(now_ms())? {
            Ended::Announced { .. } => Ok(()),
            other => Err(Error::Wrong(format!("a cycle ended {other:?}"))),
        }
    }
}

/// A new bucket of a server.
pub fn bucket(server: &SeaweedFs, name: &str) -> Result<Arc<dyn BlobStore>> {
    let store = S3Store::new(S3Options {
        credentials: Some(S3Credentials {
            access_key: SeaweedFs::ACCESS_KEY.to_owned(),
            secret_key: SeaweedFs::SECRET_KEY.to_owned(),
            session_token: None,
        }),
        ..S3Options::from_url(&format!("{}/{name}", server.endpoint()))?
    })?;
    store.create_bucket()?;
    Ok(Arc::new(store))
}

/// The time in milliseconds since 1970 UTC.
#[must_use]
pub fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(0)
}
