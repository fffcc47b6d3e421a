//! What an upstream sends: changes that come late or twice, deletes, records that can't be folded, and from some moment on
//! records of a newer schema.

use changelog::{NewRecord, Position};
use ingest::{Channel, Origin, write_wire_header};
use serde_json::{Value, json};

use crate::{Model, Random, World};

/// A source, and the model of what it sent.
pub struct Upstream {
    random: Random,
    pub model: Model,
    clock: i64,
    sent: Vec<Sent>,
}

#[derive(Clone)]
struct Sent {
    record: NewRecord,
    /// `None` where it can't be folded.
    row: Option<(i64, i64, Option<Value>)>,
}

const KEYS: u64 = 40;

impl Upstream {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            model: Model::default(),
            clock: 1000,
            sent: Vec::new(),
        }
    }

    /// Sends records one by one, of the writer schema of that index or an older one.
    pub fn send(&mut self, world: &World, count: u64, writers: u64) {
        for _ in 0..count {
            let sent = self.next(world, writers);
            self.send_one(world, &sent);
        }
    }

    fn next(&mut self, world: &World, writers: u64) -> Sent {
        let random = &mut self.random;
        if !self.sent.is_empty() && random.one_in(8) {
            // The client retried.
            return self.sent[random.below(self.sent.len() as u64) as usize].clone();
        }
        let id = random.below(KEYS) as i64;
        self.clock += 1;
        let late = random.below(10) as i64;
        let version = self.clock - late * late;
        if random.one_in(6) {
            let record = delete(id, version);
            let row = Some((id, version, None));
            return Sent { record, row };
        }
        let (value, writer) = (row(id, random.below(50)), random.below(writers) as usize);
        let mut record = item(world, writer, &value, version);
        let poison = match random.below(50) {
            0 => Poison::Key,
            1 => Poison::NoVersion,
            2 => Poison::NoAvro,
            3 => Poison::Short,
            _ => {
                let row = Some((id, version, Some(value)));
                return Sent { record, row };
            }
        };
        poison.spoil(&mut record);
        Sent { record, row: None }
    }

    /// Sends a row, or what spoils it.
    pub fn send_row(
        &mut self,
        world: &World,
        id: i64,
        version: i64,
        value: Option<Value>,
        poison: Option<Poison>,
    ) {
        let mut record = match &value {
            Some(value) => item(world, 0, value, version),
            None => delete(id, version),
        };
        let mut row = Some((id, version, value));
        if let Some(poison) = poison {
            poison.spoil(&mut record);
            row = None;
        }
        self.send_one(world, &Sent { record, row });
    }

    fn send_one(&mut self, world: &World, sent: &Sent) {
        let topic = world.spec.topic_of(Channel::Changes);
        let at = world
            .log
            .append(&topic, std::slice::from_ref(&sent.record))
            .unwrap();
        let Position { partition, offset } = at[0];
        match &sent.row {
            Some((id, version, value)) => {
                let origin = Origin {
                    source_version: Some(*version),
                    deleted: value.is_none(),
                    channel: Channel::Changes,
                    partition,
                    offset,
                    swept: None,
                };
                self.model.fold(*id, origin, value.clone());
            }
            None => {
                self.model.poison.insert((topic, partition, offset));
            }
        }
        self.sent.push(sent.clone());
    }
}

/// In what way a record can't be folded.
#[derive(Clone, Copy, Debug)]
pub enum Poison {
    Key,
    NoVersion,
    NoAvro,
    Short,
}

impl Poison {
    pub const ALL: [Self; 4] = [Self::Key, Self::NoVersion, Self::NoAvro, Self::Short];

    fn spoil(self, record: &mut NewRecord) {
        match self {
            Self::Key => record.key = Some(b"[\"one\"]".to_vec()),
            Self::NoVersion => record.headers.clear(),
            Self::NoAvro => record.value = Some(b"nonsense".to_vec()),
            Self::Short => record.value.as_mut().unwrap().truncate(6),
        }
    }
}

/// The row of a key whose content is told by a number.
pub fn row(id: i64, content: u64) -> Value {
    let name = (!content.is_multiple_of(5)).then(|| format!("name {content}"));
    json!({"id": id, "name": name, "size": content})
}

pub fn key(id: i64) -> String {
    format!("[{id}]")
}

/// A record of a row, by the writer schema of that index.
pub fn item(world: &World, writer: usize, row: &Value, version: i64) -> NewRecord {
    let schema = &world.writers[writer];
    let mut row = row.clone();
    if writer == 1 {
        row["note"] = json!("for nobody");
    }
    let id = row["id"].as_i64().unwrap();
    let mut bytes = Vec::new();
    write_wire_header(schema.id(), &mut bytes);
    schema.encode_json(&row, &mut bytes).unwrap();
    NewRecord::new(version, key(id), bytes).with_header("gl-source-version", version.to_string())
}

pub fn delete(id: i64, version: i64) -> NewRecord {
    NewRecord::tombstone(version, key(id)).with_header("gl-source-version", version.to_string())
}
