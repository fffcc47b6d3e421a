//! An ordered, partitioned log of change records: Kafka or embedded.
//!
//! Everything that must outlive a process and is not a blob goes through this log: change records of upstream
//! systems, dead letters, commands of the registry. The traits say what Kafka does, in Kafka's words, so that a
//! back end can be swapped without a line changing above; [`conformance`] is the suite that each back end passes.
//!
//! * [`KafkaLog`] is the log on a Kafka cluster.
//! * [`EmbeddedLog`] keeps the log in a directory, on RocksDB.
//! * [`RemoteLog`] uses the embedded log of another process, over the Unix socket that its owner serves.
//! * [`socket`] is the request/response protocol of that socket; other services can be put on the same one.
//!
//! The crate does not know what a record means: keys and values are bytes here.

mod batch;
pub mod conformance;
mod embedded;
mod error;
mod kafka;
mod partitioner;
mod remote;
pub mod socket;
mod types;

pub use batch::{Batch, RecordRef};
pub use embedded::{EmbeddedLog, EmbeddedOptions};
pub use error::{Error, Refusal, Result};
pub use kafka::{KafkaLog, KafkaOptions, KafkaSasl, KafkaTls};
pub use partitioner::{murmur2, partition_for_key};
pub use remote::{LogService, RemoteLog};
pub use types::{
    Header, MAX_RECORD_BYTES, NewRecord, PollLimit, Position, Record, TopicEnd, TopicId, TopicInfo,
    TopicSpec,
};

use std::time::Duration;

/// An ordered, partitioned log with named topics, as Kafka offers it. Calls block; the value is shared by threads.
pub trait ChangeLog: Send + Sync {
    /// Creates a topic and returns what it became.
    ///
    /// # Errors
    /// [`Refusal::TopicExists`] and [`Refusal::InvalidTopic`], and those of storage.
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo>;

    /// The topic of that name, or `None` where there is none.
    fn topic(&self, name: &str) -> Result<Option<TopicInfo>>;

    /// All topics, sorted by name.
    fn topics(&self) -> Result<Vec<TopicInfo>>;

    /// Deletes a topic with its records. A later topic of the same name has another [`TopicId`].
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`].
    fn delete_topic(&self, name: &str) -> Result<()>;

    /// Raises the number of partitions to `partitions`. Records stay where they are, so that keys written from now
    /// on may go to another partition than before.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`]; [`Refusal::InvalidTopic`] where the number would not grow.
    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo>;

    /// The first offset of each partition that can be asked for, by partition. Compaction doesn't move it,
    /// [`truncate`](Self::truncate) does.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`].
    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>>;

    /// The offset after the last record of each partition, by partition. It never falls, also when compaction
    /// removes the last record.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`].
    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>>;

    /// As [`end_offsets`](Self::end_offsets), of one partition.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`], [`Refusal::UnknownPartition`].
    fn end_offset(&self, topic: &str, partition: u32) -> Result<i64> {
        let ends = self.end_offsets(topic)?;
        let end = usize::try_from(partition).ok().and_then(|at| ends.get(at));
        let unknown = || Refusal::UnknownPartition {
            topic: topic.to_owned(),
            partition,
            partitions: u32::try_from(ends.len()).unwrap_or(u32::MAX),
        };
        Ok(*end.ok_or_else(unknown)?)
    }

    /// Where topics end that the caller knows: at least the partitions that it knows of each. Which topic that is is asked
    /// last, so that the end of one that was recreated meanwhile is told with the new id.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`].
    fn ends(&self, known: &[&TopicInfo]) -> Result<Vec<TopicEnd>> {
        let end = |known: &&TopicInfo| {
            let offsets = self.end_offsets(&known.name)?;
            let now = self.topic(&known.name)?;
            let now = now.ok_or_else(|| Refusal::UnknownTopic {
                topic: known.name.clone(),
            })?;
            Ok(TopicEnd {
                id: now.id,
                partitions: now.partitions,
                offsets,
            })
        };
        known.iter().map(end).collect()
    }

    /// Appends records and returns the (partition, offset) of each, in the order given; they are durable by then.
    ///
    /// Records of one partition get growing offsets in the order given. A record without a partition goes where
    /// [`partition_for_key`] says, one without a key too to any partition. After an error records may have been
    /// appended or not (a lost answer can't be told from a lost request): callers that need exactly one must be
    /// able to tell a repetition, as source versions do. The embedded log appends all of a call or nothing.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`], [`Refusal::UnknownPartition`], [`Refusal::KeyRequired`] for a record without key
    /// on a compacted topic, [`Refusal::RecordTooLarge`], and those of storage.
    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>>;

    /// Reads the partitions named in `start`, each from its offset on. A consumer belongs to the topic's present
    /// incarnation: when the topic is deleted or recreated, its polls fail.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`], [`Refusal::UnknownPartition`], [`Refusal::OffsetOutOfRange`] where an offset is
    /// below the begin or above the end of its partition.
    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>>;

    /// Removes the records below the given offsets and moves the begin offsets there (Kafka: `DeleteRecords`).
    /// An offset below the present begin changes nothing.
    ///
    /// # Errors
    /// [`Refusal::UnknownTopic`], [`Refusal::UnknownPartition`], [`Refusal::OffsetOutOfRange`] above the end.
    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()>;
}

/// A reader of some partitions of a topic. Positions are the caller's to keep: the log remembers nothing about it.
pub trait Consumer: Send {
    /// Replaces the content of `batch` by the next records and returns their number.
    ///
    /// Records of one partition come in the order of their offsets; partitions take turns. Where nothing is there,
    /// the call waits until something is or `timeout` has passed, and then returns 0. At least one record is
    /// returned when there is one, however large.
    ///
    /// # Errors
    /// [`Refusal::TopicRecreated`] or [`Refusal::UnknownTopic`] when the topic is no longer the one that was opened;
    /// [`Refusal::OffsetOutOfRange`] when records not yet read were truncated (a back end may first hand out what it had
    /// fetched before); [`Error::Corrupt`] for bytes on disk or wire that are not ours. Nothing is lost by an error: the
    /// next poll begins where this one did.
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize>;

    /// Where the reader stands: all that is below was delivered or does not exist (any more). It passes over gaps:
    /// a poll that returns nothing has moved it to the end offset, also where compaction removed the last record.
    fn positions(&self) -> &[Position];

    /// The topic as it was when the consumer was opened.
    fn topic(&self) -> &TopicInfo;
}
