//! What can be wrong with what the domain is given.

/// Why a question or a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A configuration names a rule that does not exist.
    #[error("there is no rule `{code}`; the rules are {known}")]
    UnknownRule {
        /// The code as written.
        code: String,
        /// The codes that exist.
        known: String,
    },
    /// A configuration names a parameter that the rule does not have.
    #[error("rule `{code}` has no parameter `{parameter}`; it takes {known}")]
    UnknownParameter {
        /// The rule.
        code: String,
        /// The parameter as written.
        parameter: String,
        /// The parameters it has.
        known: String,
    },
    /// A configuration gives a parameter a value of another kind.
    #[error("parameter `{parameter}` of rule `{code}` takes {expected}, not {found}")]
    ParameterKind {
        /// The rule.
        code: String,
        /// The parameter.
        parameter: String,
        /// The kind it takes.
        expected: &'static str,
        /// The value as written.
        found: String,
    },
    /// The table of language fallbacks is broken.
    #[error("line {line} of the table of parent locales is `{text}`; expected `locale,parent`")]
    Fallback {
        /// The line's number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A question about a video that `titles` does not have.
    #[error("there is no video {video} in titles")]
    UnknownVideo {
        /// The video's id.
        video: i64,
    },
}

/// What the domain answers.
pub type Result<T> = std::result::Result<T, Error>;
