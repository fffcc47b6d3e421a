//! The log of another process: [`LogService`] puts a log on a socket, [`RemoteLog`] uses it from elsewhere.

mod protocol;

use crate::batch::{decode, encode};
use crate::embedded::first_of_next_poll;
use crate::error::{Error, Refusal, Result};
use crate::socket::{Call, Client, Handler, from_bytes, to_bytes};
use crate::types::{NewRecord, PollLimit, Position, TopicInfo, TopicSpec};
use crate::{Batch, ChangeLog, Consumer};
use protocol::{Answer, Append, Fetch, Fetched, Question};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// About how many bytes of records go into one request; larger appends are split.
const APPEND_BYTES: usize = 16 << 20;
/// How long the owner lets a fetch wait before it answers with nothing and the client asks again.
const FETCH_WAIT: Duration = Duration::from_secs(5);
/// How often a waiting fetch looks whether the server stops.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Serves a log to other processes; see [`socket::Server`](crate::socket::Server).
pub struct LogService {
    log: Arc<dyn ChangeLog>,
}

impl LogService {
    /// The name under which the service is registered with the server.
    pub const NAME: &'static str = "log";

    /// A service over `log`.
    #[must_use]
    pub fn new(log: Arc<dyn ChangeLog>) -> Self {
        Self { log }
    }

    fn answer(&self, call: &Call<'_>, question: Question) -> Result<Answer> {
        let log = &self.log;
        Ok(match question {
            Question::CreateTopic(spec) => Answer::Topic(Some(log.create_topic(&spec)?)),
            Question::Topic(name) => Answer::Topic(log.topic(&name)?),
            Question::Topics => Answer::Topics(log.topics()?),
            Question::DeleteTopic(name) => log.delete_topic(&name).map(|()| Answer::Done)?,
            Question::AddPartitions(name, partitions) => {
                Answer::Topic(Some(log.add_partitions(&name, partitions)?))
            }
            Question::BeginOffsets(topic) => Answer::Offsets(log.begin_offsets(&topic)?),
            Question::EndOffsets(topic) => Answer::Offsets(log.end_offsets(&topic)?),
            Question::Truncate(topic, before) => {
                log.truncate(&topic, &before).map(|()| Answer::Done)?
            }
            Question::Open(topic, start) => {
                Answer::Topic(Some(log.consumer(&topic, &start)?.topic().clone()))
            }
            Question::Append(append) => {
                Answer::Positions(log.append(&append.topic, &unpack(&append)?)?)
            }
            Question::Fetch(fetch) => Answer::Fetched(self.fetch(call, &fetch)?),
        })
    }

    fn fetch(&self, call: &Call<'_>, fetch: &Fetch) -> Result<Fetched> {
        let found = self.log.topic(&fetch.topic)?.map(|info| info.id);
        if let Some(found) = found.filter(|id| *id != fetch.id) {
            return Err(Refusal::TopicRecreated {
                topic: fetch.topic.clone(),
                expected: fetch.id,
                found,
            }
            .into());
        }
        let mut consumer = self.log.consumer(&fetch.topic, &fetch.positions)?;
        let mut batch = Batch::new();
        let started = Instant::now();
        let timeout = Duration::from_millis(fetch.timeout_ms).min(FETCH_WAIT);
        while !call.stopping() {
            let left = timeout.saturating_sub(started.elapsed());
            if consumer.poll(&mut batch, fetch.limit, left.min(STOP_CHECK))? > 0 || left.is_zero() {
                break;
            }
        }
        let (rows, bytes) = batch.parts();
        Ok(Fetched {
            rows,
            bytes: bytes.to_vec(),
            positions: consumer.positions().to_vec(),
        })
    }
}

