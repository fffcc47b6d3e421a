//! From the counters of a type to the numbers that its blobs are written with: bit widths, shard count, totals.

use super::stats::{FieldStats, KindStats, ShardTotals, TypeStats};
use crate::codec::bits::bits;

/// How the records of a type are written in all blobs of one cycle. Widths run over live records (format 4.1), so the
/// snapshot, the delta and the reverse delta share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeLayout {
    /// The largest ordinal of a live record, -1 if there is none.
    pub(crate) max_ordinal: i32,
    pub(crate) widths: Widths,
    /// Shards of the snapshot and the delta.
    pub(crate) shards: Shards,
    /// Shards of the reverse delta: those of the state before (format 9.6).
    pub(crate) reverse_shards: Shards,
}

/// Bit widths that do not depend on the shard count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Widths {
    Object { fields: Vec<u32> },
    List { element: u32 },
    Set { size: u32, element: u32 },
    Map { size: u32, key: u32, value: u32 },
}

/// What depends on the shard count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shards {
    pub(crate) count: u32,
    /// Width of a LIST's end pointer or of a SET's or MAP's end bucket; 0 for OBJECT.
    pub(crate) pointer: u32,
    /// Elements or buckets of the live records of each shard; empty for OBJECT.
    pub(crate) totals: Vec<u64>,
}

impl Shards {
    /// The largest shard ordinal of shard `shard` when the type's is `max_ordinal` (format section 4).
    pub(crate) fn max_ordinal(&self, shard: u32, max_ordinal: i32) -> i32 {
        shard_max_ordinal(self.count, shard, max_ordinal)
    }
}

pub(crate) fn shard_max_ordinal(count: u32, shard: u32, max_ordinal: i32) -> i32 {
    let places = (max_ordinal + 1) as u32;
    (places / count) as i32 - 1 + i32::from(shard < (places & (count - 1)))
}

/// Widths of a type from its counters.
pub(crate) fn widths(stats: &TypeStats) -> Widths {
    match &stats.kind {
        KindStats::Object { fields, .. } => Widths::Object {
            fields: fields
                .iter()
                .map(|field| match field {
                    FieldStats::Bits(counts) => counts.max(),
                    FieldStats::Fixed(width) => {
                        if stats.count > 0 {
                            *width
                        } else {
                            0
                        }
                    }
                    FieldStats::Bytes(total) => bits(total + 1) + 1,
                })
                .collect(),
        },
        KindStats::List { elements, .. } => Widths::List {
            element: elements.max().max(1),
        },
        KindStats::Set {
            sizes, elements, ..
        } => Widths::Set {
            size: sizes.max(),
            element: elements.max().max(1),
        },
        KindStats::Map {
            sizes,
            keys,
            values,
            ..
        } => Widths::Map {
            size: sizes.max(),
            key: keys.max().max(1),
            value: values.max().max(1),
        },
    }
}

/// The shards of a type at a shard count.
pub(crate) fn shards(stats: &TypeStats, count: u32) -> Shards {
    let totals = stats
        .totals()
        .map_or_else(Vec::new, |totals| totals.of_shards(count));
    let largest = totals.iter().copied().max().unwrap_or(0);
    let pointer = match &stats.kind {
        KindStats::Object { .. } => 0,
        KindStats::List { .. } => bits(largest).max(1),
        KindStats::Set { .. } | KindStats::Map { .. } => bits(largest),
    };
    Shards {
        count,
        pointer,
        totals,
    }
}

/// The size of a type by which Hollow chooses its shard count, in bytes (format 9.6).
pub(crate) fn size_for_sharding(stats: &TypeStats, widths: &Widths, max_ordinal: i32) -> i64 {
    let max = i64::from(max_ordinal);
    let total = stats.totals().map_or(0, ShardTotals::total);
    let signed = total as i64;
    match widths {
        Widths::Object { fields } => {
            let variable: u64 = match &stats.kind {
                KindStats::Object { fields, .. } => fields
                    .iter()
                    .map(|field| {
                        if let FieldStats::Bytes(bytes) = field {
                            *bytes
                        } else {
                            0
                        }
                    })
                    .sum(),
                _ => 0,
            };
            let record_bits: i64 = fields.iter().copied().map(i64::from).sum();
            record_bits * (max + 1) / 8 + variable as i64
        }
        Widths::List { element } => {
            let pointer = i64::from(bits(total).max(1));
            i64::from(*element) * signed / 8 + (pointer * max + 1) / 8
        }
        Widths::Set { size, element } => {
            let fixed = i64::from(size + bits(total));
            fixed * (max + 1) / 8 + i64::from(*element) * signed / 8
        }
        Widths::Map { size, key, value } => {
            let fixed = i64::from(size + bits(total));
            fixed * (max + 1) / 8 + i64::from(key + value) * signed / 8
        }
    }
}

