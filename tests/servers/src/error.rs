use std::io;

/// The result of starting or steering a server.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `scripts/servers` failed; the text is what it said, which tells what to install.
    #[error("the servers could not be installed: {0}")]
    Install(String),
    /// A program could not be run.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A server or a tool of it failed or did not answer in time.
    #[error("{name} {what}; the end of its output:\n{output}")]
    Failed {
        /// Which.
        name: String,
        /// What happened.
        what: String,
        /// The end of what it printed.
        output: String,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
