//! The gatekeeper on stock Hollow: one warm JVM beside us.

use std::path::{Path, PathBuf};
use std::process::Command;

use bench_hollow::peer::{Peer, java};
use bench_hollow::{Measured, Result as PeerResult};
use tempfile::TempDir;

use crate::ours::{At, read_snapshot};
use crate::published::Run;
use crate::{Error, Result, io};

/// The flags that were best, see `docs/benchmarks/gatekeeper.md`.
const FLAGS: &str = "-XX:+UseParallelGC";

/// A gatekeeper in Java on the inputs of a run of ours.
pub struct Java {
    peer: Peer,
    output: TempDir,
}

impl Java {
    /// Starts a JVM with so much heap (`8g`); nothing is loaded yet.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(jar: &Path, run: &Run, heap: &str, verifies: bool) -> Result<Self> {
        let output = tempfile::tempdir().map_err(io("make a directory"))?;
        let flags = std::env::var("GREENLIGHT_BENCH_JAVA_FLAGS");
        let flags = flags.unwrap_or_else(|_| FLAGS.to_owned());
        let parents = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../crates/liveness/data/parent_locales.csv");
        let mut command = Command::new(java());
        command
            .args([format!("-Xms{heap}"), format!("-Xmx{heap}")])
            .args(flags.split_whitespace())
            .arg("-jar")
            .arg(jar)
            .arg("gatekeeper")
            .arg(run.blobs(""))
            .arg(output.path())
            .arg(parents);
        if !verifies {
            command.arg("--no-integrity-check");
        }
        Ok(Self {
            peer: Peer::spawn(command)?,
            output,
        })
    }

    /// Runs a cycle; the check is how many pairs are live.
    ///
    /// # Errors
    /// Where the peer failed.
    pub fn cycle(&mut self, run: &Run, at: At) -> Result<Measured> {
        let versions = run.contents().at(at.step, at.policies);
        let mut command = format!("cycle {}", at.now_ms);
        for (_, version) in versions {
            command.push_str(&format!(" {version}"));
        }
        Ok(self.peer.run(&command)?)
    }

    /// Milliseconds of the last cycle's phases: refresh with facts, what depends on them, evaluation, publishing.
    ///
    /// # Errors
    /// Where the peer failed.
    pub fn phases(&mut self) -> PeerResult<[f64; 4]> {
        let mut phases = [0.0; 4];
        for (at, phase) in phases.iter_mut().enumerate() {
            *phase = self.peer.run(&format!("phase {at}"))?.value;
        }
        Ok(phases)
    }

    /// Runs any other command.
    ///
    /// # Errors
    /// Where the peer failed.
    pub fn run(&mut self, command: &str) -> PeerResult<Measured> {
        self.peer.run(command)
    }

    /// The output's newest state.
    ///
    /// # Errors
    /// Where it can't be written or read.
    pub fn state(&mut self) -> Result<hollow::ReadState> {
        let path: PathBuf = self.output.path().join("state");
        self.peer.run(&format!("snapshot {}", path.display()))?;
        read_snapshot(&path)
    }

    /// Compares the outputs of both, record by record.
    ///
    /// # Errors
    /// [`Error::Wrong`] tells the first video that differs.
    pub fn check(&mut self, ours: &hollow::ReadState) -> Result<()> {
        let theirs = self.state()?;
        let digest = |state| hollow::sums::Digest::of(state);
        if digest(ours)? == digest(&theirs)? {
            return Ok(());
        }
        let diff = hollow::diff::diff(ours, &theirs, "Liveness")?;
        let groups = |state, ordinal| {
            let verdicts = gatekeeper::output::Verdicts::of(state);
            let verdict = verdicts.and_then(|verdicts| verdicts.at(ordinal));
            verdict.map(|(video, outcome)| format!("{video}: {:#?}", outcome.groups))
        };
        let first = diff.changed.first().map(|record| {
            let (ours, theirs) = (groups(ours, record.before), groups(&theirs, record.after));
            format!(
                "ours {}; theirs {}",
                ours.unwrap_or_default(),
                theirs.unwrap_or_default()
            )
        });
        Err(Error::Wrong(format!(
            "the peer's output is not ours: {} videos differ, {} are missing, {} are too many; {}",
            diff.changed.len(),
            diff.removed.len(),
            diff.added.len(),
            first.unwrap_or_default()
        )))
    }
}
