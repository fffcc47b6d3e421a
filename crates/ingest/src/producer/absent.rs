//! What follows when a sweep has ended: the keys that it did not find are deleted, if nothing speaks against it.

use super::folder::{Folder, Types};
use super::sweeps::{End, Verdict};
use crate::error::{Error, Result};
use crate::fold::{Channel, Origin, committed_origins};
use crate::key::Key;
use changelog::partition_for_key;
use hollow::write::WriteState;

/// What a sweep did not find.
#[derive(Default)]
pub(super) struct Absent {
    /// How many keys.
    pub(super) count: u64,
    /// Their canonical forms with their source versions; of no use where there are more than may be deleted.
    keys: Vec<(Box<[u8]>, i64)>,
    /// How many keys there are in all.
    pub(super) of: u64,
}

impl Folder {
    /// To be called when the topics are read up to their marks. Where sweeps have ended since, it takes the present ends of the
    /// topics as marks and returns true: read on. Where that is done, it ends the sweeps.
    pub(super) fn end_sweeps(&mut self, write: &mut WriteState, types: &Types) -> Result<bool> {
        if self.sweeps.take_ended() {
            // Where partitions were added the next cycle reads them too, and there the sweep has no markers.
            return Ok(!self.mark_ends()?);
        }
        let mut number = 0;
        while let Some(sweep) = self.sweeps.next_due(number) {
            number = sweep.number;
            if sweep.filtered {
                self.sweeps.close(number, End::Filtered);
            } else if sweep.doubt.is_some() {
                self.sweeps.close(number, End::Cancelled);
            } else if sweep.verdict == Some(Verdict::Rejected) {
                self.sweeps.close(number, End::Rejected);
            } else {
                let confirmed = match sweep.verdict {
                    Some(Verdict::Confirmed(deletes)) => deletes,
                    _ => 0,
                };
                self.delete_absent(number, confirmed, write, types)?;
            }
        }
        Ok(false)
    }

    fn delete_absent(
        &mut self,
        number: u32,
        confirmed: u64,
        write: &mut WriteState,
        types: &Types,
    ) -> Result<()> {
        let Some(sweep) = self.sweeps.next_due(number - 1) else {
            return Ok(());
        };
        let as_of = sweep.as_of;
        let mut absent = self.absent(number, as_of, write);
        let share = self.spec.sweep_delete_share_max;
        if absent.count > confirmed && absent.exceeds(share) {
            self.sweeps.hold(number, absent.count, absent.of);
            return Ok(());
        }
        let sweep = self.sweeps.next_due(number - 1);
        let begins: Vec<i64> = (0..self.sweeps.partitions())
            .filter_map(|partition| sweep.and_then(|sweep| sweep.begin(partition)))
            .collect();
        let mut key = Key::default();
        // What was published under which ordinal, and what is news, is not to order any work.
        absent.keys.sort_unstable();
        for (canonical, version) in absent.keys {
            let partition = partition_for_key(&canonical, self.sweeps.partitions());
            let mark = Origin {
                source_version: Some(as_of),
                deleted: true,
                channel: Channel::Sweep,
                partition,
                offset: begins.get(partition as usize).copied().unwrap_or_default(),
                swept: Some(version),
            };
            let shape = self.spec.model.key();
            if let Err(poison) = shape.parse_into(&canonical, &mut key) {
                return Err(Error::Schema {
                    source_name: self.spec.name.to_string(),
                    reason: format!("a key of its own state can't be read: {poison}"),
                });
            }
            write
                .delete(types.root, &key.values(shape))
                .map_err(|source| Error::Write {
                    dataset: self.spec.name.clone(),
                    source,
                })?;
            self.counts.swept += 1;
            self.tell_deleted(&canonical, mark);
        }
        self.sweeps.close(number, End::Applied);
        Ok(())
    }

    /// The keys that the sweep of that number did not find and whose source version is at most `as_of`.
    pub(super) fn absent(&self, number: u32, as_of: i64, write: &WriteState) -> Absent {
        let mut absent = Absent::default();
        let mut visit = |key: &[u8], origin: &Origin, stamp: u32| {
            if origin.deleted {
                return;
            }
            absent.of += 1;
            if let Some(version) = origin.source_version
                && version <= as_of
                && stamp < number
            {
                absent.count += 1;
                absent.keys.push((key.into(), version));
            }
        };
        for (ordinal, key, origin) in committed_origins(write) {
            if !self.ledger.has_news_of(key) {
                visit(key, &origin, self.sweeps.stamp_of(ordinal));
            }
        }
        for (key, entry) in self.ledger.news() {
            visit(key, &entry.origin(), entry.stamp);
        }
        absent
    }
}

impl Absent {
    /// Whether it is more than that share of the keys.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share of more than 2^53 keys may be off by one"
    )]
    pub(super) fn exceeds(&self, share: f64) -> bool {
        self.count as f64 > self.of as f64 * share
    }
}
