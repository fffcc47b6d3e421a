//! The Java peer: one warm JVM that runs a row whenever it is told to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::{Error, Measured, Result};

/// Which flags the JVM gets: those that were best for the rows, see `docs/benchmarks/hollow.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// Cycles: much garbage, all cores free to collect it.
    Writing,
    /// Loads, deltas, lookups, diffs.
    Reading,
}

impl Tuning {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Writing => &["-XX:+UseParallelGC"],
            Self::Reading => &[
                "-XX:+UseG1GC",
                // Off by default in Hollow, which then builds the whole index again for each delta.
                "-Dcom.netflix.hollow.core.index.HollowPrimaryKeyIndex.allowDeltaUpdate=true",
            ],
        }
    }
}

/// A running JVM. Dropping it ends it.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a JVM for `videos` videos with the blobs in `blobs`.
    pub fn start(jar: &Path, videos: usize, blobs: &Path, tuning: Tuning) -> Result<Self> {
        let heap = if videos > 500_000 { "12g" } else { "8g" };
        let mut command = Command::new(java());
        command
            .args([format!("-Xms{heap}"), format!("-Xmx{heap}")])
            .args(tuning.flags())
            .arg("-jar")
            .arg(jar)
            .args(["bench", &videos.to_string()])
            .arg(blobs);
        Self::spawn(command)
    }

    /// Starts a program that answers each line on standard input with `ok VALUE CHECK`.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Io {
                what: format!("start {}", command.get_program().to_string_lossy()),
                source,
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Data("the JVM has no pipes".to_owned()));
        };
        Ok(Self {
            child,
            input: Some(input),
            output: BufReader::new(output),
        })
    }

    /// Waits until the JVM's collector and compiler have come to rest, so that they do not run beside what is measured
    /// next; two seconds at most. Where the system does not say, it does not wait.
    pub fn rest(&self) {
        const STEP: Duration = Duration::from_millis(20);
        let mut before = self.ticks();
        for _ in 0..100 {
            std::thread::sleep(STEP);
            let now = self.ticks();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Time that the JVM has run, in ticks of the system.
    fn ticks(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th values behind it.
        let (_, values) = stat.rsplit_once(')')?;
        let times = values.split_whitespace().skip(11).take(2);
        Some(times.filter_map(|time| time.parse::<u64>().ok()).sum())
    }

    /// Runs a command once.
    pub fn run(&mut self, command: &str) -> Result<Measured> {
        let mut answer = String::new();
        let asked = match &mut self.input {
            Some(input) => writeln!(input, "{command}").and_then(|()| input.flush()),
            None => Ok(()),
        };
        asked
            .and_then(|()| self.output.read_line(&mut answer))
            .map_err(|source| Error::Io {
                what: format!("ask the Java peer for {command}"),
                source,
            })?;
        parse(&answer).ok_or_else(|| Error::Peer {
            command: command.to_owned(),
            answer: answer.trim().to_owned(),
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // End of input ends the JVM; if it has died already, there is nothing to wait for.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The JVM to run: `GREENLIGHT_BENCH_JAVA`, or the one on the path.
#[must_use]
pub fn java() -> String {
    std::env::var("GREENLIGHT_BENCH_JAVA").unwrap_or_else(|_| "java".to_owned())
}

fn parse(answer: &str) -> Option<Measured> {
    let mut words = answer.split_whitespace();
    if words.next() != Some("ok") {
        return None;
    }
    let value = words.next()?.parse().ok()?;
    let check = words.next()?.parse().ok()?;
    Some(Measured { value, check })
}