/// The smallest power of two of shards that hold `size` bytes at `target` bytes each.
pub(crate) fn shard_count(size: i64, target: u64) -> u32 {
    let size = u64::try_from(size).unwrap_or(0);
    let mut count = 1_u32;
    while target.max(1).saturating_mul(u64::from(count)) < size && count < MAX_SHARDS {
        count *= 2;
    }
    count
}

/// More shards than this help nobody: a shard of a full type would hold 2^13 records.
pub(crate) const MAX_SHARDS: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{MapRecord, ObjectRecord, SetRecord};
    use crate::schema::Schema;

    #[test]
    fn widths_follow_the_live_records() {
        let schema: Schema = "A { int id; string s; boolean b; float f; }"
            .parse()
            .expect("a schema");
        let mut stats = TypeStats::new(&schema);
        assert_eq!(
            widths(&stats),
            Widths::Object {
                fields: vec![0, 2, 0, 0]
            }
        );
        let mut record = ObjectRecord::new(schema.as_object().expect("an OBJECT"));
        record.set_int(0, 7);
        record.set_str(1, "é!");
        stats.add(2, record.bytes());
        assert_eq!(
            widths(&stats),
            Widths::Object {
                fields: vec![4, 4, 2, 32]
            }
        );
        record.reset();
        stats.add(3, record.bytes());
        record.set_int(0, 7);
        record.set_str(1, "é!");
        stats.remove(2, record.bytes());
        assert_eq!(
            widths(&stats),
            Widths::Object {
                fields: vec![1, 2, 2, 32]
            },
            "a null takes one bit"
        );
    }

    #[test]
    fn totals_fold_to_any_shard_count() {
        let schema: Schema = "S Set<A>;".parse().expect("a schema");
        let mut stats = TypeStats::new(&schema);
        for ordinal in 0..100 {
            let mut set = SetRecord::new();
            (0..ordinal % 7).for_each(|o| set.insert(o));
            stats.add(ordinal, set.bytes());
        }
        let one = shards(&stats, 1);
        let four = shards(&stats, 4);
        assert_eq!(one.totals[0], four.totals.iter().sum::<u64>());
        assert_eq!(one.pointer, bits(one.totals[0]));
        assert_eq!(
            widths(&stats),
            Widths::Set {
                size: 3,
                element: 3
            }
        );
    }

    #[test]
    fn empty_collections_have_widths() {
        let schema: Schema = "M Map<A,B>;".parse().expect("a schema");
        let mut stats = TypeStats::new(&schema);
        assert_eq!(
            widths(&stats),
            Widths::Map {
                size: 0,
                key: 1,
                value: 1
            }
        );
        assert_eq!(shards(&stats, 1).pointer, 0);
        stats.add(0, MapRecord::new().bytes());
        assert_eq!(
            widths(&stats),
            Widths::Map {
                size: 0,
                key: 1,
                value: 1
            }
        );
        assert_eq!(shards(&stats, 1).pointer, 1);
    }

    #[test]
    fn shard_ordinals_are_spread_evenly() {
        let places = |count, max| {
            (0..count)
                .map(|shard| shard_max_ordinal(count, shard, max) + 1)
                .collect::<Vec<_>>()
        };
        assert_eq!(places(4, -1), [0, 0, 0, 0]);
        assert_eq!(places(4, 5), [2, 2, 1, 1]);
        assert_eq!(places(1, 5), [6]);
    }

    #[test]
    fn shard_counts_are_powers_of_two() {
        assert_eq!(shard_count(0, 512), 1);
        assert_eq!(shard_count(512, 512), 1);
        assert_eq!(shard_count(513, 512), 2);
        assert_eq!(shard_count(5000, 512), 16);
        assert_eq!(shard_count(i64::MAX, u64::MAX), 1);
    }
}
