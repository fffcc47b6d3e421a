//! A seeded random history against a model: whatever happens in between, a reader sees a log from which nothing is
//! missing but what truncation and compaction may take.

use super::{Backend, Random, read_all};
use crate::{NewRecord, Position, Record, TopicSpec, partition_for_key};
use std::collections::HashMap;

const STEPS: usize = 200;

struct Model {
    name: &'static str,
    compacted: bool,
    begin: Vec<i64>,
    records: Vec<Vec<Record>>,
}

pub(super) fn random(backend: &mut dyn Backend) {
    let seed = std::env::var("GREENLIGHT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("GREENLIGHT_SEED={seed}");
    let mut random = Random(seed);
    let mut models =
        [("history-compacted", true), ("history-whole", false)].map(|(name, compacted)| {
            let spec = TopicSpec {
                compacted,
                ..TopicSpec::new(name, 2)
            };
            backend.log().create_topic(&spec).unwrap();
            Model {
                name,
                compacted,
                begin: vec![0; 2],
                records: vec![Vec::new(); 2],
            }
        });
    for step in 0..STEPS {
        let model = &mut models[usize::from(random.below(3) == 0)];
        match random.below(20) {
            0 => backend.restart(),
            1 if model.compacted => backend.compact(model.name),
            2 if !model.compacted => model.truncate(backend, &mut random),
            3 if model.begin.len() < 5 => {
                let partitions = model.begin.len() + 1;
                backend
                    .log()
                    .add_partitions(model.name, u32::try_from(partitions).unwrap())
                    .unwrap();
                model.begin.push(0);
                model.records.push(Vec::new());
            }
            4..8 => model.check(backend),
            _ => model.append(backend, &mut random, step),
        }
    }
    models.iter().for_each(|model| model.check(backend));
}

impl Model {
    fn append(&mut self, backend: &dyn Backend, random: &mut Random, step: usize) {
        let partitions = u32::try_from(self.begin.len()).unwrap();
        let records: Vec<_> = (0..random.below(8))
            .map(|i| NewRecord {
                partition: (random.below(4) == 0)
                    .then(|| u32::try_from(random.below(u64::from(partitions))).unwrap()),
                timestamp_ms: i64::try_from(random.below(1 << 40)).unwrap(),
                key: Some(format!("k{}", random.below(12)).into_bytes()),
                value: (random.below(5) != 0).then(|| format!("{step}.{i}").into_bytes()),
                headers: (0..random.below(3))
                    .map(|h| (format!("h{h}"), vec![0; usize::from(h == 0)]))
                    .collect(),
            })
            .collect();
        let at = backend.log().append(self.name, &records).unwrap();
        assert_eq!(at.len(), records.len());
        for (
            NewRecord {
                partition,
                timestamp_ms,
                key,
                value,
                headers,
            },
            at,
        ) in records.into_iter().zip(at)
        {
            let expected =
                partition.unwrap_or_else(|| partition_for_key(key.as_deref().unwrap(), partitions));
            assert_eq!(at.partition, expected);
            let records = &mut self.records[at.partition as usize];
            assert!(records.last().is_none_or(|last| last.offset < at.offset));
            let Position { partition, offset } = at;
            records.push(Record {
                partition,
                offset,
                timestamp_ms,
                key,
                value,
                headers,
            });
        }
    }

    fn truncate(&mut self, backend: &dyn Backend, random: &mut Random) {
        let partition = usize::try_from(random.below(self.begin.len() as u64)).unwrap();
        let end = backend.log().end_offsets(self.name).unwrap()[partition];
        let span = u64::try_from(end - self.begin[partition] + 1).unwrap();
        let before = self.begin[partition] + i64::try_from(random.below(span) / 2).unwrap();
        let position = Position::new(u32::try_from(partition).unwrap(), before);
        backend.log().truncate(self.name, &[position]).unwrap();
        self.begin[partition] = before;
        self.records[partition].retain(|record| record.offset >= before);
    }

    fn check(&self, backend: &dyn Backend) {
        assert_eq!(
            backend.log().begin_offsets(self.name).unwrap(),
            self.begin,
            "{}",
            self.name
        );
        let mut got = vec![Vec::new(); self.begin.len()];
        for record in read_all(backend.log(), self.name) {
            got[record.partition as usize].push(record);
        }
        for (got, written) in got.iter().zip(&self.records) {
            if !self.compacted {
                assert_eq!(got, written, "{}", self.name);
                continue;
            }
            assert!(got.is_sorted_by(|a, b| a.offset < b.offset));
            let by_offset: HashMap<_, _> = written
                .iter()
                .map(|record| (record.offset, record))
                .collect();
            assert!(
                got.iter()
                    .all(|record| by_offset.get(&record.offset) == Some(&record)),
                "{}",
                self.name
            );
            let last: HashMap<_, _> = written.iter().map(|record| (&record.key, record)).collect();
            for record in last.values() {
                assert!(
                    got.contains(record),
                    "{}: the last record of a key is missing: {record:?}",
                    self.name
                );
            }
        }
    }
}
