//! Making, changing and removing topics.

use super::cluster::{Cluster, is_transient, native};
use super::options::{KafkaOptions, MAX_BATCH_BYTES};
use crate::error::{Error, Refusal, Result, kafka_code};
use crate::types::{Position, TopicSpec};
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long the brokers have for one request; what they did not answer by then is asked again.
const REQUEST: Duration = Duration::from_secs(30);

/// How often is looked whether the log is being closed.
const CLOSE_CHECK: Duration = Duration::from_millis(100);

/// Of topics that are truncated: a broker gives disk space back by whole segments, and its default is a GiB or a week.
const TRUNCATED_SEGMENT_BYTES: &str = "134217728";

/// What a topic's configuration says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicConfig {
    pub(super) compacted: bool,
    pub(super) delete_retention_ms: i64,
    pub(super) max_message_bytes: usize,
}

pub(super) struct Admin {
    client: AdminClient<DefaultClientContext>,
}

impl Admin {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self> {
        let client = AdminClient::from_config(&options.admin())
            .map_err(|error| Error::kafka("set up a client for", &options.bootstrap, error))?;
        Ok(Self { client })
    }

    pub(super) fn create(&self, cluster: &Cluster, spec: &TopicSpec) -> Result<()> {
        let partitions = native(spec.partitions);
        let replication =
            TopicReplication::Fixed(cluster.options.replication.map_or(-1, i32::from));
        let retention = spec.delete_retention_ms.to_string();
        let bytes = MAX_BATCH_BYTES.to_string();
        let mut config: Vec<(&str, &str)> = vec![
            ("delete.retention.ms", &retention),
            ("max.message.bytes", &bytes),
            ("message.timestamp.type", "CreateTime"),
        ];
        if spec.compacted {
            config.push(("cleanup.policy", "compact"));
        } else {
            // Records stay until somebody truncates the topic; brokers would remove them after a week.
            config.push(("cleanup.policy", "delete"));
            config.push(("retention.ms", "-1"));
            config.push(("retention.bytes", "-1"));
            config.push(("segment.bytes", TRUNCATED_SEGMENT_BYTES));
        }
        for (name, value) in &cluster.options.topic_config {
            config.retain(|(known, _)| known != name);
            config.push((name, value));
        }
        let topic = NewTopic {
            name: &spec.name,
            num_partitions: partitions,
            replication,
            config,
        };
        let started = Instant::now();
        loop {
            let request = self.client.create_topics([&topic], &admin_options());
            match one(block_on(cluster, request)) {
                Ok(()) => return Ok(()),
                Err(error) if kafka_code(&error) == Some(RDKafkaErrorCode::TopicAlreadyExists) => {
                    return Err(Refusal::TopicExists {
                        topic: spec.name.clone(),
                    }
                    .into());
                }
                Err(error) => self.again(cluster, started, "create topic", &spec.name, error)?,
            }
        }
    }

