//! Real servers for tests: Apache Kafka, SeaweedFS, moto, Apicurio Registry, PostgreSQL.
//!
//! What Kafka or S3 do under faults is theirs to say, not ours to imagine; so the tests that matter run against the real
//! ones. `scripts/servers` installs them once. A value here is a running server on loopback ports and in a temporary
//! directory of its own; it is stopped when the value is dropped, and also when the test process ends in any other way
//! ([`Process`] says how). Servers can be killed, paused and started again on the same ports and data.
//!
//! Test targets that need them are called `real` and have `test = false` in their manifest, so that `make test` leaves
//! them out and `make test-real` runs them.

mod apicurio;
mod error;
mod kafka;
mod moto;
mod ports;
mod postgres;
mod process;
mod proxy;
mod seaweed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use apicurio::Apicurio;
pub use error::{Error, Result};
pub use kafka::Kafka;
pub use moto::Moto;
pub use ports::free_ports;
pub use postgres::Postgres;
pub use process::Process;
pub use proxy::{Fault, Proxy};
pub use seaweed::SeaweedFs;

/// Where `scripts/servers` put the servers; the first call in a process installs what is missing.
///
/// # Errors
/// [`Error::Install`] with what the script said.
pub fn installed() -> Result<&'static Path> {
    static INSTALLED: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        let output = Command::new(&script)
            .output()
            .map_err(|error| format!("run {}: {error}", script.display()))?;
        if output.status.success() {
            Ok(PathBuf::from(
                String::from_utf8_lossy(&output.stdout).trim(),
            ))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    });
    installed
        .as_deref()
        .map_err(|said| Error::Install(said.clone()))
}