impl Handler for LogService {
    fn handle(&self, call: &Call<'_>, body: &[u8]) -> std::result::Result<Vec<u8>, String> {
        match self.answer(call, from_bytes(body)?) {
            Ok(answer) => to_bytes(&answer),
            Err(Error::Refused(refusal)) => to_bytes(&Answer::Refused(refusal)),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn unpack(append: &Append) -> Result<Vec<NewRecord>> {
    let corrupt = |detail: &str| Error::Corrupt {
        what: "an append request".to_owned(),
        detail: detail.to_owned(),
    };
    let mut rest = &append.bytes[..];
    let mut records = Vec::with_capacity(append.rows.len());
    for &(partition, len) in &append.rows {
        let (encoded, after) = rest
            .split_at_checked(len as usize)
            .ok_or_else(|| corrupt("it is cut off"))?;
        records.push(NewRecord {
            partition,
            ..decode(encoded).map_err(corrupt)?
        });
        rest = after;
    }
    Ok(records)
}

/// The log that another process serves on a socket. Behaves as the log there does, errors included.
pub struct RemoteLog {
    client: Arc<Client>,
}

impl RemoteLog {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`Error::NotServed`] where nobody answers.
    pub fn connect(path: &Path) -> Result<Self> {
        Ok(Self::new(Arc::new(Client::connect(path)?)))
    }

    /// Uses a client that others may use as well.
    #[must_use]
    pub fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    fn append_some(
        &self,
        topic: &str,
        rows: Vec<(Option<u32>, u32)>,
        bytes: Vec<u8>,
    ) -> Result<Vec<Position>> {
        let append = Append {
            topic: topic.to_owned(),
            rows,
            bytes,
        };
        ask(&self.client, &Question::Append(append))?.positions(&self.client)
    }
}

fn ask(client: &Client, question: &Question) -> Result<Answer> {
    match client.call(LogService::NAME, question)? {
        Answer::Refused(refusal) => Err(refusal.into()),
        answer => Ok(answer),
    }
}

impl ChangeLog for RemoteLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        ask(&self.client, &Question::CreateTopic(spec.clone()))?.topic(&self.client)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        ask(&self.client, &Question::Topic(name.to_owned()))?.maybe_topic(&self.client)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        ask(&self.client, &Question::Topics)?.topics(&self.client)
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        ask(&self.client, &Question::DeleteTopic(name.to_owned()))?.done(&self.client)
    }

    fn add_partitions(&self, name: &str, partitions: u32) -> Result<TopicInfo> {
        ask(
            &self.client,
            &Question::AddPartitions(name.to_owned(), partitions),
        )?
        .topic(&self.client)
    }

    fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        ask(&self.client, &Question::BeginOffsets(topic.to_owned()))?.offsets(&self.client)
    }

    fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        ask(&self.client, &Question::EndOffsets(topic.to_owned()))?.offsets(&self.client)
    }

    fn append(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>> {
        let mut written = Vec::with_capacity(records.len());
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        for (index, record) in records.iter().enumerate() {
            crate::batch::check_size(topic, index, record)?;
            let start = bytes.len();
            encode(record, &mut bytes)?;
            rows.push((
                record.partition,
                u32::try_from(bytes.len() - start).unwrap_or(u32::MAX),
            ));
            if bytes.len() >= APPEND_BYTES {
                written.extend(self.append_some(
                    topic,
                    std::mem::take(&mut rows),
                    std::mem::take(&mut bytes),
                )?);
            }
        }
        if !rows.is_empty() || records.is_empty() {
            written.extend(self.append_some(topic, rows, bytes)?);
        }
        Ok(written)
    }

    fn consumer(&self, topic: &str, start: &[Position]) -> Result<Box<dyn Consumer>> {
        let info = ask(
            &self.client,
            &Question::Open(topic.to_owned(), start.to_vec()),
        )?
        .topic(&self.client)?;
        let client = Arc::clone(&self.client);
        Ok(Box::new(RemoteConsumer {
            client,
            info,
            positions: start.to_vec(),
            first: 0,
        }))
    }

    fn truncate(&self, topic: &str, before: &[Position]) -> Result<()> {
        ask(
            &self.client,
            &Question::Truncate(topic.to_owned(), before.to_vec()),
        )?
        .done(&self.client)
    }
}

/// Keeps its place itself, so that the owner holds nothing for readers that come and go.
struct RemoteConsumer {
    client: Arc<Client>,
    info: TopicInfo,
    positions: Vec<Position>,
    first: usize,
}

impl Consumer for RemoteConsumer {
    fn poll(&mut self, batch: &mut Batch, limit: PollLimit, timeout: Duration) -> Result<usize> {
        batch.clear();
        let started = Instant::now();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let mut positions = self.positions.clone();
            positions.rotate_left(self.first);
            let fetch = Fetch {
                topic: self.info.name.clone(),
                id: self.info.id,
                positions,
                limit,
                timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            };
            let mut fetched = ask(&self.client, &Question::Fetch(fetch))?.fetched(&self.client)?;
            let count = self.positions.len();
            if fetched.positions.len() != count {
                return Err(protocol::unexpected(&self.client));
            }
            fetched.unpack(batch)?;
            fetched.positions.rotate_right(self.first);
            self.positions = fetched.positions;
            self.first = first_of_next_poll(batch, limit, &self.positions);
            if !batch.is_empty() || left.is_zero() {
                return Ok(batch.len());
            }
        }
    }

    fn positions(&self) -> &[Position] {
        &self.positions
    }

    fn topic(&self) -> &TopicInfo {
        &self.info
    }
}
