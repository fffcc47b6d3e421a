//! What a sweep says in `D.sweep` beside its rows: where it begins and ends, and what an operator decided about its deletes.
//!
//! A marker is a record with the header `gl-control`. Its key is a JSON object, which no row's key is, and names sweep, kind and
//! partition, so that compaction keeps every marker. Its value is a JSON object too; members that are not known are ignored.

use crate::poison::Poison;
use changelog::{Header, NewRecord, RecordRef};
use serde_json::{Map, Value, json};

/// The header of markers.
pub const CONTROL_HEADER: &str = "gl-control";
/// The header that names the sweep, of markers and rows.
pub const SWEEP_HEADER: &str = "gl-sweep";

/// A marker of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The sweep's id.
    pub sweep: String,
    /// What it says.
    pub kind: MarkerKind,
}

/// What a marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// The sweep begins in this partition.
    Begin {
        /// The source version up to which the source was known when the sweep began.
        as_of: i64,
        /// Whether only a part of the source is swept: such a sweep deletes nothing.
        filtered: bool,
    },
    /// The last row of the sweep in this partition lies before.
    End,
    /// An operator lets the sweep delete.
    Confirm {
        /// At most so many keys.
        deletes: u64,
    },
    /// An operator says that the sweep deletes nothing.
    Reject,
}

impl MarkerKind {
    fn control(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "sweep-begin",
            Self::End => "sweep-end",
            Self::Confirm { .. } => "sweep-confirm",
            Self::Reject => "sweep-reject",
        }
    }
}

impl Marker {
    /// The marker as a record for `partition`.
    #[must_use]
    pub fn record(&self, timestamp_ms: i64, partition: u32) -> NewRecord {
        let control = self.kind.control();
        let key = json!({"sweep": self.sweep, "control": control, "partition": partition});
        let value = match self.kind {
            MarkerKind::Begin { as_of, filtered } => json!({"as-of": as_of, "filtered": filtered}),
            MarkerKind::Confirm { deletes } => json!({"deletes": deletes}),
            MarkerKind::End | MarkerKind::Reject => json!({}),
        };
        NewRecord {
            headers: vec![
                header(CONTROL_HEADER, control),
                header(SWEEP_HEADER, &self.sweep),
            ],
            ..NewRecord::new(timestamp_ms, key.to_string(), value.to_string())
        }
        .to_partition(partition)
    }

    /// The marker that a record is; `None` where it is none.
    ///
    /// # Errors
    /// [`Poison::Control`] where it claims to be one and can't be read.
    pub(crate) fn parse(record: &RecordRef<'_>) -> Result<Option<Self>, Poison> {
        let Some(control) = record.header(CONTROL_HEADER) else {
            return Ok(None);
        };
        let unreadable = |reason: &str| Poison::Control {
            control: String::from_utf8_lossy(&control[..control.len().min(60)]).into_owned(),
            reason: reason.to_owned(),
        };
        let sweep = record
            .header(SWEEP_HEADER)
            .and_then(|id| std::str::from_utf8(id).ok())
            .filter(|id| !id.is_empty())
            .ok_or_else(|| unreadable("the header gl-sweep, which names the sweep, is missing"))?;
        let value = record
            .value
            .ok_or_else(|| unreadable("a marker needs a value, or compaction removes it"))?;
        let members =
            || -> Map<String, Value> { serde_json::from_slice(value).unwrap_or_default() };
        let kind = match control {
            b"sweep-begin" => {
                let members = members();
                MarkerKind::Begin {
                    as_of: members
                        .get("as-of")
                        .and_then(Value::as_i64)
                        .filter(|&as_of| as_of >= 0)
                        .ok_or_else(|| {
                            unreadable(r#"the value must be a JSON object like {"as-of": 123}"#)
                        })?,
                    filtered: members
                        .get("filtered")
                        .is_some_and(|filtered| filtered != &Value::Bool(false)),
                }
            }
            b"sweep-end" => MarkerKind::End,
            b"sweep-confirm" => MarkerKind::Confirm {
                deletes: members()
                    .get("deletes")
                    .and_then(Value::as_u64)
                    .ok_or_else(|| {
                        unreadable(r#"the value must be a JSON object like {"deletes": 123}"#)
                    })?,
            },
            b"sweep-reject" => MarkerKind::Reject,
            _ => {
                return Err(unreadable(
                    "expected sweep-begin, sweep-end, sweep-confirm or sweep-reject",
                ));
            }
        };
        Ok(Some(Self {
            sweep: sweep.to_owned(),
            kind,
        }))
    }
}

fn header(name: &str, value: &str) -> Header {
    (name.to_owned(), value.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use changelog::Batch;

    fn parse(record: &NewRecord) -> Result<Option<Marker>, Poison> {
        let mut batch = Batch::new();
        batch.push(0, 0, record).unwrap();
        Marker::parse(&batch.get(0).unwrap())
    }

    #[test]
    fn markers_come_back_and_have_keys_of_their_own() {
        let mut keys = std::collections::BTreeSet::new();
        for kind in [
            MarkerKind::Begin {
                as_of: 7,
                filtered: false,
            },
            MarkerKind::End,
            MarkerKind::Confirm { deletes: 3 },
            MarkerKind::Reject,
        ] {
            for (sweep, partition) in [("a", 0), ("a", 1), ("b", 0)] {
                let marker = Marker {
                    sweep: sweep.to_owned(),
                    kind: kind.clone(),
                };
                let record = marker.record(5, partition);
                assert_eq!(record.partition, Some(partition));
                assert!(record.value.is_some() && keys.insert(record.key.clone()));
                assert_eq!(parse(&record).unwrap(), Some(marker));
            }
        }
        assert_eq!(parse(&NewRecord::new(5, "[1]", "v")).unwrap(), None);
    }

    #[test]
    fn what_is_no_marker_is_refused_with_what_is_expected() {
        let record = |control: &str, value: &str| {
            NewRecord::new(5, "k", value)
                .with_header(CONTROL_HEADER, control)
                .with_header(SWEEP_HEADER, "s")
        };
        for (record, words) in [
            (record("sweep-begin", "{}"), "as-of"),
            (record("sweep-begin", r#"{"as-of": -1}"#), "as-of"),
            (record("sweep-begin", "12"), "as-of"),
            (record("sweep-confirm", "{}"), "deletes"),
            (record("sweep-stop", "{}"), "expected sweep-begin"),
            (
                NewRecord::new(5, "k", "{}").with_header(CONTROL_HEADER, "sweep-end"),
                "gl-sweep",
            ),
            (
                NewRecord::tombstone(5, "k")
                    .with_header(CONTROL_HEADER, "sweep-end")
                    .with_header(SWEEP_HEADER, "s"),
                "needs a value",
            ),
        ] {
            let poison = parse(&record).unwrap_err().to_string();
            assert!(poison.contains(words), "{poison}");
        }
        // Somebody else's sweep may say more, and any filter is one.
        let foreign = record(
            "sweep-begin",
            r#"{"as-of": 3, "filtered": "country = DE", "x": 1}"#,
        );
        let filtered = MarkerKind::Begin {
            as_of: 3,
            filtered: true,
        };
        assert_eq!(parse(&foreign).unwrap().unwrap().kind, filtered);
    }
}
