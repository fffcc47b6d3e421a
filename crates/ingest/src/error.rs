//! What can go wrong with a producer as a whole. What is wrong with a single record is a [`Poison`](crate::Poison): that
//! record becomes a dead letter and the producer goes on.

use changelog::TopicId;
use registry::DatasetName;
use std::path::PathBuf;

/// The result of setting up or running a producer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a producer can't start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not usable.
    #[error("{}:{line}: {reason}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A file can't be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error("write {}: {source}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// An Avro schema is not usable.
    #[error("the Avro schema {source_name}: {reason}")]
    Schema {
        /// The file or subject.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two different schemas have one id; one of them has to change in some way that its fingerprint covers.
    #[error(
        "the Avro schemas {first} and {second} have the same id {id}; rename a field of one of them"
    )]
    SchemaIdTwice {
        /// The id.
        id: u32,
        /// One schema.
        first: String,
        /// The other.
        second: String,
    },
    /// The schema registry can't be asked, or says what it should not. It may be over at the next cycle.
    #[error("ask the schema registry {url} for {asked}: {reason}")]
    SchemaRegistry {
        /// The instance that was asked last.
        url: String,
        /// What it was asked.
        asked: String,
        /// What it said, or why it said nothing.
        reason: String,
    },
    /// The schema registry does not take a schema, by the compatibility rule of its subject.
    #[error("the schema registry does not take the schema as a version of {subject}: {reason}")]
    Incompatible {
        /// The subject.
        subject: String,
        /// The rule, as the registry tells it.
        reason: String,
    },
    /// Values that may be in the topic can't be read as the dataset's schema.
    #[error("{dataset}: values written with {version} can't be read as the dataset's schema: {}", .violations.join("; "))]
    Evolution {
        /// The dataset.
        dataset: DatasetName,
        /// The file, or the subject's version.
        version: String,
        /// Each field with the rule that it breaks.
        violations: Vec<String>,
    },
    /// A value does not fit the schema it is to be encoded with.
    #[error("the value does not fit {schema}: {reason}")]
    Encode {
        /// The schema's root record.
        schema: String,
        /// Where in the value, and what is wrong.
        reason: String,
    },
    /// A change record would become a dead letter.
    #[error("{dataset}: the record can't be emitted: {reason}")]
    Emission {
        /// The dataset.
        dataset: DatasetName,
        /// Why its producer would not fold it.
        reason: String,
    },
    /// Records that were to be emitted are not in the log, or may not be.
    #[error("{topic}: {failed} records could not be appended; the first because {reason}")]
    Undelivered {
        /// The topic.
        topic: String,
        /// How many the emitter has given up since it was opened.
        failed: u64,
        /// What the log said.
        reason: String,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] changelog::Error),
    /// A topic was deleted and made anew, so that the position means nothing in it.
    #[error(
        "topic {topic:?} was deleted and recreated: the newest state was folded from {expected}, and it is {found} now. \
         Bring the old topic back, or publish the dataset under a new name, which folds the new topic from its beginning"
    )]
    TopicRecreated {
        /// The topic.
        topic: String,
        /// The incarnation that the state was folded from.
        expected: TopicId,
        /// The one that is there.
        found: TopicId,
    },
    /// Partitions were added to a topic whose records carry no source versions.
    #[error(
        "topic {topic:?} had {known} partitions and has {now}: without source versions a key's records can't be ordered across \
         partitions. Go back to a topic of {known}, or let the source send source versions and say so in the configuration"
    )]
    PartitionsAdded {
        /// The topic.
        topic: String,
        /// How many the state was folded from.
        known: usize,
        /// How many there are.
        now: usize,
    },
    /// A state's position is not one.
    #[error(
        "{dataset}: the header tag {tag} of the newest state is {text:?}, which is no position"
    )]
    Position {
        /// The dataset.
        dataset: DatasetName,
        /// The tag.
        tag: &'static str,
        /// What it says.
        text: String,
    },
    /// Publishing failed.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// The write state failed.
    #[error("{dataset}: change the write state: {source}")]
    Write {
        /// The dataset.
        dataset: DatasetName,
        /// What it says.
        source: hollow::Error,
    },
    /// A source of a sweep can't be read as it should be. The sweep has no end marker then, and deletes nothing.
    #[error("{name}: {reason}")]
    Source {
        /// The source.
        name: String,
        /// Where in it, and what is wrong.
        reason: String,
    },
    /// A sweep can't begin or go on.
    #[error("sweep of {dataset}: {reason}")]
    Sweep {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        reason: String,
    },
    /// A producer was told to stop in the middle of a cycle, or a sweeper in the middle of a sweep.
    #[error("told to stop")]
    Stopped,
    /// A thread can't be started.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// Whether another producer has taken over: this one is to stop for good.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Dataset(error) if error.is_lost())
    }
}
