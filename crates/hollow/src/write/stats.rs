//! What the blobs of a cycle need to know about all live records, kept by change.
//!
//! Widths and totals of a blob run over the *live* records: those of the previous state and those of the current one
//! (format 4.1). Scanning them would cost by dataset in each cycle, so counters are kept instead: for a width, how many
//! live records need each bit length; for a total, the sum, per shard where the format wants the largest shard. Adding
//! a cycle's records before the blobs are planned and taking the removed ones off after its commit keeps them exact.

use crate::Ordinal;
use crate::codec::bits::bits;
use crate::codec::hash::bucket_count;
use crate::record::{Entries, Fields, Stored};
use crate::schema::{FieldType, Schema};

/// How many live records need each bit length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BitCounts([u32; 65]);

impl BitCounts {
    fn new() -> Self {
        Self([0; 65])
    }

    fn count(&mut self, value: u64, change: Change) {
        let slot = &mut self.0[bits(value) as usize];
        *slot = change.count(*slot);
    }

    /// The largest bit length among live records, 0 if there are none.
    pub(crate) fn max(&self) -> u32 {
        self.0.iter().rposition(|&count| count > 0).unwrap_or(0) as u32
    }
}

/// Sums over live records by shard, at a resolution that is finer than the shard count, so that the sums of a count
/// that is halved or doubled come from folding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardTotals(Vec<u64>);

/// Shard counts up to this one are served without ever going over the records again; four times the count of 64
/// shards of 16 MiB each.
const TOTALS_RESOLUTION: usize = 256;

impl ShardTotals {
    fn new() -> Self {
        Self(vec![0; TOTALS_RESOLUTION])
    }

    fn count(&mut self, ordinal: Ordinal, value: u64, change: Change) {
        let mask = self.0.len() - 1;
        let slot = &mut self.0[ordinal as usize & mask];
        *slot = change.sum(*slot, value);
    }

    pub(crate) fn resolution(&self) -> usize {
        self.0.len()
    }

    /// The sum over all shards.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The sums of each of `num_shards` shards, a power of two up to the resolution.
    pub(crate) fn of_shards(&self, num_shards: u32) -> Vec<u64> {
        let mut sums = vec![0; num_shards as usize];
        for (at, total) in self.0.iter().enumerate() {
            sums[at & (num_shards as usize - 1)] += total;
        }
        sums
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

impl Change {
    fn count(self, count: u32) -> u32 {
        match self {
            Self::Add => count + 1,
            Self::Remove => count - 1,
        }
    }

    fn sum(self, sum: u64, value: u64) -> u64 {
        match self {
            Self::Add => sum + value,
            Self::Remove => sum - value,
        }
    }
}

/// Counters of one OBJECT field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldStats {
    /// INT, LONG, REFERENCE: bit lengths of the stored value plus one, 1 for null.
    Bits(Box<BitCounts>),
    /// BOOLEAN, FLOAT, DOUBLE: a width that is given, while there are records.
    Fixed(u32),
    /// STRING, BYTES: total bytes.
    Bytes(u64),
}

/// Counters over the live records of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeStats {
    /// Number of live records.
    pub(crate) count: u64,
    pub(crate) kind: KindStats,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KindStats {
    Object {
        types: Vec<FieldType>,
        fields: Vec<FieldStats>,
    },
    List {
        elements: Box<BitCounts>,
        lengths: ShardTotals,
    },
    Set {
        sizes: Box<BitCounts>,
        elements: Box<BitCounts>,
        buckets: ShardTotals,
    },
    Map {
        sizes: Box<BitCounts>,
        keys: Box<BitCounts>,
        values: Box<BitCounts>,
        buckets: ShardTotals,
    },
}

impl TypeStats {
    pub(crate) fn new(schema: &Schema) -> Self {
        let counts = || Box::new(BitCounts::new());
        let kind = match schema {
            Schema::Object(object) => {
                let types: Vec<FieldType> =
                    object.fields.iter().map(|field| field.field_type).collect();
                let fields = types
                    .iter()
                    .map(|field_type| match field_type {
                        FieldType::Int | FieldType::Long | FieldType::Reference => {
                            FieldStats::Bits(counts())
                        }
                        FieldType::Boolean => FieldStats::Fixed(2),
                        FieldType::Float => FieldStats::Fixed(32),
                        FieldType::Double => FieldStats::Fixed(64),
                        FieldType::String | FieldType::Bytes => FieldStats::Bytes(0),
                    })
                    .collect();
                KindStats::Object { types, fields }
            }
            Schema::List(_) => KindStats::List {
                elements: counts(),
                lengths: ShardTotals::new(),
            },
            Schema::Set(_) => KindStats::Set {
                sizes: counts(),
                elements: counts(),
                buckets: ShardTotals::new(),
            },
            Schema::Map(_) => KindStats::Map {
                sizes: counts(),
                keys: counts(),
                values: counts(),
                buckets: ShardTotals::new(),
            },
        };
        Self { count: 0, kind }
    }

