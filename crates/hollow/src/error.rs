//! What can go wrong, said with the place where it did.
//!
//! Blobs come from outside. Whatever they hold, the crate answers with one of these errors and never panics, so every
//! variant that is born of bytes carries the byte position or the part of the blob that it speaks of.

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside of something.
    #[error("the bytes end at {at}, inside of {what}")]
    Truncated {
        /// Position of the first missing byte's reader: where the read began.
        at: usize,
        /// What was being read.
        what: &'static str,
    },
    /// The bytes cannot be what the format puts at this place.
    #[error("malformed blob at byte {at}: {what}")]
    Malformed {
        /// Byte position.
        at: usize,
        /// What was expected there, and what is wrong with it.
        what: &'static str,
    },
    /// A name or header tag is too long for its 16-bit length.
    #[error("a text of {bytes} bytes; names and header tags have at most 65535")]
    TextTooLong {
        /// Its length in modified UTF-8.
        bytes: usize,
    },
    /// An OBJECT type has more fields than a blob can say.
    #[error("type {type_name} has {fields} fields; a type has at most 32767")]
    TooManyFields {
        /// The type.
        type_name: String,
        /// Number of its fields.
        fields: usize,
    },
    /// The text of a schema cannot be parsed.
    #[error("schema text, byte {at}: {message}")]
    SchemaText {
        /// Byte position in the text.
        at: usize,
        /// What was expected.
        message: String,
    },
    /// A path of a key or of an index leads nowhere.
    #[error("path `{path}` from type {type_name}: {reason}")]
    Path {
        /// The type that the path starts from.
        type_name: String,
        /// The path.
        path: String,
        /// Why it cannot be followed.
        reason: String,
    },
    /// Two schemas of one name have nothing in common that both could be read by.
    #[error("incompatible schemas of type {type_name}: {reason}")]
    IncompatibleSchemas {
        /// The type.
        type_name: String,
        /// In what they differ.
        reason: String,
    },
    /// A record refers to others without end, or to more than can be unfolded.
    #[error("type {type_name}, ordinal {ordinal}: references go too deep, or round in a circle")]
    TooDeep {
        /// Type of the record where it was given up.
        type_name: String,
        /// Its ordinal.
        ordinal: crate::Ordinal,
    },
    /// A value does not fit the place where the schema puts it.
    #[error("{place} cannot be {value}")]
    ValueMismatch {
        /// The type or field.
        place: String,
        /// The value.
        value: String,
    },
    /// A program's type needs a value where the state has none.
    #[error("type {type_name} has no value for {field}")]
    MissingValue {
        /// The type.
        type_name: String,
        /// The field.
        field: String,
    },
    /// More than the form has room for.
    #[error("{what} would be too large")]
    TooLarge {
        /// What would.
        what: &'static str,
    },
    /// Something is wrong in one stream of a blob. The position in `error` counts from the start of that stream.
    #[error("{}: {error}", stream(.part, .type_name))]
    InBlob {
        /// The optional part, or `None` for the main blob.
        part: Option<String>,
        /// The type whose state was being read, or `None` in headers.
        type_name: Option<String>,
        /// What is wrong there.
        error: Box<Error>,
    },
    /// The stream is of another format version.
    #[error("blob version {found}, where this stream must have {expected}")]
    Version {
        /// 1030 for main blobs, 1031 for optional parts.
        expected: i32,
        /// What the stream says.
        found: i32,
    },
    /// A delta starts at another state than the one that it is to change. That state is as it was.
    #[error("a delta from state {found:016x} for a state {expected:016x}")]
    WrongOrigin {
        /// The randomized tag of the state.
        expected: i64,
        /// The origin tag of the delta.
        found: i64,
    },
    /// An optional part carries another name than it was given under, or other tags than the main blob.
    #[error("optional part `{part}` does not belong to this blob: another {what}")]
    WrongPart {
        /// The name under which the part was given.
        part: String,
        /// What differs.
        what: &'static str,
    },
    /// A delta came without an optional part that the state was loaded with, so that some of its types would stay behind.
    #[error("the delta lacks optional part `{part}`, which the state was loaded with")]
    MissingPart {
        /// The part's name.
        part: String,
    },
    /// The data set has no type of this name.
    #[error("unknown type {0}")]
    UnknownType(String),
    /// A writer refused a record, a cycle or a restore.
    #[error(transparent)]
    Write(#[from] crate::write::WriteError),
}

fn stream(part: &Option<String>, type_name: &Option<String>) -> String {
    let mut text = match part {
        Some(part) => format!("part `{part}`"),
        None => "main blob".to_owned(),
    };
    if let Some(type_name) = type_name {
        text.push_str(", type ");
        text.push_str(type_name);
    }
    text
}

impl Error {
    /// Says in which stream, and in which type's state, the error was met.
    pub(crate) fn in_blob(self, part: Option<&str>, type_name: Option<&str>) -> Self {
        Self::InBlob {
            part: part.map(str::to_owned),
            type_name: type_name.map(str::to_owned),
            error: Box::new(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where() {
        let error = Error::Malformed {
            at: 7,
            what: "a width above 64 bits",
        };
        assert_eq!(
            error.in_blob(Some("extra"), Some("A")).to_string(),
            "part `extra`, type A: malformed blob at byte 7: a width above 64 bits"
        );
    }
}