    pub(super) fn delete(&self, cluster: &Cluster, name: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            let request = self.client.delete_topics(&[name], &admin_options());
            match one(block_on(cluster, request)) {
                Ok(()) => return Ok(()),
                Err(error)
                    if kafka_code(&error) == Some(RDKafkaErrorCode::UnknownTopicOrPartition) =>
                {
                    return Err(Refusal::UnknownTopic {
                        topic: name.to_owned(),
                    }
                    .into());
                }
                Err(error) => self.again(cluster, started, "delete topic", name, error)?,
            }
        }
    }

    pub(super) fn widen(&self, cluster: &Cluster, name: &str, partitions: u32) -> Result<()> {
        let wanted = usize::try_from(partitions).unwrap_or(usize::MAX);
        let started = Instant::now();
        loop {
            let wider = NewPartitions::new(name, wanted);
            let request = self.client.create_partitions([&wider], &admin_options());
            match one(block_on(cluster, request)) {
                Ok(()) => return Ok(()),
                Err(error) if kafka_code(&error) == Some(RDKafkaErrorCode::InvalidPartitions) => {
                    return Err(Refusal::InvalidTopic {
                        topic: name.to_owned(),
                        reason: format!(
                            "its partitions can't become {partitions}: their number can only grow"
                        ),
                    }
                    .into());
                }
                Err(error) => {
                    self.again(cluster, started, "add partitions to topic", name, error)?;
                }
            }
        }
    }

    pub(super) fn truncate(
        &self,
        cluster: &Cluster,
        topic: &str,
        before: &[Position],
    ) -> Result<()> {
        let mut offsets = TopicPartitionList::with_capacity(before.len());
        for position in before {
            offsets
                .add_partition_offset(
                    topic,
                    native(position.partition),
                    Offset::Offset(position.offset),
                )
                .map_err(|error| Error::kafka("truncate topic", topic, error))?;
        }
        let started = Instant::now();
        loop {
            let request = self.client.delete_records(&offsets, &admin_options());
            let deleted = block_on(cluster, request).and_then(|result| {
                let elements = result.elements();
                elements.iter().try_for_each(|element| element.error())
            });
            match deleted {
                Ok(()) => return Ok(()),
                Err(error) => self.again(cluster, started, "truncate topic", topic, error)?,
            }
        }
    }

    /// The configuration of these topics, in this order; `None` for one that is not there.
    pub(super) fn configs(
        &self,
        cluster: &Cluster,
        names: &[&str],
    ) -> Result<Vec<Option<TopicConfig>>> {
        let what = names.first().copied().unwrap_or_default();
        let started = Instant::now();
        loop {
            let resources: Vec<_> = names
                .iter()
                .map(|name| ResourceSpecifier::Topic(name))
                .collect();
            let request = self.client.describe_configs(&resources, &admin_options());
            match block_on(cluster, request) {
                Ok(described) => {
                    let config = |result: std::result::Result<_, RDKafkaErrorCode>| match result {
                        Ok(resource) => Ok(Some(TopicConfig::of(&resource))),
                        Err(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
                        Err(code) => Err(KafkaError::AdminOp(code)),
                    };
                    match described.into_iter().map(config).collect() {
                        Ok(configs) => return Ok(configs),
                        Err(error) => {
                            self.again(cluster, started, "read the configuration of", what, error)?;
                        }
                    }
                }
                Err(error) => {
                    self.again(cluster, started, "read the configuration of", what, error)?;
                }
            }
        }
    }

    /// Waits a little before the same is tried again, or fails with what trying again doesn't change.
    fn again(
        &self,
        cluster: &Cluster,
        started: Instant,
        action: &'static str,
        what: &str,
        error: KafkaError,
    ) -> Result<()> {
        cluster.check_open()?;
        if !is_transient(&error) {
            return Err(Error::kafka(action, what, error));
        }
        cluster.give_up(started, action, what, &error)?;
        thread::sleep(Duration::from_millis(100));
        Ok(())
    }
}

impl TopicConfig {
    fn of(resource: &rdkafka::admin::ConfigResource) -> Self {
        let value = |name| resource.get(name).and_then(|entry| entry.value.as_deref());
        let policy = value("cleanup.policy").unwrap_or("delete");
        Self {
            compacted: policy.split(',').any(|part| part.trim() == "compact"),
            delete_retention_ms: value("delete.retention.ms")
                .and_then(|text| text.parse().ok())
                .unwrap_or(TopicSpec::DEFAULT_DELETE_RETENTION_MS),
            max_message_bytes: value("max.message.bytes")
                .and_then(|text| text.parse().ok())
                .unwrap_or(MAX_BATCH_BYTES),
        }
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST))
        .operation_timeout(Some(REQUEST))
}

/// The result of a request about one topic.
fn one(results: KafkaResult<Vec<rdkafka::admin::TopicResult>>) -> KafkaResult<()> {
    results?.into_iter().try_for_each(|result| match result {
        Ok(_) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}

/// Waits for a future whose answer another thread brings: all that the admin client asks for. It is canceled where the log is
/// being closed.
fn block_on<T>(cluster: &Cluster, future: impl Future<Output = KafkaResult<T>>) -> KafkaResult<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        if cluster.check_open().is_err() {
            return Err(KafkaError::Canceled);
        }
        thread::park_timeout(CLOSE_CHECK);
    }
}
