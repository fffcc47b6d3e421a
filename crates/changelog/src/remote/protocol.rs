//! The messages of the log's service. Records travel in the encoding of `batch.rs`, one after the other.

use crate::Batch;
use crate::error::{Error, Refusal, Result};
use crate::socket::Client;
use crate::types::{PollLimit, Position, TopicId, TopicInfo, TopicSpec};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    CreateTopic(TopicSpec),
    Topic(String),
    Topics,
    DeleteTopic(String),
    AddPartitions(String, u32),
    BeginOffsets(String),
    EndOffsets(String),
    Truncate(String, Vec<Position>),
    Open(String, Vec<Position>),
    Append(Append),
    Fetch(Fetch),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Append {
    pub(super) topic: String,
    /// Partition, if addressed, and length of each record in `bytes`.
    pub(super) rows: Vec<(Option<u32>, u32)>,
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fetch {
    pub(super) topic: String,
    pub(super) id: TopicId,
    pub(super) positions: Vec<Position>,
    pub(super) limit: PollLimit,
    pub(super) timeout_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fetched {
    /// Partition, offset and length of each record in `bytes`.
    pub(super) rows: Vec<(u32, i64, u32)>,
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
    pub(super) positions: Vec<Position>,
}

impl Fetched {
    pub(super) fn unpack(&self, batch: &mut Batch) -> Result<()> {
        let mut rest = &self.bytes[..];
        for &(partition, offset, len) in &self.rows {
            let (encoded, after) =
                rest.split_at_checked(len as usize)
                    .ok_or_else(|| Error::Corrupt {
                        what: "an answer of the log's owner".to_owned(),
                        detail: "it is cut off".to_owned(),
                    })?;
            batch.push_encoded(partition, offset, encoded)?;
            rest = after;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Refused(Refusal),
    Done,
    Topic(Option<TopicInfo>),
    Topics(Vec<TopicInfo>),
    Offsets(Vec<i64>),
    Positions(Vec<Position>),
    Fetched(Fetched),
}

pub(super) fn unexpected(client: &Client) -> Error {
    Error::Protocol {
        path: client.path().to_owned(),
        detail: "the answer is of another kind".to_owned(),
    }
}

macro_rules! expect_answer {
    ($($method:ident, $pattern:pat => $value:expr, $type:ty;)*) => {
        impl Answer {$(
            pub(super) fn $method(self, client: &Client) -> Result<$type> {
                match self {
                    $pattern => Ok($value),
                    _ => Err(unexpected(client)),
                }
            }
        )*}
    };
}

expect_answer! {
    done, Self::Done => (), ();
    topic, Self::Topic(Some(topic)) => topic, TopicInfo;
    maybe_topic, Self::Topic(topic) => topic, Option<TopicInfo>;
    topics, Self::Topics(topics) => topics, Vec<TopicInfo>;
    offsets, Self::Offsets(offsets) => offsets, Vec<i64>;
    positions, Self::Positions(positions) => positions, Vec<Position>;
    fetched, Self::Fetched(fetched) => fetched, Fetched;
}
