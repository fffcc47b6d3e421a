//! What becomes of one record: the origin of its key decides whether it counts, and only a row that may say something new is
//! transcoded.

use super::folder::{Folder, Types};
use super::incoming::{Change, Headers};
use super::ledger::{At, RowHash};
use crate::avro::{Fault, RecordSink};
use crate::error::{Error, Result};
use crate::fold::{Channel, Decision, Origin, committed_origin};
use crate::poison::Poison;
use crate::schemas::split_wire;
use crate::spec::{DatasetSpec, SourceVersions};
use crate::sweep::Marker;
use changelog::RecordRef;
use hollow::Ordinal;
use hollow::write::WriteState;

/// What a record came to.
pub(super) enum Folded {
    Control,
    Dropped(Decision),
    Applied { changed: bool, deleted: bool },
}

/// What is known of the present key.
#[derive(Clone, Copy, Default)]
struct Known {
    /// `None` for a key that has no origin.
    at: Option<At>,
    origin: Option<Origin>,
    row: Option<RowHash>,
    /// Which sweeps found the key.
    stamp: u32,
}

impl Folder {
    /// Folds a record of `D.sweep` that nobody has read from there.
    pub(super) fn try_sweep_record(
        &mut self,
        record: &RecordRef<'_>,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<Folded, Fault<Error>> {
        self.try_record(record, None, Channel::Sweep, write, types)
    }

