//! What can go wrong with a log, split by who can do something about it: [`Refusal`] is for the caller's program,
//! the rest is for the operator.

use crate::types::TopicId;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The result of a call on a log.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the log refuses a request. The same request will be refused again, whichever back end answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such topic.
    #[error("there is no topic {topic:?}; create it, or check the name")]
    UnknownTopic {
        /// The name asked for.
        topic: String,
    },
    /// The topic to create is there already.
    #[error("topic {topic:?} exists already")]
    TopicExists {
        /// Its name.
        topic: String,
    },
    /// The topic's name or partition count is not possible.
    #[error("topic {topic:?} can't be made so: {reason}")]
    InvalidTopic {
        /// The name asked for.
        topic: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// The topic was deleted and made anew, so offsets mean other records now.
    #[error(
        "topic {topic:?} was deleted and recreated: its id was {expected} and is {found}; offsets taken before mean nothing in it"
    )]
    TopicRecreated {
        /// Its name.
        topic: String,
        /// The incarnation that the caller knows.
        expected: TopicId,
        /// The incarnation that is there.
        found: TopicId,
    },
    /// The topic has fewer partitions.
    #[error("topic {topic:?} has the partitions 0 to {}, not {partition}", .partitions - 1)]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// How many it has.
        partitions: u32,
    },
    /// A compacted topic got a record that it could not compact.
    #[error(
        "topic {topic:?} is compacted, so each record needs a key; record {index} of the batch has none"
    )]
    KeyRequired {
        /// The topic.
        topic: String,
        /// The record's index in the batch, from 0.
        index: usize,
    },
    /// A record is larger than any reader must be ready for.
    #[error("record {index} for topic {topic:?} has {bytes} bytes; the limit is {limit}")]
    RecordTooLarge {
        /// The topic.
        topic: String,
        /// The record's index in the batch, from 0.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The greatest size allowed.
        limit: usize,
    },
    /// An offset outside of what the partition holds.
    #[error(
        "offset {offset} of {topic:?} partition {partition} is outside of what the log holds, {begin} to {end}"
    )]
    OffsetOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        offset: i64,
        /// The partition's begin offset.
        begin: i64,
        /// The partition's end offset.
        end: i64,
    },
}

/// Why a call on a log or its socket failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be met as it is; it must change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The embedded log's storage failed: a full disk, most often, or a directory in use or damaged.
    #[error("{action} the log in {}: {source}", dir.display())]
    Storage {
        /// What was being done: "open", "append to".
        action: &'static str,
        /// The log's directory.
        dir: PathBuf,
        /// What RocksDB says.
        source: rocksdb::Error,
    },
    /// Options for a Kafka cluster that can't work.
    #[error("the Kafka option {property}: {detail}")]
    KafkaOptions {
        /// The option or property.
        property: String,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// Kafka's brokers don't let us in.
    #[error(
        "the Kafka brokers at {bootstrap} refuse us: {reason}; check user, password and certificates (docs/kafka.md)"
    )]
    KafkaRefused {
        /// The brokers asked.
        bootstrap: String,
        /// What librdkafka says.
        reason: String,
    },
    /// No broker of Kafka's answered for the whole budget. Where it was an append, the records may be there or not.
    #[error(
        "{action} {what}: the Kafka brokers at {bootstrap} did not answer for {} s: {detail}; this goes on as soon as they do, when it is tried again",
        waited.as_secs()
    )]
    KafkaUnreachable {
        /// What was being done: "append to topic".
        action: &'static str,
        /// To what.
        what: String,
        /// The brokers that were asked first.
        bootstrap: String,
        /// How long it was tried.
        waited: Duration,
        /// What librdkafka says.
        detail: String,
    },
    /// Kafka said no, or librdkafka did.
    #[error("{action} {what}: {source}{}", hint(source))]
    Kafka {
        /// What was being done: "create topic".
        action: &'static str,
        /// With what.
        what: String,
        /// What librdkafka says.
        source: KafkaError,
    },
    /// A file or socket could not be used.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Bytes that should be ours are not.
    #[error("{what} is damaged: {detail}")]
    Corrupt {
        /// What was read.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Nobody answers on the socket.
    #[error("nobody serves {}: {source}; start the process that owns this directory, or remove the socket if it is gone", path.display())]
    NotServed {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process serves this socket.
    #[error("{} is served by another process already; use that one, or stop it first", path.display())]
    AlreadyServed {
        /// The socket.
        path: PathBuf,
    },
    /// A message is larger than the socket's frames may be.
    #[error(
        "a message of {bytes} bytes is too large for the socket, which takes {limit}; send less at once"
    )]
    FrameTooLarge {
        /// Its size.
        bytes: usize,
        /// The greatest size allowed.
        limit: usize,
    },
    /// The peer on the socket does not speak as expected.
    #[error("the peer on {} does not speak this program's protocol: {detail}; run the same version on both sides", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What was not understood.
        detail: String,
    },
    /// The process on the other side of the socket could not do it.
    #[error("the process that serves {} answered: {message}", path.display())]
    Remote {
        /// The socket.
        path: PathBuf,
        /// Its error, in words.
        message: String,
    },
    /// The log or server is being shut down.
    #[error("the log is closed")]
    Closed,
}

/// The code of an error, of answers to an admin client too (which rdkafka's own function leaves out).
pub(crate) fn kafka_code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// What to do about an answer of Kafka's, where that is not plain from its words.
fn hint(error: &KafkaError) -> &'static str {
    use RDKafkaErrorCode as Code;
    match kafka_code(error) {
        Some(
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => "; docs/kafka.md lists the rights that this user needs",
        Some(Code::PolicyViolation) => {
            "; a policy of the brokers forbids it: a compacted topic, for one, can't be truncated"
        }
        Some(Code::UnsupportedVersion) => "; brokers have to be of version 2.8 or newer",
        Some(Code::InvalidReplicationFactor) => {
            "; there are fewer brokers than copies were asked for (option replication)"
        }
        _ => "",
    }
}

impl Error {
    pub(crate) fn kafka(action: &'static str, what: &str, source: KafkaError) -> Self {
        Self::Kafka {
            action,
            what: what.to_owned(),
            source,
        }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
