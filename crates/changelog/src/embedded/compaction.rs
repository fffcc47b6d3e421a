//! Compaction as Kafka's log cleaner does it: of each key the last record stays, at its offset, and so offsets get gaps.
//!
//! A pass over a partition builds a map from key to last offset over the records that no pass has seen (the dirty part),
//! then walks the whole partition and removes what the map supersedes. A tombstone that a pass meets gets a horizon, that
//! moment plus the topic's retention; a later pass at or after it removes the tombstone, so that a reader who is not
//! slower than the retention never misses a delete. The map is bounded; a pass that fills it ends there and the next goes on.
//!
//! Appends start a pass when the dirty part has grown as large as the clean one, so the work per record is constant. That
//! makes it a function of the log's content (tombstones aside), and equal runs see equal logs.

use super::store::{PartitionMeta, Slot, Store};
use super::topic::Topic;
use crate::batch::key_and_has_value;
use crate::error::{Error, Result};
use rocksdb::WriteBatch;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// The most keys that one pass maps: 4 Mi, about 200 MB.
const MAP_KEYS_MAX: usize = 4 << 20;
/// How many removals are written at once.
const BATCH_CHANGES: usize = 4096;

/// Whether an append has made the dirty part large enough for a pass.
pub(super) fn is_due(meta: &PartitionMeta, dirty_records_min: u64) -> bool {
    u64::try_from(meta.end - meta.clean).unwrap_or(0) >= dirty_records_min.max(meta.live)
}

/// Compacts a partition up to its end. The caller holds the topic's exclusive guard.
pub(super) fn compact(store: &Store, topic: &Topic, partition: u32, now_ms: i64) -> Result<()> {
    let (slot, retention_ms) = {
        let state = topic.state();
        (state.slot(partition), state.meta.spec.delete_retention_ms)
    };
    let mut pass = Pass {
        store,
        slot,
        now_ms,
        retention_ms,
        keys_max: MAP_KEYS_MAX,
    };
    loop {
        let before = topic.state().partition(partition)?;
        let after = pass.run(before)?;
        topic.publish(|state| state.partitions[partition as usize] = after);
        if after.clean == after.end {
            return Ok(());
        }
    }
}

struct Pass<'a> {
    store: &'a Store,
    slot: Slot,
    now_ms: i64,
    retention_ms: i64,
    keys_max: usize,
}

impl Pass<'_> {
    fn run(&mut self, meta: PartitionMeta) -> Result<PartitionMeta> {
        let (last, upto) = self.map_dirty(&meta)?;
        let mut batch = WriteBatch::default();
        let mut live = 0;
        self.store
            .scan(self.slot, meta.begin, upto, |offset, encoded| {
                let (key, has_value) = self.parse(offset, encoded)?;
                let superseded = last.get(&xxh3_128(key)).is_some_and(|&at| at > offset);
                if superseded || (!has_value && self.tombstone_may_go(&mut batch, offset)?) {
                    self.store.delete_record(&mut batch, self.slot, offset)?;
                    if !has_value {
                        self.store.delete_horizon(&mut batch, self.slot, offset)?;
                    }
                } else {
                    live += 1;
                }
                if batch.len() >= BATCH_CHANGES {
                    // Removing is safe to repeat, so a crash before the last batch only costs another pass.
                    self.store.write(std::mem::take(&mut batch), false)?;
                }
                Ok(true)
            })?;
        let after = PartitionMeta {
            clean: upto,
            live,
            ..meta
        };
        self.store.put_partition(&mut batch, self.slot, &after)?;
        self.store.write(batch, false)?;
        Ok(after)
    }

    /// The last offset of each key of the dirty part, and where the part that was mapped ends.
    fn map_dirty(&self, meta: &PartitionMeta) -> Result<(HashMap<u128, i64>, i64)> {
        let mut last = HashMap::new();
        let mut upto = meta.end;
        self.store.scan(
            self.slot,
            meta.clean.max(meta.begin),
            meta.end,
            |offset, encoded| {
                if last.len() >= self.keys_max {
                    upto = offset;
                    return Ok(false);
                }
                last.insert(xxh3_128(self.parse(offset, encoded)?.0), offset);
                Ok(true)
            },
        )?;
        Ok((last, upto))
    }

    fn tombstone_may_go(&self, batch: &mut WriteBatch, offset: i64) -> Result<bool> {
        if let Some(at_ms) = self.store.horizon(self.slot, offset)? {
            return Ok(self.now_ms >= at_ms);
        }
        let at_ms = self.now_ms.saturating_add(self.retention_ms);
        self.store.put_horizon(batch, self.slot, offset, at_ms)?;
        Ok(false)
    }

    fn parse<'r>(&self, offset: i64, encoded: &'r [u8]) -> Result<(&'r [u8], bool)> {
        let (key, has_value) = key_and_has_value(encoded).map_err(|detail| Error::Corrupt {
            what: format!(
                "the record at offset {offset} of partition {}",
                self.slot.partition
            ),
            detail: detail.to_owned(),
        })?;
        Ok((key.unwrap_or_default(), has_value))
    }
}
