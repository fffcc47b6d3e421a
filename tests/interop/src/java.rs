//! Builds and runs `interop/`, the Maven project on stock Hollow.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Why the Java side gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Java project could not be built; the text is what its build script said, which tells what to install.
    #[error("the Java side could not be built: {0}")]
    Build(String),
    /// The Java program could not be started.
    #[error("start `java` (the tests against stock Hollow need Java 17 or later): {0}")]
    Start(std::io::Error),
    /// The Java program failed.
    #[error("java {args} failed: {stderr}")]
    Failed {
        /// Its arguments.
        args: String,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// A line of output is not JSON.
    #[error("java {args} printed a line that is not JSON: {line}")]
    Output {
        /// The program's arguments.
        args: String,
        /// The line.
        line: String,
    },
}

/// The jar of the Java side. The first call in a process builds it if it is missing or older than its sources.
pub fn jar() -> Result<&'static Path, Error> {
    static JAR: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    JAR.get_or_init(build)
        .as_deref()
        .map_err(|said| Error::Build(said.clone()))
}

fn build() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/build.sh");
    let output = Command::new("sh")
        .arg(&script)
        .output()
        .map_err(|error| format!("run {}: {error}", script.display()))?;
    if output.status.success() {
        Ok(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Runs one mode of the Java program (`consume`, `liveness`, `reach`, `produce`; see its usage) and returns its output,
/// a JSON object for each line.
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Result<Vec<Value>, Error> {
    let mut command = Command::new("java");
    // Many tests start short-lived programs at once: small, serial, quick to start.
    command
        .args([
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-jar",
        ])
        .arg(jar()?)
        .args(args);
    let output = command.output().map_err(Error::Start)?;
    let shown = || {
        let args: Vec<_> = command
            .get_args()
            .skip(4)
            .map(OsStr::to_string_lossy)
            .collect();
        args.join(" ")
    };
    if !output.status.success() {
        return Err(Error::Failed {
            args: shown(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|_| Error::Output {
                args: shown(),
                line: line.to_owned(),
            })
        })
        .collect()
}
