//! Appending: one idempotent producer for all topics and threads. Each call waits for the reports of its own records.

use super::cluster::{Cluster, Context, is_unknown, native};
use crate::error::{Error, Refusal, Result, kafka_code};
use crate::types::{NewRecord, Position};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where records go, and what became of them.
pub(super) struct Appender {
    producer: ThreadedProducer<Reports>,
}

/// A call that waits.
struct Call {
    state: Mutex<CallState>,
    changed: Condvar,
}

struct CallState {
    /// Records without a report.
    left: usize,
    positions: Vec<Position>,
    /// The first record that failed, by index.
    failed: Option<(usize, KafkaError)>,
}

/// What a report is about: the call, and the record's index in it.
type Ticket = Box<(Arc<Call>, usize)>;

/// Brings reports to the calls that wait for them.
struct Reports(Context);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Ticket) {
        let (call, index) = *ticket;
        let mut state = call.lock();
        match result {
            Ok(message) => {
                state.positions[index] = Position {
                    partition: u32::try_from(message.partition()).unwrap_or(u32::MAX),
                    offset: message.offset(),
                };
            }
            Err((error, _)) => {
                if state
                    .failed
                    .as_ref()
                    .is_none_or(|(first, _)| index < *first)
                {
                    state.failed = Some((index, error.clone()));
                }
            }
        }
        state.left -= 1;
        if state.left == 0 {
            call.changed.notify_all();
        }
    }
}

impl Call {
    fn lock(&self) -> MutexGuard<'_, CallState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appender {
    pub(super) fn new(cluster: &Cluster) -> Result<Self> {
        let options = &cluster.options;
        let producer = ThreadedProducer::from_config_and_context(
            &options.producer(),
            Reports(Context::default()),
        )
        .map_err(|error| Error::kafka("set up a producer for", &options.bootstrap, error))?;
        Ok(Self { producer })
    }

    /// Whether the producer can't go on; a new one can.
    pub(super) fn is_broken(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }

    /// Appends `records`, each to the partition of the same index in `partitions`.
    pub(super) fn append(
        &self,
        cluster: &Cluster,
        topic: &str,
        records: &[NewRecord],
        partitions: &[u32],
    ) -> Result<Vec<Position>> {
        let started = Instant::now();
        let call = Arc::new(Call {
            state: Mutex::new(CallState {
                left: records.len(),
                positions: vec![Position::new(0, 0); records.len()],
                failed: None,
            }),
            changed: Condvar::new(),
        });
        for (index, (record, &partition)) in records.iter().zip(partitions).enumerate() {
            let ticket = Box::new((Arc::clone(&call), index));
            // Where this fails, what was sent before is on its way; nobody waits for its reports any more.
            self.send(cluster, topic, record, partition, ticket, started)?;
        }
        self.wait(cluster, topic, &call, started)
    }

    fn send(
        &self,
        cluster: &Cluster,
        topic: &str,
        record: &NewRecord,
        partition: u32,
        ticket: Ticket,
        started: Instant,
    ) -> Result<()> {
        let mut message = BaseRecord::<[u8], [u8], Ticket>::with_opaque_to(topic, ticket)
            .partition(native(partition))
            // For librdkafka 0 means "now".
            .timestamp(record.timestamp_ms.max(1));
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            message.headers = Some(
                record
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| {
                        headers.insert(Header {
                            key,
                            value: Some(value),
                        })
                    }),
            );
        }
        loop {
            let (error, back) = match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            message = back;
            match kafka_code(&error) {
                // Back-pressure: the records before this one have to leave first.
                Some(RDKafkaErrorCode::QueueFull) => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                // The partition is there, but this client has not heard of it yet.
                Some(RDKafkaErrorCode::UnknownPartition) => {
                    let asked = self
                        .producer
                        .client()
                        .fetch_metadata(Some(topic), Duration::from_secs(10));
                    tracing::debug!(topic, partition, error = ?asked.err(), "learn of a new partition");
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return Err(Error::kafka("append to topic", topic, error)),
            }
            cluster.give_up(started, "append to topic", topic, &error)?;
        }
    }

    fn wait(
        &self,
        cluster: &Cluster,
        topic: &str,
        call: &Call,
        started: Instant,
    ) -> Result<Vec<Position>> {
        let mut state = call.lock();
        // librdkafka reports each record within the budget that it was given, be it that it could not be sent.
        while state.left > 0 {
            cluster.check_open()?;
            state = call
                .changed
                .wait_timeout(state, Duration::from_millis(500))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let Some((index, error)) = state.failed.take() else {
            return Ok(std::mem::take(&mut state.positions));
        };
        drop(state);
        match kafka_code(&error) {
            Some(RDKafkaErrorCode::MessageTimedOut) => Err(Error::KafkaUnreachable {
                action: "append to topic",
                what: topic.to_owned(),
                bootstrap: cluster.options.bootstrap.clone(),
                waited: started.elapsed(),
                detail: format!("record {index} was not acknowledged: {error}"),
            }),
            _ if is_unknown(&error) => {
                cluster.expect(topic)?;
                Err(Error::kafka("append to topic", topic, error))
            }
            _ => Err(Error::kafka("append to topic", topic, error)),
        }
    }
}

/// Refuses what this topic can't take. `limit` is the largest record that its brokers accept.
pub(super) fn check_limit(
    topic: &str,
    index: usize,
    record: &NewRecord,
    limit: usize,
) -> Result<()> {
    let bytes = crate::batch::record_bytes(record);
    if bytes > limit {
        return Err(Refusal::RecordTooLarge {
            topic: topic.to_owned(),
            index,
            bytes,
            limit,
        }
        .into());
    }
    Ok(())
}