    /// Folds a record. Where the ledger has its key as it is spelled there, `at` says where; it is parsed then only if it has
    /// to be.
    pub(super) fn try_record(
        &mut self,
        record: &RecordRef<'_>,
        at: Option<At>,
        channel: Channel,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<Folded, Fault<Error>> {
        let stamp = match channel {
            Channel::Sweep => self.sweeps.on_record(record.partition),
            Channel::Changes => 0,
        };
        self.has_key = false;
        let headers = Headers::of(record);
        if let Some(control) = headers.control {
            self.marker(record, channel, control)?;
            return Ok(Folded::Control);
        }
        if at.is_none()
            && let Err(fault) = self.parse_key(record)
        {
            if channel == Channel::Sweep && matches!(fault, Fault::Poison(_)) {
                self.sweeps.on_undecodable(record.partition);
            }
            return Err(fault);
        }
        let known = self.known(at, stamp, write, types);
        let stored = known.origin;
        let (change, source_version) = self.change(record, &headers)?;
        let mut new = Origin {
            source_version,
            deleted: matches!(change, Change::Delete),
            channel,
            partition: record.partition,
            offset: record.offset,
            swept: None,
        };
        if source_version.is_none() && self.spec.source_versions == SourceVersions::Required {
            // A tombstone after Debezium's delete: it says nothing new, unless compaction has removed that. Its place in
            // the log tells its order only in the partition of what it would delete.
            match stored {
                None => return Ok(Folded::Dropped(Decision::Older)),
                Some(stored) if stored.deleted => return Ok(Folded::Dropped(Decision::Again)),
                Some(stored)
                    if (stored.channel, stored.partition) == (channel, record.partition) =>
                {
                    new.source_version = stored.source_version;
                }
                Some(_) => return Err(Poison::NoSourceVersion.into()),
            }
        }
        let mark = stored.filter(|stored| stored.swept.is_some() && channel == Channel::Sweep);
        let revives = mark.is_some_and(|mark| self.sweeps.began_after(headers.sweep, &mark));
        match (
            new.decide(stored.as_ref(), self.spec.source_versions, revives),
            stored,
        ) {
            (Decision::Apply, _) => {}
            (Decision::OtherPartition(partition), _) => {
                return Err(Poison::OtherPartition { partition }.into());
            }
            (Decision::Gone, Some(mark)) => {
                let mark = Origin {
                    swept: new.source_version,
                    ..mark
                };
                self.tell(known, mark, None);
                return Ok(Folded::Dropped(Decision::Gone));
            }
            (dropped, _) => return Ok(Folded::Dropped(dropped)),
        }
        let (changed, row) = self.apply(record, change, known.row, write, types)?;
        self.tell(known, new, row);
        Ok(Folded::Applied {
            changed,
            deleted: new.deleted,
        })
    }

    /// Lets the write state say of the present key what the record says. `is` is what its row there was made of. Returns
    /// whether anything changed, and what the row is made of now.
    fn apply(
        &mut self,
        record: &RecordRef<'_>,
        change: Change<'_>,
        is: Option<RowHash>,
        write: &mut WriteState,
        types: &Types,
    ) -> std::result::Result<(bool, Option<RowHash>), Fault<Error>> {
        let failed = |spec: &DatasetSpec, source| {
            Fault::Sink(Error::Write {
                dataset: spec.name.clone(),
                source,
            })
        };
        let (id, planned, body) = match change {
            Change::Delete => {
                self.need_key(record)?;
                let key = self.key.values(self.spec.model.key());
                let deleted = write.delete(types.root, &key);
                let deleted = deleted.map_err(|source| failed(&self.spec, source))?;
                return Ok((deleted.is_some(), None));
            }
            Change::Row(id, planned, row) => (id, Some(planned), row),
            Change::Wire(value) => {
                let (id, body) = split_wire(value).ok_or(Poison::NotWireFormat)?;
                (id, None, body)
            }
        };
        let row = Some(RowHash::of(id, body));
        if row == is {
            return Ok((false, row));
        }
        self.need_key(record)?;
        let planned = match planned {
            Some(planned) => planned,
            None => self.planned(id)?,
        };
        let plan = planned.as_ref().as_ref().map_err(Clone::clone)?;
        let mut sink = WriteSink {
            write,
            types,
            spec: &self.spec,
        };
        let root = self
            .transcoder
            .transcode(plan, &self.key, body, &mut sink)?;
        let upserted = write.upsert(types.root, root);
        let upserted = upserted.map_err(|source| failed(&self.spec, source))?;
        Ok((upserted.changed, row))
    }

    /// Notes the marker of a sweep that the record is.
    fn marker(
        &mut self,
        record: &RecordRef<'_>,
        channel: Channel,
        control: &[u8],
    ) -> std::result::Result<(), Poison> {
        if channel == Channel::Changes {
            return Err(Poison::Control {
                control: String::from_utf8_lossy(control).into_owned(),
                reason: format!(
                    "the markers of sweeps belong in topic {}",
                    self.spec.sweep_topic()
                ),
            });
        }
        match Marker::parse(record) {
            Ok(marker) => {
                if let Some(marker) = marker {
                    self.sweeps.on_marker(marker, record);
                }
                Ok(())
            }
            Err(poison) => {
                self.sweeps.on_undecodable(record.partition);
                Err(poison)
            }
        }
    }

    fn need_key(&mut self, record: &RecordRef<'_>) -> std::result::Result<(), Fault<Error>> {
        if self.has_key {
            return Ok(());
        }
        self.parse_key(record)
    }

    /// What is known of the present key, which the ledger has `at` some place or not. A record with `stamp` may raise its stamp.
    fn known(&mut self, at: Option<At>, stamp: u32, write: &WriteState, types: &Types) -> Known {
        let key = self.key.canonical();
        let found = at.or_else(|| self.ledger.find(key)).or_else(|| {
            let (ordinal, origin) = committed_origin(write, types.fold, key)?;
            Some(self.ledger.insert(key, origin, Some(ordinal)))
        });
        let Some(at) = found else {
            if stamp > 0 {
                self.sweeps.stamp_stranger(key, stamp);
            }
            return Known {
                stamp,
                ..Known::default()
            };
        };
        let entry = self.ledger.entry_mut(at);
        let stamp = match entry.published() {
            _ if entry.has_news => {
                entry.stamp = entry.stamp.max(stamp);
                entry.stamp
            }
            Some(ordinal) => {
                if stamp > 0 {
                    self.sweeps.stamp_published(ordinal, stamp);
                }
                self.sweeps.stamp_of(ordinal)
            }
            None => stamp,
        };
        Known {
            at: Some(at),
            origin: Some(entry.origin()),
            row: entry.row(),
            stamp,
        }
    }

    /// The present key has news.
    fn tell(&mut self, known: Known, origin: Origin, row: Option<RowHash>) {
        let at = match known.at {
            Some(at) => at,
            None => self.ledger.insert(self.key.canonical(), origin, None),
        };
        let stranger = match known.at {
            Some(_) => 0,
            None => self.sweeps.take_stranger(self.key.canonical()),
        };
        self.ledger.tell(at, origin, known.stamp.max(stranger), row);
    }

    /// Some key of the committed state, or with news, was deleted.
    pub(super) fn tell_deleted(&mut self, canonical_key: &[u8], mark: Origin) {
        let found = self.ledger.find(canonical_key);
        let at = found.unwrap_or_else(|| self.ledger.insert(canonical_key, mark, None));
        self.ledger.tell(at, mark, 0, None);
    }

    /// The origin of a key.
    pub(super) fn origin_of(
        &self,
        canonical_key: &[u8],
        write: &WriteState,
        types: &Types,
    ) -> Option<Origin> {
        match self.ledger.find(canonical_key) {
            Some(at) => Some(self.ledger.entry(at).origin()),
            None => Some(committed_origin(write, types.fold, canonical_key)?.1),
        }
    }
}

struct WriteSink<'a> {
    write: &'a mut WriteState,
    types: &'a Types,
    spec: &'a DatasetSpec,
}

impl RecordSink for WriteSink<'_> {
    type Error = Error;

    fn add(&mut self, type_index: usize, record: &[u8]) -> Result<Ordinal> {
        let ty = self.types.model[type_index];
        self.write.add(ty, record).map_err(|source| Error::Write {
            dataset: self.spec.name.clone(),
            source,
        })
    }
}
