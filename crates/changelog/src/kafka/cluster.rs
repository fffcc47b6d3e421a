//! A client that only asks: what topics there are, and where their partitions begin and end. All parts of the back end
//! share it, and with it the rule for outages: a question is asked again until the budget is used up.

use super::options::KafkaOptions;
use super::topic_id::{Described, describe};
use crate::error::{Error, Refusal, Result, kafka_code};
use crate::types::{TopicId, check_topic_name};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one question may take before it is asked again, of another broker if there is one.
const QUESTION: Duration = Duration::from_secs(5);
/// The first wait before a question is asked again; each next one is twice as long, up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Hands what librdkafka says to our log, and keeps the last error for messages of ours: calls of librdkafka say that they
/// timed out where this says why.
#[derive(Clone, Default)]
pub(super) struct Context {
    last_error: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
}

impl Context {
    pub(super) fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // It warns of a consumer's property on a producer, where one table of properties serves both.
            _ if facility == "CONFWARN" => tracing::debug!(facility, "librdkafka: {message}"),
            // What a consumer's client can't do: it tries again, and where nothing comes of that, the call says so that waits.
            _ if facility == "ERROR" => tracing::debug!(facility, "librdkafka: {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::warn!(facility, "librdkafka: {message}"),
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(facility, "librdkafka: {message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, "librdkafka: {message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match kafka_code(&error) {
            // The first is no error, the second says nothing that the errors before it did not.
            Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) => {}
            Some(code) => {
                tracing::debug!(%error, "librdkafka: {reason}");
                *self
                    .last_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some((code, reason.to_owned()));
            }
            None => tracing::debug!(%error, "librdkafka: {reason}"),
        }
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for Context {}

/// The cluster, as questions see it.
pub(super) struct Cluster {
    pub(super) options: KafkaOptions,
    context: Context,
    asking: BaseConsumer<Context>,
    closing: AtomicBool,
}

impl Cluster {
    pub(super) fn new(options: KafkaOptions) -> Result<Self> {
        options.check()?;
        let context = Context::default();
        let asking = BaseConsumer::from_config_and_context(&options.asking(), context.clone())
            .map_err(|error| Error::kafka("set up a client for", &options.bootstrap, error))?;
        Ok(Self {
            options,
            context,
            asking,
            closing: AtomicBool::new(false),
        })
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Fails once the log is being closed.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Whether a broker answers within `patience`.
    pub(super) fn answers(&self, patience: Duration) -> bool {
        self.serve();
        self.asking.fetch_metadata(None, patience).is_ok()
    }

    /// Whether a broker answers, and takes us. Unlike other calls this one does not wait for what will not change by
    /// waiting: credentials or certificates that are refused.
    pub(super) fn check_reachable(&self) -> Result<()> {
        let started = Instant::now();
        let mut patience = Duration::from_millis(500);
        loop {
            self.serve();
            let error = match self.asking.fetch_metadata(None, patience) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            self.serve();
            if let Some((
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
                reason,
            )) = self.context.last_error()
            {
                return Err(Error::KafkaRefused {
                    bootstrap: self.options.bootstrap.clone(),
                    reason,
                });
            }
            self.give_up(started, "connect to", &self.options.bootstrap, &error)?;
            patience = (patience * 2).min(QUESTION);
        }
    }

    /// The topics of these names that are there, in this order.
    pub(super) fn describe(&self, names: &[&str]) -> Result<Vec<Option<Described>>> {
        let what = names.first().copied().unwrap_or_default();
        self.ask("describe topic", what, |timeout| {
            describe(self.asking.client(), names, timeout)
        })
    }

    /// The topic of that name, if it is there.
    pub(super) fn find(&self, name: &str) -> Result<Option<Described>> {
        if check_topic_name(name).is_err() {
            return Ok(None);
        }
        Ok(self.describe(&[name])?.pop().flatten())
    }

    /// The topic of that name.
    pub(super) fn expect(&self, name: &str) -> Result<Described> {
        Ok(self.find(name)?.ok_or_else(|| Refusal::UnknownTopic {
            topic: name.to_owned(),
        })?)
    }

    /// Fails where the topic of that name is no longer the one with this id.
    pub(super) fn check_same(&self, name: &str, id: TopicId) -> Result<()> {
        let found = self.expect(name)?.id;
        if found != id {
            return Err(Refusal::TopicRecreated {
                topic: name.to_owned(),
                expected: id,
                found,
            }
            .into());
        }
        Ok(())
    }

    /// The names of all topics but Kafka's own.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let metadata = self.ask("list topics of", &self.options.bootstrap, |timeout| {
            self.asking.fetch_metadata(None, timeout)
        })?;
        let mut names: Vec<_> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .filter(|name| !name.starts_with("__"))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The first offsets of these partitions.
    pub(super) fn begins(&self, topic: &str, partitions: &[u32]) -> Result<Vec<i64>> {
        self.offsets(topic, partitions, Offset::Beginning)
    }

    /// The offsets after the last record that can be read: behind it are transactions that are still open, if anything.
    pub(super) fn ends(&self, topic: &str, partitions: &[u32]) -> Result<Vec<i64>> {
        self.offsets(topic, partitions, Offset::End)
    }

    /// As [`ends`](Self::ends) of all partitions of several topics, by name and number of partitions, in one question.
    pub(super) fn ends_of_all(&self, topics: &[(&str, u32)]) -> Result<Vec<Vec<i64>>> {
        let partitions: Vec<(&str, u32)> = topics
            .iter()
            .flat_map(|&(topic, count)| (0..count).map(move |partition| (topic, partition)))
            .collect();
        let mut ends = self.ask_offsets(&partitions, Offset::End)?.into_iter();
        let of_one = |&(_, count): &(&str, u32)| ends.by_ref().take(count as usize).collect();
        Ok(topics.iter().map(of_one).collect())
    }

    fn offsets(&self, topic: &str, partitions: &[u32], which: Offset) -> Result<Vec<i64>> {
        let partitions: Vec<(&str, u32)> = partitions
            .iter()
            .map(|&partition| (topic, partition))
            .collect();
        match self.ask_offsets(&partitions, which) {
            // Asked with names that were there a moment ago.
            Err(Error::Kafka { source, .. }) if is_unknown(&source) => {
                self.expect(topic)?;
                Err(Error::kafka("ask for offsets of", topic, source))
            }
            answer => answer,
        }
    }

    fn ask_offsets(&self, partitions: &[(&str, u32)], which: Offset) -> Result<Vec<i64>> {
        let Some(&(first, _)) = partitions.first() else {
            return Ok(Vec::new());
        };
        let mut question = TopicPartitionList::with_capacity(partitions.len());
        for &(topic, partition) in partitions {
            question
                .add_partition_offset(topic, native(partition), which)
                .map_err(|error| Error::kafka("ask for offsets of", topic, error))?;
        }
        self.ask("ask for offsets of", first, |timeout| {
            let answer = self.asking.offsets_for_times(question.clone(), timeout)?;
            let offset = |&(topic, partition): &(&str, u32)| {
                let found = answer
                    .find_partition(topic, native(partition))
                    .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
                found.error()?;
                match found.offset() {
                    Offset::Offset(offset) => Ok(offset),
                    // An empty partition.
                    Offset::End => Ok(0),
                    _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
                }
            };
            partitions.iter().map(offset).collect::<KafkaResult<_>>()
        })
    }

    /// Asks until there is an answer, an error that asking again does not change, or the end of the budget.
    pub(super) fn ask<T>(
        &self,
        action: &'static str,
        what: &str,
        question: impl Fn(Duration) -> KafkaResult<T>,
    ) -> Result<T> {
        let started = Instant::now();
        let mut backoff = BACKOFF_MIN;
        loop {
            self.check_open()?;
            self.serve();
            let left = self.options.budget().saturating_sub(started.elapsed());
            let timeout = left.clamp(Duration::from_millis(100), QUESTION);
            let error = match question(timeout) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // A topic that was just made or widened is not known everywhere at once.
            let settling = is_unknown(&error) && started.elapsed() < Duration::from_secs(2);
            if !settling && !is_transient(&error) {
                return Err(Error::kafka(action, what, error));
            }
            self.give_up(started, action, what, &error)?;
            std::thread::sleep(backoff);
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Fails where an outage that began at `started` has used up the budget.
    pub(super) fn give_up(
        &self,
        started: Instant,
        action: &'static str,
        what: &str,
        error: &dyn std::fmt::Display,
    ) -> Result<()> {
        self.check_open()?;
        if started.elapsed() < self.options.budget() {
            return Ok(());
        }
        let detail = match self.context.last_error() {
            Some((_, reason)) => format!("{error}; {reason}"),
            None => error.to_string(),
        };
        Err(Error::KafkaUnreachable {
            action,
            what: what.to_owned(),
            bootstrap: self.options.bootstrap.clone(),
            waited: started.elapsed(),
            detail,
        })
    }

    /// Lets the client say what it has to say.
    fn serve(&self) {
        for _ in 0..100 {
            if self.asking.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    }
}

/// A partition as librdkafka counts them. Kafka's are 31 bits.
pub(super) fn native(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Whether the same may go well a little later.
pub(super) fn is_transient(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        kafka_code(error),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::MessageTimedOut
                | Code::Resolve
                | Code::WaitingForCoordinator
                | Code::InProgress
                | Code::Retry
                | Code::Outdated
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::BrokerNotAvailable
                | Code::ReplicaNotAvailable
                | Code::NetworkException
                | Code::NotController
                | Code::NotEnoughReplicas
                | Code::KafkaStorageError
                | Code::UnknownLeaderEpoch
                | Code::FencedLeaderEpoch
                | Code::OffsetNotAvailable
                | Code::UnknownTopicId
        )
    )
}

/// Whether a topic or partition is not known where it was asked for.
pub(super) fn is_unknown(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        kafka_code(error),
        Some(Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition)
    )
}