    /// Takes a record in that became live.
    pub(crate) fn add(&mut self, ordinal: Ordinal, record: &[u8]) {
        self.count += 1;
        self.change(ordinal, record, Change::Add);
    }

    /// Takes a record off that is live no more.
    pub(crate) fn remove(&mut self, ordinal: Ordinal, record: &[u8]) {
        self.count -= 1;
        self.change(ordinal, record, Change::Remove);
    }

    fn change(&mut self, ordinal: Ordinal, record: &[u8], change: Change) {
        match &mut self.kind {
            KindStats::Object { types, fields } => {
                for (stats, value) in fields.iter_mut().zip(Fields::new(types, record)) {
                    match (stats, value) {
                        (FieldStats::Bits(counts), Stored::Fixed(stored)) => {
                            counts.count(stored + 1, change)
                        }
                        (FieldStats::Bits(counts), _) => counts.count(1, change),
                        (FieldStats::Bytes(total), Stored::Variable(bytes)) => {
                            *total = change.sum(*total, bytes.len() as u64);
                        }
                        _ => {}
                    }
                }
            }
            KindStats::List { elements, lengths } => {
                let entries = Entries::list(record);
                lengths.count(ordinal, u64::from(entries.size()), change);
                elements.count(largest(entries.map(|(element, _)| element)), change);
            }
            KindStats::Set {
                sizes,
                elements,
                buckets,
            } => {
                let entries = Entries::set(record);
                let size = entries.size();
                sizes.count(u64::from(size), change);
                buckets.count(ordinal, buckets_of(size), change);
                elements.count(largest(entries.map(|(element, _)| element)) + 1, change);
            }
            KindStats::Map {
                sizes,
                keys,
                values,
                buckets,
            } => {
                let entries = Entries::map(record);
                let size = entries.size();
                sizes.count(u64::from(size), change);
                buckets.count(ordinal, buckets_of(size), change);
                let (mut key_max, mut value_max) = (0, 0);
                for (key, value) in entries {
                    key_max = key_max.max(key);
                    value_max = value_max.max(value);
                }
                keys.count(u64::from(key_max) + 1, change);
                values.count(u64::from(value_max), change);
            }
        }
    }

    /// The sums by shard of a collection type.
    pub(crate) fn totals(&self) -> Option<&ShardTotals> {
        match &self.kind {
            KindStats::Object { .. } => None,
            KindStats::List { lengths, .. } => Some(lengths),
            KindStats::Set { buckets, .. } | KindStats::Map { buckets, .. } => Some(buckets),
        }
    }

    /// Replaces the sums by shard with ones of a finer resolution, counted anew from (ordinal, record) of all live
    /// records. Needed only when a type grows to more shards than the sums can tell apart.
    pub(crate) fn refine_totals(
        &mut self,
        resolution: usize,
        live: impl FnOnce(&mut dyn FnMut(Ordinal, &[u8])),
    ) {
        let mut fresh = ShardTotals(vec![0; resolution]);
        let is_list = matches!(self.kind, KindStats::List { .. });
        live(&mut |ordinal, record| {
            let size = Entries::list(record).size();
            fresh.count(
                ordinal,
                if is_list {
                    u64::from(size)
                } else {
                    buckets_of(size)
                },
                Change::Add,
            );
        });
        match &mut self.kind {
            KindStats::Object { .. } => {}
            KindStats::List {
                lengths: totals, ..
            }
            | KindStats::Set {
                buckets: totals, ..
            }
            | KindStats::Map {
                buckets: totals, ..
            } => *totals = fresh,
        }
    }
}

fn largest(ordinals: impl Iterator<Item = Ordinal>) -> u64 {
    u64::from(ordinals.max().unwrap_or(0))
}

/// Buckets of a SET or MAP; records beyond the format's limit do not pass validation.
fn buckets_of(size: u32) -> u64 {
    bucket_count(size).map_or(0, u64::from)
}
