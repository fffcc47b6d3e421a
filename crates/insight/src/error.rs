//! What can be wrong with a question.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a report can't be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key that was asked for does not fit the dataset's.
    #[error("{text:?} is no key of {type_name}: expected {expected}")]
    Key {
        /// What was given.
        text: String,
        /// The type whose key it should be.
        type_name: String,
        /// What the key looks like, with an example.
        expected: String,
    },
    /// JSON that does not fit a record.
    #[error("{path}: expected {expected}, found {found}")]
    Value {
        /// Where, from the record's type on.
        path: String,
        /// What fits there.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The state has no type that others are found by.
    #[error("the state has no type with a primary key that could be shown by it")]
    NoRoot,
    /// The state has not the types and fields of a `liveness` state.
    #[error("the state is not one of liveness: {0}")]
    NotLiveness(String),
    /// A record can't be read.
    #[error(transparent)]
    Hollow(#[from] hollow::Error),
}
