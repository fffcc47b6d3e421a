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
    #[error("malformed {what} at byte {at}")]
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
}
