//! What changed between two states of a dataset, as a report.

use hollow::diff::{ChangedRecord, KeyedRecord};
use hollow::{KeyValue, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{Comparison, Result, to_json};

/// The difference between two states, by the key of their root type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiffReport {
    /// Whether both hold the same records; proven by digest.
    pub equal: bool,
    /// How many records only the later state has.
    pub added: usize,
    /// How many records only the earlier state has.
    pub removed: usize,
    /// How many records both have with other content.
    pub changed: usize,
    /// The first of them: added, then removed, then changed ones, each in the order of the state.
    pub records: Vec<RecordChange>,
}

/// One record that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordChange {
    /// Its key fields, as a JSON array.
    pub key: Json,
    /// What became of it.
    pub change: Change,
    /// The places where it differs; empty for records that are added or removed.
    pub fields: Vec<FieldChange>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the later state has it.
    Added,
    /// Only the earlier state has it.
    Removed,
    /// Both have it, with other content.
    Changed,
}

/// One place in a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Field names with `.` between, elements in brackets.
    pub path: String,
    /// What was there; null for nothing.
    pub before: Json,
    /// What is there now; null for nothing.
    pub after: Json,
}

impl DiffReport {
    /// Describes at most `limit` of the records whose key is `wanted`; the counts cover all records.
    ///
    /// # Errors
    /// Those of reading what differs.
    pub fn of(
        comparison: &Comparison<'_>,
        limit: usize,
        wanted: impl Fn(&[KeyValue]) -> bool,
    ) -> Result<Self> {
        let Some(diff) = &comparison.diff else {
            return Ok(Self {
                equal: true,
                added: 0,
                removed: 0,
                changed: 0,
                records: Vec::new(),
            });
        };
        let whole = |change| {
            move |key: &Vec<KeyValue>| {
                Ok(RecordChange {
                    key: key_to_json(key),
                    change,
                    fields: Vec::new(),
                })
            }
        };
        let changed = |record: &ChangedRecord| -> Result<RecordChange> {
            let fields = record.fields().map(|field| {
                Ok(FieldChange {
                    path: field.path(),
                    before: to_json(&field.before()?),
                    after: to_json(&field.after()?),
                })
            });
            Ok(RecordChange {
                key: key_to_json(&record.key),
                change: Change::Changed,
                fields: fields.collect::<Result<_>>()?,
            })
        };
        let added = keys(&diff.added).filter(|key| wanted(key));
        let removed = keys(&diff.removed).filter(|key| wanted(key));
        let both = diff.changed.iter().filter(|record| wanted(&record.key));
        let records = (added.map(whole(Change::Added)))
            .chain(removed.map(whole(Change::Removed)))
            .chain(both.map(changed))
            .take(limit)
            .collect::<Result<_>>()?;
        Ok(Self {
            equal: comparison.is_equal(),
            added: diff.added.len(),
            removed: diff.removed.len(),
            changed: diff.changed.len(),
            records,
        })
    }
}

fn keys(records: &[KeyedRecord]) -> impl Iterator<Item = &Vec<KeyValue>> {
    records.iter().map(|record| &record.key)
}

/// Key values as a JSON array.
pub fn key_to_json(key: &[KeyValue]) -> Json {
    key.iter()
        .map(|value| match value {
            KeyValue::Int(value) => to_json(&Value::Int(*value)),
            KeyValue::Long(value) => to_json(&Value::Long(*value)),
            KeyValue::Boolean(value) => to_json(&Value::Boolean(*value)),
            KeyValue::Float(value) => to_json(&Value::Float(*value)),
            KeyValue::Double(value) => to_json(&Value::Double(*value)),
            KeyValue::String(value) => value.as_str().into(),
            KeyValue::Bytes(value) => to_json(&Value::Bytes(value.clone())),
            KeyValue::Null => Json::Null,
        })
        .collect()
}
