//! Why a single record can't be folded. It becomes a dead letter with this reason, and everything else goes on.

use crate::codes::Code;

/// What is wrong with a change record, in words for those who emit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Poison {
    /// The record has no key.
    #[error("the record has no key; expected the JSON array of its key fields")]
    NoKey,
    /// The key is not what the dataset's key fields ask for.
    #[error("the key is not {expected}: {detail}")]
    Key {
        /// The fields, as an array.
        expected: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The value does not begin as the registry wire format does.
    #[error(
        "the value is not in the registry wire format: expected a byte 0 and a schema id of four bytes, then Avro"
    )]
    NotWireFormat,
    /// The value's schema is known nowhere.
    #[error("the schema id {id} is not known")]
    UnknownSchema {
        /// The id.
        id: u32,
    },
    /// The value's schema is known, but records of the dataset can't be made of what it describes.
    #[error("the schema id {id} can't be read as the dataset's schema: {reason}")]
    UnfitSchema {
        /// The id.
        id: u32,
        /// What does not fit.
        reason: String,
    },
    /// The value is not Avro of its schema.
    #[error("the value can't be decoded{}: {reason}", at(.path))]
    Undecodable {
        /// The field, dotted from the root; empty for the value itself.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A change event says something about more than one row, or nothing about any.
    #[error(
        "the envelope's op is {op:?}, which says nothing about the row of the key; expected c, r, u or d. After a table was \
         truncated, sweep it"
    )]
    Operation {
        /// What is there.
        op: String,
    },
    /// A field holds something that a dataset can't.
    #[error("{path} can't be stored: {reason}")]
    Unstorable {
        /// The field.
        path: String,
        /// Why.
        reason: String,
    },
    /// The key says one thing and the value's key field another.
    #[error("the key and the value's field {path} do not agree")]
    KeyMismatch {
        /// The field.
        path: String,
    },
    /// A field that holds codes holds something else.
    #[error("{path}: {value:?} is no {code} code that is known")]
    UnknownCode {
        /// The field.
        path: String,
        /// The kind of code.
        code: Code,
        /// What is there.
        value: String,
    },
    /// An interval ends before it starts, or where it starts.
    #[error("{path}: {end_field} ({end}) is not after {start_field} ({start})")]
    Interval {
        /// The record.
        path: String,
        /// The field of the start.
        start_field: String,
        /// The start, as it is in the record.
        start: i64,
        /// The field of the end.
        end_field: String,
        /// The end, as it is in the record.
        end: i64,
    },
    /// The dataset goes by source versions, and the record has none.
    #[error(
        "the header gl-source-version is missing, and no envelope has a source version; the dataset orders its records by it"
    )]
    NoSourceVersion,
    /// The source version is no number.
    #[error(
        "the header gl-source-version is {value:?}; expected a decimal number of at most 63 bits"
    )]
    SourceVersion {
        /// What is there.
        value: String,
    },
    /// The record claims to be a marker and can't be read as one.
    #[error("the marker (gl-control: {control}) can't be read: {reason}")]
    Control {
        /// What the header says.
        control: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A dataset without source versions can only follow a key in its partition.
    #[error(
        "the key's records are in partition {partition}, and without source versions its order in another can't be known"
    )]
    OtherPartition {
        /// The partition of the key's origin.
        partition: u32,
    },
}

fn at(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" at {path}")
    }
}

impl Poison {
    /// What kind of reason it is, in a word: to count by.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoKey => "no-key",
            Self::Key { .. } => "key",
            Self::NotWireFormat => "not-wire-format",
            Self::UnknownSchema { .. } => "unknown-schema",
            Self::UnfitSchema { .. } => "unfit-schema",
            Self::Undecodable { .. } => "undecodable",
            Self::Operation { .. } => "operation",
            Self::Unstorable { .. } => "unstorable",
            Self::KeyMismatch { .. } => "key-mismatch",
            Self::UnknownCode { .. } => "unknown-code",
            Self::Interval { .. } => "interval",
            Self::NoSourceVersion => "no-source-version",
            Self::SourceVersion { .. } => "source-version",
            Self::Control { .. } => "control",
            Self::OtherPartition { .. } => "other-partition",
        }
    }

    /// The same, one field deeper.
    #[must_use]
    pub(crate) fn within(mut self, field: &str) -> Self {
        if let Self::Undecodable { path, .. }
        | Self::Unstorable { path, .. }
        | Self::KeyMismatch { path }
        | Self::UnknownCode { path, .. }
        | Self::Interval { path, .. } = &mut self
        {
            *path = if path.is_empty() {
                field.to_owned()
            } else {
                format!("{field}.{path}")
            };
        }
        self
    }
}
